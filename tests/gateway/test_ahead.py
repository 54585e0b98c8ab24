"""Monitors that are told what was read because the item that is there may tell older values."""

import time
from typing import Any, Iterator, List, Optional

import pytest

from opcws.gateway.monitor import Monitor
from opcws.gateway.value_source import Present
from opcws.model import status_codes
from opcws.model.data_types import DOUBLE, DataValue, Variant
from opcws.wire.values_to_json import TYPED

from ..support import PATIENCE
from .test_relay import Client, Plant

UNCERTAIN = 0x40000000
NAN = float("nan")


def at(moment: int, number: float, status: int = 0) -> DataValue:
    """*number*, with the SourceTimestamp *moment*; 0 for none."""
    return DataValue(Variant(DOUBLE, number), status, moment)


class Shared(Plant):
    """A connected plant that has told 1 of V, at the moment 1, to somebody."""

    def __init__(self) -> None:
        super().__init__()
        self.relay.start()
        assert self.connect().wait(PATIENCE)
        self.other = Client(self)
        self.monitor = self.other.monitor("V", "other")
        self.accept("V")
        self.tell(at(1, 1.0))
        assert self.other.numbers() == [1.0]

    def tell(self, *values: DataValue) -> None:
        """All in one message."""
        self.publish(*[("V", each) for each in values])

    def present(self, value: DataValue, settle_s: float = 3600.0, link: Any = None) -> Present:
        """*value*, read now, which is later than all before."""
        before = now = time.monotonic()
        while now <= before:  # a tick, where the clock is coarse
            now = time.monotonic()
        return Present(link or self.link, value, now, now + settle_s)

    def answer(self, value: DataValue) -> None:
        """What was asked for is *value*."""
        assert self.read == ["V"]
        self.read.clear()
        self.relay.was_read("V", self.present(value))
        self.sync()


class Late(Client):
    def begin(self, present: Optional[Present], extra: bool = False, every_s: float = 0.0) -> Any:
        monitor = Monitor(self.outbox, "V", "late", TYPED, every_s)
        monitor.extra = extra
        self._plant.relay.begin(monitor, present)
        self._plant.sync()
        return monitor


@pytest.fixture
def plant() -> Iterator[Shared]:
    made = Shared()
    yield made
    made.relay.stop(PATIENCE)


@pytest.fixture
def late(plant: Shared) -> Late:
    return Late(plant)


@pytest.mark.parametrize("extra", [False, True])
def test_nothing_older_nothing_twice_and_nothing_missing_is_told(
    plant: Shared, extra: bool
) -> None:
    late = Late(plant)
    late.begin(plant.present(at(4, 4.0)), extra)
    assert late.numbers() == [4.0]
    plant.tell(at(2, 2.0))
    plant.tell(at(3, 3.0), at(4, 4.0))
    plant.tell(at(5, 5.0))
    assert late.numbers() == [5.0]
    plant.tell(at(4, 4.5))
    assert late.numbers() == [4.5], "the one that goes back now goes back for all"
    assert plant.other.numbers() == [2.0, 3.0, 4.0, 5.0, 4.5]


def test_what_is_newer_than_what_was_read_is_told(plant: Shared, late: Late) -> None:
    late.begin(plant.present(at(4, 4.0)))
    plant.tell(at(3, 3.0), at(5, 5.0), at(6, 6.0))
    assert late.numbers() == [4.0, 5.0, 6.0]
    assert not plant.read, "nothing is in doubt"


def test_what_came_while_it_was_read_is_not_missing(plant: Shared, late: Late) -> None:
    present = plant.present(at(2, 2.0))
    plant.tell(at(3, 3.0))
    late.begin(present)
    assert late.numbers() == [2.0, 3.0]


@pytest.mark.parametrize("moments", [(0, 0), (0, 5), (5, 0), (5, 5)])
def test_where_times_tell_nothing_the_same_value_is_waited_for(
    plant: Shared, late: Late, moments: Any
) -> None:
    read, told = moments
    late.begin(plant.present(at(read, NAN)))
    assert len(late.bodies()) == 1
    plant.tell(at(told, 1.5))
    plant.tell(at(told, NAN), at(told, 2.5))
    assert late.numbers() == [2.5]


def test_another_status_of_the_same_value_is_a_change(plant: Shared, late: Late) -> None:
    late.begin(plant.present(at(2, 2.0)))
    plant.tell(at(2, 2.0, status_codes.OVERFLOW), at(2, 2.0, UNCERTAIN))
    assert [body.get("Status") for body in late.bodies()] == [None, UNCERTAIN]


def test_what_comes_when_the_time_to_settle_is_over_is_newer(plant: Shared, late: Late) -> None:
    late.begin(plant.present(at(4, 4.0), settle_s=-1.0))
    plant.tell(at(3, 3.0))
    assert late.numbers() == [4.0, 3.0]


def test_what_may_be_older_is_read_again_once(plant: Shared, late: Late) -> None:
    late.begin(plant.present(at(4, 4.0)))
    late.frames()
    plant.tell(at(2, 2.0), at(3, 3.0))
    plant.answer(at(4, 4.0))
    assert late.numbers() == []
    plant.tell(at(3, 3.5))
    plant.answer(at(3, 3.5))
    assert late.numbers() == [3.5], "the clock went back"
    plant.tell(at(3, 3.5), at(3, 3.75))
    assert late.numbers() == [3.75]
    plant.sync()
    assert not plant.read


def test_what_comes_while_it_is_read_again_is_read_too(plant: Shared, late: Late) -> None:
    late.begin(plant.present(at(4, 4.0)))
    plant.tell(at(2, 2.0))
    answer = plant.present(at(2, 2.0))
    plant.tell(at(2, 2.5))
    assert plant.read == ["V"]
    plant.relay.was_read("V", answer)
    plant.sync()
    assert plant.read == ["V", "V"]
    plant.relay.was_read("V", plant.present(at(2, 2.5)))
    plant.sync()
    assert late.numbers() == [4.0, 2.0, 2.5]
    assert plant.read == ["V", "V"]


def test_who_comes_later_is_told_the_latest_that_was_read(plant: Shared, late: Late) -> None:
    present = plant.present(at(4, 4.0))
    late.begin(present)
    plant.tell(at(2, 2.0))
    plant.answer(at(2, 2.0))
    later = Late(plant)
    later.begin(present)
    assert later.numbers() == [2.0]
    plant.tell(at(3, 3.0))
    assert (late.numbers(), later.numbers()) == ([4.0, 2.0, 3.0], [3.0])


def test_between_two_updates_is_the_time_that_the_client_wants(plant: Shared, late: Late) -> None:
    late.begin(plant.present(at(4, 4.0)), every_s=3600.0)
    plant.tell(at(5, 5.0))
    plant.tell(at(6, 6.0))
    assert late.numbers() == [4.0]


def test_one_that_is_stopped_meanwhile_leaves_nothing_behind(plant: Shared, late: Late) -> None:
    monitor = late.begin(plant.present(at(4, 4.0)))
    plant.other.stop(plant.monitor)
    assert not plant.deleted
    plant.tell(at(2, 2.0))
    late.stop(monitor)
    assert len(plant.deleted) == 1
    plant.answer(at(5, 5.0))
    assert late.numbers() == [4.0]


def test_the_loss_of_the_connection_is_told(plant: Shared, late: Late) -> None:
    present = plant.present(at(4, 4.0))
    late.begin(present)
    late.frames()
    plant.relay.lost(plant.link, "gone")
    plant.connect()
    Late(plant).begin(present)
    plant.accept("V")
    plant.tell(at(2, 2.0))
    told: List[Any] = late.bodies()
    assert [body.get("Symbol") for body in told] == ["BadNotConnected", None]
    assert told[1]["Value"]["Body"] == 2.0
    assert not plant.read


def test_what_was_read_on_another_connection_is_not_told(plant: Shared, late: Late) -> None:
    late.begin(plant.present(at(4, 4.0), link=object()))
    assert late.numbers() == [1.0]
