"""At most one collector is active, whatever the network, the broker and the collectors do."""

import random
from typing import Dict, List, NamedTuple, Optional, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcws.pubsub.lease import LEAVE_S, SLOWER, Lease, Watch
from opcws.pubsub.network_messages import DISABLED, ERROR, OPERATIONAL, PRE_OPERATIONAL

LEASE_S = 2.0


class Clock:
    def __init__(self, speed: float = 1.0) -> None:
        self.now = 100.0
        self.speed = speed

    def __call__(self) -> float:
        return self.now


class Sent(NamedTuple):
    """A packet on its way, of a connection that begins or that has *status_at*."""

    due: float
    node: int
    connection: int
    status_at: Optional[float]
    to_broker: bool


class Network:
    """Collectors that do what they like, a broker that keeps the rule of MQTT, and packets that
    take their time or never come."""

    def __init__(self, rng: random.Random, nodes: int) -> None:
        self.rng = rng
        self.clocks = [Clock(rng.uniform(0.96, 1.04)) for _ in range(nodes)]
        self.leases = [Lease(LEASE_S, clock) for clock in self.clocks]
        self.connections: Dict[int, int] = {}
        self.made = 0
        self.holder: Optional[Tuple[int, int]] = None
        self.packets: List[Sent] = []
        self.now = 0.0
        self.was_active = [0] * nodes

    def send(self, node: int, status_at: Optional[float], to_broker: bool = True) -> None:
        if self.rng.random() < 0.1:
            return  # lost with its connection
        delay = self.rng.choice([0.001, 0.01, 0.3, 1.5, 4.0])
        connection = self.connections.get(node, 0)
        self.packets.append(Sent(self.now + delay, node, connection, status_at, to_broker))

    def arrive(self, packet: Sent) -> None:
        who = (packet.node, packet.connection)
        if packet.to_broker:
            if packet.status_at is None:
                before, self.holder = self.holder, who
                if before is not None and self.rng.random() < 0.5:
                    self.told(before)  # that it was ended; or it is not told
            elif self.holder != who:
                return  # its connection has ended
            self.packets.append(packet._replace(due=self.now + 0.01, to_broker=False))
        elif self.connections.get(packet.node) == packet.connection:
            if packet.status_at is None:
                self.leases[packet.node].taken()
            else:
                self.leases[packet.node].confirmed(packet.status_at)

    def told(self, who: Tuple[int, int]) -> None:
        node, connection = who
        if self.connections.get(node) == connection:
            del self.connections[node]
            self.leases[node].lost()

    def step(self) -> None:
        node = self.rng.randrange(len(self.leases))
        what = self.rng.random()
        if what < 0.06:
            self.made += 1
            self.connections[node] = self.made
            self.send(node, None)
        elif what < 0.08:
            self.holder = None  # the broker begins anew
        elif node in self.connections:
            self.send(node, self.clocks[node]())
        seconds = self.rng.choice([0.0, 0.01, 0.1, 0.4])
        until = self.now + seconds
        while self.packets:
            packet = min(self.packets, key=lambda each: each.due)
            if packet.due > until:
                break
            self.packets.remove(packet)
            self.pass_to(max(packet.due, self.now))
            self.arrive(packet)
            self.judge()
        self.pass_to(until)
        self.judge()

    def pass_to(self, moment: float) -> None:
        for clock in self.clocks:
            clock.now += (moment - self.now) * clock.speed
        self.now = moment

    def judge(self) -> None:
        active = [number for number, lease in enumerate(self.leases) if lease.held]
        for number in active:
            self.was_active[number] += 1
        assert len(active) <= 1, active


@given(st.integers(0, 2**32), st.integers(2, 4))
@settings(max_examples=300)
def test_two_are_never_active(seed: int, nodes: int) -> None:
    network = Network(random.Random(seed), nodes)
    for _ in range(300):
        network.step()


def test_the_network_of_these_tests_lets_each_be_active() -> None:
    network = Network(random.Random(7), 3)
    for _ in range(20_000):
        network.step()
    assert all(network.was_active)


def test_the_first_holder_waits_and_is_active_once_a_status_is_confirmed() -> None:
    clock = Clock()
    lease = Lease(LEASE_S, clock)
    lease.taken()
    began = clock.now
    clock.now += 1.0
    lease.confirmed(clock.now)
    assert not lease.held and lease.pause_s == LEASE_S / 4
    clock.now = began + SLOWER * LEASE_S + LEAVE_S - 0.1
    assert lease.pause_s == pytest.approx(0.1)  # the status that counts is told at once
    clock.now += 0.1
    assert not lease.held
    lease.confirmed(clock.now)
    assert lease.held
    clock.now += LEASE_S
    assert not lease.held


def test_a_holder_that_is_back_within_its_lease_goes_on() -> None:
    clock = Clock()
    lease = Lease(LEASE_S, clock)
    lease.taken()
    clock.now += 10.0
    lease.confirmed(clock.now)
    clock.now += LEASE_S / 2
    lease.taken()
    assert lease.held
    clock.now += LEASE_S
    lease.taken()  # too late
    lease.confirmed(clock.now)
    assert not lease.held


def test_what_was_sent_within_the_wait_counts_for_nothing() -> None:
    clock = Clock()
    lease = Lease(LEASE_S, clock)
    lease.taken()
    clock.now += SLOWER * LEASE_S + LEAVE_S
    lease.confirmed(clock.now - 0.01)
    assert not lease.held


def test_a_holder_that_was_replaced_is_none() -> None:
    clock = Clock()
    lease = Lease(LEASE_S, clock)
    lease.taken()
    clock.now += 10.0
    lease.confirmed(clock.now)
    lease.lost()
    assert not lease.held
    lease.confirmed(clock.now)
    assert not lease.held


@pytest.mark.parametrize("state", [DISABLED, ERROR])
def test_who_has_left_is_replaced_at_once_but_not_by_one_that_it_replaced(state: int) -> None:
    clock = Clock()
    patient, kicked = Watch(LEASE_S, False, clock), Watch(LEASE_S, True, clock)
    for watch in (patient, kicked):
        watch.heard(state, True)
    assert patient.is_free and not kicked.is_free


@pytest.mark.parametrize("state", [OPERATIONAL, PRE_OPERATIONAL])
def test_who_works_is_not_replaced_until_it_is_silent(state: int) -> None:
    clock = Clock()
    watch = Watch(LEASE_S, False, clock)
    watch.heard(ERROR, True)
    for _ in range(10):
        clock.now += LEASE_S
        watch.heard(state, False)
        assert not watch.is_free
    watch.heard(state, True)  # which the broker has kept, from whenever
    clock.now += 2 * LEASE_S
    assert watch.is_free


def test_silence_from_the_beginning_frees_too() -> None:
    clock = Clock()
    watch = Watch(LEASE_S, False, clock)
    assert not watch.is_free
    clock.now += 2 * LEASE_S
    assert watch.is_free
