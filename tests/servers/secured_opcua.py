"""A secured python-opcua server as a process: ``python -m tests.servers.secured_opcua JSON``.

The JSON object: ``port``, ``certificate``, ``key``, ``uri``, ``policies`` (names of
SecurityPolicyType), ``users`` {name: password}, ``tokens`` (names of token kinds), ``advertise``
(host and path that the endpoints are told with), ``hide`` (a SecurityMode left out of what
GetEndpoints tells), ``nonce`` (bytes of the session's), ``forge`` (sign the session wrongly),
``shown`` (a file with what GetEndpoints tells as the server's certificate, ``times`` over),
``setpoint`` (there is a variable that may be written).
It prints ``ready`` and serves until its input ends.
"""

import json
import sys
import threading
from copy import copy
from pathlib import Path
from typing import Any

from opcua import Server, ua
from opcua.server.internal_server import InternalServer, InternalSession


def main() -> None:
    wanted = json.loads(sys.argv[1])

    class Session(InternalSession):  # type: ignore[misc]
        def create_session(self, params: Any, sockname: Any = None) -> Any:
            result = super().create_session(params, sockname)
            if "nonce" in wanted:
                self.nonce = result.ServerNonce = b"n" * wanted["nonce"]
            if wanted.get("forge"):
                params.ClientNonce = b"f" * 32
            return result

    class Internal(InternalServer):  # type: ignore[misc]
        def get_endpoints(self, params: Any = None, sockname: Any = None) -> Any:
            told = []
            for each in super().get_endpoints(params, sockname):
                if params is not None and each.SecurityMode.name == wanted.get("hide"):
                    continue
                told.append(copy(each))
                if "advertise" in wanted:
                    told[-1].EndpointUrl = "opc.tcp://" + wanted["advertise"]
                if "shown" in wanted:
                    shown = Path(wanted["shown"]).read_bytes()
                    told[-1].ServerCertificate = shown * wanted.get("times", 1)
            return told

    server = Server(iserver=Internal(session_cls=Session))
    server.iserver.user_manager = server.user_manager
    server.set_endpoint("opc.tcp://127.0.0.1:%d" % wanted["port"])
    server.set_application_uri(wanted["uri"])
    server.load_certificate(wanted["certificate"])
    server.load_private_key(wanted["key"])
    server.set_security_policy([getattr(ua.SecurityPolicyType, n) for n in wanted["policies"]])
    server.set_security_IDs(wanted.get("tokens", ["Anonymous", "Basic256Sha256", "Username"]))
    users = wanted.get("users", {})
    server.user_manager.set_user_manager(
        lambda _session, name, password: name in users and users[name] == password
    )
    index = server.register_namespace("urn:test:values")
    counter = server.nodes.objects.add_variable(
        ua.NodeId("Counter", index), "Counter", 0, ua.VariantType.Int64
    )
    if wanted.get("setpoint"):
        server.nodes.objects.add_variable(
            ua.NodeId("Setpoint", index), "Setpoint", 70.0, ua.VariantType.Double
        ).set_writable()
    server.start()
    stopped = threading.Event()

    def count() -> None:
        value = 0
        while not stopped.wait(0.01):
            value += 1
            counter.set_value(ua.Variant(value, ua.VariantType.Int64))

    thread = threading.Thread(target=count)
    thread.start()
    print("ready", flush=True)
    sys.stdin.read()
    stopped.set()
    thread.join()
    server.stop()


if __name__ == "__main__":
    main()
