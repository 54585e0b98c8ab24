"""The framing's socket, closed while somebody waits for it."""

import socket
import threading
from typing import Any, Callable, Iterator, List, Tuple

import pytest
from opcua.ua.uaerrors import UaError

from opcws.ua.channel import framing
from opcws.ua.channel.framing import Incoming, PlantSocket, _Outgoing


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket whose peer says and takes nothing.  To close it wakes nobody, as to shut it down
    does not on Windows."""
    monkeypatch.setattr(framing, "SLICE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _address = listener.accept()
    with ours, theirs:
        yield ours


def test_the_receiver_ends_when_the_socket_is_closed_on_windows_too(frozen: socket.socket) -> None:
    reasons: List[str] = []
    receiver = PlantSocket(1.0, _Plain(), "opcws-ua-x-rx", reasons.append)
    receiver.attach(frozen)
    frozen.close()
    receiver._thread.join(10.0)
    assert not receiver.receiving and reasons == ["the OPC UA server closed the connection"]


class _Plain:
    def __getattr__(self, name: str) -> Any:
        return 0


@pytest.mark.parametrize(
    ("what", "ends_with"),
    [
        (lambda sock: _Outgoing(sock).write(bytes(64 * 1024 * 1024)), OSError),
        (lambda sock: Incoming(sock).chunk(), UaError),
    ],
)
def test_who_sends_or_receives_is_freed_when_the_socket_is_closed(
    frozen: socket.socket, what: Callable[[socket.socket], Any], ends_with: Any
) -> None:
    ended: List[Tuple[object, ...]] = []
    frozen.settimeout(framing.SLICE_S)

    def run() -> None:
        with pytest.raises(ends_with):
            what(frozen)
        ended.append(())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(0.2)  # it has begun, or begins with a closed socket, which ends alike
    frozen.close()
    thread.join(10.0)
    assert ended


def test_a_large_message_goes_out_whole_in_slices() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        data = bytes(range(256)) * 4096
        thread = threading.Thread(target=_Outgoing(ours).write, args=(data,))
        thread.start()
        came = b""
        while len(came) < len(data):
            came += theirs.recv(65536)
        thread.join(10.0)
        assert came == data and not thread.is_alive()
