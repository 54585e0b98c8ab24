"""When items are created, beside what else their client asks for."""

import time
from typing import Any, Dict, List, Optional, Sequence, cast

import pytest

from opcws.gateway.monitor import Monitor
from opcws.gateway.outbox import Outbox
from opcws.gateway.value_source import Present
from opcws.model.data_types import DataValue
from opcws.model.errors import PlantError
from opcws.ua.monitored_items import MonitoredItems
from opcws.wire.notifications import Origin


def tick() -> None:
    """What comes next is later, also where the clock is coarse."""
    before = time.monotonic()
    while time.monotonic() <= before:
        pass


class Worker:
    """Does nothing until it is told to."""

    def __init__(self) -> None:
        self.jobs: List[Any] = []
        self.has_writes = False

    def has_write(self, _line: object) -> bool:
        return self.has_writes

    def submit(self, job: Any, _line: object) -> None:
        self.jobs.append(job)


class Nothing:
    """A link, and the settings of a server; items of its variables are not created here."""

    max_items_per_call = 10
    name = "plant"
    publishing_interval_ms = request_timeout_ms = 3_600_000.0

    def __init__(self) -> None:
        self.variables: Dict[str, Any] = {}


class Relay:
    """Asks for the items of what has begun when it is told to catch up, as on its own thread."""

    def __init__(self, link: Any) -> None:
        self.begun: List[Monitor] = []
        #: What was read for each that began.
        self.presents: List[Optional[Present]] = []
        #: When all was written, what was read, and who had an item that told something when.
        self.written_at = 0.0
        self.read: List[str] = []
        self.active: Dict[str, float] = {}
        self._to_be_active: List[str] = []
        #: Handles of the items that were created.
        self.handles: List[int] = []
        self._link = link
        self.worker = Worker()
        worker, relay, unused = cast(Any, self.worker), cast(Any, self), self._unused
        self.items = MonitoredItems(
            link, worker, relay, unused, unused, self._read, lambda _name: self.written_at
        )

    def begin(self, monitor: Monitor, present: Optional[Present] = None) -> None:
        self.begun.append(monitor)
        self.presents.append(present)

    def told(self, name: str) -> None:
        """There is an item, as the relay will soon know."""
        self._to_be_active.append(name)

    def is_active(self, name: str) -> bool:
        return name in self.active

    def last(self, name: str) -> Any:
        return (None, None, Origin((), self.active[name])) if name in self.active else None

    def _read(self, _link: Any, variables: Sequence[str], _deadline: Any) -> List[DataValue]:
        self.read += variables
        return [DataValue(None)] * len(variables)

    def catch_up(self, _within_s: float) -> None:
        while self._to_be_active:
            self.active[self._to_be_active.pop()] = time.monotonic()
            tick()
        begun, self.begun[:] = self.begun[:], []
        for monitor in begun:
            if monitor.variable not in self._link.variables:
                self.items.create(self._link, [(monitor.variable, monitor.handle)], monitor.outbox)

    def created(self, _link: Any, results: Any) -> None:
        self.handles.extend(each.handle for each in results)

    def _unused(self, *_arguments: Any) -> Any:
        raise AssertionError("nothing is created of which there is nothing")


@pytest.fixture
def link() -> Any:
    return Nothing()


@pytest.fixture
def relay(link: Any) -> Relay:
    return Relay(link)


@pytest.fixture
def line() -> Outbox:
    return Outbox(10, 10, 10, lambda: None)


def monitors(line: Outbox, *handles: int) -> List[Monitor]:
    return [Monitor(line, "V%d" % handle, handle, "typed", 0.0) for handle in handles]


def test_what_is_wanted_at_a_place_is_created_there_and_nothing_is_left_over_behind_it(
    relay: Relay, link: Any, line: Outbox
) -> None:
    relay.items.begin(monitors(line, 1))
    relay.catch_up(0.0)
    relay.items.begin(monitors(line, 2))
    first, second = relay.worker.jobs
    first.run(link)
    assert relay.handles == [1, 2]
    second.run(link)
    assert relay.handles == [1, 2]
    assert len(relay.worker.jobs) == 2, "one more would create what is wanted later too early"
    relay.items.create(link, [("late", 3)], line)
    relay.worker.jobs[2].run(link)
    assert relay.handles == [1, 2, 3]


def test_what_begins_behind_a_write_is_created_at_its_own_place(
    relay: Relay, link: Any, line: Outbox
) -> None:
    relay.items.begin(monitors(line, 1))
    relay.worker.has_writes = True
    relay.items.begin(monitors(line, 2, 3))
    relay.items.begin(monitors(line, 4))
    first, second, third = relay.worker.jobs
    first.run(link)
    assert relay.handles == [1]
    second.run(link)
    assert relay.handles == [1, 2, 3]
    third.run(link)
    assert relay.handles == [1, 2, 3, 4]


def test_a_job_does_those_before_it_too(relay: Relay, link: Any, line: Outbox) -> None:
    relay.worker.has_writes = True
    for handle in (1, 2, 3):
        relay.items.begin(monitors(line, handle))
    relay.worker.jobs[1].run(link)
    assert relay.handles == [1, 2]


def test_without_a_connection_monitors_begin_all_the_same(relay: Relay, line: Outbox) -> None:
    relay.worker.has_writes = True
    relay.items.begin(monitors(line, 1))
    (job,) = relay.worker.jobs
    job.failed(PlantError("down", "BadNotConnected"))
    assert [monitor.handle for monitor in relay.begun] == [1]


def test_what_was_just_written_and_has_an_item_is_read_once_for_all_who_begin(
    relay: Relay, link: Any, line: Outbox
) -> None:
    link.variables = {"V1": "V1"}

    def begun() -> List[bool]:
        """Whether something was read for each of two that begin."""
        del relay.presents[:], relay.read[:]
        relay.items.begin(monitors(line, 1, 2))
        tick()
        relay.worker.jobs.pop().run(link)
        return [present is not None for present in relay.presents]

    assert begun() == [False, False] and not relay.read, "nothing was written"
    relay.written_at = time.monotonic()
    assert begun() == [False, False] and not relay.read, "there is no item"
    relay.told("V1")
    assert begun() == [True, False] and relay.read == ["V1"], "there is one now"
    assert begun() == [True, False] and not relay.read
    relay.told("V1")
    relay.catch_up(0.0)
    assert begun() == [True, False] and relay.read == ["V1"], "it has told more"
    relay.written_at = time.monotonic()
    assert begun() == [True, False] and relay.read == ["V1"], "it was written again"
    relay.active.clear()
    assert begun() == [False, False] and not relay.read, "the new item tells"
    relay.told("V1")
    assert begun() == [True, False] and relay.read == ["V1"], "it may have changed in between"
    link.publishing_interval_ms = -3_600_000.0  # that has been known for long
    assert begun() == [False, False] and not relay.read
