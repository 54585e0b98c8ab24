"""What the commands show of variables, whatever is said of them."""

import math
import re
from datetime import datetime
from typing import Any

import pytest

from opcws.cli.formatting import (
    VALUE_HEADERS,
    csv_cells,
    info_rows,
    limit_of,
    value_row,
    value_text,
)
from opcws.cli.terminal import Table
from opcws.client import values
from opcws.client.values import moment


@pytest.mark.parametrize("nonsense", [5, "text", [1], {"a": 1}, True])
def test_what_is_known_is_shown_where_a_member_is_no_such_thing(nonsense: Any) -> None:
    members = (
        *("Type", "IsArray", "Access", "Description", "EngineeringUnits", "EURange", "EnumStrings"),
        *("Historizing", "MinimumSamplingInterval", "Server", "NodeId", "MetaData"),
        *("HistorySource", "Limits"),
    )
    value = values.from_json("a", {"Value": {"Type": 6, "Body": 0}})
    today = moment("2026-01-01T00:00:00Z")
    assert today is not None
    for member in members:
        info = {"Variable": "a", member: nonsense}
        assert info_rows(info)
        assert value_row(value, info, today)


@pytest.mark.parametrize(
    ("info", "says"),
    [
        ({"Historizing": True, "HistorySource": "plant"}, "recorded by the OPC UA server"),
        ({"Historizing": False, "HistorySource": "own"}, "recorded by opcws"),
        ({"HistorySource": "elsewhere"}, "elsewhere"),
        ({"Historizing": True}, "recorded"),
        ({"Historizing": False}, "not recorded"),
    ],
)
def test_it_is_told_who_keeps_the_history(info: Any, says: str) -> None:
    rows = info_rows({"Variable": "a", **info})
    assert [str(text) for label, text in rows if "History" in str(label)] == [says]


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (
            {"LowLow": -5, "Low": 0, "High": 80.5, "HighHigh": 90},
            ["low low -5, low 0, high 80.5, high high 90"],
        ),
        ({"High": 80.5, "LowLow": -5}, ["low low -5, high 80.5"]),
        ({"Higher": 80.5}, []),
    ],
)
def test_the_limits_are_told_from_the_lowest_to_the_highest(limits: Any, says: Any) -> None:
    rows = info_rows({"Variable": "a", "Limits": limits})
    assert [str(text) for label, text in rows if "Limits" in str(label)] == says


@pytest.mark.parametrize(
    ("body", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("\t=1", "'\t=1"),
        ("-", "'-"),
        ("-1.2.3", "'-1.2.3"),
        # A number is one, whatever it begins with, and so is what begins with none of these.
        (-2.5, "-2.5"),
        (-1e-300, "-1e-300"),
        ("-12345678901234567890", "-12345678901234567890"),
        ("-Infinity", "-Infinity"),
        ("a=1", "a=1"),
        ("'=1", "'=1"),
        ("", ""),
    ],
)
def test_a_spreadsheet_calculates_no_cell_of_csv(body: Any, cell: str) -> None:
    value = values.from_json("=A", {"StatusCode": "Good", "Value": {"Type": 12, "Body": body}})
    assert csv_cells(value)[0] == "'=A" and csv_cells(value)[2:] == [cell, "Good"]


def value(type_id: int, body: Any, **more: Any) -> values.Value:
    return values.from_json("a", {"Value": {"Type": type_id, "Body": body}, **more})


@pytest.mark.parametrize(
    ("type_id", "body", "columns", "says"),
    [
        (11, -1.2345678e30, 11, "-1.2346e+30"),
        (11, 1234567.891, 8, "1234568"),
        (11, 1234567.891, 5, "1e+06"),
        (11, 0.000123456, 8, "0.000123"),
        (11, 0.000123456, 7, "1.2e-04"),
        (11, -0.4, 9, "-0.4"),
        (11, -1e-300, 4, "-1e-300"),
        (11, "NaN", 9, "NaN"),
        (11, "-Infinity", 5, "-inf"),
        (8, "-9223372036854775808", 12, "-9.22337e+18"),
        (8, "-9223372036854775808", 20, "-9223372036854775808"),
        (9, "18446744073709551615", 20, "18446744073709551615"),
    ],
)
def test_a_number_without_room_has_fewer_digits_and_its_magnitude(
    type_id: int, body: Any, columns: int, says: str
) -> None:
    assert value_text(value(type_id, body), {}, columns) == says


def test_however_little_room_there_is_the_number_is_the_same_to_its_last_digit() -> None:
    for power in range(-307, 308):
        for digits in (1, 1.5, -2.34567890123, -9.9999999):
            number = digits * 10.0**power
            for columns in range(7, 24):
                text = value_text(value(11, number), {}, columns)
                assert len(text) <= columns
                off = abs(float(text) / number - 1)
                assert off <= (0.01 if columns > 9 else 0.34), (number, columns, text)


VECTOR = {"TypeId": "nsu=urn:m;s=Vector", "Body": {"x": 1, "y": 2.5, "name": "a b", "list": [1, 2]}}


@pytest.mark.parametrize(
    ("message", "columns", "says"),
    [
        ({"Type": 22, "Body": VECTOR}, None, 'Vector {x: 1, y: 2.5, name: "a b", list: [1, 2]}'),
        ({"Type": 22, "Body": VECTOR}, 30, "Vector {x: 1, y: 2.5, …}"),
        ({"Type": 22, "Body": VECTOR}, 12, "Vector {…}"),
        ({"Type": 22, "Body": {"TypeId": "i=887", "Body": {"UnitId": 4}}}, None, "{UnitId: 4}"),
        (
            {"Type": 22, "Body": {"TypeId": "i=5", "Encoding": 1, "Body": "aGE="}},
            None,
            "structure of an unknown form",
        ),
        ({"Type": 21, "Body": {"Locale": "de", "Text": "Kessel"}}, None, "Kessel"),
        ({"Type": 21, "Body": [{"Locale": "de", "Text": "Kessel"}]}, None, "[Kessel]"),
        ({"Type": 20, "Body": {"Name": "Level", "Uri": "urn:m"}}, None, "Level"),
        ({"Type": 11, "Body": [1, 2, 3, 4], "Dimensions": [2, 2]}, None, "2x2 [1, 2, 3, 4]"),
        ({"Type": 11, "Body": [1234567, 2345678, 3456789]}, 20, "[1234567, …]"),
        ({"Type": 12, "Body": None}, None, "none"),
    ],
)
def test_what_has_parts_is_told_in_one_line(message: Any, columns: Any, says: str) -> None:
    assert value_text(values.from_json("a", {"Value": message}), {}, columns) == says


LIMITS = {"LowLow": 5, "Low": 10, "High": 90, "HighHigh": 95}


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (10, None),
        (9.99, ("yellow", "▼", "below Low 10")),
        (4, ("red", "▼▼", "below LowLow 5")),
        (90, None),
        (90.01, ("yellow", "▲", "above High 90")),
        (95, ("yellow", "▲", "above High 90")),
        (96, ("red", "▲▲", "above HighHigh 95")),
        (math.inf, ("red", "▲▲", "above HighHigh 95")),
        (math.nan, None),
        (None, None),
        ([96], None),
        ("96", None),
        (True, None),
    ],
)
def test_what_a_value_is_beyond_is_told_from_the_worst(number: Any, says: Any) -> None:
    assert limit_of(number, {"Limits": LIMITS, "EURange": {"Low": 0, "High": 200}}) == says


@pytest.mark.parametrize(
    ("number", "bounds", "says"),
    [
        (100, {"Low": 0, "High": 100}, None),
        (101, {"Low": 0, "High": 100}, "above the range 0 to 100"),
        (-1, {"Low": 0, "High": 100}, "below the range 0 to 100"),
        (math.nan, {"Low": 0, "High": 100}, None),
        (5, {"Low": 0, "High": 0}, None),
        (5, {"High": 1}, None),
        (5, "nonsense", None),
    ],
)
def test_a_value_may_be_beyond_its_range(number: Any, bounds: Any, says: Any) -> None:
    limit = limit_of(number, {"EURange": bounds})
    assert (limit and limit.text) == says


def test_a_value_beyond_a_limit_has_a_colour_and_words() -> None:
    row = value_row(value(11, 91.0), {"Limits": LIMITS}, datetime.now())
    assert (row[1].plain, row[1].style) == ("91.0", "yellow")
    assert (row[3].plain, row[3].style) == ("Good ▲ above High 90", "yellow")


@pytest.mark.parametrize(
    "status",
    [
        {"Status": 0x808A0000, "Symbol": "BadNotConnected"},
        {"Status": 0x40900000, "Symbol": "UncertainLastUsableValue"},
    ],
)
def test_what_is_only_the_last_known_value_is_beyond_nothing_and_dim(status: Any) -> None:
    row = value_row(value(11, 91.0, **status), {"Limits": LIMITS}, datetime.now())
    assert (row[1].plain, row[1].style) == ("91.0", "dim italic")
    assert row[3].plain == status["Symbol"]


@pytest.mark.parametrize("columns", [80, 40])
def test_in_a_narrow_terminal_no_number_and_no_time_is_cut(columns: int) -> None:
    at = "2026-01-01T10:00:00.123Z"
    names = ["Plant.Hall1.Line2.Boiler.Temperature.Setpoint", "a"]
    for body in (-1.2345678901234567e300, 0.30000000000000004, 12345.678901234567):
        told = [
            values.from_json(name, {"Value": {"Type": 11, "Body": body}, "ServerTimestamp": at})
            for name in names
        ]
        rows = [value_row(each, {"Limits": LIMITS}, datetime.now()) for each in told]
        table = Table(VALUE_HEADERS, rows, columns, 1)
        for row in rows:
            line = table.line(row).plain
            assert len(line) <= columns
            number = line.split()[1]
            assert float(number) == pytest.approx(body, rel=0.01), line
            assert not re.search(r"\d…", line), line
