"""Write the files of ``schemas/`` from their source, ``scripts/contract/``.

    python3 scripts/schemas.py

It also writes ``opcws/wire/requests.json``, with which the server checks requests, from the same
source.  The examples are in ``scripts/contract/examples.json``.
"""

import json
import re
from pathlib import Path
from typing import Any, Dict

from contract import answers, asyncapi, documents, requests, typed, values
from contract.forms import IN_STRINGS, Rules, in_strings, names_in, ref, resolved, spelled_out

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = ROOT / "schemas"
RULES = ROOT / "opcws" / "wire" / "requests.json"
EXAMPLES: Dict[str, Any] = json.loads(
    (Path(__file__).parent / "contract" / "examples.json").read_text(encoding="utf-8")
)

#: The base URL of the files, by the major version of the contract; it need not exist.
BASE = "https://w3id.org/opcws/contract/"


def version() -> str:
    """MAJOR.MINOR of the contract, as in the server."""
    source = (ROOT / "opcws" / "wire" / "contract.py").read_text(encoding="utf-8")
    return ".".join(
        re.search(r"^MAJOR, MINOR = ([0-9]+), ([0-9]+)$", source, re.MULTILINE).groups()
    )


def _definitions() -> Dict[str, Rules]:
    """Every definition by its name, also those of the string dialect."""
    found = {**values.DEFINITIONS, **answers.DEFINITIONS}
    for name, rules in {**found, **values.STRING_DIALECT}.items():
        found[name + IN_STRINGS] = in_strings(rules)
    found.update(requests.chosen(requests.DEFINITIONS, "published"))
    found["RequestHeader"] = requests.with_nulls(found["RequestHeader"])
    return found


DEFINITIONS = _definitions()


def used_by(rules: Rules, definitions: Dict[str, Rules]) -> Dict[str, Rules]:
    """The *definitions* that *rules* refer to, directly or indirectly."""
    names = dict.fromkeys(names_in(rules))
    waiting = list(names)
    while waiting:
        for name in names_in(definitions[waiting.pop()]):
            if name not in names:
                names[name] = None
                waiting.append(name)
    return {name: {"title": name, **definitions[name]} for name in names}


def document(name: str, title: str, description: str, rules: Rules) -> Dict[str, Any]:
    """A file of the contract: *rules*, with the definitions that they refer to."""
    definitions = used_by(rules, DEFINITIONS)
    made = {**_head(name, title, description), **resolved(spelled_out(rules))}
    if definitions:
        made["definitions"] = {
            name: resolved(spelled_out(each)) for name, each in definitions.items()
        }
    made["examples"] = EXAMPLES[name]
    return made


def _head(name: str, title: str, description: str) -> Dict[str, Any]:
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "%s%s/%s.json" % (BASE, version().partition(".")[0], name),
        "$comment": "Contract %s. Made by scripts/schemas.py of scripts/contract." % version(),
        "title": title,
        "description": description,
    }


def _header(name: str, definition: str) -> Rules:
    return {
        "description": "Type and ClientHandle of the message.",
        "type": "object",
        "allOf": [ref(definition)],
        "properties": {
            "MessageType": {
                "description": "Always %s." % name,
                "type": "string",
                "enum": [name],
            }
        },
    }


#: The end of the descriptions of all messages.
CLOSED = " Closed: opcws refuses unknown members. An optional member that is null counts as absent."
OPEN = (
    " Open: a later minor version may add members to the message, its Header, its Body and the "
    "items of lists in its Body."
)


def request(name: str) -> Dict[str, Any]:
    """The schema of a request."""
    title, description, body, body_required = requests.REQUESTS[name]
    body = requests.with_nulls(requests.chosen(body, "published"))
    if not body_required:
        body = requests.or_null(body)
    rules = {
        "type": "object",
        "properties": {"Header": _header(name, "RequestHeader"), "Body": body},
        "required": ["Header", "Body"] if body_required else ["Header"],
        "additionalProperties": False,
    }
    return document(name, title, description + CLOSED, rules)


def answer(name: str) -> Dict[str, Any]:
    """The schema of a message from the server."""
    title, about, header, body = answers.ANSWERS[name]
    rules: Rules = {"type": "object", "properties": {"Header": _header(name, header)}}
    if body is None:
        rules["properties"]["Body"] = False
        rules["required"] = ["Header"]
        return document(name, title, about + OPEN, rules)
    rules["properties"]["Body"] = {"description": body["description"]}
    body = {key: rule for key, rule in body.items() if key != "description"}
    handles = {
        handle: {"description": "A number comes back as a string too.", "type": "string"}
        for handle in ("ClientHandle", "ClientHandler")
        if handle in DEFINITIONS[header]["properties"]
    }
    rules["anyOf"] = [
        {"title": "In the typed dialect", "properties": {"Body": body}},
        {
            "title": "In the string dialect",
            "properties": {
                "Header": {"type": "object", "properties": handles},
                "Body": in_strings(body),
            },
        },
    ]
    rules["required"] = ["Header", "Body"]
    if header == "ResponseHeader":
        rules["required"] = ["Header"]
        rules["if"] = {"properties": {"Header": {"type": "object", "required": ["StatusCode"]}}}
        rules["then"] = {"properties": {"Body": False}}
        rules["else"] = {"required": ["Body"]}
    return document(name, title, about + OPEN, rules)


def rules_of_requests() -> Dict[str, Any]:
    """The rules by which the server checks requests: without nulls, titles and descriptions."""
    definitions = requests.chosen(requests.DEFINITIONS, "at_first")
    made = {}
    for name, (_, _, body, body_required) in requests.REQUESTS.items():
        rules = {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {
                "Header": requests.chosen(requests.header(name), "at_first"),
                "Body": requests.chosen(body, "at_first"),
            },
            "required": ["Header", "Body"] if body_required else ["Header"],
            "additionalProperties": False,
        }
        used = used_by(rules, definitions)
        if used:
            rules["definitions"] = used
        made[name] = _bare(resolved(rules))
    return made


def _bare(rules: Any) -> Any:
    """*rules* without the parts that are only for readers."""
    if isinstance(rules, list):
        return [_bare(each) for each in rules]
    if not isinstance(rules, dict):
        return rules
    return {
        name: {key: _bare(each) for key, each in rule.items()}
        if name in ("properties", "definitions")
        else _bare(rule)
        for name, rule in rules.items()
        if name not in ("title", "description") or not isinstance(rule, str)
    }


def types(flat: bool) -> Dict[str, Any]:
    """The document for code generators; *flat*: without unions."""
    name = "flat.schema" if flat else "typed.schema"
    made = _head(name, *typed.ABOUT[flat])
    if not flat:
        made["anyOf"] = [resolved(ref(each)) for each in ("ClientMessage", "ServerMessage")]
    return {**made, "definitions": resolved(typed.definitions(flat))}


def index() -> Dict[str, Any]:
    """Every message, and the other documents of the contract."""
    messages = [
        {
            "type": name,
            "direction": "to the server" if name in requests.REQUESTS else "from the server",
            **({"response": name.replace("REQUEST", "RESPONSE")} if "REQUEST" in name else {}),
            "file": name + ".json",
            "examples": "examples/%s.json" % name,
            "types": [form.name for form in typed.forms(name)],
        }
        for name in (*requests.REQUESTS, *answers.ANSWERS)
    ]
    return {
        "$comment": "Made by scripts/schemas.py.",
        "description": "Every message of the contract: its direction, the file with its schema, "
        "the file with messages to test with, and its types in typed.schema.json and "
        "flat.schema.json.",
        "contract": version(),
        "messages": messages,
        "types": ["typed.schema.json", "flat.schema.json"],
        "asyncapi": "asyncapi.json",
        "documents": [
            *("config.schema.json", "status.schema.json"),
            *(name + ".json" for name in documents.DOCUMENTS),
        ],
    }


#: Longest line of a file, if it can be broken.
WIDTH = 100


def text(made: Any, indent: int = 0, before: int = 0) -> str:
    """*made* as JSON in lines; *before*: number of characters before it in its line."""
    line = json.dumps(made, ensure_ascii=False)
    if not made or not isinstance(made, (dict, list)) or before + len(line) < WIDTH:
        return line
    pad = "\n" + " " * (indent + 2)
    if isinstance(made, dict):
        keys = [json.dumps(key, ensure_ascii=False) + ": " for key in made]
        parts = [
            key + text(each, indent + 2, indent + 2 + len(key))
            for key, each in zip(keys, made.values())
        ]
        return "{" + pad + ("," + pad).join(parts) + pad[:-2] + "}"
    parts = [text(each, indent + 2, indent + 2) for each in made]
    return "[" + pad + ("," + pad).join(parts) + pad[:-2] + "]"


def files() -> Dict[Path, str]:
    """The text of each generated file."""
    made = {SCHEMAS / (name + ".json"): text(request(name)) + "\n" for name in requests.REQUESTS}
    made.update({SCHEMAS / (name + ".json"): text(answer(name)) + "\n" for name in answers.ANSWERS})
    for name, (title, rules) in documents.DOCUMENTS.items():
        made[SCHEMAS / (name + ".json")] = (
            text(document(name, title, rules["description"], rules)) + "\n"
        )
    for name, content in (
        ("typed.schema.json", types(flat=False)),
        ("flat.schema.json", types(flat=True)),
        ("asyncapi.json", asyncapi.document(_head("asyncapi", "", ""), version())),
        ("index.json", index()),
    ):
        made[SCHEMAS / name] = text(content) + "\n"
    made[RULES] = text(rules_of_requests()) + "\n"
    return made


def main() -> None:
    for path, content in files().items():
        with open(str(path), "w", encoding="utf-8", newline="\n") as file:
            file.write(content)


if __name__ == "__main__":
    main()
