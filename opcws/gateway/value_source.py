"""The interface of the relay to the source of its values, which ``ua`` implements.  Pure."""

from typing import Any, Callable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..model.data_types import DataValue
from ..wire.notifications import Change


class Created(NamedTuple):
    """The result of creating one item: its subscription and MonitoredItemId, or the error."""

    handle: int
    item_id: Optional[int]
    status: str
    reason: str
    subscription: int = 0


class Present(NamedTuple):
    """A *value* read on *link*, because the item may still report older ones.  The read began at
    *asked*; values that arrive after *settled* are newer.  Both monotonic, in seconds."""

    link: Any
    value: DataValue
    asked: float
    settled: float


class Source(NamedTuple):
    """The source of the relay's values; no method may block or call back directly.

    ``create(link, [(variable, handle), ...], line)`` is answered by
    :meth:`~opcws.gateway.relay.Relay.created`; *line* is the outbox of the client that wants it,
    ``None`` for an item that is created again. ``delete(link, [(subscription, item_id), ...])`` is
    not answered, ``decode(link, body)`` makes the changes of a publish body, as rows: of what
    *link* has handed to :meth:`~opcws.gateway.relay.Relay.published`, ``namespaces(link)`` the
    NamespaceArray. ``failures(link)`` returns status and reason of the variables that the OPC UA
    server refuses, ``retry(link)`` tries them again; :meth:`~opcws.gateway.relay.Relay.recount`
    follows. ``read(variable)`` is answered by :meth:`~opcws.gateway.relay.Relay.was_read`, if the
    variable can be read.
    """

    create: Callable[[Any, List[Tuple[str, int]], object], None]
    delete: Callable[[Any, List[Tuple[int, int]]], None]
    decode: Callable[[Any, Any], Sequence[Change]]
    namespaces: Callable[[Any], Sequence[str]]
    failures: Callable[[Any], Mapping[str, Tuple[str, str]]] = lambda _link: {}
    retry: Callable[[Any], None] = lambda _link: None
    read: Callable[[str], None] = lambda _variable: None
