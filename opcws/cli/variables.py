"""``opcws list``, ``info``, ``read`` and ``write``.

With ``--json`` each line is one JSON object of the contract.
"""

import itertools
import json
import sys
from datetime import datetime
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import click
from rich.text import Text

from ..client import Client
from ..model.text import clean
from . import formatting
from .common import confirm
from .connection import json_option, names_argument, talking
from .doubts import doubts
from .formatting import Info
from .names import UsageProblem, infos_of, problem, wanted
from .terminal import Table, Terminal, note, say_json


@click.command("list")
@click.argument("patterns", metavar="[NAME]...", nargs=-1)
@click.option("--long", is_flag=True, help="Show type, access, unit and description, too.")
@json_option
@talking
def list_variables(
    client: Client, out: Terminal, patterns: Sequence[str], long: bool, as_json: bool
) -> int:
    """List all variables, or those that match NAME.

    NAME may have *, ? and [..].
    """
    with client:
        names = wanted(client, patterns) if patterns else client.names()
        if not names:
            note(
                "there are no variables: the configuration has none that your role may see, or "
                "opcws has not found them on the OPC UA server yet"
            )
        if not (long or as_json):
            for name in names:
                click.echo(clean(name))
            return 0
        infos = client.info(names)
    if as_json:
        for info in infos:
            say_json(info)
    else:
        rows = [
            (
                Text(clean(info["Variable"])),
                Text(formatting.type_text(info) or str(info.get("StatusCode", "?"))),
                Text(str(info.get("Access", ""))),
                Text(formatting.unit(info)),
                Text(clean(str(info.get("Description", ""))), "dim"),
            )
            for info in infos
        ]
        out.table(("Variable", "Type", "Access", "Unit", "Description"), rows, 4)
    return sum("StatusCode" in info for info in infos)


@click.command()
@names_argument
@json_option
@talking
def info(client: Client, out: Terminal, patterns: Sequence[str], as_json: bool) -> int:
    """Show type, access, unit, range and node of variables."""
    with client:
        infos = client.info(wanted(client, patterns))
        for info in infos:
            name, status = info["Variable"], info.get("StatusCode")
            if as_json:
                say_json(info)
            elif status is not None:
                note(problem(client, name, status, info.get("Reason", "")))
            else:
                out.say(Text(clean(name), "bold"))
                rows = formatting.info_rows(info)
                # Never cut: half a NodeId is useless.
                table = Table(("", ""), rows, None, 1)
                for row in rows:
                    out.say(table.line(row))
    return sum("StatusCode" in info for info in infos)


@click.command()
@names_argument
@click.option(
    "--max-age",
    default=0.0,
    metavar="MS",
    type=click.FloatRange(min=0),
    help="Accept a monitored value up to this age; by default opcws reads from the plant.",
)
@click.option("--value", "only_values", is_flag=True, help="Print only the values.")
@json_option
@talking
def read(
    client: Client,
    out: Terminal,
    patterns: Sequence[str],
    max_age: float,
    only_values: bool,
    as_json: bool,
) -> int:
    """Read variables; NAME may contain *, ? and [..]."""
    with client:
        names = wanted(client, patterns)
        values = client.read_many(names, max_age)
        if as_json:
            for value in values:
                say_json(value.message)
        elif only_values:
            # A line for each, empty where it is Bad.
            for value in values:
                click.echo("" if value.bad else _one_line(formatting.plain(value)))
        else:
            infos = infos_of(client, names)
            today = datetime.now()
            rows = [formatting.value_row(each, infos[each.name], today) for each in values]
            out.table(formatting.VALUE_HEADERS, rows, 1)
        bad = [value for value in values if value.bad]
        for value in bad:
            note(problem(client, value.name, value.symbol, value.reason))
    return len(bad)


def _one_line(text: str) -> str:
    return clean(text) if sys.stdout.isatty() or any(each in text for each in "\r\n\x1b") else text


# --- write ------------------------------------------------------------------------------------


class _Write(click.Command):
    """A negative number is a value, not an option."""

    def parse_args(self, ctx: click.Context, args: List[str]) -> List[str]:
        takes_a_value = {
            name
            for option in self.params
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        options: List[str] = []
        values: List[str] = []
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                values += rest
            # A single dash begins a value, except -h; two dashes begin an option, and click reports
            # unknown ones.
            elif arg.startswith("--") or arg == "-h":
                options.append(arg)
                if arg in takes_a_value:
                    options += itertools.islice(rest, 1)
            else:
                values.append(arg)
        # After '--' nothing is an option.
        return super().parse_args(ctx, [*options, "--", *values])


@click.command(cls=_Write)
@click.argument("words", metavar="NAME VALUE [NAME VALUE]...", nargs=-1, required=True)
@click.option("--type", "type_name", metavar="TYPE", help="Write VALUE as this built-in type.")
@click.option(
    "--yes",
    is_flag=True,
    help="Write without asking and without checking range and present value.",
)
@json_option
@talking
def write(
    client: Client,
    out: Terminal,
    words: Sequence[str],
    type_name: Optional[str],
    yes: bool,
    as_json: bool,
) -> int:
    """Write variables.  An array is written as JSON: '[1, 2, 3]'."""
    if len(words) % 2:
        raise click.UsageError("each NAME needs a VALUE; %r has none" % words[-1])
    pairs = list(zip(words[::2], words[1::2]))
    with client:
        infos = infos_of(client, list(dict.fromkeys(words[::2])))
        writes = [(name, typed(text, infos[name], type_name)) for name, text in pairs]
        if not yes:
            _ask_if_in_doubt(client, writes, infos)
        results = client.write_items(writes, type_name)
        for (name, text), item in zip(pairs, results):
            if as_json:
                say_json(item)
            elif "StatusCode" in item:
                why = problem(client, name, item["StatusCode"], item["Reason"])
                note("not written: " + why)
            else:
                unit = formatting.unit(infos[name])
                done = "  %s = %s%s" % (clean(name), clean(text), unit and " " + unit)
                if "Symbol" in item:
                    done += ", but the OPC UA server says %s" % item["Symbol"]
                out.say(Text.assemble(("written", "green"), done))
    return sum("StatusCode" in item for item in results)


def _ask_if_in_doubt(
    client: Client, writes: Sequence[Tuple[str, Any]], infos: Mapping[str, Info]
) -> None:
    """Raises :exc:`UsageProblem` if the user declines, or cannot be asked; then nothing is
    written."""
    readable = [name for name, info in infos.items() if info.get("Access") == "readwrite"]
    present = {value.name: value for value in client.read_many(readable)} if readable else {}
    for name, value in present.items():
        # A bad value with a Status comes from the OPC UA server, so the variable exists and may be
        # written.
        if value.symbol == "BadNotConnected" and "Status" not in value.message:
            why = problem(client, name, value.symbol, value.reason)
            away = "not written: %s; try again when its OPC UA server is connected again" % why
            raise UsageProblem(away, usage=False)
    found = [
        "%s: %s" % (clean(name), doubt)
        for name, value in writes
        if "write" in str(infos[name].get("Access", ""))
        for doubt in doubts(value, infos[name], present.get(name))
    ]
    if not found:
        return
    for line in dict.fromkeys(found):
        note(line)
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        raise UsageProblem("not written; --yes writes it anyway", usage=False)
    if not confirm("Write it anyway?", err=True):
        raise UsageProblem("not written", usage=False)


#: Built-in types whose values are sent as the typed text.
_TEXTUAL = {"String", "DateTime", "Guid", "ByteString", "XmlElement", "NodeId", "ExpandedNodeId"}


def typed(text: str, info: Info, type_name: Optional[str]) -> Any:
    """The JSON for WRITE of a typed *text*.

    A scalar is sent as text, which opcws reads as the variable's type or refuses with a sentence;
    an array, a structure and a value of unknown type are typed as JSON.
    """
    name = type_name or info.get("Type", "")
    is_array = info.get("IsArray") is True
    looks_so = text.lstrip()[:1] in ("[", "{") or (name == "LocalizedText" and text[:1] == '"')
    if not is_array and (name in _TEXTUAL or (name and not looks_so)):
        return {"Text": text} if name == "LocalizedText" else text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if is_array:
            raise UsageProblem(
                "%s is an array; give it as JSON, such as '[1, 2, 3]'; got %s"
                % (clean(str(info.get("Variable", ""))), clean(text))
            ) from None
        return text
