"""Why a message does not follow its schema, as a sentence for its sender.

``jsonschema.best_match`` also chooses one of several errors, but only by depth, and its messages
contain whole values; the sentences here say what to change, in :data:`MAX_REASON` characters.

Pure.
"""

import difflib
import json
import re
from itertools import islice
from typing import (
    Any,
    Callable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from jsonschema import ValidationError

#: Most characters of a reason, and of a client's value or member name in it.
MAX_REASON = 300
MAX_SHOWN = 60


class Problem(NamedTuple):
    """One keyword of a schema that one value in a message does not follow."""

    path: Tuple[Union[str, int], ...]
    keyword: str
    limit: Any  # the keyword's value
    rules: Mapping[str, Any]  # the schema that the keyword is in
    value: Any


def problem_of(error: ValidationError) -> Problem:
    """The cause of *error*; where all alternatives failed, that of the deepest one."""
    while True:
        rules = error.schema if isinstance(error.schema, dict) else {}
        problem = Problem(
            tuple(error.absolute_path),
            str(error.validator),
            error.validator_value,
            rules,
            error.instance,
        )
        if not error.context or _forms(problem):
            return problem
        error = max(error.context, key=lambda each: len(each.absolute_path))


def rank(problem: Problem) -> int:
    """How soon *problem* should be reported, the lowest first: a misspelt member explains the
    missing one, and a request without its variable makes no sense."""
    if problem.keyword == "additionalProperties":
        return 0 if _unknown_member(problem)[1] is not None else 3
    return 1 if len(problem.path) < 3 and problem.keyword != "dependencies" else 2


def reason(problem: Problem) -> str:
    """One sentence of at most ``MAX_REASON`` characters: where, what is expected, what came."""
    text = _REASONS.get(problem.keyword, _other)(problem)
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 3] + "..."


def _path(problem: Problem, *members: str) -> str:
    text = ""
    for step in (*problem.path, *members):
        if isinstance(step, int):
            text += "[%d]" % step
        elif re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,%d}" % (MAX_SHOWN - 1), step):
            text += "." + step
        else:
            text += "[%s]" % _shown(step)
    return text.lstrip(".") or "the message"


def _type(problem: Problem) -> str:
    return "%s: expected %s, got %s" % (
        _path(problem),
        _expected(problem.rules),
        _shown(problem.value),
    )


def _limit(problem: Problem) -> str:
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


def _choice(problem: Problem) -> str:
    allowed = problem.limit if problem.keyword == "enum" else [problem.limit]
    return "%s: expected %s, got %s" % (
        _path(problem),
        _listed([_shown(each) for each in allowed], "or"),
        _shown(problem.value),
    )


def _unknown_member(problem: Problem) -> Tuple[str, Optional[str]]:
    """The first unknown member, and the one that was probably meant."""
    known = problem.rules.get("properties", {})
    name = next(each for each in problem.value if each not in known)
    free = {each.lower(): each for each in known if each not in problem.value}
    near = difflib.get_close_matches(name[:MAX_SHOWN].lower(), free, n=1, cutoff=0.7)
    return name, free[near[0]] if near else None


def _unknown(problem: Problem) -> str:
    name, meant = _unknown_member(problem)
    known = list(problem.rules.get("properties", {}))
    if meant is not None:
        advice = "did you mean %s?" % meant
    elif known:
        advice = "expected one of %s" % ", ".join(known)
    else:
        advice = "expected none"
    return "%s: unknown member, %s" % (_path(problem, name), advice)


def _required(problem: Problem) -> str:
    name = next(each for each in problem.limit if each not in problem.value)
    return "%s is missing" % _path(problem, name)


def _dependencies(problem: Problem) -> str:
    for name, needed in problem.limit.items():
        missing = [each for each in needed if each not in problem.value]
        if name in problem.value and missing:
            return "%s is missing, it goes with %s" % (_path(problem, missing[0]), name)
    return _other(problem)


def _forms(problem: Problem) -> List[str]:
    """The members by which a schema's alternatives differ; empty for other problems."""
    if problem.keyword not in ("oneOf", "anyOf"):
        return []
    needed = [each.get("required", ()) for each in problem.limit]
    return [each[0] for each in needed] if all(len(each) == 1 for each in needed) else []


def _alternatives(problem: Problem) -> str:
    names = _forms(problem)
    if not names:
        return _other(problem)
    if not isinstance(problem.value, dict):
        return _type(problem)
    if problem.keyword == "anyOf":
        return "%s: give at least one of %s" % (_path(problem), _listed(names, "and"))
    both = ", not both" if all(name in problem.value for name in names) else ""
    return "%s: give either %s%s" % (_path(problem), _listed(names, "or"), both)


def _not(problem: Problem) -> str:
    unwanted = problem.limit.get("required")
    if not unwanted:
        return _other(problem)
    return "%s: expected no %s here" % (_path(problem), _listed(unwanted, "together with"))


def _other(problem: Problem) -> str:
    return "%s: does not follow the contract, got %s" % (_path(problem), _shown(problem.value))


_REASONS: Mapping[str, Callable[[Problem], str]] = {
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
    """What the schema *rules* requires of a value, in plain words."""
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


def _shown(value: Any) -> str:
    """*value* as JSON that a person can read, at most :data:`MAX_SHOWN` characters."""
    text = "".join(islice(_characters(value, 4), MAX_SHOWN + 1))
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def _characters(value: Any, depth: int) -> Iterator[str]:
    """The characters of :func:`_shown`, one by one, so that a large value takes no time."""
    if isinstance(value, str):
        yield '"'
        for character in value:
            # Lone surrogates and control characters could not be sent or logged unchanged.
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
