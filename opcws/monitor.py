"""One monitor of one client, as the gateway starts it and the relay feeds it."""

from typing import Any

from .outbox import Outbox, Subject


class Monitor(Subject):
    """One monitor of one client: (connection, ClientHandle, Variable).

    *min_interval* is in seconds, 0 for every change.
    """

    __slots__ = (
        *("outbox", "variable", "handle", "dialect", "min_interval", "relay"),
        *("due", "held", "queued"),
    )

    def __init__(
        self,
        outbox: Outbox,
        variable: str,
        handle: Any,
        dialect: str,
        min_interval: float,
        relay: Any = None,
    ) -> None:
        super().__init__()
        self.outbox = outbox
        self.variable = variable
        self.handle = handle
        self.dialect = dialect
        self.min_interval = min_interval
        #: The relay that it is, or is about to be, begun at; None while it sleeps.
        self.relay = relay
        # Of the relay's thread: when the next update may go out, the value that waits for
        # that moment, and whether the timer knows of it.
        self.due = 0.0
        self.held: Any = None
        self.queued = False

    def again(self, relay: Any) -> "Monitor":
        """Another object for the same monitor, at *relay*."""
        return Monitor(
            self.outbox, self.variable, self.handle, self.dialect, self.min_interval, relay
        )
