"""The data types of one generation: how they are encoded, and what they contain.

The definitions of a server (the DataTypeDefinition attribute of OPC UA 1.04, OPC 10000-3 8.48) are
data here: lists of fields, never text that is executed.  Values of a type that has no such
definition or no flat one (it contains itself, or a field leaves its shape open) are passed on as
bytes; that is never an error.

Rules:

* The server is asked in bulk, level by level, and once per generation; what it did not tell for a
  reason that may pass, it is asked again after :meth:`DataTypes.ask_again`.
* Definitions come from the server, so their number and their cost are bounded.  A structure inside
  another takes at least one byte, so that a few bytes cannot stand for millions of fields.

Threads: the methods under "any thread" only look things up; the rest needs a thread that may wait.
"""

import contextlib
import logging
import threading
from itertools import islice
from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Set,
    Tuple,
)

from ...model import data_types as dt
from ...model import status_codes
from ...model.errors import PlantError
from . import service_bodies
from .codec import encode_node_id
from .standard_types import standard_structure

log = logging.getLogger(__name__)

#: How many data types one generation learns at most, and how many encodings it asks about.
MAX_TYPES = 5000
#: How many supertypes are followed upwards at most.
MAX_SUPERTYPES = 32
#: How deep definitions may contain one another.
MAX_DEPTH = 32
#: How many dimensions a matrix may have.
MAX_DIMENSIONS = 32
_ENUMERATION = dt.NodeId(0, 29)
_HAS_ENCODING, _HAS_SUBTYPE = dt.NodeId(0, 38), dt.NodeId(0, 45)
_ABSTRACT = {24, 26, 27, 28}  # BaseDataType, Number, Integer, UInteger (OPC 10000-6 annex A)

#: OPC 10000-3 8.49: the kinds of structures.
_OPTIONAL_FIELDS, _UNION, _SUBTYPED, _SUBTYPED_UNION = 1, 2, 3, 4
_KINDS = range(5)


class EnumValue(NamedTuple):
    """One value of an enumeration (OPC 10000-3 8.39, 8.52)."""

    value: int
    text: str
    name: str = ""
    description: str = ""


class AddressSpace(Protocol):
    """How the types are asked for: ``opcws.ua.services.address_space``."""

    complete: bool

    def read(self, items: Sequence[bytes]) -> List[dt.DataValue]: ...

    def related(
        self, node_ids: Sequence[dt.NodeId], reference_type: dt.NodeId, forward: bool
    ) -> List[List[Tuple[dt.NodeId, str]]]: ...

    def properties(self, pairs: Sequence[Tuple[dt.NodeId, str]]) -> List[Any]: ...

    def remaining_s(self) -> float: ...


class _Unflat(Exception):
    """A type that has no flat definition; its values stay bytes."""


class DataTypes:
    """The types of one generation as far as they are known."""

    def __init__(self) -> None:
        # The built-in type that each is encoded as (0: abstract), and whether it is an enumeration.
        self._built_in: Dict[dt.NodeId, Tuple[int, bool]] = {}
        self._enumerations: Dict[dt.NodeId, Tuple[EnumValue, ...]] = {}
        # What the server says of each structure; None if it says nothing.
        self._said: Dict[dt.NodeId, Optional[dt.Structure]] = {}
        # By the id of the encoding and by the id of the type; None: values of it stay bytes.
        self._structures: Dict[dt.NodeId, Optional[dt.StructureDefinition]] = {}
        self._names: Dict[dt.NodeId, str] = {}
        self._unresolved: Set[dt.NodeId] = set()
        # Held while types are learned: a thread that needs a type which another thread is learning
        # waits for it, within its own deadline.
        self._learning = threading.Lock()
        #: False if the server may tell later what it did not tell now.
        self.complete = True
        # Encodings that came in values and that the server was not asked about.
        self._unknown: Set[dt.NodeId] = set()

    # --- any thread -----------------------------------------------------------------------------

    def structure(self, type_id: dt.NodeId) -> Optional[dt.StructureDefinition]:
        """The definition for the encoding *type_id*.  An unknown encoding is remembered."""
        try:
            return self._structures[type_id]
        except KeyError:
            if type_id.namespace and len(self._structures) + len(self._unknown) < MAX_TYPES:
                self._unknown.add(type_id)
            return None

    def is_unknown(self, type_id: dt.NodeId) -> bool:
        """Whether :meth:`learn_encodings` may find a definition for the encoding *type_id*."""
        return bool(type_id.namespace) and type_id not in self._structures

    def known(self, type_id: dt.NodeId) -> Optional[dt.StructureDefinition]:
        """The definition for the id of an encoding or of a data type, if it is known."""
        return self._structures.get(type_id)

    @property
    def pending(self) -> bool:
        """Whether values brought encodings that :meth:`learn_encodings` should look up."""
        return bool(self._unknown)

    def built_in(self, data_type: dt.NodeId) -> int:
        """The built-in type that *data_type* is encoded as; 0: abstract or not learned."""
        return self._built_in.get(data_type, (0, False))[0]

    def is_enumeration(self, data_type: dt.NodeId) -> bool:
        return self._built_in.get(data_type, (0, False))[1]

    def is_open(self, data_type: dt.NodeId) -> bool:
        """Whether the server may tell more of *data_type* than is known."""
        built_in, is_enumeration = self._built_in.get(data_type, (0, False))
        if is_enumeration:
            return not self._enumerations.get(data_type)
        return built_in == 0 or self._structures.get(data_type, self) is None

    def enumeration(self, data_type: dt.NodeId) -> Tuple[EnumValue, ...]:
        """The values of the enumeration *data_type*; empty if it is none, or if the server does not
        define them."""
        return self._enumerations.get(data_type, ())

    # --- threads that may wait ------------------------------------------------------------------

    def learn(self, space: AddressSpace, data_types: Iterable[dt.NodeId]) -> None:
        """Learn *data_types* and all types that they consist of.

        Raises :exc:`~opcws.model.errors.PlantError`.
        """
        with self._alone(space):
            known = set(self._built_in)
            try:
                self._learn(space, data_types)
            except PlantError:
                # They may be known only in part: the next caller asks again.
                for data_type in set(self._built_in) - known:
                    del self._built_in[data_type]
                raise

    def _learn(self, space: AddressSpace, data_types: Iterable[dt.NodeId]) -> None:
        level = {each for each in data_types if each not in self._built_in}
        asked: Set[dt.NodeId] = set()
        while level and len(self._built_in) < MAX_TYPES:
            level = set(islice(level, MAX_TYPES - len(self._built_in)))
            self._resolve(space, level)
            enumerations = [each for each in level if self.is_enumeration(each)]
            structures = [
                each
                for each in level
                if self.built_in(each) == dt.EXTENSIONOBJECT
                and each != dt.NodeId(0, dt.EXTENSIONOBJECT)
                and standard_structure(each) is None
            ]
            said, names = _definitions(space, [*enumerations, *structures])
            self._names.update(names)
            self._take_enumerations(space, enumerations, said)
            for data_type in structures:
                self._said[data_type] = said[data_type]
                asked.add(data_type)
            parts = {part["DataType"] for each in structures for part in _said_fields(said[each])}
            level = {each for each in parts if each not in self._built_in}
        self._define(space, asked)

    def learn_encodings(self, space: AddressSpace, met: Collection[dt.NodeId] = ()) -> bool:
        """Look up the encodings that values brought, and the encodings *met*, which another thread
        may have looked up meanwhile.  True if any of them is known now.

        Raises :exc:`~opcws.model.errors.PlantError`.
        """
        with self._alone(space):
            wanted = {each for each in met if each not in self._structures}
            while self._unknown:
                wanted.add(self._unknown.pop())
            unknown = list(islice(wanted, max(0, MAX_TYPES - len(self._structures))))
            if unknown:
                self._learn_encodings(space, unknown)
            return any(self._structures.get(encoding) for encoding in (*unknown, *met))

    def _learn_encodings(self, space: AddressSpace, unknown: Sequence[dt.NodeId]) -> None:
        owners = space.related(unknown, _HAS_ENCODING, forward=False)
        found = {encoding: nodes[0][0] for encoding, nodes in zip(unknown, owners) if nodes}
        self._learn(space, found.values())
        for encoding in unknown:
            # The encoding in the value need not be the one that the definition names.
            known = self._structures.get(found.get(encoding, encoding))
            self._structures[encoding] = known._replace(type_id=encoding) if known else None

    def ask_again(self) -> bool:
        """Forget what the server did not tell, so that the next caller asks again; does not wait.
        False if a thread is learning types just now."""
        if not self._learning.acquire(blocking=False):
            return False
        try:
            said = [each for each, told in list(self._said.items()) if told is None]
            silent = [each for each, names in list(self._enumerations.items()) if not names]
            unread = [each for each, known in list(self._structures.items()) if known is None]
            for data_type in (*said, *silent, *unread, *self._unresolved):
                self._built_in.pop(data_type, None)
            for data_type in unread:
                del self._structures[data_type]
            self._unresolved.clear()
            self.complete = True
        finally:
            self._learning.release()
        return True

    @contextlib.contextmanager
    def _alone(self, space: AddressSpace) -> Iterator[None]:
        if not self._learning.acquire(timeout=space.remaining_s()):
            raise PlantError("asking for data types: no answer in time", "BadTimeout")
        try:
            space.complete = True
            yield
            self.complete = self.complete and space.complete
        finally:
            self._learning.release()

    def _resolve(self, space: AddressSpace, data_types: Iterable[dt.NodeId]) -> None:
        """Find the built-in types of *data_types*: each has that of its first supertype with a
        known one (OPC 10000-3 5.8.3)."""
        paths = {data_type: [data_type] for data_type in data_types}
        for _ in range(MAX_SUPERTYPES):
            open_ones: Dict[dt.NodeId, dt.NodeId] = {}
            for data_type, path in paths.items():
                answer = self._built_in.get(path[-1]) or _standard_type(path[-1])
                if answer is not None:
                    for node_id in path:
                        self._built_in[node_id] = answer
                elif data_type not in self._built_in:
                    open_ones[data_type] = path[-1]
            if not open_ones:
                return
            asked = sorted(set(open_ones.values()), key=repr)
            found = space.related(asked, _HAS_SUBTYPE, forward=False)
            above = {each: nodes[0][0] for each, nodes in zip(asked, found) if nodes}
            for data_type, last in open_ones.items():
                upper = above.get(last)
                if upper is None or upper in paths[data_type]:
                    self._built_in[data_type] = (0, False)
                    self._unresolved.add(data_type)
                    del paths[data_type]
                else:
                    paths[data_type].append(upper)
        for data_type in paths:
            if self._built_in.setdefault(data_type, (0, False)) == (0, False):
                self._unresolved.add(data_type)

    def _take_enumerations(
        self,
        space: AddressSpace,
        data_types: Sequence[dt.NodeId],
        said: Dict[dt.NodeId, Optional[dt.Structure]],
    ) -> None:
        for data_type in data_types:
            self._enumerations[data_type] = _defined_values(said[data_type])
        silent = [each for each in data_types if not self._enumerations[each]]
        pairs = [(each, name) for each in silent for name in ("EnumStrings", "EnumValues")]
        answers = space.properties(pairs) if pairs else []
        for (data_type, _name), answer in zip(pairs, answers):
            values = enum_values(answer)
            if values:
                self._enumerations[data_type] = values

    def _define(self, space: AddressSpace, data_types: Iterable[dt.NodeId]) -> None:
        """Make definitions from what the server says of *data_types*."""
        unnamed = []
        for data_type in data_types:
            try:
                definition = self._definition(data_type, ())
            except _Unflat as reason:
                log.debug("%s: its values stay bytes: %s", data_type, reason)
            else:
                if definition.type_id.identifier:
                    self._structures[definition.type_id] = definition
                else:
                    unnamed.append(data_type)
        encodings = space.related(unnamed, _HAS_ENCODING, forward=True)
        for data_type, nodes in zip(unnamed, encodings):
            for encoding, name in nodes:
                known = self._structures[data_type]
                if name == "Default Binary" and known is not None:
                    self._structures[data_type] = known._replace(type_id=encoding)
                    self._structures[encoding] = self._structures[data_type]

    def _definition(
        self, data_type: dt.NodeId, above: Tuple[dt.NodeId, ...]
    ) -> dt.StructureDefinition:
        """Raises :exc:`_Unflat`."""
        known = standard_structure(data_type) or self._structures.get(data_type)
        if known is None:
            if data_type in self._structures:
                raise _Unflat("it contains a type that has no flat definition")
            # Stops the recursion if a type contains itself; remains if it has no definition.
            self._structures[data_type] = None
            known = self._structures[data_type] = self._made(data_type, above)
        return known

    def _made(self, data_type: dt.NodeId, above: Tuple[dt.NodeId, ...]) -> dt.StructureDefinition:
        said = self._said.get(data_type)
        if said is None:
            raise _Unflat("the OPC UA server does not define it")
        if len(above) >= MAX_DEPTH:
            raise _Unflat("structures are nested too deep")
        members = dict(said.fields)
        kind = members["StructureType"].value
        if kind not in _KINDS:
            raise _Unflat("a structure of kind %s" % kind)
        fields: List[dt.FieldDefinition] = []
        optional = 0
        if kind == _OPTIONAL_FIELDS:
            fields.append(dt.FieldDefinition(dt.ENCODING_MASK, dt.UINT32))
        for field in _said_fields(said):
            made = self._field(field, kind in (_SUBTYPED, _SUBTYPED_UNION), (*above, data_type))
            if kind == _OPTIONAL_FIELDS and field["IsOptional"]:
                if optional == 32:
                    raise _Unflat("more optional fields than a mask has bits")
                made = made._replace(switch=(dt.ENCODING_MASK, optional))
                optional += 1
            fields.append(made)
        if len({each.name for each in fields}) != len(fields):
            raise _Unflat("two fields of one name")
        return dt.StructureDefinition(
            self._names.get(data_type) or "the structure",
            members["DefaultEncodingId"].value,
            tuple(fields),
            kind in (_UNION, _SUBTYPED_UNION),
        )

    def _field(
        self, said: Dict[str, Any], subtyped: bool, above: Tuple[dt.NodeId, ...]
    ) -> dt.FieldDefinition:
        name, data_type, rank = (said[key] for key in ("Name", "DataType", "ValueRank"))
        if not name:
            raise _Unflat("a field without a name")
        if rank != -1 and not 1 <= rank <= MAX_DIMENSIONS:
            raise _Unflat("%s leaves its shape open" % name)
        field = dt.FieldDefinition(name, dt.VARIANT, rank > 0, dimensions=max(rank, 1))
        type_id = self.built_in(data_type)
        if type_id == 0:
            if data_type not in self._built_in or data_type in self._unresolved:
                raise _Unflat("the type of %s is not known" % name)
            return field  # OPC 10000-6 5.2.6
        if self.is_enumeration(data_type):
            names = enum_names(self.enumeration(data_type))
            return field._replace(type=dt.INT32, names=names or None)
        if type_id != dt.EXTENSIONOBJECT or data_type == dt.NodeId(0, dt.EXTENSIONOBJECT):
            return field._replace(type=type_id)
        if subtyped and said["IsOptional"]:
            return field._replace(type=dt.EXTENSIONOBJECT)
        definition = self._definition(data_type, above)
        if not _takes_bytes(definition):
            raise _Unflat("%s takes no bytes" % name)
        return field._replace(type=dt.EXTENSIONOBJECT, structure=definition)


def enum_names(values: Iterable[EnumValue]) -> dt.Enumeration:
    """The names by which clients may write the values, without names that two values share."""
    names: Dict[str, int] = {}
    ambiguous = set()
    for each in values:
        for name in (each.text, each.name):
            if name and names.setdefault(name, each.value) != each.value:
                ambiguous.add(name)
    return {name: value for name, value in names.items() if name not in ambiguous}


def enum_values(said: Any) -> Tuple[EnumValue, ...]:
    """The values in an EnumStrings (LocalizedText[]) or EnumValues (EnumValueType[]) property;
    empty if *said* is neither."""
    values = []
    for number, each in enumerate(said if isinstance(said, list) else ()):
        if isinstance(each, dt.LocalizedText):
            values.append(EnumValue(number, each.text or ""))
        elif isinstance(each, dt.ExtensionObject) and isinstance(each.body, dt.Structure):
            fields = {name: field.value for name, field in each.body.fields}
            if isinstance(fields.get("Value"), int):
                values.append(_enum_value(fields))
    return tuple(values)


def _enum_value(fields: Dict[str, Any]) -> EnumValue:
    """From the members of an EnumValueType, or of an EnumField, which also has a Name."""
    name = fields.get("Name") or ""
    text, description = (plain_text(fields.get(key)) for key in ("DisplayName", "Description"))
    return EnumValue(fields["Value"], text or name, name, description)


def plain_text(text: Any) -> str:
    """The text of a LocalizedText; empty for a null one and for anything else."""
    return (text.text or "") if isinstance(text, dt.LocalizedText) else ""


# --- what a server says of a type --------------------------------------------------------------


def _definitions(
    space: AddressSpace, data_types: Sequence[dt.NodeId]
) -> Tuple[Dict[dt.NodeId, Optional[dt.Structure]], Dict[dt.NodeId, str]]:
    """The DataTypeDefinition of each of *data_types*, ``None`` if the server has none, and their
    names."""
    said: Dict[dt.NodeId, Optional[dt.Structure]] = {}
    names: Dict[dt.NodeId, str] = {}
    attributes = (
        service_bodies.ATTRIBUTE_DATA_TYPE_DEFINITION,
        service_bodies.ATTRIBUTE_BROWSE_NAME,
    )
    results = space.read(
        [
            service_bodies.read_value_id(encode_node_id(data_type), attribute)
            for data_type in data_types
            for attribute in attributes
        ]
    )
    for data_type, told, name in zip(data_types, results[::2], results[1::2]):
        value = None if status_codes.is_bad(told.status) else told.value
        body = value.value.body if value and isinstance(value.value, dt.ExtensionObject) else None
        said[data_type] = body if isinstance(body, dt.Structure) else None
        if name.value is not None and isinstance(name.value.value, dt.QualifiedName):
            names[data_type] = name.value.value.name or ""
    return said, names


def _said_fields(said: Optional[dt.Structure]) -> Iterator[Dict[str, Any]]:
    """The members of each field of a StructureDefinition or EnumDefinition."""
    members = {} if said is None else dict(said.fields)
    for each in (members["Fields"].value or ()) if "Fields" in members else ():
        yield {name: variant.value for name, variant in each.fields}


def _defined_values(said: Optional[dt.Structure]) -> Tuple[EnumValue, ...]:
    return tuple(_enum_value(field) for field in _said_fields(said) if "Value" in field)


def _standard_type(data_type: dt.NodeId) -> Optional[Tuple[int, bool]]:
    """The encoding of types of the standard: built-in types, abstract numbers, enumerations and
    structures; ``None`` for other types."""
    identifier = data_type.identifier
    if data_type.namespace or not isinstance(identifier, int):
        return None
    if data_type == _ENUMERATION:
        return dt.INT32, True
    if identifier in _ABSTRACT:
        return 0, False
    if 1 <= identifier <= dt.EXTENSIONOBJECT or identifier in (dt.DATAVALUE, dt.DIAGNOSTICINFO):
        return identifier, False
    return None if standard_structure(data_type) is None else (dt.EXTENSIONOBJECT, False)


def _takes_bytes(definition: dt.StructureDefinition) -> bool:
    return definition.is_union or any(field.switch is None for field in definition.fields)
