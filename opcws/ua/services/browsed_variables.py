"""The variables that ``servers.NAME.browse`` means on a connected server.

opcws walks the address space again and again, on a thread that may wait, while everything else
continues.  The same nodes give the same variables, so that monitors of them are not disturbed.
"""

import logging
from dataclasses import dataclass
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ...config import roles
from ...config.settings import Browse, Server, Variable
from ...config.variable_names import MAX_NAME, Node, variable_names
from ...model import status_codes
from ...model.data_types import NodeId, format_node_id, parse_node_id, resolve_node_id
from ...model.errors import PlantError
from ..channel.link import Link
from .browse import Browser

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """The variables that were found, in the order of their names; ``complete`` is false if the OPC
    UA server may tell more later."""

    variables: List[Variable]
    complete: bool


def find_variables(
    link: Link,
    server: Server,
    before_call: Callable[[], None] = lambda: None,
    call_s: Optional[float] = None,
    warn: Optional[Callable[[str], None]] = None,
) -> Found:
    """The variables that all ``browse`` entries of *server* mean on *link*.

    *before_call* is called before each service call, which may take *call_s* seconds, and may
    raise to end the search; *warn* gets warnings.  Raises :exc:`~opcws.model.errors.PlantError` if
    the connection fails.
    """
    walker = _Walker(
        link,
        server,
        before_call,
        server.history_timeout_ms / 1000.0 if call_s is None else call_s,
        warn or (lambda text: log.warning("%s: %s", server.name, text)),
    )
    found: Dict[str, Variable] = {}
    walks: Dict[Tuple[str, int], Tuple[Sequence[Node], Dict[int, str]]] = {}
    for browse in server.browse:
        key = browse.under, browse.depth
        if key not in walks:
            walks[key] = walker.walk(browse)
        nodes, names = walks[key]
        for each in walker.chosen(browse, nodes, names):
            found.setdefault(each.name, each)
    return Found(sorted(found.values(), key=lambda each: each.name), walker.complete)


@dataclass
class _Walker:
    link: Link
    server: Server
    before_call: Callable[[], None]
    call_s: float
    warn: Callable[[str], None]
    complete: bool = True

    def walk(self, browse: Browse) -> Tuple[Sequence[Node], Dict[int, str]]:
        """The nodes below *browse*, and the names of the variables by their indexes."""
        link = self.link
        browser = Browser(link, self.call_s, self.before_call)
        try:
            start = resolve_node_id(parse_node_id(browse.under), link.namespaces)
            nodes = browser.walk(browser.start(start), browse.depth)
        except LookupError as error:
            return self._nothing(browse, str(error))
        except PlantError as error:
            if status_codes.code(error.status) != status_codes.code("BadNodeIdUnknown"):
                raise
            # A server that has just started may not have the node yet.
            return self._nothing(browse, error.reason)
        if browser.progress.refused:
            self.warn(
                "browse below %s: of %d nodes the OPC UA server did not tell what is below (%s)"
                % (browse.under, browser.progress.refused, browser.progress.reason)
            )
        if browser.progress.waiting:
            self.complete = False
        return nodes, variable_names(nodes, self._text)

    def _nothing(self, browse: Browse, reason: str) -> Tuple[Sequence[Node], Dict[int, str]]:
        self.warn("browse below %s: %s" % (browse.under, reason))
        self.complete = False
        return [], {}

    def chosen(
        self, browse: Browse, nodes: Sequence[Node], names: Dict[int, str]
    ) -> List[Variable]:
        wanted = roles.matcher([browse.match])
        chosen = sorted((name, place) for place, name in names.items() if wanted(name))
        if len(chosen) > browse.max_variables:
            self.warn(
                "browse below %s: %d variables match %s, and max_variables is %d; the rest is left "
                "out" % (browse.under, len(chosen), browse.match, browse.max_variables)
            )
            del chosen[browse.max_variables :]
        variables: List[Variable] = []
        for name, place in chosen:
            text = self._text(nodes[place].node_id)
            full = browse.prefix + name
            if len(full) <= MAX_NAME:
                variables.append(
                    Variable(
                        name=full,
                        server=self.server.name,
                        node=parse_node_id(text),
                        node_text=text,
                        access=browse.access,
                    )
                )
        return variables

    def _text(self, node_id: NodeId) -> str:
        return format_node_id(node_id, self.link.namespaces)
