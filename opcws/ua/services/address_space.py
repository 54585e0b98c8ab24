"""Questions about many nodes of one generation: attributes, references, properties.

If a server does not answer (it lacks a service, it does not know a node), the answer is empty.
Only a failed connection is an error, so that one missing answer does not affect other variables.
The caller must ask again for what the server may tell later: :attr:`AddressSpace.untold`.

Threads: any that may wait.
"""

import logging
from typing import Any, Callable, List, Optional, Sequence, Set, Tuple, TypeVar

from ...model import status_codes
from ...model.data_types import DataValue, NodeId, StructureDefinition
from ...model.deadline import Deadline
from ...model.errors import CodecError, PlantError
from ..channel.link import Link
from ..encoding import lasting_statuses, service_bodies
from ..encoding.codec import Definitions, encode_node_id

log = logging.getLogger(__name__)

#: Browse paths in one service call, and nodes in one Browse call.
MAX_PATHS = 500
MAX_NODES_PER_BROWSE = 50

#: Of a reference only the BrowseName is asked for (OPC 10000-4 5.9.2.2).
_BROWSE_NAME = 8

_BROKEN = ("BadCommunicationError", "BadTimeout", "BadNotConnected")
#: Errors after which smaller parts of the same question may be answered.
_TOO_MUCH = (*service_bodies.TOO_MUCH, "BadDecodingError")

T = TypeVar("T")
A = TypeVar("A")


class AddressSpace:
    """Asks *link* until *deadline*.  Each answer has as many items as the question; all methods
    raise :exc:`~opcws.model.errors.PlantError` if the connection fails."""

    def __init__(self, link: Link, deadline: Deadline) -> None:
        self._link = link
        self._deadline = deadline
        #: The indexes in the last question of what the server may tell later; and whether no
        #: question had any.
        self.untold: Set[int] = set()
        self.complete = True

    def _note(self, statuses: Sequence[int]) -> None:
        may_pass = lasting_statuses.may_pass
        self.untold = {place for place, status in enumerate(statuses) if may_pass(status)}
        self.complete = self.complete and not self.untold

    def remaining_s(self) -> float:
        """Seconds left."""
        return self._deadline.bounded(3600.0)

    def read(self, items: Sequence[bytes]) -> List[DataValue]:
        """The results of ReadValueId *items* of :func:`service_bodies.read_value_id`."""

        def ask(some: Sequence[bytes]) -> List[DataValue]:
            return self._link.read(some, self._deadline, "reading metadata")

        results = self._in_parts(items, self._link.max_nodes_per_read, ask, _unread)
        self._note([each.status for each in results])
        return results

    def related(
        self, node_ids: Sequence[NodeId], reference_type: NodeId, forward: bool
    ) -> List[List[Tuple[NodeId, str]]]:
        """The targets of the references of each of *node_ids*: ids and BrowseNames."""

        def ask(some: Sequence[bytes]) -> List[service_bodies.BrowseResult]:
            request = service_bodies.browse_request(some)
            data, position = self._call(service_bodies.BROWSE_REQUEST, request, "browsing")
            return service_bodies.browse_response(data, position)

        descriptions = [
            service_bodies.browse_description(each, reference_type, forward, 0, _BROWSE_NAME)
            for each in node_ids
        ]
        results = self._in_parts(descriptions, MAX_NODES_PER_BROWSE, ask, not_told)
        self._note([each.status for each in results])
        return [
            [
                (node_id, each.name)
                for each in result.references
                for node_id in [local_node_id(self._link, each.node_id)]
                if node_id is not None
            ]
            for result in results
        ]

    def properties(self, pairs: Sequence[Tuple[NodeId, str]]) -> List[Any]:
        """The values of properties, given as (owner, name); ``None`` for a missing property.  The
        names are of namespace 0."""

        def ask(some: Sequence[Tuple[NodeId, str]]) -> List[Tuple[int, Optional[NodeId]]]:
            paths = [service_bodies.property_path(owner, name) for owner, name in some]
            request = service_bodies.array_of(paths)
            doing = "looking for properties"
            data, position = self._call(service_bodies.TRANSLATE_REQUEST, request, doing)
            return service_bodies.translate_response(data, position)

        most = min(MAX_PATHS, self._link.max_paths_per_call)
        found = self._in_parts(
            pairs, most, ask, lambda problem: (status_codes.code(problem.status), None)
        )
        there = [
            service_bodies.read_value_id(encode_node_id(node_id))
            for _status, node_id in found
            if node_id is not None
        ]
        values = iter(self.read(there))
        results = [
            DataValue(None, status) if node_id is None else next(values)
            for status, node_id in found
        ]
        self._note([each.status for each in results])
        return [good_value(each) for each in results]

    def _in_parts(
        self,
        items: Sequence[T],
        most: int,
        ask: Callable[[Sequence[T]], List[A]],
        nothing: Callable[[PlantError], A],
    ) -> List[A]:
        answers: List[A] = []
        for start in range(0, len(items), most):
            some = items[start : start + most]
            answers += in_parts(
                self._link.server.name,
                some,
                ask,
                nothing,
                lambda problem, _count: problem.status in _TOO_MUCH,
            )
        return answers

    def _call(self, type_id: int, parameters: bytes, doing: str) -> Tuple[bytes, int]:
        return self._link.call(type_id, parameters, self._deadline, doing)


def in_parts(
    name: str,
    items: Sequence[T],
    ask: Callable[[Sequence[T]], List[A]],
    nothing: Callable[[PlantError], A],
    splits: Callable[[PlantError, int], bool],
) -> List[A]:
    """The answers of *ask*, which asks the server *name*, one for each of *items*.

    A failed question is divided in halves if *splits* says so of the problem and the number of
    items; *nothing* makes the replacement for a missing answer.  Raises
    :exc:`~opcws.model.errors.PlantError` if the connection fails.
    """
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
    if len(items) > 1 and splits(problem, len(items)):
        middle = len(items) // 2
        first = in_parts(name, items[:middle], ask, nothing, splits)
        return first + in_parts(name, items[middle:], ask, nothing, splits)
    log.debug("%s: not told: %s", name, problem.reason)
    return [nothing(problem) for _item in items]


def learn_encodings(link: Link, deadline: Deadline) -> None:
    """Look up the encodings that values brought.  Raises :exc:`~opcws.model.errors.PlantError`."""
    link.data_types.learn_encodings(AddressSpace(link, deadline))


def decoded(link: Link, deadline: Deadline, decode: Callable[[Definitions], T]) -> T:
    """What *decode* makes of an answer of *link*.  If it meets structures with unknown encodings,
    they are learned, by this thread or another, and it decodes once more.

    Raises what *decode* raises, and :exc:`~opcws.model.errors.PlantError`.
    """
    met: Set[NodeId] = set()

    def definitions(type_id: NodeId) -> Optional[StructureDefinition]:
        found: Optional[StructureDefinition] = link.definitions(type_id)
        if found is None and link.data_types.is_unknown(type_id):
            met.add(type_id)
        return found

    values = decode(definitions)
    if met and link.data_types.learn_encodings(AddressSpace(link, deadline), met):
        return decode(link.definitions)
    return values


def good_value(result: DataValue) -> Any:
    """The value that was read; ``None`` if there is none, or if the status is Bad."""
    if result.value is None or status_codes.is_bad(result.status):
        return None
    return result.value.value


def local_node_id(link: Link, node_id: Optional[NodeId]) -> Optional[NodeId]:
    """The NodeId that an ExpandedNodeId means on the server of *link*; ``None`` if it names no
    node there."""
    if node_id is None or node_id.server_index:
        return None
    if node_id.namespace_uri is None:
        return node_id
    index = link.namespace_indexes.get(node_id.namespace_uri)
    return None if index is None else NodeId(index, node_id.identifier)


def _unread(problem: PlantError) -> DataValue:
    return DataValue(None, status_codes.code(problem.status))


def not_told(problem: PlantError) -> service_bodies.BrowseResult:
    """The replacement for the references of a node if the server tells none."""
    return service_bodies.BrowseResult(status_codes.code(problem.status), None, [])
