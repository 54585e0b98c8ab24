"""Receive the answers to service calls, in place of the library's ``Future``.

The receiver gives each its body, by ``set_result``, or says by ``cancel`` that the connection
broke.
"""

import threading
from typing import Any, Callable, Optional


class Answer:
    """Receives the answer to one request, for one waiting thread.

    It replaces the library's ``Future``, whose condition costs more than the whole transport of a
    small response.
    """

    __slots__ = ("_arrived", "body", "request_handle")

    #: Whether the socket keeps it after its timeout.
    kept = False

    def __init__(self) -> None:
        # Held until the answer arrives.
        self._arrived = threading.Lock()
        self._arrived.acquire()
        self.body: Optional[Any] = None

    def set_result(self, body: Any) -> None:
        self.body = body
        self._arrived.release()

    def cancel(self) -> None:
        self._arrived.release()

    def wait(self, timeout: float) -> Any:
        """The body; ``None`` if the connection broke.  Raises :exc:`TimeoutError`."""
        if not self._arrived.acquire(timeout=timeout):
            raise TimeoutError
        return self.body


class PublishAnswer:
    """Replaces a ``Future`` for a publish response."""

    __slots__ = ("_arrived", "request_handle")

    def __init__(self, arrived: Callable[[Any], None]) -> None:
        self._arrived = arrived

    def set_result(self, body: Any) -> None:
        self._arrived(body)

    def cancel(self) -> None:
        pass


class AbandonableAnswer:
    """An :class:`Answer` for several calls in sequence that can be given up.

    Then *late* gets a body that still comes, on the receiver's thread, to release what the OPC UA
    server keeps for it.
    """

    #: The socket keeps this one after its timeout.
    kept = True

    def __init__(self, late: Callable[[Any], None]) -> None:
        self._late = late
        self.request_handle = 0
        self.given_up = False
        # Guards given_up, _settled and _body.
        self._changed = threading.Condition()
        self._settled = False
        self._body: Optional[Any] = None

    def set_result(self, body: Any) -> None:
        with self._changed:
            if not self.given_up:
                self._settle(body)
                return
        self._late(body)

    def cancel(self) -> None:
        with self._changed:
            self._settle(None)

    def give_up(self) -> None:
        """Stop waiting; from any thread, also before the call."""
        with self._changed:
            if not self._settled:
                self.given_up = True
                self._changed.notify_all()

    def wait(self, timeout: float) -> Any:
        """The body; ``None`` if the connection broke or the call was given up.

        Raises :exc:`TimeoutError`, and the call is given up then.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._settled or self.given_up, timeout):
                self.given_up = True
                raise TimeoutError
            body, self._body = self._body, None
            self._settled = False
            return body

    def _settle(self, body: Any) -> None:
        self._settled = True
        self._body = body
        self._changed.notify_all()
