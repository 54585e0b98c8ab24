"""The interoperability server made of open62541 (by o6); see :mod:`tests.servers.interop`.

Its first own namespace is always number 1 and the application's, so that it takes no others
before it.
"""

import base64
import sys
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy
import o6
from o6.ns import ns0

from .interop import HISTORY, URI, first_values, serve_until_told


def _value(name: str, written: Any) -> Any:
    made = {
        "Int64": lambda: o6.Int64(int(written)),
        "UInt64": lambda: o6.UInt64(int(written)),
        "DateTime": lambda: o6.DateTime(written),
        "Guid": lambda: o6.Guid(written),
        "ByteString": lambda: o6.ByteString(base64.b64decode(written)),
        "QualifiedName": lambda: o6.QualifiedName(1, written["Name"]),
        "LocalizedText": lambda: o6.LocalizedText(written["Text"], written["Locale"]),
        "ExtensionObject": lambda: _range(written["Body"]["Low"], written["Body"]["High"]),
    }
    return made[name]() if name in made else getattr(o6, name)(written)


def _range(low: float, high: float) -> Any:
    made = ns0.datatypes.Range()
    made.low, made.high = low, high
    return made


def main(port: int) -> None:
    server = o6.Server(port=port)
    server.config.applicationUri = URI
    server.config.setHistoryDatabase()

    def add(name: str, value: Any, **more: Any) -> Any:
        return server.addVariable(name, server.objectsNode, value, nodeId="ns=1;s=" + name, **more)

    for name, written in first_values().items():
        if name != "StatusCode":  # which o6 takes for a number
            add("T." + name, _value(name, written))
    add("A.Int32", [o6.Int32(number) for number in (1, 2, 3)])
    add("A.String", [o6.String(text) for text in ("a", "b", "ü")])
    add("M.Double", numpy.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    history = add("History", 0.0, historizing=o6.History(capacity=None))
    server.start()
    for number in range(HISTORY):
        moment = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=number)
        value = o6.DataValue()
        value.value, value.sourceTimestamp = float(number), o6.DateTime(moment)
        history(value)
    serve_until_told()
    server.stop()


if __name__ == "__main__":
    main(int(sys.argv[-1]))
