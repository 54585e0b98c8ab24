"""What speaks against a write; the page says the same, which tests/integration/page holds."""

from typing import Any

import pytest

from opcws.cli.doubts import doubts
from opcws.cli.variables import typed
from opcws.client import values

from ..support.doubtful_writes import CASES, GOOD, Case, modes, numbers


@pytest.mark.parametrize("case", CASES, ids=lambda case: "%s %s" % (case.text, case.info["Type"]))
def test_what_is_not_as_usual_is_doubted(case: Case) -> None:
    present = None if case.present is None else values.from_json("a", case.present)
    assert doubts(typed(case.text, case.info, None), case.info, present) == case.doubts


@pytest.mark.parametrize("text", ["Service", "hot", "", "[", "1,5"])
def test_what_is_no_number_is_left_to_the_server(text: str) -> None:
    assert doubts(text, numbers(), None) == doubts(text, modes(), None) == []


@pytest.mark.parametrize("nonsense", [5, "text", [1], {"a": 1}, True, [{"Value": "x"}]])
def test_what_is_known_may_be_nonsense(nonsense: Any) -> None:
    for member in ("Type", "EURange", "EngineeringUnits", "EnumStrings", "EnumValues"):
        assert isinstance(doubts("7", modes(**{member: nonsense}), None), list)


def test_control_characters_of_a_plant_are_shown_as_such() -> None:
    info = numbers(EngineeringUnits={"DisplayName": "\x1b[2J"}, EnumStrings=["\x07"])
    present = values.from_json(
        "a", {**GOOD, "Status": 0x80000000, "Symbol": "B\x07", "Reason": "\x1b"}
    )
    told = "".join(doubts("500", info, present))
    assert "500" in told and not any(each in told for each in "\x07\x1b")
