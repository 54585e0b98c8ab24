"""``opcws browse``, ``discover`` and ``init``: the commands that look at an OPC UA server."""

import contextlib
import functools
import sys
from typing import Any, Callable, Iterator, NamedTuple, Optional, Sequence

import click
from rich.live import Live
from rich.text import Text

from ..config.settings import User
from ..model.errors import PlantError
from ..model.text import clean, word
from .common import (
    CONFIG,
    INTERRUPTED,
    UNREACHABLE,
    ask,
    ask_password,
    config_option,
    hush,
    leave,
    options,
    password_stdin_option,
    say,
)
from .spreadsheet import say_diff, write_table
from .terminal import can_show, console, redrawn

endpoint_option = click.option(
    "--endpoint", metavar="URL", help="Address of the OPC UA server, or its host."
)
security_option = click.option(
    "--security",
    metavar="POLICY",
    help="None, or a policy with a mode, such as Basic256Sha256/SignAndEncrypt.",
)
variables_option = click.option(
    "--variables",
    metavar="GLOB",
    help="Which variables: * for all, a pattern, or 'later' to browse at every connection.",
)


class _Login(NamedTuple):
    """Who the session is for; names as in the configuration."""

    user: Optional[str]
    password_stdin: bool
    password_env: Optional[str]
    password_file: Optional[str]
    allow_clear: bool

    def asked(self) -> Optional[User]:
        """The user; asks for the password if none is given."""
        ways = [self.password_env is not None, self.password_file is not None, self.password_stdin]
        if self.user is None:
            if any(ways):
                raise click.UsageError("a password needs --user")
            return None
        if sum(ways) > 1:
            raise click.UsageError(
                "give only one of --password-stdin, --password-env and --password-file"
            )
        given = None
        if self.password_stdin or not any(ways):
            given = ask_password("Password", self.password_stdin)
        return User(self.user, given, self.password_env, self.password_file, self.allow_clear)


def _session_options(command: Callable[..., None]) -> Callable[..., None]:
    """How the secure channel is protected, and a :class:`_Login`."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        login = _Login(*(given.pop(name) for name in _Login._fields))
        command(login=login, **given)

    decorated: Callable[..., None] = options(
        security_option,
        click.option(
            "--pki",
            metavar="DIR",
            type=click.Path(),
            help="Directory with certificates (security.pki), by default 'pki' beside the "
            "configuration.",
        ),
        click.option("--user", metavar="NAME", help="Name of a user of the OPC UA server."),
        password_stdin_option,
        click.option(
            "--password-env", metavar="NAME", help="Environment variable that holds the password."
        ),
        click.option(
            "--password-file",
            metavar="FILE",
            type=click.Path(),
            help="File that holds the password.",
        ),
        click.option(
            "--allow-clear",
            is_flag=True,
            help="Allow opcws to send the password in clear over an unencrypted channel.",
        ),
    )(run)
    return decorated


@click.command()
@click.argument("endpoint", metavar="[ENDPOINT]", required=False)
@config_option(
    "Browse a server of this configuration, not an ENDPOINT.", required=False, here=False
)
@click.option("--server", metavar="NAME", help="Name of the server in the configuration.")
@click.option("--under", metavar="NODE", help="Start at this node, by default the Objects folder.")
@click.option("--depth", metavar="N", type=click.IntRange(1), help="Browse this many levels deep.")
@click.option(
    "--match",
    metavar="GLOB",
    multiple=True,
    help="Only variables whose name matches; * is any text. May be repeated.",
)
@click.option("--ids", is_flag=True, help="Show NodeIds, which --under takes.")
@click.option("--properties", is_flag=True, help="Show the properties of variables, too.")
@click.option(
    "--write-config",
    metavar="FILE",
    type=click.Path(),
    help="Add the variables to the configuration FILE, or create it.",
)
@click.option("--diff", is_flag=True, help="Only show what --write-config would change.")
@click.option(
    "--csv", metavar="FILE", type=click.Path(), help="Write a table to FILE; - prints it."
)
@_session_options
def browse(
    endpoint: Optional[str],
    path: Optional[str],
    server: Optional[str],
    under: Optional[str],
    depth: Optional[int],
    match: Sequence[str],
    ids: bool,
    properties: bool,
    write_config: Optional[str],
    diff: bool,
    csv: Optional[str],
    security: Optional[str],
    pki: Optional[str],
    login: _Login,
) -> None:
    """Show the variables of a server, or add them to a file.

    ENDPOINT is a URL such as opc.tcp://host:4840, or a host.
    """
    from ..commissioning import browse, config_file, spreadsheet, targets

    if (endpoint is None) == (path is None):
        raise click.UsageError("give an ENDPOINT, or --config")
    if diff and write_config is None:
        raise click.UsageError("--diff needs --write-config")
    if path is not None and (security or pki or login.user):
        raise click.UsageError(
            "--security, --pki and --user do not go with --config, which has them already"
        )
    who = login.asked()
    scope = browse.Scope(under, depth, match or ("*",), properties)
    hush("opcua")
    with progress_told("nothing was written" if write_config else "") as progress:
        for file in (None if diff else write_config, None if csv == "-" else csv):
            if file is not None:
                config_file.check_writable(file)
        target = targets.chosen(path, endpoint or "", server, security, who, pki, write_config)
        explored = browse.explore(target.server, scope, progress.show)
    if csv is not None:
        write_table(csv, spreadsheet.table(spreadsheet.rows_of(explored.found, target.server.name)))
    if write_config is not None:
        name = server or (target.server.name if path is not None else None)
        change = browse.into_config(write_config, target, explored, name)
        if diff:
            say_diff(change.diff())
        else:
            change.save()
            say(change.lines())
        _say_notes(browse.summary(explored, ()))
        if not diff:
            if target.password_missing:
                missing = target.password_missing
                click.echo("first set the environment variable %s to the password" % missing)
            click.echo("next: opcws serve --config %s" % word(write_config))
        return
    if csv is None:
        # With --depth the user wants an overview.
        folders = depth is not None and not match
        for drawing, remark, is_variable in browse.tree(
            explored, folders, ids, not can_show("├└│")
        ):
            text = drawing if is_variable else click.style(drawing, bold=True)
            # The colours are ours, and what it says is clean.
            click.echo(text + ("  " + click.style(remark, fg="cyan") if remark else ""))
    _say_notes(browse.summary(explored, match))


def _say_notes(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(clean(line), err=True)


@click.command()
@click.argument("endpoint", metavar="HOST")
def discover(endpoint: str) -> None:
    """List the endpoints of an OPC UA server, and which to choose.

    HOST is a host, a host with a port, or a URL such as opc.tcp://host:4840.
    """
    from ..commissioning import discover, targets

    with progress_told():
        found = discover.look(targets.at(endpoint).server)
    for line in discover.report(found):
        click.echo(click.style(line, bold=True) if line.startswith("*") else line)
    if found.best is None:
        sys.exit(UNREACHABLE)


@click.command()
@endpoint_option
@_session_options
@variables_option
@click.option(
    "--listen", metavar="ADDRESS", help="Address where clients connect, such as 127.0.0.1:8081."
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(),
    default=CONFIG,
    help="The configuration to create.",
)
@click.option(
    "--defaults",
    is_flag=True,
    help="Ask nothing, and take defaults for options that are not given.",
)
def init(
    endpoint: Optional[str],
    security: Optional[str],
    pki: Optional[str],
    login: _Login,
    variables: Optional[str],
    listen: Optional[str],
    output: str,
    defaults: bool,
) -> None:
    """Create a first configuration, with questions or options."""
    from ..commissioning import init

    hush("opcua")
    who = login.asked()
    given = init.Answers(output, endpoint, security, who, variables, listen, pki)
    with progress_told("nothing was written") as progress:
        lines = init.run(given, Dialog(not defaults, progress))
    say(lines)


class _Progress:
    """Progress of browsing, only on a terminal; erased before anything else is printed."""

    _live: Optional[Live] = None

    def show(self, watched: Any) -> None:
        if not (sys.stderr.isatty() and watched.progress.found):
            return
        if self._live is None:
            self._live = redrawn(console(stderr=True), transient=True)
            self._live.start()
        columns = self._live.console.width - 1
        line = watched.line(max(0, min(30, columns - 50)))
        self._live.update(Text(line[:columns]), refresh=True)

    def clear(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


@contextlib.contextmanager
def progress_told(interrupted: str = "") -> Iterator[_Progress]:
    """Shows the progress of an operation; Ctrl-C ends it with the message *interrupted*."""
    progress = _Progress()
    try:
        yield progress
    except PlantError as error:
        progress.clear()
        leave(UNREACHABLE, error.reason)
    except KeyboardInterrupt:
        progress.clear()
        leave(INTERRUPTED, "stopped" + ("; " + interrupted if interrupted else ""))
    finally:
        progress.clear()


class Dialog:
    """Questions to the user at the terminal."""

    def __init__(self, asks: bool, progress: _Progress) -> None:
        self.asks = asks
        self._progress = progress
        self.watch = progress.show

    def tell(self, text: str) -> None:
        self._progress.clear()
        click.echo(clean(text), err=True)

    def ask(self, question: str, default: Optional[str] = None, secret: bool = False) -> str:
        self._progress.clear()
        if not self.asks:
            return default or ""
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  # arrow keys, where the console has none of its own
        try:
            return ask(
                question,
                default=default,
                hide_input=secret,
                show_default=bool(default),
                err=not sys.stdout.isatty(),  # only there a line can be edited
            )
        except click.Abort:
            click.echo(err=True)  # behind what was typed
            raise KeyboardInterrupt from None
