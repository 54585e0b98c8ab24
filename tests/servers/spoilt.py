"""A server that says what no good one does: ``python -m tests.servers.spoilt FAULT... PORT``.

The faults are the functions with the decorator :func:`fault`, by name.  Each line of the standard
input is an order as JSON: names of variables, and the numbers that they take, or null for what
cannot be decoded.
"""

import copy
import json
import struct
import sys
import warnings
from typing import Any, Callable, Dict, List

warnings.simplefilter("ignore")

from enum import IntEnum  # noqa: E402

from opcua import Server, ua  # noqa: E402
from opcua.server import uaprocessor  # noqa: E402
from opcua.ua import ua_binary  # noqa: E402

URI = "urn:spoilt"
#: A text of the standard's types that is written as these bytes.
NO_UTF8 = "no UTF-8"
NO_UTF8_BYTES = b"K\xe4lteanlage"

#: A Variant of a type that there is not: nobody knows where it ends.
UNKNOWN_ENCODING = b"\x20"

FAULTS: Dict[str, Callable[[Any], None]] = {}


def fault(function: Callable[[Any], None]) -> Callable[[Any], None]:
    FAULTS[function.__name__.replace("_", "-")] = function
    return function


def _endpoints(server: Any, change: Callable[[List[Any], bool], Any]) -> None:
    """*change* the list of endpoints, given whether CreateSession tells it."""
    original = server.iserver.get_endpoints

    def told(params: Any = None, sockname: Any = None) -> Any:
        found = [copy.deepcopy(each) for each in original(params, sockname)]
        return change(found, params is None)

    server.iserver.get_endpoints = told


@fault
def unknown_enumeration_values(server: Any) -> None:
    later = IntEnum("later", {"unknown": 77})

    def change(found: List[Any], _at_session: bool) -> List[Any]:
        token = ua.UserTokenPolicy()
        token.PolicyId, token.TokenType = "kerberos", later(77)
        other = copy.deepcopy(found[0])
        other.SecurityMode = later(77)
        other.Server.ApplicationType = later(77)
        for each in found:
            each.UserIdentityTokens = [token, *each.UserIdentityTokens]
        return [other, *found]

    _endpoints(server, change)


@fault
def no_utf8(server: Any) -> None:
    pack = ua_binary._String.pack
    ua_binary._String.pack = staticmethod(
        lambda text: ua_binary._Bytes.pack(NO_UTF8_BYTES) if text == NO_UTF8 else pack(text)
    )

    server.register_namespace(NO_UTF8)

    def change(found: List[Any], _at_session: bool) -> List[Any]:
        for each in found:
            each.Server.ApplicationName = ua.LocalizedText(NO_UTF8)
        return found

    _endpoints(server, change)


@fault
def null_endpoints(server: Any) -> None:
    _endpoints(server, lambda found, at_session: None if at_session else found)


@fault
def no_endpoints(server: Any) -> None:
    _endpoints(server, lambda found, at_session: [])


@fault
def null_policy_uri(server: Any) -> None:
    def change(found: List[Any], _at_session: bool) -> List[Any]:
        for each in found:
            each.SecurityPolicyUri = None
        return found

    _endpoints(server, change)


class ByteClient(ua.Variant):
    """A Variant that is written as these bytes."""

    def __init__(self, octets: bytes) -> None:
        super().__init__(0, ua.VariantType.Int32)
        self.octets = octets


def _raw_value(server: Any, octets: bytes) -> None:
    pack = ua_binary.variant_to_binary
    ua_binary.variant_to_binary = lambda variant: (
        variant.octets if isinstance(variant, ByteClient) else pack(variant)
    )
    server.get_node(_node(server, "Bad")).set_value(ua.DataValue(ByteClient(octets)))


@fault
def wrong_dimensions(server: Any) -> None:
    """Eight numbers that are said to be three by three."""
    _raw_value(server, struct.pack("<Bi8di2i", 0xCB, 8, *range(8), 2, 3, 3))


@fault
def unknown_encoding(server: Any) -> None:
    """A value of which nobody knows where it ends."""
    _raw_value(server, UNKNOWN_ENCODING)


@fault
def too_large(server: Any) -> None:
    """A value that is larger than a message may be."""
    octets = ua.Variant(bytes(65 * 1024 * 1024), ua.VariantType.ByteString)
    server.get_node(_node(server, "Bad")).set_value(ua.DataValue(octets))


def _diagnostics(depth: int) -> None:
    """Each ResponseHeader has a DiagnosticInfo in a DiagnosticInfo, *depth* times."""
    original = ua_binary.struct_to_binary

    def packed(thing: Any) -> bytes:
        if isinstance(thing, ua.DiagnosticInfo):
            return b"\x40" * depth + b"\x1f" + b"\0" * 16 + ua_binary._Bytes.pack(NO_UTF8_BYTES)
        return bytes(original(thing))

    ua_binary.struct_to_binary = uaprocessor.struct_to_binary = packed


@fault
def deep_diagnostics(_server: Any) -> None:
    _diagnostics(90000)


@fault
def too_deep_diagnostics(_server: Any) -> None:
    _diagnostics(200000)


def _node(server: Any, name: str) -> Any:
    return ua.NodeId(name, server.get_namespace_index(URI))


def main(words: List[str]) -> None:
    server = Server()
    server.set_endpoint("opc.tcp://127.0.0.1:%s/" % words[-1])
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = server.register_namespace(URI)
    for name in ("Good", "Bad", "Other"):
        server.nodes.objects.add_variable(ua.NodeId(name, index), name, 1.5)
    for word in words[:-1]:
        FAULTS[word](server)
    server.start()
    print("ready", flush=True)
    for line in sys.stdin:
        for name, number in json.loads(line).items():
            value = ByteClient(UNKNOWN_ENCODING) if number is None else ua.Variant(float(number))
            server.get_node(_node(server, name)).set_value(ua.DataValue(value))
        print("done", flush=True)
    server.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
