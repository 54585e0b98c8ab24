"""When items are created, beside what else their client asks for."""

from typing import Any, List

import pytest

from opcws.gateway.monitor import Monitor
from opcws.gateway.outbox import Outbox
from opcws.model.errors import PlantError
from opcws.ua.monitored_items import MonitoredItems


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
    """A link, and the settings of a server that has no variables."""

    max_items_per_call = 10
    variables: Any = {}
    name = "plant"


class Relay:
    """Asks for the items of what has begun when it is told to catch up, as on its own thread."""

    def __init__(self, link: Any) -> None:
        self.begun: List[Monitor] = []
        #: Handles of the items that were created.
        self.created: List[int] = []
        self._link = link
        self.worker = Worker()
        worker: Any = self.worker
        unused = [self._unused] * 4
        self.items = MonitoredItems(
            link, worker, self.begun.append, self.catch_up, self._take, *unused
        )

    def catch_up(self, _within_s: float) -> None:
        begun, self.begun[:] = self.begun[:], []
        for monitor in begun:
            self.items.create(self._link, [(monitor.variable, monitor.handle)], monitor.outbox)

    def _take(self, _link: Any, results: Any) -> None:
        self.created.extend(each.handle for each in results)

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
    assert relay.created == [1, 2]
    second.run(link)
    assert relay.created == [1, 2]
    assert len(relay.worker.jobs) == 2, "one more would create what is wanted later too early"
    relay.items.create(link, [("late", 3)], line)
    relay.worker.jobs[2].run(link)
    assert relay.created == [1, 2, 3]


def test_what_begins_behind_a_write_is_created_at_its_own_place(
    relay: Relay, link: Any, line: Outbox
) -> None:
    relay.items.begin(monitors(line, 1))
    relay.worker.has_writes = True
    relay.items.begin(monitors(line, 2, 3))
    relay.items.begin(monitors(line, 4))
    first, second, third = relay.worker.jobs
    first.run(link)
    assert relay.created == [1]
    second.run(link)
    assert relay.created == [1, 2, 3]
    third.run(link)
    assert relay.created == [1, 2, 3, 4]


def test_a_job_does_those_before_it_too(relay: Relay, link: Any, line: Outbox) -> None:
    relay.worker.has_writes = True
    for handle in (1, 2, 3):
        relay.items.begin(monitors(line, handle))
    relay.worker.jobs[1].run(link)
    assert relay.created == [1, 2]


def test_without_a_connection_monitors_begin_all_the_same(relay: Relay, line: Outbox) -> None:
    relay.worker.has_writes = True
    relay.items.begin(monitors(line, 1))
    (job,) = relay.worker.jobs
    job.failed(PlantError("down", "BadNotConnected"))
    assert [monitor.handle for monitor in relay.begun] == [1]
