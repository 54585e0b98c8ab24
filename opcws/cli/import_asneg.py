"""``opcws import-asneg``: from another product's configuration to one of ours."""

from typing import Optional

import click

from ..model.text import word
from .common import warn, write_new


@click.command("import-asneg")
@click.argument("model", metavar="OpcUaWebServerModel.xml", type=click.Path())
@click.option("--output", metavar="FILE", help="Write to FILE, not to the terminal.")
def import_asneg(model: str, output: Optional[str]) -> None:
    """Convert a configuration of ASNeG OPC UA Web Server."""
    from ..commissioning import asneg

    imported = asneg.import_model(model)
    warn(imported.warnings)
    if output is None:
        click.echo(imported.text, nl=False)
        return
    write_new(output, imported.text)
    click.echo("wrote %s; try: opcws check --config %s" % (output, word(output)), err=True)
