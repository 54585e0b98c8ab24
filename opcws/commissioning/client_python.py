"""A plant's variables as a Python file, based on :mod:`opcws.client.typed`."""

import keyword
from typing import Iterator, List, Sequence

from .client_names import Branch, Tag, enumeration_members, literal, text_line, tree

#: Words that cannot be the name of a member: annotations and decorators beside it need them, or
#: variables, groups and the plant have them already.
_RESERVED = {
    *keyword.kwlist,
    *("bool", "bytes", "float", "int", "property", "str", "Enumerations"),
    *("client", "history", "kind", "monitor", "name", "read", "read_data_value", "read_many"),
    *("to", "write", "write_many"),
}
#: The imports of the file; their names, like those of groups, begin with an underscore.
_RESERVED_TYPES = {*keyword.kwlist, "Any", "List", "Optional", "get_args", "typed"}
#: The same for a member of an enumeration.
_RESERVED_VALUES = {
    *keyword.kwlist,
    *("as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes"),
    *("imag", "is_integer", "mro", "name", "numerator", "real", "to_bytes", "value"),
}
#: The Python type of each built-in type.
_TYPES = {
    "Boolean": "bool",
    **dict.fromkeys("SByte Byte Int16 UInt16 Int32 UInt32 Int64 UInt64".split(), "int"),
    **dict.fromkeys(("Float", "Double"), "float"),
    **dict.fromkeys(("DateTime", "Guid", "NodeId", "ExpandedNodeId"), "str"),
    **dict.fromkeys(("String", "XmlElement"), "_Optional[str]"),
    "ByteString": "_Optional[bytes]",
    "StatusCode": "_typed.StatusCode",
    "QualifiedName": "_typed.QualifiedName",
    "LocalizedText": "_typed.LocalizedText",
    "ExtensionObject": "_typed.Structure",
}

#: No member begins with such a character.
_IMPORTS = """\
from typing import Any as _Any
from typing import List as _List
from typing import Literal, Tuple
from typing import Optional as _Optional
from typing import get_args as _get_args

from opcws.client import typed as _typed
"""


def python(tags: Sequence[Tag], head: Sequence[str]) -> str:
    """The text of the file; *head* are the lines that say how it was made."""
    root = tree(tags, _RESERVED, _RESERVED_TYPES)
    lines = ['"""The variables of a plant, with their types, for opcws.client.', ""]
    lines += [_quoted(line) for line in head]
    lines += ['"""', "", *_IMPORTS.splitlines()]
    lines += ["", "", "class Enumerations:", '    """Names of values."""']
    for each in root.below():
        if each.tag is not None and each.tag.names:
            lines += ["", *_enumeration(each, each.tag)]
    for each in root.below():
        if each.branches:
            lines += ["", "", *_group(each)]
    lines += ["", "", "class Plant(_typed.TypedPlant):"]
    lines += ['    """All variables: ``with Plant(Client(URL)) as plant: ...``."""']
    lines += _members(root)
    lines += ["", "", "#: What opcws calls them."]
    if tags:
        lines += ["Name = Literal[", *("    %s," % literal(tag.name) for tag in tags), "]"]
        lines += ["NAMES: Tuple[Name, ...] = _get_args(Name)"]
    else:
        lines += ["NAMES: Tuple[str, ...] = ()"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text_line(text).replace("\\", "\\\\").replace('"', '\\"')


def _enumeration(branch: Branch, tag: Tag) -> List[str]:
    lines = ["    class %s(_typed.Enumeration):" % branch.type_word]
    lines += ['        """Values of %s."""' % _quoted(tag.name), ""]
    for word, value in enumeration_members(tag, _RESERVED_VALUES):
        lines.append("        %s = %d" % (word, value))
    return lines


def _group(branch: Branch) -> List[str]:
    base = "_typed.Group" if branch.tag is None else _class(branch, branch.tag)
    lines = ["class _%s(%s):" % (branch.type_word, base)]
    lines.append('    """%s"""' % _quoted("%s.*" % branch.name))
    return [*lines, *_members(branch)]


def _members(branch: Branch) -> Iterator[str]:
    for _, each in sorted(branch.branches.items()):
        tag = each.tag
        made = returned = "_" + each.type_word
        if tag is not None:
            returned = made if each.branches else _class(each, tag)
            made = "%s(self._client, %s, %s)" % (
                made if each.branches else returned.partition("[")[0],
                literal(tag.name),
                _kind(each, tag),
            )
        else:
            made += "(self._client)"
        yield ""
        yield "    @property"
        yield "    def %s(self) -> %s:" % (each.word, returned)
        if tag is not None:
            yield from _docstring(tag)
        yield "        return " + made


def _docstring(tag: Tag) -> Iterator[str]:
    description, remark = _quoted(tag.description), _quoted(tag.remark())
    if description:
        yield '        """%s' % description
        yield ""
        yield "        %s" % remark
        yield '        """'
    else:
        yield '        """%s"""' % remark


def _class(branch: Branch, tag: Tag) -> str:
    kind = "ReadWritable" if tag.access == "readwrite" else "Readable"
    kind = "Writable" if tag.access == "write" else kind
    return "_typed.%s[%s]" % (kind, _type(branch, tag))


def _type(branch: Branch, tag: Tag) -> str:
    if not tag.known:
        return "_Any"
    one = "Enumerations." + branch.type_word if tag.names else _TYPES.get(tag.type, "_Any")
    return "_Optional[_List[%s]]" % one if tag.is_array else one


def _kind(branch: Branch, tag: Tag) -> str:
    if not tag.known or tag.type not in _TYPES:
        return "_typed.ANY"
    kind = "_typed." + ("STRUCTURE" if tag.type == "ExtensionObject" else tag.type.upper())
    if tag.names:
        kind = "_typed.enumeration(%s, Enumerations.%s)" % (kind, branch.type_word)
    return "_typed.array(%s)" % kind if tag.is_array else kind
