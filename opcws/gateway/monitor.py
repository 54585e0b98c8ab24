"""Monitors: one monitor, the table of a client's monitors, and the state of a variable in the
relay."""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Protocol, Sequence, Tuple

from ..model import status_codes
from ..model.data_types import DataValue
from ..wire import messages
from ..wire.frames import text_frame
from ..wire.notifications import Notification, overflowed
from .outbox import Outbox, Subject
from .value_source import Present


def _nothing() -> None:
    pass


class Missed(NamedTuple):
    """Past values for a monitor: *values*, oldest first, with indexes into *namespaces*; *lost* if
    more values existed or may have existed; *exact* if it ends where the live values began at the
    request.  *forget* is called once, after they were sent or dropped."""

    values: List[DataValue]
    namespaces: Sequence[str]
    lost: bool
    exact: bool = False
    forget: Callable[[], None] = _nothing


class Past(Protocol):
    """The source of the values that a monitor missed (:mod:`opcws.gateway.past`).

    ``since`` is the time, in ticks, after which its first values come from there; ``None`` for only
    the present value.  ``backfill`` says whether it gets the values missed while the OPC UA server
    was not connected; ``needs_server`` whether only that server has them.
    """

    since: Optional[int]
    backfill: bool
    needs_server: bool

    def fetch(self, since: int, done: Callable[[Missed], None]) -> Callable[[], None]:
        """Call *done* once, on any thread, with the values later than *since*; but not if the
        client has left, or the returned function was called before reading began.  Neither may
        block."""

    def put(self, monitor: "Monitor", missed: Missed) -> None:
        """Put the values into the outbox of *monitor*."""


class Monitor(Subject):
    """One monitor of one client: (connection, ClientHandle, Variable).

    *min_interval* is in seconds, 0 for every change.
    """

    __slots__ = (
        *("outbox", "variable", "handle", "dialect", "min_interval", "relay"),
        *("due", "held", "queued", "extra", "past"),
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
        #: Its relay; None while it sleeps.
        self.relay = relay
        # Of the relay's thread: when the next update may be sent, the value that waits for that,
        # and whether the timer is set.
        self.due = 0.0
        self.held: Optional[Notification] = None
        self.queued = False
        #: Gets its values in turns, see :class:`Extras`.
        self.extra = False
        #: The source of missed values, if it wants them.
        self.past: Optional[Past] = None

    def flagged(self, update: Notification) -> bytes:
        return self.frame(overflowed(update))

    def frame(self, update: Notification) -> bytes:
        """The message with *update* for this client."""
        layout, row, origin = update
        prefix = messages.update_prefix(self.handle, self.variable, self.dialect)
        return text_frame(messages.update(prefix, layout.members[self.dialect](row, origin)))

    def again(self, relay: Any) -> "Monitor":
        """A new object for the same monitor, at *relay*."""
        other = Monitor(
            self.outbox, self.variable, self.handle, self.dialect, self.min_interval, relay
        )
        other.extra = self.extra
        other.past = self.past
        return other


_GAPS = [status_codes.code(name) for name in ("BadNotConnected", "BadOutOfService")]
#: Most live values of one :class:`CatchUp` that wait for the values before them.
MOST_HELD = 10_000
#: With more additional monitors of the same variables, one client gets their values in turns.
MANY_HANDLES = 64

#: Type of the ClientHandle, ClientHandle, variable: 1, true and 1.0 are different handles.
MonitorKey = Tuple[type, Any, str]


class Monitors(Dict[MonitorKey, Monitor]):
    """The monitors of a client.  Finding those of a variable takes time only for these: a client
    may have 100,000, and stop them one by one, with wrong handles."""

    def __init__(self) -> None:
        super().__init__()
        # In the order of their start.
        self._of: Dict[str, Dict[MonitorKey, None]] = {}

    def of(self, variable: str) -> List[MonitorKey]:
        """The keys of the monitors of *variable*, in the order of their start."""
        return list(self._of.get(variable, ()))

    def is_extra(self, variable: str) -> bool:
        """Whether another monitor of *variable* gets its values in turns: the variable is monitored
        already, and so are many others more than once."""
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

    # Only this form is used; dict.pop would not call __delitem__.
    def pop(self, key: MonitorKey) -> Monitor:  # type: ignore[override]
        monitor = self[key]
        del self[key]
        return monitor

    def clear(self) -> None:
        super().clear()
        self._of.clear()


class Group:
    """The monitors that get the same bytes; *late* is the value that waits until the relay has
    time, *lost* whether it replaced another one."""

    __slots__ = ("prefix", "dialect", "monitors", "late", "lost", "queued")

    def __init__(self, prefix: str, dialect: str) -> None:
        self.prefix = prefix
        self.dialect = dialect
        self.monitors: Dict[Monitor, None] = {}  # in the order of their start
        self.late: Optional[Notification] = None
        self.lost = False
        #: Whether the relay has noted that a value waits.
        self.queued = False


class Extras:
    """Additional monitors of one variable by a client that has very many.  Each value is stored
    once for all of them, and they get the latest value in turns, with Overflow if they missed one.
    So they do not delay other clients."""

    __slots__ = ("monitors", "number", "update", "at_once", "left", "queued")

    def __init__(self) -> None:
        #: The number of the last value that each has got.
        self.monitors: Dict[Monitor, int] = {}
        #: The number of the latest value, and the value.
        self.number = 0
        self.update: Optional[Notification] = None
        self.at_once = False
        #: Monitors that still have their turn in this round, the next one last; whether the relay
        #: has noted them.
        self.left: List[Monitor] = []
        self.queued = False


class CatchUp:
    """Monitors of one variable that first get the values later than *since* (ticks), and then, like
    all monitors, the present value.

    Live values are ``held`` while the past is being read.  The first of them is the present value;
    later values of the history also come live, if the OPC UA server publishes them, so they are not
    past.  *restored*: the OPC UA server has reconnected, not a client.
    """

    __slots__ = (
        "monitors",
        "since",
        "restored",
        "asked",
        "give_up",
        "held",
        "missed",
        "over",
        "_lost",
    )

    def __init__(self, since: int, restored: bool = False) -> None:
        self.since = since
        self.restored = restored
        self.monitors: Dict[Monitor, None] = {}
        #: The source of the past, the function that ends reading, and the result.
        self.asked: Optional[Monitor] = None
        self.give_up: Callable[[], None] = _nothing
        self.missed: Optional[Missed] = None
        #: Live values that came while the past was being read.
        self.held: List[Notification] = []
        #: Whether all of this is finished.
        self.over = False
        # Whether values before the held ones are missing.
        self._lost = False

    @property
    def found(self) -> bool:
        """Whether live values are sent, not held."""
        return self.missed is not None

    def forget(self) -> None:
        """The past is not needed any more."""
        self.give_up()
        if self.missed is not None:
            self.missed.forget()

    def hold(self, update: Notification) -> None:
        """Keep *update*, the latest."""
        self.held.append(update)
        if len(self.held) > MOST_HELD:
            del self.held[0]
            self._lost = True

    def next(self, update: Notification) -> Tuple[Optional[Missed], Optional[Notification]]:
        """The past values to send, and then *update*, the next live one."""
        assert self.missed is not None
        past = self.missed
        held = [each[0].data_value(each[1]) for each in self.held or [update]]
        values = list(past.values)
        if self.restored:  # the loss of the connection was sent when it happened
            values = [each for each in values if not _is_gap(each)]
        if past.exact:
            _drop_held(values, held)
        else:
            first = next((each for each in held if not status_codes.is_bad(each.status)), held[0])
            while values and 0 < first.moment < values[-1].moment:
                del values[-1]
            if values and _same(first, values[-1]):
                del values[-1]
        self.over = True
        lost = past.lost and not values
        return past._replace(values=values), overflowed(update) if self._lost or lost else update


class Ahead(CatchUp):
    """Monitors of one variable that got a value read from the server, *present*, because the
    monitored item may report older values.  They become normal monitors when it reports a value
    that is not older."""

    __slots__ = ("present", "doubt", "asking")

    def __init__(self, present: Present) -> None:
        super().__init__(0)
        self.present = present
        #: Arrival of the last value whose age is unclear; 0 if there was none.
        self.doubt = 0.0
        #: Whether the variable is being read again because of that.
        self.asking = False

    @property
    def found(self) -> bool:
        """See :class:`CatchUp`."""
        return True

    def next(self, update: Notification) -> Tuple[Optional[Missed], Optional[Notification]]:
        """*update*, unless it is older than the sent value, or the same."""
        layout, row, origin = update
        value, told = layout.data_value(row), self.present.value
        one, other = value.source_timestamp, told.source_timestamp
        timed = bool(one and other and one != other)
        if not timed and _alike(value, told):
            self.over = True
        elif (timed and one > other) or not 0 < origin.arrived <= self.present.settled:
            self.over = True
            return None, update
        else:
            # The two times may come from different clocks.
            self.doubt = origin.arrived
        return None, None

    def renew(self, present: Present) -> bool:
        """Take a value that was read again; returns whether to send it."""
        if self.doubt < present.asked:
            self.doubt = 0.0
        before, self.present = self.present, self.present._replace(value=present.value)
        return not _alike(before.value, present.value)


def _drop_held(values: List[DataValue], held: Sequence[DataValue]) -> None:
    """Remove from the end of *values* those that are *held* too, because they came during
    reading."""
    place = len(held)
    for number in reversed(range(len(values))):
        if not _is_gap(values[number]):
            while place and not _same(held[place - 1], values[number]):
                place -= 1
            if not place:
                return
            place -= 1
            del values[number:]


def _is_gap(value: DataValue) -> bool:
    """Whether *value* marks the beginning of a gap."""
    return value.value is None and value.status in _GAPS


def _alike(one: DataValue, other: DataValue) -> bool:
    """Whether they are equal except for their times and the Overflow bit."""
    if (one.status ^ other.status) & ~status_codes.OVERFLOW:
        return False
    return _equal(one, other)


def _same(one: DataValue, other: DataValue) -> bool:
    """Whether they are the same change; NaN equals NaN here."""
    if one.moment != other.moment:
        return False
    if status_codes.is_bad(one.status) is not status_codes.is_bad(other.status):
        return False
    return _equal(one, other)


def _equal(one: DataValue, other: DataValue) -> bool:
    return one.value == other.value or repr(one.value) == repr(other.value)


class MonitoredVariable:
    """The relay's state of one monitored variable.  Other threads read ``last`` and ``outdated``,
    each in one step; only the relay's thread uses the rest."""

    __slots__ = (
        *("variable", "handle", "item_id", "subscription", "groups", "extras", "catching_up"),
        *("update", "last", "outdated", "overflowed", "takers"),
    )

    def __init__(self, variable: str) -> None:
        self.variable = variable
        self.handle = 0
        self.item_id: Optional[int] = None
        self.subscription = 0
        self.groups: Dict[Tuple[Any, ...], Group] = {}
        self.extras: Dict[Outbox, Extras] = {}
        self.catching_up: List[CatchUp] = []
        #: Receivers of every value, with their keys.
        self.takers: Dict[Callable[[List[Any]], None], Any] = {}
        #: The first value for a new monitor; None until the plant has sent one.
        self.update: Optional[Notification] = None
        #: The last value that came from the plant.
        self.last: Optional[Notification] = None
        #: Values until then are not valid any more.
        self.outdated = 0.0
        #: Values before the next one were lost on the way to opcws.
        self.overflowed = False

    @property
    def wanted(self) -> bool:
        """Whether it has any receiver."""
        return bool(self.groups or self.extras or self.catching_up or self.takers)
