"""When items are created, beside what else their client asks for."""

from typing import Any, List

from opcws.ua.monitored_items import MonitoredItems


class Worker:
    """Does nothing until it is told to."""

    def __init__(self) -> None:
        self.jobs: List[Any] = []

    def submit(self, job: Any, _line: object) -> None:
        self.jobs.append(job)


class Nothing:
    """A link, and the settings of a server that has no variables."""

    max_items_per_call = 10
    variables: Any = {}


def test_what_is_wanted_at_a_place_is_created_there_and_nothing_is_left_over_behind_it() -> None:
    worker: Any = Worker()
    link: Any = Nothing()
    created: List[int] = []

    def catch_up(_within_s: float) -> None:
        items.create(link, [("behind", 2)], "line")  # as the relay does, on its own thread

    def unused(*_arguments: Any) -> Any:
        raise AssertionError("nothing is created of which there is nothing")

    def tell(_link: Any, results: Any) -> None:
        created.extend(each.handle for each in results)

    items = MonitoredItems(link, worker, catch_up, tell, unused, unused, unused, unused)
    items.in_order("line")
    items.create(link, [("before", 1)], "line")
    (job,) = worker.jobs
    job.run(link)
    assert created == [1, 2]
    assert worker.jobs == [job], "it would create what is wanted later, before its time"
    items.create(link, [("late", 3)], "line")
    worker.jobs[-1].run(link)
    assert created == [1, 2, 3]
