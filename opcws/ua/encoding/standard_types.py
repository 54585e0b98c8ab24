"""Definitions of the standard's structures, for the codec.

The field lists come from the library's generated classes, which are data of the installed package.
opcws never executes what an OPC UA server sends: it never calls the library's
``load_type_definitions`` and ``load_enums``, which build Python source from the server's text.
"""

from enum import Enum
from functools import lru_cache
from typing import Any, Dict, List, Optional, Tuple

from opcua import ua

from ...model.data_types import (
    BYTESTRING,
    EXTENSIONOBJECT,
    INT32,
    STRING,
    TYPE_IDS,
    FieldDefinition,
    NodeId,
    StructureDefinition,
)

_OTHER_NAMES = {"CharArray": STRING, "Bytes": BYTESTRING}
#: How many ids are remembered: more than the standard has, but bounded, because a server may send
#: an invented id with each value.
_REMEMBERED = 4096


@lru_cache(maxsize=_REMEMBERED)
def standard_definition(type_id: NodeId) -> Optional[StructureDefinition]:
    """The structure of namespace 0 whose binary encoding has the id *type_id*, or ``None``."""
    if type_id.namespace != 0 or type_id.namespace_uri or not isinstance(type_id.identifier, int):
        return None
    known = ua.extension_object_classes.get(ua.NodeId(type_id.identifier, 0))
    return None if known is None else _definition(known, type_id, ())


@lru_cache(maxsize=_REMEMBERED)
def standard_structure(data_type: NodeId) -> Optional[StructureDefinition]:
    """The structure of namespace 0 that is the DataType *data_type*, or ``None``."""
    if data_type.namespace != 0 or data_type.namespace_uri:
        return None
    name = ua.ObjectIdNames.get(data_type.identifier)
    encoding = getattr(ua.ObjectIds, "%s_Encoding_DefaultBinary" % name, None)
    return None if encoding is None else standard_definition(NodeId(0, encoding))


@lru_cache(maxsize=_REMEMBERED)
def definition_of(known: Any) -> StructureDefinition:
    """The structure of the library's class *known*, which must not contain itself."""
    definition = _definition(known, NodeId(0, 0), ())
    assert definition is not None, known
    return definition


def _definition(
    known: Any, type_id: NodeId, above: Tuple[Any, ...]
) -> Optional[StructureDefinition]:
    if known in above:  # a structure that contains itself has no flat definition
        return None
    switches = getattr(known, "ua_switches", {})
    fields: List[FieldDefinition] = []
    for name, type_name in known.ua_types:
        is_array = type_name.startswith("ListOf")
        bare = type_name[len("ListOf") :] if is_array else type_name
        built_in = TYPE_IDS.get(bare) or _OTHER_NAMES.get(bare)
        nested = names = None
        if built_in is None:
            member = getattr(ua, bare, None)
            if isinstance(member, type) and issubclass(member, Enum):
                built_in = INT32
                names = {each.name.rstrip("_"): each.value for each in member}
            elif hasattr(member, "ua_types"):
                built_in = EXTENSIONOBJECT
                nested = _definition(member, NodeId(0, 0), above + (known,))
                if nested is None:
                    return None
            else:
                return None
        switch = switches.get(name)
        fields.append(FieldDefinition(name, built_in, is_array, nested, switch, names))
    return StructureDefinition(known.__name__, type_id, tuple(fields))


#: The structures in which a server defines its types, by the id of the encoding (OPC 10000-3 8.48
#: to 8.52).
OF_DEFINITIONS: Dict[NodeId, StructureDefinition] = {
    type_id: definition_of(known)._replace(type_id=type_id)
    for type_id, known in (
        (
            NodeId(0, ua.ObjectIds.StructureDefinition_Encoding_DefaultBinary),
            ua.StructureDefinition,
        ),
        (NodeId(0, ua.ObjectIds.EnumDefinition_Encoding_DefaultBinary), ua.EnumDefinition),
    )
}
