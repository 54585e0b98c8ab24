"""What the OPC UA server says of the variables: data type, access, units, range, texts.

Read in bulk on the slow thread once per generation, and for single variables before their first
write.  What an older generation said is kept while the server is away.
"""

import logging
from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from opcua import ua

from .. import statuscodes
from ..config import Server, Variable
from ..datatypes import (
    DATAVALUE,
    DIAGNOSTICINFO,
    EXTENSIONOBJECT,
    INT32,
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
from ..deadline import Deadline
from ..errors import PlantError
from . import services
from .codec import encode_node_id
from .link import Link

log = logging.getLogger(__name__)

#: Nodes described in one go, so that a history read need not wait for ten thousand.
CHUNK = 200
#: How many supertypes are followed upwards at most.
MAX_SUPERTYPES = 32

_ENUMERATION = NodeId(0, 29)
_ABSTRACT = {24, 26, 27, 28}  # BaseDataType, Number, Integer, UInteger (OPC 10000-6 annex A)
_PROPERTIES = ("EngineeringUnits", "EURange", "EnumStrings")
_ATTRIBUTES = (
    services.ATTRIBUTE_DATA_TYPE,
    services.ATTRIBUTE_VALUE_RANK,
    services.ATTRIBUTE_DESCRIPTION,
    services.ATTRIBUTE_USER_ACCESS_LEVEL,
    services.ATTRIBUTE_MINIMUM_SAMPLING_INTERVAL,
    services.ATTRIBUTE_HISTORIZING,
)


class Description:
    """What is known of one variable.  ``status`` is that of its DataType attribute: Bad if the
    node does not exist; ``user_access`` the UserAccessLevel bits (OPC 10000-3 8.57) or None."""

    __slots__ = ("value_type", "status", "user_access", "members")

    def __init__(self) -> None:
        self.value_type = ValueType()
        self.status = 0
        self.user_access: Optional[int] = None
        self.members: Dict[str, Any] = {}


class Metadata:
    """Descriptions by variable name.  Entries are replaced whole, so that readers on other
    threads see the old one or the new one."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._descriptions: Dict[str, Description] = {}
        self._built_in: Dict[NodeId, Tuple[int, bool]] = {}

    def forget_types(self) -> None:
        """A new generation: type ids may mean something else now."""
        self._built_in = {}

    def description(self, name: str) -> Optional[Description]:
        return self._descriptions.get(name)

    def value_type(self, variable: Variable) -> ValueType:
        """The server's word where it is known, the configuration's where not."""
        known = self._descriptions.get(variable.name)
        type_id = known.value_type.type if known is not None else 0
        is_array = known.value_type.is_array if known is not None else None
        return ValueType(
            type_id or variable.type, variable.is_array if is_array is None else is_array
        )

    def info(self, variable: Variable, namespaces: Sequence[str]) -> Dict[str, Any]:
        """The VALUEINFO members that come from the plant or stand for it."""
        value_type = self.value_type(variable)
        info: Dict[str, Any] = {}
        if value_type.type:
            info["Type"] = TYPE_NAMES[value_type.type]
        if value_type.is_array is not None:
            info["IsArray"] = value_type.is_array
        info["NodeId"] = format_node_id(variable.node, namespaces)
        known = self._descriptions.get(variable.name)
        if known is not None:
            info.update(known.members)
        if variable.description is not None:
            info["Description"] = variable.description
        return info

    # --- on a thread that may wait for the OPC UA server ----------------------------------------

    def learn(
        self,
        link: Link,
        variables: Sequence[Tuple[Variable, bytes]],
        deadline: Deadline,
        types_only: bool = False,
    ) -> None:
        """Describe *variables*, given with their encoded NodeIds.

        Raises :exc:`~opcws.errors.PlantError` if the connection fails.
        """
        attributes = _ATTRIBUTES[:2] if types_only else _ATTRIBUTES
        items = [
            services.read_value_id(node, attribute)
            for _variable, node in variables
            for attribute in attributes
        ]
        results = self._read(link, items, deadline)
        made: List[Tuple[Variable, bytes, Description]] = []
        data_types: List[Optional[NodeId]] = []
        for index, (variable, node) in enumerate(variables):
            row = results[index * len(attributes) : (index + 1) * len(attributes)]
            description = Description()
            description.status = row[0].status
            data_type = _scalar(row[0], NODEID)
            data_types.append(data_type)
            if data_type is not None:
                built_in, is_enumeration = self._resolve(link, data_type, deadline)
                description.value_type = ValueType(built_in, _is_array(_value(row[1])))
            if not types_only:
                self._take_attributes(description, row[2:])
            made.append((variable, node, description))
        self._learn_abstract(link, made, deadline)
        if not types_only:
            self._learn_properties(link, made, data_types, deadline)
        for variable, _node, description in made:
            before = self._descriptions.get(variable.name)
            if types_only and before is not None:
                description.members = before.members
                description.user_access = before.user_access
            self._descriptions[variable.name] = description

    def _read(self, link: Link, items: List[bytes], deadline: Deadline) -> List[DataValue]:
        results: List[DataValue] = []
        most = link.max_nodes_per_read
        for start in range(0, len(items), most):
            results.extend(self._read_some(link, items[start : start + most], deadline))
        return results

    def _read_some(self, link: Link, items: List[bytes], deadline: Deadline) -> List[DataValue]:
        try:
            data, position = link.call(
                services.READ_REQUEST, services.read_request(items), deadline, "reading metadata"
            )
        except PlantError as problem:
            if len(items) == 1 or problem.status not in services.TOO_MUCH:
                raise
            middle = len(items) // 2
            return self._read_some(link, items[:middle], deadline) + self._read_some(
                link, items[middle:], deadline
            )
        got = services.read_response(data, position, link.definitions)
        if len(got) != len(items):
            raise PlantError(
                "the OPC UA server answered for %d of %d nodes" % (len(got), len(items))
            )
        return got

    def _take_attributes(self, description: Description, row: Sequence[DataValue]) -> None:
        text, access, interval, historizing = (_value(result) for result in row)
        if isinstance(text, LocalizedText) and text.text:
            description.members["Description"] = text.text
        if isinstance(access, int):
            description.user_access = access
        if isinstance(interval, (int, float)):
            description.members["MinimumSamplingInterval"] = interval
        if isinstance(historizing, bool):
            description.members["Historizing"] = historizing

    def _learn_abstract(
        self, link: Link, made: Sequence[Tuple[Variable, bytes, Description]], deadline: Deadline
    ) -> None:
        """Where the DataType leaves the built-in type open, the present value tells it."""
        open_ones = [
            (node, description)
            for _variable, node, description in made
            if not description.value_type.type and not statuscodes.is_bad(description.status)
        ]
        if not open_ones:
            return
        results = self._read(
            link, [services.read_value_id(node) for node, _description in open_ones], deadline
        )
        for (_node, description), result in zip(open_ones, results):
            if result.value is not None:
                is_array = description.value_type.is_array
                description.value_type = ValueType(
                    result.value.type, result.value.is_array if is_array is None else is_array
                )

    def _learn_properties(
        self,
        link: Link,
        made: Sequence[Tuple[Variable, bytes, Description]],
        data_types: Sequence[Optional[NodeId]],
        deadline: Deadline,
    ) -> None:
        owners: List[Tuple[Description, NodeId, str]] = []
        for (variable, _node, description), data_type in zip(made, data_types):
            if data_type is None:
                continue
            node_id = link_node_id(link, variable)
            owners.extend((description, node_id, name) for name in _PROPERTIES)
            if self._built_in.get(data_type, (0, False))[1]:
                owners.append((description, data_type, "EnumStrings"))
        found: List[Tuple[Description, str, bytes]] = []
        most = min(500, link.max_paths_per_call)
        for start in range(0, len(owners), most):
            some = owners[start : start + most]
            paths = [_property_path(node_id, name) for _description, node_id, name in some]
            answers = link.library("looking for properties", partial(_translate, paths))
            for (description, _node_id, name), answer in zip(some, answers):
                if answer.Targets and answer.StatusCode.is_good():
                    target = _from_library(answer.Targets[0].TargetId)
                    found.append((description, name, encode_node_id(target)))
        results = self._read(
            link, [services.read_value_id(node) for _description, _name, node in found], deadline
        )
        for (description, name, _node), result in zip(found, results):
            member = _property_member(name, _value(result))
            if member is not None:
                description.members[name] = member

    def _resolve(self, link: Link, data_type: NodeId, deadline: Deadline) -> Tuple[int, bool]:
        """The built-in type that *data_type* is encoded as (0: abstract), and whether it is an
        enumeration: itself, or the first known one upwards (OPC 10000-3 5.8.2)."""
        path: List[NodeId] = []
        current: Optional[NodeId] = data_type
        answer = (0, False)
        while current is not None and len(path) < MAX_SUPERTYPES:
            known = self._built_in.get(current)
            if known is not None:
                answer = known
                break
            path.append(current)
            identifier = current.identifier
            if current == _ENUMERATION:
                answer = (INT32, True)
                break
            if current.namespace == 0 and isinstance(identifier, int):
                if identifier in _ABSTRACT:
                    break
                if 1 <= identifier <= EXTENSIONOBJECT or identifier in (DATAVALUE, DIAGNOSTICINFO):
                    answer = (identifier, False)
                    break
            current = self._supertype(link, current)
        for node_id in path:
            self._built_in[node_id] = answer
        return answer

    def _supertype(self, link: Link, data_type: NodeId) -> Optional[NodeId]:
        wanted = ua.BrowseDescription()
        wanted.NodeId = to_library(data_type)
        wanted.BrowseDirection = ua.BrowseDirection.Inverse
        wanted.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasSubtype)
        wanted.IncludeSubtypes = True
        wanted.NodeClassMask = 0
        wanted.ResultMask = 0
        parameters = ua.BrowseParameters()
        parameters.RequestedMaxReferencesPerNode = 1
        parameters.NodesToBrowse = [wanted]
        results = link.library("looking for a supertype", lambda client: client.browse(parameters))
        if not results or not results[0].References:
            return None
        return _from_library(results[0].References[0].NodeId)


def link_node_id(link: Link, variable: Variable) -> NodeId:
    """The variable's NodeId with this generation's namespace index.

    Raises :exc:`~opcws.errors.PlantError` BadNodeIdUnknown if the server lacks the namespace.
    """
    uri = variable.node.namespace_uri
    if uri is None:
        return variable.node
    index = link.namespace_indexes.get(uri)
    if index is None:
        raise PlantError(
            "the OPC UA server has no namespace %s, which %s needs" % (uri, variable.name),
            "BadNodeIdUnknown",
        )
    return NodeId(index, variable.node.identifier)


def to_library(node_id: NodeId) -> Any:
    """*node_id* as the library's class."""
    identifier = node_id.identifier
    if isinstance(identifier, int):
        kind = ua.NodeIdType.Numeric
    elif isinstance(identifier, str):
        kind = ua.NodeIdType.String
    elif isinstance(identifier, bytes):
        kind = ua.NodeIdType.ByteString
    else:
        kind = ua.NodeIdType.Guid
    return ua.NodeId(identifier, node_id.namespace, kind)


def _from_library(node_id: Any) -> NodeId:
    return NodeId(node_id.NamespaceIndex, node_id.Identifier)


def _translate(paths: List[Any], client: Any) -> Any:
    return client.translate_browsepaths_to_nodeids(paths)


def _property_path(node_id: NodeId, name: str) -> Any:
    element = ua.RelativePathElement()
    element.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasProperty)
    element.IsInverse = False
    element.IncludeSubtypes = True
    element.TargetName = ua.QualifiedName(name, 0)
    path = ua.BrowsePath()
    path.StartingNode = to_library(node_id)
    path.RelativePath.Elements = [element]
    return path


def _property_member(name: str, value: Any) -> Any:
    if name == "EnumStrings":
        if isinstance(value, list):
            return [text.text or "" for text in value if isinstance(text, LocalizedText)]
        return None
    if not isinstance(value, ExtensionObject) or not isinstance(value.body, Structure):
        return None
    fields: Mapping[str, Any] = {name: field.value for name, field in value.body.fields}
    if name == "EURange" and "Low" in fields and "High" in fields:
        return {"Low": fields["Low"], "High": fields["High"]}
    if name == "EngineeringUnits" and "DisplayName" in fields:
        return {
            "DisplayName": _text(fields["DisplayName"]),
            "Description": _text(fields.get("Description")),
            "UnitId": fields.get("UnitId", 0),
        }
    return None


def _text(text: Any) -> str:
    return (text.text or "") if isinstance(text, LocalizedText) else ""


def _value(result: DataValue) -> Any:
    if result.value is None or statuscodes.is_bad(result.status):
        return None
    return result.value.value


def _scalar(result: DataValue, type_id: int) -> Any:
    if result.value is None or result.value.type != type_id or result.value.is_array:
        return None
    return _value(result)


def _is_array(value_rank: Any) -> Optional[bool]:
    """From the ValueRank attribute (OPC 10000-3 5.6.2); None where it leaves it open."""
    if value_rank == -1:
        return False
    if isinstance(value_rank, int) and value_rank >= 0:
        return True
    return None
