"""Walks the address space of an OPC UA server: Browse and BrowseNext (OPC 10000-4 5.9.2, 5.9.3).

Rules:

* The walk goes level by level, with many nodes in one call, within the server's OperationLimits and
  the number of continuation points that it can keep; what the server left out for that reason is
  asked for again.
* A node is visited once, even if several ways lead to it.  The shortest way counts, and of equally
  short ways the first by name, so that the order of a server's references does not matter.
* A node of which the server tells nothing is left out and counted; only a failed connection ends
  the walk.
* The answers of a server are bounded: nodes, levels, pages of one node.

Threads: any that may wait.
"""

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ...config.variable_names import OBJECT, VARIABLE, Node
from ...model import status_codes
from ...model.data_types import NULL_NODE_ID, NodeId, QualifiedName, format_node_id
from ...model.deadline import Deadline
from ...model.errors import PlantError
from ..channel.link import Link
from ..encoding import lasting_statuses, service_bodies
from ..encoding.codec import encode_node_id
from ..encoding.service_bodies import HAS_PROPERTY, BrowseResult
from .address_space import good_value, in_parts, local_node_id, not_told

#: How many nodes a walk finds at most, and how many levels it goes down.
MAX_NODES = 250_000
MAX_DEPTH = 64
#: Nodes in one call, references of one node in one answer.
NODES_PER_CALL = 200
REFERENCES_PER_NODE = 1000

_HIERARCHICAL_REFERENCES = NodeId(0, 33)
_HAS_COMPONENT = NodeId(0, 47)
_PROPERTY_TYPE = NodeId(0, 68)
#: Left out below Objects: the server's own diagnostics, and aliases of nodes that are there anyway.
_OBJECTS = NodeId(0, 85)
_LEFT_OUT = frozenset((NodeId(0, 2253), NodeId(0, 23470)))

#: One of the OperationLimits (OPC 10000-5 6.3.11).
_MAX_NODES_PER_BROWSE = NodeId(0, 11710)
#: ReferenceType, IsForward, NodeClass, BrowseName, TypeDefinition (OPC 10000-4 5.9.2.2); fields
#: that are not asked for are null or false.
_RESULT_MASK = 1 | 2 | 4 | 8 | 32

_NO_POINTS = status_codes.code("BadNoContinuationPoints")
_POINT_GONE = status_codes.code("BadContinuationPointInvalid")


class Reference(NamedTuple):
    """One reference to a node of this server."""

    node_id: NodeId
    name: str
    node_class: int
    is_property: bool


class Progress:
    """The progress of a walk.  Its thread writes it, any thread may read it."""

    def __init__(self) -> None:
        #: Nodes found, variables among them, nodes whose references were read.
        self.found = 0
        self.variables = 0
        self.looked = 0
        #: Nodes whose references the server did not tell, and the last reason.
        self.refused = 0
        #: How many of these it may tell later.
        self.waiting = 0
        self.reason = ""
        #: Whether there are more nodes than a walk may find.
        self.cut = False


class Browser:
    """Walks the address space of the server of *link*.

    *call_s* is the time for one service call; *before_call* is called before each, and may raise
    to end the walk.
    """

    def __init__(
        self, link: Link, call_s: float, before_call: Callable[[], None] = lambda: None
    ) -> None:
        self._link = link
        self._call_s = call_s
        self._before_call = before_call
        self._nodes_per_call = NODES_PER_CALL
        self.progress = Progress()

    def start(self, node_id: NodeId) -> Node:
        """The node to start from.  Raises :exc:`~opcws.model.errors.PlantError`
        BadNodeIdUnknown."""
        encoded = encode_node_id(node_id)
        items = [
            service_bodies.read_value_id(encoded, attribute)
            for attribute in (
                service_bodies.ATTRIBUTE_NODE_CLASS,
                service_bodies.ATTRIBUTE_BROWSE_NAME,
            )
        ]
        node_class, name = self._read(items)
        if not isinstance(node_class, int) or not isinstance(name, QualifiedName):
            raise PlantError(
                "the OPC UA server has no node %s; 'opcws browse --ids' shows those that it "
                "has" % format_node_id(node_id, self._link.namespaces),
                "BadNodeIdUnknown",
            )
        return Node(node_id, name.name or "", node_class, -1, 0)

    def walk(
        self, start: Node, depth: int = MAX_DEPTH, most: int = MAX_NODES, properties: bool = False
    ) -> List[Node]:
        """*start* and the nodes below it, at most *depth* levels and *most* nodes.

        With *properties* those of variables too.  Raises :exc:`~opcws.model.errors.PlantError` if
        the connection fails.
        """
        self._learn_limits()
        progress = self.progress
        progress.found = 1
        nodes = [start]
        seen: Set[NodeId] = {start.node_id}
        level = [0]
        for below in range(1, min(depth, MAX_DEPTH) + 1):
            references = self._level([nodes[place] for place in level], properties)
            following: List[int] = []
            for place, found in zip(level, references):
                if nodes[place].node_id == _OBJECTS:
                    found = [each for each in found if each.node_id not in _LEFT_OUT]
                for each in sorted(found, key=self._order):
                    if each.node_id in seen:
                        continue
                    if len(nodes) >= most:
                        progress.cut = True
                        progress.found = len(nodes)
                        return nodes
                    seen.add(each.node_id)
                    if not each.is_property:
                        following.append(len(nodes))
                    nodes.append(
                        Node(
                            each.node_id,
                            each.name,
                            each.node_class,
                            place,
                            below,
                            each.is_property,
                        )
                    )
                    progress.variables += each.node_class == VARIABLE
            progress.found = len(nodes)
            level = following
            if not level:
                break
        else:
            progress.cut = depth >= MAX_DEPTH
        return nodes

    def _order(self, reference: Reference) -> Tuple[str, str]:
        return reference.name, format_node_id(reference.node_id, self._link.namespaces)

    # --- one level ------------------------------------------------------------------------------

    def _level(self, nodes: Sequence[Node], properties: bool) -> List[List[Reference]]:
        """The references of each of *nodes*."""
        found: List[Dict[NodeId, Reference]] = [{} for _node in nodes]
        descriptions = [_description(node, properties) for node in nodes]
        waiting = list(range(len(nodes)))
        alone: List[int] = []
        retried: Set[int] = set()
        most = self._nodes_per_call
        while waiting or alone:
            if alone:
                some = [alone.pop()]
            else:
                some, waiting = waiting[:most], waiting[most:]
            results = self._browse([descriptions[place] for place in some])
            more: List[Tuple[int, bytes]] = []
            again: List[int] = []
            for place, result in zip(some, results):
                if result.status == _NO_POINTS and len(some) > 1:
                    again.append(place)
                    continue
                self._take(found[place], result)
                if result.continuation_point is not None:
                    more.append((place, result.continuation_point))
            if again:
                # The server keeps fewer continuation points than these nodes need.
                most = max(1, min(len(some) - len(again), len(some) // 2))
                waiting = again + waiting
            for place in self._follow(found, more):
                if place in retried:
                    self._take(found[place], BrowseResult(_POINT_GONE, None, []))
                    continue
                self.progress.found -= len(found[place])
                found[place].clear()
                retried.add(place)
                alone.append(place)
            self.progress.looked += len(some) - len(again)
        return [list(each.values()) for each in found]

    def _take(self, found: Dict[NodeId, Reference], result: BrowseResult) -> bool:
        """Add the references in *result*; returns whether any of them is new."""
        if status_codes.is_bad(result.status):
            self.progress.refused += 1
            self.progress.waiting += lasting_statuses.may_pass(result.status)
            self.progress.reason = status_codes.name(result.status)
        before = len(found)
        for reference in filter(None, map(self._reference, result.references)):
            found.setdefault(reference.node_id, reference)
        # A node that was found before counts twice until the level is done.
        self.progress.found += len(found) - before
        return len(found) > before

    def _follow(
        self, found: Sequence[Dict[NodeId, Reference]], more: List[Tuple[int, bytes]]
    ) -> List[int]:
        """Call BrowseNext until no continuation point is left; returns the places of the points
        that the server has forgotten."""
        forgotten: List[int] = []
        while more:
            results = self._browse_next([point for _place, point in more], release=False)
            left: List[Tuple[int, bytes]] = []
            endless: List[bytes] = []
            for (place, _point), result in zip(more, results):
                if result.status == _POINT_GONE:
                    forgotten.append(place)
                    continue
                fresh = self._take(found[place], result)
                if result.continuation_point is None:
                    continue
                if fresh:
                    left.append((place, result.continuation_point))
                else:
                    endless.append(result.continuation_point)
            if endless:
                self._browse_next(endless, release=True)
            more = left
        return forgotten

    # --- services -------------------------------------------------------------------------------

    def _learn_limits(self) -> None:
        (limit,) = self._read([service_bodies.read_value_id(encode_node_id(_MAX_NODES_PER_BROWSE))])
        nodes = limit if isinstance(limit, int) else 0
        most = min(NODES_PER_CALL, self._link.server.max_nodes_per_call)
        if self._link.max_array_length:
            most = min(most, self._link.max_array_length)
        self._nodes_per_call = min(most, nodes or most)

    def _read(self, items: Sequence[bytes]) -> List[object]:
        self._before_call()
        results = self._link.read(items, Deadline(self._call_s), "browsing")
        return [good_value(result) for result in results] + [None] * (len(items) - len(results))

    def _browse(self, descriptions: Sequence[bytes]) -> List[BrowseResult]:
        def ask(some: Sequence[bytes]) -> List[BrowseResult]:
            request = service_bodies.browse_request(some, REFERENCES_PER_NODE)
            answer = self._call(service_bodies.BROWSE_REQUEST, request)
            return service_bodies.browse_response(*answer)

        def halve(problem: PlantError, count: int) -> bool:
            if problem.status in service_bodies.TOO_MUCH:
                self._nodes_per_call = count // 2
            return True

        return in_parts(self._link.server.name, descriptions, ask, not_told, halve)

    def _browse_next(self, points: Sequence[bytes], release: bool) -> List[BrowseResult]:
        def ask(some: Sequence[bytes]) -> List[BrowseResult]:
            request = service_bodies.browse_next_request(some, release)
            answer = self._call(service_bodies.BROWSE_NEXT_REQUEST, request)
            return service_bodies.browse_response(*answer)

        name = self._link.server.name
        return in_parts(name, points, ask, not_told, lambda _problem, _count: not release)

    def _call(self, type_id: int, parameters: bytes) -> Tuple[bytes, int]:
        self._before_call()
        return self._link.call(type_id, parameters, Deadline(self._call_s), "browsing")

    def _reference(self, told: service_bodies.Reference) -> Optional[Reference]:
        """``None`` if it leads to another server, or to a node that is no Object or Variable."""
        node_id = local_node_id(self._link, told.node_id)
        if node_id is None or node_id == NULL_NODE_ID or not told.is_forward:
            return None
        if told.node_class not in (OBJECT, VARIABLE):
            return None
        is_property = told.type == HAS_PROPERTY or told.type_definition == _PROPERTY_TYPE
        return Reference(node_id, told.name, told.node_class, is_property)


def _description(node: Node, properties: bool) -> bytes:
    """The BrowseDescription for the Objects and Variables below *node*."""
    down = _HIERARCHICAL_REFERENCES
    if node.node_class == VARIABLE and not properties:
        down = _HAS_COMPONENT  # without the properties, which each variable has
    return service_bodies.browse_description(
        node.node_id, down, True, OBJECT | VARIABLE, _RESULT_MASK
    )
