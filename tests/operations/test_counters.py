"""Limits that were hit are counted, each hit once."""

import threading

import pytest

from opcws.operations.counters import LIMITS, Counters


def test_every_limit_is_there_from_the_start() -> None:
    assert Counters().snapshot() == dict.fromkeys(LIMITS, 0)


def test_a_hit_counts_for_its_limit_only() -> None:
    counters = Counters()
    counters.hit("monitors")
    counters.hit("monitors", 2)
    assert {name: n for name, n in counters.snapshot().items() if n} == {"monitors": 3}


def test_a_limit_that_is_not_known_is_a_defect() -> None:
    with pytest.raises(KeyError):
        Counters().hit("patience")


def test_hits_from_many_threads_are_all_counted() -> None:
    counters = Counters()
    threads = [
        threading.Thread(target=lambda: [counters.hit("max_depth") for _ in range(2000)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters.snapshot()["max_depth"] == 16000


def test_what_a_source_tells_stays_when_it_ends_and_is_counted_once() -> None:
    counters = Counters()
    told = {"outbox_bytes": 1}

    def source() -> "dict[str, int]":
        return told

    counters.watch(source)
    told["outbox_bytes"] = 5
    assert counters.snapshot()["outbox_bytes"] == 5
    counters.fold(source)
    counters.fold(source)
    assert counters.snapshot()["outbox_bytes"] == 5
    told["outbox_bytes"] = 9
    assert counters.snapshot()["outbox_bytes"] == 5


def test_a_snapshot_is_a_copy() -> None:
    counters = Counters()
    counters.snapshot()["monitors"] = 7
    assert counters.snapshot()["monitors"] == 0
