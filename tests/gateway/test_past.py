"""What monitors missed is told first: history from a source that is a list, without OPC UA."""

import json
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, Union

import pytest
from wsproto.frame_protocol import FrameProtocol

from opcws.config.settings import Variable
from opcws.gateway import monitor as monitors
from opcws.gateway import past
from opcws.gateway.monitor import Monitor
from opcws.gateway.past import HistoryPast, Pasts
from opcws.gateway.plant_interface import HistoryPage, HistoryQuery
from opcws.model.data_types import DOUBLE, NULL_NODE_ID, DataValue, Variant
from opcws.model.errors import PlantError, ServiceError
from opcws.wire.values_to_json import STRING, TYPED

from .test_relay import Client, Plant

GOOD, OVERFLOW = 0, 0x480
NOT_CONNECTED = 0x808A0000


def at(number: int, value: Optional[float] = None, status: int = GOOD) -> DataValue:
    """The value *number*, which became so at the tick *number*."""
    return DataValue(Variant(DOUBLE, float(number) if value is None else value), status, number)


class Source:
    """A HistorySource that answers when it is told to."""

    def __init__(self, *values: DataValue, page: int = 1000) -> None:
        self.values = list(values)
        self.page = page
        self.asked: List[Tuple[HistoryQuery, Callable[[Any], None]]] = []
        self.released: List[Any] = []
        self.problem: Optional[ServiceError] = None

    def history(
        self,
        query: HistoryQuery,
        owner: Any,
        done: Callable[[Union[HistoryPage, ServiceError]], None],
    ) -> None:
        if self.problem is not None:
            raise self.problem
        self.asked.append((query, done))

    def release_history(self, continuation_point: Any) -> None:
        self.released.append(continuation_point)

    def answer(self, problem: Optional[ServiceError] = None) -> None:
        """One page of the oldest question."""
        query, done = self.asked.pop(0)
        if problem is not None:
            done(problem)
            return
        assert query.start > query.end, "newest first"
        found = [each for each in reversed(self.values) if each.moment >= query.end]
        first: Any = query.continuation_point or 0
        last = first + min(self.page, query.max_values)
        done(HistoryPage(found[first:last], last if last < len(found) else None))


class WithPast(Client):
    """A client whose monitors have a past."""

    def __init__(self, plant: Plant, source: Source, most: int = 100, dialect: str = TYPED) -> None:
        super().__init__(plant, dialect)
        self.closed = False
        self.source = source
        self.exact = False
        self.pasts = Pasts(self, most)

    def start(
        self,
        variable: str = "a",
        since: Optional[int] = None,
        backfill: bool = False,
        min_interval: float = 0.0,
    ) -> Monitor:
        monitor = Monitor(self.outbox, variable, "m", self._dialect, min_interval)
        of = Variable(variable, "plant", NULL_NODE_ID)
        monitor.past = HistoryPast(self.pasts, self.source, of, since, backfill, self.exact)
        self._plant.relay.begin(monitor)
        self._plant.sync()
        return monitor

    def answer(self, problem: Optional[ServiceError] = None) -> None:
        self.source.answer(problem)
        self._plant.sync()

    def bodies(self) -> List[Dict[str, Any]]:
        reader = FrameProtocol(client=True, extensions=[])
        reader.receive_bytes(b"".join(self.frames()))
        bodies, text = [], ""
        for frame in reader.received_frames():
            text += frame.payload
            if frame.message_finished:
                bodies.append(json.loads(text)["Body"])
                text = ""
        return bodies

    def told(self) -> List[Any]:
        """The numbers that were told: those of history negative, with a text for what is flagged
        or Bad."""
        told: List[Any] = []
        for body in self.bodies():
            number = body.get("Value", {}).get("Body", 0)
            status = int(body.get("Status", 0))
            if body.get("Historical") in (True, "true"):
                number = -number
            told.append({GOOD: number}.get(status, "%g %s" % (number, body.get("Symbol"))))
        return told


@pytest.fixture
def plant() -> Iterator[Plant]:
    plant = Plant()
    plant.relay.start()
    yield plant
    plant.relay.stop(5.0)


def connected(plant: Plant, *changes: DataValue) -> None:
    """The plant, connected, with an item of ``a`` that told *changes*."""
    Client(plant).monitor("a", "other")
    plant.connect()
    plant.accept("a")
    for change in changes:
        plant.publish(("a", change))


def test_the_past_comes_first_in_order_and_then_what_is_live(plant: Plant) -> None:
    connected(plant, at(1), at(2), at(3))
    client = WithPast(plant, Source(at(1), at(2), at(3)))
    client.start(since=1)
    plant.publish(("a", at(4)))
    assert client.told() == [], "nothing before the past"
    woken = client.woken
    client.answer()
    assert client.woken > woken, "somebody sends it"
    assert client.told() == [-2, 3, 4], "the present value is not of the past"
    plant.publish(("a", at(5)))
    assert client.told() == [5]


def test_what_is_in_history_and_live_is_told_once(plant: Plant) -> None:
    connected(plant, at(1))
    source = Source(at(1))
    client = WithPast(plant, source)
    client.start(since=0)
    for number in (2, 3, 4):
        plant.publish(("a", at(number)))
    source.values += [at(2), at(3)]  # the plant's history had them when it was asked
    client.answer()
    assert client.told() == [1, 2, 3, 4], "the present value, and what came behind it"


def test_what_comes_live_late_and_was_in_history_is_told_once(plant: Plant) -> None:
    plant.connect()
    client = WithPast(plant, Source(*map(at, range(1, 5))))
    client.start(since=1)  # a new item: its first value is on its way
    client.answer()
    plant.accept("a")
    for number in (2, 3, 4, 5):
        plant.publish(("a", at(number)))
    assert client.told() == [2, 3, 4, 5]
    plant.publish(("a", at(4)))  # the clock of the source has jumped
    assert client.told() == [4]


def test_the_last_of_the_past_comes_before_what_is_newer(plant: Plant) -> None:
    plant.connect()
    client = WithPast(plant, Source(at(2), at(3)))
    client.start(since=1)
    client.answer()
    assert client.told() == [], "nobody knows yet how far back the past is"
    plant.accept("a")
    plant.publish(("a", at(4)))
    assert client.told() == [-2, -3, 4]


def test_the_last_of_the_past_is_told_before_the_plant_is_gone(plant: Plant) -> None:
    plant.connect()
    client = WithPast(plant, Source(at(2), at(3)))
    client.start(since=1)
    client.answer()
    plant.relay.lost(plant.link, "unplugged")
    plant.sync()
    assert client.told() == [-2, -3, "0 BadNotConnected"]


def test_a_clock_that_jumps_back_hides_nothing(plant: Plant) -> None:
    connected(plant, at(9))
    client = WithPast(plant, Source(at(9)))
    client.start(since=9)
    client.answer()
    for number in (3, 4, 5):
        plant.publish(("a", at(number)))
    assert client.told() == [9, 3, 4, 5]


def test_nan_is_told_once_too(plant: Plant) -> None:
    connected(plant, at(1))
    client = WithPast(plant, Source(at(1), at(2, float("nan"))))
    client.start(since=0)
    plant.publish(("a", at(2, float("nan"))))
    client.answer()
    assert [body["SourceTimestamp"][-9:] for body in client.bodies()] == [".0000001Z", ".0000002Z"]


def test_two_values_of_one_moment_are_two(plant: Plant) -> None:
    connected(plant, at(1), at(2, 20.0), at(2, 21.0))
    client = WithPast(plant, Source(at(1), at(2, 20.0), at(2, 21.0)))
    client.start(since=1)
    client.answer()
    assert client.told() == [-20, 21]


def test_what_history_has_behind_the_present_value_comes_live_or_not_at_all(plant: Plant) -> None:
    connected(plant, at(2))
    client = WithPast(plant, Source(*map(at, range(1, 6))))
    client.start(since=0)
    client.answer()
    plant.publish(("a", at(4)))
    assert client.told() == [-1, 2, 4], "in order, and nothing comes from both"


def test_what_was_recorded_is_told_as_it_came(plant: Plant) -> None:
    connected(plant, at(3))  # the clock of the source has jumped back
    gap = DataValue(None, NOT_CONNECTED, 9)
    client = WithPast(plant, Source(at(7), at(8), gap, at(9, 3.0, 0x402)))
    client.exact = True
    client.start(since=6)
    client.answer()
    assert client.told() == [-7, -8, "0 BadNotConnected", "-3 Good", 3]


@pytest.mark.parametrize("exact", [False, True])
def test_what_comes_while_the_past_is_read_is_told_once(plant: Plant, exact: bool) -> None:
    connected(plant, at(2))
    client = WithPast(plant, Source(*map(at, range(1, 5))))
    client.exact = exact
    client.start(since=0)
    plant.publish(("a", at(3)))
    plant.publish(("a", at(4)))
    client.answer()
    assert client.told() == [-1, 2, 3, 4]


@pytest.mark.parametrize("exact", [False, True])
def test_what_a_plant_that_comes_back_tells_while_the_past_is_read_is_told_once(
    plant: Plant, exact: bool
) -> None:
    connected(plant, at(2))
    plant.relay.lost(plant.link, "unplugged")
    gap = [DataValue(None, NOT_CONNECTED, 3)] if exact else []
    client = WithPast(plant, Source(at(1), at(2), *gap, at(4), at(5)))
    client.exact = exact
    client.start(since=1)
    plant.connect()
    plant.accept("a")
    plant.publish(("a", at(4)))
    plant.publish(("a", at(5)))
    client.answer()
    told = [each for each in client.told() if each != "0 BadNotConnected"]
    assert told == [-2, "2 BadNotConnected", 4, 5]


def test_the_present_value_alone_is_told_if_nothing_changed_since(plant: Plant) -> None:
    connected(plant, at(1), at(2))
    client = WithPast(plant, Source(at(1), at(2)))
    client.start(since=2)
    client.answer()
    assert client.told() == [2]
    plant.publish(("a", at(3)))
    assert client.told() == [3]


def test_that_the_plant_is_away_is_told_behind_the_past(plant: Plant) -> None:
    connected(plant, at(1), at(2))
    plant.relay.lost(plant.link, "unplugged")
    client = WithPast(plant, Source(at(1), at(2)))
    client.start(since=1)
    client.answer()
    assert client.told() == [-2, "2 BadNotConnected"]


def test_of_too_many_the_newest_are_told_and_the_first_has_overflow(plant: Plant) -> None:
    connected(plant, at(9))
    client = WithPast(plant, Source(*map(at, range(1, 10)), page=2), most=3)
    client.start(since=1)
    client.answer()
    client.answer()
    assert not client.source.asked, "no more is read than told"
    assert client.told() == ["-7 Good", -8, 9]
    assert client.source.released


def test_as_many_as_may_be_told_have_no_overflow(plant: Plant) -> None:
    connected(plant, at(9))
    client = WithPast(plant, Source(at(7), at(8), at(9)), most=3)
    client.start(since=1)
    client.answer()
    assert client.told() == [-7, -8, 9]


def test_what_cannot_be_had_is_overflow_of_the_next(plant: Plant) -> None:
    connected(plant, at(1), at(2))
    client = WithPast(plant, Source())
    client.start(since=1)
    client.answer(PlantError("broken", "BadHistoryOperationUnsupported"))
    assert client.told() == ["2 Good"]
    assert not client.told()
    client.source.problem = PlantError("not connected", "BadNotConnected")
    client.start("b", since=1)  # nothing is known of it yet
    assert client.told() == []
    plant.accept("b")
    plant.publish(("b", at(5)))
    plant.publish(("b", at(6)))
    assert client.told() == ["5 Good", 6]


def test_half_a_past_is_told_with_overflow(plant: Plant) -> None:
    connected(plant, at(9))
    client = WithPast(plant, Source(*map(at, range(1, 10)), page=4))
    client.start(since=1)
    client.answer()
    client.answer(PlantError("too late", "BadTimeout"))
    assert client.told() == ["-6 Good", -7, -8, 9]


def test_more_live_values_than_are_held_are_overflow(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitors, "MOST_HELD", 2)
    connected(plant, at(1))
    client = WithPast(plant, Source(at(1)))
    client.start(since=1)
    for number in range(2, 7):
        plant.publish(("a", at(number)))
    client.answer()
    assert client.told() == ["5 Good", 6]


def test_pages_are_made_when_they_are_sent_and_not_for_one_that_ended(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "PAGE", 2)
    connected(plant, at(5))
    client = WithPast(plant, Source(*map(at, range(1, 6))))
    monitor = client.start(since=1)
    client.answer()
    assert client.outbox.depth.queued == 3
    client.stop(monitor)
    plant.publish(("a", at(6)))
    assert client.told() == [5], "which was made already"


def test_the_past_never_gives_way(plant: Plant) -> None:
    connected(plant, at(2000))
    client = WithPast(plant, Source(*map(at, range(1, 2001)), page=5000), most=5000)
    client.start(since=0)
    for number in range(2001, 3101):  # more than the outbox has room for
        plant.publish(("a", at(number)))
    client.answer()
    told = client.told()
    assert told[:1999] == [-number for number in range(1, 2000)]
    assert told[1999:2001] == [2000, 2001]
    assert told[-1] == "3100 Good", "live values give way as ever"


def test_pasts_of_a_client_are_read_one_after_another_while_they_are_taken(plant: Plant) -> None:
    connected(plant, at(8))
    client = WithPast(plant, Source(*map(at, range(1, 8))), most=9)
    names = "abcdefgh"
    for name in names:
        client.start(name, since=1)
    answers = 0
    while client.source.asked:
        assert len(client.source.asked) == 1
        client.answer()
        answers += 1
    assert 2 <= answers <= 4, "the others wait until these are taken"
    told = client.told()
    plant.accept(*names[1:])
    for name in names[1:]:
        while client.source.asked:
            client.answer()
        plant.publish((name, at(8)))
        told += client.told()
    assert told.count(-2) == told.count(-6) == len(names)


def test_the_past_of_a_monitor_that_ended_is_not_read(plant: Plant) -> None:
    connected(plant, at(3))
    client = WithPast(plant, Source(at(1), at(2), at(3)))
    for _ in range(50):
        client.stop(client.start(since=1))
    assert len(client.source.asked) == 1, "the first, which had begun"
    client.start(since=1)
    client.answer()
    assert len(client.source.asked) == 1, "and the last"
    client.answer()
    assert not client.source.asked
    assert client.told() == [-2, 3]


def test_what_was_read_for_one_who_ended_waits_for_nobody(plant: Plant) -> None:
    connected(plant, at(1))
    one, two = [WithPast(plant, Source(*map(at, range(1, 5))), most=2) for _ in range(2)]
    for _ in range(3):
        first, second = one.start(backfill=True), two.start(backfill=True)
        again(plant)
        plant.relay.status("connected", "2026-01-01T00:00:00Z", None)
        plant.sync()
        one.stop(first)  # the other asks, too
        one.answer()
        two.answer()
        plant.publish(("a", at(1)))
        for client in (one, two):
            client.told()
        two.stop(second)
    for client in (one, two):
        client.start("b", since=1)
        assert client.source.asked, "nothing waits to be taken"


def test_a_client_that_left_is_not_answered(plant: Plant) -> None:
    connected(plant, at(3))
    client = WithPast(plant, Source(at(1), at(2), at(3), page=1))
    monitor = client.start(since=0)
    client.closed = True
    client.stop(monitor)
    client.answer()
    assert client.source.released and not client.source.asked
    assert client.told() == []


def test_the_string_dialect_says_it_in_a_string(plant: Plant) -> None:
    connected(plant, at(2))
    client = WithPast(plant, Source(at(1), at(2)), dialect=STRING)
    client.start(since=0)
    client.answer()
    assert [body.get("Historical") for body in client.bodies()] == ["true", None]


def test_min_interval_is_for_what_is_live(plant: Plant) -> None:
    connected(plant, at(2))
    client = WithPast(plant, Source(at(1), at(2)))
    client.start(since=0, min_interval=3600.0)
    plant.publish(("a", at(3)))
    plant.publish(("a", at(4)))
    client.answer()
    assert client.told() == [-1, 2], "the others wait for their time"


# --- when the plant comes back ------------------------------------------------------------------


def again(plant: Plant) -> None:
    """The plant has been away, and is back."""
    plant.relay.lost(plant.link, "unplugged")
    plant.connect()
    plant.accept("a")


def test_what_was_missed_while_the_plant_was_away_comes_before_what_is_live(plant: Plant) -> None:
    connected(plant, at(1))
    one, two = WithPast(plant, Source(*map(at, range(1, 5)))), WithPast(plant, Source())
    plain = Client(plant)
    one.start(backfill=True)
    two.start(backfill=True)
    plain.monitor("a")
    again(plant)
    plant.publish(("a", at(4)))
    plant.publish(("a", at(5)))
    assert one.told() == [1, "1 BadNotConnected"]
    assert not one.source.asked, "the server is not to be asked yet"
    plant.relay.status("connected", "2026-01-01T00:00:00Z", None)
    plant.sync()
    assert not two.source.asked, "once for all"
    one.answer()
    assert [each for each in one.told() if each] == [-2, -3, 4, 5]
    assert [each for each in two.told() if each][-4:] == [-2, -3, 4, 5]
    assert [each for each in plain.numbers() if each] == [1, 1, 4, 5]


def test_that_the_plant_was_away_is_not_told_as_history(plant: Plant) -> None:
    connected(plant, at(1))
    client = WithPast(plant, Source(at(1), DataValue(None, NOT_CONNECTED, 2), at(3)))
    client.start(backfill=True)
    client.told()
    again(plant)
    plant.relay.status("connected", "2026-01-01T00:00:00Z", None)
    plant.sync()
    client.answer()
    plant.publish(("a", at(4)))
    assert [each for each in client.told() if each][-3:] == ["1 BadNotConnected", -3, 4]


def test_another_asks_if_the_one_who_asked_leaves(plant: Plant) -> None:
    connected(plant, at(1))
    source = Source(at(1), at(2))
    one, two = WithPast(plant, source), WithPast(plant, source)
    first = one.start(backfill=True)
    two.start(backfill=True)
    again(plant)
    plant.relay.status("connected", "2026-01-01T00:00:00Z", None)
    plant.sync()
    one.closed = True
    one.stop(first)
    two.told()
    source.asked.pop(0)
    two.answer()
    plant.publish(("a", at(3)))
    assert two.told() == [-2, 3]


def test_a_plant_that_goes_again_at_once_is_told(plant: Plant) -> None:
    connected(plant, at(1))
    client = WithPast(plant, Source(at(1)))
    client.start(backfill=True)
    plant.relay.lost(plant.link, "unplugged")
    plant.connect()
    client.told()
    plant.relay.lost(plant.link, "unplugged")
    plant.sync()
    assert client.told() == ["1 BadNotConnected"]
    again(plant)
    plant.relay.status("connected", "2026-01-01T00:00:00Z", None)
    plant.sync()
    client.source.values.append(at(2))
    client.answer()
    plant.publish(("a", at(2)))
    assert [each for each in client.told() if each][-1] == 2


# --- the recorder -------------------------------------------------------------------------------


def test_what_is_recorded_is_handed_over_once_and_in_order(plant: Plant) -> None:
    taken: List[Tuple[Any, DataValue]] = []

    def take(recorded: List[Any]) -> None:
        taken.extend((series, layout.data_value(row)) for series, (layout, row, _) in recorded)

    plant.connect()
    series = "A"
    plant.relay.record({"a": series}, take)
    plant.sync()
    plant.accept("a")
    for number in (1, 2):
        plant.publish(("a", at(number)))
    plant.relay.lost(plant.link, "unplugged")
    plant.connect()
    plant.accept("a")
    plant.publish(("a", at(3)))
    assert [value.status for _series, value in taken] == [0, 0, NOT_CONNECTED, 0]
    assert {series for series, _value in taken} == {"A"}
    loss = taken[2][1]
    assert loss.value is None and loss.source_timestamp > 10**17
    plant.relay.record({"a": series}, take)
    plant.sync()
    assert len(taken) == 4, "it goes on, and nothing new came"
    plant.relay.record({"a": "B"}, take)
    plant.sync()
    assert taken[4:] == [("B", at(3))], "another recording begins with what stands there"
    plant.relay.record({}, take)
    plant.sync()
    assert plant.deleted == [plant.handle("a") + 1000], "nobody wants it any more"


def test_what_is_recorded_has_reached_the_recorder_before_a_past_is_read(plant: Plant) -> None:
    taken: List[Any] = []
    plant.connect()
    plant.relay.record({"a": "A"}, taken.extend)
    plant.sync()
    plant.accept("a")
    seen: List[int] = []

    class Looks(Source):
        def history(self, query: HistoryQuery, owner: Any, done: Any) -> None:
            seen.append(len(taken))
            super().history(query, owner, done)

    client = WithPast(plant, Looks())
    plant.publish(("a", at(1)))
    before = len(taken)
    client.start(since=0)
    assert seen == [before] and before == 1
