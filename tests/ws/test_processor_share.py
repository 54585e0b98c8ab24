"""What clients send costs them their own part of the processor, and nobody else's."""

import threading
import time
from typing import Dict, List

import pytest

from opcws.ws import processor_share
from opcws.ws.processor_share import (
    BLINK_S,
    BURST_ALL_S,
    BURST_S,
    CROWDED_S,
    LATE_S,
    LEAST_S,
    SHARE,
    ProcessorShare,
    Reader,
)

from ..support import PATIENCE

GOOD, BAD = "203.0.113.7", "203.0.113.66"
QUANTUM_S = 0.001


def _flood(
    share: ProcessorShare,
    readers: Dict[str, int],
    seconds: float,
    light_s: float = 0.0,
    late_s: float = 1.0,
) -> Dict[str, List[float]]:
    """Seconds that each reader of the addresses took, when all take what they can get; each
    address's first one takes no more than *light_s* a second, if that is given.  Who waits wakes
    *late_s* too late.  The clock is the test's own."""
    step = 0.02
    taken = {host: [0.0] * number for host, number in readers.items()}
    until = {host: [0.0] * number for host, number in readers.items()}
    since = {host: [0.0] * number for host, number in readers.items()}
    waiting = {host: [False] * number for host, number in readers.items()}
    for tick in range(int(seconds / step)):
        now = tick * step
        for host, number in readers.items():
            for each in range(number):
                if light_s and each == 0 and now and taken[host][0] / now > light_s:
                    continue
                if now < until[host][each]:
                    continue
                if waiting[host][each]:
                    share.waited(host, now, late_s)
                    since[host][each] = now
                    waiting[host][each] = False
                taken[host][each] += QUANTUM_S
                wait = share.take(host, (host, each), QUANTUM_S, since[host][each], now)
                since[host][each] = now
                if wait:
                    waiting[host][each] = True
                    until[host][each] = now + wait
    return taken


def test_however_many_flood_they_take_no_more_than_the_share_and_each_its_part() -> None:
    taken = _flood(ProcessorShare(), {BAD: 200}, 60)[BAD]
    assert sum(taken) <= BURST_S + 60 * SHARE * 1.2 + 200 * QUANTUM_S
    assert sum(taken) >= 60 * SHARE * 0.5
    assert max(taken) <= 2 * min(taken)


def test_while_nobody_has_to_wait_nobody_pays() -> None:
    taken = _flood(ProcessorShare(), {BAD: 10}, 60, late_s=LATE_S / 2)[BAD]
    assert sum(taken) >= 0.95 * 10 * 60 / 0.02 * QUANTUM_S, "all that they asked for"


def test_when_others_have_to_wait_they_pay_until_all_is_well_again() -> None:
    share = ProcessorShare()
    share.take(BAD, "first", 2 * BURST_S, 0.0, 0.0)
    share.waited(BAD, 0.0, 2 * LATE_S)
    assert share.take(BAD, "first", 2 * BURST_S, 0.1, 0.1) > BLINK_S
    share.waited(BAD, 1.3)
    later = CROWDED_S + 2
    assert share.take(BAD, "first", 2 * BURST_S, later, later) == BLINK_S, "one looks"
    assert share.take(BAD, "second", 2 * BURST_S, later, later) == 0.0
    share.waited(BAD, later, 0.0)
    assert share.take(BAD, "first", 2 * BURST_S, later, later + 0.01) == 0.0


def test_an_address_that_takes_less_than_the_share_waits_for_nothing() -> None:
    share = ProcessorShare()
    _flood(share, {BAD: 50}, 5)
    for tick in range(1000):
        assert share.take(GOOD, "reader", 0.002, 5 + tick * 0.01, 5 + tick * 0.01) == 0.0


def test_a_connection_that_takes_less_than_its_part_waits_for_nothing_beside_a_flood() -> None:
    """Of 10 at the same address, one takes a hundredth of its part."""
    part = SHARE / 10
    light, *greedy = _flood(ProcessorShare(), {BAD: 10}, 60, light_s=part / 100)[BAD]
    assert light == pytest.approx(60 * part / 100, abs=2 * QUANTUM_S)
    assert sum(greedy) >= 60 * SHARE * 0.5


def test_addresses_that_flood_divide_the_share_whatever_they_have_connections() -> None:
    taken = _flood(ProcessorShare(), {BAD: 90, GOOD: 10}, 60)
    crowd, few = sum(taken[BAD]), sum(taken[GOOD])
    assert crowd + few <= 2 * BURST_S + 60 * SHARE * 1.2 + 100 * QUANTUM_S
    assert 0.5 < crowd / few < 2


@pytest.mark.parametrize("number", [20, 100, 1000])
def test_many_addresses_take_no_more_than_the_share_together_though_each_takes_less(
    number: int,
) -> None:
    crowd = {"203.0.%d.%d" % divmod(each, 256): 1 for each in range(number)}
    taken = _flood(ProcessorShare(), crowd, 60)
    each = [took for (took,) in taken.values()]
    alone = 60 / 0.02 * QUANTUM_S
    assert alone / 60 < SHARE, "by itself each would wait for nothing"
    most = BURST_ALL_S + number * max(BURST_S / number, LEAST_S) + 60 * SHARE * 1.2
    assert sum(each) <= most + number * QUANTUM_S
    assert sum(each) >= min(60 * SHARE * 0.5, number * alone)
    assert max(each) <= 2 * min(each) + 10 * QUANTUM_S


def test_beside_many_addresses_who_takes_less_than_its_part_waits_for_nothing() -> None:
    share = ProcessorShare()
    crowd = {"198.51.100.%d" % each: 1 for each in range(200)}
    _flood(share, crowd, 10)
    assert share.take(BAD, "reader", 10 * LEAST_S, 10.0, 10.0) > 0, "they are too many"
    part = SHARE / 201
    assert share.take(GOOD, "first", 0.8 * LEAST_S, 10.0, 10.0) == 0.0, "its opening handshake"
    for second in range(11, 60):
        assert share.take(GOOD, "first", 0.8 * part, second - 1.0, float(second)) == 0.0


def test_so_many_addresses_are_remembered_and_none_that_waits_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor_share, "MAX_ADDRESSES", 100)
    share = ProcessorShare()
    assert share.take(BAD, "reader", 10.0, 0.0, 0.0) > 0
    for number in range(1000):
        share.take("2001:db8:0:%x::/64" % number, "reader", 0.001, 0.0, 0.0)
    share.waited(BAD, 1.0)
    for number in range(1000):
        share.take("2001:db8:1:%x::/64" % number, "reader", 0.001, 0.0, 0.0)
    assert len(share._addresses) == 100


def test_what_a_thread_works_is_counted_and_who_is_gone_does_not_wait() -> None:
    share, found = ProcessorShare(), []

    def work() -> None:
        reader = Reader(share)
        reader.host = BAD
        found.append(reader.begin())
        threading.Event().wait(0.01)
        found.append(reader.look())
        now = time.monotonic()
        share.take(BAD, "late", 10.0, now, now)
        share.waited(BAD, now, 2 * LATE_S)
        for number in range(5000):  # the more they are, the longer is the wait
            share.take(BAD, number, BURST_S, now, now)
        until = time.thread_time() + 10 * QUANTUM_S
        while time.thread_time() < until:
            pass
        found.append(reader.look())
        reader.gone.set()
        reader.wait(found[-1] + 10 * PATIENCE)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert found[:2] == [0.0, 0.0]
    assert found[2] > 0


def test_who_waits_beside_a_crowd_waits_less_when_the_crowd_has_gone() -> None:
    share, now = ProcessorShare(), time.monotonic()
    share.take(BAD, "first", 2 * BURST_S, now, now)
    share.waited(BAD, now, 2 * LATE_S)
    for number in range(1000):
        assert share.take(BAD, number, BURST_S, now, now) > 0
    reader = Reader(share)
    reader.host = BAD
    wait = reader._take(1.0)
    assert wait > 10 * PATIENCE
    thread = threading.Thread(target=reader.wait, args=(wait,), daemon=True)
    thread.start()
    for _ in range(1000):
        share.waited(BAD, time.monotonic())
    thread.join(PATIENCE)
    assert not thread.is_alive()
