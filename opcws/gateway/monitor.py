"""Monitors: one of a client, the table of all of a client, and what the relay has of a variable."""

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
    """What was found of a past: *values*, oldest first, the indexes in which mean *namespaces*;
    *lost* if there was more, or may have been; *exact* if it ends where what is live began when it
    was asked for.  *forget* is called once, when it has been told or nobody wants it."""

    values: List[DataValue]
    namespaces: Sequence[str]
    lost: bool
    exact: bool = False
    forget: Callable[[], None] = _nothing


class Past(Protocol):
    """Where a monitor gets from what it missed (:mod:`opcws.gateway.past`).

    ``since`` is the time, in ticks, behind which its first values come from there; ``None`` for the
    present one alone.  ``backfill`` says whether it is told what was missed while the OPC UA server
    was not connected; ``needs_server`` whether nobody else has what was missed.
    """

    since: Optional[int]
    backfill: bool
    needs_server: bool

    def fetch(self, since: int, done: Callable[[Missed], None]) -> Callable[[], None]:
        """Have *done* called, once, on any thread, with what came later than *since*; not for a
        client that has left, nor where what is returned was called before it began.  Neither may
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
        #: The relay that it is, or is about to be, begun at; None while it sleeps.
        self.relay = relay
        # Of the relay's thread: when the next update may go out, the value that waits for
        # that moment, and whether the timer knows of it.
        self.due = 0.0
        self.held: Optional[Notification] = None
        self.queued = False
        #: Told in turns, see :class:`Extras`.
        self.extra = False
        #: Where what it missed comes from, if it wants that.
        self.past: Optional[Past] = None

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
        other.past = self.past
        return other


_GAPS = [status_codes.code(name) for name in ("BadNotConnected", "BadOutOfService")]
#: Live values that wait for what came before them, of one :class:`CatchUp`.
MOST_HELD = 10_000
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


class CatchUp:
    """Monitors of one variable that are told first what they missed later than *since* (ticks), and
    then, as all monitors are, the present value.

    What is live is ``held`` while the past is being read.  The first of it is the present value:
    what history has later than that comes live, too, if the OPC UA server publishes it, and is no
    past.  *restored*: it is that server that comes back, not a client.
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
        #: Whose past is being read, what ends that, and what was found.
        self.asked: Optional[Monitor] = None
        self.give_up: Callable[[], None] = _nothing
        self.missed: Optional[Missed] = None
        #: What is live, and came while the past was being read.
        self.held: List[Notification] = []
        #: Whether all of this is done.
        self.over = False
        # Whether something is missing before what is held.
        self._lost = False

    @property
    def found(self) -> bool:
        """Whether what is live is told, and not held."""
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
        """What is to be told of the past, and then of *update*, the next that is live."""
        assert self.missed is not None
        past = self.missed
        held = [each[0].data_value(each[1]) for each in self.held or [update]]
        values = list(past.values)
        if self.restored:  # that the server was away was told when it went
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
    """Monitors of one variable that were told what was read, *present*, because its item may tell
    older values: they are as all others when it tells one that is not older."""

    __slots__ = ("present", "doubt", "asking")

    def __init__(self, present: Present) -> None:
        super().__init__(0)
        self.present = present
        #: When the last value arrived of which nobody knows whether it is older; 0 if none did.
        self.doubt = 0.0
        #: Whether the variable is being read again for that.
        self.asking = False

    @property
    def found(self) -> bool:
        """See :class:`CatchUp`."""
        return True

    def next(self, update: Notification) -> Tuple[Optional[Missed], Optional[Notification]]:
        """*update*, unless it is older than what was told, or the same."""
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
            # The clock of the one may not be that of the other.
            self.doubt = origin.arrived
        return None, None

    def renew(self, present: Present) -> bool:
        """Take what was read again; whether that is to be told."""
        if self.doubt < present.asked:
            self.doubt = 0.0
        before, self.present = self.present, self.present._replace(value=present.value)
        return not _alike(before.value, present.value)


def _drop_held(values: List[DataValue], held: Sequence[DataValue]) -> None:
    """Take from the end of *values* those that are *held*, too: they came while it was read."""
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
    """Whether *value* says from when on nobody knows what came."""
    return value.value is None and value.status in _GAPS


def _alike(one: DataValue, other: DataValue) -> bool:
    """Whether they are the same but for their times, and for what was lost before them."""
    if (one.status ^ other.status) & ~status_codes.OVERFLOW:
        return False
    return _equal(one, other)


def _same(one: DataValue, other: DataValue) -> bool:
    """Whether they are one change; NaN is the same as NaN here."""
    if one.moment != other.moment:
        return False
    if status_codes.is_bad(one.status) is not status_codes.is_bad(other.status):
        return False
    return _equal(one, other)


def _equal(one: DataValue, other: DataValue) -> bool:
    return one.value == other.value or repr(one.value) == repr(other.value)


class MonitoredVariable:
    """What the relay knows of one monitored variable.  ``last`` and ``outdated`` are read
    from other threads, each in one step; everything else belongs to the relay's thread."""

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
        #: Who is handed every value of it, and under what.
        self.takers: Dict[Callable[[List[Any]], None], Any] = {}
        #: What a monitor that starts now is told first; None while the plant has not said.
        self.update: Optional[Notification] = None
        #: The last value that came from the plant.
        self.last: Optional[Notification] = None
        #: What came until then is no value any more.
        self.outdated = 0.0
        #: Values before the next one were lost on the way to us.
        self.overflowed = False

    @property
    def wanted(self) -> bool:
        """Whether anybody wants its values."""
        return bool(self.groups or self.extras or self.catching_up or self.takers)
