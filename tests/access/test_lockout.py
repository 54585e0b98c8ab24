"""Brute force is slowed, and nobody else is."""

import random
from typing import List

from hypothesis import given
from hypothesis import strategies as st

from opcws.access.lockout import Lockout
from opcws.config.settings import Limits

LIMITS = Limits(wrong_credentials=3, lockout_min_s=1, lockout_max_s=60)
BAD, GOOD = "203.0.113.66", "203.0.113.7"


def _tries(lockout: Lockout, until: float, limits: Limits = LIMITS, step: float = 0.25) -> int:
    """How many guesses somebody gets who tries again and again until *until*."""
    taken = 0
    now = 0.0
    while now < until:
        if not lockout.attempt(BAD, now, limits).wait:
            lockout.wrong(BAD, now, limits)
            taken += 1
        now += step
    return taken


def test_the_first_wrong_ones_cost_nothing_and_then_the_wait_doubles() -> None:
    lockout, now = Lockout(), 100.0
    waits: List[float] = []
    for _ in range(10):
        assert lockout.attempt(BAD, now, LIMITS).wait == 0
        waits.append(lockout.wrong(BAD, now, LIMITS))
        if waits[-1]:
            assert lockout.attempt(BAD, now, LIMITS).wait == waits[-1]
        now += waits[-1]
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_patience_buys_a_few_guesses_an_hour() -> None:
    assert _tries(Lockout(), 3600) < 3 + 6 + 3600 / 60 * 2


def test_another_address_notices_nothing() -> None:
    lockout = Lockout()
    for _ in range(20):
        lockout.wrong(BAD, 0.0, LIMITS)
    assert lockout.attempt(BAD, 0.0, LIMITS).wait
    assert not lockout.attempt(GOOD, 0.0, LIMITS).wait


def test_a_right_one_between_wrong_ones_buys_the_attacker_nothing() -> None:
    plain, with_an_account = Lockout(), Lockout()
    taken, now = 0, 0.0
    while now < 600:
        turn = with_an_account.attempt(BAD, now, LIMITS)
        if not turn.wait:
            with_an_account.right(BAD, now, turn)
            if not with_an_account.attempt(BAD, now, LIMITS).wait:
                with_an_account.wrong(BAD, now, LIMITS)
                taken += 1
        now += 0.25
    assert taken <= _tries(plain, 600)


def test_behind_a_wait_one_attempt_at_a_time_is_looked_at_and_a_right_one_makes_room() -> None:
    lockout = Lockout()
    for _ in range(3):
        lockout.wrong(BAD, 0.0, LIMITS)
    first = lockout.attempt(BAD, 1.0, LIMITS)
    assert not first.wait
    assert lockout.attempt(BAD, 1.0, LIMITS).wait, "a thousand at once are not a thousand guesses"
    lockout.right(BAD, 1.1, first)
    assert not lockout.attempt(BAD, 1.1, LIMITS).wait


def test_a_right_one_that_began_before_does_not_end_a_wait() -> None:
    lockout = Lockout()
    turn = lockout.attempt(BAD, 0.0, LIMITS)
    for _ in range(3):
        lockout.wrong(BAD, 0.0, LIMITS)
    lockout.right(BAD, 0.1, turn)
    assert lockout.attempt(BAD, 0.1, LIMITS).wait


def test_what_is_being_looked_at_counts_as_wrong_until_it_is_known() -> None:
    lockout = Lockout()
    turns = [lockout.attempt(BAD, 0.0, LIMITS) for _ in range(200)]
    taken = [turn for turn in turns if not turn.in_line]
    assert len(taken) == LIMITS.wrong_credentials
    lockout.right(BAD, 0.1, taken[0])
    assert not lockout.attempt(BAD, 0.1, LIMITS).in_line, "a right one makes room"
    assert lockout.attempt(BAD, 0.1, LIMITS).in_line
    for turn in taken:
        lockout.wrong(BAD, 0.2, LIMITS, turn)
    assert lockout.attempt(BAD, 0.2, LIMITS).wait, "and wrong ones a wait for all in line"


def test_right_ones_leave_nothing_however_many_come_at_once() -> None:
    lockout = Lockout()
    for _ in range(100):
        turns = [lockout.attempt(GOOD, 0.0, LIMITS) for _ in range(5)]
        for turn in turns:
            if not turn.in_line:
                lockout.right(GOOD, 0.0, turn)
    assert len(lockout) == 0


def test_wrong_ones_are_forgiven_one_by_one_and_then_forgotten() -> None:
    lockout = Lockout()
    for _ in range(2):
        lockout.wrong(GOOD, 0.0, LIMITS)
    lockout.right(GOOD, 61.0, lockout.attempt(GOOD, 61.0, LIMITS))
    assert len(lockout) == 1
    lockout.right(GOOD, 121.0, lockout.attempt(GOOD, 121.0, LIMITS))
    assert len(lockout) == 0


def test_without_the_limit_nobody_waits_and_nobody_is_remembered() -> None:
    lockout, limits = Lockout(), Limits(wrong_credentials=0)
    for _ in range(100):
        assert not lockout.attempt(BAD, 0.0, limits).wait
        assert not lockout.wrong(BAD, 0.0, limits)
    assert len(lockout) == 0


def test_so_many_addresses_are_remembered_and_the_quietest_is_forgotten_first() -> None:
    lockout = Lockout(max_addresses=100)
    for number in range(1000):
        lockout.wrong(BAD, float(number), LIMITS)
        lockout.wrong("2001:db8:0:%x::/64" % number, float(number), LIMITS)
    assert len(lockout) == 100
    assert lockout.attempt(BAD, 1000.0, LIMITS).wait


@given(st.integers(0, 2**32), st.integers(1, 5), st.floats(0.1, 10), st.floats(10, 1000))
def test_however_it_is_tried_no_wait_is_over_the_longest(
    seed: int, free: int, low: float, high: float
) -> None:
    limits = Limits(wrong_credentials=free, lockout_min_s=low, lockout_max_s=high)
    chance, lockout, now = random.Random(seed), Lockout(), 0.0
    for _ in range(100):
        now += chance.expovariate(1 / low)
        turn = lockout.attempt(BAD, now, limits)
        assert 0 <= turn.wait <= high + 1e-6
        if not turn.wait and chance.random() < 0.8:
            assert lockout.wrong(BAD, now, limits) <= high + 1e-6
        elif not turn.wait:
            lockout.right(BAD, now, turn)
