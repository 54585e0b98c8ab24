"""What an OPC UA server has and what was recorded becomes one history."""

import uuid
from typing import Any, Dict, Iterator, List, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.history.joining import Join, is_same, with_namespaces
from opcws.model import status_codes
from opcws.model.data_types import (
    DATAVALUE,
    DOUBLE,
    EXTENSIONOBJECT,
    GUID,
    INT32,
    NODEID,
    QUALIFIEDNAME,
    STRING,
    VARIANT,
    DataValue,
    ExtensionObject,
    NodeId,
    QualifiedName,
    Structure,
    Variant,
)

NOT_CONNECTED = status_codes.code("BadNotConnected")
OUT_OF_SERVICE = status_codes.code("BadOutOfService")
#: Recorded once more behind a gap.
STILL = 0x402


def at(time: int, number: Any = None, status: int = 0) -> DataValue:
    """Of the OPC UA server; what was recorded has a server's timestamp, too."""
    return DataValue(
        Variant(DOUBLE, float(time if number is None else number)), status, time, time + 1
    )


def own(time: int, number: Any = None, status: int = 0) -> DataValue:
    return at(time, number, status)._replace(server_timestamp=time + 2)


def gap(time: int, status: int = NOT_CONNECTED) -> DataValue:
    return DataValue(None, status, time)


def joined(
    plant: Sequence[DataValue],
    recorded: Sequence[DataValue],
    backwards: bool = False,
    collecting: bool = False,
    part: int = 3,
) -> List[DataValue]:
    """All of both, given in their order, read *part* by *part*."""
    join = Join(backwards)
    sides = [
        (list(each)[:: -1 if backwards else 1], waiting, add)
        for each, waiting, add in (
            (plant, join.plant, join.add_plant),
            (recorded, join.own, join.own.extend),
        )
    ]
    found: List[DataValue] = []
    while True:
        more = join.take(part)
        assert len(more) <= part
        found += more
        if join.undecided:
            join.collecting = collecting
        elif not more:
            for left, waiting, add in sides:
                if not waiting:
                    add(left[:part])
                    del left[:part]
            join.plant_ended, join.own_ended = not sides[0][0], not sides[1][0]
            if join.plant_ended and join.own_ended and not join.plant and not join.own:
                return found


@given(st.dictionaries(st.integers(1, 60), st.sampled_from("pob")), st.booleans())
def test_each_value_comes_once_in_order_whoever_has_it(
    who_has: Dict[int, str], backwards: bool
) -> None:
    ordered = sorted(who_has.items())
    plant = [at(time) for time, who in ordered if who in "pb"]
    recorded = [own(time) for time, who in ordered if who in "ob"]
    expected = [own(time) if who == "o" else at(time) for time, who in ordered]
    assert joined(plant, recorded, backwards) == expected[:: -1 if backwards else 1]


def test_several_values_of_one_moment_are_compared_by_value_and_status() -> None:
    plant = [at(5, 1.0), at(5, 2.0), at(6)]
    recorded = [own(5, 2.0), own(5, 3.0), own(5, 1.0, status_codes.code("UncertainInitialValue"))]
    found = joined(plant, recorded, part=1)
    assert found == [plant[0], plant[1], recorded[1], recorded[2], plant[2]]


@pytest.mark.parametrize(
    "one, other, same",
    [
        (at(1, float("nan")), own(1, float("nan")), True),
        (at(1), own(1, status=status_codes.OVERFLOW), True),
        (at(1), own(1, status=0x401), True),
        (at(1, 0.0), own(1, 1.0), False),
        (at(1), at(1)._replace(value=Variant(INT32, 1)), True),
        (at(1), at(1)._replace(value=Variant(STRING, "1")), False),
        (at(1)._replace(value=None), at(1), False),
        (at(1, status=0x80000000), at(1), False),
    ],
)
def test_what_is_the_same_value(one: DataValue, other: DataValue, same: bool) -> None:
    assert is_same(one, other) is same


@pytest.mark.parametrize("late", [1, 2, 3])
def test_what_was_recorded_late_keeps_its_place_and_is_told_once(late: int) -> None:
    """A server may send a value behind newer ones."""
    plant = [at(time) for time in (1, 2, 3, 5, 6)]
    recorded = [own(5), own(late), own(4), own(6), own(7)]
    found = joined(plant, recorded, part=2)
    assert [each for each in found if each.server_timestamp == each.source_timestamp + 1] == plant
    assert [each for each in found if each not in plant] == [own(4), own(7)]


#: A microsecond and a millisecond, in ticks.
@pytest.mark.parametrize("resolution", [10, 10_000])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("part", [1, 3, 100])
def test_a_server_that_keeps_times_less_exactly_has_the_same_values(
    resolution: int, backwards: bool, rounded: bool, part: int
) -> None:
    times = [1_000_000 + 37_331 * number for number in range(30)]
    half = resolution // 2 if rounded else 0
    plant = [at((time + half) // resolution * resolution, time) for time in times[5:]]
    recorded = [own(time) for time in times[:20]]
    found = joined(plant, recorded, backwards, part=part)
    exact = {each.moment for each in plant}
    kept = [at(time) if time in exact else own(time) for time in times[:20]]
    assert found == [*kept, *plant[15:]][:: -1 if backwards else 1]


def test_other_values_within_a_moment_of_a_server_are_no_doubles() -> None:
    plant = [at(10_000, 1.0), at(20_000, 2.0)]
    recorded = [own(10_003, 1.0), own(10_005, 5.0), own(10_007, 1.5), own(20_009, 2.0)]
    assert joined(plant, recorded) == recorded
    assert joined(plant, recorded[1:3]) == [plant[0], *recorded[1:3], plant[1]]


# --- Gaps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [NOT_CONNECTED, OUT_OF_SERVICE])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_gap_is_none_from_the_first_value_of_the_server_on(status: int, backwards: bool) -> None:
    plant = [at(5), at(8), at(9)]
    recorded = [own(2), gap(3, status), own(4, 2, STILL), own(5), gap(6, status), own(9)]
    recorded += [gap(10, status), own(11, 9, STILL)]
    expected = [own(2), gap(3, status), own(4, 2, STILL), at(5), at(8), at(9)]
    assert joined(plant, recorded, backwards) == expected[:: -1 if backwards else 1]


@pytest.mark.parametrize("collecting", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_it_may_have_been_collecting_before_what_is_read(collecting: bool, backwards: bool) -> None:
    found = joined([], [gap(3), own(4, 2, STILL)], backwards, collecting)
    expected = [] if collecting else [gap(3), own(4, 2, STILL)]
    assert found == expected[:: -1 if backwards else 1]


@pytest.mark.parametrize("backwards", [False, True])
def test_what_ends_a_gap_may_be_older_than_it(backwards: bool) -> None:
    """As when recording begins: the value is older than the start of opcws."""
    assert (
        joined([at(3), at(8)], [gap(5), own(3), own(8)], backwards)
        == [at(3), at(8)][:: -1 if backwards else 1]
    )


def test_a_bad_value_that_is_no_gap_of_the_recorder_stays() -> None:
    bad = gap(3, status_codes.code("BadSensorFailure"))
    assert joined([at(1), at(5)], [bad]) == [at(1), bad, at(5)]


def test_gaps_are_told_again_from_when_the_server_cannot_be_read_any_more() -> None:
    join = Join(False)
    join.add_plant([at(1)])
    join.own.extend([gap(2), own(3)])
    assert join.take(2) == [at(1)]
    join.without_plant()
    assert join.take(5) == [gap(2), own(3)]


# --- Namespaces ----------------------------------------------------------------------------------

THEIRS = ["http://opcfoundation.org/UA/", "urn:a", "urn:b", ""]
OURS = ["http://opcfoundation.org/UA/", "urn:server", "urn:b"]


def bodies(a: int, b: int) -> Iterator[Variant]:
    """Values that have indexes of the namespaces urn:a and urn:b, which are *a* and *b*."""
    node = NodeId(a, "x")
    yield Variant(NODEID, node)
    yield Variant(NODEID, [node, NodeId(b, 5), NodeId(0, 7), None], True)
    yield Variant(QUALIFIEDNAME, QualifiedName(b, "name"))
    structure = Structure((("Of", Variant(NODEID, node)),))
    yield Variant(EXTENSIONOBJECT, ExtensionObject(NodeId(b, 1), structure))
    yield Variant(EXTENSIONOBJECT, ExtensionObject(NodeId(b, 1), b"\0"))
    yield Variant(VARIANT, [Variant(NODEID, node)], True, (1, 1))
    yield Variant(DATAVALUE, DataValue(Variant(NODEID, node), 5, 6, 7))
    yield Variant(STRING, "ns=1;s=x")
    yield Variant(GUID, uuid.UUID(int=5))


def test_indexes_of_namespaces_mean_in_one_page_what_they_meant_in_the_other() -> None:
    known = list(OURS)
    values = [DataValue(each, 0, 1) for each in bodies(1, 2)]
    assert with_namespaces(values, THEIRS, known) == [
        DataValue(each, 0, 1) for each in bodies(3, 2)
    ]
    assert known == [*OURS, "urn:a"]
    assert with_namespaces(values, THEIRS, known) == [
        DataValue(each, 0, 1) for each in bodies(3, 2)
    ]
    assert known == [*OURS, "urn:a"]


def test_an_index_without_a_namespace_stays() -> None:
    value = DataValue(Variant(NODEID, NodeId(3, "x")), 0, 1)
    assert with_namespaces([value], THEIRS, list(OURS)) == [value]


def test_the_first_namespaces_are_taken_as_they_are() -> None:
    known: List[str] = []
    values = [DataValue(each, 0, 1) for each in bodies(1, 2)]
    assert with_namespaces(values, THEIRS, known) == values
    assert known == THEIRS
