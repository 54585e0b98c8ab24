"""``opcws watch``: a table that is redrawn in place, or a line for each change.

The table takes the lines that it needs and no more than the terminal has; when it ends it stays,
with the last values.
"""

import json
import time
from datetime import datetime
from typing import Dict, List, Mapping, NamedTuple, Optional, Protocol, Sequence

from ..client import Client, Monitor, Value
from ..model import text as terminal
from ..model.deadline import Deadline
from ..model.text import Cell, Layout, clean
from . import clientcommands, display
from .clientcommands import Out
from .display import Info

#: Seconds between two drawings at least: faster nobody can read.
REDRAW_S = 0.2
#: How long a changed value is told apart.
FRESH_S = 1.0
#: Lines of the frame beside those of the variables: title, header, the states, the last line.
_FRAME_LINES = 3


class Screen(Out, Protocol):
    """Where a table can be redrawn in place."""

    def size(self) -> "Size": ...

    def write(self, text: str) -> None:
        """*text* with control sequences, at once."""


class Size(NamedTuple):
    columns: int
    rows: int


def watch(
    client: Client,
    out: Out,
    patterns: Sequence[str],
    min_interval_ms: Optional[float],
    count: int,
    for_s: Optional[float],
    as_json: bool,
    screen: Optional[Screen],
) -> int:
    """Until *count* values (0: no end) or *for_s* have passed; on *screen* where there is one.

    Returns how many of the variables are not there; with none of them it does not begin.
    """
    names = clientcommands.wanted(client, patterns)
    infos = {info["Variable"]: info for info in client.info(names)}
    unknown = [name for name in names if "StatusCode" in infos[name]]
    for name in unknown:
        info = infos[name]
        out.note(clientcommands.problem(client, name, info["StatusCode"], info.get("Reason", "")))
    names = [name for name in names if name not in unknown]
    if not names:
        return len(unknown)
    deadline = Deadline(for_s)
    with client.monitor(names, min_interval_ms=min_interval_ms) as monitor:
        if screen is not None and not as_json:
            _Table(client, monitor, infos, screen).run(count, deadline)
        else:
            _lines(monitor, infos, out, count, deadline, as_json)
    return len(unknown)


def _lines(
    monitor: Monitor,
    infos: Mapping[str, Info],
    out: Out,
    count: int,
    deadline: Deadline,
    as_json: bool,
) -> None:
    told: Optional[str] = None
    seen = 0
    while not deadline.expired:
        value = monitor.next(deadline.bounded(1.0))
        if monitor.lost != told:
            # Attempt follows attempt, each with a reason of its own: it is told once.
            if (monitor.lost is None) != (told is None):
                out.note(
                    "connected again" if monitor.lost is None else clean(monitor.lost) + "; trying"
                )
            told = monitor.lost
        if value is None:
            continue
        if as_json:
            out.say(json.dumps(value.message, ensure_ascii=not out.wide_characters))
        else:
            out.say(_line(value, infos[value.name], out))
        seen += 1
        if count and seen >= count:
            return


def _line(value: Value, info: Info, out: Out) -> str:
    at = display.value_time(value).text
    cell = display.value_cell(value, info)
    unit = display.unit(info)
    quality = display.quality(value)
    parts = [
        out.paint(at or datetime.now().strftime("%Y-%m-%d %H:%M:%S.---"), "dim"),
        clean(value.name),
        out.paint(cell.text, cell.colour) if cell.colour else cell.text,
        unit,
        "" if value.status == 0 else out.paint(quality.text, quality.colour),
    ]
    return "  ".join(part for part in parts if part)


class _Table:
    def __init__(
        self, client: Client, monitor: Monitor, infos: Mapping[str, Info], screen: Screen
    ) -> None:
        self._client = client
        self._monitor = monitor
        self._infos = infos
        self._screen = screen
        self._values: Dict[str, Value] = {}
        self._changed: Dict[str, float] = {}
        self._drawn = 0
        self._size: Optional[Size] = None

    def run(self, count: int, deadline: Deadline) -> None:
        seen = 0
        drawn_at = 0.0
        try:
            while not deadline.expired and not (count and seen >= count):
                pause = max(0.01, drawn_at + REDRAW_S - time.monotonic())
                value = self._monitor.next(deadline.bounded(pause))
                if value is not None:
                    self._values[value.name] = value
                    self._changed[value.name] = time.monotonic()
                    seen += 1
                if time.monotonic() - drawn_at >= REDRAW_S:
                    self._draw()
                    drawn_at = time.monotonic()
        finally:
            self._draw(last=True)

    def _draw(self, last: bool = False) -> None:
        """One frame over the one before; the last one says nothing of how to end."""
        size = self._screen.size()
        columns, rows = max(20, size.columns - 1), max(4, size.rows - 1)
        lines = self._frame(columns, rows, last)
        begin = ""
        if self._drawn:
            # After a change of its size nobody knows where the lines are that were drawn.
            same = self._size == size
            begin = "\r\x1b[%dA" % self._drawn if same else "\x1b[2J\x1b[H"
        self._screen.write(begin + "".join(line + "\x1b[K\n" for line in lines) + "\x1b[J")
        self._drawn, self._size = len(lines), size

    def _frame(self, columns: int, rows: int, last: bool) -> List[str]:
        characters, paint = self._screen.characters, self._screen.paint
        states = self._states()
        room = max(1, rows - _FRAME_LINES - len(states))
        names = self._monitor.names
        shown = names[:room] if len(names) > room else names
        now, today = time.monotonic(), datetime.now()
        table = [self._row(name, now, today) for name in shown]
        layout = Layout(
            ("Variable", "Value", "Unit", "Quality", "Time"), table, columns, 1, characters
        )
        title = "%s %s %d variables" % (clean(self._client.url), characters.dash, len(names))
        lines = [
            paint(terminal.cut(title, columns, characters.more), "dim"),
            layout.header(paint),
            *(layout.line(row, paint) for row in table),
            *(paint(terminal.cut(text, columns, characters.more), display.BAD) for text in states),
        ]
        hidden = len(names) - len(shown)
        end = "%d more; make the window higher, or name fewer" % hidden if hidden else ""
        if not last:
            end = (end + "; " if end else "") + "Ctrl-C ends"
        if end:
            lines.append(paint(terminal.cut(end, columns, characters.more), "dim"))
        return lines[:rows]

    def _row(self, name: str, now: float, today: datetime) -> Sequence[Cell]:
        value, info = self._values.get(name), self._infos[name]
        if value is None:
            return Cell(clean(name)), Cell(""), Cell(""), Cell("waiting", "dim"), Cell("")
        cell = display.value_cell(value, info)
        if value.good and now - self._changed[name] < FRESH_S:
            cell = cell._replace(colour="fresh")
        return (
            Cell(clean(name)),
            cell,
            Cell(display.unit(info)),
            display.quality(value),
            display.value_time(value, today),
        )

    def _states(self) -> List[str]:
        if self._monitor.lost is not None:
            return ["no connection, trying again: " + clean(self._monitor.lost)]
        return [
            "%s is %s: %s" % (clean(name), clean(state["State"]), clean(state.get("Reason", "?")))
            for name, state in sorted(self._monitor.servers.items())
            if state["State"] != "connected"
        ]
