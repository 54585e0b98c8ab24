"""One client's bounded outbound queue, without a socket."""

import threading
from typing import Any, List, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.gateway.outbox import PONGS, LargeReply, Outbox, Subject

from ..support import PATIENCE


def outbox(messages: int = 100, size: int = 10**6, replies: int = 100) -> Outbox:
    return Outbox(messages, size, replies, lambda: None)


def drain(box: Outbox) -> List[bytes]:
    taken: List[bytes] = []
    while box:
        taken += box.take()
    return taken


class Late(Subject):
    """One whose flagged frame says so."""

    def frame(self, update: bytes) -> bytes:
        return update

    def flagged(self, update: bytes) -> bytes:
        return update + b" after a loss"


def put(box: Outbox, subject: Subject, text: bytes, again: Any = None) -> None:
    box.put_updates([(subject, text, again)])


def test_what_is_put_is_taken_in_order() -> None:
    box, subject = outbox(), Late()
    assert not box
    put(box, subject, b"u1")
    box.reserve()
    box.put_reply(b"r1")
    put(box, subject, b"u2")
    assert box
    assert box.take() == [b"u1", b"r1", b"u2"]
    assert not box and box.take() == []


def test_a_take_stops_at_its_size_but_always_brings_something() -> None:
    box = outbox()
    for number in range(4):
        put(box, Subject(), b"%d" % number * 100)
    assert [len(box.take(150)), len(box.take(1)), len(box.take(150))] == [2, 1, 1]


def test_past_the_bound_of_messages_updates_collapse_to_the_latest_and_say_so() -> None:
    box, one, other = outbox(messages=2), Late(), Late()
    for number in range(6):
        text = b"one %d" % number
        put(box, one, text, text)
    put(box, other, b"other", b"other")
    assert drain(box) == [b"one 0", b"one 1", b"one 5 after a loss", b"other"]
    assert box.collapsed == 3
    assert (box.full_messages, box.full_bytes) == (1, 0), "one time, however much it lasts"
    put(box, one, b"one 6")
    put(box, one, b"one 7")
    assert box.full_messages == 1
    put(box, one, b"one 8")
    assert box.full_messages == 2


def test_past_the_bound_of_bytes_updates_collapse_too() -> None:
    box, one = outbox(size=10), Late()
    for text in (b"0123456789", b"late", b"later"):
        put(box, one, text, text)
    assert drain(box) == [b"0123456789", b"later after a loss"]


def test_an_update_that_only_waited_is_not_flagged() -> None:
    box, one = outbox(messages=1), Late()
    put(box, one, b"1", b"1")
    put(box, one, b"2", b"2")
    assert drain(box) == [b"1", b"2"]
    assert box.collapsed == 0


def test_after_a_loss_was_told_the_next_update_is_plain_again() -> None:
    box, one = outbox(messages=1), Late()
    for text in (b"1", b"2", b"3"):
        put(box, one, text, text)
    assert drain(box) == [b"1", b"3 after a loss"]
    put(box, one, b"4", b"4")
    assert drain(box) == [b"4"]


def test_what_waits_keeps_no_frame_that_can_be_made_again() -> None:
    box, subjects = outbox(size=10), [Late() for _ in range(50)]
    for text in (b"0123456789", b"0", b"1"):
        for subject in subjects:
            put(box, subject, text, text)
    assert sum(len(each.frame or b"") for each in box._waiting.values()) == 0
    assert len(box.take(30)) == 1 + 20, "its size is known all the same"
    assert drain(box)[-1] == b"1 after a loss"


def test_a_loss_without_a_flagged_form_sends_the_latest_as_it_is() -> None:
    box, one = outbox(messages=0), Late()
    put(box, one, b"1")
    put(box, one, b"2")
    assert drain(box) == [b"2"]


def test_replies_are_never_dropped_however_full_the_queue_is() -> None:
    box, one = outbox(messages=1), Late()
    expected = []
    for number in range(50):
        assert box.reserve()
        put(box, one, b"u%d" % number)
        box.put_reply(b"r%d" % number)
        expected.append(b"r%d" % number)
    assert [frame for frame in drain(box) if frame.startswith(b"r")] == expected


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("put take".split())), max_size=60),
    st.integers(0, 4),
)
def test_whatever_happens_a_subjects_updates_rise_the_last_one_arrives_and_gaps_are_flagged(
    steps: Any, bound: int
) -> None:
    box = outbox(messages=bound)
    subjects = [Late() for _ in range(4)]
    numbers, taken = [0] * 4, []
    for which, step in steps:
        if step == "take":
            taken += box.take(1)
            continue
        numbers[which] += 1
        text = b"%d %d" % (which, numbers[which])
        put(box, subjects[which], text, text)
    taken += drain(box)
    last = [0] * 4
    for frame in taken:
        which, number, *lost = frame.split()
        expected = last[int(which)] + 1
        assert (int(number) > expected) == bool(lost)
        assert int(number) >= expected
        last[int(which)] = int(number)
    assert last == numbers


def test_a_withdrawn_subject_sends_what_was_queued_and_nothing_after() -> None:
    box, one = outbox(messages=1), Late()
    put(box, one, b"queued")
    put(box, one, b"waiting")
    box.withdraw(one)
    put(box, one, b"late")
    box.reserve()
    box.put_reply(b"stopped")
    assert drain(box) == [b"queued", b"stopped"]


def test_pongs_go_out_before_everything_else_and_of_too_many_the_latest() -> None:
    box = outbox()
    put(box, Subject(), b"u")
    for number in range(PONGS + 2):
        box.put_pong(b"%d" % number)
    assert box.take() == [b"%d" % number for number in range(2, PONGS + 2)] + [b"u"]


def test_no_pong_is_queued_behind_the_close_frame() -> None:
    box = outbox()
    box.put_pong(b"pong")
    box.finish(b"close")
    box.put_pong(b"late")
    assert drain(box) == [b"pong", b"close"]


def test_what_collapsed_goes_out_before_the_close_frame() -> None:
    box, one = outbox(messages=1), Late()
    for text in (b"1", b"2", b"3"):
        put(box, one, text, text)
    box.finish(b"close")
    assert box.take(1) == [b"1"]
    assert drain(box) == [b"3 after a loss", b"close"]


def test_the_close_frame_comes_last_and_nothing_behind_it() -> None:
    box, one = outbox(), Late()
    put(box, one, b"u")
    assert not box.finished
    assert box.finish(b"close")
    assert box.finished
    put(box, one, b"late")
    box.put_reply(b"late")
    box.put_ping(b"late")
    assert drain(box) == [b"u", b"close"]
    assert not box.finish(b"close again")


def test_a_close_frame_can_take_the_place_of_everything() -> None:
    box, one = outbox(messages=1), Late()
    for _ in range(5):
        put(box, one, b"u")
    box.finish(b"close", discard=True)
    assert drain(box) == [b"close"]


def test_a_closed_outbox_has_nothing_and_takes_nothing() -> None:
    box, one = outbox(messages=1), Late()
    put(box, one, b"1")
    put(box, one, b"2")
    box.close()
    put(box, one, b"3")
    box.put_reply(b"r")
    assert not box
    assert not box.reserve()


class Reserving:
    """A reader that wants to owe one more reply."""

    def __init__(self, box: Outbox, alone: bool = False) -> None:
        self.result: Optional[bool] = None
        self._thread = threading.Thread(target=self._run, args=(box, alone), daemon=True)
        self._thread.start()

    def _run(self, box: Outbox, alone: bool) -> None:
        self.result = box.reserve(alone)

    def waits(self) -> bool:
        self._thread.join(0.05)
        return self._thread.is_alive()

    def end(self) -> Optional[bool]:
        self._thread.join(PATIENCE)
        return self.result


def test_a_reader_waits_while_too_many_replies_are_owed_until_one_is_taken() -> None:
    box = outbox(replies=2)
    assert box.reserve() and box.reserve()
    reader = Reserving(box)
    assert reader.waits()
    box.put_reply(b"r")
    assert reader.waits(), "a reply is owed until it is taken for sending"
    assert box.take() == [b"r"]
    assert reader.end() is True


def test_a_reader_waits_while_too_many_bytes_of_replies_wait_but_not_for_updates() -> None:
    box = outbox(size=10)
    put(box, Subject(), b"x" * 10)
    for _ in range(2):
        assert box.reserve()
        box.put_reply(b"r" * 5)
    reader = Reserving(box)
    assert reader.waits()
    assert box.take(11) == [b"x" * 10, b"r" * 5]
    assert reader.end() is True


def test_a_large_request_is_taken_alone() -> None:
    box = outbox()
    assert box.reserve()
    large = Reserving(box, alone=True)
    assert large.waits()
    box.put_reply(b"small")
    assert box.take() == [b"small"]
    assert large.end() is True
    small = Reserving(box)
    assert small.waits()
    box.put_reply(b"large")
    assert box.take() == [b"large"]
    assert small.end() is True


def test_settling_takes_no_more_requests_and_waits_for_the_replies_to_those_taken() -> None:
    box = outbox(replies=1)
    assert box.settle(0) and not box.reserve()
    box = outbox(replies=1)
    box.reserve()
    waiting = Reserving(box)
    assert waiting.waits()
    assert not box.settle(0)
    assert waiting.end() is False
    putting = threading.Timer(0.05, box.put_reply, (b"r",))
    putting.start()
    assert box.settle(10.0)
    assert drain(box) == [b"r"]
    putting.join()


@pytest.mark.parametrize("end", [Outbox.close, lambda box: box.finish(b"close")])
def test_the_end_of_the_outbox_frees_a_reader_that_waits(end: Any) -> None:
    box = outbox(replies=1)
    box.reserve()
    reader = Reserving(box)
    assert reader.waits()
    end(box)
    assert reader.end() is False


# --- past the queue ----------------------------------------------------------------------------


def updates(*texts: bytes) -> List[Any]:
    return [(Late(), text, text) for text in texts]


def test_updates_pass_by_an_empty_queue() -> None:
    box = outbox(messages=0)
    assert box.pass_by(updates(b"1", b"2"), 100) == [b"1", b"2"]
    assert not box


def test_of_updates_that_pass_by_no_more_than_asked_for_and_the_rest_is_bounded() -> None:
    box, one = outbox(messages=1), Late()
    many = [(one, b"%d" % number, b"%d" % number) for number in range(6)]
    assert box.pass_by(many, 2) == [b"0", b"1"]
    assert drain(box) == [b"2", b"5 after a loss"]


def test_a_withdrawn_subject_does_not_pass_by() -> None:
    box, ((gone, text, again), other) = outbox(), updates(b"gone", b"other")
    box.withdraw(gone)
    assert box.pass_by([(gone, text, again), other], 100) == [b"other"]
    assert box.pass_by([(gone, text, again)], 100) == []


@pytest.mark.parametrize(
    "before",
    [
        lambda box: put(box, Late(), b"queued"),
        lambda box: box.put_pong(b"pong"),
        lambda box: box.finish(b"close"),
        Outbox.close,
    ],
    ids=["update", "pong", "close frame", "closed"],
)
def test_nothing_passes_by_what_must_go_out_before_it(before: Any) -> None:
    box = outbox()
    before(box)
    assert box.pass_by(updates(b"1"), 100) is None


def test_what_is_delivered_and_not_sent_is_queued_and_the_sender_is_woken() -> None:
    woken: List[int] = []
    sent: List[Any] = []
    box = Outbox(10, 100, 10, lambda: woken.append(1), lambda each: not sent.append(each))
    box.deliver(updates(b"1"))
    assert len(sent) == 1 and not box and not woken
    box = Outbox(10, 100, 10, lambda: woken.append(1), lambda each: False)
    box.deliver(updates(b"2"))
    assert drain(box) == [b"2"] and woken == [1]


def test_what_waited_for_a_client_when_its_connection_ended_is_counted_as_dropped() -> None:
    box, one, other = outbox(messages=2), Subject(), Subject()
    for text in (b"1", b"2", b"3", b"4"):
        put(box, one, text)
    put(box, other, b"5")
    box.put_ping(b"\x89\x00")
    assert (box.depth.queued, box.depth.waiting, box.depth.queued_bytes) == (3, 2, 4)
    assert (box.collapsed, box.dropped) == (1, 0)
    box.close()
    box.close()
    assert box.dropped == 4
    assert box.depth == (0, 0, 0, 0)


def test_a_close_frame_instead_of_everything_drops_it_and_one_behind_everything_only_waits() -> (
    None
):
    for discard, dropped in ((True, 3), (False, 0)):
        box, one = outbox(messages=2), Subject()
        for text in (b"1", b"2", b"3"):
            put(box, one, text)
        box.finish(b"\x88\x00", discard)
        assert box.dropped == dropped
        drain(box)
        box.close()
        assert box.dropped == dropped


def test_frames_that_are_taken_are_counted_late_ones_and_pongs_too() -> None:
    box, one = outbox(messages=1), Late()
    for text in (b"1", b"2", b"3"):
        put(box, one, text, text)
    box.put_pong(b"\x8a\x00")
    assert len(drain(box)) == box.taken == 3


def test_a_large_reply_becomes_a_frame_when_it_is_taken_and_counts_from_the_beginning() -> None:
    box, made = outbox(size=1000), []

    def make() -> bytes:
        made.append(len(made))
        return b"x" * 600

    for _ in range(2):
        assert box.reserve()
        box.put_reply(LargeReply(600, make))
    assert box.is_full and box.depth.queued_bytes == 1200 and not made
    assert box.take(500) == [b"x" * 600]
    assert not box.is_full and len(made) == 1
    box.reserve()
    box.put_reply(b"r")
    assert box.take() == [b"x" * 600, b"r"]
    box.reserve()
    box.put_reply(LargeReply(600, make))
    box.close()
    assert box.dropped == 1 and len(made) == 2
