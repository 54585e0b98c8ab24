"""Each aggregate against the tables of the standard, OPC 10000-13 annex A."""

import re
from typing import Dict, Tuple

import pytest

from opcws.history.aggregates import INTERVAL_AGGREGATES, processed
from opcws.model import status_codes
from opcws.model.data_types import TICKS_PER_SECOND, DataValue

from .historians import CONFIGURATIONS, END, NOON, TABLES, values

_STATUSES = {
    "G": 0,
    "S": status_codes.code("UncertainDataSubNormal"),
    "U": status_codes.code("Uncertain"),
    "B": status_codes.code("Bad"),
    "N": status_codes.code("BadNoData"),
}
_BITS = {"c": 0x401, "i": 0x402, "p": 0x404, "m": 0x410}
_CELL = re.compile("(?:([0-9]+)=)?(-?[0-9.]*)([GSUBN])([cimp]*)")

_FARTHER = "an Uncertain value is greater than the greatest Good one (5.4.3.11 and 5.4.3.14)"
_BAD_BOUND = (
    "by its table of StartBound the bound is Bad, for 77 s is Uncertain; edition 1.04 has this"
)
#: Cells in which a table contradicts the text of the same standard, by aggregate, historian and
#: second: what the text says, and where it says so.
DIFFERENT: Dict[Tuple[str, int, int], Tuple[str, str]] = {
    ("Maximum", 5, 64): ("30Sc", _FARTHER),
    ("MaximumActualTime", 5, 64): ("72=30S", _FARTHER),
    ("Range", 5, 64): ("0Sc", _FARTHER),
    ("Count", 1, 32): ("Bc", "Calculated is always set (5.4.3.21)"),
    ("DurationBad", 3, 80): ("3000Gcp", _BAD_BOUND),
    ("DurationBad", 4, 80): ("3000Gcp", _BAD_BOUND),
    ("PercentBad", 3, 80): ("29.997Gcp", _BAD_BOUND),
    ("PercentBad", 4, 80): ("29.997Gcp", _BAD_BOUND),
}


def said(cell: str, second: int) -> Tuple[int, str, int]:
    """Timestamp, value with three digits, and status of the *cell* of an interval."""
    match = _CELL.fullmatch(cell)
    assert match is not None, cell
    status = _STATUSES[match[3]]
    for bit in match[4]:
        status |= _BITS[bit]
    value = "%.3f" % float(match[2]) if match[2] else ""
    return NOON + int(match[1] or second) * TICKS_PER_SECOND, value, status


def told(result: DataValue) -> Tuple[int, str, int]:
    value = "" if result.value is None else "%.3f" % result.value.value
    return result.source_timestamp, value, result.status


@pytest.mark.parametrize("aggregate, historian", TABLES)
def test_an_aggregate_has_the_values_of_the_standards_table(aggregate: str, historian: int) -> None:
    seconds, cells = TABLES[aggregate, historian]
    stepped, configuration = CONFIGURATIONS[historian]
    interval = seconds * TICKS_PER_SECOND
    results = processed(aggregate, values(historian), NOON, END, interval, stepped, configuration)
    by_the_text = [
        DIFFERENT.get((aggregate, historian, number * seconds), (cell, ""))[0]
        for number, cell in enumerate(cells)
    ]
    assert [told(result) for result in results] == [
        said(cell, number * seconds) for number, cell in enumerate(by_the_text)
    ]


def test_no_cell_is_called_different_that_is_not() -> None:
    for (aggregate, historian, second), (cell, _) in DIFFERENT.items():
        seconds, cells = TABLES[aggregate, historian]
        assert said(cells[second // seconds], second) != said(cell, second)


def test_there_are_tables_of_every_aggregate() -> None:
    assert {aggregate for aggregate, _ in TABLES} == set(INTERVAL_AGGREGATES)


def test_total_leads_lines_also_between_stepped_values() -> None:
    """5.4.3.8 says so; the one table left out, Total of Historian 3, has steps."""
    stepped, configuration = CONFIGURATIONS[3]
    arguments = (values(3), NOON, END, 5 * TICKS_PER_SECOND, stepped, configuration)
    totals = processed("Total", *arguments)
    for total, average in list(zip(totals, processed("TimeAverage", *arguments)))[1:]:
        assert total.status == average.status
        if average.value is not None and total.value is not None:
            assert total.value.value == pytest.approx(average.value.value * 5)
