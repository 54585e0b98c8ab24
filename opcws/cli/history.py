"""``opcws history``: recorded values as a table, CSV, JSON or a plot."""

import csv
import io
import itertools
import sys
from datetime import datetime, timezone
from typing import Any, Iterator, List, Optional, Sequence

import click

from ..client import Client, History, Value, VariableError, moment
from ..model.text import clean
from ..wire.timestamps import parse_timestamp
from . import formatting
from .connection import json_option, names_argument, talking
from .formatting import Info
from .names import UsageProblem, infos_of, problem, wanted
from .plot import Point, plot
from .terminal import Table, Terminal, note, say_json
from .times import seconds, when

#: How many rows determine the widths of the columns of a long table.
_SAMPLE = 500


@click.command()
@names_argument
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
    help="Most values of each variable to show; by default all.",
)
@click.option(
    "--points",
    metavar="NUMBER",
    type=click.IntRange(min=2, max=10000),
    help="Reduce each variable to this many values; peaks and gaps stay.",
)
@click.option("--aggregate", metavar="NAME", help="Average, Minimum, Maximum, Count ...")
@click.option("--every", metavar="SPAN", help="Time that one aggregated value covers: 10s, 1h ...")
@click.option(
    "--csv", "as_csv", is_flag=True, help="Print comma-separated values, with times in UTC."
)
@click.option("--plot", "as_plot", is_flag=True, help="Draw a plot.")
@click.option(
    "--height",
    default=15,
    show_default=True,
    metavar="LINES",
    type=click.IntRange(min=3, max=200),
    help="Height of the plot.",
)
@json_option
@talking
def history(
    client: Client,
    out: Terminal,
    patterns: Sequence[str],
    start: str,
    end: str,
    limit: int,
    points: Optional[int],
    aggregate: Optional[str],
    every: Optional[str],
    as_csv: bool,
    as_plot: bool,
    height: int,
    as_json: bool,
) -> int:
    """Show the history of variables: a table, CSV, JSON or a plot."""
    if as_csv + as_plot + as_json > 1:
        raise click.UsageError("choose one of --csv, --plot and --json")
    if (aggregate is None) != (every is None):
        raise click.UsageError("--aggregate and --every go together")
    if points is not None and (limit or aggregate is not None):
        raise click.UsageError("--points goes neither with --limit nor with --aggregate")
    now = datetime.now(timezone.utc).astimezone()
    start, end = when(start, now), when(end, now)
    interval_ms = None if every is None else seconds(every) * 1000.0
    bad = 0
    with client:
        names = wanted(client, patterns)
        for_people = not (as_csv or as_json)
        infos = infos_of(client, names) if for_people else {}
        if as_csv:
            click.echo("Variable,Time,Value,Status")
        thinned = client.history_many(names, start, end, max_points=points) if points else []
        for number, name in enumerate(names):
            if points:
                values = _values(thinned[number])
            else:
                values = client.history(
                    name,
                    start,
                    end,
                    max_values=limit,
                    aggregate=aggregate,
                    interval_ms=interval_ms,
                )
            if number and for_people:
                click.echo()
            try:
                if as_csv:
                    _say_csv(values)
                elif as_json:
                    for value in values:
                        say_json({"Variable": name, **value.message})
                elif as_plot:
                    _say_plot(out, values, infos[name], start, end, height)
                else:
                    _say_table(out, values, infos[name])
            except VariableError as error:
                bad += 1
                note(problem(client, name, error.status, error.reason))
    return bad


def _values(history: History) -> Iterator[Value]:
    if history.error is not None:
        raise history.error
    if history.reason:
        note("%s: %s (%s)" % tuple(map(clean, (history.name, history.reason, history.symbol))))
    yield from history.values


def _say_csv(values: Iterator[Value]) -> None:
    for value in values:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(formatting.csv_cells(value))
        click.echo(clean(line.getvalue()) if sys.stdout.isatty() else line.getvalue())


def _say_table(out: Terminal, values: Iterator[Value], info: Info) -> None:
    rows = (
        (
            formatting.value_time(value),
            formatting.value_cell(value, info),
            formatting.quality(value),
        )
        for value in values
    )
    # The first page determines the widths; later pages are printed at once.
    first = list(itertools.islice(rows, _SAMPLE))
    if not first:
        note("%s: no value is recorded in that time" % clean(info["Variable"]))
        return
    out.say(formatting.title(info))
    table = Table(("Time", "Value", "Quality"), first, out.columns, 1)
    out.say(table.header())
    for cells in itertools.chain(first, rows):
        out.say(table.line(cells))


def _say_plot(
    out: Terminal, values: Iterator[Value], info: Info, start: str, end: str, height: int
) -> None:
    name = clean(info["Variable"])
    points: List[Point] = []
    for value in values:
        at = moment(value.source_timestamp or value.server_timestamp)
        if at is None:
            continue
        if not value.bad and not isinstance(value.value, (int, float)):
            raise UsageProblem("%s is not a number, so it cannot be plotted" % name, False)
        points.append(Point(at.timestamp(), None if value.bad else _finite(value.value)))
    if not points:
        note("%s: no value is recorded in that time" % name)
        return
    first, last = sorted(map(_stamp, (start, end)))
    lines = plot(points, first, last, out.columns or 100, height)
    if not lines:
        note("%s: no good value is recorded in that time" % name)
        return
    for line in (formatting.title(info), *lines):
        out.say(line)
    numbers = [point.number for point in points if point.number is not None]
    click.echo(
        "from %s to %s; %d values, least %g, greatest %g"
        % (_local(first), _local(last), len(points), min(numbers), max(numbers))
    )


def _finite(number: Any) -> Optional[float]:
    try:
        return float(number)
    except OverflowError:
        return None


def _stamp(text: str) -> float:
    """A time of the wire in seconds since 1970."""
    return (parse_timestamp(text) - parse_timestamp("1970-01-01T00:00:00Z")) / 1e7


def _local(stamp: float) -> str:
    return datetime.fromtimestamp(stamp).strftime("%Y-%m-%d %H:%M:%S")
