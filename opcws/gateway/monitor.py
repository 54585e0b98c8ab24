"""Monitors: one of a client, the table of all of a client, and what the relay has of a variable."""

from typing import Any, Dict, List, Optional, Tuple

from ..wire import messages
from ..wire.frames import text_frame
from ..wire.notifications import Notification, overflowed
from .outbox import Outbox, Subject


class Monitor(Subject):
    """One monitor of one client: (connection, ClientHandle, Variable).

    *min_interval* is in seconds, 0 for every change.
    """

    __slots__ = (
        *("outbox", "variable", "handle", "dialect", "min_interval", "relay"),
        *("due", "held", "queued", "extra"),
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
        self.held: Optional[Notification] = None
        self.queued = False
        #: Told in turns, see :class:`Extras`.
        self.extra = False

    def flagged(self, update: Notification) -> bytes:
        return self.frame(overflowed(update))

    def frame(self, update: Notification) -> bytes:
        """The message that tells this client of *update*."""
        layout, row, origin = update
        prefix = messages.update_prefix(self.handle, self.variable, self.dialect)
        return text_frame(messages.update(prefix, layout.members[self.dialect](row, origin)))

    def again(self, relay: Any) -> "Monitor":
        """Another object for the same monitor, at *relay*."""
        other = Monitor(
            self.outbox, self.variable, self.handle, self.dialect, self.min_interval, relay
        )
        other.extra = self.extra
        return other


#: Monitors of one client beside the first of each variable from which on they are told in turns.
MANY_HANDLES = 64

#: Type of the ClientHandle, ClientHandle, variable: 1, true and 1.0 are different handles.
MonitorKey = Tuple[type, Any, str]


class Monitors(Dict[MonitorKey, Monitor]):
    """The monitors of a client, found by variable in no more time than there are of it: a client
    may hold 100,000, and stop them one by one from under handles that are not theirs."""

    def __init__(self) -> None:
        super().__init__()
        # In the order of their start.
        self._of: Dict[str, Dict[MonitorKey, None]] = {}

    def of(self, variable: str) -> List[MonitorKey]:
        """The keys of the monitors of *variable*, in the order of their start."""
        return list(self._of.get(variable, ()))

    def is_extra(self, variable: str) -> bool:
        """Whether one more of *variable* is told in turns: it is monitored already, and so are
        many others more than once."""
        return variable in self._of and len(self) - len(self._of) >= MANY_HANDLES

    def __setitem__(self, key: MonitorKey, monitor: Monitor) -> None:
        super().__setitem__(key, monitor)
        self._of.setdefault(key[2], {})[key] = None

    def __delitem__(self, key: MonitorKey) -> None:
        super().__delitem__(key)
        keys = self._of[key[2]]
        del keys[key]
        if not keys:
            del self._of[key[2]]

    # The one form that is used; that of dict would pass __delitem__ by.
    def pop(self, key: MonitorKey) -> Monitor:  # type: ignore[override]
        monitor = self[key]
        del self[key]
        return monitor

    def clear(self) -> None:
        super().clear()
        self._of.clear()


class Group:
    """The monitors that get the same bytes; *late* is the value that waits until the relay has time
    for them, *lost* whether there was another before it."""

    __slots__ = ("prefix", "dialect", "monitors", "late", "lost", "queued")

    def __init__(self, prefix: str, dialect: str) -> None:
        self.prefix = prefix
        self.dialect = dialect
        self.monitors: Dict[Monitor, None] = {}  # in the order of their start
        self.late: Optional[Notification] = None
        self.lost = False
        #: Whether the relay knows that something waits.
        self.queued = False


class Extras:
    """The monitors of one client beside the first of one variable, where it has very many: each
    value is noted once for all of them, and they are told the latest in turns, with Overflow where
    there was another in between.  So they take nobody else's time."""

    __slots__ = ("monitors", "number", "update", "at_once", "left", "queued")

    def __init__(self) -> None:
        #: The number of the value that each was told last.
        self.monitors: Dict[Monitor, int] = {}
        #: Of the latest value, and itself.
        self.number = 0
        self.update: Optional[Notification] = None
        self.at_once = False
        #: Those whose turn comes in this pass, the next one last; whether the relay knows.
        self.left: List[Monitor] = []
        self.queued = False


class MonitoredVariable:
    """What the relay knows of one monitored variable.  ``last`` and ``outdated`` are read
    from other threads, each in one step; everything else belongs to the relay's thread."""

    __slots__ = (
        *("variable", "handle", "item_id", "subscription", "groups", "extras"),
        *("update", "last", "outdated", "overflowed"),
    )

    def __init__(self, variable: str) -> None:
        self.variable = variable
        self.handle = 0
        self.item_id: Optional[int] = None
        self.subscription = 0
        self.groups: Dict[Tuple[Any, ...], Group] = {}
        self.extras: Dict[Outbox, Extras] = {}
        #: What a monitor that starts now is told first; None while the plant has not said.
        self.update: Optional[Notification] = None
        #: The last value that came from the plant.
        self.last: Optional[Notification] = None
        #: What came until then is no value any more.
        self.outdated = 0.0
        #: Values before the next one were lost on the way to us.
        self.overflowed = False
