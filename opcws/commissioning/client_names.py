"""The variables of a plant for a generated client, and their identifiers.

Rules of the identifiers:

* They depend on the names alone, not on their order, and not on the release of Python: letters are
  those of Unicode 3.2, which every language knows.
* If two names would have the same identifier, each gets a tag made of its name.  So an identifier
  never changes its meaning because a variable was added.
* No identifier begins with an underscore or a digit; generated code uses such names itself.
* An identifier that is too long for a compiler is cut, and gets a tag too.

Pure.
"""

import hashlib
import json
from typing import (
    Any,
    Callable,
    Container,
    Dict,
    Hashable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
)
from unicodedata import ucd_3_2_0 as unicode

from ..config.settings import Config
from ..model.data_types import INTEGER_RANGES, TYPE_IDS, TYPE_NAMES
from ..wire import contract

K = TypeVar("K", bound=Hashable)

#: General categories of the characters in an identifier.
_LETTERS = ("Lu", "Ll", "Lt", "Lm", "Lo", "Nl")
_IN_IDENTIFIERS = (*_LETTERS, "Mn", "Mc", "Nd")

#: Most characters of an identifier without its tag: Mono's compiler accepts 512.
LONGEST = 250
#: Most parts of a name; the rest is one more part.
DEEPEST = 32


class Tag(NamedTuple):
    """One variable.  ``type`` is the name of the built-in type, ``""`` if it is not known;
    ``is_array`` is ``None`` then; ``names`` are the names of the values of an enumeration."""

    name: str
    type: str = ""
    is_array: Optional[bool] = None
    access: str = "read"
    description: str = ""
    unit: str = ""
    range: Tuple[str, ...] = ()
    names: Tuple[Tuple[int, str], ...] = ()
    node: str = ""

    @property
    def readable(self) -> bool:
        return self.access != "write"

    @property
    def writable(self) -> bool:
        return self.access != "read"

    @property
    def known(self) -> bool:
        """Whether its type is known."""
        return self.type not in ("", "Variant", "DataValue") and self.is_array is not None

    def remark(self) -> str:
        """Everything known about it except the description, in one line."""
        kind = self.type + ("[]" if self.is_array else "") if self.type else "any type"
        parts = [
            kind + (" in " + self.unit if self.unit else ""),
            " to ".join(self.range),
            {"read": "read", "write": "write", "readwrite": "read, write"}[self.access],
            self.node,
        ]
        return text_line("; ".join(part for part in parts if part))


def of_infos(infos: Sequence[Mapping[str, Any]]) -> List[Tag]:
    """Variables from the items of VALUEINFO, without those that can be neither read nor written.

    Raises :exc:`ValueError` if *infos* are not from VALUEINFO."""
    if not all(contract.follows("VALUEINFO_RESPONSE", "VariableInfo", info) for info in infos):
        raise ValueError("what came does not follow the schema of VALUEINFO_RESPONSE")
    if len({info["Variable"] for info in infos}) < len(infos):
        raise ValueError("two variables came that have the same name")
    return [_of_info(info) for info in infos if info.get("Access") in _ACCESS]


_ACCESS = ("read", "write", "readwrite")


def _of_info(info: Mapping[str, Any]) -> Tag:
    limits, units = info.get("EURange") or {}, info.get("EngineeringUnits") or {}
    type_name = info.get("Type", "")
    numbered = [(each["Value"], each["DisplayName"]) for each in info.get("EnumValues") or ()]
    numbered = numbered or list(enumerate(info.get("EnumStrings") or ()))
    return Tag(
        info["Variable"],
        type_name,
        info.get("IsArray"),
        info["Access"],
        info.get("Description") or "",
        units.get("DisplayName") or "",
        tuple(str(limits[each]) for each in ("Low", "High") if each in limits),
        _fitting(type_name, numbered),
        info.get("NodeId") or "",
    )


def _fitting(type_name: str, numbered: Sequence[Tuple[int, str]]) -> Tuple[Tuple[int, str], ...]:
    """The names of the values that fit the type; the first name if a value has two."""
    low, high = INTEGER_RANGES.get(TYPE_IDS.get(type_name, 0), (1, 0))
    first = {value: name for value, name in reversed(numbered) if low <= value <= high}
    return tuple(sorted((value, name or "") for value, name in first.items()))


def of_config(config: Config) -> List[Tag]:
    """Variables from the configuration, which seldom has their type."""
    return [
        Tag(
            each.name,
            TYPE_NAMES.get(each.type, ""),
            each.is_array,
            each.access,
            each.description or "",
            node=each.node_text,
        )
        for each in sorted(config.variables.values(), key=lambda each: each.name)
    ]


# --- text -------------------------------------------------------------------------------------


def text_line(text: str) -> str:
    """*text* in one line without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def literal(text: str) -> str:
    """*text* in double quotes, as Python, C# and JavaScript read it."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() or ord(c) > 0xFFFF else "\\u%04x" % ord(c) for c in quoted)


# --- identifiers ------------------------------------------------------------------------------


def identifier(text: str, reserved: Container[str] = ()) -> str:
    """*text* as a word of a programming language, other than those *reserved*."""
    text = unicode.normalize("NFKC", text)
    word = "".join(c if _fits(c) else "_" for c in text)
    if not word or unicode.category(word[0]) not in _LETTERS:
        word = "N" + word
    return word + "_" if word in reserved else word


def _fits(character: str) -> bool:
    if character <= "\x7f":
        return character.isalnum() or character == "_"
    # C# accepts no characters that need surrogates.
    return character <= "\uffff" and unicode.category(character) in _IN_IDENTIFIERS


def distinct(wanted: Mapping[K, str], raw: Callable[[K], str]) -> Dict[K, str]:
    """The identifiers *wanted*; those that occur twice or are too long get a tag of the *raw*
    name."""
    users: Dict[str, int] = {}
    for word in wanted.values():
        users[word] = users.get(word, 0) + 1
    found: Dict[K, str] = {}
    taken = set(users)
    for key in sorted(wanted, key=raw):
        word = wanted[key]
        if users[word] > 1 or len(word) > LONGEST:
            digest = hashlib.sha256(raw(key).encode("utf-8", "replace")).hexdigest()
            tags = [word[:LONGEST] + "_" + digest[:length] for length in (8, 16, 64)]
            word = next(each for each in tags if each not in taken)
            taken.add(word)
        found[key] = word
    return found


def enumeration_members(tag: Tag, reserved: Container[str]) -> List[Tuple[str, int]]:
    """Identifier and number of each value of an enumeration."""
    wanted = {
        value: identifier(name, reserved) if name else "N%s" % str(value).replace("-", "_")
        for value, name in tag.names
    }
    found = distinct(wanted, str)
    return [(found[value], value) for value, _ in tag.names]


class Branch:
    """A part of the names of some variables: ``Boiler`` of ``Boiler.Temperature``.

    ``path`` are the parts down to here, ``word`` is its identifier in its branch, ``type_word`` its
    unique one in the file; ``tag`` is the variable of exactly this name, if there is one.
    """

    def __init__(self, path: Tuple[str, ...] = ()) -> None:
        self.path = path
        self.word = ""
        self.type_word = ""
        self.tag: Optional[Tag] = None
        self.branches: Dict[str, Branch] = {}

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def below(self) -> Iterator["Branch"]:
        """All branches below this one, the deepest first."""
        for _, each in sorted(self.branches.items()):
            yield from each.below()
            yield each


def tree(
    tags: Sequence[Tag], reserved: Container[str] = (), reserved_types: Container[str] = ()
) -> Branch:
    """*tags* as a tree of the parts of their names, with identifiers other than those
    *reserved*, for members and for types."""
    root = Branch()
    for tag in tags:
        place = root
        for part in tag.name.split(".", DEEPEST):
            if part not in place.branches:
                place.branches[part] = Branch((*place.path, part))
            place = place.branches[part]
        place.tag = tag
    _name(root, reserved, ())
    branches = list(root.below())
    wanted = {each: each.type_word for each in branches}
    for each, word in wanted.items():
        wanted[each] = word + "_" if word in reserved_types else word
    types = distinct(wanted, lambda each: each.name)
    for each in branches:
        each.type_word = types[each]
    return root


def _name(branch: Branch, reserved: Container[str], above: Tuple[str, ...]) -> None:
    wanted = {part: identifier(part, reserved) for part in branch.branches}
    for part, word in distinct(wanted, str).items():
        each = branch.branches[part]
        each.word = word
        each.type_word = "_".join((*above, word))
        _name(each, reserved, (*above, word))
