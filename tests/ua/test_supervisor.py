"""What the watchdog has the worker do."""

from typing import Any, List

import pytest

from opcws.model.errors import PlantError
from opcws.ua.services.fair_queue import Job
from opcws.ua.supervisor import _PeriodicJob


class Worker:
    def __init__(self) -> None:
        self.jobs: List[Job] = []

    def submit(self, job: Job) -> None:
        self.jobs.append(job)


class Link:
    class server:
        name = "plant"


def fail(_link: Any) -> None:
    raise PlantError("no answer in time", "BadTimeout")


def test_however_often_it_is_due_one_job_waits_or_runs() -> None:
    worker, link, done = Worker(), Link(), []
    tending = _PeriodicJob(worker, link, done.append)  # type: ignore[arg-type]
    for _ in range(3):
        tending.submit()
    assert len(worker.jobs) == 1
    worker.jobs.pop().run(link)  # type: ignore[arg-type]
    assert done == [link]
    tending.submit()
    assert len(worker.jobs) == 1, "what is done may be due again"


def test_a_job_that_failed_is_due_again() -> None:
    worker, link = Worker(), Link()
    tending = _PeriodicJob(worker, link, fail)  # type: ignore[arg-type]
    tending.submit()
    job = worker.jobs.pop()
    with pytest.raises(PlantError) as raised:
        job.run(link)  # type: ignore[arg-type]
    job.failed(raised.value)
    tending.submit()
    worker.jobs.pop().failed(PlantError("not connected", "BadNotConnected"))
    tending.submit()
    assert len(worker.jobs) == 1


def test_another_generation_is_left_alone() -> None:
    worker, done = Worker(), []
    tending = _PeriodicJob(worker, Link(), done.append)  # type: ignore[arg-type]
    tending.submit()
    worker.jobs.pop().run(Link())  # type: ignore[arg-type]
    assert not done
