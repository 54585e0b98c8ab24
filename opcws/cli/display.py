"""Values and what is known of variables, as text for people.

Every text that is returned is clean in the sense of :func:`opcws.model.text.clean`.
"""

import json
from datetime import datetime
from typing import Any, List, Mapping, Optional, Sequence

from ..client import Value, moment
from ..model.text import Cell, clean

Info = Mapping[str, Any]

#: The colours of quality; :mod:`opcws.cli.output` knows what they look like.
GOOD, UNCERTAIN, BAD = "good", "uncertain", "bad"


def quality_colour(value: Value) -> str:
    return BAD if value.bad else UNCERTAIN if value.uncertain else GOOD


def quality(value: Value) -> Cell:
    """The status by name; that values were missed is told behind it."""
    text = clean(value.symbol) + (" (missed some)" if value.overflow else "")
    return Cell(text, quality_colour(value))


def value_text(value: Value, info: Optional[Info] = None) -> str:
    """The value in one line; an enumeration by name with its number."""
    variant = value.message.get("Value")
    if not isinstance(variant, dict) or variant.get("Body") is None:
        return "" if value.bad else "null"
    names = (info or {}).get("EnumStrings")
    if isinstance(value.value, int) and not isinstance(value.value, bool) and names:
        if 0 <= value.value < len(names) and names[value.value]:
            return clean("%s (%d)" % (names[value.value], value.value))
    text = plain(value)
    if value.dimensions:
        return clean("%s %s" % ("x".join(map(str, value.dimensions)), text))
    return clean(text)


def plain(value: Value) -> str:
    """The value alone, as a script wants it: a number or text as it is, all else as JSON."""
    variant = value.message.get("Value")
    body = variant.get("Body") if isinstance(variant, dict) else None
    if isinstance(body, str):
        return body
    return json.dumps(body, ensure_ascii=False)


def value_cell(value: Value, info: Optional[Info] = None) -> Cell:
    number = isinstance(value.value, (int, float)) and not isinstance(value.value, bool)
    text = value_text(value, info)
    colour = "" if value.good else quality_colour(value)
    return Cell(text, colour, number and not (info or {}).get("EnumStrings"))


def unit(info: Optional[Info]) -> str:
    units = (info or {}).get("EngineeringUnits")
    return clean(str(units.get("DisplayName", ""))) if isinstance(units, dict) else ""


def type_text(info: Info) -> str:
    name = str(info.get("Type", ""))
    return clean(name + "[]" if info.get("IsArray") is True else name)


def time_text(text: Optional[str], today: Optional[datetime] = None) -> str:
    """A time of the wire in local time, to the millisecond; the date is left out where it is
    that of *today*."""
    utc = moment(text)
    if utc is None or not 1900 < utc.year < 9999:
        return ""
    local = utc.astimezone()
    shown = local.strftime("%H:%M:%S") + ".%03d" % (local.microsecond // 1000)
    if today is not None and local.date() == today.date():
        return shown
    return local.strftime("%Y-%m-%d ") + shown


def value_time(value: Value, today: Optional[datetime] = None) -> Cell:
    return Cell(time_text(value.source_timestamp or value.server_timestamp, today), "dim")


def info_lines(info: Info) -> List[Sequence[Cell]]:
    """What is known of one variable, as rows of a name and a text."""
    rows: List[Sequence[Cell]] = []

    def add(label: str, text: Any, colour: str = "") -> None:
        if text not in (None, ""):
            rows.append((Cell("  " + label, "dim"), Cell(clean(str(text)), colour)))

    if "StatusCode" in info:
        add("Problem", "%s: %s" % (info["StatusCode"], info.get("Reason", "")), BAD)
        return rows
    add("Type", type_text(info) or "not known while the plant is not connected")
    add("Access", info.get("Access", "none: the OPC UA server allows nothing"))
    add("Description", info.get("Description"))
    units = info.get("EngineeringUnits")
    if isinstance(units, dict):
        more = units.get("Description")
        add("Unit", "%s%s" % (units.get("DisplayName", ""), " (%s)" % more if more else ""))
    limits = info.get("EURange")
    if isinstance(limits, dict):
        add("Range", "%s to %s" % (limits.get("Low", "?"), limits.get("High", "?")))
    names = info.get("EnumStrings")
    if names:
        add("Names", ", ".join("%d %s" % pair for pair in enumerate(names)))
    if "Historizing" in info:
        add("History", "recorded" if info["Historizing"] else "not recorded")
    if info.get("MinimumSamplingInterval"):
        add("Sampled", "every %s ms at the fastest" % info["MinimumSamplingInterval"])
    add("Server", info.get("Server"))
    add("Node", info.get("NodeId"))
    for key, value in sorted((info.get("MetaData") or {}).items()):
        add(key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return rows
