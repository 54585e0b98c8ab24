"""What every server of the interoperability tests has, and how its process is started.

In the namespace ``URI`` there is a variable ``T.X`` for each built-in type X in ``VALUES``, of
that value, writable; the arrays ``A.Int32`` and ``A.String``; the matrix ``M.Double``; and
``History``, which was N at the second N of the year 2026, for N from 0 to 99.

A server is started with the namespaces to register before that one, then its port.
"""

import json
import sys
from typing import Any, Dict

URI = "urn:test:interop"

#: By built-in type: what READ answers, and what is then written.
VALUES: Dict[str, Any] = {
    "Boolean": (True, False),
    "SByte": (-128, 127),
    "Byte": (255, 1),
    "Int16": (-32768, 32767),
    "UInt16": (65535, 1),
    "Int32": (-2147483648, 2147483647),
    "UInt32": (4294967295, 1),
    "Int64": ("-9223372036854775808", "9007199254740993"),
    "UInt64": ("18446744073709551615", "9007199254740993"),
    "Float": (0.1, -1.5e30),
    "Double": (0.1, -1.5e300),
    "String": ("Grüße, Κόσμε, 世界", ""),
    "DateTime": ("2026-11-22T10:00:00.123Z", "1999-12-31T23:59:59.5Z"),
    "Guid": ("72962b91-fa75-4ae6-8d28-b404dc7daf63", "00000000-0000-0000-0000-000000000001"),
    "ByteString": ("AP8gb3Bjd3M=", "AAA="),
    "XmlElement": ("<a>1</a>", "<b/>"),
    "NodeId": ("i=2258", "nsu=%s;s=T.Double" % URI),
    "ExpandedNodeId": ("i=85", "nsu=%s;s=T.Double" % URI),
    "StatusCode": ({"Code": 0x80340000, "Symbol": "BadNodeIdUnknown"}, {"Code": 0x80000000}),
    "QualifiedName": ({"Name": "Level", "Uri": URI}, {"Name": "Server"}),
    "LocalizedText": ({"Locale": "de", "Text": "Kessel"}, {"Locale": "en", "Text": "Boiler"}),
    "ExtensionObject": (
        {"TypeId": "i=886", "Body": {"Low": 0.0, "High": 100.0}},
        {"TypeId": "i=886", "Body": {"Low": -1.0, "High": 1.0}},
    ),
}
ARRAYS: Dict[str, Any] = {
    "A.Int32": ({"Type": 6, "Body": [1, 2, 3]}, [4, 5]),
    "A.String": ({"Type": 12, "Body": ["a", "b", "ü"]}, ["x"]),
    "M.Double": (
        {"Type": 11, "Body": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "Dimensions": [2, 3]},
        {"Type": 11, "Body": [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], "Dimensions": [2, 3]},
    ),
}
HISTORY = 100


def first_values() -> Dict[str, Any]:
    """The first of each pair in ``VALUES``."""
    return {name: first for name, (first, _second) in VALUES.items()}


def serve_until_told() -> None:
    """Say that the server is ready; return when the input ends."""
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    print(json.dumps(first_values()))
