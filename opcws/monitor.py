"""One monitor of one client, as the gateway starts it and the relay feeds it."""

from typing import Any, Optional

from . import messages
from .frames import text_frame
from .outbox import Outbox, Subject
from .rows import Value, overflowed


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
        self.held: Optional[Value] = None
        self.queued = False

    def flagged(self, update: Value) -> bytes:
        layout, row, origin = update
        return self.frame((*overflowed(layout, row), origin))

    def frame(self, update: Value) -> bytes:
        """The message that tells this client of *update*."""
        layout, row, origin = update
        prefix = messages.update_prefix(self.handle, self.variable, self.dialect)
        return text_frame(messages.update(prefix, layout.members[self.dialect](row, origin)))

    def again(self, relay: Any) -> "Monitor":
        """Another object for the same monitor, at *relay*."""
        return Monitor(
            self.outbox, self.variable, self.handle, self.dialect, self.min_interval, relay
        )
