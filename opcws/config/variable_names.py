"""The result of browsing an OPC UA server, and the names of its variables for clients.

Rules of the names:

* The name of a variable is its path: the BrowseNames below the starting node, joined by dots, as in
  ``Boiler.Temperature``.
* The same address space gives the same names, in any order of the server's answers.
* If several variables would have the same name, each gets a tag made of its NodeId.  So a name
  never changes its meaning because a node was added.

Pure.
"""

import hashlib
import re
from typing import Callable, Dict, List, NamedTuple, Sequence, Set

from ..model.data_types import NodeId

#: NodeClass (OPC 10000-3 8.29).
OBJECT, VARIABLE = 1, 2
#: Longest name that a variable can have in the configuration.
MAX_NAME = 256


class Node(NamedTuple):
    """One node below the starting node, which is the first of its list.

    ``parent`` is the index in the list of the node through which this one was reached, -1 for the
    first; ``depth`` counts from the first.  ``name`` is the name of the BrowseName.
    ``is_property``: it belongs to its parent (OPC 10000-3 7.8).
    """

    node_id: NodeId
    name: str
    node_class: int
    parent: int
    depth: int
    is_property: bool = False


class Found(NamedTuple):
    """One variable of an OPC UA server, with the data for a line of configuration.

    ``node`` is the NodeId as text, with ``nsu=``; ``type`` the name of the built-in type, ``""`` if
    it is not known; ``readable`` and ``writable`` are the rights of the user of opcws.  ``place``
    is the index of its node.
    """

    name: str
    node: str
    type: str = ""
    is_array: bool = False
    unit: str = ""
    description: str = ""
    writable: bool = False
    readable: bool = True
    place: int = -1

    @property
    def remark(self) -> str:
        """Type, unit and access in a few words."""
        type_text = self.type and self.type + ("[]" if self.is_array else "")
        access = "writable" if self.writable else ""
        parts = (type_text, self.unit, access if self.readable else "not readable")
        return ", ".join(part for part in parts if part)


def variable_names(
    nodes: Sequence[Node],
    text_of: Callable[[NodeId], str],
    with_properties: bool = False,
    unnamed: int = 0,
) -> Dict[int, str]:
    """The name of each variable among *nodes*, by its index; *text_of* writes a NodeId.

    Names begin below the starting node, and below the node at the index *unnamed*.
    """
    paths: List[str] = []
    by_name: Dict[str, List[int]] = {}
    for place, node in enumerate(nodes):
        if place in (0, unnamed) and node.node_class != VARIABLE:
            paths.append("")
        elif not place:
            paths.append(_part(node, text_of))
        else:
            above = paths[node.parent]
            part = _part(node, text_of)
            paths.append("%s.%s" % (above, part) if above else part)
        if node.node_class == VARIABLE and (with_properties or not node.is_property):
            by_name.setdefault(_shortened(paths[place]), []).append(place)
    names: Dict[int, str] = {}
    for name, places in by_name.items():
        if len(places) == 1:
            names[places[0]] = name
    taken = set(by_name)
    for name, places in sorted(by_name.items()):
        if len(places) > 1:
            for place in places:
                names[place] = tagged(name, text_of(nodes[place].node_id), taken)
    return names


def tagged(name: str, node: str, taken: Set[str]) -> str:
    """*name* with a unique tag made of the NodeId *node*; adds the result to *taken*."""
    number = re.search(r"(?:^|;)(i=\d+)$", node)
    digest = hashlib.sha256(node.encode("utf-8", "replace")).hexdigest()
    tags = [digest[:8], digest]
    if number is not None:
        tags.insert(0, number.group(1).replace("=", ""))
    for tag in tags:
        found = "%s~%s" % (name[: MAX_NAME - len(tag) - 1], tag)
        if found not in taken:
            break
    taken.add(found)
    return found


def _part(node: Node, text_of: Callable[[NodeId], str]) -> str:
    """The BrowseName as a part of a name: without control characters, line ends and the quotes
    that some PLCs put around it."""
    text = node.name.strip()
    if len(text) > 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    text = "".join(each if each.isprintable() else "_" for each in text).strip()
    return text or text_of(node.node_id).rpartition(";")[2].strip() or "_"


def printable(text: str) -> str:
    """*text* of a server, made safe for a terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _shortened(name: str) -> str:
    if len(name) <= MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
    return "%s~%s" % (name[: MAX_NAME - 9], digest)
