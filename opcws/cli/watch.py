"""``opcws watch``: a table that is redrawn in place, or a line for each change.

The table has as many lines as it needs and the terminal allows.  At the end it stays on the screen,
with the last values.
"""

import time
from datetime import datetime, timezone
from typing import Dict, List, Mapping, Optional, Sequence

import click
from rich.console import ConsoleDimensions
from rich.text import Text

from ..client import Client, Monitor, Value
from ..model.deadline import Deadline
from ..model.text import clean
from . import formatting
from .connection import json_option, names_argument, talking
from .formatting import Info
from .names import problem, wanted
from .terminal import Table, Terminal, cut, measure, note, redrawn, say_json
from .times import seconds, when

#: Shortest time in seconds between two drawings; nobody can read faster.
REDRAW_S = 0.2
#: How long a changed value is highlighted, in seconds.
FRESH_S = 1.0
#: Lines of the frame without variables: title, header, states, last line.
_FRAME_LINES = 3


@click.command()
@names_argument
@click.option(
    "--interval",
    metavar="MS",
    type=click.FloatRange(min=0),
    help="Shortest time between two changes of a variable; values between them are left out.",
)
@click.option(
    "--count",
    default=0,
    metavar="NUMBER",
    type=click.IntRange(min=0),
    help="End after this many values.",
)
@click.option("--for", "span", metavar="SPAN", help="End after this time: 90s, 15m, 12h ...")
@click.option(
    "--since",
    metavar="WHEN",
    help="Begin with the changes since 10:30, 15m ago ..., as far as opcws still has them.",
)
@click.option(
    "--backfill",
    is_flag=True,
    help="Also show the changes while the OPC UA server was not connected.",
)
@click.option(
    "--lines", "as_lines", is_flag=True, help="Print a line for each change, not a table."
)
@json_option
@talking
def watch(
    client: Client,
    out: Terminal,
    patterns: Sequence[str],
    interval: Optional[float],
    count: int,
    span: Optional[str],
    since: Optional[str],
    backfill: bool,
    as_lines: bool,
    as_json: bool,
) -> int:
    """Watch variables in a live table until Ctrl-C.

    In a pipe there is a line for each change.
    """
    for_s = None if span is None else seconds(span)
    if since is not None:
        since = when(since, datetime.now(timezone.utc).astimezone())
    try:
        with client:
            names = wanted(client, patterns)
            infos = {info["Variable"]: info for info in client.info(names)}
            unknown = [name for name in names if "StatusCode" in infos[name]]
            for name in unknown:
                status, reason = infos[name]["StatusCode"], infos[name].get("Reason", "")
                note(problem(client, name, status, reason))
            names = [name for name in names if name not in unknown]
            if not names:
                return len(unknown)
            deadline = Deadline(for_s)
            if client.contract is None and (backfill or since is not None):
                note("this opcws is too old for --since and --backfill; upgrade it")
            with client.monitor(
                names, min_interval_ms=interval, since=since, backfill=backfill
            ) as monitor:
                if out.live and not as_lines and not as_json:
                    _LiveTable(client.url, monitor, infos, out).run(count, deadline)
                else:
                    _lines(monitor, infos, out, count, deadline, as_json)
            return len(unknown)
    except KeyboardInterrupt:
        return 0  # Ctrl-C is the normal end of this command


def _lines(
    monitor: Monitor,
    infos: Mapping[str, Info],
    out: Terminal,
    count: int,
    deadline: Deadline,
    as_json: bool,
) -> None:
    told: Optional[str] = None
    seen = 0
    while not deadline.expired:
        value = monitor.next(deadline.bounded(1.0))
        if monitor.lost != told:
            # Each attempt has a reason of its own; only the first is shown.
            if (monitor.lost is None) != (told is None):
                note(
                    "connected again" if monitor.lost is None else clean(monitor.lost) + "; trying"
                )
            told = monitor.lost
        if value is None:
            continue
        if as_json:
            say_json(value.message)
        else:
            out.say(_line(value, infos[value.name]))
        seen += 1
        if count and seen >= count:
            return


def _line(value: Value, info: Info) -> Text:
    limited = formatting.limit_of(value.value, info)
    parts = (
        formatting.value_time(value)
        or Text(datetime.now().strftime("%Y-%m-%d %H:%M:%S.---"), "dim"),
        Text(clean(value.name)),
        formatting.value_cell(value, info),
        Text(formatting.unit(info)),
        formatting.quality(value, info) if value.status or limited else Text(),
        Text("from history", "dim") if value.historical else Text(),
    )
    return Text("  ").join(filter(None, parts))


class _LiveTable:
    def __init__(
        self, url: str, monitor: Monitor, infos: Mapping[str, Info], out: Terminal
    ) -> None:
        self._url = url
        self._monitor = monitor
        self._infos = infos
        self._out = out
        self._values: Dict[str, Value] = {}
        self._changed: Dict[str, float] = {}

    def run(self, count: int, deadline: Deadline) -> None:
        """Until *count* values (0: no end) have come or *deadline* has passed."""
        seen = 0
        drawn_at = 0.0
        size = measure(self._out.console)
        with redrawn(self._out.console) as live:
            try:
                while not deadline.expired and not (count and seen >= count):
                    pause = max(0.01, drawn_at + REDRAW_S - time.monotonic())
                    value = self._monitor.next(deadline.bounded(pause))
                    if value is not None:
                        self._values[value.name] = value
                        self._changed[value.name] = time.monotonic()
                        seen += 1
                    if time.monotonic() - drawn_at >= REDRAW_S:
                        known, size = size, measure(self._out.console)
                        if size != known:
                            # After a resize the position of the drawn lines is unknown.
                            self._out.console.clear()
                        live.update(self._out.group(self._frame(size)), refresh=True)
                        drawn_at = time.monotonic()
            finally:
                live.update(self._out.group(self._frame(size, last=True)))

    def _frame(self, size: ConsoleDimensions, last: bool = False) -> List[Text]:
        """The lines; the *last* frame has no hint how to end."""
        columns, rows = max(20, size.width - 1), max(4, size.height - 1)
        states = self._states()
        names = self._monitor.names
        shown = names[: max(1, rows - _FRAME_LINES - len(states))]
        now, today = time.monotonic(), datetime.now()
        cells = [self._row(name, now, today) for name in shown]
        table = Table(formatting.VALUE_HEADERS, cells, columns, 1)
        title = "%s – %d variables" % (clean(self._url), len(names))
        hidden = len(names) - len(shown)
        end = ["%d more; enlarge the window, or name fewer" % hidden] if hidden else []
        end += [] if last else ["Ctrl-C ends"]
        lines = [
            Text(cut(title, columns), "dim"),
            table.header(),
            *map(table.line, cells),
            *(Text(cut(text, columns), "red") for text in states),
        ]
        if end:
            lines.append(Text(cut("; ".join(end), columns), "dim"))
        return lines[:rows]

    def _row(self, name: str, now: float, today: datetime) -> Sequence[Text]:
        value, info = self._values.get(name), self._infos[name]
        if value is None:
            return Text(clean(name)), Text(), Text(), Text("waiting", "dim"), Text()
        row = formatting.value_row(value, info, today)
        if value.good and now - self._changed[name] < FRESH_S:
            row[1].style = ("%s bold" % row[1].style).strip()
        return row

    def _states(self) -> List[str]:
        if self._monitor.lost is not None:
            return ["no connection, trying again: " + clean(self._monitor.lost)]
        return [
            "%s is %s: %s" % (clean(name), clean(state["State"]), clean(state.get("Reason", "?")))
            for name, state in sorted(self._monitor.servers.items())
            if state["State"] != "connected"
        ]
