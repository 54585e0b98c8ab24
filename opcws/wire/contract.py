"""The wire contract: the JSON Schema files of ``schemas/``, and whether a message follows them.

The rules that this module obeys:

- A schema file is the only place where the form of a message is written down; nothing here
  knows a member's name except those of the envelope and of the variables.
- Two validators read the same file.  ``fastjsonschema`` says in microseconds that a message is
  good; ``jsonschema`` judges what the first one refuses, and its verdict counts.
- ``fastjsonschema`` generates Python code from a schema and executes it.  The schemas are this
  package's own files, never anything that a client or an OPC UA server sent.
- What a client sent costs no more than time in proportion to its size, and a reason is one
  sentence of at most :data:`MAX_REASON` characters.

Pure: no socket, no thread, no clock.  Any thread may call any function; what is built at first
use is cached, and built twice at worst.
"""

import difflib
import json
import re
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import fastjsonschema
from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend

from ..model.errors import RequestError
from . import shapes
from .shapes import Shape

#: Version of the contract; every schema's ``$id`` carries it.
VERSION = "1.0"

#: The requests without their ``_REQUEST``, each answered by ``X_RESPONSE``.
OPERATIONS = (
    "VALUELIST",
    "VALUEINFO",
    "READ",
    "WRITE",
    "HISTORICALREAD",
    "MONITORSTART",
    "MONITORSTOP",
)

#: Every message type, hence every schema file but those of the configuration and of /status.
MESSAGE_TYPES = (
    tuple(name + "_REQUEST" for name in OPERATIONS)
    + tuple(name + "_RESPONSE" for name in OPERATIONS)
    + ("MONITORUPDATE_MESSAGE", "SERVERSTATUS_MESSAGE", "ERROR")
)

#: Most characters of a reason, and of a client's value or member name shown in it.
MAX_REASON = 300
MAX_SHOWN = 60

# Problems looked at before the most helpful one is chosen; a message can have a million.
_MAX_PROBLEMS = 20

# Shapes of Bodies remembered for each message type.
_MAX_SHAPES = 256

# Deeper than any member that a request schema says something about.
_MAX_DEPTH = 12

_HERE = Path(__file__).resolve().parent.parent


def document(name: str) -> Dict[str, Any]:
    """The schema file *name*, such as ``"config.schema.json"``, parsed; a new copy every time.

    Found both in an installed package (``opcws/schemas/``) and in a checkout, where
    ``schemas/`` lies beside the package.  Raises :exc:`FileNotFoundError` if there is none.
    """
    for directory in (_HERE / "schemas", _HERE.parent / "schemas"):
        path = directory / name
        if path.is_file():
            parsed: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return parsed
    raise FileNotFoundError("opcws is not installed completely: there is no schemas/%s" % name)


@lru_cache(maxsize=None)
def schema(message_type: str) -> Dict[str, Any]:
    """The schema of *message_type*, such as ``"READ_REQUEST"``; shared, not to be changed.

    Raises :exc:`LookupError` if there is no such message type.
    """
    if message_type not in MESSAGE_TYPES:
        raise LookupError("there is no message type %r" % message_type)
    return document(message_type + ".json")


def check(message_type: str, message: Dict[str, Any]) -> None:
    """Raise :exc:`RequestError` (``BadAttributeIdInvalid``) unless *message*, parsed JSON,
    follows the schema of *message_type*.

    Quick, and made for requests; :func:`problems` is for what the server sends.  The reason
    names the JSON path and the fix: ``Body.Variable: expected a string, got 5``.
    Raises :exc:`LookupError` if there is no such message type.
    """
    if _accepts(message_type)(message):
        return
    # What lies deeper than the schemas look cannot change the verdict, but jsonschema puts
    # values into its messages, and the text of a deep one is more than the stack may hold.
    pruned = _pruned(message, _MAX_DEPTH)
    errors = islice(_quick_judge(message_type).iter_errors(pruned), _MAX_PROBLEMS)
    found = [_problem(error) for error in errors]
    if found:
        raise RequestError(_reason(min(found, key=_rank)))


def check_body(message_type: str, message: Dict[str, Any]) -> None:
    """:func:`check` for a request of which :mod:`opcws.wire.messages` has found the header good.

    Of most Bodies the names of the members decide, and what kind each value is, but not which
    value; so those that are alike in this are judged once.
    """
    body = message.get("Body")
    if len(message) == 2 and type(body) is dict:
        judged, verdicts = _shapes(message_type)
        shape = shapes.shape_of(body, judged)
        if shape is not None:
            good = verdicts.get(shape)
            if good is None:
                if len(verdicts) >= _MAX_SHAPES:
                    verdicts.clear()
                good = verdicts[shape] = _accepts(message_type)(message)
            if good:
                return
    check(message_type, message)


def problems(message_type: str, message: Dict[str, Any]) -> List[str]:
    """All that is wrong with *message*, a sentence each; empty if it follows its schema.

    Complete rather than quick: meant for tests, of outgoing messages above all.
    Raises :exc:`LookupError` if there is no such message type.
    """
    return [_reason(_problem(error)) for error in _judge(message_type).iter_errors(message)]


def single_variable(message_type: str, message: Dict[str, Any]) -> Optional[str]:
    """The one variable that a request of the singular form names, also where :func:`check`
    finds something else wrong; ``None`` for a list form or without a usable name.

    An unknown variable is looked for before the rest of the body is
    (rows 6 and 7 of the failure table), so a caller needs the name of a request that failed.
    """
    members = schema(message_type)["properties"]["Body"]["properties"]
    body = message.get("Body")
    if "Variable" not in members or not isinstance(body, dict):
        return None
    if any(other in body for other in ("Variables", "Writes")):
        return None
    name = body.get("Variable")
    return name if isinstance(name, str) else None


# -- The two validators ---------------------------------------------------------------------


@lru_cache(maxsize=None)
def _rules(message_type: str) -> Dict[str, Any]:
    """The schema without what is for readers only.

    The ``$id`` is one of these: older validators cannot join a "#/definitions/..." to a URN.
    """
    whole = schema(message_type)
    return {key: value for key, value in whole.items() if key not in ("$id", "examples")}


def _compiled(rules: Dict[str, Any]) -> Callable[[Any], bool]:
    """*rules*, a schema of ours, as a function that says whether a value follows it."""
    validate = fastjsonschema.compile(_without_choices(rules), use_default=False, use_formats=False)

    def accepts(value: Any) -> bool:
        try:
            validate(value)
        except Exception:
            # Not only its own: what fastjsonschema 2.21, the last for Python 3.8, generates can
            # stumble over a value of the wrong type.  Either way the judge has the last word.
            return False
        return True

    return accepts


def _without_choices(rules: Any) -> Any:
    """*rules* with "either this member or that one" said in a way that costs nothing.

    What fastjsonschema makes of such a ``oneOf`` tries each side, and one of the two always
    fails: an exception with a sentence in it for every good message, ten times the rest.
    """
    if isinstance(rules, list):
        return [_without_choices(each) for each in rules]
    if not isinstance(rules, dict):
        return rules
    made = {name: _without_choices(each) for name, each in rules.items()}
    sides = made.get("oneOf", [])
    if (
        len(sides) == 2
        and all(list(each) == ["required"] and len(each["required"]) == 1 for each in sides)
        and made.get("type") == "object"
        and "if" not in made
    ):
        first, second = (each["required"][0] for each in made.pop("oneOf"))
        made["if"] = {"required": [first]}
        made["then"] = {"properties": {second: False}}
        made["else"] = {"required": [second]}
    return made


@lru_cache(maxsize=None)
def _accepts(message_type: str) -> Callable[[Any], bool]:
    return _compiled(_rules(message_type))


@lru_cache(maxsize=None)
def _shapes(message_type: str) -> Tuple[FrozenSet[str], Dict[Shape, bool]]:
    """The members whose values decide whether a request is good; and, for Bodies without any of
    them, which shapes are good ones."""
    return shapes.judged_members(schema(message_type)), {}


def _pattern(
    validator: Draft7Validator, pattern: str, instance: Any, rules: Mapping[str, Any]
) -> Iterator[ValidationError]:
    # In a JSON Schema "$" is the very end; in a Python expression also before a last newline.
    if pattern.endswith("$"):
        pattern = pattern[:-1] + r"\Z"
    if isinstance(instance, str) and not re.search(pattern, instance):
        yield ValidationError("does not match the pattern")


_Judge: Any = extend(Draft7Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


@lru_cache(maxsize=None)
def _judge(message_type: str) -> Any:
    return _Judge(_rules(message_type))


@lru_cache(maxsize=None)
def _quick_judge(message_type: str) -> Any:
    """The judge, except that it does not look at list items that the fast validator accepts.

    One bad item after 100,000 good ones would otherwise take it a second to find.
    """
    whole = _rules(message_type)
    compiled: Dict[str, Callable[[Any], bool]] = {}

    def items(
        validator: Draft7Validator, item_rules: Any, instance: Any, rules: Mapping[str, Any]
    ) -> Iterator[ValidationError]:
        # A list that is too long has been reported as such.
        if not isinstance(instance, list) or len(instance) > rules.get("maxItems", len(instance)):
            return
        key = json.dumps(item_rules)
        if key not in compiled:
            compiled[key] = _compiled(
                {
                    "$schema": whole["$schema"],
                    "definitions": whole.get("definitions", {}),
                    "allOf": [item_rules],
                }
            )
        accepts = compiled[key]
        for index, item in enumerate(instance):
            if not accepts(item):
                yield from validator.descend(item, item_rules, path=index)

    judge: Any = extend(_Judge, {"items": items})  # type: ignore[no-untyped-call]
    return judge(whole)


def _pruned(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return {k: _pruned(v, depth - 1) for k, v in value.items()} if depth else {}
    if isinstance(value, list):
        return [_pruned(v, depth - 1) for v in value] if depth else []
    return value


# -- Reasons --------------------------------------------------------------------------------


class _Problem(NamedTuple):
    """One keyword of a schema that one value in a message does not follow."""

    path: Tuple[Union[str, int], ...]
    keyword: str
    limit: Any  # the keyword's value
    rules: Mapping[str, Any]  # the schema that the keyword is in
    value: Any


def _problem(error: ValidationError) -> _Problem:
    """What *error* is about; where alternatives failed, the one that got furthest."""
    while True:
        rules = error.schema if isinstance(error.schema, dict) else {}
        problem = _Problem(
            tuple(error.absolute_path),
            str(error.validator),
            error.validator_value,
            rules,
            error.instance,
        )
        if not error.context or _forms(problem):
            return problem
        error = max(error.context, key=lambda each: len(each.absolute_path))


def _rank(problem: _Problem) -> int:
    """How little it helps to be told of *problem* first: a misspelt member explains the missing
    one, and without its variable there is no request."""
    if problem.keyword == "additionalProperties":
        return 0 if _unknown_member(problem)[1] is not None else 3
    return 1 if len(problem.path) < 3 and problem.keyword != "dependencies" else 2


def _reason(problem: _Problem) -> str:
    """One sentence of at most ``MAX_REASON`` characters: where, what is expected, what came."""
    text = _REASONS.get(problem.keyword, _other)(problem)
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 3] + "..."


def _path(problem: _Problem, *members: str) -> str:
    text = ""
    for step in (*problem.path, *members):
        if isinstance(step, int):
            text += "[%d]" % step
        elif re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,%d}" % (MAX_SHOWN - 1), step):
            text += "." + step
        else:
            text += "[%s]" % _shown(step)
    return text.lstrip(".") or "the message"


def _type(problem: _Problem) -> str:
    return "%s: expected %s, got %s" % (
        _path(problem),
        _expected(problem.rules),
        _shown(problem.value),
    )


def _limit(problem: _Problem) -> str:
    """A number, string or list that is too small or too large."""
    limit, value = problem.limit, problem.value
    if isinstance(value, str) and limit == 0:
        return _type(problem)
    bound = "at least" if problem.keyword.startswith("min") else "at most"
    if isinstance(value, (str, list)):
        unit = "character" if isinstance(value, str) else "item"
        expected = "%s %s %s%s" % (bound, limit, unit, "" if limit == 1 else "s")
        got = str(len(value))
    else:
        number = "integer" if "integer" in _types(problem.rules) else "number"
        expected = "%s of %s %s" % (_WORDS[number], bound, limit)
        got = _shown(value)
    return "%s: expected %s, got %s" % (_path(problem), expected, got)


def _choice(problem: _Problem) -> str:
    allowed = problem.limit if problem.keyword == "enum" else [problem.limit]
    return "%s: expected %s, got %s" % (
        _path(problem),
        _listed([_shown(each) for each in allowed], "or"),
        _shown(problem.value),
    )


def _unknown_member(problem: _Problem) -> Tuple[str, Optional[str]]:
    """The first member that does not belong there, and the one probably meant."""
    known = problem.rules.get("properties", {})
    name = next(each for each in problem.value if each not in known)
    free = {each.lower(): each for each in known if each not in problem.value}
    near = difflib.get_close_matches(name[:MAX_SHOWN].lower(), free, n=1, cutoff=0.7)
    return name, free[near[0]] if near else None


def _unknown(problem: _Problem) -> str:
    name, meant = _unknown_member(problem)
    known = list(problem.rules.get("properties", {}))
    if meant is not None:
        advice = "did you mean %s?" % meant
    elif known:
        advice = "expected one of %s" % ", ".join(known)
    else:
        advice = "expected none"
    return "%s: unknown member, %s" % (_path(problem, name), advice)


def _required(problem: _Problem) -> str:
    name = next(each for each in problem.limit if each not in problem.value)
    return "%s is missing" % _path(problem, name)


def _dependencies(problem: _Problem) -> str:
    for name, needed in problem.limit.items():
        missing = [each for each in needed if each not in problem.value]
        if name in problem.value and missing:
            return "%s is missing, it goes with %s" % (_path(problem, missing[0]), name)
    return _other(problem)


def _forms(problem: _Problem) -> List[str]:
    """The members that a schema's alternatives are told apart by; empty for others."""
    if problem.keyword not in ("oneOf", "anyOf"):
        return []
    needed = [each.get("required", ()) for each in problem.limit]
    return [each[0] for each in needed] if all(len(each) == 1 for each in needed) else []


def _alternatives(problem: _Problem) -> str:
    names = _forms(problem)
    if not names:
        return _other(problem)
    if not isinstance(problem.value, dict):
        return _type(problem)
    if problem.keyword == "anyOf":
        return "%s: give at least one of %s" % (_path(problem), _listed(names, "and"))
    both = ", not both" if all(name in problem.value for name in names) else ""
    return "%s: give either %s%s" % (_path(problem), _listed(names, "or"), both)


def _not(problem: _Problem) -> str:
    unwanted = problem.limit.get("required")
    if not unwanted:
        return _other(problem)
    return "%s: expected no %s here" % (_path(problem), _listed(unwanted, "together with"))


def _other(problem: _Problem) -> str:
    return "%s: does not follow the contract, got %s" % (_path(problem), _shown(problem.value))


_REASONS: Mapping[str, Callable[[_Problem], str]] = {
    "type": _type,
    "pattern": _type,
    "minimum": _limit,
    "maximum": _limit,
    "minLength": _limit,
    "maxLength": _limit,
    "minItems": _limit,
    "maxItems": _limit,
    "enum": _choice,
    "const": _choice,
    "additionalProperties": _unknown,
    "required": _required,
    "dependencies": _dependencies,
    "oneOf": _alternatives,
    "anyOf": _alternatives,
    "not": _not,
}

_WORDS = {
    "string": "a string",
    "object": "an object",
    "array": "a list",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


def _types(rules: Mapping[str, Any]) -> List[str]:
    types = rules.get("type", [])
    return [types] if isinstance(types, str) else list(types)


def _expected(rules: Mapping[str, Any]) -> str:
    """What the schema *rules* asks of a value, in plain words."""
    words = []
    as_text = False
    types = _types(rules)
    for each in types:
        if each in ("number", "integer") and "minimum" in rules:
            words.append("%s of at least %s" % (_WORDS[each], rules["minimum"]))
        elif each != "string" or len(types) == 1:
            words.append(_WORDS[each])
        elif "pattern" in rules:
            as_text = True
        elif rules.get("maxLength") != 0:  # "" stands for an empty object or list
            words.append(_WORDS[each])
    text = _listed(words, "or")
    if "pattern" in rules and not {"number", "integer", "boolean"}.intersection(types):
        return "a string that matches %s" % rules["pattern"]
    return text + ", or the same as a string" if as_text else text


def _listed(words: Sequence[str], last: str) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    if len(words) < 2:
        return "".join(words)
    return "%s %s %s" % (", ".join(words[:-1]), last, words[-1])


def _shown(value: Any, room: int = MAX_SHOWN) -> str:
    """*value* as JSON that a person can read, at most *room* characters."""
    text = "".join(islice(_characters(value, 4), room + 1))
    return text if len(text) <= room else text[: room - 3] + "..."


def _characters(value: Any, depth: int) -> Iterator[str]:
    """The characters of :func:`_shown`, made one by one so that a large value costs nothing."""
    if isinstance(value, str):
        yield '"'
        for character in value:
            # Unpaired surrogates and control characters would not survive being sent or logged.
            plain = character.isprintable() and character not in '"\\'
            yield from character if plain else json.dumps(character)[1:-1]
        yield '"'
    elif isinstance(value, (dict, list)):
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        yield opening
        if value and depth == 0:
            yield from "..."
        else:
            for index, each in enumerate(value):
                yield from ", " if index else ""
                yield from _characters(each, depth - 1)
                if isinstance(value, dict):
                    yield from ": "
                    yield from _characters(value[each], depth - 1)
        yield closing
    elif isinstance(value, int) and value.bit_length() > 1024:
        # Python may refuse to write out a number of thousands of digits.
        yield from "a number of %d bits" % value.bit_length()
    else:
        yield from json.dumps(value)
