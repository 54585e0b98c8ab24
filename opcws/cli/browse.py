"""The commands that look at an OPC UA server: parse, call, print; no logic."""

import contextlib
import logging
import os
import sys
from typing import Any, Callable, List, Optional, Sequence, Tuple, TypeVar

import click

from ..config.load import User
from ..model.errors import ConfigError, OpcwsError, PlantError
from ..model.text import clean, word
from .common import CONFIG_WRONG, INTERRUPTED, UNREACHABLE, F, config_option, counted, leave, load

T = TypeVar("T")

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def user_options(command: F) -> F:
    """Who the session is for; names as in the configuration."""
    for option in (
        click.option(
            "--allow-clear",
            is_flag=True,
            help="Send the password in clear over an unencrypted channel if the server wants that.",
        ),
        click.option(
            "--password-file", metavar="FILE", type=click.Path(), help="File that holds it."
        ),
        click.option(
            "--password-env", metavar="NAME", help="Environment variable that holds the password."
        ),
        click.option(
            "--password-stdin",
            "from_stdin",
            is_flag=True,
            help="Read the password from standard input, one line, instead of asking.",
        ),
        click.option("--user", metavar="NAME", help="User that the OPC UA server knows."),
    ):
        command = option(command)
    return command


def security_options(command: F) -> F:
    """How the secure channel is protected; names as in the configuration."""
    for option in (
        click.option(
            "--pki",
            metavar="DIR",
            type=click.Path(),
            help="Directory with certificates (security.pki). By default 'pki' beside the "
            "configuration.",
        ),
        click.option(
            "--security",
            metavar="POLICY",
            help="None, or a policy with a mode, such as Basic256Sha256/SignAndEncrypt.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("endpoint", metavar="[ENDPOINT]", required=False)
@click.option(
    "--config",
    "path",
    metavar="FILE",
    type=click.Path(),
    help="Browse a server of this configuration instead of an ENDPOINT.",
)
@click.option("--server", metavar="NAME", help="Name of the server in the configuration.")
@click.option("--under", metavar="NODE", help="Start there. By default at the Objects folder.")
@click.option("--depth", metavar="N", type=click.IntRange(1), help="Go down so many levels.")
@click.option(
    "--match",
    metavar="GLOB",
    multiple=True,
    help="Only variables with such a name; * is any text. May be repeated.",
)
@click.option("--ids", is_flag=True, help="Show NodeIds, such as --under wants.")
@click.option("--properties", is_flag=True, help="Properties of variables, too.")
@click.option(
    "--write-config",
    metavar="FILE",
    type=click.Path(),
    help="Add what was found to the configuration FILE, or make it.",
)
@click.option("--diff", is_flag=True, help="Only show what --write-config would change.")
@click.option(
    "--csv", metavar="FILE", type=click.Path(), help="Write a table to FILE; - prints it."
)
@security_options
@user_options
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
    user: Optional[str],
    password_env: Optional[str],
    password_file: Optional[str],
    from_stdin: bool,
    allow_clear: bool,
) -> None:
    """Show the variables of an OPC UA server, or write a configuration that serves them.

    ENDPOINT is a URL such as opc.tcp://host:4840, or a host.
    """
    from ..commissioning import browse, config_file, spreadsheet, writing

    if (endpoint is None) == (path is None):
        raise click.UsageError("give an ENDPOINT, or --config")
    if diff and write_config is None:
        raise click.UsageError("--diff goes with --write-config")
    if path is not None and (security or pki or user):
        raise click.UsageError("with --config security and user are those of the configuration")
    who = _user(user, password_env, password_file, from_stdin, allow_clear)
    scope = browse.Scope(under, depth, match or ("*",), properties)

    # The library tells in its own words what is told in a sentence here.
    logging.getLogger("opcua").setLevel(logging.CRITICAL)

    def work() -> Tuple[Any, Any]:
        for file in (None if diff else write_config, None if csv == "-" else csv):
            if file is not None:
                config_file.check_writable(file)
        if path is not None:
            target = browse.configured(load(path), server)
        else:
            directory = os.path.dirname(write_config or "")
            target = browse.target(endpoint or "", security, who, pki, directory)
            if write_config is not None and not (security or pki or who):
                target = browse.known(write_config, endpoint or "", server) or target
        return target, browse.explore(target.server, scope, _draw)

    target, explored = _guarded(work, "nothing was written" if write_config else "")
    if csv is not None:
        _guarded(
            lambda: _output(
                csv, spreadsheet.table(spreadsheet.rows_of(explored.found, target.server.name))
            )
        )
    if write_config is not None:
        name = server or (target.server.name if path is not None else None)
        written = _guarded(lambda: writing.prepare(write_config, target, explored, name))
        if diff:
            _print_diff(writing.diff(written))
        else:
            _guarded(lambda: writing.carry_out(written))
            for line in written.lines():
                click.echo(line)
        _say_found(explored)
        if not diff:
            _say_next(write_config, target.password_missing)
        return
    if csv is None:
        # Who goes down a few levels only wants to see what there is.
        for line in _tree(explored, depth is not None and not match, ids):
            click.echo(line)
    _say_found(explored)
    if match and not explored.found and explored.progress.variables:
        click.echo(
            "note: no name is like %s; a name is the whole way, such as Boiler.Temperature, and "
            "capitals count" % " or ".join(match),
            err=True,
        )


@click.command()
@click.argument("endpoint", metavar="HOST")
def discover(endpoint: str) -> None:
    """List the endpoints of an OPC UA server, and say which to choose.

    HOST is a host, a host with a port, or a URL such as opc.tcp://host:4840.
    """
    from ..commissioning import browse, discover

    found = _guarded(lambda: discover.look(browse.target(endpoint).server))
    for line in discover.report(found):
        click.echo(click.style(line, bold=True) if line.startswith("*") else line)
    if found.best is None:
        sys.exit(UNREACHABLE)


@click.command()
@click.option("--endpoint", metavar="URL", help="Address of the OPC UA server, or its host.")
@security_options
@user_options
@click.option(
    "--variables", metavar="GLOB", help="Which variables: * for all; 'later': at every connection."
)
@click.option("--listen", metavar="ADDRESS", help="Where clients connect, such as 127.0.0.1:8081.")
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(),
    default="opcws.yaml",
    help="The configuration that is made.",
)
@click.option("--defaults", is_flag=True, help="Ask nothing; take defaults for what is not given.")
def init(
    endpoint: Optional[str],
    security: Optional[str],
    pki: Optional[str],
    user: Optional[str],
    password_env: Optional[str],
    password_file: Optional[str],
    from_stdin: bool,
    allow_clear: bool,
    variables: Optional[str],
    listen: Optional[str],
    output: str,
    defaults: bool,
) -> None:
    """Make a first configuration: asks five questions, or takes the answers as options."""
    from ..commissioning import init

    logging.getLogger("opcua").setLevel(logging.CRITICAL)
    who = _user(user, password_env, password_file, from_stdin, allow_clear)
    given = init.Given(output, endpoint, security, who, variables, listen, pki)
    made = _guarded(lambda: init.run(given, _Person(not defaults)), "nothing was written")
    for line in made.lines:
        click.echo(line)


class _Person:
    """Whoever sits at the terminal."""

    def __init__(self, asks: bool) -> None:
        self.asks = asks

    def tell(self, text: str) -> None:
        _clear()
        click.echo(clean(text), err=True)

    def ask(self, question: str, default: Optional[str] = None, secret: bool = False) -> str:
        _clear()
        if not self.asks:
            return default or ""
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  # arrow keys, where the console has none of its own
        try:
            answer: str = click.prompt(
                question,
                default=default,
                hide_input=secret,
                show_default=bool(default),
                err=not sys.stdout.isatty(),  # only there a line can be edited
            )
        except click.Abort:
            click.echo(err=True)  # behind what was typed
            raise KeyboardInterrupt from None
        return answer

    def watch(self, watched: Any) -> None:
        _draw(watched)


@click.group()
def config() -> None:
    """The variables of a configuration as a table for a spreadsheet, and back."""


@config.command("export-csv")
@config_option
@click.option("--output", metavar="FILE", default="-", help="Write there, not to the terminal.")
@click.option(
    "--delimiter",
    type=click.Choice(["comma", "semicolon", "tab"]),
    default="comma",
    help="What is between two cells; Excel wants the one of its country.",
)
def export_csv(path: str, output: str, delimiter: str) -> None:
    """Write the variables as CSV."""
    from ..commissioning import spreadsheet

    rows = spreadsheet.rows_of_config(load(path))
    _guarded(lambda: _output(output, spreadsheet.table(rows, spreadsheet.DELIMITERS[delimiter])))


@config.command("import-csv")
@config_option
@click.argument("table", metavar="FILE", type=click.Path())
@click.option("--server", metavar="NAME", help="Where rows without a server belong.")
@click.option("--diff", is_flag=True, help="Only show what would change.")
def import_csv(path: str, table: str, server: Optional[str], diff: bool) -> None:
    """Add the variables of a CSV file, and change those that are there.

    Nothing is removed; comments and order stay.
    """
    from ..commissioning import writing

    written = _guarded(lambda: writing.from_table(path, table, server))
    if diff:
        _print_diff(writing.diff(written))
        return
    _guarded(lambda: writing.carry_out(written))
    click.echo(
        "%s: %d added, %s changed" % (path, written.added, counted(written.changed, "variable"))
    )


# --- what they share ---------------------------------------------------------------------------


def _user(
    name: Optional[str],
    env: Optional[str],
    file: Optional[str],
    from_stdin: bool,
    allow_clear: bool,
) -> Optional[User]:
    ways = [each for each in (env, file, from_stdin or None) if each is not None]
    if name is None:
        if ways:
            raise click.UsageError("a password goes with --user")
        return None
    if len(ways) > 1:
        raise click.UsageError("give the password in one way")
    given = None
    if from_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    elif not ways:
        given = click.prompt("Password", hide_input=True, err=True)
    return User(name, given, env, file, allow_clear)


def _guarded(work: Callable[[], T], interrupted: str = "") -> T:
    """What *work* returns; what goes wrong is told in a sentence, and the command left."""
    try:
        result = work()
    except ConfigError as error:
        _clear()
        leave(CONFIG_WRONG, *error.problems)
    except PlantError as error:
        _clear()
        leave(UNREACHABLE, error.reason)
    except OpcwsError as error:
        _clear()
        leave(CONFIG_WRONG, error.reason)
    except KeyboardInterrupt:
        _clear()
        leave(INTERRUPTED, "stopped" + ("; " + interrupted if interrupted else ""))
    _clear()
    return result


_drawn: List[bool] = []


def _draw(watched: Any) -> None:
    """The progress, on a terminal only, and never wider than it: a line that is broken cannot be
    wiped out."""
    if sys.stderr.isatty() and watched.progress.found:
        _drawn[:] = [True]
        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except (OSError, ValueError):
            columns = 80
        line = watched.line(max(0, min(30, columns - 50)))[: columns - 1]
        click.echo("\r\x1b[2K" + line, err=True, nl=False)


def _clear() -> None:
    if _drawn:
        _drawn.clear()
        click.echo("\r\x1b[2K", err=True, nl=False)


def _tree(explored: Any, folders: bool, ids: bool) -> List[str]:
    """The variables with what is above them; with *folders* those without a variable too, with
    *ids* the NodeIds."""
    from ..config.found import VARIABLE, tree_lines
    from ..model.data_types import format_node_id

    remarks = {each.place: each.remark for each in explored.found}
    wanted = set(remarks)
    if ids:
        for place, node in enumerate(explored.nodes):
            node_id = format_node_id(node.node_id, explored.namespaces)
            remarks[place] = "  ".join(filter(None, (remarks.get(place), node_id)))
    if folders:
        nodes = enumerate(explored.nodes)
        wanted.update(place for place, node in nodes if node.node_class != VARIABLE)
    plain = not _can_print("├└│")
    lines = []
    for drawing, remark, is_variable in tree_lines(
        explored.nodes, remarks, wanted, ascii_only=plain
    ):
        text = drawing if is_variable else click.style(drawing, bold=True)
        lines.append(text + ("  " + click.style(remark, fg="cyan") if remark else ""))
    return lines


def _can_print(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


def _say_found(explored: Any) -> None:
    progress = explored.progress
    click.echo(
        "%s among %s, in %.1f s"
        % (
            counted(len(explored.found), "variable"),
            counted(progress.found, "node"),
            explored.seconds,
        ),
        err=True,
    )
    if progress.refused:
        click.echo(
            "note: of %s the server did not tell what is below (%s)"
            % (counted(progress.refused, "node"), progress.reason),
            err=True,
        )
    if progress.cut:
        click.echo(
            "note: there is more; stopped at %s. Choose a part with --under or --depth"
            % counted(progress.found, "node"),
            err=True,
        )


def _say_next(path: str, password_missing: str) -> None:
    if password_missing:
        click.echo("first set the environment variable %s to the password" % password_missing)
    click.echo("next: opcws serve --config %s" % word(path))


def _print_diff(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(click.style(line, fg=_COLOURS.get(line[:1])))
    if not lines:
        click.echo("nothing would change", err=True)


def _output(path: str, text: str) -> None:
    from ..commissioning.config_file import save

    if path == "-":
        # In a pipe the table is the same as in a file, whatever the console has for letters.
        click.echo(text if sys.stdout.isatty() else text.encode("utf-8"), nl=False)
        return
    save(path, "\ufeff" + text)
    click.echo("wrote %s" % path, err=True)
