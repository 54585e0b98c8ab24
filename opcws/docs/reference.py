"""The files in ``schemas/`` as pages: each message, the document at ``/status``, AsyncAPI, the list
of them; in reStructuredText.

Made on request, so that pages and schemas agree.  This module knows no names of members except
those of the envelope.
"""

import json
import re
import textwrap
from typing import Any, Dict, Iterator, Mapping, Sequence, Tuple

from ..model import data_types
from ..wire import contract
from ..wire import schema_files as files

Schema = Mapping[str, Any]

#: Order of the parts of messages; other parts follow by name.
_PARTS = ("RequestHeader", "ResponseHeader", "DataValue", "Variant", "VariableInfo", "Result")
#: Suffix of the parts of the string dialect.
_IN_STRINGS = "InStrings"

#: Larger maxima are not shown: they only limit the work of opcws, and no client comes near them.
_COUNTABLE = 2**32

#: Longest line of a text, and of an example.
_WIDTH = 95
_EXAMPLE_WIDTH = 76


def messages() -> str:
    """The page about the messages: every member of each, and its examples."""
    schemas = {name: contract.schema(name) for name in contract.MESSAGE_TYPES}
    known = _known(schemas)
    found = [
        _title("Messages", 1),
        _paragraph(
            "Made from the files in ``schemas/``, version %s of the contract, which programs can "
            "use too: ``/docs/schemas/READ_REQUEST.json`` and so on. `Talking to it "
            "<protocol.rst>`__ explains how clients exchange them." % contract.VERSION
        ),
        _paragraph(
            "This page shows what the server sends in the typed dialect. In the string dialect "
            'every scalar is a string, and null and every empty object or list is ``""``; other '
            "differences have a section whose name ends in %s." % _code(_IN_STRINGS)
        ),
    ]
    names = [
        name for each in contract.OPERATIONS for name in (each + "_REQUEST", each + "_RESPONSE")
    ]
    names += [name for name in contract.MESSAGE_TYPES if name not in names]
    for name in names:
        found += _message(name, schemas[name], known)
    for part in sorted(known, key=lambda each: (_rank(each), each)):
        found += _part(part, known[part], known)
    return "\n".join(found)


def status() -> str:
    """The page about the document at ``/status``."""
    schema = contract.document("status.schema.json")
    found = [_title("The document at /status", 1), *_object(schema, {})]
    for name, part in schema.get("definitions", {}).items():
        found += _part(name, part, {})
    return "\n".join([*found, *_examples(schema)])


def asyncapi() -> str:
    """The page made of ``asyncapi.json``."""
    api = contract.document("asyncapi.json")
    (channel,) = api["channels"].values()
    binding = channel["bindings"]["ws"]
    servers = [
        (
            _code("%s://%s%s" % (each["protocol"], each["host"], channel["address"])),
            _plain(each["description"]),
        )
        for each in api["servers"].values()
    ]
    parameters = [
        (_code(name), _type(each), _plain(each["description"]))
        for part in ("query", "headers")
        for name, each in binding[part]["properties"].items()
    ]
    security = [
        (
            _code(name),
            " ".join(str(each[key]) for key in ("type", "scheme", "in", "name") if key in each),
            _plain(each["description"]),
        )
        for name, each in api["components"]["securitySchemes"].items()
    ]
    (correlation,) = api["components"]["correlationIds"].values()
    operations = [
        (
            _code(name),
            ("send %s, get %s" if "reply" in each else "get %s%s")
            % (_messages_of(each), _messages_of(each.get("reply", {}))),
            _plain(each["summary"]),
        )
        for name, each in api["operations"].items()
    ]
    return "\n".join(
        [
            _title("AsyncAPI", 1),
            _paragraph(
                "Made from `asyncapi.json <schemas/asyncapi.json>`__, the contract as an AsyncAPI "
                "%s document, for tools that know APIs of messages. It refers to the schemas "
                "beside it; ``opcws schemas DIR`` writes all of them." % api["asyncapi"]
            ),
            _paragraph(_plain(api["info"]["description"])),
            _title("Connecting", 2),
            _paragraph(_plain(channel["description"])),
            _table(("Address", "What it is"), *servers),
            _table(("In the opening handshake", "Value", "Meaning"), *parameters),
            _title("Security", 2),
            _table(("Way", "Kind", "What is shown"), *security),
            _title("Operations", 2),
            _paragraph(
                "%s: %s" % (_code(correlation["location"]), _plain(correlation["description"]))
            ),
            _table(("Operation", "What a client does", "Meaning"), *operations),
        ]
    )


def _messages_of(operation: Mapping[str, Any]) -> str:
    """The messages of an operation, or of its reply, each a link to its section."""
    names = [each["$ref"].rpartition("/")[2] for each in operation.get("messages", ())]
    places = [(name, name.lower().replace("_", "-")) for name in names]
    return " or ".join("`%s <messages.rst#%s>`__" % each for each in places)


def schema_files() -> str:
    """The tables of the files in ``schemas/``."""
    names = files.names()
    schemas, examples = [], []
    for name in names:
        parsed = json.loads(files.read(name).decode("utf-8"))
        if isinstance(parsed, dict):
            about = parsed.get("info", parsed)["description"]
            schemas.append((_file(name), _plain(about)))
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
    """A table with a header and one cell per line, so that the source is readable too."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for first, *others in rows:
        lines.append(_wrapped(first, "   * - ", " " * 7))
        lines += [_wrapped(cell, "     - ", " " * 7) or "     -" for cell in others]
    return "\n".join(lines) + "\n"


# --- The messages --------------------------------------------------------------------------------


def _known(schemas: Mapping[str, Schema]) -> Dict[str, Schema]:
    """The definitions by name; those of the string dialect only if they differ by more than
    strings."""
    found: Dict[str, Schema] = {}
    for schema in schemas.values():
        found.update(schema.get("definitions", {}))
    return {
        name: each
        for name, each in sorted(found.items(), key=lambda item: _rank(item[0]))
        if not name.endswith(_IN_STRINGS)
        or each["description"] != found.get(name[: -len(_IN_STRINGS)], {}).get("description")
    }


def _message(name: str, schema: Schema, known: Mapping[str, Schema]) -> Iterator[str]:
    yield _title(name, 2)
    yield _paragraph(_plain(schema["description"]))
    yield _paragraph("Header: see %s." % _code(_reference(schema["properties"]["Header"])))
    body = schema["properties"].get("Body")
    if body and "anyOf" in schema:  # the typed dialect, or the other
        body = {**schema["anyOf"][0]["properties"]["Body"], **body}
    if body:
        yield from _object(body, known, "Body")
    else:
        yield _paragraph("It has no Body.")
    yield from _examples(schema)


def _examples(schema: Schema) -> Iterator[str]:
    examples = schema.get("examples", ())
    if examples:
        yield _paragraph("Example:" if len(examples) == 1 else "Examples:")
        shown = "\n\n".join(_json(each) for each in examples)
        yield ".. code-block:: json\n\n%s\n" % textwrap.indent(shown, "   ")


def _json(value: Any, indent: int = 0) -> str:
    """*value* in as few lines as possible."""
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


def _part(name: str, schema: Schema, known: Mapping[str, Schema]) -> Iterator[str]:
    yield _title(name, 2)
    before = {part: each for part, each in known.items() if _rank(part) < _rank(name)}
    yield from _object(schema, before)
    rows = list(_choices(schema))
    if rows:
        yield _table(("Type", "Body, or each item of it"), *rows)


def _choices(schema: Schema) -> Iterator[Tuple[str, ...]]:
    """The form of ``Body`` for each ``Type``, if the schema has it."""
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
    """Sentences about the object of *schema*, and a table of its members; parts in *known* are not
    repeated."""
    description = schema.get("description", "")
    if description:
        lead = _code(name) + ": " if name else ""
        yield _paragraph(lead + _plain(description))
    if "properties" not in schema:  # an object, or an empty text
        schema = _first_object(schema)
    rows = list(_members(schema, name + "." if name else "", known))
    if rows:
        yield _table(("Member", "Type", "Meaning"), *rows)
    rules = list(_rules(schema))
    if rules:
        yield _paragraph(" ".join(rules))


def _first_object(schema: Schema) -> Schema:
    """The first of the alternatives in *schema* that is an object; *schema* if there is none."""
    objects = (each for each in schema.get("anyOf", ()) if each.get("type") == "object")
    return next(objects, schema)


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
    """Whether *schema* has all the (several) members of *part* unchanged."""
    members, those = schema.get("properties", {}), part.get("properties", {})
    return len(those) > 4 and all(members.get(name) == each for name, each in those.items())


def _rules(schema: Schema) -> Iterator[str]:
    """Sentences about rules between members."""
    for keyword, words in (("oneOf", "Exactly one of"), ("anyOf", "At least one of")):
        names = [
            each["required"][0]
            for each in schema.get(keyword, ())
            if len(each.get("required", ())) == 1
        ]
        if len(names) > 1 and len(names) == len(schema[keyword]):
            yield "%s %s." % (words, _listed(names))
    for name, others in schema.get("dependencies", {}).items():
        if not isinstance(others, list):  # only where the member is not null
            others = others["anyOf"][0]["required"]
        yield "%s only with %s." % (_code(name), _listed(others))


def _listed(names: Sequence[str]) -> str:
    quoted = [_code(name) for name in names]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


_NAMES = {"integer": "whole number", "boolean": "true or false", "array": "list", "null": "null"}


def _type(schema: Schema) -> str:
    reference = _reference(schema)
    if reference:
        return _code(reference)
    if "enum" in schema:
        return _plain(", ".join(json.dumps(each) for each in schema["enum"]))
    alternatives = [each for each in schema.get("anyOf", ()) if each.get("maxLength") != 0]
    if alternatives:
        kinds = [_reference(each) or each["type"] for each in alternatives]
        joined = " or ".join(dict.fromkeys(_NAMES.get(kind, kind) for kind in kinds))
        return joined + "".join(map(_limits, alternatives))
    types = schema.get("type", ())
    listed = [types] if isinstance(types, str) else list(types)
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
