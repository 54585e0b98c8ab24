"""The answer to a call that may be given up."""

import threading
from typing import Any, List, Tuple

import pytest

from opcws.ua.channel.answers import AbandonableAnswer

from ...support import PATIENCE


def _call() -> Tuple[AbandonableAnswer, List[Any]]:
    late: List[Any] = []
    return AbandonableAnswer(late.append), late


def test_an_answer_that_comes_is_returned_and_the_next_call_waits_for_its_own() -> None:
    call, late = _call()
    for body in ("first", "second"):
        call.set_result(body)
        assert call.wait(PATIENCE) == body
    assert not call.given_up and not late


def test_no_answer_in_time_is_an_error_and_the_late_one_is_passed_on() -> None:
    call, late = _call()
    with pytest.raises(TimeoutError):
        call.wait(0.01)
    assert call.given_up
    call.set_result("late")
    assert late == ["late"]


def test_giving_up_frees_the_waiter_and_the_late_answer_is_passed_on() -> None:
    call, late = _call()
    giving_up = threading.Timer(0.05, call.give_up)
    giving_up.start()
    assert call.wait(PATIENCE) is None
    assert call.given_up
    call.set_result("late")
    assert late == ["late"]


def test_what_is_given_up_beforehand_is_not_waited_for() -> None:
    call, _late = _call()
    call.give_up()
    assert call.wait(PATIENCE) is None


def test_giving_up_after_the_answer_changes_nothing() -> None:
    call, late = _call()
    call.set_result("answer")
    call.give_up()
    assert not call.given_up
    assert call.wait(PATIENCE) == "answer"
    assert not late


def test_a_broken_connection_frees_the_waiter() -> None:
    call, late = _call()
    call.cancel()
    assert call.wait(PATIENCE) is None
    assert not call.given_up and not late
