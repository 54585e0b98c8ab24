"""``opcws record``: reads the file with recorded values, without a running opcws."""

import csv
import json
import sys
from datetime import datetime, timedelta, timezone
from typing import Optional, Sequence

import click
from rich.text import Text

from ..client.values import from_json
from ..config import load
from ..config.recording import history_file
from ..config.roles import matcher
from ..model.data_types import LAST_TICKS, TICKS_PER_SECOND
from ..model.text import clean, counted
from ..wire.timestamps import parse_timestamp
from ..wire.values_to_json import TYPED, data_value_members
from . import formatting
from .common import config_option
from .names import UsageProblem
from .terminal import Terminal, note
from .times import when


@click.group()
def record() -> None:
    """Show, export and compact what opcws recorded.

    These commands read the file itself, whether opcws runs or not.
    """


@record.command()
@config_option()
def status(path: str) -> None:
    """Show how much is recorded of which variables, and since when."""
    from ..recorder import inspection

    file = history_file(load(path).state_dir)
    found = inspection.look(file)
    click.echo(
        "%s: %s, %.1f MiB, of which %.1f MiB are free; %s"
        % (
            clean(file),
            counted(sum(each.values for each in found.series), "value"),
            found.bytes / 2**20,
            found.free / 2**20,
            "opcws records into it" if found.recording else "no running opcws records into it",
        )
    )
    with inspection.telling(file):
        rows = [
            (
                Text(clean(each.name)),
                Text(str(each.values), justify="right"),
                Text(_local(each.first), "dim"),
                Text(_local(each.last), "dim"),
                Text("" if each.now else "no more"),
                Text(clean("%s %s" % (each.server, each.node)), "dim"),
            )
            for each in found.series
        ]
    Terminal().table(("Variable", "Values", "From", "To", "Recorded", "Node"), rows, 5)


@record.command()
@config_option()
def vacuum(path: str) -> None:
    """Compact the file: give its free space back to the disk."""
    from ..recorder import inspection

    file = history_file(load(path).state_dir)
    before, after = inspection.vacuum(file)
    click.echo("%s: %.1f MiB, was %.1f MiB" % (clean(file), after / 2**20, before / 2**20))


@record.command()
@click.argument("patterns", metavar="[NAME]...", nargs=-1)
@config_option()
@click.option("--csv", "as_csv", is_flag=True, required=True, help="Comma-separated values.")
@click.option(
    "--start",
    metavar="WHEN",
    help="2026-11-22T10:30:00 (local time; UTC with Z), 10:30, or how long ago: 15m, 12h, 7d.",
)
@click.option("--end", metavar="WHEN", help="The same.")
def export(
    patterns: Sequence[str], path: str, as_csv: bool, start: Optional[str], end: Optional[str]
) -> None:
    """Write what was recorded as CSV: Variable, Time, Value, Status.

    Writes the values of all variables, or of those that NAME (with *, ? and [..]) matches, to
    standard output.  Times are UTC.
    """
    from ..recorder import inspection

    file = history_file(load(path).state_dir)
    first, last = _ticks(start, 0), _ticks(end, LAST_TICKS)
    if first > last:
        raise click.UsageError("--start is later than --end")
    names = {each.name for each in inspection.look(file).series}
    for pattern in patterns:
        if not any(map(matcher([pattern], names), names)):
            note("no recorded variable matches %s; case matters" % clean(pattern))
    wanted = matcher(patterns or ["*"], names)
    out = csv.writer(_Lines(), lineterminator="\n")
    out.writerow(["Variable", "Time", "Value", "Status"])
    for name, value, namespaces in inspection.values(file, wanted, first, last):
        with inspection.telling(file):
            members = json.loads("{%s}" % data_value_members(value, namespaces, TYPED))
            cells = formatting.csv_cells(from_json(name, members))
        out.writerow(cells)


class _Lines:
    """Standard output without control characters for a terminal."""

    def write(self, line: str) -> None:
        sys.stdout.write(clean(line[:-1]) + "\n" if sys.stdout.isatty() else line)


def _ticks(text: Optional[str], default: int) -> int:
    if text is None:
        return default
    try:
        return parse_timestamp(when(text, datetime.now(timezone.utc).astimezone()))
    except UsageProblem as problem:
        raise click.UsageError(problem.reason) from None


def _local(ticks: int) -> str:
    if not ticks:
        return ""
    utc = datetime(1601, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=ticks // TICKS_PER_SECOND)
    return utc.astimezone().strftime("%Y-%m-%d %H:%M:%S")
