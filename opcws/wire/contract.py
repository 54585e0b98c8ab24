"""The wire contract: the JSON Schema files of ``schemas/``, and whether a message follows them.

Rules:

- Only ``scripts/contract`` defines the form of messages.  From it ``scripts/schemas.py`` makes the
  published schema files, and ``requests.json``, the rules used here: without optional members that
  are null, and without what is checked later, when the variable is known.  Nothing here knows the
  name of a member except those of the envelope and of the variables.
- Two validators use the same rules.  ``fastjsonschema`` accepts a good message in microseconds;
  ``jsonschema`` checks what the first one refuses, and its result counts.
- ``fastjsonschema`` generates Python code from a schema and executes it.  The schemas are this
  package's own files, never anything that a client or an OPC UA server sent.
- A message costs only time in proportion to its size, and a reason is one sentence of at most
  :data:`~opcws.wire.schema_errors.MAX_REASON` characters.

Pure: no socket, no thread, no clock.  Any thread may call any function; what is built at its first
use is cached, and built twice at worst.
"""

import json
import re
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Mapping, Optional, Tuple

import fastjsonschema
from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend

from ..model.errors import RequestError
from . import schema_files
from .schema_errors import problem_of, rank, reason

#: Version of the contract.  A client works with every minor version of its major version, though
#: an older one may lack features: a minor version only adds what clients are told to expect.
MAJOR, MINOR = 1, 1
VERSION = "%d.%d" % (MAJOR, MINOR)

#: The subprotocols (RFC 6455 1.9) that opcws supports, each with its version of the contract.  That
#: of major version 2 would be ``opcws.v2+json``.
SUBPROTOCOLS = {"json": VERSION}

#: The subprotocol for a client that offers none of them.
DEFAULT_SUBPROTOCOL = "json"

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

# How many problems are compared to choose the most helpful one; a message can have a million.
_MAX_PROBLEMS = 20

# Deeper than any member in a request schema.
_MAX_DEPTH = 12

_HERE = Path(__file__).resolve().parent.parent
_RULES = _HERE / "wire" / "requests.json"


def document(name: str) -> Dict[str, Any]:
    """The schema file *name*, such as ``"config.schema.json"``, parsed; a new copy every time.

    Raises :exc:`FileNotFoundError` if there is none.
    """
    parsed: Dict[str, Any] = json.loads(schema_files.read(name).decode("utf-8"))
    return parsed


@lru_cache(maxsize=None)
def schema(message_type: str) -> Dict[str, Any]:
    """The schema of *message_type*, such as ``"READ_REQUEST"``; shared, not to be changed.

    Raises :exc:`LookupError` if there is no such message type.
    """
    if message_type not in MESSAGE_TYPES:
        raise LookupError("there is no message type %r" % message_type)
    return document(message_type + ".json")


def prepare() -> None:
    """Build the validators now; else many first requests at once would each build them."""
    for operation in OPERATIONS:
        _accepts(operation + "_REQUEST")


def check(message_type: str, message: Dict[str, Any]) -> None:
    """Raise :exc:`RequestError` (``BadAttributeIdInvalid``) unless *message*, parsed JSON,
    follows the rules for *message_type*, a request.

    The reason names the JSON path and the fix: ``Body.Variable: expected a string, got 5``.
    Raises :exc:`LookupError` if there is no such request.
    """
    if _accepts(message_type)(message):
        return
    message = _without_any_null(message_type, message)
    if _accepts(message_type)(message):
        return
    # Values deeper than the schemas look cannot change the result, but jsonschema puts values
    # into its messages, and the text of a deep value could overflow the stack.
    pruned = _pruned(message, _MAX_DEPTH)
    errors = islice(_quick_judge(message_type).iter_errors(pruned), _MAX_PROBLEMS)
    found = [problem_of(error) for error in errors]
    if found:
        raise RequestError(reason(min(found, key=rank)))


def problem(name: str, value: Any) -> Optional[str]:
    """Why *value*, parsed JSON, does not follow the schema file *name*, as a sentence; ``None`` if
    it does."""
    errors = Judge(document(name)).iter_errors(_pruned(value, _MAX_DEPTH))
    found = [problem_of(error) for error in islice(errors, _MAX_PROBLEMS)]
    return reason(min(found, key=rank)) if found else None


def follows(message_type: str, definition: str, value: Any) -> bool:
    """Whether *value*, parsed JSON from another source, follows the *definition* in the schema of
    *message_type*: ``follows("VALUEINFO_RESPONSE", "VariableInfo", info)``."""
    return _follows(message_type, definition)(value)


def check_body(message_type: str, message: Dict[str, Any]) -> None:
    """:func:`check` for a request whose header :mod:`opcws.wire.messages` has accepted.

    For most Bodies the names of the members and the kinds of their values decide, not the values;
    so Bodies that are alike in this are checked once.
    """
    body = message.get("Body")
    if len(message) == 2 and type(body) is dict:
        judged, verdicts = _shapes(message_type)
        shape = shape_of(body, judged)
        if shape is not None:
            good = verdicts.get(shape)
            if good is None:
                if len(verdicts) >= _MAX_SHAPES:
                    verdicts.clear()
                good = verdicts[shape] = _accepts(message_type)(message)
            if good:
                return
    check(message_type, message)


def without_nulls(message_type: str, body: Dict[str, Any]) -> Dict[str, Any]:
    """*body* without its optional members that are null, which generated clients send for absent
    ones.  The null that is to be written to a variable stays, and so do members that no schema
    knows, for which the message is refused."""
    known = _rules(message_type)["properties"]["Body"]["properties"]
    named = body.get("Variable") is not None
    return {
        name: value
        for name, value in body.items()
        if value is not None or name not in known or (name == "Value" and named)
    }


def _without_any_null(message_type: str, message: Dict[str, Any]) -> Dict[str, Any]:
    header, body = message.get("Header"), message.get("Body")
    made = {name: part for name, part in message.items() if name != "Body" or part is not None}
    if isinstance(header, dict):
        # Unknown members stay, to be refused.
        known = _rules(message_type)["properties"]["Header"]["properties"]
        made["Header"] = {k: v for k, v in header.items() if v is not None or k not in known}
    if isinstance(body, dict):
        made["Body"] = without_nulls(message_type, body)
    return made


def single_variable(message_type: str, message: Dict[str, Any]) -> Optional[str]:
    """The variable that a request in the singular form names, even if :func:`check` finds another
    problem; ``None`` for a list form or without a usable name.

    An unknown variable is reported before other problems of the body (rows 6 and 7 of the failure
    table), so a caller needs the name of a request that failed.
    """
    members = _rules(message_type)["properties"]["Body"]["properties"]
    body = message.get("Body")
    if "Variable" not in members or not isinstance(body, dict):
        return None
    if any(other in body for other in ("Variables", "Writes")):
        return None
    name = body.get("Variable")
    return name if isinstance(name, str) else None


# -- The two validators ---------------------------------------------------------------------


@lru_cache(maxsize=None)
def _all_rules() -> Dict[str, Dict[str, Any]]:
    parsed: Dict[str, Dict[str, Any]] = json.loads(_RULES.read_text(encoding="utf-8"))
    return parsed


def _rules(message_type: str) -> Dict[str, Any]:
    """The rules for a request without its optional members that are null (:func:`without_nulls`);
    they are cheaper and need less explanation than the published schema.

    Raises :exc:`LookupError` if there is no such request.
    """
    return _all_rules()[message_type]


def _compiled(rules: Dict[str, Any]) -> Callable[[Any], bool]:
    """A function that says whether a value follows *rules*, one of our own schemas."""
    validate = fastjsonschema.compile(_without_choices(rules), use_default=False, use_formats=False)

    def accepts(value: Any) -> bool:
        try:
            validate(value)
        except Exception:
            # Not only its own exceptions: the code that fastjsonschema 2.21, the last for Python
            # 3.8, generates can fail at a value of the wrong type.  ``jsonschema`` decides then.
            return False
        return True

    return accepts


def _without_choices(rules: Any) -> Any:
    """*rules* with a cheaper form of "either this member or that one".

    For such a ``oneOf`` fastjsonschema tries each side, and one of the two always fails: an
    exception with a sentence for every good message, which takes ten times as long as the rest.
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
def _follows(message_type: str, definition: str) -> Callable[[Any], bool]:
    whole = schema(message_type)
    return _compiled({**whole["definitions"][definition], "definitions": whole["definitions"]})


@lru_cache(maxsize=None)
def _accepts(message_type: str) -> Callable[[Any], bool]:
    return _compiled(_rules(message_type))


def _pattern(
    validator: Draft7Validator, pattern: str, instance: Any, rules: Mapping[str, Any]
) -> Iterator[ValidationError]:
    # In a JSON Schema "$" is the very end; in a Python expression also before a final newline.
    if pattern.endswith("$"):
        pattern = pattern[:-1] + r"\Z"
    if isinstance(instance, str) and not re.search(pattern, instance):
        yield ValidationError("does not match the pattern")


Judge: Any = extend(Draft7Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


@lru_cache(maxsize=None)
def _quick_judge(message_type: str) -> Any:
    """The judge, but it skips list items that the fast validator accepts.

    Otherwise it would take a second to find one bad item after 100,000 good ones.
    """
    whole = _rules(message_type)
    compiled: Dict[str, Callable[[Any], bool]] = {}

    def items(
        validator: Draft7Validator, item_rules: Any, instance: Any, rules: Mapping[str, Any]
    ) -> Iterator[ValidationError]:
        # That a list is too long is another problem, already found.
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

    judge: Any = extend(Judge, {"items": items})  # type: ignore[no-untyped-call]
    return judge(whole)


def _pruned(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return {k: _pruned(v, depth - 1) for k, v in value.items()} if depth else {}
    if isinstance(value, list):
        return [_pruned(v, depth - 1) for v in value] if depth else []
    return value


# -- Shapes ---------------------------------------------------------------------------------
#
# Validating a message costs several times as much as decoding it, and nearly all messages of one
# client are alike.  A schema says of most members only that they exist and what kind they are; two
# messages that differ in nothing else are both good or both bad.  So the validators check each
# shape once, and the result is remembered.
#
# Which members' values matter is found in the schema, by keyword: a keyword that is not known to
# look only at members and kinds makes its member a judged one, and a message with a judged member
# has no shape.  So a changed schema needs no change here.

# How many shapes of Bodies are remembered for each message type.
_MAX_SHAPES = 256

#: The names of an object's members, each followed by the kind of its value: a type, or a shape.
_Shape = Tuple[Any, ...]

#: How many members an object, and how many characters a string, may have in a shape.
MAX_MEMBERS = 8
MAX_FREE = 64

#: Keywords that look at the names of members and the kinds of values, or at lists as a whole ...
_ABOUT_SHAPE = {
    *("description", "type", "required", "additionalProperties", "dependencies"),
    *("$ref", "maxItems"),
}
#: ... and keywords that contain rules.
_WITH_RULES = {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "items"}
#: Instead of a member's name: the rules of an object itself look at more than its shape.
_ALL = ""


@lru_cache(maxsize=None)
def _shapes(message_type: str) -> Tuple[FrozenSet[str], Dict[_Shape, bool]]:
    """The members whose values decide whether a request is good; and, for Bodies without these
    members, whether each known shape is good."""
    return judged_members(_rules(message_type)), {}


def judged_members(schema: Dict[str, Any]) -> FrozenSet[str]:
    """The members, at any depth of the Body, whose values matter; from a request's *schema*."""
    body = schema["properties"]["Body"]
    # The rule that an empty string may stand for an object does not concern objects.
    rules = [{key: rule for key, rule in body.items() if key != "maxLength"}]
    # Where a definition is used does not matter: what it judges must be members of its own.
    rules += schema.get("definitions", {}).values()
    return frozenset(_judged(rules, _ALL))


def _judged(rules: Any, owner: str) -> Iterator[str]:
    """The members judged by *rules*, which are the rules of the member *owner*."""
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


def shape_of(members: Dict[str, Any], judged: FrozenSet[str]) -> Optional[_Shape]:
    """The shape of the object with these *members*; ``None`` if their values matter."""
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
