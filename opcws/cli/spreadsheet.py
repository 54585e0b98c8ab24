"""``opcws config``: the variables of a configuration as a table for a spreadsheet, and back; its
schema for editors."""

import sys
from typing import Optional, Sequence

import click

from ..config import load, read_text
from ..model.text import clean, counted
from .common import config_option, say

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.group()
def config() -> None:
    """Edit a configuration in a spreadsheet or in a YAML editor."""


@config.command("export-csv")
@config_option()
@click.option("--output", metavar="FILE", default="-", help="Write to FILE, not to the terminal.")
@click.option(
    "--delimiter",
    type=click.Choice(["comma", "semicolon", "tab"]),
    default="comma",
    help="Separator of the cells; which one Excel expects depends on its language.",
)
def export_csv(path: str, output: str, delimiter: str) -> None:
    """Write the variables as CSV."""
    from ..commissioning import spreadsheet

    rows = spreadsheet.rows_of_config(load(path))
    write_table(output, spreadsheet.table(rows, spreadsheet.DELIMITERS[delimiter]))


@config.command("import-csv")
@config_option()
@click.argument("table", metavar="FILE", type=click.Path())
@click.option("--server", metavar="NAME", help="Server for the rows without a server.")
@click.option("--diff", is_flag=True, help="Only show what would change.")
def import_csv(path: str, table: str, server: Optional[str], diff: bool) -> None:
    """Add the variables of a CSV file, and change existing ones.

    No variable is removed; comments and order stay.
    """
    from ..commissioning import spreadsheet

    change = spreadsheet.import_file(path, table, server)
    if diff:
        say_diff(change.diff())
        return
    change.save()
    changed = counted(len(change.changed), "variable")
    click.echo("%s: %d added, %s changed" % (path, len(change.added), changed))


@config.command("schema")
@config_option()
def schema(path: str) -> None:
    """Write the schema beside FILE, for editors that know YAML.

    With it they complete, explain and check what you write, without a network.  Run this again
    after an upgrade of opcws.
    """
    from ..commissioning import config_file

    text = read_text(path)
    click.echo("wrote %s" % config_file.save_schema(path))
    if config_file.MODELINE not in text.splitlines():
        click.echo("next: put this line at the top of %s:\n%s" % (path, config_file.MODELINE))


# --- with browse ------------------------------------------------------------------------------


def say_diff(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(click.style(clean(line), fg=_COLOURS.get(line[:1])))
    if not lines:
        click.echo("nothing would change", err=True)


def write_table(path: str, text: str) -> None:
    from ..commissioning.config_file import save

    if path == "-":
        # A pipe gets the same bytes as a file, in every code page of the console.
        if sys.stdout.isatty():
            say(text.splitlines())
        else:
            click.echo(text.encode("utf-8"), nl=False)
        return
    save(path, "\ufeff" + text)
    click.echo("wrote %s" % path, err=True)
