"""A moment on the monotonic clock, handed down."""

from typing import Iterator, List

import pytest

from opcws.model.deadline import Deadline


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[List[float]]:
    """The monotonic clock, in a list that a test can turn forward."""
    now = [1000.0]
    monkeypatch.setattr("opcws.model.deadline.time.monotonic", lambda: now[0])
    yield now


def test_a_deadline_counts_down_and_expires(clock: List[float]) -> None:
    deadline = Deadline(2.0)
    assert not deadline.expired
    assert deadline.remaining() == 2.0
    clock[0] += 1.5
    assert not deadline.expired
    assert deadline.remaining() == 0.5
    clock[0] += 0.5
    assert deadline.expired


def test_what_remains_is_never_negative(clock: List[float]) -> None:
    deadline = Deadline(1.0)
    clock[0] += 60.0
    assert deadline.remaining() == 0.0
    assert deadline.bounded(5.0) == 0.0


def test_a_deadline_of_none_never_comes(clock: List[float]) -> None:
    deadline = Deadline(None)
    clock[0] += 1e9
    assert not deadline.expired
    assert deadline.remaining() is None
    assert deadline.bounded(7.0) == 7.0


def test_a_step_gets_at_most_its_own_bound_and_at_most_what_is_left(clock: List[float]) -> None:
    deadline = Deadline(10.0)
    assert deadline.bounded(3.0) == 3.0
    clock[0] += 9.0
    assert deadline.bounded(3.0) == 1.0


def test_a_deadline_of_no_time_has_expired_at_once(clock: List[float]) -> None:
    assert Deadline(0.0).expired
