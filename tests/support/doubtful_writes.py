"""Writes that the page and ``opcws write`` question, with the words of both."""

from typing import Any, Dict, List, NamedTuple, Optional


class Case(NamedTuple):
    """*text* is a person's input, *present* READ's answer, ``None`` without one."""

    text: str
    info: Dict[str, Any]
    present: Optional[Dict[str, Any]]
    doubts: List[str]


GOOD: Dict[str, Any] = {"Value": {"Type": 11, "Body": 1.0}}
BAD: Dict[str, Any] = {"Status": 0x808C0000, "Symbol": "BadSensorFailure"}
UNCERTAIN: Dict[str, Any] = {
    "Value": {"Type": 11, "Body": 1.0},
    "Status": 0x40900000,
    "Symbol": "UncertainLastUsableValue",
    "Reason": "as long as nobody knows better",
}


def numbers(type_name: str = "Double", **more: Any) -> Dict[str, Any]:
    boiler = {"DisplayName": "°C"}
    limits = {"Low": 0.0, "High": 120.0}
    info = {"Type": type_name, "Access": "readwrite", "EURange": limits, "EngineeringUnits": boiler}
    return {"Variable": "a", **info, **more}


def modes(**more: Any) -> Dict[str, Any]:
    names = ["Hand", "Automatic", "Service"]
    info = {"Type": "Int32", "Access": "readwrite", "EnumStrings": names}
    return {"Variable": "a", **info, **more}


def beyond(what: str, limits: str = "0 to 120 °C") -> List[str]:
    return ["%s outside of the usual range, %s" % (what, limits)]


UNSET = {"Low": 0.0, "High": 0.0}
HALF = {"Low": 0.5, "High": "Infinity"}
EXACT = {"Low": 0.0, "High": 2.0**53}
SPARSE = {"EnumValues": [{"Value": value, "DisplayName": "at %d" % value} for value in (1, 5)]}
MANY = {"EnumStrings": ["n%d" % number for number in range(10)]}
OFTEN = ", ".join("n%d (%d)" % (number, number) for number in range(8)) + " and 2 more"

CASES = [
    Case("50", numbers(), GOOD, []),
    Case("0", numbers(), GOOD, []),
    Case("120", numbers(), GOOD, []),
    Case("500", numbers(), GOOD, beyond("500 is")),
    Case("-0.5", numbers(), GOOD, beyond("-0.5 is")),
    Case("NaN", numbers("Float"), GOOD, beyond("NaN is")),
    Case("-Infinity", numbers(), GOOD, beyond("-Infinity is")),
    Case("500", numbers(EURange=UNSET), GOOD, []),
    Case("500", numbers(EURange=None), GOOD, []),
    Case("500", numbers(EURange=HALF), GOOD, []),
    Case("0", numbers(EURange=HALF), GOOD, beyond("0 is", "0.5 to Infinity °C")),
    # 2**53 + 1 is no double: the next one is 2**53.
    Case("9007199254740992", numbers("Int64", EURange={**EXACT, "High": 2.0**54}), GOOD, []),
    Case(
        "9007199254740993",
        numbers("UInt64", EURange=EXACT),
        GOOD,
        beyond("9007199254740993 is", "0 to 9007199254740992 °C"),
    ),
    Case("[1, 2.5]", numbers(IsArray=True), GOOD, []),
    Case("[1, 130, -1]", numbers(IsArray=True), GOOD, beyond("130 and 1 more are")),
    Case("[[1, 2], [3, 130.5]]", numbers(IsArray=True), GOOD, beyond("130.5 is")),
    Case(
        "[1, 9007199254740993]",
        numbers("Int64", IsArray=True),
        GOOD,
        beyond("9007199254740993 is"),
    ),
    Case("[]", numbers(IsArray=True), GOOD, []),
    # A range means nothing for a value that is no number.
    Case("true", numbers("Boolean"), GOOD, []),
    Case("500", numbers("String"), GOOD, []),
    Case("[true]", numbers("Boolean", IsArray=True), GOOD, []),
    Case("2", modes(), GOOD, []),
    Case("7", modes(), GOOD, ["7 is not among the values Hand (0), Automatic (1), Service (2)"]),
    Case("5", modes(**SPARSE), GOOD, []),
    Case("0", modes(**SPARSE), GOOD, ["0 is not among the values at 1 (1), at 5 (5)"]),
    Case("10", modes(**MANY), GOOD, ["10 is not among the values " + OFTEN]),
    Case(
        "[1, 3]",
        modes(IsArray=True),
        GOOD,
        ["3 is not among the values Hand (0), Automatic (1), Service (2)"],
    ),
    Case("50", numbers(), BAD, ["the present value is bad: BadSensorFailure"]),
    Case(
        "121",
        numbers(),
        UNCERTAIN,
        [
            *beyond("121 is"),
            "the present value is uncertain: as long as nobody knows better "
            "(UncertainLastUsableValue)",
        ],
    ),
    Case(
        "on",
        {"Variable": "a", "Type": "String", "Access": "readwrite"},
        UNCERTAIN,
        [
            "the present value is uncertain: as long as nobody knows better "
            "(UncertainLastUsableValue)",
        ],
    ),
    Case("500", numbers(Access="write"), None, beyond("500 is")),
]
