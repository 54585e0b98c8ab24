"""The interoperability server made of python-opcua; see :mod:`tests.servers.interop`."""

import base64
import logging
import sys
import uuid
from datetime import datetime, timedelta
from typing import Any, List

from opcua import Server, ua
from opcua.server.history import HistoryDict

from .interop import HISTORY, URI, first_values, serve_until_told


def _value(name: str, written: Any, index: int) -> Any:
    if name in ("Int64", "UInt64"):
        return int(written)
    made = {
        "DateTime": lambda: datetime(2026, 11, 22, 10, 0, 0, 123000),
        "Guid": lambda: uuid.UUID(written),
        "ByteString": lambda: base64.b64decode(written),
        "XmlElement": lambda: ua.XmlElement(written),
        "NodeId": lambda: ua.NodeId(2258, 0),
        "ExpandedNodeId": lambda: ua.ExpandedNodeId(85, 0),
        "StatusCode": lambda: ua.StatusCode(written["Code"]),
        "QualifiedName": lambda: ua.QualifiedName(written["Name"], index),
        "LocalizedText": lambda: _text(written["Text"], written["Locale"]),
        "ExtensionObject": lambda: _range(written["Body"]["Low"], written["Body"]["High"]),
    }
    return made[name]() if name in made else written


def _text(text: str, locale: str) -> Any:
    made = ua.LocalizedText(text)
    made.Locale = locale
    return made


def _range(low: float, high: float) -> Any:
    made = ua.Range()
    made.Low, made.High = low, high
    return made


def main(namespaces: List[str], port: int) -> None:
    logging.getLogger("opcua").setLevel(logging.CRITICAL)
    server = Server()
    server.set_endpoint("opc.tcp://127.0.0.1:%d" % port)
    for uri in namespaces:
        server.register_namespace(uri)
    index = server.register_namespace(URI)
    folder = server.get_objects_node()

    def add(name: str, variant: Any, data_type: Any = None) -> Any:
        node = folder.add_variable(
            ua.NodeId(name, index), "%d:%s" % (index, name), variant, datatype=data_type
        )
        node.set_writable()
        return node

    for name, written in first_values().items():
        kind = ua.VariantType[name]
        data_type = ua.NodeId(ua.ObjectIds.Range) if name == "ExtensionObject" else None
        add("T." + name, ua.Variant(_value(name, written, index), kind), data_type)
    add("A.Int32", ua.Variant([1, 2, 3], ua.VariantType.Int32))
    add("A.String", ua.Variant(["a", "b", "ü"], ua.VariantType.String))
    matrix = ua.Variant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], ua.VariantType.Double)
    add("M.Double", matrix)
    history = add("History", ua.Variant(0.0, ua.VariantType.Double))
    server.iserver.history_manager.set_storage(HistoryDict())
    server.start()
    storage = server.iserver.history_manager.storage
    storage.new_historized_node(history.nodeid, None, 0)
    for number in range(HISTORY):
        moment = datetime(2026, 1, 1) + timedelta(seconds=number)
        variant = ua.Variant(float(number), ua.VariantType.Double)
        storage.save_node_value(history.nodeid, ua.DataValue(variant, sourceTimestamp=moment))
    serve_until_told()
    server.stop()


if __name__ == "__main__":
    main(sys.argv[1:-1], int(sys.argv[-1]))
