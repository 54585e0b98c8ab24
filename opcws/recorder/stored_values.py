"""Values that are not numbers of fixed size, as text in the history file and back.

JSON of the model's tuples: each is an object whose one member is named after its class.  Namespace
indexes may change on the OPC UA server (OPC 10000-3 8.2.2): they are stored as the namespace's URI,
and read as an index into the namespaces of the page.

Pure.
"""

import base64
import json
import uuid
from typing import Any, Dict, List, Sequence, Union

from ..model.data_types import (
    GUID,
    STATUSCODE,
    XMLELEMENT,
    DataValue,
    DiagnosticInfo,
    ExtensionObject,
    LocalizedText,
    NodeId,
    QualifiedName,
    Structure,
    Variant,
    uri_of_namespace,
)

_TUPLES: Dict[str, Any] = {
    "V": Variant,
    "D": DataValue,
    "N": NodeId,
    "Q": QualifiedName,
    "L": LocalizedText,
    "E": ExtensionObject,
    "S": Structure,
    "I": DiagnosticInfo,
}
_TAGS = {kind: tag for tag, kind in _TUPLES.items()}
#: The types whose bodies are JSON already.
_PLAIN = {*range(1, GUID), XMLELEMENT, STATUSCODE}
#: Index 0 of every NamespaceArray (OPC 10000-3 8.2.2).
STANDARD_NAMESPACE = "http://opcfoundation.org/UA/"


def encode(value: Any, namespaces: Sequence[str]) -> bytes:
    """The text of *value*, a Variant or DataValue with indexes into *namespaces*."""
    return json.dumps(_tagged(value, namespaces), separators=(",", ":")).encode("ascii")


def decode(text: bytes, namespaces: List[str]) -> Any:
    """The value of a text of :func:`encode`; missing namespaces are added to *namespaces*."""

    def untagged(tagged: Dict[str, Any]) -> Any:
        ((tag, content),) = tagged.items()
        if tag == "b":
            return base64.b64decode(content)
        if tag == "g":
            return uuid.UUID(content)
        if tag == "t":
            return tuple(content)
        if tag == "Q" or tag == "N" and not content[3]:
            content[0] = _index(content[0], namespaces)
        return _TUPLES[tag](*content)

    return json.loads(text, object_hook=untagged)


def _tagged(value: Any, namespaces: Sequence[str]) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode("ascii")}
    if isinstance(value, uuid.UUID):
        return {"g": str(value)}
    if isinstance(value, list):
        return [_tagged(each, namespaces) for each in value]
    tag = _TAGS.get(type(value), "t")
    if tag == "V" and value.type in _PLAIN and not value.dimensions:
        return {tag: value}
    content = [_tagged(each, namespaces) for each in value]
    # A node on another server has no index into the NamespaceArray of this one.
    if value and value[0] and (tag == "Q" or tag == "N" and not value.server_index):
        content[0] = uri_of_namespace(value.namespace, namespaces) or value.namespace
    return {tag: content}


def _index(namespace: Union[int, str], namespaces: List[str]) -> int:
    """The index of a URI, or an unknown index, which stays as it is."""
    if not namespaces:
        namespaces.append(STANDARD_NAMESPACE)
    if isinstance(namespace, str):
        if namespace not in namespaces:
            namespaces.append(namespace)
        return namespaces.index(namespace)
    namespaces.extend([""] * (namespace + 1 - len(namespaces)))
    if namespace and namespaces[namespace]:
        namespaces.append("")
        return len(namespaces) - 1
    return namespace
