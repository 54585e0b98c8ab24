"""Questions about many nodes of one generation: read, browse, properties.

What a server will not answer (a service that it lacks, a node that it does not know) is an
answer too: nothing.  Only a connection that fails is an error, so that whatever a server does
not tell costs the variables nothing but that.

Threads: any that may wait.
"""

import logging
from functools import partial
from typing import Any, Callable, List, Sequence, Tuple, TypeVar

from opcua import ua

from .. import statuscodes
from ..datatypes import DataValue, NodeId
from ..deadline import Deadline
from ..errors import CodecError, PlantError
from . import services
from .codec import encode_node_id
from .link import Link
from .nodeids import from_library, to_library

log = logging.getLogger(__name__)

#: Browse paths in one service call.
MAX_PATHS = 500

_BROKEN = ("BadCommunicationError", "BadTimeout", "BadNotConnected")
#: The same question in smaller parts may be answered.
_TOO_MUCH = (*services.TOO_MUCH, "BadDecodingError")

T = TypeVar("T")


class Bulk:
    """Asks *link* until *deadline*.  Each answer has as many items as the question; all methods
    raise :exc:`~opcws.errors.PlantError` if the connection fails."""

    def __init__(self, link: Link, deadline: Deadline) -> None:
        self._link = link
        self._deadline = deadline

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
            [services.read_value_id(encode_node_id(found[place])) for place in places]
        )
        for place, result in zip(places, results):
            if result.value is not None and not statuscodes.is_bad(result.status):
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
            services.READ_REQUEST, services.read_request(items), self._deadline, "reading metadata"
        )
        return services.read_response(data, position, self._link.definitions)

    def _browse(self, descriptions: Sequence[Any]) -> List[Any]:
        parameters = ua.BrowseParameters()
        parameters.RequestedMaxReferencesPerNode = 0
        parameters.NodesToBrowse = list(descriptions)
        results = self._link.library("browsing", lambda client: client.browse(parameters))
        return [result.References or [] for result in results]

    def _translate(self, pairs: Sequence[Tuple[NodeId, str]]) -> List[Any]:
        paths = [_property_path(owner, name) for owner, name in pairs]
        results = self._link.library("looking for properties", partial(_translate, paths))
        return [
            from_library(result.Targets[0].TargetId)
            if result.Targets and result.StatusCode.is_good()
            else None
            for result in results
        ]


def _unread(problem: PlantError) -> DataValue:
    return DataValue(None, statuscodes.code(problem.status))


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
