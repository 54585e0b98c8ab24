"""Every setting in ``schemas/config.schema.json``, and the table of them in the pages."""

import json
from typing import Any, Dict, Iterator, List, NamedTuple

from opcws.wire import contract

#: The meaning of a text or a number, by the title of its rule.
_MEANT = {
    "a path": "path",
    "NodeId": "NodeId",
    "an index range": "index range",
    "a pattern": "pattern",
    "endpoint URL": "URL",
    "type": "name of a built-in type",
    "record": "true, false or mapping",
    "'auto', 'off' or the number of a CPU": "'auto', 'off' or whole number",
}
_TYPES = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "string": "text",
    "array": "list of text",
    "object": "mapping",
}


class Setting(NamedTuple):
    """``default`` is written as in YAML, ``"required"`` if the setting must be given, ``""`` if
    there is none; ``section`` is the title of its mapping."""

    path: str
    section: str
    rule: Dict[str, Any]
    default: str

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def type(self) -> str:
        if self.rule["title"] in _MEANT:
            return _MEANT[self.rule["title"]]
        if "enum" in self.rule:
            *words, last = ["'%s'" % each for each in self.rule["enum"]]
            return "%s or %s" % (", ".join(words), last)
        if self.unit == "bytes":
            return "size"
        return _TYPES[self.rule["type"]]

    @property
    def unit(self) -> str:
        return self.rule["description"].partition(" Unit: ")[2].partition(".")[0]

    @property
    def meaning(self) -> str:
        text: str = self.rule["description"]
        for part in (" Default: ", " Unit: "):
            text = text.partition(part)[0]
        return text


def every_setting() -> List[Setting]:
    """All settings, in the schema's order."""
    return list(_walk(contract.document("config.schema.json"), ""))


def _walk(section: Dict[str, Any], prefix: str) -> Iterator[Setting]:
    assert section["additionalProperties"] is False, "%s is not closed" % prefix
    assert section["title"] and section["description"]
    for name, rule in section["properties"].items():
        assert rule["title"] and rule["description"], prefix + name
        inner = resolved(rule)
        if "propertyNames" in inner:
            yield from _walk(resolved(inner["additionalProperties"]), prefix + name + ".NAME.")
        elif "properties" in inner:
            if {"type": "boolean"} in rule.get("anyOf", ()):  # a boolean instead of the mapping
                yield Setting(prefix + name, section["title"], rule, "")
            yield from _walk(inner, prefix + name + ".")
        else:
            default = rule.get("default", "")
            if name in section.get("required", ()):
                default = "required"
            text = default if isinstance(default, str) else json.dumps(default)
            yield Setting(prefix + name, section["title"], rule, text)


def resolved(rule: Dict[str, Any]) -> Dict[str, Any]:
    """*rule*, or the definition that it refers to."""
    for each in [rule, *rule.get("allOf", ()), *rule.get("anyOf", ()), rule.get("then", {})]:
        if "$ref" in each:
            definitions = contract.document("config.schema.json")["definitions"]
            found: Dict[str, Any] = definitions[each["$ref"].rpartition("/")[2]]
            return found
    return rule


def table() -> str:
    """The table in ``docs/pages/settings.rst``."""
    rows = [("Setting", "Type, unit", "Default", "Meaning")]
    rows += [
        (
            "``%s``" % each.path,
            ", ".join(part for part in (each.type, each.unit) if part),
            each.default if each.default in ("", "required") else "``%s``" % each.default,
            each.meaning.replace("*", "\\*"),
        )
        for each in every_setting()
    ]
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += ["   * - " + row[0], *("     - " + cell for cell in row[1:])]
    return "\n".join(line.rstrip() for line in lines) + "\n"
