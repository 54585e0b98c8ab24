"""What the commands show of variables, whatever is said of them."""

from typing import Any

import pytest

from opcws.cli.formatting import info_rows, value_row
from opcws.client import values
from opcws.client.values import moment


@pytest.mark.parametrize("nonsense", [5, "text", [1], {"a": 1}, True])
def test_what_is_known_is_shown_where_a_member_is_no_such_thing(nonsense: Any) -> None:
    members = (
        *("Type", "IsArray", "Access", "Description", "EngineeringUnits", "EURange", "EnumStrings"),
        *("Historizing", "MinimumSamplingInterval", "Server", "NodeId", "MetaData"),
    )
    value = values.from_json("a", {"Value": {"Type": 6, "Body": 0}})
    today = moment("2026-01-01T00:00:00Z")
    assert today is not None
    for member in members:
        info = {"Variable": "a", member: nonsense}
        assert info_rows(info)
        assert value_row(value, info, today)
