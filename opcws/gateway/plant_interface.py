"""The interface of the gateway to an OPC UA server, which ``ua`` implements.  Pure."""

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

#: Sends answers that wait; quick, and may be called more than once.
Wake = Callable[[], None]

ReadResult = Union[DataValue, ServiceError]
#: The status of a write, 0 or another good one (GoodClamped); or the error.
WriteResult = Union[int, ServiceError]
ReadDone = Callable[[List[ReadResult]], Optional[Wake]]
WriteDone = Callable[[List[WriteResult]], Optional[Wake]]


#: Gets the server's name, its ``browse``, and the variables found now.
TakeFound = Callable[[str, Sequence[Browse], Sequence[Variable]], None]
#: Says why OPC UA servers must not be connected now, because another collector is; or ``None``.
StandingBy = Callable[[], Optional[str]]
#: The reason for clients when a change of the configuration ends a connection.
CHANGED = "the configuration has changed"
REMOVED = "the configuration no longer has this server"

#: Added to the reason of a write whose answer is missing.
UNKNOWN_OUTCOME = "; it is not known whether the value was written"

#: The reason for clients after a defect; the traceback goes to the log.
DEFECT = "a defect in opcws; its log says more"


def _permitted() -> None:
    pass


class Write(NamedTuple):
    """One variable to write.  ``value`` is ``None`` while the variable's type is not known; then
    ``make`` makes a value of the type, or raises :exc:`~opcws.model.errors.ValueRejected`.
    ``require`` is called right before the write is sent; the write is not sent if it raises
    :exc:`~opcws.model.errors.ServiceError`.  ``owner`` is the writing client, ``given`` the parsed
    JSON of the value."""

    variable: Variable
    value: Optional[DataValue]
    make: Callable[[ValueType, Sequence[str]], DataValue]
    require: Callable[[], None] = _permitted
    owner: "Optional[Owner]" = None
    given: Any = None


class ContinuationPoint(Protocol):
    """The end of a page of history in its plant.

    ``usable`` becomes false when the next page has been read, when the point is released or too
    old, and when its connection ends.
    """

    @property
    def usable(self) -> bool: ...


class Owner(Protocol):
    """The owner of a request; no more work is done for a ``closed`` one.  ``name`` is that of its
    connection, ``identity`` its user, token or certificate, empty without a credential."""

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
    """One page of history, and the point for the next one; *namespaces* are those of the indexes in
    the values.  *missing* says why values may be missing."""

    values: List[DataValue]
    continuation_point: Optional[ContinuationPoint]
    namespaces: Sequence[str] = ()
    missing: Optional[ServiceError] = None


class HistorySource(Protocol):
    """A source of history: an OPC UA server, the recorder, both joined, or one with computed
    aggregates.

    ``history`` raises :exc:`~opcws.model.errors.ServiceError` at once, or calls *done* once, on any
    thread: later, or at once if the next page has been read already.  A query with a ``start`` of 0
    means the last ``max_values`` before its ``end``, the newest first.
    """

    def history(
        self,
        query: HistoryQuery,
        owner: Owner,
        done: Callable[[Union[HistoryPage, ServiceError]], None],
    ) -> None: ...

    def release_history(self, continuation_point: ContinuationPoint) -> None: ...


class Recorder(HistorySource, Protocol):
    """The recorded values.  ``history`` supports no aggregates.  ``series`` is ``None`` for a
    variable that is not recorded now.  ``columns`` calls *each* with all values from *start* to
    *end*, both included, on one thread, and then *done*.  It calls neither for an owner that has
    closed."""

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
    """One OPC UA server for the gateway.

    ``allows`` says whether the OPC UA server lets the user of opcws read and write the variable.
    ``begin`` starts monitors of one client, in order with its reads and writes: *line* is its
    outbox, and lines take turns.  ``learn`` calls *done* once, now or later on another thread, when
    the descriptions of the variables are known, or cannot be read.  ``read``, ``write`` and
    ``history`` raise :exc:`~opcws.model.errors.PlantError` BadNotConnected at once, or call *done*
    once, later, on another thread.  The function that *done* of a ``read`` or ``write`` returns is
    called soon after it, once for all requests answered together.  ``leave`` ends the work for an
    owner that has closed.  ``keeps_history`` is ``None`` if the OPC UA server has not said whether
    it does; ``is_stepped`` whether it says that values hold until the next one (OPC 10000-11
    5.2.3).
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
    """A plant that can be started, changed and stopped.

    ``start`` returns at once.  ``quit`` begins to stop, ``stop`` ends it within the deadline.
    ``change`` applies a new configuration at once; ``reconnect`` connects again, if the change
    needs that.  ``retire`` is ``stop`` for a server that the configuration no longer has.
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
    """The error for a Bad status code of an OPC UA server."""
    return ServiceError(status_codes.reason(status), status_codes.name(status))


def ignores_range(variable: Variable) -> ServiceError:
    """The error for a server that sends, and would write, the whole array."""
    return ServiceError(
        "the OPC UA server ignores the index range %s of %s and answers with more than that; "
        "monitor the whole node" % (variable.index_range, variable.node_text),
        "BadIndexRangeInvalid",
    )
