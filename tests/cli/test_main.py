"""Which commands there are, and what each of them imports."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Tuple

import click
import pytest

from opcws.cli.main import COMMANDS, main

from ..support import command

CONFIG = "servers: {plant: {endpoint: 'opc.tcp://127.0.0.1:1', variables: {V: {node: i=2258}}}}"


def _groups(group: click.Group, name: str = "opcws") -> Iterator[Tuple[str, click.Group]]:
    yield name, group
    for each in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), each)
        if isinstance(found, click.Group):
            yield from _groups(found, "%s %s" % (name, each))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_has_the_name_that_it_is_listed_by(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None and command.name == name and command.help


@pytest.mark.parametrize(("name", "group"), list(_groups(main)))
def test_no_summary_is_cut_on_a_terminal_of_80_columns(name: str, group: click.Group) -> None:
    context = click.Context(group, info_name=name, terminal_width=78)  # what click uses of 80
    lines = group.get_help(context).splitlines()
    listed = lines[lines.index("Commands:") + 1 :]
    assert listed and all(re.match("  [a-z]", line) for line in listed), "a line for each"
    assert not [line for line in listed if line.endswith("...") or len(line) > 80]


def test_the_configuration_is_opcws_yaml_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("serve", "check", "reload", "stop"):
        none = command.run(name)
        assert none.exit_code == 2 and "there is no opcws.yaml in the working folder" in none.stderr
    (tmp_path / "opcws.yaml").write_text(CONFIG, "utf-8")
    (tmp_path / "other.yaml").write_text(CONFIG, "utf-8")
    for arguments, told in (
        (("check", "--offline"), "opcws.yaml is good"),
        (("check", "other.yaml", "--offline"), "other.yaml is good"),
        (("check", "--config", "other.yaml", "--offline"), "other.yaml is good"),
    ):
        assert told in command.run(*arguments).stdout
    assert "no opcws serves opcws.yaml" in command.run("reload").stderr
    assert "opcws.yaml" in command.run("doctor").stdout
    both = command.run("check", "opcws.yaml", "--config", "other.yaml", "--offline")
    assert both.exit_code == 2 and "not both" in both.stderr


@pytest.mark.parametrize(
    ("module", "not_needed"),
    [
        ("serve", ("rich", "opcws.commissioning", "opcws.client", "opcws.demo")),
        ("service", ("yaml", "jsonschema", "opcws.config", "opcws.app", "rich")),
        ("variables", ("opcua", "cryptography", "yaml", "opcws.app", "opcws.ua", "opcws.ws")),
    ],
)
def test_a_command_carries_nothing_of_the_others(
    module: str, not_needed: "tuple[str, ...]"
) -> None:
    program = "import sys, opcws.cli.main, opcws.cli.%s; print(*sys.modules)" % module
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )
    assert not {*not_needed} & {*done.stdout.split()}
