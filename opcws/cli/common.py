"""What the commands share: options, exit codes, how a problem is told.

Exit codes: 0 good, 1 the configuration is wrong, 2 usage, 3 cannot listen, 4 some OPC UA server
or node is unreachable, or (client) opcws is, 5 (client) it does not let us in, 6 (client) some
variable is not as wanted, 130 stopped by Ctrl-C.
"""

import errno
import os
import sys
from typing import Any, Callable, NoReturn, Sequence, TypeVar

import click

from ..config import load as config
from ..model.errors import ConfigError, OpcwsError
from ..model.text import clean

CONFIG_WRONG = 1
CANNOT_LISTEN = 3
UNREACHABLE = 4
NOT_ALLOWED = 5
NOT_AS_WANTED = 6
INTERRUPTED = 130

#: Windows says EINVAL of a pipe that nobody reads any more.
_READER_LEFT = (errno.EPIPE, errno.EINVAL) if os.name == "nt" else (errno.EPIPE,)
_OUTPUT_ERRORS = (*_READER_LEFT, errno.ENOSPC, errno.EIO, errno.EFBIG)

F = TypeVar("F", bound=Callable[..., Any])


def config_option(command: F) -> F:
    return click.option(
        "--config",
        "path",
        required=True,
        metavar="FILE",
        type=click.Path(),
        help="The configuration, YAML or JSON.",
    )(command)


def log_options(command: F) -> F:
    for option in (
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            help="Lines for people, or one JSON object per line.",
        ),
        click.option("--log-file", metavar="FILE", help="Log there, rotated, not to the terminal."),
        click.option(
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error"]),
            help="Least severity that is logged.",
        ),
    ):
        command = option(command)
    return command


def leave(code: int, *lines: str) -> NoReturn:
    if code == INTERRUPTED and sys.stderr is not None and sys.stderr.isatty():
        click.echo("\r", err=True, nl=False)  # over the ^C that the terminal shows
    for line in lines:
        click.echo("opcws: " + clean(line), err=True)
    sys.exit(code)


def is_about_output(error: OSError) -> bool:
    """Whether *error* is what writing to the terminal, a pipe or a file behind ``>`` raises."""
    return error.filename is None and error.errno in _OUTPUT_ERRORS


def leave_output(error: OSError) -> NoReturn:
    """The output cannot be written, for *error*: whoever read it has enough, or there is no
    room."""
    discard_output()
    if error.errno in _READER_LEFT:
        sys.exit(0)
    leave(1, "cannot write the output: %s" % (error.strerror or error))


def discard_output() -> None:
    """What is left in the buffer would be written, and fail again, while Python ends."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
    except (OSError, ValueError, AttributeError):
        pass


def counted(number: int, thing: str) -> str:
    return "%d %s%s" % (number, thing, "" if number == 1 else "s")


def load(path: str) -> config.Config:
    try:
        return config.load(path)
    except ConfigError as error:
        leave(CONFIG_WRONG, *error.problems)


def say(lines: Callable[[], Sequence[str]]) -> None:
    try:
        for line in lines():
            click.echo(line)
    except ConfigError as error:
        leave(CONFIG_WRONG, *error.problems)
    except OpcwsError as error:
        leave(CONFIG_WRONG, error.reason)
