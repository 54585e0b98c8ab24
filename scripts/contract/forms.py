"""The functions with which the contract is written; each returns a part of a JSON Schema.

The parts are draft-07, except that a ``$ref`` is the bare name of a definition, and that ``type``
may be a list of types, with the keywords of each beside it: :func:`spelled_out` makes alternatives
of it, which strict readers of schemas need.
"""

from typing import Any, Callable, Dict, Iterable, Iterator, Union

Rules = Dict[str, Any]

#: The keywords that apply to any type; each other one belongs to one type.
_OF_ANY = {"title", "description", "type", "enum", "examples"}
_OF_TYPE = {
    "string": {"minLength", "maxLength", "pattern"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "array": {"items", "minItems", "maxItems"},
    "boolean": set(),
    "null": set(),
}
_OF_TYPE["integer"] = _OF_TYPE["number"]
#: The keywords that contain rules, for one value or for each member.
_RULES = ("items", "additionalProperties", "not", "if", "then", "else")
_LISTS_OF_RULES = ("allOf", "anyOf", "oneOf")
_RULES_BY_NAME = ("properties", "definitions", "dependencies")


def text(description: str, **rules: Any) -> Rules:
    return {"description": description, "type": "string", **rules}


def whole(description: str, low: int, high: int) -> Rules:
    return {"description": description, "type": "integer", "minimum": low, "maximum": high}


def number(description: str, **rules: Any) -> Rules:
    return {"description": description, "type": "number", **rules}


def flag(description: str) -> Rules:
    return {"description": description, "type": "boolean"}


def listed(description: str, items: Rules, **rules: Any) -> Rules:
    return {"description": description, "type": "array", "items": items, **rules}


def record(
    description: str,
    members: Rules,
    required: Iterable[str] = (),
    *,
    open: bool = False,
    **rules: Any,
) -> Rules:
    """An object with *members*; *open*: other members are allowed, too."""
    made: Rules = {"description": description, "type": "object", "properties": members}
    if required:
        made["required"] = list(required)
    if not open:
        made["additionalProperties"] = False
    return {**made, **rules}


def one_of(description: str, *alternatives: Rules) -> Rules:
    return {"description": description, "anyOf": list(alternatives)}


def ref(name: str, description: str = "") -> Rules:
    """The definition *name*; with its own *description* it must be wrapped."""
    return (
        {"description": description, "allOf": [{"$ref": name}]} if description else {"$ref": name}
    )


def only(*values: Union[int, str]) -> Rules:
    """One of *values*, which have the same type."""
    kind = "string" if isinstance(values[0], str) else "integer"
    return {"type": kind, "enum": list(values)}


def decimal(low: int, high: int) -> str:
    """The pattern of the whole numbers from *low* to *high* in decimal digits, without leading
    zeros; *low* is 0, 1 or negative."""
    choices = ["0"] if low <= 0 else []
    choices.append(_up_to(high))
    if low < 0:
        choices.append("-(%s)" % _up_to(-low))
    return "^(%s)$" % "|".join(choices)


def _up_to(most: int) -> str:
    """The pattern of the whole numbers from 1 to *most*."""
    digits = str(most)
    size = len(digits)
    choices = ["[1-9][0-9]{0,%d}" % (size - 2)] if size > 1 else []
    for place, digit in enumerate(digits):
        least = 1 if place == 0 else 0
        if int(digit) > least:
            choices.append(
                digits[:place] + _range(least, int(digit) - 1) + _digits(size - place - 1)
            )
    choices.append(digits)
    return "|".join(choices)


def _range(low: int, high: int) -> str:
    return str(low) if low == high else "[%d-%d]" % (low, high)


def _digits(count: int) -> str:
    return "" if count == 0 else "[0-9]" if count == 1 else "[0-9]{%d}" % count


# --- Schemas made from schemas -------------------------------------------------------------------


def deeper(rules: Rules, change: Callable[[Any], Any]) -> Rules:
    """*rules*, in which *change* has changed each schema."""
    made = dict(rules)
    for keyword, rule in rules.items():
        if keyword in _RULES and isinstance(rule, dict):
            made[keyword] = change(rule)
        elif keyword in _LISTS_OF_RULES:
            made[keyword] = [change(each) for each in rule]
        elif keyword in _RULES_BY_NAME:
            made[keyword] = {
                name: change(each) if isinstance(each, dict) else each
                for name, each in rule.items()
            }
    return made


def spelled_out(rules: Rules) -> Rules:
    """*rules* with alternatives instead of several types, except a type or null, and with each
    required member among the members, which strict readers need."""
    made = deeper(rules, spelled_out)
    if "required" in made:
        unsaid = {name: {} for name in made["required"]}
        made["properties"] = {**unsaid, **made.get("properties", {})}
    types = made.get("type")
    if not isinstance(types, list) or (len(types) == 2 and "null" in types and "enum" not in made):
        return made
    about = {key: rule for key, rule in made.items() if key in ("title", "description")}
    return {**about, "anyOf": [_of_type(made, kind) for kind in types]}


def _of_type(rules: Rules, kind: str) -> Rules:
    """The part of *rules* that applies to values of the type *kind*."""
    others = set().union(*_OF_TYPE.values())
    made: Rules = {"type": kind}
    for keyword, rule in rules.items():
        if keyword in ("title", "description", "type"):
            continue
        if keyword in _OF_TYPE[kind] if kind != "object" else keyword not in others:
            made[keyword] = rule
    return made


#: The end of the names of definitions of the string dialect.
IN_STRINGS = "InStrings"


def in_strings(rules: Rules) -> Rules:
    """*rules* of the typed dialect for the same value in the string dialect: each scalar is a
    string; null is an empty string, and so is an empty object or list, if it may be empty."""
    if "$ref" in rules:
        return {**rules, "$ref": rules["$ref"] + IN_STRINGS}
    made = deeper(rules, in_strings)
    types = made.get("type")
    if isinstance(types, list):
        kind = types[0]
        made = in_strings({**rules, "type": kind})
        return made if kind == "string" else {**made, "type": [kind, "string"], "maxLength": 0}
    if types == "null":
        return {**made, "type": "string", "maxLength": 0}
    if types == "boolean":
        return {**made, **only("true", "false")}
    if types in ("integer", "number"):
        if "enum" in made:
            return {**made, **only(*map(str, made["enum"]))}
        low, high = made.pop("minimum"), made.pop("maximum")
        return {**made, "type": "string", "pattern": decimal(low, high)}
    mandatory = made.get("required") or "oneOf" in made
    if types == "object" and not mandatory and "properties" in made:
        return {**made, "type": ["object", "string"], "minProperties": 1, "maxLength": 0}
    if types == "array" and "minItems" not in made:
        return {**made, "type": ["array", "string"], "minItems": 1, "maxLength": 0}
    return made


def names_in(rules: Any) -> Iterator[str]:
    """The names of the definitions that *rules* refer to."""
    if isinstance(rules, dict):
        if "$ref" in rules:
            yield rules["$ref"]
        for each in rules.values():
            yield from names_in(each)
    elif isinstance(rules, list):
        for each in rules:
            yield from names_in(each)


def resolved(rules: Any) -> Any:
    """*rules* in which each name of a definition is its place in the file."""
    if isinstance(rules, dict):
        return {
            key: "#/definitions/" + each if key == "$ref" else resolved(each)
            for key, each in rules.items()
        }
    return [resolved(each) for each in rules] if isinstance(rules, list) else rules
