"""``opcws schemas``: the contract as files, for programs in other languages."""

from pathlib import Path

import click

from ..model.text import clean, counted
from ..wire import contract, schema_files
from .common import CONFIG_WRONG, leave


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def schemas(folder: Path) -> None:
    """Write the JSON Schema of each message into DIR.

    It also writes messages for tests.  DIR is created if it does not exist.  Files in DIR with the
    same names are replaced, others stay.

    \b
    Example:
      opcws schemas contract/
    """
    try:
        count = schema_files.copy_into(folder)
    except OSError as error:
        leave(
            CONFIG_WRONG,
            "cannot write %s: %s; check the path and the permissions"
            % (error.filename or folder, error.strerror or error),
        )
    told = (counted(count, "file"), contract.VERSION, clean(str(folder)))
    click.echo("wrote %s of contract %s into %s" % told)
