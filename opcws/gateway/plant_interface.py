"""What the gateway asks of an OPC UA server, as types: the seam between it and ``ua``.  Pure."""

import threading
from typing import (
    Any,
    Callable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    Union,
)

from ..config.difference import ServerChange
from ..config.settings import Browse, Server, Variable
from ..history.thinning import Columns
from ..model import status_codes
from ..model.data_types import DataValue, ValueType
from ..model.deadline import Deadline
from ..model.errors import ServiceError
from ..wire.values_from_json import Definitions
from .monitor import Monitor
from .outbox import Outbox
from .relay import Relay

#: Makes answers go out that were left lying; quick, and may be called once too often.
Wake = Callable[[], None]

ReadResult = Union[DataValue, ServiceError]
#: The status of what was written, 0 or one that says how (GoodClamped); or why it was not.
WriteResult = Union[int, ServiceError]
ReadDone = Callable[[List[ReadResult]], Optional[Wake]]
WriteDone = Callable[[List[WriteResult]], Optional[Wake]]


#: Told the server's name, its ``browse``, and the variables that this means now.
TakeFound = Callable[[str, Sequence[Browse], Sequence[Variable]], None]
#: Says why OPC UA servers must not be connected now, because another collector is; or ``None``.
StandingBy = Callable[[], Optional[str]]
#: What clients are told when the configuration ends a connection.
CHANGED = "the configuration has changed"
REMOVED = "the configuration no longer has this server"

#: What is said of a write whose answer is missing.
UNKNOWN_OUTCOME = "; whether the value was written is not known"

#: What a client is told of a defect; the traceback goes to the log.
DEFECT = "a defect in opcws; its log says more"


def _permitted() -> None:
    pass


class Write(NamedTuple):
    """One variable to write.  ``value`` is ``None`` while the variable's type is not known;
    ``make`` makes it of the type then, or raises :exc:`~opcws.model.errors.ValueRejected`.
    ``require`` is called right before the write is sent; it is not sent if that raises
    :exc:`~opcws.model.errors.ServiceError`.  ``owner`` is who writes, ``given`` the JSON that the
    value is made of, parsed."""

    variable: Variable
    value: Optional[DataValue]
    make: Callable[[ValueType, Sequence[str]], DataValue]
    require: Callable[[], None] = _permitted
    owner: "Optional[Owner]" = None
    given: Any = None


class ContinuationPoint(Protocol):
    """Where a page of history ended, as its plant remembers it.

    ``usable`` ends when the next page has been read from here, when the point is released, when
    its lifetime is over and when the connection that it belongs to is.
    """

    @property
    def usable(self) -> bool: ...


class Owner(Protocol):
    """Whom a request is for; nothing more is done for one that is ``closed``.  ``name`` is its
    connection's, ``identity`` whom it proved to be, empty for nobody."""

    name: str
    identity: str
    closed: bool
    outbox: Outbox


class HistoryQuery(NamedTuple):
    """What to read of one variable's history (OPC 10000-11 6.4).

    Times are ticks of 100 ns since 1601 (0: none), ``interval_ms`` the ProcessingInterval.
    """

    variable: Variable
    start: int
    end: int
    max_values: int
    return_bounds: bool
    aggregate: Optional[str]
    interval_ms: float
    continuation_point: Optional[ContinuationPoint] = None


class HistoryPage(NamedTuple):
    """One page of history, and from where the next one can be read; *namespaces* is what the
    indexes in the values mean.  *missing* says why these may not be all."""

    values: List[DataValue]
    continuation_point: Optional[ContinuationPoint]
    namespaces: Sequence[str] = ()
    missing: Optional[ServiceError] = None


class HistorySource(Protocol):
    """Where history is read: an OPC UA server, the recorder, both joined, one with aggregates that
    are computed here.

    ``history`` raises :exc:`~opcws.model.errors.ServiceError` at once, or calls *done* once, on any
    thread: later, or at once where the next page has been read already.  A query with a ``start``
    of 0 means the last ``max_values`` before its ``end``, the newest first.
    """

    def history(
        self,
        query: HistoryQuery,
        owner: Owner,
        done: Callable[[Union[HistoryPage, ServiceError]], None],
    ) -> None: ...

    def release_history(self, continuation_point: ContinuationPoint) -> None: ...


class Recorder(HistorySource, Protocol):
    """What was recorded here.  ``history`` takes no aggregates.  ``series`` is ``None`` for a
    variable that is not recorded now.  ``columns`` calls *each* with all that there is from *start*
    to *end*, both included, on one thread, and then *done*.  Nothing is called any more for an
    owner that has closed."""

    def series(self, variable: Variable) -> object: ...

    def columns(
        self,
        variable: Variable,
        start: int,
        end: int,
        each: Callable[[Columns], None],
        done: Callable[[Optional[ServiceError]], None],
        owner: Optional[Owner] = None,
    ) -> None: ...


class Plant(HistorySource, Protocol):
    """One OPC UA server as the gateway needs it.

    ``allows`` says whether the OPC UA server lets our user read and write the variable.  ``begin``
    starts monitors of one client, in order with what it reads and writes: *line* is its outbox, and
    lines take turns.  ``learn`` calls *done* once, now or later on another thread, when what the
    OPC UA server says of the variables is known, or cannot be.  ``read``, ``write`` and ``history``
    raise :exc:`~opcws.model.errors.PlantError` BadNotConnected at once, or call *done* once, later,
    on another thread.  What *done* of a ``read`` or ``write`` returns is called soon after it, once
    for all those answered together.  ``leave`` ends what is being done for an owner that has
    closed.  ``keeps_history`` is ``None`` if the OPC UA server has not said whether it does;
    ``is_stepped`` whether it said that values hold until the next one (OPC 10000-11 5.2.3).
    """

    name: str
    server: Server
    relay: Relay

    @property
    def namespaces(self) -> Sequence[str]: ...

    def read(
        self,
        variables: Sequence[Variable],
        max_age_s: float,
        done: ReadDone,
        line: object = None,
    ) -> None: ...

    def write(self, writes: Sequence[Write], done: WriteDone, line: object = None) -> None: ...

    def begin(self, monitors: Sequence[Monitor]) -> None: ...

    def learn(
        self, variables: Sequence[Variable], owner: Owner, done: Callable[[], None]
    ) -> None: ...

    def leave(self, owner: Owner) -> None: ...

    def value_type(self, variable: Variable) -> ValueType: ...

    def info(self, variable: Variable) -> Mapping[str, Any]: ...

    def allows(self, variable: Variable) -> Tuple[bool, bool]: ...

    def keeps_history(self, variable: Variable) -> Optional[bool]: ...

    def is_stepped(self, variable: Variable) -> bool: ...

    def definitions(self) -> Definitions: ...

    def status(self) -> Mapping[str, Any]: ...


class RunningPlant(Plant, Protocol):
    """A plant with what it takes to start, change and stop it.

    ``start`` returns at once.  ``quit`` begins to stop, ``stop`` ends it within the deadline.
    ``change`` takes over a new configuration at once; ``reconnect`` connects anew, where that takes
    a new connection.  ``retire`` is ``stop`` for a server that the configuration no longer has.
    """

    @property
    def threads(self) -> List[threading.Thread]: ...

    def statistics(self) -> Mapping[str, Any]: ...

    def start(self) -> None: ...

    def quit(self) -> None: ...

    def stop(self, deadline: Deadline) -> None: ...

    def change(self, change: ServerChange) -> None: ...

    def reconnect(self, deadline: Deadline) -> None: ...

    def retire(self, deadline: Deadline) -> None: ...


def service_error(status: int) -> ServiceError:
    """The error of a Bad status code that an OPC UA server answered."""
    return ServiceError(status_codes.reason(status), status_codes.name(status))


def ignores_range(variable: Variable) -> ServiceError:
    """The server sends, and would write, the whole array."""
    return ServiceError(
        "the OPC UA server does not look at the index range %s of %s: it answers with more than "
        "that; monitor the whole node" % (variable.index_range, variable.node_text),
        "BadIndexRangeInvalid",
    )
