"""Finds promises of an older version of the contract that a newer one breaks, by their schemas.

A schema stands for the messages that it accepts.  So two schemas are compared by messages, however
differently they are written:

- Of requests, the newer schema must accept every message that the older one accepts.
- Of messages from the server, the older schema must accept every one that the newer one accepts:
  otherwise a member is no longer promised, has another type, or has a value that no client expects.
- The newer schema must name every member that the older one names.  Only this finds an optional
  member that was removed.

The messages are valid ones, and each of them with one place changed: removed, or with another
value.  The page *Talking to it* says what a minor version may add.

``python -m tests.support.contract_changes`` prints the present schemas in the form in which
``tests/data/contract/`` keeps those of a release.
"""

import copy
import json
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Sequence, Set, Tuple

import fastjsonschema

from opcws.wire import contract

Schemas = Mapping[str, Dict[str, Any]]

#: Members that may get new values in a minor version.
GROWING = {"State", "Access"}
#: The values that are put into each place.
OTHERS: Sequence[Any] = (None, True, "", "x", -1, 1.5, [], {})

_COMBINING = ("allOf", "anyOf", "oneOf", "if", "then", "else", "items", "additionalProperties")


def breaks(older: Schemas, newer: Schemas, messages: Mapping[str, Sequence[Any]]) -> List[str]:
    """A sentence for each change from *older* to *newer*, schemas by message type, for which a
    client must be changed; *messages*: valid ones by message type."""
    found: Dict[str, None] = {}
    for name, old in older.items():
        if name not in newer:
            found[name + " is gone"] = None
            continue
        for owner, member in sorted(members(old) - members(newer[name])):
            found["%s: the member %s of %s is gone" % (name, member, owner)] = None
        if name.endswith("_REQUEST"):
            first, second, sentence = old, newer[name], "%s: refused is %s"
        else:
            first, second, sentence = newer[name], _growing(old), "%s: a client may get %s"
        takes, still_takes = _quick(first), _quick(second)
        for change, message in _changed(messages[name], _values(first) ^ _values(second)):
            # fastjsonschema is nearly always right, and a hundred times as fast.
            if not still_takes(message) and takes(message):
                if _is_good(first, message) and not _is_good(second, message):
                    found[sentence % (name, change)] = None
    return list(found)


def _bare(schema: Dict[str, Any]) -> Dict[str, Any]:
    """*schema* without its $id, from which a validator would resolve references."""
    return {key: rule for key, rule in schema.items() if key != "$id"}


def _is_good(schema: Dict[str, Any], message: Any) -> bool:
    return bool(contract.Judge(_bare(schema)).is_valid(message))


def _quick(schema: Dict[str, Any]) -> Callable[[Any], bool]:
    validate = fastjsonschema.compile(
        _bare(schema), use_default=False, use_formats=False, detailed_exceptions=False
    )

    def takes(message: Any) -> bool:
        try:
            validate(message)
        except Exception:  # fastjsonschema may fail, see opcws.wire.contract
            return False
        return True

    return takes


# --- The names in a schema -----------------------------------------------------------------------


class Member(NamedTuple):
    """A member of the objects in *owner*, which is another member, and its rules."""

    owner: str
    name: str
    rules: Dict[str, Any]


def _each_member(schema: Dict[str, Any]) -> Iterator[Member]:
    seen: Set[Tuple[str, str]] = set()
    waiting: List[Tuple[str, Any]] = [("the message", schema)]
    while waiting:
        owner, rules = waiting.pop()
        if isinstance(rules, list):
            waiting += [(owner, each) for each in rules]
        if not isinstance(rules, dict):
            continue
        definition = rules.get("$ref", "").rpartition("/")[2]
        if definition and (owner, definition) not in seen:
            seen.add((owner, definition))
            waiting.append((owner, schema["definitions"][definition]))
        waiting += [(owner, rules[keyword]) for keyword in _COMBINING if keyword in rules]
        for name, rule in rules.get("properties", {}).items():
            waiting.append((name, rule))
            if isinstance(rule, dict):
                yield Member(owner, name, rule)


def members(schema: Dict[str, Any]) -> Set[Tuple[str, str]]:
    """The members that *schema* names, each with its owner."""
    return {(owner, name) for owner, name, _ in _each_member(schema)}


def _values(schema: Dict[str, Any]) -> Set[Tuple[str, Any]]:
    """The values that *schema* names, each with its member."""
    return {
        (name, value) for _, name, rules in _each_member(schema) for value in rules.get("enum", ())
    }


def _growing(schema: Dict[str, Any]) -> Dict[str, Any]:
    """*schema* in which members that may get new values accept any."""
    made = copy.deepcopy(schema)
    for member in _each_member(made):
        if member.name in GROWING:
            member.rules.pop("enum", None)
    return made


# --- Messages ------------------------------------------------------------------------------------


def _changed(messages: Sequence[Any], news: Set[Tuple[str, Any]]) -> Iterator[Tuple[str, Any]]:
    """Each message unchanged, and with each of its places changed; with the place that was changed.
    *news*: values that only one of two schemas names, with their members."""
    seen = set()
    for message in messages:
        yield "as it is: " + json.dumps(message), message
        changed = copy.deepcopy(message)
        for path, holder, key in _places(changed):
            place = (path, _alike(holder[key]), _beside(holder, key))
            if place in seen:
                continue
            seen.add(place)
            kept = holder[key]
            for other in [*OTHERS, *(value for name, value in news if name == key)]:
                holder[key] = other
                yield "%s as %s" % (path, json.dumps(other)), changed
            if isinstance(holder, dict):
                del holder[key]
                yield "no %s" % path, changed
            holder[key] = kept


def _places(value: Any, path: str = "") -> List[Tuple[str, Any, Any]]:
    """The path of everything in *value*, its container and its key there."""
    found: List[Tuple[str, Any, Any]] = []
    if isinstance(value, dict):
        for name, each in value.items():
            inner = "%s.%s" % (path, name) if path else name
            found += [(inner, value, name), *_places(each, inner)]
    elif isinstance(value, list):
        for index, each in enumerate(value):
            found += [(path + "[]", value, index), *_places(each, path + "[]")]
    return found


def _alike(value: Any) -> str:
    return type(value).__name__


def _beside(holder: Any, key: Any) -> Tuple[Any, ...]:
    """What a schema may depend on beside *key*: the names and kinds of the other members, and the
    Type."""
    if not isinstance(holder, dict):
        return ()
    return tuple(
        (name, value if name == "Type" else _alike(value))
        for name, value in sorted(holder.items())
        if name != key
    )


# --- A release -----------------------------------------------------------------------------------


def today() -> Dict[str, Dict[str, Any]]:
    """The present schemas by message type, without the parts for readers."""
    return {name: _plain(contract.schema(name)) for name in contract.MESSAGE_TYPES}


def _plain(rules: Any) -> Any:
    if isinstance(rules, list):
        return [_plain(each) for each in rules]
    if not isinstance(rules, dict):
        return rules
    made = {}
    for name, rule in rules.items():
        if name == "const":
            made["enum"] = [rule]
        elif name not in ("title", "description", "$comment") or not isinstance(rule, str):
            made[name] = _plain(rule)
    return made


def main() -> None:
    lines = [
        "%s:%s" % (json.dumps(name), json.dumps(schema, separators=(",", ":")))
        for name, schema in today().items()
    ]
    print("{\n%s\n}" % ",\n".join(lines))


if __name__ == "__main__":
    main()
