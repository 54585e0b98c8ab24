"""The JSON of each ``Types`` variable of the plant, in both dialects (PROTOCOL section 3)."""

from typing import Any, Dict, NamedTuple, Tuple

from . import URI


class Sample(NamedTuple):
    """The plant's two values of a built-in type.

    ``Types.X`` holds the first, ``Types.XArray`` both.  *index* is the id of the type.
    """

    index: int
    typed: Tuple[Any, Any]
    string: Tuple[Any, Any]


def _same(index: int, first: Any, second: Any) -> Sample:
    """A type with the same JSON in both dialects."""
    return Sample(index, (first, second), (first, second))


def _number(index: int, first: Any, second: Any) -> Sample:
    """A type that is a number, or its text in the string dialect."""
    return Sample(index, (first, second), (str(first), str(second)))


def _node(identifier: str) -> Dict[str, str]:
    return {"IdType": "1", "Id": identifier, "Namespace": "2"}


def _standard_node(identifier: int) -> Dict[str, str]:
    return {"IdType": "0", "Id": str(identifier), "Namespace": "0"}


_GUIDS = ("72962b91-fa75-4ae6-8d28-b404dc7daf63", "00000000-0000-0000-0000-000000000000")
_TIME = "2026-11-22T10:00:00.123456Z"

SAMPLES: Dict[str, Sample] = {
    "Boolean": Sample(1, (True, False), ("true", "false")),
    "SByte": _number(2, -128, 127),
    "Byte": _number(3, 255, 0),
    "Int16": _number(4, -32768, 32767),
    "UInt16": _number(5, 65535, 0),
    "Int32": _number(6, -2147483648, 2147483647),
    "UInt32": _number(7, 4294967295, 0),
    "Int64": _same(8, "9007199254740993", "-9223372036854775808"),
    "UInt64": _same(9, "18446744073709551615", "0"),
    "Float": _number(10, 0.1, -1.5e30),
    "Double": _number(11, 0.1, -1.5e300),
    "String": _same(12, "Grüße, Κόσμε, 世界", ""),
    "DateTime": _same(13, _TIME, "2026-11-23T10:00:00.123456Z"),
    "Guid": _same(14, *_GUIDS),
    "ByteString": _same(15, "AP8gb3Bjd3M=", ""),
    "XmlElement": _same(16, "<a>1</a>", "<b/>"),
    "NodeId": Sample(
        17,
        ("nsu=%s;s=Boiler.Temperature" % URI, "i=2258"),
        (_node("Boiler.Temperature"), _standard_node(2258)),
    ),
    "ExpandedNodeId": Sample(
        18,
        ("nsu=%s;s=Motor.State" % URI, "i=85"),
        (_node("Motor.State"), _standard_node(85)),
    ),
    "StatusCode": Sample(
        19,
        ({"Code": 2150891520, "Symbol": "BadNodeIdUnknown"}, {"Code": 0, "Symbol": "Good"}),
        ({"Code": "2150891520", "Symbol": "BadNodeIdUnknown"}, {"Code": "0", "Symbol": "Good"}),
    ),
    "QualifiedName": Sample(
        20,
        ({"Name": "Level", "Uri": URI}, {"Name": "Server"}),
        (
            {"Name": "Level", "Uri": "2", "NamespaceIndex": "2"},
            {"Name": "Server", "NamespaceIndex": "0"},
        ),
    ),
    "LocalizedText": _same(
        21, {"Locale": "de", "Text": "Kessel"}, {"Locale": "en", "Text": "Boiler"}
    ),
    "ExtensionObject": Sample(
        22,
        (
            {"TypeId": "i=886", "Body": {"Low": 0.0, "High": 100.0}},
            {"TypeId": "i=886", "Body": {"Low": -1.0, "High": 1.0}},
        ),
        (
            {"TypeId": _standard_node(886), "Body": {"Low": "0", "High": "100"}},
            {"TypeId": _standard_node(886), "Body": {"Low": "-1", "High": "1"}},
        ),
    ),
    "DataValue": Sample(
        23,
        (
            {"Value": {"Type": 11, "Body": 4.5}, "SourceTimestamp": _TIME},
            {
                "Value": {"Type": 6, "Body": 7},
                "Status": 1083179008,
                "Symbol": "UncertainLastUsableValue",
            },
        ),
        (
            {"Value": {"Type": "11", "Body": "4.5"}, "SourceTimestamp": _TIME},
            {
                "Value": {"Type": "6", "Body": "7"},
                "Status": "1083179008",
                "Symbol": "UncertainLastUsableValue",
            },
        ),
    ),
}

_CEFACT = "http://www.opcfoundation.org/UA/units/un/cefact"
_UNIT = {
    "NamespaceUri": _CEFACT,
    "DisplayName": {"Text": "°C"},
    "Description": {"Text": "degree Celsius"},
}
_UNKNOWN = "BwAAAAAAAAAAIFJABAAAAE1hbHQ="  # an Int32 7, a Double 72.5, a String Malt

#: The other variables: READ's answer without the timestamps, typed and string.
AWKWARD: Dict[str, Tuple[Any, Any]] = {
    "Types.Any": ({"Type": 6, "Body": 7}, {"Type": "6", "Body": "7"}),
    "Types.VariantArray": (
        {"Type": 24, "Body": [{"Type": 6, "Body": 7}, {"Type": 12, "Body": "seven"}]},
        {"Type": "24", "Body": [{"Type": "6", "Body": "7"}, {"Type": "12", "Body": "seven"}]},
    ),
    "Types.EUInformation": (
        {"Type": 22, "Body": {"TypeId": "i=889", "Body": {**_UNIT, "UnitId": 4408652}}},
        {
            "Type": "22",
            "Body": {
                "TypeId": _standard_node(889),
                "Body": {
                    "NamespaceUri": _CEFACT,
                    "DisplayName": {"Locale": "", "Text": "°C"},
                    "Description": {"Locale": "", "Text": "degree Celsius"},
                    "UnitId": "4408652",
                },
            },
        },
    ),
    "Types.UnknownStructure": (
        {
            "Type": 22,
            "Body": {"TypeId": "nsu=%s;i=5002" % URI, "Encoding": 1, "Body": _UNKNOWN},
        },
        {
            "Type": "22",
            "Body": {
                "TypeId": {"IdType": "0", "Id": "5002", "Namespace": "2"},
                "Encoding": "1",
                "Body": _UNKNOWN,
            },
        },
    ),
    "Types.Matrix": (
        {"Type": 11, "Body": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "Dimensions": [2, 3]},
        {"Type": "11", "Body": ["1", "2", "3", "4", "5", "6"], "Dimensions": ["2", "3"]},
    ),
    "Types.NullString": ({"Type": 12, "Body": None}, {"Type": "12", "Body": ""}),
    "Types.EmptyArray": ({"Type": 11, "Body": []}, {"Type": "11", "Body": ""}),
    "Types.NullArray": ({"Type": 11, "Body": None}, {"Type": "11", "Body": ""}),
    "Types.NaN": ({"Type": 11, "Body": "NaN"}, {"Type": "11", "Body": "nan"}),
    "Types.Infinities": (
        {"Type": 11, "Body": ["Infinity", "-Infinity", "NaN"]},
        {"Type": "11", "Body": ["inf", "-inf", "nan"]},
    ),
    "Types.Int64Big": (
        {"Type": 8, "Body": "4611686018427387904"},
        {"Type": "8", "Body": "4611686018427387904"},
    ),
}
