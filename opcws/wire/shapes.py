"""The shape of a Body: what of it decides whether a request follows its schema.

To validate a message costs several times what it takes to decode it, and nearly all that one
client sends is alike.  A schema says of most members only which they are and of what kind; two
messages that differ in nothing else are both good or both bad.  So the contract judges a shape
once, by its validators, and remembers the verdict.

Which members' values matter is found in the schema, by keyword: whatever is not known to look at
members and kinds alone makes its member a judged one, and a message with such a member has no
shape.  So a schema that changes needs no change here.

Pure.
"""

from typing import Any, Dict, FrozenSet, Iterator, List, Optional, Tuple

#: The names of an object's members, each followed by the kind of its value: a type, or a shape.
Shape = Tuple[Any, ...]

#: Members of an object, and characters of a string, that has a shape.
MAX_MEMBERS = 8
MAX_FREE = 64

#: Keywords that look at the names of members and the kinds of values, or at lists as a whole ...
_ABOUT_SHAPE = {
    *("description", "type", "required", "additionalProperties", "dependencies"),
    *("$ref", "maxItems"),
}
#: ... and those with rules in them.
_WITH_RULES = {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "items"}
#: In the place of a member: the rules of an object itself look at more than its shape.
_ALL = ""


def judged_members(schema: Dict[str, Any]) -> FrozenSet[str]:
    """The members, at any depth of the Body, whose values decide; of a request's *schema*."""
    body = schema["properties"]["Body"]
    # That an empty string may stand for an object says nothing about an object.
    rules = [{key: rule for key, rule in body.items() if key != "maxLength"}]
    # Where a definition is used is not looked at: what it judges must be members of its own.
    rules += schema.get("definitions", {}).values()
    return frozenset(_judged(rules, _ALL))


def _judged(rules: Any, owner: str) -> Iterator[str]:
    """Those judged by *rules*, which are those of the member *owner*."""
    if isinstance(rules, list):
        for each in rules:
            yield from _judged(each, owner)
    elif isinstance(rules, dict):
        for keyword, rule in rules.items():
            if keyword == "properties":
                for name, each in rule.items():
                    yield from _judged(each, name)
            elif keyword in _WITH_RULES:
                yield from _judged(rule, owner)
            elif keyword == "maxLength" and rule >= MAX_FREE:
                pass
            elif keyword not in _ABOUT_SHAPE:
                yield owner


def shape_of(members: Dict[str, Any], judged: FrozenSet[str]) -> Optional[Shape]:
    """The shape of the object with these *members*; ``None`` if the values decide."""
    if len(members) > MAX_MEMBERS or _ALL in judged:
        return None
    shape: List[Any] = []
    for name, value in members.items():
        if name in judged:
            return None
        kind: Any = type(value)
        if kind is str:
            if len(value) > MAX_FREE:
                return None
        elif kind is dict:
            kind = shape_of(value, judged)
            if kind is None:
                return None
        elif kind is float:
            # 1.0 counts as an integer (JSON Schema validation 6.1.1).
            kind = int if value.is_integer() else float
        elif kind is list:
            return None  # its items have shapes of their own
        shape.append(name)
        shape.append(kind)
    return tuple(shape)
