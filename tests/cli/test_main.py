"""Which commands there are, and what each of them imports."""

import subprocess
import sys

import click
import pytest

from opcws.cli.main import COMMANDS, main


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_has_the_name_that_it_is_listed_by(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None and command.name == name and command.help


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
