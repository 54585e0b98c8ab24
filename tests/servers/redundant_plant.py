"""One server of a redundant set: ``python -m tests.servers.redundant_plant NAME PORT``.

python-opcua's server with the variables ``Name``, which is *NAME*, ``Value``, and
``ServiceLevel``, which sets its ServiceLevel (OPC 10000-5 6.3.1), in the namespace
``urn:test:level``.  It prints ``ready``, then for each line of its input ``done`` when all is as it
was in the beginning, and serves until the input ends.
"""

import logging
import sys
from typing import Any

from opcua import Server, ua
from opcua.server.internal_server import InternalSession

URI = "urn:test:level"


def main() -> None:
    logging.getLogger("opcua").setLevel(logging.CRITICAL)
    server = Server()
    server.set_endpoint("opc.tcp://127.0.0.1:%s" % sys.argv[2])
    index = server.register_namespace(URI)
    folder = server.get_objects_node()
    values = {
        "Name": (sys.argv[1], ua.VariantType.String),
        "Value": (0.0, ua.VariantType.Double),
        "ServiceLevel": (255, ua.VariantType.Byte),
    }
    for name, (value, kind) in values.items():
        node = folder.add_variable(ua.NodeId(name, index), name, value, kind)
        if name != "Name":
            node.set_writable()
    level = server.get_node(ua.NodeId(ua.ObjectIds.Server_ServiceLevel, 0))
    ours = ua.NodeId("ServiceLevel", index)
    write = InternalSession.write

    def also_set_the_level(session: Any, params: Any) -> Any:
        for item in params.NodesToWrite:
            if item.NodeId == ours:
                level.set_value(item.Value.Value)
        return write(session, params)

    InternalSession.write = also_set_the_level
    server.start()
    level.set_value(255, ua.VariantType.Byte)
    print("ready", flush=True)
    for _line in sys.stdin:
        for name, (value, kind) in values.items():
            server.get_node(ua.NodeId(name, index)).set_value(value, kind)
        level.set_value(255, ua.VariantType.Byte)
        print("done", flush=True)
    server.stop()


if __name__ == "__main__":
    main()
