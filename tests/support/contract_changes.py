"""What a version of the contract breaks that an older one promised, as its schemas show it.

A schema stands for the messages that it takes.  So two of them are compared by messages, however
differently they are written:

- Of requests, whatever the older schema takes the newer one must take.
- Of what the server sends, whatever the newer schema takes the older one must take: else a member
  is no longer promised, has another type, or has a value that nobody expects.
- A member that the older schema names the newer one must name.  One that is optional and goes
  leaves no other trace.

The messages are those that are known to be right, and each of them with one place changed: taken
away, or with something else in it.  What a minor version may bring is on the page *Talking to it*.

``python -m tests.support.contract_changes`` prints the schemas of today as
``tests/data/contract/`` keeps those of a release.
"""

import copy
import json
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Sequence, Set, Tuple

import fastjsonschema

from opcws.wire import contract

Schemas = Mapping[str, Dict[str, Any]]

#: The members that may get values that no client knows, in a minor version too.
GROWING = {"State", "Access"}
#: What is put into each place.
OTHERS: Sequence[Any] = (None, True, "", "x", -1, 1.5, [], {})

_COMBINING = ("allOf", "anyOf", "oneOf", "if", "then", "else", "items", "additionalProperties")


def breaks(older: Schemas, newer: Schemas, messages: Mapping[str, Sequence[Any]]) -> List[str]:
    """A sentence for each change from *older* to *newer*, schemas by message type, for which a
    client has to be changed; *messages*: right ones by message type."""
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
            # fastjsonschema is right nearly always, and a hundred times as quick.
            if not still_takes(message) and takes(message):
                if _is_good(first, message) and not _is_good(second, message):
                    found[sentence % (name, change)] = None
    return list(found)


def _bare(schema: Dict[str, Any]) -> Dict[str, Any]:
    """*schema* without its $id, at which a validator would look for what it refers to."""
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
        except Exception:  # it may stumble, see opcws.wire.contract
            return False
        return True

    return takes


# --- What a schema names -------------------------------------------------------------------------


class Member(NamedTuple):
    """A member of the objects in *owner*, which is a member too, and its rules."""

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
    """The members that *schema* names, each behind the one whose it is."""
    return {(owner, name) for owner, name, _ in _each_member(schema)}


def _values(schema: Dict[str, Any]) -> Set[Tuple[str, Any]]:
    """The values that *schema* names, each behind the member that has it."""
    return {
        (name, value) for _, name, rules in _each_member(schema) for value in rules.get("enum", ())
    }


def _growing(schema: Dict[str, Any]) -> Dict[str, Any]:
    """*schema* where a member that may have values that nobody knows has any."""
    made = copy.deepcopy(schema)
    for member in _each_member(made):
        if member.name in GROWING:
            member.rules.pop("enum", None)
    return made


# --- Messages ------------------------------------------------------------------------------------


def _changed(messages: Sequence[Any], news: Set[Tuple[str, Any]]) -> Iterator[Tuple[str, Any]]:
    """Each message as it is, and with each of its places changed; behind what was changed.
    *news*: values that only one of two schemas names, behind the member that has them."""
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
    """The path of everything in *value*, with what holds it under which key."""
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
    """What a schema may look at beside *key*: which other members there are, and of what kind, and
    which Type."""
    if not isinstance(holder, dict):
        return ()
    return tuple(
        (name, value if name == "Type" else _alike(value))
        for name, value in sorted(holder.items())
        if name != key
    )


# --- A release -----------------------------------------------------------------------------------


def today() -> Dict[str, Dict[str, Any]]:
    """The schemas of today by message type, without what is for readers."""
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
