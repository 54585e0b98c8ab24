"""What the OPC UA server says of the variables: data type, access, units, range, texts.

opcws reads it in bulk on the slow thread once per generation, and for single variables before their
first monitor or write.  What an older generation said is kept for clients that ask while the server
is not connected, but it is not used to encode or decode values.
"""

import logging
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Sequence, Tuple

from ...config.settings import Server, Variable
from ...model import status_codes
from ...model.data_types import (
    DOUBLE,
    EXTENSIONOBJECT,
    FLOAT,
    INTEGER_RANGES,
    NODEID,
    TYPE_NAMES,
    DataValue,
    ExtensionObject,
    LocalizedText,
    NodeId,
    Structure,
    ValueType,
    format_node_id,
)
from ...model.deadline import Deadline
from ...model.errors import PlantError
from ...wire import index_range as ranges
from ..channel.link import Link
from ..encoding import service_bodies
from ..encoding.server_types import EnumValue, enum_names, enum_values, plain_text
from .address_space import AddressSpace, good_value

log = logging.getLogger(__name__)

#: How many nodes are described in one job, so that a history read need not wait for ten thousand.
CHUNK = 200

#: How much is known of a variable: the type of its values; also their names; everything.
TYPES, NAMES, ALL = 1, 2, 3

#: Bits of AccessLevel (OPC 10000-3 8.57).
CURRENT_READ = 0x01
CURRENT_WRITE = 0x02
HISTORY_READ = 0x04
_ENUMERATIONS = ("EnumValues", "EnumStrings")
_PROPERTIES = ("EngineeringUnits", "EURange")
#: Whether a number with a fraction stays valid until the next one (OPC 10000-11 5.2.3).
_STEPPED = service_bodies.HISTORICAL_CONFIGURATION + "/Stepped"
_ATTRIBUTES = (
    service_bodies.ATTRIBUTE_DATA_TYPE,
    service_bodies.ATTRIBUTE_VALUE_RANK,
    service_bodies.ATTRIBUTE_DESCRIPTION,
    service_bodies.ATTRIBUTE_ACCESS_LEVEL,
    service_bodies.ATTRIBUTE_USER_ACCESS_LEVEL,
    service_bodies.ATTRIBUTE_MINIMUM_SAMPLING_INTERVAL,
    service_bodies.ATTRIBUTE_HISTORIZING,
)


class Description:
    """What is known of one variable, and of which generation.

    ``status`` is that of its DataType attribute: Bad if the node does not exist; ``access`` has the
    bits that are set in both AccessLevel and UserAccessLevel (OPC 10000-3 8.57), or is ``None``;
    ``ignores_range`` says whether the server sends more than the variable's ``index_range`` names;
    ``stepped`` whether values stay valid until the next one.
    """

    __slots__ = (
        "generation",
        "level",
        "value_type",
        "status",
        "reason",
        "access",
        "ignores_range",
        "stepped",
        "members",
    )

    def __init__(self, generation: int, level: int) -> None:
        self.generation = generation
        self.level = level
        self.value_type = ValueType()
        self.status = 0
        self.reason = ""
        self.access: Optional[int] = None
        self.ignores_range = False
        self.stepped = False
        self.members: Dict[str, Any] = {}


@dataclass(eq=False)
class _Subject:
    """One variable while it is being described; ``untold`` if the server may tell more of it
    later."""

    variable: Variable
    node: bytes
    description: Description
    data_type: Optional[NodeId] = None
    values: Tuple[EnumValue, ...] = ()
    untold: bool = False


class Metadata:
    """Descriptions by variable name.  Entries are replaced whole, so that readers on other
    threads see the old one or the new one."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._descriptions: Dict[str, Description] = {}

    # --- any thread -----------------------------------------------------------------------------

    def change(self, server: Server, forgotten: FrozenSet[str]) -> None:
        """The configuration has changed; the variables *forgotten* have another node now, or
        none."""
        self._server = server
        for name in forgotten:
            self._descriptions.pop(name, None)

    def description(self, name: str) -> Optional[Description]:
        return self._descriptions.get(name)

    def knows(self, name: str, generation: int, level: int) -> bool:
        """Whether the variable *name* is known from *generation* to this *level*."""
        known = self._descriptions.get(name)
        return known is not None and known.generation == generation and known.level >= level

    def value_type(self, variable: Variable) -> ValueType:
        """The type that the server states, or else the configuration."""
        known = self._descriptions.get(variable.name)
        if known is None:
            return ValueType(variable.type, variable.is_array)
        type_id, is_array, names = known.value_type
        return ValueType(
            type_id or variable.type, variable.is_array if is_array is None else is_array, names
        )

    def allows(self, name: str) -> Tuple[bool, bool]:
        """Whether the server lets our user read and write the variable; true if it does not say."""
        known = self._descriptions.get(name)
        access = None if known is None else known.access
        if access is None:
            return True, True
        return bool(access & CURRENT_READ), bool(access & CURRENT_WRITE)

    def keeps_history(self, name: str) -> Optional[bool]:
        """Whether the server has history of the variable that our user may read; ``None`` if it
        does not say."""
        known = self._descriptions.get(name)
        if known is None or (known.access is None and "Historizing" not in known.members):
            return None
        return bool((known.access or 0) & HISTORY_READ or known.members.get("Historizing"))

    def info(self, variable: Variable, namespaces: Sequence[str]) -> Dict[str, Any]:
        """The VALUEINFO members from the OPC UA server, or from the configuration instead."""
        value_type = self.value_type(variable)
        info: Dict[str, Any] = {}
        if value_type.type:
            info["Type"] = TYPE_NAMES[value_type.type]
        if value_type.is_array is not None:
            info["IsArray"] = value_type.is_array
        info["NodeId"] = format_node_id(variable.node, namespaces)
        if variable.index_range is not None:
            info["IndexRange"] = variable.index_range
        known = self._descriptions.get(variable.name)
        if known is not None:
            info.update(known.members)
        if variable.description is not None:
            info["Description"] = variable.description
        return info

    def failures(self, generation: int) -> Dict[str, Tuple[str, str]]:
        """Status and reason, by name, of the variables that *generation* does not have."""
        return {
            name: (status_codes.name(known.status), known.reason)
            for name, known in list(self._descriptions.items())
            if known.generation == generation and status_codes.is_bad(known.status)
        }

    def cannot(self, variable: Variable, generation: int, problem: PlantError) -> None:
        """The server of *generation* cannot even be asked for *variable*."""
        description = Description(generation, ALL)
        description.status = status_codes.code(problem.status)
        description.reason = problem.reason
        self._keep(variable, description)

    # --- on a thread that may wait for the OPC UA server ----------------------------------------

    def learn(
        self,
        link: Link,
        variables: Iterable[Tuple[Variable, bytes]],
        deadline: Deadline,
        level: int = ALL,
    ) -> List[Variable]:
        """Describe *variables*, given with their encoded NodeIds, unless they are known to this
        level; returns those that exist and of which the server may tell more later.

        Raises :exc:`~opcws.model.errors.PlantError` if the connection fails.
        """
        subjects = [
            _Subject(variable, node, Description(link.generation, level))
            for variable, node in variables
            if level == ALL or not self.knows(variable.name, link.generation, level)
        ]
        if not subjects:
            return []
        space = AddressSpace(link, deadline)
        attributes = _ATTRIBUTES if level == ALL else _ATTRIBUTES[:2]
        results = space.read(
            [
                service_bodies.read_value_id(subject.node, attribute)
                for subject in subjects
                for attribute in attributes
            ]
        )
        rows = [
            results[start : start + len(attributes)]
            for start in range(0, len(results), len(attributes))
        ]
        for subject, row in zip(subjects, rows):
            _take_attributes(subject, row)
        types = link.data_types
        for place in space.untold:
            subjects[place // len(attributes)].untold = True
        types.learn(space, [each.data_type for each in subjects if each.data_type is not None])
        for subject, row in zip(subjects, rows):
            data_type = subject.data_type
            if data_type is not None:
                subject.values = types.enumeration(data_type)
                subject.description.value_type = ValueType(
                    types.built_in(data_type), _is_array(good_value(row[1]))
                )
                if not types.complete and types.is_open(data_type):
                    subject.untold = True
        _learn_from_values(link, space, subjects)
        if level >= NAMES:
            _learn_properties(link, space, subjects, level)
        for subject in subjects:
            _finish(subject)
            self._keep(subject.variable, subject.description, subject.untold)
        return [
            each.variable
            for each in subjects
            if each.untold and not status_codes.is_bad(each.description.status)
        ]

    def _keep(self, variable: Variable, description: Description, untold: bool = False) -> None:
        name = variable.name
        configured = self._server.variables.get(name)
        if (
            configured is None
            or configured.node != variable.node
            or configured.index_range != variable.index_range
        ):
            return  # the configuration has changed since it was asked about
        before = self._descriptions.get(name)
        if before is not None and description.level < ALL:
            if before.generation == description.generation and before.level > description.level:
                return
            description.members = {**before.members, **description.members}
            description.access, description.stepped = before.access, before.stepped
        elif before is not None and untold and before.generation == description.generation:
            description.members = {**before.members, **description.members}
        self._descriptions[name] = description


def _take_attributes(subject: _Subject, row: Sequence[DataValue]) -> None:
    description = subject.description
    description.status = row[0].status
    description.reason = status_codes.reason(row[0].status)
    data_type = good_value(row[0])
    if isinstance(data_type, NodeId) and row[0].value and row[0].value.type == NODEID:
        subject.data_type = data_type
    if len(row) <= 2:
        return
    text, access, user_access, interval, historizing = (good_value(result) for result in row[2:])
    if isinstance(text, LocalizedText) and text.text:
        description.members["Description"] = text.text
    levels = [each for each in (access, user_access) if isinstance(each, int)]
    if levels:
        description.access = levels[0] & levels[-1]
    if isinstance(interval, (int, float)):
        description.members["MinimumSamplingInterval"] = interval
    if isinstance(historizing, bool):
        description.members["Historizing"] = historizing


def _learn_from_values(link: Link, space: AddressSpace, subjects: Sequence[_Subject]) -> None:
    """Learn what only the present value shows: the built-in type if the DataType leaves it open,
    the encodings of structures that the variable's DataType does not announce, whether the server
    applies index ranges."""
    some = [
        subject
        for subject in subjects
        if not status_codes.is_bad(subject.description.status)
        and (
            subject.description.value_type.type in (0, EXTENSIONOBJECT)
            or subject.variable.index_range is not None
        )
    ]
    results = space.read(
        [
            service_bodies.read_value_id(each.node, index_range=each.variable.index_range)
            for each in some
        ]
    )
    for place in space.untold:
        some[place].untold = True
    for subject, result in zip(some, results):
        if result.value is None:
            continue
        description = subject.description
        type_id, is_array, _names = description.value_type
        description.value_type = ValueType(
            type_id or result.value.type, result.value.is_array if is_array is None else is_array
        )
        index_range = subject.variable.index_range
        if index_range is not None:
            description.ignores_range = ranges.too_long(result.value, index_range)
    if link.data_types.pending:
        link.data_types.learn_encodings(space)


def _learn_properties(
    link: Link, space: AddressSpace, subjects: Sequence[_Subject], level: int
) -> None:
    owners: List[Tuple[_Subject, str]] = []
    for subject in subjects:
        if subject.data_type is None:
            continue
        if level == ALL:
            owners.extend((subject, name) for name in _PROPERTIES)
            description = subject.description
            if (description.access or 0) & HISTORY_READ:
                if description.value_type.type in (FLOAT, DOUBLE):
                    owners.append((subject, _STEPPED))
        if subject.description.value_type.type in INTEGER_RANGES:
            owners.extend((subject, name) for name in _ENUMERATIONS)
    pairs = [(link_node_id(link, subject.variable), name) for subject, name in owners]
    values = space.properties(pairs)
    for place in space.untold:
        owners[place][0].untold = True
    for (subject, name), value in zip(owners, values):
        if name in _ENUMERATIONS:
            # What the variable says has priority over its data type.
            subject.values = enum_values(value) or subject.values
            continue
        if name == _STEPPED:
            subject.description.stepped = value is True
            continue
        member = _property_member(name, value)
        if member is not None:
            subject.description.members[name] = member


def _finish(subject: _Subject) -> None:
    """Add the names of the enumeration, wherever they were found, to the description."""
    values, description = subject.values, subject.description
    if not values:
        return
    description.value_type = description.value_type._replace(names=enum_names(values) or None)
    if [each.value for each in values] == list(range(len(values))):
        description.members["EnumStrings"] = [each.text for each in values]
        return
    description.members["EnumValues"] = [
        {
            "Value": each.value,
            "DisplayName": each.text,
            **({"Description": each.description} if each.description else {}),
        }
        for each in values
    ]


def link_node_id(link: Link, variable: Variable) -> NodeId:
    """The variable's NodeId with this generation's namespace index.

    Raises :exc:`~opcws.model.errors.PlantError` BadNodeIdUnknown if the server lacks the namespace.
    """
    uri = variable.node.namespace_uri
    if uri is None:
        return variable.node
    index = link.namespace_indexes.get(uri)
    if index is None:
        raise PlantError(
            "the OPC UA server has no namespace %s, which %s needs; correct the URI after nsu="
            % (uri, variable.name),
            "BadNodeIdUnknown",
        )
    return NodeId(index, variable.node.identifier)


def _property_member(name: str, value: Any) -> Any:
    if not isinstance(value, ExtensionObject) or not isinstance(value.body, Structure):
        return None
    fields: Mapping[str, Any] = {name: field.value for name, field in value.body.fields}
    if name == "EURange" and "Low" in fields and "High" in fields:
        return {"Low": fields["Low"], "High": fields["High"]}
    if name == "EngineeringUnits" and "DisplayName" in fields:
        return {
            "DisplayName": plain_text(fields["DisplayName"]),
            "Description": plain_text(fields.get("Description")),
            "UnitId": fields.get("UnitId", 0),
        }
    return None


def _is_array(value_rank: Any) -> Optional[bool]:
    """From the ValueRank attribute (OPC 10000-3 5.6.2); None if it leaves this open."""
    if value_rank == -1:
        return False
    if isinstance(value_rank, int) and value_rank >= 0:
        return True
    return None
