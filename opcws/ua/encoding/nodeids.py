"""NodeIds between our data and the library's classes."""

from typing import Any

from opcua import ua

from ...model.data_types import NodeId


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


def from_library(node_id: Any) -> NodeId:
    """The library's *node_id* as our data."""
    return NodeId(node_id.NamespaceIndex, node_id.Identifier)
