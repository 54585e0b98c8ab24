"""What a publisher at a broker has sent: its fields, their types, and their last values.

Rules:

* A data set message that was sent twice (same MessageId) counts once.
* Missing sequence numbers are a *gap* in the values of a data set.
* The type of a field is the one beside its value, or else the one in the metadata, or else the
  expected one.  A field of unknown type has no value.
* A message with an error is dropped as a whole, with :exc:`ValueError`; the next one shows the
  gap.
* The memory that a publisher can make us use is limited.

Pure.  Threads: one, but any may read :attr:`Publication.fields`.
"""

import re
from typing import (
    Any,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

from ..model import status_codes
from ..model.data_types import VARIANT, DataValue, NodeId, StructureDefinition, ValueType
from ..model.errors import ValueRejected
from ..wire.values_from_json import shown
from . import field_values, network_messages
from .network_messages import (
    KEEP_ALIVE,
    OPERATIONAL,
    Connection,
    DataSetMessage,
    FieldMetaData,
    MetaData,
    NetworkMessage,
    Status,
    Writer,
)

#: Most data sets and fields of a publisher, and most namespaces in its values.
MOST_DATA_SETS, MOST_FIELDS, MOST_NAMESPACES = 1000, 100_000, 10_000
#: Number of messages of a data set whose MessageIds are remembered.
REMEMBERED = 1000
_INT64 = re.compile("-?[0-9]{1,18}")
_OPC_UA = "http://opcfoundation.org/UA/"
#: The value of a field that has none yet.
WAITING = DataValue(None, status_codes.code("BadWaitingForInitialData"))
_NOT_DECODED = status_codes.code("BadDecodingError")


class Namespaces(List[str]):
    """The NamespaceArray for the indexes in the values; it grows with every new URI."""

    def __init__(self) -> None:
        super().__init__([_OPC_UA])

    def __contains__(self, uri: object) -> bool:
        if super().__contains__(uri):
            return True
        if not isinstance(uri, str) or len(self) >= MOST_NAMESPACES:
            return False
        self.append(uri)
        return True

    def index(self, uri: str, *_bounds: Any) -> int:
        if uri not in self:
            raise ValueError("too many namespaces")
        return super().index(uri)


class Field:
    """A field: its data set, its type, and its last value; ``sent`` is that as it came."""

    __slots__ = ("data_set", "expected", "about", "sent", "value")

    def __init__(self, data_set: "DataSet", expected: ValueType) -> None:
        self.data_set = data_set
        #: The type if the publisher does not say it.
        self.expected = expected
        self.about: Optional[FieldMetaData] = None
        self.sent: Optional[field_values.Field] = None
        self.value = WAITING

    @property
    def value_type(self) -> ValueType:
        if self.about is None or self.about.type == VARIANT:
            return self.expected
        return ValueType(self.about.type, self.about.is_array)


class DataSet:
    """What one DataSetWriter has sent; ``number`` is ours."""

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.described = False
        self.forget_values()

    def forget_values(self) -> None:
        self.sequence: Optional[int] = None
        self.told = False
        self._seen: Dict[str, None] = {}

    def is_repeated(self, message_id: str, sequence: int) -> bool:
        """Whether the message came before; notes that it has come now."""
        if not message_id:
            return bool(sequence) and sequence == self.sequence
        if message_id in self._seen:
            return True
        self._seen[message_id] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return False

    def follows(self, sequence: int) -> bool:
        """Whether no message is missing between the last one and this one."""
        before, self.sequence = self.sequence, sequence
        if not sequence or before is None:
            return True
        # After the overflow a publisher may leave out 0.
        return (sequence - before) % 0x100000000 == 1 or (before, sequence) == (0xFFFFFFFF, 1)


class Changes(NamedTuple):
    """The changes by a message: *values* by field, data sets with a *gap* before these, and the
    fields that are new or gone."""

    values: Sequence[Tuple[str, DataValue]] = ()
    gaps: Sequence[int] = ()
    fields: Set[str] = set()
    #: An oddity of the message, in one sentence.
    odd: str = ""


class Publication:
    """What *publisher* has sent; *types* are for fields whose type it does not say."""

    def __init__(self, publisher: str, types: Mapping[str, ValueType] = {}) -> None:
        self._publisher = publisher
        self._types = types
        self.namespaces: List[str] = Namespaces()
        self.fields: Dict[str, Field] = {}
        self._data_sets: Dict[Union[int, str], DataSet] = {}
        self._numbers = 0
        self.forget_values()

    def forget_values(self) -> None:
        """A connection begins: forget everything but the metadata."""
        #: The PubSubState that the publisher reports; ``None`` without a report.
        self.state: Optional[int] = None
        #: The longest time between two of its messages, in seconds; 0 if unknown.
        self.silence_s = 0.0
        self._queues: Optional[Connection] = None
        for data_set in self._data_sets.values():
            data_set.forget_values()
        for field in self.fields.values():
            field.sent, field.value = None, WAITING

    def forget_present(self) -> None:
        """The publisher does not work: its values are unknown until it sends them again."""
        if any(data_set.told for data_set in self._data_sets.values()):
            for data_set in self._data_sets.values():
                data_set.told = False
            for field in self.fields.values():
                field.sent, field.value = None, WAITING

    @property
    def works(self) -> bool:
        """Whether the publisher reports that it works; without a report it may."""
        return self.state in (None, OPERATIONAL)

    @property
    def complete(self) -> bool:
        """Whether every data set that the publisher announced has its metadata and values."""
        if self._queues is None or self.state is None:
            return False
        wanted = [self._find(each.writer) for each in self._queues.queues]
        return all(each is not None and each.described and each.told for each in wanted)

    @property
    def described(self) -> bool:
        """Whether there are metadata."""
        return any(each.described for each in self._data_sets.values())

    def values(self) -> Dict[str, DataValue]:
        """The last value of each field."""
        return {name: field.value for name, field in self.fields.items()}

    def take(
        self, message: network_messages.Message, writer: str = "", kept: bool = False
    ) -> Changes:
        """Note the contents of *message*; *writer* is the DataSetWriter of its topic, *kept* says
        whether it was retained.  Raises :exc:`ValueError`."""
        if isinstance(message, NetworkMessage):
            return self._take_values(message, writer, kept)
        publisher = message.writer.publisher if isinstance(message, MetaData) else message.publisher
        if publisher not in ("", self._publisher):
            raise ValueError("it is of the publisher %s" % shown(publisher))
        if isinstance(message, Status):
            self.state = message.state
        elif isinstance(message, Connection):
            self._queues, self.silence_s = message, message.silence_s
        else:
            return self._describe(message, writer)
        return Changes()

    def _find(self, writer: Writer, topic: str = "") -> Optional[DataSet]:
        for key in (writer.id, writer.name or topic):
            if key and key in self._data_sets:
                return self._data_sets[key]
        return None

    def _data_set(self, writer: Writer, topic: str) -> DataSet:
        found = self._find(writer, topic)
        if found is None:
            if self._numbers >= MOST_DATA_SETS:
                raise ValueError("the publisher has more than %d data sets" % MOST_DATA_SETS)
            self._numbers += 1
            found = DataSet(self._numbers, writer.name or topic or str(writer.id))
        for key in (writer.id, writer.name or topic):
            if key and len(self._data_sets) < 2 * MOST_DATA_SETS:
                self._data_sets.setdefault(key, found)
        return found

    def _field(self, data_set: DataSet, name: str) -> Field:
        return Field(data_set, self._types.get(name, ValueType()))

    def _describe(self, message: MetaData, topic: str) -> Changes:
        data_set = self._data_set(message.writer, topic)
        described = {each.name: each for each in message.fields}
        changed = {
            name
            for name, field in self.fields.items()
            if field.data_set is data_set and name not in described
        }
        fields = {name: field for name, field in self.fields.items() if name not in changed}
        values: List[Tuple[str, DataValue]] = []
        odd = ""
        for name, about in described.items():
            field = fields.get(name)
            if field is None:
                if len(fields) >= MOST_FIELDS:
                    odd = "the publisher has more than %d fields" % MOST_FIELDS
                    break
                field = fields[name] = self._field(data_set, name)
                changed.add(name)
            elif field.data_set is not data_set:
                odd = _told_twice(name, field.data_set, data_set)
                continue
            field.about = about
            before = field.value
            odd = self._decode(name, field) or odd
            if field.value != before:
                values.append((name, field.value))
        self.fields = fields
        data_set.described = True
        return Changes(values, (), changed, odd)

    def _take_values(self, message: NetworkMessage, topic: str, kept: bool) -> Changes:
        values: List[Tuple[str, DataValue]] = []
        gaps: List[int] = []
        changed: Set[str] = set()
        odd = ""
        repeated: Set[DataSet] = set()
        fresh: Set[DataSet] = set()
        for each in message.messages:
            if each.writer.publisher not in ("", self._publisher):
                raise ValueError("it is of the publisher %s" % shown(each.writer.publisher))
            data_set = self._data_set(each.writer, topic)
            if data_set not in fresh | repeated:
                again = data_set.is_repeated(message.message_id, each.sequence)
                again = again or (kept and data_set.told)  # a newer one came first
                (repeated if again else fresh).add(data_set)
            if data_set in repeated:
                continue
            if each.kind == KEEP_ALIVE:
                # A keep-alive has the number of the next message (OPC 10000-14 7.2.5.4.1).
                continue
            if not data_set.follows(each.sequence):
                gaps.append(data_set.number)
            odd = self._take_fields(data_set, each, values, changed) or odd
        # Retained messages may come in the wrong order.
        return Changes(values, gaps, changed, "" if kept else odd)

    def _take_fields(
        self,
        data_set: DataSet,
        message: DataSetMessage,
        values: List[Tuple[str, DataValue]],
        changed: Set[str],
    ) -> str:
        """Add the contents of *message* to *values* and *changed*; returns an oddity or ``""``."""
        odd = ""
        data_set.told = True
        for name, sent in message.fields.items():
            field = self.fields.get(name)
            if field is None:
                if data_set.described:
                    odd = "its metadata do not have the field %s" % shown(name)
                    continue
                if len(self.fields) >= MOST_FIELDS:
                    return "the publisher has more than %d fields" % MOST_FIELDS
                field = self.fields[name] = self._field(data_set, name)
                changed.add(name)
            elif field.data_set is not data_set:
                odd = _told_twice(name, field.data_set, data_set)
                continue
            if sent == field.sent:
                continue
            field.sent = sent
            before = field.value
            odd = self._decode(name, field) or odd
            if field.value != before:
                values.append((name, field.value))
        return odd

    def _decode(self, name: str, field: Field) -> str:
        """Decode the sent value; returns what is wrong with it or ``""``."""
        sent, known = field.sent, field.value_type
        if sent is None:
            return ""
        if sent.body is not None and not (sent.type or known.type):
            field.value = WAITING
            return "nobody has said of which type the field %s is" % shown(name)
        try:
            field.value = field_values.data_value(sent, known, self.namespaces, _no_structure)
        except (ValueRejected, ArithmeticError, RecursionError, TypeError, ValueError) as error:
            field.value = DataValue(
                None, _NOT_DECODED, sent.source_timestamp, sent.server_timestamp
            )
            return "the field %s cannot be read: %s" % (shown(name), error)
        return ""


def _told_twice(name: str, first: DataSet, second: DataSet) -> str:
    return "the field %s is in the data sets %s and %s; that of %s is served" % (
        *map(shown, (name, first.name, second.name)),
        shown(first.name),
    )


def _no_structure(_type_id: NodeId) -> Optional[StructureDefinition]:
    return None


def members(about: Optional[FieldMetaData]) -> Dict[str, Any]:
    """The members of VALUEINFO of a field: the reverse of what
    :class:`~opcws.pubsub.data_sets.DataSet` makes of them."""
    if about is None:
        return {}
    found: Dict[str, Any] = {}
    if about.description:
        found["Description"] = about.description
    units = _fields(about, "EngineeringUnits")
    if units:
        told: Dict[str, Any] = {}
        for name in ("UnitId", "DisplayName", "Description"):
            value = _text_of(units.get(name))
            if _is_int32(value) if name == "UnitId" else isinstance(value, str):
                told[name] = value
        if "DisplayName" in told:
            found["EngineeringUnits"] = told
    span = _fields(about, "EURange")
    if {"Low", "High"} <= set(span) and all(map(_is_number, (span["Low"], span["High"]))):
        found["EURange"] = {"Low": span["Low"], "High": span["High"]}
    names = [_text_of(each) for each in _listed(about, "EnumStrings")]
    if names and all(isinstance(each, str) for each in names):
        found["EnumStrings"] = names
    values = []
    for each in _listed(about, "EnumValues"):
        fields = each if isinstance(each, dict) else {}
        number, name = fields.get("Value"), _text_of(fields.get("DisplayName"))
        if not isinstance(name, str) or not _INT64.fullmatch(str(number)):
            return found
        values.append({"Value": int(str(number)), "DisplayName": name})
    if values:
        found["EnumValues"] = values
    return found


def access_level(about: Optional[FieldMetaData]) -> int:
    """The AccessLevel in the metadata (OPC 10000-3 8.57); 0 if there is none."""
    level = 0 if about is None else _body(about, "AccessLevel")
    return level if _is_int32(level) and not isinstance(level, bool) else 0


def _body(about: FieldMetaData, name: str) -> Any:
    """The value of a property, without the type that some encodings add."""
    value: Any = about.properties.get(name)
    for member in ("Value", "Body", "Body"):
        inner = value.get(member) if isinstance(value, dict) else None
        if inner is not None:
            value = inner
    return value


def _fields(about: FieldMetaData, name: str) -> Mapping[str, Any]:
    value = _body(about, name)
    return value if isinstance(value, dict) else {}


def _listed(about: FieldMetaData, name: str) -> Iterable[Any]:
    value = _body(about, name)
    listed = value if isinstance(value, list) else []
    return [
        each["Body"] if isinstance(each, dict) and isinstance(each.get("Body"), dict) else each
        for each in listed
    ]


def _text_of(value: Any) -> Any:
    """The text of a LocalizedText, or *value* itself."""
    return value.get("Text") if isinstance(value, dict) else value


def _is_number(value: Any) -> bool:
    """Whether *value* is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value - value == 0


def _is_int32(value: Any) -> bool:
    return isinstance(value, int) and -0x80000000 <= value < 0x80000000
