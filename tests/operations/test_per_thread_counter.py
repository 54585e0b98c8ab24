"""Counts of many threads."""

import sys
import threading
from typing import Iterator

import pytest

from opcws.operations import per_thread_counter
from opcws.operations.per_thread_counter import PerThreadCounter

from ..support import PATIENCE

THREADS = 8
ROUNDS = 20000


@pytest.fixture
def _restless() -> Iterator[None]:
    """Threads change places after every few steps, not every 5 ms."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_restless")
def test_no_count_is_lost_however_many_threads_add_and_look() -> None:
    counts: PerThreadCounter[str] = PerThreadCounter()
    together = threading.Barrier(THREADS + 1)
    seen = []

    def add() -> None:
        together.wait(PATIENCE)
        for _ in range(ROUNDS):
            counts.add("all")

    threads = [threading.Thread(target=add) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    together.wait(PATIENCE)
    while any(thread.is_alive() for thread in threads):
        seen.append(counts.totals().get("all", 0))
    assert counts.totals() == {"all": THREADS * ROUNDS}
    assert seen == sorted(seen), "a total went down"


def test_what_threads_that_have_ended_counted_stays_and_their_tables_do_not() -> None:
    counts: PerThreadCounter[str] = PerThreadCounter()
    for number in range(3 * per_thread_counter.TABLES):
        thread = threading.Thread(target=counts.add, args=("odd" if number % 2 else "even",))
        thread.start()
        thread.join(PATIENCE)
        assert len(counts._tables) <= per_thread_counter.TABLES
    ended = per_thread_counter.TABLES
    assert counts.totals() == {"odd": 1.5 * ended, "even": 1.5 * ended}
    assert not counts._tables


def test_an_amount_may_be_a_fraction() -> None:
    counts: PerThreadCounter[str] = PerThreadCounter()
    counts.add("seconds", 0.25)
    counts.add("seconds", 0.5)
    assert counts.totals() == {"seconds": 0.75}
