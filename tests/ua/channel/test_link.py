"""One generation of the connection, against the real plant and against servers that are none."""

import os
import socket
import sys
import time
from concurrent.futures import CancelledError
from typing import Any, Callable, Iterator, List

import pytest

from opcws.config.settings import Server
from opcws.model.data_types import NodeId
from opcws.model.deadline import Deadline
from opcws.model.errors import PlantError
from opcws.ua.channel.framing import PlantSocket
from opcws.ua.channel.link import Link
from opcws.ua.channel.subscription import Events
from opcws.ua.encoding import service_bodies
from opcws.ua.encoding.codec import encode_node_id

from ... import support


class Nothing(Events):
    """Hears what a subscription has to tell."""


def link_to(endpoint: str, **changes: Any) -> Link:
    return Link(Server("plant", endpoint, **changes), 1, Nothing())


def read_state(link: Link) -> None:
    item = service_bodies.read_value_id(encode_node_id(NodeId(0, 2259)))
    link.call(
        service_bodies.READ_REQUEST,
        service_bodies.read_request([item]),
        Deadline(support.PATIENCE),
        "reading",
    )


@pytest.fixture
def open_link(plant: support.PlantProcess) -> Iterator[Link]:
    link = link_to(plant.endpoint)
    link.open(Deadline(support.PATIENCE))
    yield link
    link.close(5.0)


def test_a_server_that_says_nothing_ends_the_attempt_at_the_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = "opc.tcp://127.0.0.1:%d" % silent.getsockname()[1]
        link = link_to(endpoint, request_timeout_ms=60000)
        began = time.monotonic()
        with pytest.raises(PlantError) as caught:
            link.open(Deadline(0.3))
    assert caught.value.status == "BadTimeout"
    assert time.monotonic() - began < 0.3 + support.slack_s()


@pytest.mark.skipif(os.name == "nt", reason="not run: Windows resets where Linux is silent")
def test_an_address_that_never_answers_leaves_time_for_the_next_one(
    plant: support.PlantProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd: List[socket.socket] = []
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(8):  # more than wait to be accepted: the next is not answered at all
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
            crowd.append(waiting)
        tcp = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        found = [(*tcp, full.getsockname()), (*tcp, ("127.0.0.1", plant.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
        link = link_to(plant.endpoint)
        link.open(Deadline(6.0))
        read_state(link)
        link.close(5.0)
    for waiting in crowd:
        waiting.close()


def test_a_link_opens_while_a_thousand_clients_hold_the_low_descriptors(
    plant: support.PlantProcess,
) -> None:
    resource = pytest.importorskip("resource", reason="not run: descriptors are no small numbers")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] != resource.RLIM_INFINITY and limits[1] < 2048:
        pytest.skip("not run: needs 2048 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(2048, limits[0]), limits[1]))
    taken = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while taken[-1] < 1100:
            taken.append(os.dup(taken[0]))
        link = link_to(plant.endpoint)
        link.open(Deadline(support.PATIENCE))
        read_state(link)
        link.close(5.0)
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_call_on_a_dead_link_says_that_nothing_was_sent(open_link: Link) -> None:
    open_link.kill("the cable was pulled")
    with pytest.raises(PlantError) as caught:
        read_state(open_link)
    assert caught.value.status == "BadNotConnected"
    assert caught.value.reason == "the cable was pulled"


@pytest.mark.skipif(
    sys.platform == "win32", reason="shutdown() wakes no thread in select() on Windows"
)
@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("send", read_state),
        ("_send_request", lambda link: link.session.renew(Deadline(support.PATIENCE))),
        ("send_hello", lambda link: link._socket.send_hello(link.server.endpoint)),
    ],
    ids=["a service", "renewing the channel", "Hello"],
)
def test_who_asks_just_when_the_receiver_has_ended_does_not_wait_for_an_answer(
    open_link: Link, monkeypatch: pytest.MonkeyPatch, name: str, ask: Callable[[Link], Any]
) -> None:
    sock, plain, framing = open_link._sock, getattr(PlantSocket, name), open_link._socket
    assert sock is not None and framing is not None

    def late(*arguments: Any, **options: Any) -> Any:
        # The way to the server stays open: what is sent now fails by nothing else.
        sock.shutdown(socket.SHUT_RD)
        framing._thread.join()
        return plain(*arguments, **options)

    monkeypatch.setattr(PlantSocket, name, late)
    with pytest.raises((PlantError, CancelledError)) as raised:
        ask(open_link)
    assert getattr(raised.value, "status", "") != "BadTimeout"
    assert open_link.lost.is_set() and not framing._callbackmap


def test_every_answer_counts_as_a_heartbeat(open_link: Link) -> None:
    open_link.heartbeat_at = 0.0
    read_state(open_link)
    assert open_link.heartbeat_at > 0.0
    open_link.heartbeat_at = 0.0
    open_link.subscriptions.create()
    assert open_link.heartbeat_at > 0.0


def test_a_request_that_fails_is_no_heartbeat(open_link: Link) -> None:
    open_link.heartbeat_at = 0.0
    with pytest.raises(PlantError):
        open_link.call(4711, b"", Deadline(support.PATIENCE), "asking for what no server has")
    assert open_link.heartbeat_at == 0.0
