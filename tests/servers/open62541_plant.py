"""An open62541 server (by o6) as a process: ``python -m tests.servers.open62541_plant PORT``.

It prints ``ready`` and then takes one JSON object a line, ``{"Level": [values]}``: the variable
takes each of the values at once, which is answered ``done``.  It ends with its input.
"""

import json
import sys

import o6
from o6.ns import di, ns0


def main(port: int) -> None:
    server = o6.Server(port=port)
    server.ns.append(di)
    objects = server.objectsNode
    row = [o6.Int32(number) for number in (0, 10, 20, 30, 40)]
    nodes = {
        "Row": server.addVariable("Row", objects, row, nodeId="ns=1;s=Row"),
        "Level": server.addVariable("Level", objects, 50.0, nodeId="ns=1;s=Level"),
        "Count": server.addVariable("Count", objects, o6.Int64(0), nodeId="ns=1;s=Count"),
    }
    error = di.datatypes.TransferResultErrorDataType()
    error.status = 7
    server.addVariable("Error", objects, error, nodeId="ns=1;s=Error")
    health = di.datatypes.DeviceHealthEnumeration.FAILURE
    server.addVariable("Health", objects, health, nodeId="ns=1;s=Health")
    span = ns0.datatypes.Range()
    span.low, span.high = 0.0, 200.0
    server.addVariable(
        "EURange",
        nodes["Level"],
        span,
        nodeId="ns=1;s=Level.EURange",
        typeDefinition=ns0.vartypes.PropertyType,
        parentReference=ns0.reftypes.HasProperty,
        ns=0,
    )
    server.start()
    print("ready", flush=True)
    for line in sys.stdin:
        for name, values in json.loads(line).items():
            for value in values:
                nodes[name](value)
        print("done", flush=True)
    server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]))
