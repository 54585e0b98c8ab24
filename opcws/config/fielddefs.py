"""How a setting is declared, and the table that all of them make.

Pure.
"""

import dataclasses
import json
import re
from dataclasses import field
from typing import Any, Iterator, List, NamedTuple, Sequence

REQUIRED: Any = dataclasses.MISSING


def setting(
    default: Any, kind: str, doc: str, unit: str = "", key: str = "", **options: Any
) -> Any:
    """A dataclass field that is a setting: *kind* is its type as a person would say it,
    *key* its name in the file where that is not the field's."""
    metadata = {"kind": kind, "doc": doc, "unit": unit, "key": key}
    if default is REQUIRED:
        return field(metadata=metadata, **options)
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata, **options)
    return field(default=default, metadata=metadata, **options)


def section(default: Any, section: type, doc: str, key: str = "") -> Any:
    """A dataclass field that is a mapping with settings of its own."""
    metadata = {"section": section, "doc": doc, "key": key}
    if default is None:
        return field(default=None, metadata=metadata)
    return field(default_factory=default, metadata=metadata)


class Setting(NamedTuple):
    """One row of the table: ``default`` is written as in YAML, ``"required"`` if the setting
    must be given, ``""`` if there is none."""

    path: str
    type: str
    unit: str
    default: str
    description: str


def settings_of(section: type) -> List[Setting]:
    """Every setting of the dataclass *section* and of those in it, in their order."""
    return list(_settings_of(section, ""))


def _settings_of(section: type, prefix: str) -> Iterator[Setting]:
    for each in dataclasses.fields(section):
        path = prefix + (each.metadata.get("key") or each.name)
        if "section" in each.metadata:
            yield from _settings_of(each.metadata["section"], path + ".")
        elif "items" in each.metadata:
            yield from _settings_of(each.metadata["items"], path + ".NAME.")
        elif "kind" in each.metadata:
            yield Setting(
                path,
                each.metadata["kind"],
                each.metadata["unit"],
                _default_text(each),
                each.metadata["doc"],
            )


def _default_text(each: "dataclasses.Field[Any]") -> str:
    if each.default_factory is not dataclasses.MISSING:
        default: Any = each.default_factory()
    elif each.default is dataclasses.MISSING:
        return "required"
    else:
        default = each.default
    if default is None or each.metadata["kind"].startswith("name of") and default == 0:
        return ""
    if isinstance(default, str):
        return default
    return json.dumps(default)


def table_rst(rows: Sequence[Setting]) -> str:
    """*rows* as reStructuredText, as the documentation has it."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - Setting",
        "     - Type, unit",
        "     - Default",
        "     - Meaning",
    ]
    for row in rows:
        lines += [
            "   * - ``%s``" % row.path,
            "     - %s" % (row.type + (", " + row.unit if row.unit else "")),
            "     - %s"
            % (row.default if row.default in ("", "required") else "``%s``" % row.default),
            "     - %s" % row.description.replace("*", "\\*"),
        ]
    return "\n".join(re.sub(r"- $", "-", line) for line in lines) + "\n"
