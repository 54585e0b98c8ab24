"""The interval after which a waiting thread asks for Python's interpreter lock."""

import sys
import threading
from typing import Iterator

import pytest

from opcws.operations import thread_switching

from ..support import wait_until
from ..support.byte_client import connection_threads, serving, upgraded


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize(
    ("threads", "seconds"), [(20, 0.005), (100, 0.005), (1000, 0.05), (4000, 0.1)]
)
def test_the_more_threads_wait_the_less_often_each_asks(
    monkeypatch: pytest.MonkeyPatch, threads: int, seconds: float
) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: threads)
    thread_switching.adapt()
    assert sys.getswitchinterval() == pytest.approx(seconds)


def test_the_interval_grows_with_the_connections_and_shrinks_when_they_end() -> None:
    with serving(limits={"max_connections_per_address": 400}) as server:
        clients = [upgraded(server) for _ in range(120)]
        assert sys.getswitchinterval() > 0.01
        for client in clients:
            client.sock.close()
        wait_until(lambda: not connection_threads(), "their threads have ended")
        with upgraded(server).sock:
            assert sys.getswitchinterval() == pytest.approx(0.005)
