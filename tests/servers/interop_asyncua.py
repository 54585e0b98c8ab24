"""The interoperability server made of asyncua; see :mod:`tests.servers.interop`."""

import asyncio
import base64
import logging
import sys
import uuid
from datetime import datetime, timedelta
from typing import Any, List

from asyncua import Server, ua
from asyncua.server.history import HistoryDict

from .interop import HISTORY, URI, first_values, serve_until_told

#: UTC, or nothing in the older versions, whose times have no zone.
ZONE = ua.get_win_epoch().tzinfo


def _value(name: str, written: Any, index: int) -> Any:
    if name in ("Int64", "UInt64"):
        return int(written)
    made = {
        "DateTime": lambda: datetime(2026, 11, 22, 10, 0, 0, 123000, ZONE),
        "Guid": lambda: uuid.UUID(written),
        "ByteString": lambda: base64.b64decode(written),
        "XmlElement": lambda: ua.XmlElement(written),
        "NodeId": lambda: ua.NodeId(2258, 0),
        "ExpandedNodeId": lambda: ua.ExpandedNodeId(85, 0),
        "StatusCode": lambda: ua.StatusCode(written["Code"]),
        "QualifiedName": lambda: ua.QualifiedName(written["Name"], index),
        "LocalizedText": lambda: ua.LocalizedText(written["Text"], written["Locale"]),
        "ExtensionObject": lambda: ua.Range(written["Body"]["Low"], written["Body"]["High"]),
    }
    return made[name]() if name in made else written


async def main(namespaces: List[str], port: int) -> None:
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:%d" % port)
    for uri in namespaces:
        await server.register_namespace(uri)
    index = await server.register_namespace(URI)
    folder = server.nodes.objects

    async def add(name: str, variant: Any, data_type: Any = None) -> Any:
        node = await folder.add_variable(
            ua.NodeId(name, index), "%d:%s" % (index, name), variant, datatype=data_type
        )
        await node.set_writable()
        return node

    for name, written in first_values().items():
        kind = ua.VariantType[name]
        data_type = ua.NodeId(ua.ObjectIds.Range) if name == "ExtensionObject" else None
        await add("T." + name, ua.Variant(_value(name, written, index), kind), data_type)
    await add("A.Int32", ua.Variant([1, 2, 3], ua.VariantType.Int32))
    await add("A.String", ua.Variant(["a", "b", "ü"], ua.VariantType.String))
    matrix = ua.Variant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], ua.VariantType.Double)
    await add("M.Double", matrix)
    history = await add("History", ua.Variant(0.0, ua.VariantType.Double))
    storage = HistoryDict()
    await storage.init()
    server.iserver.history_manager.set_storage(storage)
    await storage.new_historized_node(history.nodeid, None, 0)
    for number in range(HISTORY):
        moment = datetime(2026, 1, 1, tzinfo=ZONE) + timedelta(seconds=number)
        variant = ua.Variant(float(number), ua.VariantType.Double)
        value = ua.DataValue(variant, SourceTimestamp=moment)
        await storage.save_node_value(history.nodeid, value)
    async with server:
        await asyncio.get_running_loop().run_in_executor(None, serve_until_told)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:-1], int(sys.argv[-1])))
