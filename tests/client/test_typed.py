"""What a value becomes that is, or is not, of the type that a generated file says."""

import math
from typing import Any, Optional

import pytest

from opcws.client import typed
from opcws.client.values import OVERFLOW, Value, from_json
from opcws.model.data_types import TYPE_IDS


class Mode(typed.Enumeration):
    Hand = 0
    Automatic = 1


def value(type_name: str, body: Any, status: int = 0, symbol: str = "Good") -> Value:
    variant = {"Type": TYPE_IDS[type_name], "Body": body}
    return from_json("V", {"Value": variant, "Status": status, "Symbol": symbol})


@pytest.mark.parametrize(
    ("kind", "found", "expected"),
    [
        (typed.INT64, value("Int64", "9223372036854775807"), 2**63 - 1),
        (typed.DOUBLE, value("Double", "-Infinity"), -math.inf),
        (typed.STRING, value("String", None), None),
        (typed.array(typed.DOUBLE), value("Double", None), None),
        (typed.array(typed.STRING), value("String", ["a", None]), ["a", None]),
        (typed.BYTESTRING, value("ByteString", "AP8="), b"\x00\xff"),
        (typed.enumeration(typed.INT32, Mode), value("Int32", 1), Mode.Automatic),
        (typed.array(typed.enumeration(typed.BYTE, Mode)), value("Byte", [0]), [Mode.Hand]),
        (typed.ANY, value("Boolean", [True]), [True]),
        (typed.ANY, from_json("V", {}), None),
    ],
)
def test_a_value_of_its_type_is_what_it_is(
    kind: "typed.Kind[Any]", found: Value, expected: object
) -> None:
    made = typed.DataValue(found, kind)
    assert made.good and made.value == expected and type(made.value) is type(expected)


@pytest.mark.parametrize(
    ("kind", "found", "said"),
    [
        (typed.DOUBLE, value("String", "20"), "V is String, but this program was made for Double"),
        (typed.DOUBLE, value("Double", [1.0]), "is Double[]"),
        (typed.array(typed.INT16), value("Int16", 1), "was made for Int16[]"),
        (typed.DOUBLE, from_json("V", {}), "has no value"),
        (typed.INT32, value("Int32", None), "has no value"),
    ],
)
def test_a_value_of_another_type_is_a_bad_one(
    kind: "typed.Kind[Any]", found: Value, said: str
) -> None:
    made = typed.DataValue(found._replace(status=OVERFLOW), kind)
    assert made.bad and made.symbol == "BadTypeMismatch" and made.value is None
    assert said in made.reason and "opcws client" in made.reason and made.overflow


def test_a_bad_value_keeps_its_reason_and_what_is_of_its_type() -> None:
    broken = value("Double", 1.5, 0x808C0000, "BadSensorFailure")
    assert typed.DataValue(broken, typed.DOUBLE).value == 1.5
    other: "typed.DataValue[Optional[str]]" = typed.DataValue(broken, typed.STRING)
    assert other.value is None and other.symbol == "BadSensorFailure"


def test_a_number_without_a_name_is_one_of_an_enumeration_too() -> None:
    unnamed = Mode(7)
    assert unnamed == 7 and isinstance(unnamed, Mode) and unnamed.name == "7"
    assert Mode(1) is Mode.Automatic
    with pytest.raises(ValueError):
        Mode("Hand")
