"""``opcws``: the list of commands, and how each of them ends.

The module of a command is imported when the command is called, so that ``opcws serve`` does not
load the code for tables.
"""

import importlib
import sys
import warnings
from typing import List, NoReturn, Optional

import click

from .. import __version__
from ..model.errors import ConfigError, ListenError, OpcwsError
from ..operations.form import FORM
from .common import (
    CANNOT_LISTEN,
    CONFIG_WRONG,
    INTERRUPTED,
    is_about_output,
    leave,
    leave_output,
)

#: Module and name of each command.
COMMANDS = {
    "browse": "browse.browse",
    "cert": "cert.cert",
    "check": "check.check",
    "client": "client.client",
    "config": "spreadsheet.config",
    "demo": "serve.demo",
    "discover": "browse.discover",
    "docs": "docs.docs",
    "doctor": "check.doctor",
    "history": "history.history",
    "import-asneg": "import_asneg.import_asneg",
    "info": "variables.info",
    "init": "browse.init",
    "list": "variables.list_variables",
    "read": "variables.read",
    "record": "record.record",
    "reload": "serve.reload",
    "schemas": "schemas.schemas",
    "serve": "serve.serve",
    "service": "service.service",
    "setup": "setup.setup",
    "stop": "serve.stop",
    "token": "accounts.token",
    "user": "accounts.user",
    "watch": "watch.watch",
    "write": "variables.write",
}


class _Commands(click.Group):
    """Every command ends in the same way after Ctrl-C (also during a question), on a full disk, and
    when the reader of a pipe leaves.  No error that the user can correct shows a traceback."""

    def list_commands(self, ctx: click.Context) -> List[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Optional[click.Command]:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(".")
        command: click.Command = getattr(importlib.import_module("." + module, __package__), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            result: object = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
            return result
        except (click.Abort, KeyboardInterrupt):
            leave(INTERRUPTED, "stopped")
        except OSError as error:
            if not is_about_output(error):
                raise
            leave_output(error)
        except OpcwsError as error:
            _leave_for(error)


def _leave_for(error: OpcwsError) -> NoReturn:
    if isinstance(error, ConfigError):
        leave(CONFIG_WRONG, *error.problems)
    if isinstance(error, ListenError):
        leave(CANNOT_LISTEN, error.reason)
    leave(CONFIG_WRONG, error.reason)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option("%s (%s)" % (__version__, FORM), prog_name="opcws")
def main() -> None:
    """Named variables of OPC UA servers over WebSocket, as JSON."""
    for stream in (sys.stdout, sys.stderr):
        # A name with characters that this console lacks must not end the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # cryptography warns at every start on an old Python; users cannot change that.
    warnings.filterwarnings("ignore", "Python 3.* is no longer supported")
