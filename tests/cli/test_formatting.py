"""What the commands show of variables, whatever is said of them."""

from typing import Any

import pytest

from opcws.cli.formatting import csv_cells, info_rows, value_row
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
