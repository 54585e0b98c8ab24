"""What the commands share: options, exit codes, error messages.

Exit codes: 0 good, 1 the configuration is wrong, 2 usage, 3 cannot listen, 4 an OPC UA server or
node is unreachable, or (client) opcws is, 5 (client) opcws refuses the credential, 6 (client) a
variable is unknown, bad or not written, 130 stopped by Ctrl-C.
"""

import contextlib
import errno
import logging
import os
import signal
import sys
from types import FrameType
from typing import Any, Callable, Iterable, Iterator, List, NoReturn, Optional, TypeVar

import click

from ..model.text import clean

CONFIG_WRONG = 1
CANNOT_LISTEN = 3
UNREACHABLE = 4
NOT_ALLOWED = 5
NOT_AS_WANTED = 6
INTERRUPTED = 130

#: Default name of a configuration.
CONFIG = "opcws.yaml"

#: Windows returns EINVAL for a pipe without a reader.
_READER_LEFT = (errno.EPIPE, errno.EINVAL) if os.name == "nt" else (errno.EPIPE,)
_OUTPUT_ERRORS = (*_READER_LEFT, errno.ENOSPC, errno.EIO, errno.EFBIG)

#: Seconds between two checks for Ctrl-C during a question.
_HEAR_S = 0.1

F = TypeVar("F", bound=Callable[..., Any])


# --- options ----------------------------------------------------------------------------------


def options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """One decorator that applies all *decorators*; ``--help`` shows them in this order."""

    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def config_option(
    help: str = "The configuration, YAML or JSON. By default opcws.yaml in the working folder.",
    required: bool = True,
    here: bool = True,
) -> Callable[[F], F]:
    """The argument ``path``.  With *here* its default is :data:`CONFIG` in the working folder, if
    that exists."""

    def chosen(_ctx: click.Context, _param: click.Parameter, path: Optional[str]) -> Optional[str]:
        if path is None and here and os.path.exists(CONFIG):
            return CONFIG
        if path is None and required:
            raise click.UsageError(
                "there is no %s in the working folder; give the configuration: --config FILE"
                % CONFIG
            )
        return path

    return click.option(
        *("--config", "path"), callback=chosen, metavar="FILE", type=click.Path(), help=help
    )


def timeout_option(default: float, help: str) -> Callable[[F], F]:
    """In seconds."""
    return click.option(
        "--timeout",
        "timeout_s",
        default=default,
        show_default=True,
        metavar="SECONDS",
        type=click.FloatRange(min=0.1, max=86400),
        help=help,
    )


log_options = options(
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        help="Log messages of this severity and above.",
    ),
    click.option(
        "--log-file", metavar="FILE", help="Log to FILE, with rotation, not to the terminal."
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        help="Lines for people, or one JSON object per line.",
    ),
)
password_stdin_option = click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from standard input, one line, instead of asking.",
)
no_color_option = click.option(
    "--no-color", is_flag=True, help="Print no colours, not even on a terminal."
)


def ask_password(question: str, from_stdin: bool, confirm: bool = False, err: bool = True) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return ask(question, hide_input=True, confirmation_prompt=confirm, err=err)


def ask(question: str, **more: Any) -> str:
    """The answer to *question*, asked by :func:`click.prompt`, which takes *more*."""
    if not more.get("hide_input") or not _lacks_console():
        with _ctrl_c_heard():
            answer: str = click.prompt(question, **more)
        return answer
    try:
        return ask(question, **{**more, "hide_input": False})
    finally:
        click.echo(err=more.get("err", False))  # piped input does not end the line


def confirm(question: str, **more: Any) -> bool:
    """Whether the answer to *question* is yes, asked by :func:`click.confirm`."""
    with _ctrl_c_heard():
        return click.confirm(question, **more)


def _lacks_console() -> bool:
    """Whether this is a Windows process without a console, such as a scheduled task, where getpass
    would wait for ever.  Piped input is read then, as getpass does elsewhere."""
    if sys.platform != "win32" or sys.stdin is not sys.__stdin__:
        return False
    try:
        os.close(os.open("CONIN$", os.O_RDWR))
    except OSError:
        return True
    return False


@contextlib.contextmanager
def _ctrl_c_heard() -> Iterator[None]:
    """Ctrl-C ends a question at any moment.

    Python handles a signal when it interrupts a wait.  A signal that arrives after the question is
    shown and before the wait begins interrupts nothing, and the user would have to press Ctrl-C
    again.  So a timer interrupts the wait now and then.
    """
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not heard or not hasattr(signal, "setitimer"):  # Windows interrupts a wait itself
        yield
        return
    pressed: List[int] = []

    def look(_number: int, _frame: Optional[FrameType]) -> None:
        if pressed:
            pressed.clear()
            raise KeyboardInterrupt

    # Only the alarm raises: while input() of an old Python ends for one handler, it fails in the
    # next.
    signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number))
    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _HEAR_S, _HEAR_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt


# --- what is told -----------------------------------------------------------------------------


def say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(clean(line))


def warn(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo("warning: " + clean(line), err=True)


def hush(*loggers: str) -> None:
    """Silence *loggers*; the command prints a sentence of its own instead."""
    for name in loggers:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def write_new(path: str, text: str) -> None:
    """Write the configuration *text* to a new file, and the schema for editors beside it."""
    from ..commissioning import config_file

    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write("%s\n%s" % (config_file.MODELINE, text))
        config_file.save_schema(path)
    except FileExistsError:
        leave(CONFIG_WRONG, "%s exists; remove it or name another file" % path)
    except OSError as error:
        leave(CONFIG_WRONG, "cannot write %s: %s" % (path, error.strerror))


# --- the end ----------------------------------------------------------------------------------


def leave(code: int, *lines: str) -> NoReturn:
    if code == INTERRUPTED and sys.stderr is not None and sys.stderr.isatty():
        click.echo("\r", err=True, nl=False)  # over the ^C that the terminal shows
    for line in lines:
        click.echo("opcws: " + clean(line), err=True)
    sys.exit(code)


def is_about_output(error: OSError) -> bool:
    """Whether *error* comes from writing to the terminal, a pipe or a redirected file."""
    return error.filename is None and error.errno in _OUTPUT_ERRORS


def leave_output(error: OSError) -> NoReturn:
    """Exit after *error*, which prevents writing the output: its reader has closed it, or the disk
    is full."""
    discard_output()
    if error.errno in _READER_LEFT:
        sys.exit(0)
    leave(1, "cannot write the output: %s" % (error.strerror or error))


def discard_output() -> None:
    """Drop the rest of the buffer, which Python would try to write again at its end."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
    except (OSError, ValueError, AttributeError):
        pass
