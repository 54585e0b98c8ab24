"""Variables that are looked for: what ``servers.NAME.browse`` means on a server that is connected.

The address space is walked again for each generation, on a thread that may wait, while all else
goes on.  The same nodes give the same variables, so that who monitors one does not notice.
"""

import logging
from typing import Callable, Dict, List, Sequence, Tuple

from ...config import roles
from ...config.settings import Browse, Server, Variable
from ...config.variable_names import MAX_NAME, Node, variable_names
from ...model import status_codes
from ...model.data_types import NodeId, format_node_id, parse_node_id, resolve_node_id
from ...model.errors import PlantError
from ..channel.link import Link
from .browse import Browser

log = logging.getLogger(__name__)


def find_variables(
    link: Link, server: Server, before_call: Callable[[], None] = lambda: None
) -> List[Variable]:
    """The variables that each ``browse`` of *server* means on *link*, by their names.

    *before_call* is called before each service call, and ends it by raising.  Raises
    :exc:`~opcws.model.errors.PlantError` if the connection fails.
    """
    found: Dict[str, Variable] = {}
    walks: Dict[Tuple[str, int], Tuple[Sequence[Node], Dict[int, str]]] = {}
    for browse in server.browse:
        key = browse.under, browse.depth
        if key not in walks:
            walks[key] = _walk(link, server, browse, before_call)
        nodes, names = walks[key]
        for each in _chosen(link, server, browse, nodes, names):
            found.setdefault(each.name, each)
    return sorted(found.values(), key=lambda each: each.name)


def _walk(
    link: Link, server: Server, browse: Browse, before_call: Callable[[], None]
) -> Tuple[Sequence[Node], Dict[int, str]]:
    browser = Browser(link, server.history_timeout_ms / 1000.0, before_call)
    try:
        start = resolve_node_id(parse_node_id(browse.under), link.namespaces)
        nodes = browser.walk(browser.start(start), browse.depth)
    except LookupError as error:
        return _nothing(server, browse, str(error))
    except PlantError as error:
        if status_codes.code(error.status) != status_codes.code("BadNodeIdUnknown"):
            raise
        return _nothing(server, browse, error.reason)
    if browser.progress.refused:
        log.warning(
            "%s: browse below %s: of %d nodes the OPC UA server did not tell what is below (%s)",
            server.name,
            browse.under,
            browser.progress.refused,
            browser.progress.reason,
        )
    return nodes, variable_names(nodes, lambda node_id: _text(link, node_id))


def _nothing(server: Server, browse: Browse, reason: str) -> Tuple[Sequence[Node], Dict[int, str]]:
    log.warning("%s: browse below %s: %s", server.name, browse.under, reason)
    return [], {}


def _chosen(
    link: Link,
    server: Server,
    browse: Browse,
    nodes: Sequence[Node],
    names: Dict[int, str],
) -> List[Variable]:
    wanted = roles.matcher([browse.match], set(names.values()))
    chosen = sorted((name, place) for place, name in names.items() if wanted(name))
    if len(chosen) > browse.max_variables:
        log.warning(
            "%s: browse below %s: %d variables match %s, and max_variables is %d; the rest is left "
            "out",
            server.name,
            browse.under,
            len(chosen),
            browse.match,
            browse.max_variables,
        )
        del chosen[browse.max_variables :]
    variables: List[Variable] = []
    for name, place in chosen:
        text = _text(link, nodes[place].node_id)
        full = browse.prefix + name
        if len(full) <= MAX_NAME:
            variables.append(
                Variable(
                    name=full,
                    server=server.name,
                    node=parse_node_id(text),
                    node_text=text,
                    access=browse.access,
                )
            )
    return variables


def _text(link: Link, node_id: NodeId) -> str:
    return format_node_id(node_id, link.namespaces)
