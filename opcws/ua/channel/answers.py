"""The answers to service calls that may be given up before they come."""

import threading
from typing import Any, Callable, Optional


class AbandonableAnswer:
    """Stands where an :class:`~opcws.ua.channel.framing.Answer` does, for one call after another.

    Once it was given up there is no answer; *late* gets the body that comes all the same, on the
    receiver's thread, so that what the OPC UA server keeps for it can be released.
    """

    #: The socket keeps this one after its time is up.
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
        """Nobody waits any more; from any thread, also before the call."""
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
