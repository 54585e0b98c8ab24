"""The commands that talk to opcws as its clients do: parse, call, print; no logic."""

import functools
import os
import sys
from datetime import datetime, timezone
from typing import Any, Callable, List, Optional, Sequence, Tuple

import click

from .. import client
from ..client import Client, ClientError
from ..model.text import clean
from . import clientcommands, watching
from .common import (
    INTERRUPTED,
    NOT_ALLOWED,
    NOT_AS_WANTED,
    UNREACHABLE,
    discard_output,
    leave,
    leave_output,
)
from .output import Output


class Connection:
    """What the options say of the connection, and of the output."""

    def __init__(
        self,
        url: str,
        token: Optional[str],
        user: Optional[str],
        password_stdin: bool,
        ca: Optional[str],
        certificate: Optional[str],
        key: Optional[str],
        insecure: bool,
        timeout: float,
        no_color: bool,
    ) -> None:
        self.out = Output(no_color)
        password = None
        if user is not None:
            # A token of the environment is for those who say nothing of who they are.
            if token is not None and not _from_command_line("token"):
                token = None
            password = _password(user, password_stdin)
        elif password_stdin:
            raise click.UsageError("--password-stdin goes with --user")
        self.client = Client(
            url,
            token=token,
            user=user,
            password=password,
            ca_file=ca,
            certificate=certificate,
            key=key,
            verify=not insecure,
            timeout_s=timeout,
        )


def _from_command_line(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _password(user: str, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given = os.environ.get("OPCWS_PASSWORD")
    if given is not None:
        return given
    asked: str = click.prompt("Password of %s" % user, hide_input=True, err=True)
    return asked


_OPTIONS = (
    click.option(
        "--url",
        default=client.DEFAULT_URL,
        envvar="OPCWS_URL",
        show_default=True,
        show_envvar=True,
        metavar="URL",
        help="Where opcws is: ws://, wss://, or HOST:PORT.",
    ),
    click.option(
        "--token",
        envvar="OPCWS_TOKEN",
        show_envvar=True,
        metavar="TOKEN",
        help="Bearer token; other users of this machine can see it here, not in the environment.",
    ),
    click.option(
        "--user", metavar="NAME", help="User; OPCWS_PASSWORD is the password, or it is asked for."
    ),
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
    click.option("--ca", metavar="FILE", help="PEM file with whom to trust for wss://."),
    click.option("--certificate", metavar="FILE", help="PEM file with our own certificate."),
    click.option("--key", metavar="FILE", help="PEM file with its key."),
    click.option("--insecure", is_flag=True, help="Take any certificate; for a first try only."),
    click.option(
        "--timeout",
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        type=click.FloatRange(min=0.1, max=86400),
        help="How long opcws has for an answer.",
    ),
    click.option("--no-color", is_flag=True, help="No colours, on a terminal either."),
)

_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")


def _talking(command: Callable[..., int]) -> Callable[..., None]:
    """A command with the options of the connection; *command* is called with a
    :class:`Connection` and the rest, and returns how many variables were not as wanted."""

    @functools.wraps(command)
    def run(**options: Any) -> None:
        own = ("url", "token", "user", "password_stdin", "ca", "certificate", "key", "insecure")
        chosen = {name: options.pop(name) for name in (*own, "timeout", "no_color")}
        _run(lambda: command(Connection(**chosen), **options))

    wrapped: Callable[..., None] = run
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _run(action: Callable[[], int]) -> None:
    """Every way in which a command can end, with its exit code, and without a traceback."""
    try:
        bad = action()
        if sys.stdout is not None:
            sys.stdout.flush()
    except ClientError as error:
        leave(*_told(error))
    except (KeyboardInterrupt, EOFError, click.Abort):
        discard_output()
        sys.exit(INTERRUPTED)
    except OSError as error:
        leave_output(error)
    else:
        if bad:
            sys.exit(NOT_AS_WANTED)


def _told(error: ClientError) -> Tuple[int, str]:
    text = clean(error.reason)
    if isinstance(error, clientcommands.UsageProblem):
        return 2 if error.usage else NOT_AS_WANTED, text
    if isinstance(error, client.AddressError):
        return 2, text
    if isinstance(error, client.NotAllowed):
        if error.http_status == 401:
            text += "; show who you are with --token or --user"
        return NOT_ALLOWED, text
    if isinstance(error, client.NotTrusted):
        text += " (--ca FILE, or --certificate and --key if it is yours that is missing)"
        return UNREACHABLE, text
    if isinstance(error, (client.RequestRefused, client.VariableError)):
        return NOT_AS_WANTED, "%s (%s)" % (text, clean(error.status))
    if isinstance(error, client.ConnectError):
        source = click.get_current_context().get_parameter_source("url")
        if source is click.core.ParameterSource.DEFAULT:
            text += "; --url or OPCWS_URL names another address"
    return UNREACHABLE, text


# --- the commands -----------------------------------------------------------------------------


@click.command("list")
@click.argument("patterns", metavar="[NAME]...", nargs=-1)
@click.option("--long", is_flag=True, help="Type, access, unit and description too.")
@_json_option
@_talking
def list_command(to: Connection, patterns: Sequence[str], long: bool, as_json: bool) -> int:
    """List the variables of an opcws, or those that NAME (with *, ? and [..]) matches."""
    with to.client:
        return clientcommands.list_variables(to.client, to.out, patterns, long, as_json)


@click.command()
@click.argument("patterns", metavar="NAME...", nargs=-1, required=True)
@_json_option
@_talking
def info(to: Connection, patterns: Sequence[str], as_json: bool) -> int:
    """Tell all that is known of variables: type, unit, range, node and so on."""
    with to.client:
        return clientcommands.show_info(to.client, to.out, patterns, as_json)


@click.command()
@click.argument("patterns", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--max-age",
    default=0.0,
    metavar="MS",
    type=click.FloatRange(min=0),
    help="A monitored value that is younger will do; by default the plant is asked.",
)
@click.option("--value", "only_values", is_flag=True, help="Print the values alone.")
@_json_option
@_talking
def read(
    to: Connection, patterns: Sequence[str], max_age: float, only_values: bool, as_json: bool
) -> int:
    """Read variables; NAME may have *, ? and [..]."""
    with to.client:
        return clientcommands.read(to.client, to.out, patterns, max_age, only_values, as_json)


class _Write(click.Command):
    """A negative number is a value, not an option."""

    def parse_args(self, ctx: click.Context, args: List[str]) -> List[str]:
        # What stands behind '--' is never taken for an option.
        options, values = _split(args, self.params)
        return super().parse_args(ctx, [*options, "--", *values])


def _split(args: Sequence[str], params: Sequence[click.Parameter]) -> Tuple[List[str], List[str]]:
    """*args* as options, each with its value, and the rest."""
    takes = {
        name: not option.is_flag
        for option in params
        if isinstance(option, click.Option)
        for name in option.opts
    }
    options: List[str] = []
    values: List[str] = []
    rest = list(args)
    while rest:
        arg = rest.pop(0)
        if arg == "--":
            values += rest
            break
        # One dash and more is a value, unless it asks for help; two are an option, or a typing
        # error, of which click tells.
        if arg.startswith("--") or arg == "-h":
            options.append(arg)
            if takes.get(arg, False) and rest:
                options.append(rest.pop(0))
        else:
            values.append(arg)
    return options, values


@click.command(cls=_Write)
@click.argument("pairs", metavar="NAME VALUE [NAME VALUE]...", nargs=-1, required=True)
@click.option("--type", "type_name", metavar="TYPE", help="Write it as this built-in type.")
@_json_option
@_talking
def write(to: Connection, pairs: Sequence[str], type_name: Optional[str], as_json: bool) -> int:
    """Write variables.  An array is written as JSON: '[1, 2, 3]'."""
    if len(pairs) % 2:
        raise click.UsageError("each NAME needs a VALUE; %r has none" % pairs[-1])
    with to.client:
        return clientcommands.write(
            to.client, to.out, list(zip(pairs[::2], pairs[1::2])), type_name, as_json
        )


@click.command()
@click.argument("patterns", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--interval",
    metavar="MS",
    type=click.FloatRange(min=0),
    help="Not more often than that; the latest value wins.",
)
@click.option(
    "--count", default=0, metavar="NUMBER", type=click.IntRange(min=0), help="End after so many."
)
@click.option("--for", "span", metavar="SPAN", help="End after 90s, 15m, 12h ...")
@click.option("--lines", is_flag=True, help="A line for each change, not a table.")
@_json_option
@_talking
def watch(
    to: Connection,
    patterns: Sequence[str],
    interval: Optional[float],
    count: int,
    span: Optional[str],
    lines: bool,
    as_json: bool,
) -> int:
    """Watch variables until Ctrl-C: a live table, or in a pipe a line for each change."""
    for_s = None if span is None else clientcommands.seconds(span)
    screen = to.out if to.out.live and not lines else None
    try:
        with to.client:
            return watching.watch(
                to.client, to.out, patterns, interval, count, for_s, as_json, screen
            )
    except KeyboardInterrupt:
        return 0  # the way in which this command is ended


@click.command()
@click.argument("patterns", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--start",
    default="1h",
    show_default=True,
    metavar="WHEN",
    help="2026-11-22T10:30:00 (local time; UTC with Z), 10:30, or how long ago: 15m, 12h, 7d.",
)
@click.option("--end", default="now", show_default=True, metavar="WHEN", help="The same.")
@click.option(
    "--limit",
    default=0,
    metavar="NUMBER",
    type=click.IntRange(min=0),
    help="So many values at most; all by default.",
)
@click.option("--aggregate", metavar="NAME", help="Average, Minimum, Maximum, Count ...")
@click.option("--every", metavar="SPAN", help="What one aggregated value stands for: 10s, 1h ...")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values, times in UTC.")
@click.option("--plot", is_flag=True, help="Draw it.")
@click.option(
    "--height",
    default=15,
    show_default=True,
    metavar="LINES",
    type=click.IntRange(min=3, max=200),
    help="Height of the plot.",
)
@_json_option
@_talking
def history(
    to: Connection,
    patterns: Sequence[str],
    start: str,
    end: str,
    limit: int,
    aggregate: Optional[str],
    every: Optional[str],
    as_csv: bool,
    plot: bool,
    height: int,
    as_json: bool,
) -> int:
    """Show what was recorded of variables: a table, CSV, JSON, or a plot."""
    if as_csv + plot + as_json > 1:
        raise click.UsageError("choose one of --csv, --plot and --json")
    if (aggregate is None) != (every is None):
        raise click.UsageError("--aggregate and --every go together")
    form = "csv" if as_csv else "plot" if plot else "json" if as_json else "table"
    now = datetime.now(timezone.utc).astimezone()
    begins, ends = clientcommands.when(start, now), clientcommands.when(end, now)
    interval_s = None if every is None else clientcommands.seconds(every)
    with to.client:
        return clientcommands.history(
            to.client, to.out, patterns, begins, ends, limit, aggregate, interval_s, form, height
        )


COMMANDS: Tuple[click.Command, ...] = (list_command, info, read, write, watch, history)
