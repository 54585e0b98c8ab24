"""A client's socket, waited for."""

import select
import socket
import ssl
import threading
from typing import Callable, Iterator, Optional

import pytest

from opcws.model.deadline import Deadline
from opcws.ws import transport
from opcws.ws.transport import Transport


def test_the_longest_time_that_the_configuration_takes_can_be_waited() -> None:
    """``poll`` counts milliseconds in 31 bits, which is 25 days."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert Transport(ours).wait_writable(4294967.0)


class OfWindows(Transport):
    """There shutting a socket down wakes nobody who waits for it in select()."""

    __slots__ = ("waits",)

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.waits = threading.Event()

    def _wait(self, to_read: bool, timeout: Optional[float]) -> bool:
        self.waits.set()
        return super()._wait(to_read, timeout)

    def _shut_down(self, how: int) -> None:
        pass


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[OfWindows]:
    """A connection whose client says and takes nothing, on a system without poll()."""
    monkeypatch.delattr(select, "poll", raising=False)
    monkeypatch.setattr(transport, "_AT_ONCE", 0)
    monkeypatch.setattr(transport, "SLICE_S", 0.05)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = OfWindows(ours)
        yield connection
        connection.release()


def full(connection: Transport) -> None:
    while connection.write_some(bytes(65536)):
        pass


def tls_handshake(connection: Transport) -> None:
    connection.start_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), Deadline(60.0))


def everything(connection: Transport) -> None:
    full(connection)
    connection.write_all(b"x", Deadline(60.0))


@pytest.mark.parametrize(
    "wait",
    [
        lambda connection: connection.recv(1),
        lambda connection: connection.recv(1, Deadline(60.0)),
        lambda connection: connection.first_byte(Deadline(60.0)),
        lambda connection: connection.drain(Deadline(60.0)),
        tls_handshake,
        everything,
    ],
)
def test_who_waits_for_a_frozen_client_is_freed_on_windows_too(
    frozen: OfWindows, wait: Callable[[Transport], object]
) -> None:
    def run() -> None:
        try:
            wait(frozen)
        except OSError as error:
            assert not isinstance(error, TimeoutError)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert frozen.waits.wait(10.0)
    frozen.shut_down()
    thread.join(10.0)
    assert not thread.is_alive()


def test_a_wait_in_slices_ends_when_something_comes_and_at_its_deadline(frozen: OfWindows) -> None:
    assert frozen._wait(True, 0.0) is False
    assert frozen._wait(True, 0.12) is False
    assert frozen._wait(False, 60.0) is True


def test_who_writes_does_not_wait_for_a_read_of_tls_that_never_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As while KeyUpdates come without an end."""
    monkeypatch.setattr(transport, "END_S", 0.01)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        made = Transport(ours)
        made._sock = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_socket(
            ours, server_side=True, do_handshake_on_connect=False
        )
        made._tls_lock = threading.Lock()
        made._secured = True
        with made._tls_lock:
            made._reading_since = float("inf")
            assert made.write_some(b"x") == 0
            made.end_tls(Deadline(60.0))
            made._reading_since = float("-inf")
            with pytest.raises(OSError, match="brought no data"):
                made.write_some(b"x")
        made._sock.close()
