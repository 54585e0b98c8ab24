"""What monitors of a publisher's fields are told, from the first value on."""

from typing import Any, List

from opcws.model.data_types import DOUBLE, DataValue, Variant
from opcws.pubsub.plant import Link
from opcws.pubsub.publication import WAITING


def value(number: float) -> DataValue:
    return DataValue(Variant(DOUBLE, number))


def values(changes: List[Any]) -> List[Any]:
    return [layout.data_value(row) for layout, row in changes]


def test_a_change_before_the_first_value_is_told_once() -> None:
    link = Link({"A": value(1)})
    link.add(7, "A")
    assert link.take([("A", value(2))]) == []
    assert values(link.present([7])) == [value(2)]
    assert values(link.take([("A", value(3))])) == [value(3)]


def test_a_monitor_that_has_gone_is_told_nothing() -> None:
    link = Link({"A": value(1)})
    for handle in (7, 8, 9):
        link.add(handle, "A")
    link.present([7, 8])
    link.remove([(0, 8), (0, 9), (0, 10)])
    assert len(link.take([("A", value(2))])) == 1
    assert link.present([9]) == []


def test_a_field_that_has_told_nothing_waits() -> None:
    link = Link({})
    link.add(7, "A")
    assert values(link.present([7])) == [WAITING]
