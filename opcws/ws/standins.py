"""What simple-websocket is given in the place of a thread, an event and a socket."""

from typing import Callable


class Pump:
    """Stands in for ``threading.Thread``: runs simple-websocket's loop on the caller's."""

    name = ""

    def __call__(self, target: Callable[[], None]) -> "Pump":
        self.run = target
        return self

    def start(self) -> None:
        """The loop is run by the reader, with :attr:`run`."""


class Signal:
    """Stands in for ``threading.Event``: nobody waits for it."""

    def set(self) -> None:
        pass

    def clear(self) -> None:
        pass


class Socket:
    """Stands in for the socket: asks *receive*, and gives what is sent to *sent*."""

    def __init__(self, receive: Callable[[int], bytes], sent: Callable[[bytes], None]) -> None:
        self.recv = receive
        self.sent = sent

    def send(self, data: bytes) -> int:
        self.sent(data)
        return len(data)

    def close(self) -> None:
        """simple-websocket closes before everything is flushed: not here."""
