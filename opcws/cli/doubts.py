"""Reasons against a write, in the same words as the page (static/write.js): a value outside of the
usual range, a number that an enumeration does not list, a present value that is not good."""

import json
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple, Union

from ..client import Value
from ..model.text import clean
from .formatting import Info, unit

Number = Union[int, float]

_NUMBERS = {
    *("SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64"),
    *("Float", "Double"),
}
_LISTED = 8  # most values of an enumeration that are listed


def doubts(value: Any, info: Info, present: Optional[Value]) -> List[str]:
    """*value* is what WRITE gets: a number, a text, or a list of these.  *present* is ``None`` if
    it may not be read."""
    found = []
    if str(info.get("Type")) in _NUMBERS:
        elements = list(_elements(value))
        found += _beyond_range(elements, info) + _not_listed(elements, info)
    if present is not None and not present.good:
        why = clean(present.symbol)
        if present.reason:
            why = "%s (%s)" % (clean(present.reason), why)
        found.append("the present value is %s: %s" % ("bad" if present.bad else "uncertain", why))
    return found


def _beyond_range(elements: Sequence[Number], info: Info) -> List[str]:
    limits = info.get("EURange")
    if not isinstance(limits, dict):
        return []
    low, high = _number(limits.get("Low")), _number(limits.get("High"))
    # Servers without a range leave both at 0.
    if low is None or high is None or not low < high:
        return []
    usual = "outside of the usual range, %s to %s" % (_text(low), _text(high))
    units = unit(info)
    beyond = [each for each in elements if not low <= each <= high]
    return _some(beyond, usual + (units and " " + units))


def _not_listed(elements: Sequence[Number], info: Info) -> List[str]:
    listed = _listed(info)
    values = [value for value, _name in listed]
    more = " and %d more" % (len(listed) - _LISTED) if len(listed) > _LISTED else ""
    names = ", ".join("%s (%s)" % (clean(name), _text(value)) for value, name in listed[:_LISTED])
    strange = [each for each in elements if listed and each not in values]
    return _some(strange, "not among the values " + names + more)


def _some(numbers: Sequence[Number], what: str) -> List[str]:
    if not numbers:
        return []
    more = len(numbers) - 1
    return [_text(numbers[0]) + (" and %d more are " % more if more else " is ") + what]


def _listed(info: Info) -> List[Tuple[Number, str]]:
    values, texts = info.get("EnumValues"), info.get("EnumStrings")
    pairs: List[Tuple[Any, Any]] = []
    if isinstance(values, list) and values:
        members = (each for each in values if isinstance(each, dict))
        pairs = [(each.get("Value"), each.get("DisplayName")) for each in members]
    elif isinstance(texts, list):
        pairs = list(enumerate(texts))
    found = ((_number(value), str(name or value)) for value, name in pairs)
    return [(value, name) for value, name in found if value is not None]


def _elements(value: Any) -> Iterator[Number]:
    """The numbers in *value*; the server checks everything else, such as names."""
    if isinstance(value, list):
        for each in value:
            yield from _elements(each)
    else:
        number = _number(value)
        if number is not None:
            yield number


def _number(value: Any) -> Optional[Number]:
    if isinstance(value, str):
        kinds: Sequence[Callable[[str], Number]] = (int, float)
        for kind in kinds:
            try:
                return kind(value)
            except ValueError:
                pass
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return None


def _text(number: Number) -> str:
    text = json.dumps(number)
    return text[:-2] if text.endswith(".0") else text
