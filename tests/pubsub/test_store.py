"""Messages that wait for a broker: in order, bounded, and through the end of the process."""

from pathlib import Path
from typing import List, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcws.pubsub.backlog import MOST, Backlog
from opcws.pubsub.message import Message
from opcws.pubsub.store import LEAST_BYTES, Store

ROOM = 2**20


def message(number: int, size: int = 0) -> Message:
    return Message("t/%d" % number, b"%d" % number + b" " * size, True, 7, "ua-data")


def numbers(store: Store) -> List[int]:
    found = []
    for each in iter(store.read, None):
        found.append(int(each.payload))
    return found


def test_messages_come_back_as_they_were_in_order_and_late(tmp_path: Path) -> None:
    store = Store(str(tmp_path), ROOM)
    for number in range(5):
        store.append(message(number).delayed())
    assert store.waiting == 5 and not store.empty
    first = store.read()
    assert first is not None
    assert first._replace(token=0) == message(0)._replace(retain=False, late=True)
    assert numbers(store) == [1, 2, 3, 4]
    assert store.read() is None
    store.close()


def test_what_is_not_done_with_is_there_after_a_restart(tmp_path: Path) -> None:
    store = Store(str(tmp_path), ROOM)
    for number in range(5):
        store.append(message(number))
    read = [store.read() for _ in range(3)]
    for each in (read[0], read[2]):  # of the second nobody has heard
        assert each is not None
        store.done(each.token)
    store.close()
    store = Store(str(tmp_path), ROOM)
    store.append(message(5))
    assert store.waiting == 5
    assert numbers(store) == [1, 2, 3, 4, 5]
    store.close()


def test_when_all_is_done_with_nothing_is_left_on_the_disk(tmp_path: Path) -> None:
    store = Store(str(tmp_path), ROOM)
    for number in range(3):
        store.append(message(number))
    for each in iter(store.read, None):
        store.done(each.token)
    assert store.empty and store.bytes == 0
    assert [path.name for path in tmp_path.iterdir()] == ["position"]
    store.append(message(3))
    assert numbers(store) == [3]
    store.close()


def test_beyond_its_size_the_oldest_are_dropped_and_counted(tmp_path: Path) -> None:
    store = Store(str(tmp_path), 4 * LEAST_BYTES)
    for number in range(100):
        store.append(message(number, 10_000))
    assert store.bytes <= 4 * LEAST_BYTES
    kept = numbers(store)
    assert kept == list(range(store.dropped, 100)) and 10 < len(kept) < 30
    assert store.lost_topics == {"t/%d" % number for number in range(store.dropped)}
    store.close()


def test_what_the_power_cut_short_ends_its_file(tmp_path: Path) -> None:
    store = Store(str(tmp_path), ROOM)
    for number in range(3):
        store.append(message(number))
    store.close()
    (path,) = tmp_path.glob("*.messages")
    path.write_bytes(path.read_bytes()[:-1])
    store = Store(str(tmp_path), ROOM)
    store.append(message(9))
    assert numbers(store) == [0, 1, 9]
    store.close()


@given(st.lists(st.sampled_from("adrRo"), max_size=60))
@settings(max_examples=60, deadline=None)
def test_whatever_happens_each_message_comes_until_it_is_done_with(
    tmp_path_factory: pytest.TempPathFactory, steps: List[str]
) -> None:
    """Against a list: append, done with the oldest that was read, read, rewind, reopen."""
    directory = str(tmp_path_factory.mktemp("store"))
    store = Store(directory, ROOM)
    waiting: List[int] = []
    begun: List[Message] = []
    made = 0
    for step in steps:
        if step == "a":
            store.append(message(made))
            waiting.append(made)
            made += 1
        elif step == "r":
            read = store.read()
            expected = waiting[len(begun)] if len(begun) < len(waiting) else None
            assert (None if read is None else int(read.payload)) == expected
            begun += [] if read is None else [read]
        elif step == "d" and begun:
            store.done(begun.pop(0).token)
            waiting.pop(0)
        elif step == "R":
            store.rewind()
            begun = []
        elif step == "o":
            store.close()
            store = Store(directory, ROOM)
            begun = []
        assert store.waiting == len(waiting) - len(begun)
        assert store.empty == (not waiting)
    store.close()


# --- with what waits in memory -------------------------------------------------------------------


class Broker:
    """Takes what a backlog has, as far as it is open, and confirms the oldest."""

    def __init__(self, backlog: Backlog) -> None:
        self.backlog = backlog
        self.sent: List[Message] = []
        self.has: List[Message] = []

    def take(self) -> Optional[Message]:
        taken = self.backlog.take()
        if taken is not None:
            self.sent.append(taken)
        return taken

    def confirm(self) -> None:
        if self.sent:
            self.has.append(self.sent.pop(0))
            self.backlog.confirmed(self.has[-1])

    def vanish(self) -> None:
        self.backlog.closed(self.sent)
        self.sent = []


@pytest.mark.parametrize("with_store", [True, False])
@given(st.lists(st.sampled_from("pptccvo"), max_size=80))
@settings(max_examples=60, deadline=None)
def test_a_broker_that_comes_and_goes_gets_everything_in_order(
    tmp_path_factory: pytest.TempPathFactory, with_store: bool, steps: List[str]
) -> None:
    backlog = Backlog(lambda: None)
    store = Store(str(tmp_path_factory.mktemp("store")), ROOM) if with_store else None
    backlog.use(store)
    broker, made, is_open = Broker(backlog), 0, False
    for step in steps:
        if step == "p":
            backlog.put([message(made)])
            made += 1
        elif step == "o" and not is_open:
            is_open = True
            backlog.opened()
        elif step == "t" and is_open:
            broker.take()
        elif step == "c" and is_open:
            broker.confirm()
        elif step == "v" and is_open:
            is_open = False
            broker.vanish()
    backlog.opened()
    while broker.take():
        pass
    while broker.sent:
        broker.confirm()
    assert [int(each.payload) for each in broker.has] == list(range(made))
    assert backlog.dropped == 0 and backlog.waiting == 0 and backlog.live
    backlog.use(None)


def test_who_is_too_slow_for_the_memory_gets_the_rest_from_the_store(tmp_path: Path) -> None:
    backlog = Backlog(lambda: None)
    backlog.use(Store(str(tmp_path), 16 * ROOM))
    backlog.opened()
    backlog.put([message(number) for number in range(MOST + 50)])
    broker = Broker(backlog)
    for _ in range(10):
        broker.take()
    broker.vanish()
    backlog.put([message(MOST + 50)])
    backlog.opened()
    while broker.take():
        broker.confirm()
    assert [int(each.payload) for each in broker.has] == list(range(MOST + 51))
    assert all(each.late and not each.retain for each in broker.has)
    backlog.use(None)


def test_a_value_alone_says_that_it_is_late_and_that_others_are_missing() -> None:
    raw = Message("t", b'{"Value":1}', True, marks=True)
    assert raw.delayed().payload == b'{"Value":1,"Late":true}'
    assert raw.behind_a_loss().payload == b'{"Value":1,"Lost":true}'
    backlog = Backlog(lambda: None)
    backlog.opened()
    backlog.put([raw] * (MOST + 1))
    assert backlog.dropped == 1
    while backlog.take():
        pass
    backlog.put([raw, raw])
    told = [backlog.take(), backlog.take()]
    assert [each and each.payload for each in told] == [b'{"Value":1,"Lost":true}', raw.payload]


class Full(Store):
    """On a disk that is full, or not."""

    full = True

    def append(self, message: Message) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super().append(message)


def test_a_disk_that_cannot_be_written_costs_messages_and_nothing_else(tmp_path: Path) -> None:
    backlog = Backlog(lambda: None)
    store = Full(str(tmp_path), ROOM)
    backlog.use(store)
    backlog.put([message(1)])
    assert backlog.dropped == 1 and backlog.failure is not None
    assert "No space left on device; make room" in backlog.failure
    store.full = False
    backlog.put([message(2)])
    backlog.opened()
    assert backlog.failure is None and backlog.waiting == 1
    backlog.use(None)
