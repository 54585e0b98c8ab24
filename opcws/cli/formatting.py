"""Values and what is known of variables, as text for people.

Every text that is returned is clean in the sense of :func:`opcws.model.text.clean`.
"""

import json
import re
from datetime import datetime
from typing import Any, List, Mapping, Optional, Sequence

from rich.text import Text

from ..client import Value, moment
from ..model.text import clean

Info = Mapping[str, Any]


# A spreadsheet calculates what begins so, but for a number: -2+3 too.
_FORMULA = re.compile(
    r"(?!-[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?$|-Infinity$)[=+\-@\t\r]", re.IGNORECASE
)


def quality_style(value: Value) -> str:
    return "red" if value.bad else "yellow" if value.uncertain else "green"


def quality(value: Value) -> Text:
    """The status by name; that values were missed is told behind it."""
    text = clean(value.symbol) + (" (missed some)" if value.overflow else "")
    return Text(text, quality_style(value))


def value_text(value: Value, info: Info) -> str:
    """The value in one line; an enumeration by name with its number."""
    variant = value.message.get("Value")
    if not isinstance(variant, dict) or variant.get("Body") is None:
        return "" if value.bad else "null"
    names = _names(info)
    if isinstance(value.value, int) and not isinstance(value.value, bool) and names:
        if 0 <= value.value < len(names) and names[value.value]:
            return clean("%s (%d)" % (names[value.value], value.value))
    text = plain(value)
    if value.dimensions:
        text = "%s %s" % ("x".join(map(str, value.dimensions)), text)
    return clean(text)


def _names(info: Info) -> Sequence[Any]:
    """Those of the values 0, 1, 2, ..."""
    names = info.get("EnumStrings")
    return names if isinstance(names, list) else ()


def plain(value: Value) -> str:
    """The value alone, as a script wants it: a number or text as it is, all else as JSON."""
    variant = value.message.get("Value")
    body = variant.get("Body") if isinstance(variant, dict) else None
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)


def csv_cells(value: Value) -> Sequence[str]:
    """Variable, Time (UTC), Value and Status; not clean.  What a spreadsheet would calculate, and
    is no number, begins with an apostrophe."""
    text = "" if value.message.get("Value") is None else plain(value)
    time = value.source_timestamp or value.server_timestamp or ""
    cells = (value.name, time, text, value.symbol)
    return ["'" + cell if _FORMULA.match(cell) else cell for cell in cells]


def value_cell(value: Value, info: Info) -> Text:
    number = isinstance(value.value, (int, float)) and not isinstance(value.value, bool)
    return Text(
        value_text(value, info),
        "" if value.good else quality_style(value),
        justify="right" if number and not _names(info) else None,
    )


def unit(info: Info) -> str:
    units = info.get("EngineeringUnits")
    return clean(str(units.get("DisplayName", ""))) if isinstance(units, dict) else ""


def type_text(info: Info) -> str:
    name = str(info.get("Type", ""))
    return clean(name + "[]" if info.get("IsArray") is True else name)


def value_time(value: Value, today: Optional[datetime] = None) -> Text:
    """Local time to the millisecond; the date is left out where it is that of *today*."""
    utc = moment(value.source_timestamp or value.server_timestamp)
    if utc is None or not 1900 < utc.year < 9999:
        return Text()
    local = utc.astimezone()
    date = "" if today is not None and local.date() == today.date() else "%Y-%m-%d "
    return Text(local.strftime(date + "%H:%M:%S") + ".%03d" % (local.microsecond // 1000), "dim")


VALUE_HEADERS = ("Variable", "Value", "Unit", "Quality", "Time")


def value_row(value: Value, info: Info, today: datetime) -> Sequence[Text]:
    """The cells below :data:`VALUE_HEADERS`."""
    return (
        Text(clean(value.name)),
        value_cell(value, info),
        Text(unit(info)),
        quality(value),
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
    """What is known of one variable, as rows of a name and a text."""
    units, limits = info.get("EngineeringUnits"), info.get("EURange")
    described = ranged = ""
    if isinstance(units, dict):
        more = units.get("Description")
        described = "%s%s" % (units.get("DisplayName", ""), " (%s)" % more if more else "")
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
