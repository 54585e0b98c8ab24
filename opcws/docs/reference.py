"""The schema files as pages: each message, the document at ``/status``; in reStructuredText.

Made when it is asked for, so it says what the schemas say.  Nothing here knows a member's name
but those of the envelope.
"""

import json
import re
import textwrap
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from ..model import data_types
from ..wire import contract
from ..wire import schema_files as files

Schema = Mapping[str, Any]

#: Parts of the messages in the order in which they explain one another; others follow by name.
_PARTS = ("dataValue", "variant", "result")

#: A maximum beyond this bounds the work of opcws; no client comes near.
_COUNTABLE = 2**32

#: Longest line of a text, and of an example; what does not fit is broken into several.
_WIDTH = 95
_EXAMPLE_WIDTH = 76


class _Shared(NamedTuple):
    """What several messages have in common: definitions by name, and headers by their name."""

    parts: Dict[str, Schema]
    headers: Dict[str, Schema]


def messages() -> str:
    """The page about the messages: every member of each, and its examples."""
    schemas = {name: contract.schema(name) for name in contract.MESSAGE_TYPES}
    shared = _shared(schemas)
    found = [
        _title("Messages", 1),
        _paragraph(
            "Made from the files in ``schemas/``, version %s of the contract, which programs "
            "can use too: ``/docs/schemas/READ_REQUEST.json`` and so on. How they are "
            "exchanged is in `Talking to it <protocol.rst>`__." % contract.VERSION
        ),
    ]
    names = [
        name for each in contract.OPERATIONS for name in (each + "_REQUEST", each + "_RESPONSE")
    ]
    names += [name for name in contract.MESSAGE_TYPES if name not in names]
    for name in names:
        found += _message(name, schemas[name], shared)
    for title, header in shared.headers.items():
        found += [_title(title, 2), *_object(header, shared.parts)]
    for part in sorted(shared.parts, key=lambda each: (_rank(each), each)):
        found += _part(part, shared.parts[part], 2, shared.parts)
    return "\n".join(found)


def status() -> str:
    """The page about the document at ``/status``."""
    schema = contract.document("status.schema.json")
    found = [_title("The document at /status", 1), *_object(schema, {})]
    for name, part in schema.get("definitions", {}).items():
        found += _part(name, part, 2, {})
    return "\n".join([*found, *_examples(schema)])


def schema_files() -> str:
    """The tables of the files in ``schemas/``."""
    names = files.names()
    schemas, examples = [], []
    for name in names:
        parsed = json.loads(files.read(name).decode("utf-8"))
        if isinstance(parsed, dict):
            schemas.append((_file(name), _plain(parsed["description"])))
        else:
            count = sum(len(group["tests"]) for group in parsed)
            examples.append((_file(name), str(count)))
    return "\n".join(
        [
            _title("The files", 2),
            _table(("File", "What it describes"), *schemas),
            _title("The messages to test with", 2),
            _table(("File", "How many"), *examples),
        ]
    )


def _file(name: str) -> str:
    return "`%s <schemas/%s>`__" % (name, name)


def _rank(part: str) -> int:
    return _PARTS.index(part) if part in _PARTS else len(_PARTS)


# --- reStructuredText ----------------------------------------------------------------------------


def _title(title: str, level: int) -> str:
    return "%s\n%s\n" % (title, "=-~"[level - 1] * len(title))


def _wrapped(text: str, first: str = "", then: str = "") -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    ).rstrip()


def _paragraph(text: str) -> str:
    return _wrapped(text) + "\n"


def _code(text: str) -> str:
    return "``%s``" % text


def _plain(text: str) -> str:
    """*text* of a schema, in which nothing is markup."""
    return re.sub(r"([\\`*|]|_(?![^\W_])|^[-+.>]|(?<=:):$)", r"\\\1", text)


def _table(*rows: Sequence[str]) -> str:
    """A table with a header, each cell on a line of its own: it reads well as it is, too."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for first, *others in rows:
        lines.append(_wrapped(first, "   * - ", " " * 7))
        lines += [_wrapped(cell, "     - ", " " * 7) or "     -" for cell in others]
    return "\n".join(lines) + "\n"


# --- What messages have in common ----------------------------------------------------------------


def _shared(schemas: Mapping[str, Schema]) -> _Shared:
    """The definitions that are the same in each message which has them, and the headers that
    several messages have but for their ``MessageType``."""
    parts: Dict[str, List[Schema]] = {}
    headers: Dict[str, List[str]] = {}
    for name, schema in schemas.items():
        for part, definition in schema.get("definitions", {}).items():
            parts.setdefault(part, []).append(definition)
        headers.setdefault(json.dumps(_header(schema)), []).append(name)
    common: Dict[str, Schema] = {}
    for part, definitions in parts.items():
        best = max(definitions, key=definitions.count)
        if definitions.count(best) > 1:
            common[part] = best
    titles = {}
    for header, names in headers.items():
        kinds = {name.rpartition("_")[2] for name in names}
        if len(names) > 1 and len(kinds) == 1:
            titles["Header of a " + kinds.pop().lower()] = json.loads(header)
    return _Shared(common, titles)


def _header(schema: Schema) -> Schema:
    header: Dict[str, Any] = json.loads(json.dumps(schema["properties"]["Header"]))
    header["properties"]["MessageType"] = {"description": "Which message it is.", "type": "string"}
    return header


def _title_of_header(schema: Schema, shared: _Shared) -> str:
    header = _header(schema)
    return next((title for title, each in shared.headers.items() if each == header), "")


# --- One message ---------------------------------------------------------------------------------


def _message(name: str, schema: Schema, shared: _Shared) -> Iterator[str]:
    yield _title(name, 2)
    yield _paragraph(_plain(schema["description"]))
    own = {
        part: definition
        for part, definition in schema.get("definitions", {}).items()
        if shared.parts.get(part) != definition
    }
    known = {**shared.parts, **own}
    title = _title_of_header(schema, shared)
    if title:
        yield _paragraph('Header: see "%s".' % title)
    else:
        yield from _object(schema["properties"]["Header"], known, "Header")
    body = schema["properties"].get("Body")
    if body is None:
        yield _paragraph("It has no Body.")
    else:
        yield from _object(body, known, "Body")
    yield from _examples(schema)
    for part, definition in own.items():
        yield from _part(part, definition, 3, known)


def _examples(schema: Schema) -> Iterator[str]:
    examples = schema.get("examples", ())
    if examples:
        yield _paragraph("Example:" if len(examples) == 1 else "Examples:")
        shown = "\n\n".join(_json(each) for each in examples)
        yield ".. code-block:: json\n\n%s\n" % textwrap.indent(shown, "   ")


def _json(value: Any, indent: int = 0) -> str:
    """*value* as compact as it fits into a line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= _EXAMPLE_WIDTH or not isinstance(value, (dict, list)) or not value:
        return line
    inner = indent + 2
    if isinstance(value, dict):
        members = [
            "%s: %s" % (json.dumps(key, ensure_ascii=False), _json(each, inner + len(key) + 4))
            for key, each in value.items()
        ]
        begin, end = "{", "}"
    else:
        members = [_json(each, inner) for each in value]
        begin, end = "[", "]"
    pad = "\n" + " " * 2
    joined = ("," + pad).join(member.replace("\n", pad) for member in members)
    return begin + pad + joined + "\n" + end


def _part(name: str, schema: Schema, level: int, known: Mapping[str, Schema]) -> Iterator[str]:
    yield _title(name, level)
    if any(schema is not each and _covers(schema, each) for each in known.values()):
        yield from _object(schema, {k: v for k, v in known.items() if k != name})
    else:
        yield from _object(schema, {})
    rows = list(_choices(schema))
    if rows:
        yield _table(("Type", "Body, or each item of it"), *rows)


def _choices(schema: Schema) -> Iterator[Tuple[str, ...]]:
    """What ``Body`` is for each ``Type``, where the schema says so."""
    for each in schema.get("allOf", ()):
        try:
            listed = each["if"]["properties"]["Type"]["enum"]
            of = each["then"]["properties"]["Body"]["anyOf"]
        except KeyError:
            continue
        ids = [number for number in listed if isinstance(number, int)]
        name = next((_reference(choice) for choice in of if _reference(choice)), "")
        types = ", ".join("%s (%d)" % (data_types.TYPE_NAMES[number], number) for number in ids)
        yield types, _code(name)


# --- One object ----------------------------------------------------------------------------------


def _object(schema: Schema, known: Mapping[str, Schema], name: str = "") -> Iterator[str]:
    """What *schema* says of an object: sentences, and a table of its members; *known* are parts
    that need not be repeated."""
    description = schema.get("description", "")
    if description:
        lead = _code(name) + ": " if name else ""
        yield _paragraph(lead + _plain(description))
    rows = list(_members(schema, name + "." if name else "", known))
    if rows:
        yield _table(("Member", "Type", "Meaning"), *rows)
    rules = list(_rules(schema))
    if rules:
        yield _paragraph(" ".join(rules))


def _members(schema: Schema, prefix: str, known: Mapping[str, Schema]) -> Iterator[Tuple[str, ...]]:
    members = schema.get("properties", {})
    covered: Mapping[str, Any] = {}
    for part, definition in known.items():
        if definition is not schema and _covers(schema, definition):
            covered = definition["properties"]
            yield _code(prefix + "..."), _code(part), "All members of a %s." % part
            break
    required = schema.get("required", ())
    for name, member in members.items():
        if name in covered:
            continue
        needed = "Required. " if name in required else ""
        description = needed + member.get("description", "")
        yield _code(prefix + name), _type(member), _plain(description)
        items = member.get("items", {})
        for inner, deeper in ((member, prefix + name), (items, prefix + name + "[]")):
            yield from _members(inner, deeper + ".", known)


def _covers(schema: Schema, part: Schema) -> bool:
    """Whether *schema* has all members of *part*, which are several, just as they are there."""
    members, those = schema.get("properties", {}), part.get("properties", {})
    return len(those) > 4 and all(members.get(name) == each for name, each in those.items())


def _rules(schema: Schema) -> Iterator[str]:
    """What holds between members."""
    for keyword, words in (("oneOf", "Exactly one of"), ("anyOf", "At least one of")):
        names = [
            each["required"][0]
            for each in schema.get(keyword, ())
            if len(each.get("required", ())) == 1
        ]
        if len(names) > 1 and len(names) == len(schema[keyword]):
            yield "%s %s." % (words, _listed(names))
    for name, others in schema.get("dependencies", {}).items():
        yield "%s only beside %s." % (_code(name), _listed(others))


def _listed(names: Sequence[str]) -> str:
    quoted = [_code(name) for name in names]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


_NAMES = {"integer": "whole number", "boolean": "true or false", "array": "list", "null": "null"}


def _type(schema: Schema) -> str:
    reference = _reference(schema)
    if reference:
        return _code(reference)
    if "const" in schema:
        return _code(json.dumps(schema["const"]))
    if "enum" in schema:
        return _plain(", ".join(json.dumps(each) for each in schema["enum"]))
    types = schema.get("type", ())
    listed = [types] if isinstance(types, str) else list(types)
    if schema.get("maxLength") == 0 and len(listed) > 1:
        listed.remove("string")  # the empty string, of which the description speaks
    names = [_NAMES.get(each, each) for each in listed]
    if listed == ["array"]:
        items = schema.get("items", {})
        inner = _reference(items)
        if inner:
            return "list of " + _code(inner)
        of = items.get("type")
        names = ["list of %ss" % _NAMES.get(of, of) if isinstance(of, str) else "list"]
    joined = " or ".join(names) or "any"
    return joined + _limits(schema)


def _limits(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is not None and high > _COUNTABLE:
        high = None
    if low is not None and high is not None:
        return ", %s to %s" % (low, high)
    if low is not None:
        return ", at least %s" % low
    if schema.get("maxItems"):
        return ", at most %d" % schema["maxItems"]
    return ""


def _reference(schema: Schema) -> str:
    """The name of the part that *schema* refers to, or ``""``."""
    choices = schema.get("allOf", ())
    target: str = schema.get("$ref") or (choices[0].get("$ref", "") if choices else "")
    return target.rpartition("/")[2]
