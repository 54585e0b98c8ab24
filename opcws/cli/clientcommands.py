"""What the commands of the client do: ask opcws, and say what it answers.

Each function returns how many of the variables were not as wanted (unknown, Bad, not written),
and raises :exc:`~opcws.client.ClientError`.  With *as_json* each line is one JSON object, as the
contract has it.
"""

import csv
import difflib
import fnmatch
import io
import itertools
import json
import re
from datetime import datetime, timedelta
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Protocol, Sequence, Tuple

from ..client import Client, ClientError, Value, VariableError, moment, time_text
from ..model import text as terminal
from ..model.text import Cell, Layout, Marks, Point, clean
from ..wire.timestamps import parse_timestamp, timestamp_text
from . import display
from .display import Info

#: Rows by which the widths of a long table's columns are chosen.
_SAMPLE = 500
_PATTERN = re.compile(r"[*?\[]")


class Out(Protocol):
    """Where output goes."""

    @property
    def columns(self) -> Optional[int]:
        """Columns of the terminal; ``None`` where it is none, and nothing is to be cut."""

    @property
    def characters(self) -> Marks: ...

    @property
    def wide_characters(self) -> bool:
        """Whether everything of Unicode can be written."""

    def say(self, line: str) -> None: ...

    def note(self, line: str) -> None:
        """To the person, not to a program that reads the output."""

    def paint(self, text: str, colour: str) -> str: ...


class UsageProblem(ClientError):
    """What was typed cannot be done; the reason says why.  ``usage`` is false where it is the
    variables that do not fit."""

    def __init__(self, reason: str, usage: bool = True) -> None:
        super().__init__(reason)
        self.usage = usage


# --- which variables --------------------------------------------------------------------------


def wanted(client: Client, patterns: Sequence[str]) -> List[str]:
    """The names that *patterns* stand for, each once.  A name without ``*``, ``?`` and ``[``
    stays as it is, whether there is such a variable or not.

    Raises :exc:`UsageProblem` for a pattern that nothing matches.
    """
    known: Optional[List[str]] = None
    found: Dict[str, None] = {}
    for pattern in patterns:
        if not _PATTERN.search(pattern):
            found[pattern] = None
            continue
        if known is None:
            known = client.names()
        names = [pattern] if pattern in known else fnmatch.filter(known, pattern)
        # filter() of Windows takes small for capital letters, and those count.
        names = [each for each in names if each == pattern or fnmatch.fnmatchcase(each, pattern)]
        if not names:
            raise UsageProblem(
                "no variable matches %s; 'opcws list' shows all %d, capitals count"
                % (clean(pattern), len(known)),
                usage=False,
            )
        found.update(dict.fromkeys(names))
    return list(found)


def problem(client: Client, name: str, status: str, reason: str) -> str:
    """A variable's problem in a sentence; to a name that is not there, a similar one."""
    # Where in the request it was says nothing to whoever did not write the request.
    reason = re.sub(r"\ABody\.[\w.\[\]]+: ", "", reason)
    if reason.startswith(name + " "):
        reason = reason[len(name) + 1 :]
    text = "%s: %s (%s)" % (clean(name), clean(reason or status), clean(status))
    if status == "BadHistoryOperationUnsupported":
        return text + "; 'opcws info' tells of which variables there is history"
    if status != "BadNodeIdUnknown":
        return text
    try:
        names = client.names()
    except ClientError:
        return text
    if name not in names:
        close = difflib.get_close_matches(name, names, 2, 0.75)
        folded = [each for each in names if each.lower() == name.lower()]
        hints = folded or close
        text = "%s: no variable has that name" % clean(name)
        text += "; did you mean %s?" % " or ".join(map(clean, hints)) if hints else ""
        text += " 'opcws list' shows all" if hints else "; 'opcws list' shows all"
    return text


def _infos(client: Client, names: Sequence[str]) -> Dict[str, Info]:
    return {info["Variable"]: info for info in client.info(names)} if names else {}


def _say_json(out: Out, item: Mapping[str, Any]) -> None:
    out.say(json.dumps(item, ensure_ascii=not out.wide_characters))


def _say_table(
    out: Out, headers: Sequence[str], rows: Sequence[Sequence[Cell]], elastic: int
) -> None:
    layout = Layout(headers, rows, out.columns, elastic, out.characters)
    if out.columns is not None:
        out.say(layout.header(out.paint))
    for row in rows:
        out.say(layout.line(row, out.paint))


# --- list and info ----------------------------------------------------------------------------


def list_variables(
    client: Client, out: Out, patterns: Sequence[str], long: bool, as_json: bool
) -> int:
    names = wanted(client, patterns) if patterns else client.names()
    if not names:
        out.note("no variables; is there one in the configuration that your role may see?")
    if not (long or as_json):
        for name in names:
            out.say(clean(name))
        return 0
    infos = client.info(names)
    if as_json:
        for info in infos:
            _say_json(out, info)
    else:
        rows = [
            (
                Cell(clean(info["Variable"])),
                Cell(display.type_text(info) or str(info.get("StatusCode", "?"))),
                Cell(str(info.get("Access", ""))),
                Cell(display.unit(info)),
                Cell(clean(str(info.get("Description", ""))), "dim"),
            )
            for info in infos
        ]
        _say_table(out, ("Variable", "Type", "Access", "Unit", "Description"), rows, 4)
    return sum("StatusCode" in info for info in infos)


def show_info(client: Client, out: Out, patterns: Sequence[str], as_json: bool) -> int:
    infos = client.info(wanted(client, patterns))
    for info in infos:
        if as_json:
            _say_json(out, info)
            continue
        if "StatusCode" in info:
            out.note(problem(client, info["Variable"], info["StatusCode"], info.get("Reason", "")))
            continue
        out.say(out.paint(clean(info["Variable"]), "title"))
        rows = display.info_lines(info)
        # In whole: a node id that was cut is good for nothing.
        layout = Layout(("", ""), rows, None, 1, out.characters)
        for row in rows:
            out.say(layout.line(row, out.paint))
    return sum("StatusCode" in info for info in infos)


# --- read -------------------------------------------------------------------------------------


def read(
    client: Client,
    out: Out,
    patterns: Sequence[str],
    max_age_ms: float,
    only_values: bool,
    as_json: bool,
) -> int:
    """With *only_values* a line for each variable, empty where it is Bad."""
    names = wanted(client, patterns)
    values = client.read_many(names, max_age_ms)
    if as_json:
        for value in values:
            _say_json(out, value.message)
    elif only_values:
        for value in values:
            out.say("" if value.bad else _one_line(display.plain(value)))
    else:
        infos = _infos(client, names)
        today = datetime.now()
        rows = [
            (
                Cell(clean(value.name)),
                display.value_cell(value, infos[value.name]),
                Cell(display.unit(infos[value.name])),
                display.quality(value),
                display.value_time(value, today),
            )
            for value in values
        ]
        _say_table(out, ("Variable", "Value", "Unit", "Quality", "Time"), rows, 1)
    bad = [value for value in values if value.bad]
    for value in bad:
        out.note(problem(client, value.name, value.symbol, value.reason))
    return len(bad)


def _one_line(text: str) -> str:
    return clean(text) if any(each in text for each in "\r\n\x1b") else text


# --- write ------------------------------------------------------------------------------------

#: Built-in types whose values are text as a person types it.
_TEXTUAL = {"String", "DateTime", "Guid", "ByteString", "XmlElement", "NodeId", "ExpandedNodeId"}


def write(
    client: Client,
    out: Out,
    pairs: Sequence[Tuple[str, str]],
    type_name: Optional[str],
    as_json: bool,
) -> int:
    names = list(dict.fromkeys(name for name, _ in pairs))
    infos = _infos(client, names)
    writes = [(name, typed(text, infos[name], type_name)) for name, text in pairs]
    results = client.write_many(writes, type_name)
    for (name, text), wrong in zip(pairs, results):
        if as_json:
            item = {"Variable": name}
            if wrong is not None:
                item.update(StatusCode=wrong.status, Reason=wrong.reason)
            _say_json(out, item)
        elif wrong is None:
            unit = display.unit(infos[name])
            out.say(
                "%s  %s = %s%s"
                % (
                    out.paint("written", display.GOOD),
                    clean(name),
                    clean(text),
                    unit and " " + unit,
                )
            )
        else:
            out.note("not written: " + problem(client, name, wrong.status, wrong.reason))
    return sum(each is not None for each in results)


def typed(text: str, info: Info, type_name: Optional[str]) -> Any:
    """What a person typed as the JSON that WRITE takes for the variable.

    A scalar goes as text, which opcws reads as the variable's type and refuses with a sentence
    if it cannot; an array, a structure and a value of no known type are JSON.
    """
    name = type_name or info.get("Type", "")
    if name in _TEXTUAL and info.get("IsArray") is not True:
        return text
    looks_so = text.lstrip()[:1] in ("[", "{") or (name == "LocalizedText" and text[:1] == '"')
    if name and info.get("IsArray") is not True and not looks_so:
        if name == "LocalizedText":
            return {"Text": text}
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if info.get("IsArray") is True:
            raise UsageProblem(
                "%s is an array, which is written as JSON, like '[1, 2, 3]'; got %s"
                % (clean(str(info.get("Variable", ""))), clean(text))
            ) from None
        return text


# --- history ----------------------------------------------------------------------------------

_AGO = re.compile(r"-?([0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|m|h|d|w)(?:\s+ago)?", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_ZONE = re.compile(r"[Tt ].*(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)\Z")
_BEGIN = datetime(1601, 1, 1)
#: 1970 in the ticks of :func:`~opcws.wire.timestamps.parse_timestamp`.
_EPOCH_TICKS = 11644473600 * 10**7


def seconds(text: str) -> float:
    """A span such as ``90s``, ``15m``, ``12h``, ``7d``.  Raises :exc:`UsageProblem`."""
    found = _AGO.fullmatch(text.strip())
    if found is None:
        raise UsageProblem("expected a time span such as 90s, 15m, 12h or 7d, got %s" % clean(text))
    return float(found[1]) * _SECONDS[found[2].lower()]


def when(text: str, now: datetime) -> str:
    """A moment that a person types, as ISO 8601 in UTC: ``now``, ``15m`` (so long ago), ``10:30``
    (today), ``2026-11-22``, ``2026-11-22 10:30``; local time unless there is an offset or ``Z``.

    *now* is aware of its zone.  Raises :exc:`UsageProblem`.
    """
    text = text.strip()
    if text.lower() == "now":
        return time_text(now)
    if _AGO.fullmatch(text):
        try:
            return time_text(now - timedelta(seconds=seconds(text)))
        except OverflowError:
            raise UsageProblem("%s is longer ago than any history" % clean(text)) from None
    clock = _CLOCK.fullmatch(text)
    try:
        if clock is not None:
            hour, minute, second = (int(each or 0) for each in clock.groups())
            local = now.replace(tzinfo=None)
            local = local.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return time_text(local)
        ticks = parse_timestamp(text)
        if _ZONE.search(text):
            return timestamp_text(ticks)
        return time_text(_BEGIN + timedelta(microseconds=ticks // 10))
    except (ValueError, OverflowError, OSError):
        raise UsageProblem(
            "expected a time such as 2026-11-22T10:30:00, 10:30, 15m (so long ago) or now, got %s"
            % clean(text)
        ) from None


def history(
    client: Client,
    out: Out,
    patterns: Sequence[str],
    start: str,
    end: str,
    limit: int,
    aggregate: Optional[str],
    interval_s: Optional[float],
    form: str,
    rows: int,
) -> int:
    """*form*: ``table``, ``csv``, ``json`` or ``plot`` of *rows* lines."""
    names = wanted(client, patterns)
    infos = _infos(client, names) if form in ("table", "plot") else {}
    bad = 0
    if form == "csv":
        out.say("Variable,Time,Value,Status")
    for number, name in enumerate(names):
        values = client.history(
            name,
            start,
            end,
            max_values=limit,
            aggregate=aggregate,
            interval_ms=None if interval_s is None else interval_s * 1000.0,
        )
        if number and form in ("table", "plot"):
            out.say("")
        try:
            if form == "csv":
                _history_csv(out, values)
            elif form == "json":
                for value in values:
                    _say_json(out, {"Variable": name, **value.message})
            elif form == "plot":
                _history_plot(out, name, values, infos[name], start, end, rows)
            else:
                _history_table(out, name, values, infos[name])
        except VariableError as error:
            bad += 1
            out.note(problem(client, name, error.status, error.reason))
    return bad


def _history_csv(out: Out, values: Iterable[Value]) -> None:
    for value in values:
        line = io.StringIO()
        text = "" if value.message.get("Value") is None else display.plain(value)
        at = value.source_timestamp or value.server_timestamp or ""
        csv.writer(line, lineterminator="").writerow([value.name, at, text, value.symbol])
        out.say(line.getvalue())


def _history_table(out: Out, name: str, values: Iterator[Value], info: Info) -> None:

    def row(value: Value) -> Sequence[Cell]:
        return display.value_time(value), display.value_cell(value, info), display.quality(value)

    # Before the first page nothing is known of widths; behind it nothing waits for more.
    first = [row(value) for value in itertools.islice(values, _SAMPLE)]
    if not first:
        out.note("%s: nothing is recorded in that time" % clean(name))
        return
    _say_title(out, name, info)
    layout = Layout(("Time", "Value", "Quality"), first, out.columns, 1, out.characters)
    out.say(layout.header(out.paint))
    for cells in itertools.chain(first, map(row, values)):
        out.say(layout.line(cells, out.paint))


def _history_plot(
    out: Out, name: str, values: Iterable[Value], info: Info, start: str, end: str, rows: int
) -> None:
    points: List[Point] = []
    for value in values:
        at = moment(value.source_timestamp or value.server_timestamp)
        if at is None:
            continue
        number = value.value
        if not value.bad and not isinstance(number, (int, float)):
            raise UsageProblem("%s is no number, so there is no plot of it" % clean(name), False)
        points.append(Point(at.timestamp(), None if value.bad else _finite(number)))
    if not points:
        out.note("%s: nothing is recorded in that time" % clean(name))
        return
    first = min(_stamp(start), _stamp(end))
    last = max(_stamp(start), _stamp(end))
    lines = terminal.plot(points, first, last, out.columns or 100, rows, out.characters, out.paint)
    if not lines:
        out.note("%s: no good value is recorded in that time" % clean(name))
        return
    _say_title(out, name, info)
    for line in lines:
        out.say(line)
    numbers = [point.number for point in points if point.number is not None]
    out.say(
        "from %s to %s; %d values, least %g, greatest %g"
        % (_local(first), _local(last), len(points), min(numbers), max(numbers))
    )


def _say_title(out: Out, name: str, info: Info) -> None:
    unit = display.unit(info)
    out.say(out.paint(clean(name), "title") + (" in " + unit if unit else ""))


def _finite(number: Any) -> Optional[float]:
    try:
        return float(number)
    except OverflowError:
        return None


def _stamp(text: str) -> float:
    """A time of :func:`when` in seconds since 1970."""
    return (parse_timestamp(text) - _EPOCH_TICKS) / 1e7


def _local(stamp: float) -> str:
    return datetime.fromtimestamp(stamp).strftime("%Y-%m-%d %H:%M:%S")
