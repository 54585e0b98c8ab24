"""The ``<Node>`` elements of ASNeG's client files to the variables of a configuration.

A node's ``ns=1`` is the first URI that its own file lists, so the result names namespaces by URI.
The ``<MetaData>`` tree arrives at clients as ASNeG's server sent it.  Pure.
"""

import re
from typing import Any, Callable, Dict, List, Optional

from ..config.yamlfile import block_lines, key_text, quoted
from ..model.datatypes import TYPE_IDS, NodeId, format_node_id, parse_node_id
from .asneg_xml import Element

_STANDARD_URI = "http://opcfoundation.org/UA/"

#: Takes a problem or a warning: file, line, sentence.
Tell = Callable[[str, int, str], None]


class Variables:
    """The variables of one installation, where a name is used once; *problem* and *warn* are
    told what cannot be taken over and what was changed."""

    def __init__(self, problem: Tell, warn: Tell) -> None:
        self._problem = problem
        self._warn = warn
        # Where each name is, as "file:line".
        self._places: Dict[str, str] = {}

    def lines(self, node: Element, path: str, uris: List[str]) -> List[str]:
        """The YAML of *node*, which stands in the file *path*; nothing if it is left out.  *uris*
        are the namespaces of the file, from ``ns=1`` on."""
        name = node.attributes.get("ValueName", "")
        if not re.fullmatch(r"[^\x00-\x1f\x7f]{1,256}", name):
            self._problem(
                path,
                node.line,
                "<Node>: expected ValueName with 1 to 256 characters, got %r" % name[:40],
            )
            return []
        if name in self._places:
            self._warn(
                path,
                node.line,
                "ValueName %r is left out, since %s already has it (ASNeG's server does not "
                "start with such a pair); rename one to have both" % (name, self._places[name]),
            )
            return []
        self._places[name] = "%s:%d" % (path, node.line)
        node_text = self._node_id(node, path, name, uris)
        type_name = node.attributes.get("NodeType", "").strip()
        if not 0 < TYPE_IDS.get(type_name, 0) < 25:
            self._problem(
                path,
                node.line,
                "ValueName %r: expected NodeType to be a built-in type such as Double, got %r"
                % (name, type_name),
            )
        fields = [
            "node: %s" % quoted(node_text),
            "type: %s" % type_name,
            "array: %s" % ("true" if node.attributes.get("Array") == "1" else "false"),
            "access: readwrite",
        ]
        metadata = self._metadata(node, path, name)
        if not metadata:
            return ["      %s: {%s}" % (key_text(name), ", ".join(fields))]
        lines = ["      %s:" % key_text(name)]
        lines += ["        " + each for each in fields]
        lines.append("        metadata:")
        lines += block_lines(metadata, "          ")
        return lines

    def _node_id(self, node: Element, path: str, name: str, uris: List[str]) -> str:
        text = node.attributes.get("NodeId", "").strip()
        trailing = re.fullmatch(r"(?!ns=)(.*);ns=([0-9]+);?", text, re.DOTALL)
        if trailing is not None:
            text = "ns=%s;%s" % (trailing.group(2), trailing.group(1))
        try:
            node_id = parse_node_id(text)
        except ValueError as error:
            self._problem(path, node.line, "ValueName %r: NodeId: %s" % (name, error))
            return ""
        if node_id == NodeId(0, 0) or node_id.server_index:
            self._problem(path, node.line, "ValueName %r: NodeId %r is no node" % (name, text))
        if node_id.namespace == 0:
            return format_node_id(node_id)
        if node_id.namespace > len(uris) or not uris[node_id.namespace - 1]:
            self._problem(
                path,
                node.line,
                "ValueName %r: ns=%d is number %d of the URIs in <NamespaceUri>, which has %d; "
                "add the namespace's <Uri> there"
                % (name, node_id.namespace, node_id.namespace, len(uris)),
            )
            return ""
        uri: Optional[str] = uris[node_id.namespace - 1]
        if uri == _STANDARD_URI:
            uri = None
        return format_node_id(NodeId(0, node_id.identifier, uri))

    def _metadata(self, node: Element, path: str, name: str) -> Dict[str, Any]:
        element = node.first("MetaData")
        if element is None:
            return {}
        value = self._tree(element, path, name)
        if isinstance(value, dict):
            return value
        if value.strip():
            self._warn(
                path,
                element.line,
                "ValueName %r: the text of <MetaData> is left out, since MetaData is an object"
                % name,
            )
        return {}

    def _tree(self, element: Element, path: str, name: str) -> Any:
        """An element as ASNeG's server sends it: text, or an object of its children.

        There a repeated element became an object with a repeated member, of which a JSON
        parser keeps one; here it becomes an array.
        """
        if not element.children and not element.attributes:
            return element.text
        if element.text.strip():
            self._warn(
                path,
                element.line,
                "ValueName %r: the text of <%s> is left out, as it was there, since the element "
                "has attributes or elements" % (name, element.name),
            )
        members: Dict[str, List[Any]] = {}
        if element.attributes and element.name != "MetaData":
            members["<xmlattr>"] = [dict(element.attributes)]
        for child in element.children:
            convert = self._array if child.attributes.get("type") == "array" else self._tree
            members.setdefault(child.name, []).append(convert(child, path, name))
        return {key: values[0] if len(values) == 1 else values for key, values in members.items()}

    def _array(self, element: Element, path: str, name: str) -> List[Any]:
        """The items of an element with ``type="array"``: a ``value`` is its content, any other
        element an object with it as the one member."""
        items: List[Any] = []
        for child in element.children:
            plain = child.children and all(each.name == "value" for each in child.children)
            as_array = child.attributes.get("type") == "array" or plain
            value = (self._array if as_array else self._tree)(child, path, name)
            items.append(value if child.name == "value" else {child.name: value})
        return items
