"""Monitors of ``opcws.client`` that go on after a lost connection, against a server that is
written down."""

from typing import Any, Dict, List, Tuple

import pytest

from opcws.client import Client, Monitor, Value, values
from opcws.client import client as client_module

from ...support import PATIENCE
from ...support.remembering import RememberingServer, data_value

Told = Tuple[str, float, str, bool]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "RETRY_MIN_S", 0.0)


def at(second: float) -> str:
    """A time of the wire; with as many digits as it needs."""
    return "2026-11-22T10:00:%s" % ("%010.7f" % second).rstrip("0").rstrip(".") + "Z"


def seen(monitor: Monitor, count: int) -> List[Told]:
    """The next *count* values: name, value, what is wrong, whether it is of the past."""
    found: List[Value] = []
    while len(found) < count:
        value = monitor.next(PATIENCE)
        assert value is not None, "only %s came" % found
        found.append(value)
    return [(each.name, each.value, each.symbol, each.historical) for each in found]


def test_what_was_missed_comes_in_order_and_marked_before_what_is_live() -> None:
    with RememberingServer() as server, Client(server.url, timeout_s=PATIENCE) as client:
        server.change(data_value("a", 1, at(1)))
        with client.monitor(["a"]) as monitor:
            assert seen(monitor, 1) == [("a", 1.0, "Good", False)]
            server.change(data_value("a", 2, at(2)))
            assert seen(monitor, 1) == [("a", 2.0, "Good", False)]
            for number in (3, 4, 5):
                server.miss(data_value("a", number, at(number)))
            server.cut()
            assert seen(monitor, 4) == [
                ("a", 2.0, "BadNotConnected", False),
                ("a", 3.0, "Good", True),
                ("a", 4.0, "Good", True),
                ("a", 5.0, "Good", False),
            ]
            server.change(data_value("a", 6, at(6)))
            assert seen(monitor, 1) == [("a", 6.0, "Good", False)]
    assert server.asked == [
        {"Variables": ["a"]},
        {"Variables": ["a"], "Since": "2026-11-22T10:00:01.9999999Z"},
    ]


def test_where_nothing_changed_the_last_value_ends_the_loss() -> None:
    with RememberingServer() as server, Client(server.url, timeout_s=PATIENCE) as client:
        server.change(data_value("a", 1, at(1)))
        with client.monitor(["a"]) as monitor:
            seen(monitor, 1)
            for _ in range(2):
                server.cut()
                assert seen(monitor, 2) == [
                    ("a", 1.0, "BadNotConnected", False),
                    ("a", 1.0, "Good", False),
                ]


def test_of_values_of_one_time_those_that_had_not_come_are_told_and_the_others_not() -> None:
    with RememberingServer() as server, Client(server.url, timeout_s=PATIENCE) as client:
        server.change(data_value("a", 1, at(1)))
        with client.monitor(["a"]) as monitor:
            server.change(data_value("a", 2, at(1)))
            seen(monitor, 2)
            server.miss(data_value("a", 3, at(1)))
            server.miss(data_value("a", 2, at(1), Status=0x80000000, Symbol="Bad"))
            server.miss(data_value("a", 4, at(1)))
            server.cut()
            assert seen(monitor, 4)[1:] == [
                ("a", 3.0, "Good", True),
                ("a", 2.0, "Bad", True),
                ("a", 4.0, "Good", False),
            ]


def test_a_gap_in_what_was_recorded_is_told_once_and_hides_nothing() -> None:
    gap = {"Variable": "a", "Status": 0x808A0000, "Symbol": "BadNotConnected"}
    with RememberingServer() as server, Client(server.url, timeout_s=PATIENCE) as client:
        server.change(data_value("a", 1, at(1)))
        with client.monitor(["a"]) as monitor:
            seen(monitor, 1)
            server.miss({**gap, "SourceTimestamp": at(1.5)})
            server.miss(data_value("a", 2, at(2)))
            server.cut()
            told = [each[1:] for each in seen(monitor, 3)[1:]]
            assert told == [(None, "BadNotConnected", True), (2.0, "Good", False)]
            # By the clock of opcws, which is ahead of the plant's.
            server.change({**gap, "SourceTimestamp": at(40)})
            assert seen(monitor, 1) == [("a", None, "BadNotConnected", False)]
            server.miss(data_value("a", 3, at(3)))
            server.miss(data_value("a", 4, at(4)))
            server.cut()
            told = [each[1:] for each in seen(monitor, 3)[1:]]
            assert told == [(3.0, "Good", True), (4.0, "Good", False)]


def test_variables_are_asked_for_since_their_own_last_update_in_few_requests() -> None:
    names = ["v%d" % number for number in range(60)]
    with RememberingServer() as server, Client(server.url, timeout_s=PATIENCE) as client:
        # Of very different ages: to the second, each its own.
        for number, name in enumerate(names):
            server.change(
                data_value(name, 0, "2026-11-%02dT10:00:%02dZ" % (1 + number // 3, number))
            )
        server.change(data_value("fresh", 1, at(1)))
        with client.monitor([*names, "fresh"]) as monitor:
            seen(monitor, 61)
            for number in range(2, 5):
                server.change(data_value("fresh", number, at(number)))
            seen(monitor, 3)
            server.miss(data_value("fresh", 5, at(5)))
            for known in monitor._known.values():  # as if the old ones had come long ago
                assert known.heard_at is not None
                known.heard_at -= 0 if known.time > at(0) else 40 * 86400
            server.cut()
            told = seen(monitor, 122)[61:]
    assert sorted(name for name, _, _, _ in told) == sorted([*names, "fresh"])
    assert ("fresh", 5.0, "Good", False) in told and not any(past for _, _, _, past in told)
    assert len(server.asked) < 6, "a few requests"
    assert server.asked[-1] == {"Variables": ["fresh"], "Since": "2026-11-22T10:00:03.9999999Z"}


def test_an_opcws_that_is_too_old_is_asked_as_ever() -> None:
    for contract, refused in (("1.1", 1), (None, 0)):
        with RememberingServer(contract, old=True) as server:
            server.change(data_value("a", 1, at(1)))
            server.change(data_value("b", 1, at(40)))
            with Client(server.url, timeout_s=PATIENCE) as client:
                with client.monitor(["a", "b"], since=at(0), backfill=True) as monitor:
                    assert len(seen(monitor, 2)) == 2
                    server.miss(data_value("a", 2, at(2)))
                    server.cut()
                    told = seen(monitor, 4)[2:]
            assert ("a", 2.0, "Good", False) in told and ("b", 1.0, "Good", False) in told
            new = [each for each in server.asked if {"Since", "Backfill"} & set(each)]
            assert len(new) == 2 * refused, "once on each connection"


def test_a_monitor_begins_with_what_changed_since_a_time() -> None:
    with RememberingServer() as server, Client(server.url, timeout_s=PATIENCE) as client:
        for number in range(1, 5):
            server.change(data_value("a", number, at(number)))
        with client.monitor(["a"], since=at(2), backfill=True) as monitor:
            assert [value for _, value, _, _ in seen(monitor, 2)] == [3.0, 4.0]
    assert server.asked == [{"Variables": ["a"], "Since": at(2), "Backfill": True}]


def test_who_may_not_know_the_past_goes_on_without_it() -> None:
    server = RememberingServer(secret=["a"])
    with server, Client(server.url, timeout_s=PATIENCE) as client:
        for name in ("a", "b"):
            server.change(data_value(name, 1, at(1)))
        with client.monitor(["a", "b"]) as monitor:
            seen(monitor, 2)
            for name in ("a", "b"):
                server.miss(data_value(name, 2, at(2)))
                server.miss(data_value(name, 3, at(3)))
            server.cut()
            assert sorted(seen(monitor, 5)[2:]) == [
                ("a", 3.0, "Good", False),
                ("b", 2.0, "Good", True),
                ("b", 3.0, "Good", False),
            ]
        with client.monitor(["a"], since=at(0)) as monitor:
            value = monitor.next(PATIENCE)
            assert value is not None, "who asks for it is told"
            assert value.symbol == "BadUserAccessDenied" and value.reason == "no history"


@pytest.mark.parametrize("options", [{"resume": False}, {"min_interval_ms": 100}])
def test_who_wants_the_latest_alone_gets_no_past(options: Dict[str, Any]) -> None:
    with RememberingServer() as server, Client(server.url, timeout_s=PATIENCE) as client:
        server.change(data_value("a", 1, at(1)))
        with client.monitor(["a"], **options) as monitor:
            seen(monitor, 1)
            server.miss(data_value("a", 2, at(2)))
            server.miss(data_value("a", 3, at(3)))
            server.cut()
            assert [value for _, value, _, _ in seen(monitor, 2)] == [1.0, 3.0]
    assert not any("Since" in each for each in server.asked)


def test_a_plant_without_a_clock_is_asked_as_ever() -> None:
    none = "1601-01-01T00:00:00Z"
    with RememberingServer() as server, Client(server.url, timeout_s=PATIENCE) as client:
        server.change(data_value("a", 1, none))
        with client.monitor(["a"]) as monitor:
            seen(monitor, 1)
            server.miss(data_value("a", 2, none))
            server.cut()
            assert [value for _, value, _, _ in seen(monitor, 2)] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("time", "before"),
    [
        ("2026-11-22T10:00:00", "2026-11-22T09:59:59.9999999Z"),
        ("2026-11-22T10:00:00.5", "2026-11-22T10:00:00.4999999Z"),
        ("2026-11-22T10:00:00.0000001", "2026-11-22T10:00:00.0000000Z"),
        ("2000-03-01T00:00:00", "2000-02-29T23:59:59.9999999Z"),
    ],
)
def test_just_before_a_time_is_100_nanoseconds_before_it(time: str, before: str) -> None:
    assert values.just_before(time) == before
