"""Deferred jobs: owners take turns, one at a time each, within bounds."""

import threading
from typing import Any, Iterator, List

import pytest

from opcws.model.deadline import Deadline
from opcws.ua.services import long_jobs
from opcws.ua.services.long_jobs import MAX_OF_ALL, MAX_OF_ONE, LongJobs

from ...support import PATIENCE, no_threads_left, our_threads, wait_until

#: Jobs that are done at the same time.
THREADS = 3


class Held:
    """A job that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()


@pytest.fixture
def done() -> List[Any]:
    return []


@pytest.fixture(autouse=True)
def no_more_threads_where_the_machine_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_jobs, "HANG_S", PATIENCE)


@pytest.fixture
def slow(done: List[Any]) -> Iterator["LongJobs[Any]"]:
    def perform(job: Any) -> None:
        if isinstance(job, Held):
            job.begun.set()
            assert job.let_go.wait(PATIENCE)
        else:
            done.append(job)

    running: "LongJobs[Any]" = LongJobs("test", "slow", THREADS, perform)
    running.start()
    yield running
    running.stop(Deadline(PATIENCE))
    no_threads_left()


def _hold(slow: "LongJobs[Any]", *owners: str) -> List[Held]:
    held = [Held() for _ in owners]
    for owner, job in zip(owners, held):
        assert slow.put(owner, job) is None
    for job in held:
        assert job.begun.wait(PATIENCE)
    return held


def test_jobs_of_one_owner_are_done_in_order(slow: "LongJobs[Any]", done: List[Any]) -> None:
    for number in range(MAX_OF_ONE):
        assert slow.put("a", number) is None
    wait_until(lambda: len(done) == MAX_OF_ONE, "all are done")
    assert done == list(range(MAX_OF_ONE))


def test_one_owner_whose_job_hangs_takes_one_thread(slow: "LongJobs[Any]", done: List[Any]) -> None:
    (held,) = _hold(slow, "a")
    for number in range(10):
        slow.put("a", number)
    slow.put("b", "other")
    wait_until(lambda: done, "the other owner's is done")
    assert done == ["other"]
    held.let_go.set()
    wait_until(lambda: len(done) == 11, "all are done")
    assert done == ["other", *range(10)]


def test_while_jobs_of_however_many_owners_hang_anothers_are_done(
    slow: "LongJobs[Any]", done: List[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_jobs, "HANG_S", 0.05)
    held = [Held() for _ in range(40)]
    for number, job in enumerate(held):
        assert slow.put(number, job) is None
        slow.put(number, number)
    for number in range(3):
        slow.put("fair", ("fair", number))
    wait_until(lambda: len(done) == 3, "they hang, and its jobs are done")
    assert done == [("fair", number) for number in range(3)]
    assert all(job.begun.is_set() for job in held)
    for job in held:
        job.let_go.set()
    wait_until(lambda: len(done) == 43, "all are done")
    wait_until(lambda: len(our_threads()) == THREADS, "and the further threads have ended")


def test_there_are_no_more_threads_than_may_be(
    slow: "LongJobs[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_jobs, "HANG_S", 0.02)
    monkeypatch.setattr(long_jobs, "MOST_THREADS", THREADS + 2)
    held = [Held() for _ in range(THREADS + 4)]
    for number, job in enumerate(held):
        assert slow.put(number, job) is None
    wait_until(lambda: sum(job.begun.is_set() for job in held) == THREADS + 2, "they are there")
    looks = slow._ended
    held[0].let_go.set()
    wait_until(lambda: slow._ended > looks and held[THREADS + 2].begun.is_set(), "the next one")
    assert not held[THREADS + 3].begun.is_set()
    for job in held:
        job.let_go.set()
    slow.drain(Deadline(PATIENCE))


def test_owners_take_turns(slow: "LongJobs[Any]", done: List[Any]) -> None:
    held = _hold(slow, *(str(number) for number in range(THREADS)))
    for number in range(3):
        slow.put("a", ("a", number))
    slow.put("b", ("b", 0))
    held[0].let_go.set()
    wait_until(lambda: len(done) == 4, "all are done by one thread")
    assert done == [("a", 0), ("b", 0), ("a", 1), ("a", 2)]
    for job in held:
        job.let_go.set()


def test_who_had_least_is_next_however_many_others_wait() -> None:
    gate, done = threading.Semaphore(0), []

    def perform(job: Any) -> None:
        gate.acquire()
        done.append(job)

    slow: "LongJobs[Any]" = LongJobs("test", "slow", 1, perform)
    slow.start()
    for owner in range(20):
        for _ in range(3):
            assert slow.put(owner, owner) is None
    for _ in range(30):
        gate.release()
    wait_until(lambda: len(done) == 30, "each had a turn, and some a second one")
    assert set(done) == set(range(20))
    wait_until(lambda: slow.backlog == 29, "the next one is being done")
    assert slow.put("another", "another") is None
    for _ in range(31):
        gate.release()
    wait_until(lambda: len(done) == 61, "all are done")
    assert done[31] == "another"
    slow.stop(Deadline(PATIENCE))
    no_threads_left()


def test_what_one_owner_and_what_all_may_have_waiting_is_bounded(slow: "LongJobs[Any]") -> None:
    held = _hold(slow, *(str(number) for number in range(THREADS)))
    for number in range(MAX_OF_ONE):
        assert slow.put("a", number) is None
    assert slow.put("a", "one too many") == "one too many"
    for owner in range(100, 100 + MAX_OF_ALL - MAX_OF_ONE):
        assert slow.put(owner, 0) is None, "another owner has room"
    assert slow.backlog == MAX_OF_ALL
    assert slow.put("b", 0) == MAX_OF_ONE - 1, "the last of the greediest gives way"
    assert slow.backlog == MAX_OF_ALL
    assert len(slow.drop("a")[0]) == MAX_OF_ONE - 1
    assert slow.put("c", 0) is None, "what was dropped left room"
    for job in held:
        job.let_go.set()


def test_dropping_an_owner_tells_what_waited_and_what_is_being_done(
    slow: "LongJobs[Any]", done: List[Any]
) -> None:
    (held,) = _hold(slow, "a")
    slow.put("a", 1)
    slow.put("b", 2)
    assert slow.drop("a") == ([1], held)
    assert slow.drop("nobody") == ([], None)
    held.let_go.set()
    wait_until(lambda: done == [2], "only the other owner's is done")


def test_stopping_returns_what_was_not_begun() -> None:
    held = [Held() for _ in range(THREADS)]

    def perform(job: Any) -> None:
        job.begun.set()
        job.let_go.wait(PATIENCE)

    slow: "LongJobs[Any]" = LongJobs("test", "slow", THREADS, perform)
    slow.start()
    for number, job in enumerate(held):
        slow.put(number, job)
        assert job.begun.wait(PATIENCE)
    slow.put("a", "left")
    for job in held:
        threading.Timer(0.05, job.let_go.set).start()
    assert slow.stop(Deadline(PATIENCE)) == ["left"]
    assert slow.put("a", "late") == "late"
    no_threads_left()


def test_what_is_due_is_tended_though_no_job_comes() -> None:
    tended: List[int] = []
    enough = threading.Event()

    def tend() -> float:
        tended.append(1)
        if len(tended) > 3 * THREADS:
            enough.set()
        return 0.01

    slow: "LongJobs[Any]" = LongJobs("test", "own", THREADS, tended.append, tend)
    slow.start()
    assert enough.wait(PATIENCE)
    slow.stop(Deadline(PATIENCE))


def test_jobs_of_an_owner_that_is_held_wait_and_those_of_others_do_not() -> None:
    done: List[Any] = []
    held = {"greedy"}
    slow: "LongJobs[Any]" = LongJobs(
        "test", "slow", 1, done.append, is_held=lambda owner: owner in held
    )
    slow.start()
    for owner in ("greedy", "fair"):
        assert slow.put(owner, owner) is None
    wait_until(lambda: done == ["fair"] and slow.backlog == 1, "only the other's is done")
    held.clear()
    wait_until(lambda: done == ["fair", "greedy"], "then all are")
    slow.stop(Deadline(PATIENCE))
    no_threads_left()
