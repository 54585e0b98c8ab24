"""What README.rst and the pages below opcws/docs say is what the product does."""

import ast
import json
import re
import textwrap
from pathlib import Path
from typing import Set

import click
import docutils.core
import pytest

from opcws import __version__
from opcws.cli import common
from opcws.cli.main import main
from opcws.config import loads
from opcws.demo import variables
from opcws.docs import topics
from opcws.operations.limit_hits import LIMITS

from .support import readme, settings_table
from .support.contract_problems import problems_of

COMMANDS = {
    name: main.get_command(click.Context(main), name)
    for name in main.list_commands(click.Context(main))
}


@pytest.mark.parametrize("name", ["README.rst", "CHANGES.rst"])
def test_it_is_good_restructuredtext(name: str) -> None:
    settings = {"report_level": 1, "halt_level": 2, "syntax_highlight": "none"}
    text = (readme.ROOT / name).read_text(encoding="utf-8")
    docutils.core.publish_doctree(text, settings_overrides=settings)


def test_the_table_of_settings_is_the_one_that_the_schema_makes() -> None:
    assert settings_table.table() in readme.section("Settings")


def test_every_command_has_its_section() -> None:
    described = set(re.findall(r"^opcws ([a-z-]+)\n[~-]+$", readme.TEXT, re.MULTILINE))
    assert described == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_option_of_a_command_is_described_and_no_other(name: str) -> None:
    command = COMMANDS[name]
    commands = command.commands.values() if isinstance(command, click.Group) else [command]
    options = {
        option: parameter
        for each in commands
        for parameter in each.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }
    text = readme.section("opcws " + name)
    terms = "\n".join(re.findall(r"^``--.*$", text, re.MULTILINE))
    assert set(re.findall(r"--[a-z-]+", terms)) == set(options)
    for option, parameter in options.items():
        takes_a_value = re.search(r"``%s [A-Z]+``" % option, terms) is not None
        assert takes_a_value != parameter.is_flag, option


def test_each_command_that_is_shown_is_one_that_there_is() -> None:
    shown = re.findall(
        r"^ +(?:\S*[/\\])?opcws ([a-z].*)$|``opcws ([a-z][^`]*)``",
        readme.TEXT.replace("\\\n", " "),
        re.MULTILINE,
    )
    assert len(shown) > 50
    for words in (" ".join(pair).split() for pair in shown):
        command = COMMANDS[words.pop(0)]
        if isinstance(command, click.Group) and words:
            command = command.commands[words.pop(0)]
        options = {o for each in command.params for o in (*each.opts, *each.secondary_opts)}
        for word in words:
            if word.startswith("--"):
                assert word in {*options, "--help"}, (command.name, word)


def test_the_default_port_is_the_one_that_the_readme_names() -> None:
    (port,) = (p for p in COMMANDS["demo"].params if p.name == "port")
    assert "The default is %d." % port.default in readme.section("opcws demo")


def test_each_exit_code_is_listed() -> None:
    listed = re.findall(r"^(\d+) ", readme.section("Exit codes"), re.MULTILINE)
    known = [
        0,
        common.CONFIG_WRONG,
        click.UsageError.exit_code,
        common.CANNOT_LISTEN,
        common.UNREACHABLE,
    ]
    known += [common.NOT_ALLOWED, common.NOT_AS_WANTED, common.INTERRUPTED]
    assert [int(code) for code in listed] == known


def test_each_request_is_listed() -> None:
    listed = re.findall(r"^``([A-Z]+)`` ", readme.section("Requests and responses"), re.MULTILINE)
    requests = (readme.ROOT / "schemas").glob("*_REQUEST.json")
    assert sorted(listed) == sorted(path.name.rpartition("_")[0] for path in requests)


def test_each_json_example_follows_the_contract() -> None:
    messages = (text for text in readme.code("json") if text.startswith('{"Header"'))
    examples = [json.loads(text) for text in messages]
    assert examples
    for example in examples:
        assert not problems_of(example["Header"]["MessageType"], example)


def test_the_example_of_a_configuration_is_good_and_fits_the_simulated_plant() -> None:
    (text,) = readme.code("yaml")
    loaded = loads(text)
    assert not loaded.warnings
    plant = {variable.node: variable for variable in variables()}
    for variable in loaded.variables.values():
        assert variable.access == plant[variable.node_text].access


def test_the_example_of_a_pattern_is_good() -> None:
    examples = re.findall(r"::\n\n((?:    .*\n)+)", readme.section("Variables that come and go"))
    (text,) = (each for each in examples if "browse:" in each)
    loaded = loads(textwrap.dedent(text))
    assert not loaded.warnings
    assert loaded.servers["plant"].browse[0].match == "Boiler.*"


def test_the_example_of_roles_is_good_and_fits_the_simulated_plant() -> None:
    (text,) = re.findall(r"::\n\n((?:    .*\n)+)", readme.section("Who can connect"))[:1]
    listed = "".join("      %s: {node: i=1, access: readwrite}\n" % v.name for v in variables())
    servers = "servers:\n  plant:\n    endpoint: opc.tcp://h:1\n    variables:\n" + listed
    loaded = loads(textwrap.dedent(text) + servers)
    assert loaded.roles is not None
    assert sorted(loaded.roles) == ["anonymous", "monitoring", "operator", "panel"]
    assert not loaded.warnings


def product_texts() -> Set[str]:
    """Every text constant of the product but docstrings, and the table of status codes."""
    return {(readme.ROOT / "opcws" / "model" / "status_codes.csv").read_text(encoding="utf-8")} | {
        node.value
        for path in (readme.ROOT / "opcws").rglob("*.py")
        for parent in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if not isinstance(parent, ast.Expr)
        for node in ast.iter_child_nodes(parent)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_each_message_in_the_troubleshooting_is_one_that_the_product_has() -> None:
    symptoms = re.findall(r"^``(.+)``$", topics.source("trouble"), re.MULTILINE)
    assert len(symptoms) > 40
    texts = product_texts()
    for symptom in symptoms:
        for part in filter(None, (part.strip() for part in symptom.split("…"))):
            assert any(part in text for text in texts), "nothing says %r" % part


def test_the_paths_that_it_names_are_there() -> None:
    named = re.findall(r"(?:scripts|schemas|opcws/docs/pages)/[\w.-]+", readme.TEXT)
    for name in named:
        assert Path(readme.ROOT / name.rstrip(".")).exists(), name


def test_the_readme_leads_to_every_page() -> None:
    linked = re.findall(
        r"^   \* - `[^`]+ <opcws/docs/pages/([\w-]+)\.rst>`__$", readme.README, re.M
    )
    named = re.findall(r"^   \* - ``opcws docs (\w+)``$", readme.README, re.M)
    assert sorted(linked) == sorted(path.stem for path in readme.PAGES.glob("*.rst"))
    assert sorted(linked + named) == sorted(topics.NAMES)


def test_the_change_log_begins_with_the_present_version() -> None:
    text = (readme.ROOT / "CHANGES.rst").read_text(encoding="utf-8")
    versions = re.findall(r"^(\d\S+)\n-+$", text, re.MULTILINE)
    assert versions[0] == __version__


def test_the_table_of_limits_has_each_that_is_counted() -> None:
    listed = re.findall(r"^``(\w+)``  ", readme.section("Limits"), re.MULTILINE)
    assert sorted(listed) == sorted(LIMITS)


def test_each_limit_that_is_counted_is_a_setting_if_it_can_be() -> None:
    sections = ("listen.", "process.")
    settings = {e.name for e in settings_table.every_setting() if e.path.startswith(sections)}
    assert set(LIMITS) - settings == {"open_files", "processor_share"}
