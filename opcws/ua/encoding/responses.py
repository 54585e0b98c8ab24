"""The answers to services that are asked for seldom, GetEndpoints, FindServers, OpenSecureChannel,
CreateSession, CreateSubscription, CreateMonitoredItems (OPC 10000-4 5.4 to 5.13), as objects.

What a server writes into them is often more than opcws needs, so reading is tolerant: a value that
an enumeration does not have stays the number that it is, text that is no UTF-8 is read with
replacement characters, and a list may be null.  The bounds are the codec's, whose nesting and
lengths are limited; the library's own parser, which follows whatever it is sent, never sees these
bytes.
"""

from functools import lru_cache
from types import SimpleNamespace
from typing import Any, List, NamedTuple

from opcua import ua

from ...model.data_types import NodeId, Structure, StructureDefinition
from .codec import DOUBLE_PACKING, Reader, TolerantReader, decoded, list_of
from .standard_types import definition_of

#: Attributes before the parameters in the library's classes of responses.
_BEFORE_PARAMETERS = ("TypeId", "ResponseHeader")


class RevisedSubscription(NamedTuple):
    """The result of CreateSubscription (OPC 10000-4 5.14.2.2)."""

    subscription_id: int
    publishing_interval_ms: float
    lifetime_count: int
    max_keep_alive_count: int


class CreatedItem(NamedTuple):
    """A MonitoredItemCreateResult (OPC 10000-4 5.13.2.2)."""

    status: int
    item_id: int
    sampling_interval_ms: float
    queue_size: int


def read_answer(data: bytes, position: int, response: Any) -> Any:
    """The parameters of the *response*, a class of the library's, that begin at *position*: an
    object with its attributes, whose values are those of the codec; numbers for enumerations.

    Raises :exc:`~opcws.model.errors.CodecError`.
    """
    parameters = _parameters(response)
    return _object(
        decoded(TolerantReader(data, position), lambda reader: reader.structure(parameters))
    )


@lru_cache(maxsize=16)
def _parameters(response: Any) -> StructureDefinition:
    whole = definition_of(response)
    return whole._replace(
        fields=tuple(field for field in whole.fields if field.name not in _BEFORE_PARAMETERS)
    )


def _object(structure: Structure) -> Any:
    return SimpleNamespace(**{name: _plain(each.value) for name, each in structure.fields})


def _plain(value: Any) -> Any:
    if isinstance(value, Structure):
        return _object(value)
    return [_plain(each) for each in value] if isinstance(value, list) else value


def created_subscription(data: bytes, position: int) -> RevisedSubscription:
    """Raises :exc:`~opcws.model.errors.CodecError`."""

    def read(reader: Reader) -> RevisedSubscription:
        return RevisedSubscription(
            reader.uint32(), reader.number(DOUBLE_PACKING), reader.uint32(), reader.uint32()
        )

    return decoded(Reader(data, position), read)


def created_items(data: bytes, position: int) -> List[CreatedItem]:
    """Raises :exc:`~opcws.model.errors.CodecError`."""

    def item(reader: Reader) -> CreatedItem:
        created = CreatedItem(
            reader.uint32(), reader.uint32(), reader.number(DOUBLE_PACKING), reader.uint32()
        )
        reader.extension_object()
        return created

    return list_of(item, TolerantReader(data, position))


def library_node_id(node_id: NodeId) -> Any:
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
