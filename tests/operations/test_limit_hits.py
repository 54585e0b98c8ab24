"""Limits that were hit are counted, each hit once."""

import threading

import pytest

from opcws.operations.limit_hits import LIMITS, LimitHits


def test_every_limit_is_there_from_the_start() -> None:
    assert LimitHits().snapshot() == dict.fromkeys(LIMITS, 0)


def test_a_hit_counts_for_its_limit_only() -> None:
    limit_hits = LimitHits()
    limit_hits.hit("monitors")
    limit_hits.hit("monitors", 2)
    assert {name: n for name, n in limit_hits.snapshot().items() if n} == {"monitors": 3}


def test_a_limit_that_is_not_known_is_a_defect() -> None:
    with pytest.raises(KeyError):
        LimitHits().hit("patience")


def test_hits_from_many_threads_are_all_counted() -> None:
    limit_hits = LimitHits()
    threads = [
        threading.Thread(target=lambda: [limit_hits.hit("max_depth") for _ in range(2000)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limit_hits.snapshot()["max_depth"] == 16000


def test_what_a_source_tells_stays_when_it_ends_and_is_counted_once() -> None:
    limit_hits = LimitHits()
    told = {"outbox_bytes": 1}

    def source() -> "dict[str, int]":
        return told

    limit_hits.watch(source)
    told["outbox_bytes"] = 5
    assert limit_hits.snapshot()["outbox_bytes"] == 5
    limit_hits.fold(source)
    limit_hits.fold(source)
    assert limit_hits.snapshot()["outbox_bytes"] == 5
    told["outbox_bytes"] = 9
    assert limit_hits.snapshot()["outbox_bytes"] == 5


def test_a_snapshot_is_a_copy() -> None:
    limit_hits = LimitHits()
    limit_hits.snapshot()["monitors"] = 7
    assert limit_hits.snapshot()["monitors"] == 0
