"""One monitor of one client, as the gateway starts it and the relay feeds it; and what the relay
knows of the variables that are monitored."""

from typing import Any, Dict, Optional, Tuple

from ..wire import messages
from ..wire.frames import text_frame
from ..wire.notifications import Value, overflowed
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


class Group:
    """The monitors that get the same bytes."""

    __slots__ = ("prefix", "dialect", "monitors")

    def __init__(self, prefix: str, dialect: str) -> None:
        self.prefix = prefix
        self.dialect = dialect
        self.monitors: Dict[Monitor, None] = {}  # in the order of their start


class Item:
    """One monitored variable.  ``last`` and ``written`` are read and set from other threads,
    each in one step; everything else belongs to the relay's thread."""

    __slots__ = (
        "variable",
        "handle",
        "item_id",
        "groups",
        "update",
        "last",
        "written",
        "overflowed",
    )

    def __init__(self, variable: str) -> None:
        self.variable = variable
        self.handle = 0
        self.item_id: Optional[int] = None
        self.groups: Dict[Tuple[Any, ...], Group] = {}
        #: What a monitor that starts now is told first; None while the plant has not said.
        self.update: Optional[Value] = None
        #: The last value that came from the plant.
        self.last: Optional[Value] = None
        self.written = 0.0
        #: Values before the next one were lost on the way to us.
        self.overflowed = False
