"""Where the relay's values come from, as types: the seam between it and ``ua``.  Pure."""

from typing import Any, Callable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..model.data_types import DataValue
from ..wire.notifications import Change


class Created(NamedTuple):
    """What became of one item that was to be created: its MonitoredItemId in which
    subscription, or why not."""

    handle: int
    item_id: Optional[int]
    status: str
    reason: str
    subscription: int = 0


class Present(NamedTuple):
    """The *value* that a variable was read to have on *link*, because its item may still tell older
    ones.  The reading began at *asked*; what arrives after *settled* is newer.  Both monotonic, in
    seconds."""

    link: Any
    value: DataValue
    asked: float
    settled: float


class Source(NamedTuple):
    """Where the relay's values come from; nothing in it may block or call back directly.

    ``create(link, [(variable, handle), ...], line)`` is answered by
    :meth:`~opcws.gateway.relay.Relay.created`; *line* is the outbox of the client that wants it,
    ``None`` for what is made anew. ``delete(link, [(subscription, item_id), ...])`` is not
    answered, ``decode(link, body)`` makes the changes of a publish body, as rows: of what *link*
    has handed to :meth:`~opcws.gateway.relay.Relay.published`,
    ``namespaces(link)`` the NamespaceArray.
    ``failures(link)`` tells status and reason of the variables that the OPC UA server does not
    have, ``retry(link)`` looks for them again; :meth:`~opcws.gateway.relay.Relay.recount` follows.
    ``read(variable)`` is answered by :meth:`~opcws.gateway.relay.Relay.was_read`, if that can be.
    """

    create: Callable[[Any, List[Tuple[str, int]], object], None]
    delete: Callable[[Any, List[Tuple[int, int]]], None]
    decode: Callable[[Any, Any], Sequence[Change]]
    namespaces: Callable[[Any], Sequence[str]]
    failures: Callable[[Any], Mapping[str, Tuple[str, str]]] = lambda _link: {}
    retry: Callable[[Any], None] = lambda _link: None
    read: Callable[[str], None] = lambda _variable: None
