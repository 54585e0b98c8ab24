"""Values and descriptions of variables as text for people.

Every returned text is clean in the sense of :func:`opcws.model.text.clean`.
"""

import json
import math
import re
import sys
from datetime import datetime
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from rich.text import Text

from ..client import Value, moment
from ..model.text import clean
from .terminal import Fitting, cut

Info = Mapping[str, Any]


# A spreadsheet calculates a text that begins so, unless it is a number.
_FORMULA = re.compile(
    r"(?!-[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?$|-Infinity$)[=+\-@\t\r]", re.IGNORECASE
)


def quality_style(value: Value) -> str:
    return "red" if value.bad else "yellow" if value.uncertain else "green"


#: No connection to the plant, or from the plant to the source of the value.
_OLD = {
    *("BadNotConnected", "BadNoCommunication", "BadCommunicationError", "BadConnectionClosed"),
    *("BadServerNotConnected", "BadWaitingForInitialData", "BadOutOfService"),
    *("UncertainLastUsableValue", "UncertainNoCommunicationLastUsableValue"),
}


def is_stale(value: Value) -> bool:
    """Whether the value is a past one."""
    return value.symbol in _OLD


class Limit(NamedTuple):
    """The limit that a value exceeds, with a style and a mark that needs no colour."""

    style: str
    mark: str
    text: str


def limit_of(value: Any, info: Info) -> Optional[Limit]:
    """The limit that the number *value* exceeds, the worst if there are several.

    A value equal to a limit does not exceed it.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    limits, bounds = _numbers(info.get("Limits")), _numbers(info.get("EURange"))
    low, high = bounds.get("Low", math.nan), bounds.get("High", math.nan)
    if value > limits.get("HighHigh", math.inf):
        return Limit("red", "▲▲", "above HighHigh %s" % limits["HighHigh"])
    if value < limits.get("LowLow", -math.inf):
        return Limit("red", "▼▼", "below LowLow %s" % limits["LowLow"])
    if low < high and not low <= value <= high and value == value:
        above = value > high
        text = "%s the range %s to %s" % ("above" if above else "below", low, high)
        return Limit("red", "▲▲" if above else "▼▼", text)
    if value > limits.get("High", math.inf):
        return Limit("yellow", "▲", "above High %s" % limits["High"])
    if value < limits.get("Low", -math.inf):
        return Limit("yellow", "▼", "below Low %s" % limits["Low"])
    return None


def _numbers(members: Any) -> Mapping[str, float]:
    """Those of *members* that are numbers."""
    return {
        name: each
        for name, each in (members.items() if isinstance(members, dict) else ())
        if isinstance(each, (int, float))
    }


def _limit(value: Value, info: Info) -> Optional[Limit]:
    return None if is_stale(value) else limit_of(value.value, info)


def quality(value: Value, info: Optional[Info] = None) -> Text:
    """The name of the status, whether values were missed, and with *info* the limit that the value
    exceeds."""
    text = clean(value.symbol) + (" (missed some)" if value.overflow else "")
    limit = _limit(value, info or {})
    if limit is None:
        return Text(text, quality_style(value))
    style = limit.style if value.good else quality_style(value)
    return Text("%s %s %s" % (text, limit.mark, limit.text), style)


def value_text(value: Value, info: Info, columns: Optional[int] = None) -> str:
    """The value in one line; an enumeration by name with its number.

    To fit into *columns* a number is rounded, not cut, and a list or structure shows the parts that
    fit.
    """
    most = sys.maxsize if columns is None else columns
    variant = value.message.get("Value")
    body = variant.get("Body") if isinstance(variant, dict) else None
    if body is None:
        return "" if value.bad else "none"
    names = _names(info)
    if isinstance(value.value, int) and not isinstance(value.value, bool) and names:
        if 0 <= value.value < len(names) and names[value.value]:
            return clean("%s (%d)" % (names[value.value], value.value))
    if isinstance(value.value, (int, float)) and not isinstance(value.value, bool):
        return clean(_fewer_digits(plain(value), value.value, most))
    if isinstance(body, str):
        return clean(body)
    sizes = "x".join(map(str, value.dimensions)) + " " * bool(value.dimensions)
    return clean(sizes + _in_line(body, most - len(sizes)))


#: Fewest digits of a number that is rounded without an exponent.
_TOLD = 3


def _fewer_digits(text: str, number: float, columns: int) -> str:
    """*text*, which is *number*, or as many of its digits as fit; at least one digit and the
    exponent, such as ``-1e-300``."""
    if len(text) <= columns:
        return text
    if not math.isfinite(number):
        return str(number)
    whole = len("%.0f" % number)
    if whole <= columns:
        rounded = "%.*f" % (max(0, min(20, columns - whole - 1)), number)
        if float(rounded) == number or len(rounded.lstrip("-0.").replace(".", "")) >= _TOLD:
            return rounded
    shorter = ("%.*e" % (digits, number) for digits in range(14, 0, -1))
    return next((each for each in shorter if len(each) <= columns), "%.0e" % number)


def _in_line(body: Any, most: int) -> str:
    """A list or structure in about *most* characters."""
    if isinstance(body, list):
        return _listed("[", [("", each) for each in body], "]", most)
    if not isinstance(body, dict):
        return "none" if body is None else cut(json.dumps(body, ensure_ascii=False), most)
    keys = set(body)
    for text, known in (
        ("Text", {"Locale", "Text"}),
        ("Name", {"Name", "Uri", "NamespaceIndex"}),
        ("Symbol", {"Code", "Symbol"}),
    ):
        if text in keys <= known:
            return cut(str(body[text]), most)
    name = ""
    fields: Any = body
    if "TypeId" in keys <= {"TypeId", "Encoding", "Body"}:
        named = re.search("(?:^|;)s=(.*)$", str(body["TypeId"]))
        name = named.group(1).strip('"') if named else ""
        fields = body.get("Body")
        if fields is None:
            return name or "none"
        if not isinstance(fields, dict):
            return (name or "structure") + " of an unknown form"
    parts = [(key + ": ", each) for key, each in fields.items()]
    return _listed(name + " " * bool(name) + "{", parts, "}", most)


def _listed(opening: str, parts: Sequence[Tuple[str, Any]], closing: str, most: int) -> str:
    """The *parts*, each with a label, that fit; ``…`` stands for the others."""
    text = opening
    for number, (label, body) in enumerate(parts):
        between = ", " if number else ""
        room = most - len(text) - len(between) - len(closing)
        room -= len(", …") if number < len(parts) - 1 else 0
        part = label + (
            _in_line(body, room - len(label))
            if isinstance(body, (dict, list, str))
            else "none"
            if body is None
            else json.dumps(body)
        )
        if len(part) > room:
            return text + between + "…" + closing
        text += between + part
    return text + closing


def _names(info: Info) -> Sequence[Any]:
    """Those of the values 0, 1, 2, ..."""
    names = info.get("EnumStrings")
    return names if isinstance(names, list) else ()


def plain(value: Value) -> str:
    """The value alone, for a script: a number or text as it is, everything else as JSON."""
    variant = value.message.get("Value")
    body = variant.get("Body") if isinstance(variant, dict) else None
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)


def csv_cells(value: Value) -> Sequence[str]:
    """Variable, Time (UTC), Value and Status; not clean.  A text that a spreadsheet would calculate
    gets an apostrophe in front."""
    text = "" if value.message.get("Value") is None else plain(value)
    time = value.source_timestamp or value.server_timestamp or ""
    cells = (value.name, time, text, value.symbol)
    return ["'" + cell if _FORMULA.match(cell) else cell for cell in cells]


def value_cell(value: Value, info: Info) -> Text:
    number = isinstance(value.value, (int, float)) and not isinstance(value.value, bool)
    limit = _limit(value, info)
    style = limit.style if limit else "" if value.good else quality_style(value)
    return Fitting(
        lambda columns: value_text(value, info, columns),
        "dim italic" if is_stale(value) else style,
        justify="right" if number and not _names(info) else None,
    )


def unit(info: Info) -> str:
    units = info.get("EngineeringUnits")
    return clean(str(units.get("DisplayName", ""))) if isinstance(units, dict) else ""


def type_text(info: Info) -> str:
    name = str(info.get("Type", ""))
    return clean(name + "[]" if info.get("IsArray") is True else name)


def value_time(value: Value, today: Optional[datetime] = None) -> Text:
    """Local time to the millisecond, without the date if it is *today*."""
    utc = moment(value.source_timestamp or value.server_timestamp)
    if utc is None or not 1900 < utc.year < 9999:
        return Text()
    local = utc.astimezone()
    date = "" if today is not None and local.date() == today.date() else "%Y-%m-%d "
    text = local.strftime(date + "%H:%M:%S") + ".%03d" % (local.microsecond // 1000)
    ends = (len(text), len(text) - 4)  # with the milliseconds or without
    return Fitting(lambda columns: text[: next((n for n in ends if n <= columns), 0)], "dim")


VALUE_HEADERS = ("Variable", "Value", "Unit", "Quality", "Time")


def value_row(value: Value, info: Info, today: datetime) -> Sequence[Text]:
    """The cells below :data:`VALUE_HEADERS`."""
    return (
        Text(clean(value.name)),
        value_cell(value, info),
        Text(unit(info)),
        quality(value, info),
        value_time(value, today),
    )


def title(info: Info) -> Text:
    units = unit(info)
    return Text.assemble((clean(info["Variable"]), "bold"), " in " + units if units else "")


#: By ``HistorySource``.
_RECORDED_BY = {
    "plant": "recorded by the OPC UA server",
    "own": "recorded by opcws",
    "both": "recorded by the OPC UA server and by opcws",
}


def _limits(limits: Any) -> str:
    """Such as ``low 15, high 120.5``."""
    names = {"LowLow": "low low", "Low": "low", "High": "high", "HighHigh": "high high"}
    given = limits if isinstance(limits, dict) else {}
    return ", ".join("%s %s" % (names[key], given[key]) for key in names if key in given)


def info_rows(info: Info) -> List[Sequence[Text]]:
    """The description of one variable, as rows of a name and a text."""
    units, limits = info.get("EngineeringUnits"), info.get("EURange")
    described = ranged = ""
    if isinstance(units, dict):
        described, more = str(units.get("DisplayName", "")), units.get("Description")
        if more and more != described:
            described += " (%s)" % more
    if isinstance(limits, dict):
        ranged = "%s to %s" % (limits.get("Low", "?"), limits.get("High", "?"))
    sampled, recorded = info.get("MinimumSamplingInterval"), info.get("Historizing")
    source = str(info.get("HistorySource") or "")
    known = {
        "Type": type_text(info) or "not known while the plant is not connected",
        "Access": info.get("Access", "none: the OPC UA server allows nothing"),
        "Description": info.get("Description"),
        "Unit": described,
        "Range": ranged,
        "Limits": _limits(info.get("Limits")),
        "Names": ", ".join("%d %s" % pair for pair in enumerate(_names(info))),
        "History": _RECORDED_BY.get(source, source)
        or (recorded if recorded is None else "recorded" if recorded else "not recorded"),
        "Sampled": "every %s ms at the fastest" % sampled if sampled else None,
        "Server": info.get("Server"),
        "Node": info.get("NodeId"),
    }
    more_of_it = info.get("MetaData")
    meta = {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in sorted(more_of_it.items() if isinstance(more_of_it, dict) else ())
    }
    return [
        (Text("  " + clean(label), "dim"), Text(clean(str(text))))
        for label, text in [*known.items(), *meta.items()]
        if text not in (None, "")
    ]
