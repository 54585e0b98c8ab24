"""Variables as they are named on a command line."""

from typing import Any, List

from opcws.cli.names import problem, wanted


def test_a_name_with_brackets_may_be_literal() -> None:
    class Fake:
        def names(self) -> List[str]:
            return ["A[1]", "A1", "B"]

    client: Any = Fake()
    assert wanted(client, ["A[1]"]) == ["A[1]"]
    assert wanted(client, ["A?*", "B", "B"]) == ["A[1]", "A1", "B"]


def test_a_status_without_a_reason_is_told_once() -> None:
    client: Any = None
    assert problem(client, "A", "BadStateNotActive", "") == "A: BadStateNotActive"
    told = problem(client, "A", "BadSensorFailure", "the sensor that gives the value has failed")
    assert told == "A: the sensor that gives the value has failed (BadSensorFailure)"
