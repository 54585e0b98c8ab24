"""Questions about many nodes of one generation: read, browse, properties.

What a server will not answer (a service that it lacks, a node that it does not know) is an
answer too: nothing.  Only a connection that fails is an error, so that whatever a server does
not tell costs the variables nothing but that.

Threads: any that may wait.
"""

import logging
import struct
from typing import Any, Callable, List, Optional, Sequence, Tuple, TypeVar

from opcua import ua

from ...model import status_codes
from ...model.data_types import DataValue, NodeId, QualifiedName
from ...model.deadline import Deadline
from ...model.errors import CodecError, PlantError
from ..channel.link import Link
from ..encoding import service_bodies
from ..encoding.codec import I32_PACKING, Reader, encode_node_id, encode_qualified_name

log = logging.getLogger(__name__)

#: Browse paths in one service call.
MAX_PATHS = 500

#: Id of the binary encoding (OPC 10000-6 annex A).
TRANSLATE_REQUEST = 554

_HAS_PROPERTY = encode_node_id(NodeId(0, 46))

_BROKEN = ("BadCommunicationError", "BadTimeout", "BadNotConnected")
#: The same question in smaller parts may be answered.
_TOO_MUCH = (*service_bodies.TOO_MUCH, "BadDecodingError")

T = TypeVar("T")


class AddressSpace:
    """Asks *link* until *deadline*.  Each answer has as many items as the question; all methods
    raise :exc:`~opcws.model.errors.PlantError` if the connection fails."""

    def __init__(self, link: Link, deadline: Deadline) -> None:
        self._link = link
        self._deadline = deadline

    def remaining_s(self) -> float:
        """Seconds left."""
        return self._deadline.bounded(3600.0)

    def read(self, items: Sequence[bytes]) -> List[DataValue]:
        """The results of ReadValueId *items* of :func:`services.read_value_id`."""
        most = self._link.max_nodes_per_read
        results: List[DataValue] = []
        for start in range(0, len(items), most):
            results.extend(self._in_parts(items[start : start + most], self._read, _unread))
        return results

    def browse(self, descriptions: Sequence[Any]) -> List[Any]:
        """The references (the library's) that each of the library's BrowseDescriptions
        *descriptions* finds."""
        return self._in_parts(descriptions, self._browse, lambda _problem: [])

    def properties(self, pairs: Sequence[Tuple[NodeId, str]]) -> List[Any]:
        """The values of properties, given as (owner, name); ``None`` for one that is not there.
        The names are of namespace 0."""
        found: List[Any] = []
        most = min(MAX_PATHS, self._link.max_paths_per_call)
        for start in range(0, len(pairs), most):
            some = pairs[start : start + most]
            found.extend(self._in_parts(some, self._translate, lambda _problem: None))
        places = [place for place, node_id in enumerate(found) if isinstance(node_id, NodeId)]
        values: List[Any] = [None] * len(pairs)
        results = self.read(
            [service_bodies.read_value_id(encode_node_id(found[place])) for place in places]
        )
        for place, result in zip(places, results):
            if result.value is not None and not status_codes.is_bad(result.status):
                values[place] = result.value.value
        return values

    def _in_parts(
        self,
        items: Sequence[T],
        ask: Callable[[Sequence[T]], List[Any]],
        nothing: Callable[[PlantError], Any],
    ) -> List[Any]:
        """The answers of *ask*; *nothing* makes the one that stands for none."""
        if not items:
            return []
        try:
            answers = ask(items)
            if len(answers) == len(items):
                return answers
            problem = PlantError(
                "the OPC UA server answered for %d of %d nodes" % (len(answers), len(items)),
                "BadUnexpectedError",
            )
        except CodecError as error:
            problem = PlantError(error.reason, error.status)
        except PlantError as error:
            if error.status in _BROKEN:
                raise
            problem = error
        if problem.status in _TOO_MUCH and len(items) > 1:
            middle = len(items) // 2
            first = self._in_parts(items[:middle], ask, nothing)
            return first + self._in_parts(items[middle:], ask, nothing)
        log.debug("%s: not told: %s", self._link.server.name, problem.reason)
        return [nothing(problem) for _item in items]

    def _read(self, items: Sequence[bytes]) -> List[DataValue]:
        data, position = self._link.call(
            service_bodies.READ_REQUEST,
            service_bodies.read_request(items),
            self._deadline,
            "reading metadata",
        )
        return service_bodies.read_response(data, position, self._link.definitions)

    def _browse(self, descriptions: Sequence[Any]) -> List[Any]:
        if self._deadline.expired:  # which the library does not know
            raise PlantError("browsing: no answer in time", "BadTimeout")
        parameters = ua.BrowseParameters()
        parameters.RequestedMaxReferencesPerNode = 0
        parameters.NodesToBrowse = list(descriptions)
        results = self._link.library("browsing", lambda client: client.browse(parameters))
        return [result.References or [] for result in results]

    def _translate(self, pairs: Sequence[Tuple[NodeId, str]]) -> List[Optional[NodeId]]:
        """The property that each (owner, name) leads to."""
        paths = [_property_path(owner, name) for owner, name in pairs]
        data, position = self._link.call(
            TRANSLATE_REQUEST,
            I32_PACKING.pack(len(paths)) + b"".join(paths),
            self._deadline,
            "looking for properties",
        )
        reader = Reader(data, position)
        try:
            return reader.items(lambda: _first_target(reader)) or []
        except (struct.error, IndexError) as error:
            raise CodecError("the response is incomplete: %s" % error) from None


def _unread(problem: PlantError) -> DataValue:
    return DataValue(None, status_codes.code(problem.status))


def _property_path(owner: NodeId, name: str) -> bytes:
    """A BrowsePath (OPC 10000-4 5.9.4.2) of one element: HasProperty or a subtype, forward, with
    a target of namespace 0."""
    return b"".join(
        [
            encode_node_id(owner),
            I32_PACKING.pack(1),
            _HAS_PROPERTY,
            b"\x00\x01",
            encode_qualified_name(QualifiedName(0, name)),
        ]
    )


def _first_target(reader: Reader) -> Optional[NodeId]:
    """Of a BrowsePathResult (OPC 10000-4 5.9.4.2); ``None`` if there is none on this server."""
    status = reader.uint32()
    found: Optional[NodeId] = None
    for _ in range(max(reader.length(), 0)):
        target = reader.node_id()
        reader.uint32()
        if found is None and not target.server_index and target.namespace_uri is None:
            found = target
    return None if status_codes.is_bad(status) else found
