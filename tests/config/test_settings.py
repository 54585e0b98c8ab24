"""The dataclasses of the settings and the schema say the same."""

import dataclasses
import json
from typing import Any, Dict, List, Set, Tuple, get_type_hints

import jsonschema
import pytest

from opcws.config import settings
from opcws.model.data_types import TYPE_IDS
from opcws.wire import contract

from ..support.settings_table import Setting, every_setting, resolved

SECTIONS: Dict[str, Any] = {
    "opcws configuration": settings.Config,
    **{name: each for name, each in vars(settings).items() if dataclasses.is_dataclass(each)},
}
#: What nobody sets: names that come from elsewhere.
NO_SETTINGS = {
    settings.Config: {"path", "warnings"},
    settings.Server: {"name"},
    settings.Variable: {"name", "server", "node_text"},
}
#: By the type in the schema: the types that the field may have.
TYPES: Dict[str, Tuple[Any, ...]] = {
    "integer": (int,),
    "number": (float,),
    "boolean": (bool,),
    "string": (str,),
    "array": (Tuple[str, ...],),
    "object": (settings.Mapping[str, Any], settings.RecordRule),
}


def schema_sections() -> Dict[str, Dict[str, Any]]:
    document = contract.document("config.schema.json")
    listed: List[Dict[str, Any]] = [document, *document["definitions"].values()]
    return {each["title"]: each for each in listed}


def fields(section: Any) -> Dict[str, Any]:
    """The fields of a dataclass by their names in the file."""
    return {
        "array" if each.name == "is_array" else each.name: each
        for each in dataclasses.fields(section)
        if each.name not in NO_SETTINGS.get(section, ())
    }


def default(each: Any) -> Any:
    """The field's default as JSON has it; ``None`` if there is none."""
    made = each.default
    if each.default_factory is not dataclasses.MISSING:
        made = each.default_factory()
    return None if made is dataclasses.MISSING else json.loads(json.dumps(made))


def kinds(hint: Any) -> Set[Any]:
    return {hint, *getattr(hint, "__args__", ())}


def test_every_section_is_a_dataclass_with_the_same_settings_in_the_same_order() -> None:
    sections = schema_sections()
    assert set(sections) == set(SECTIONS) - {"Config"}
    for title, section in sections.items():
        assert list(section["properties"]) == list(fields(SECTIONS[title])), title


@pytest.mark.parametrize("setting", every_setting(), ids=lambda setting: setting.path)
def test_a_setting_has_the_default_the_type_and_the_unit_of_the_schema(setting: Setting) -> None:
    section, rule = SECTIONS[setting.section], setting.rule
    each = fields(section)[setting.name]
    required = each.default is each.default_factory is dataclasses.MISSING
    # A variable that is a field at a broker has no node.
    assert required == (setting.default == "required" or setting.name == "node")
    if "default" in rule:
        jsonschema.validate(rule["default"], rule)
        assert default(each) == rule["default"]
        written = rule["default"]
        text = written if isinstance(written, str) else json.dumps(written)
        assert rule["description"].endswith(" Default: %s." % text)
    elif (section, setting.name) != (settings.Variable, "type"):
        assert default(each) in (None, "", []) and " Default: " not in rule["description"]
    assert ("path" in each.metadata) == (rule["title"] == "a path")
    assert setting.name.endswith("_ms") == (setting.unit == "ms")
    assert setting.name.endswith("_s") == (setting.unit == "s")
    assert setting.name.endswith("_bytes") == (setting.unit == "bytes")


@pytest.mark.parametrize("setting", every_setting(), ids=lambda setting: setting.path)
def test_a_field_has_the_type_of_its_setting(setting: Setting) -> None:
    section = SECTIONS[setting.section]
    hint = get_type_hints(section)[fields(section)[setting.name].name]
    if section is settings.Variable and setting.name in ("node", "type"):
        assert setting.rule["type"] == "string"  # the file has their text
        return
    if setting.unit == "bytes":
        assert hint is int  # the file may have a text, such as 2 GiB
        return
    for rule in setting.rule.get("anyOf", [setting.rule]):
        assert kinds(hint) & set(TYPES[rule["type"]]), rule["type"]


def test_the_types_of_variables_are_the_built_in_types() -> None:
    (types,) = [each.rule for each in every_setting() if each.path.endswith("variables.NAME.type")]
    assert set(types["enum"]) == set(TYPE_IDS) - {"DiagnosticInfo"}


def test_the_schema_itself_is_valid_draft_07() -> None:
    document = contract.document("config.schema.json")
    assert document["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(document)
    assert resolved(document["properties"]["log"]) == document["definitions"]["log"]
