"""The base of the files that ``opcws client --lang python`` writes: variables with types.

Such a file has a ``Plant`` with a member for each variable.  It contains names and types; the code
is here.

>>> from opcws.client import Client
>>> from plant import Enumerations, Plant
>>> with Plant(Client("ws://127.0.0.1:8081/")) as plant:
...     print(plant.Boiler.Temperature.read() + 1.5)
...     plant.Motor.Mode.write(Enumerations.Motor_Mode.Automatic)

A value of another type than the file says becomes ``BadTypeMismatch``, with the advice to make the
file again.
"""

import enum
from typing import (
    Any,
    Generic,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Type,
    TypedDict,
    TypeVar,
)

from ..model import status_codes
from .client import Client, Monitor
from .errors import VariableError
from .values import OVERFLOW, Value

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)
E = TypeVar("E", bound="Enumeration")
P = TypeVar("P", bound="TypedPlant")


# --- types ------------------------------------------------------------------------------------


class Enumeration(enum.IntEnum):
    """Names of values (OPC 10000-8 5.3.3); a number without a name is a member too; its name is the
    number."""

    @classmethod
    def _missing_(cls, value: object) -> Optional["Enumeration"]:
        if not isinstance(value, int):
            return None
        unnamed = int.__new__(cls, value)
        unnamed._name_, unnamed._value_ = str(int(value)), int(value)
        return unnamed


class StatusCode(TypedDict, total=False):
    """OPC 10000-4 7.39: the number and its name."""

    Code: int
    Symbol: str


class QualifiedName(TypedDict, total=False):
    """OPC 10000-3 8.3; without ``Uri`` it is a name of OPC UA itself."""

    Name: Optional[str]
    Uri: str


class LocalizedText(TypedDict, total=False):
    """OPC 10000-3 8.5."""

    Locale: Optional[str]
    Text: Optional[str]


class Structure(TypedDict, total=False):
    """An ExtensionObject (OPC 10000-6 5.2.2.15): ``Body`` has the decoded fields; with ``Encoding``
    it is the base64 of a structure that could not be decoded."""

    TypeId: str
    Encoding: int
    Body: Any


class Kind(Generic[T_co]):
    """The type of a variable: *type* is the name of the built-in type, ``""`` for any."""

    def __init__(
        self,
        type: str,
        nullable: bool = False,
        is_array: bool = False,
        enumeration: Optional[Type[Enumeration]] = None,
    ) -> None:
        self.type = type
        self.nullable = nullable
        self.is_array = is_array
        self.enumeration = enumeration

    def __str__(self) -> str:
        return self.type + ("[]" if self.is_array else "")

    def problem(self, value: Value) -> str:
        """Why *value*, which is not Bad, is not of this type; ``""`` if it is."""
        if not self.type or (value.value is None and self.nullable):
            return ""
        if value.value is None:
            return "has no value"
        is_array = isinstance(value.value, list)
        if (value.type, is_array) == (self.type, self.is_array):
            return ""
        return "is %s%s" % (value.type, "[]" if is_array else "")

    def of(self, body: Any) -> Any:
        """*body* as a value for the program."""
        named = self.enumeration
        if named is None or body is None:
            return body
        return [named(each) for each in body] if self.is_array else named(body)


BOOLEAN: Kind[bool] = Kind("Boolean")
SBYTE: Kind[int] = Kind("SByte")
BYTE: Kind[int] = Kind("Byte")
INT16: Kind[int] = Kind("Int16")
UINT16: Kind[int] = Kind("UInt16")
INT32: Kind[int] = Kind("Int32")
UINT32: Kind[int] = Kind("UInt32")
INT64: Kind[int] = Kind("Int64")
UINT64: Kind[int] = Kind("UInt64")
FLOAT: Kind[float] = Kind("Float")
DOUBLE: Kind[float] = Kind("Double")
STRING: Kind[Optional[str]] = Kind("String", True)
DATETIME: Kind[str] = Kind("DateTime")
GUID: Kind[str] = Kind("Guid")
BYTESTRING: Kind[Optional[bytes]] = Kind("ByteString", True)
XMLELEMENT: Kind[Optional[str]] = Kind("XmlElement", True)
NODEID: Kind[str] = Kind("NodeId")
EXPANDEDNODEID: Kind[str] = Kind("ExpandedNodeId")
STATUSCODE: Kind[StatusCode] = Kind("StatusCode")
QUALIFIEDNAME: Kind[QualifiedName] = Kind("QualifiedName")
LOCALIZEDTEXT: Kind[LocalizedText] = Kind("LocalizedText")
STRUCTURE: Kind[Structure] = Kind("ExtensionObject")
#: Unknown, or any type.
ANY: Kind[Any] = Kind("")


def array(kind: Kind[T]) -> Kind[Optional[List[T]]]:
    """Many of *kind*; a matrix is the flat list."""
    return Kind(kind.type, True, True, kind.enumeration)


def enumeration(kind: Kind[int], names: Type[E]) -> Kind[E]:
    """*kind* with *names* for its values."""
    return Kind(kind.type, kind.nullable, kind.is_array, names)


# --- values -----------------------------------------------------------------------------------


class DataValue(Generic[T_co]):
    """A value with its quality and times.  ``source`` is the original :class:`~opcws.client.Value`,
    ``name`` that of the variable."""

    def __init__(self, source: Value, kind: Kind[T_co]) -> None:
        if not source.bad:
            problem = kind.problem(source)
            if problem:
                source = source._replace(
                    value=None,
                    status=status_codes.CODES["BadTypeMismatch"] | source.status & OVERFLOW,
                    symbol="BadTypeMismatch",
                    reason="%s %s, but this program was made for %s; make its file anew with "
                    "'opcws client'" % (source.name, problem, kind),
                )
        elif kind.type and kind.problem(source):
            source = source._replace(value=None)
        self.source = source
        self.value: Optional[T_co] = kind.of(source.value)

    def __repr__(self) -> str:
        return "<%s %r %s>" % (self.name, self.value, self.symbol)

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def status(self) -> int:
        """OPC 10000-4 7.39."""
        return self.source.status

    @property
    def symbol(self) -> str:
        return self.source.symbol

    @property
    def reason(self) -> str:
        """A sentence where the value is Bad."""
        return self.source.reason

    @property
    def good(self) -> bool:
        return self.source.good

    @property
    def uncertain(self) -> bool:
        return self.source.uncertain

    @property
    def bad(self) -> bool:
        return self.source.bad

    @property
    def overflow(self) -> bool:
        """Values were missed before this one."""
        return self.source.overflow

    @property
    def historical(self) -> bool:
        """A past update that was missed and comes late."""
        return self.source.historical

    @property
    def source_timestamp(self) -> Optional[str]:
        """ISO 8601 in UTC; :func:`opcws.client.moment` makes a ``datetime`` of it."""
        return self.source.source_timestamp

    @property
    def server_timestamp(self) -> Optional[str]:
        return self.source.server_timestamp


class Write(NamedTuple):
    """A value to write to a variable; made by ``Writable.to``."""

    name: str
    value: Any


# --- variables --------------------------------------------------------------------------------


class Group:
    """Variables whose names begin with the same part."""

    def __init__(self, client: Client) -> None:
        self._client = client


class Variable(Group):
    """One variable; ``name`` is what opcws calls it, ``kind`` its type."""

    def __init__(self, client: Client, name: str, kind: Kind[Any]) -> None:
        super().__init__(client)
        self.name = name
        self.kind = kind


class Readable(Variable, Generic[T_co]):
    """A variable that this user may read."""

    def read(self, max_age_ms: float = 0) -> T_co:
        """The present value.  *max_age_ms*: accept a monitored value that is younger.

        Raises :exc:`~opcws.client.VariableError` if it is Bad or of another type, and other
        :exc:`~opcws.client.ClientError`.
        """
        found = self.read_data_value(max_age_ms)
        if found.bad:
            raise VariableError(self.name, found.symbol, found.reason or found.symbol)
        value: Any = found.value
        typed: T_co = value
        return typed

    def read_data_value(self, max_age_ms: float = 0) -> DataValue[T_co]:
        """The present value with its quality, which may be Bad, and its times."""
        (value,) = self._client.read_many([self.name], max_age_ms)
        return DataValue(value, self.kind)

    def history(
        self, start: Optional[str] = None, end: Optional[str] = None, max_values: int = 0
    ) -> Iterator[DataValue[T_co]]:
        """The raw values of the past, as :meth:`opcws.client.Client.history`."""
        for value in self._client.history(self.name, start, end, max_values=max_values):
            yield DataValue(value, self.kind)

    def monitor(
        self,
        min_interval_ms: Optional[float] = None,
        reconnect: bool = True,
        since: Optional[str] = None,
        backfill: bool = False,
        resume: Optional[bool] = None,
    ) -> "TypedMonitor[T_co]":
        """The present value, then each change; as :meth:`opcws.client.Client.monitor`."""
        return TypedMonitor(
            self._client, [self], min_interval_ms, reconnect, since, backfill, resume
        )


class Writable(Variable, Generic[T_contra]):
    """A variable that this user may write."""

    def write(self, value: T_contra) -> str:
        """Write *value*; returns ``"Good"``, or another good status such as ``"GoodClamped"`` if it
        was not written as asked.  Raises as :meth:`opcws.client.Client.write`."""
        return self._client.write(self.name, value)

    def to(self, value: T_contra) -> Write:
        """*value* for this variable, for :meth:`TypedPlant.write_many`."""
        return Write(self.name, value)


class ReadWritable(Readable[T], Writable[T]):
    """A variable that this user may read and write."""


class TypedMonitor(Generic[T_co]):
    """A :class:`opcws.client.Monitor` (``monitor``) with types."""

    def __init__(
        self,
        client: Client,
        variables: Sequence[Readable[T_co]],
        min_interval_ms: Optional[float],
        reconnect: bool,
        since: Optional[str],
        backfill: bool,
        resume: Optional[bool],
    ) -> None:
        self._kinds = {each.name: each.kind for each in variables}
        self.monitor: Monitor = client.monitor(
            list(self._kinds),
            min_interval_ms=min_interval_ms,
            reconnect=reconnect,
            since=since,
            backfill=backfill,
            resume=resume,
        )

    def __enter__(self) -> "TypedMonitor[T_co]":
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[DataValue[T_co]]:
        for value in self.monitor:
            yield DataValue(value, self._kinds[value.name])

    def next(self, timeout_s: Optional[float] = None) -> Optional[DataValue[T_co]]:
        """The next value, or ``None`` after *timeout_s*."""
        value = self.monitor.next(timeout_s)
        return None if value is None else DataValue(value, self._kinds[value.name])

    def close(self) -> None:
        """End it.  Never raises."""
        self.monitor.close()


class TypedPlant(Group):
    """All variables of a plant.  *client* is closed at the end of ``with``."""

    @property
    def client(self) -> Client:
        """The client without types, for variables that the file does not have."""
        return self._client

    def __enter__(self: P) -> P:
        self._client.connect()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._client.close()

    def read_many(
        self, variables: Sequence[Readable[T]], max_age_ms: float = 0
    ) -> List[DataValue[T]]:
        """The present values in the order of *variables*; check ``bad`` of each."""
        values = self._client.read_many([each.name for each in variables], max_age_ms)
        return [DataValue(value, each.kind) for value, each in zip(values, variables)]

    def write_many(self, writes: Sequence[Write]) -> List[Optional[VariableError]]:
        """Write, in that order; returns for each its error, or ``None``:
        ``plant.write_many([plant.Boiler.Setpoint.to(75.0), ...])``."""
        return self._client.write_many(writes)

    def monitor(
        self,
        variables: Sequence[Readable[T]],
        min_interval_ms: Optional[float] = None,
        reconnect: bool = True,
        since: Optional[str] = None,
        backfill: bool = False,
        resume: Optional[bool] = None,
    ) -> TypedMonitor[T]:
        """The present values of *variables*, then each change; as
        :meth:`opcws.client.Client.monitor`."""
        return TypedMonitor(
            self._client, variables, min_interval_ms, reconnect, since, backfill, resume
        )
