"""A historian as a process: ``python -m tests.servers.historian PORT``.

python-opcua's server with a HistoryRead of its own (OPC 10000-11 6.4), which keeps continuation
points, few at a time, as large historians do, and counts what its client does with them.  In the
namespace ``urn:test:historian``:

* ``Long``: two million values, number N at the second N after 2020-01-01; ``Generous`` too, but
  its pages have twice as many values as asked for.
* ``Gated``: the same, answered only while ``Gate`` is true.
* ``Spoilt``: the same, but of each tenth value nobody knows where it ends; ``Unpaged`` too, and it
  gives no continuation points.
* ``Flat``: the same, aggregates only: each interval's ``Count``, at most 1000 in one call.
* ``Asked``, ``Held``, ``Released``, ``Cancelled``: how many pages, continuation points (now),
  releases and cancellations there were.  ``Waiting``: requests that the gate holds back now.
  ``Limit``: points that it keeps at most.

It prints ``ready`` and serves until its input ends.
"""

import asyncio
import logging
import struct
import sys
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional, Tuple

from opcua import Server, ua
from opcua.server import binary_server_asyncio
from opcua.server.uaprocessor import UaProcessor
from opcua.ua.ua_binary import nodeid_to_binary, struct_from_binary, struct_to_binary

URI = "urn:test:historian"
LENGTH = 2_000_000
SECOND = 10_000_000
BASE = (int(datetime(2020, 1, 1, tzinfo=timezone.utc).timestamp()) + 11_644_473_600) * SECOND
PAGE = 10_000
_NAMES = ("Long", "Generous", "Gated", "Flat", "Spoilt", "Unpaged")
#: A Variant's type, and one that there is not.
_UINT32, _UNKNOWN = 7, 0x20
_COUNTERS = ("Asked", "Held", "Released", "Cancelled", "Waiting")

_VALUE = struct.Struct("<BBIq")
_HISTORY_READ = ua.NodeId(ua.ObjectIds.HistoryReadRequest_Encoding_DefaultBinary)
_CANCEL = ua.NodeId(ua.ObjectIds.CancelRequest_Encoding_DefaultBinary)

#: A part of the history: first number, number behind the last, and the step, 1 or -1.
Part = Tuple[int, int, int]


class Historian:
    """What all sessions share; entered by the server's loop only."""

    def __init__(self, port: int) -> None:
        self.server = Server()
        self.server.set_endpoint("opc.tcp://127.0.0.1:%d" % port)
        self.index = self.server.register_namespace(URI)
        folder = self.server.get_objects_node()
        self.nodes = {
            name: folder.add_variable(ua.NodeId(name, self.index), name, value, kind)
            for name, value, kind in [
                *((name, 0, ua.VariantType.UInt32) for name in (*_NAMES, *_COUNTERS)),
                ("Limit", 4, ua.VariantType.UInt32),
                ("Gate", False, ua.VariantType.Boolean),
            ]
        }
        for name in ("Gate", "Limit"):
            self.nodes[name].set_writable()
        self.points: Dict[bytes, Part] = {}
        self.made = 0

    def count(self, name: str, value: Optional[int] = None) -> None:
        node = self.nodes[name]
        value = node.get_value() + 1 if value is None else value
        node.set_value(ua.Variant(value, ua.VariantType.UInt32))

    def answer(self, params: Any) -> bytes:
        """A HistoryReadResult, encoded (OPC 10000-4 5.11.3)."""
        item = params.NodesToRead[0]
        name = item.NodeId.Identifier
        if item.NodeId.NamespaceIndex != self.index or name not in _NAMES:
            return _result(ua.StatusCodes.BadHistoryOperationUnsupported)
        details = params.HistoryReadDetails
        if params.ReleaseContinuationPoints:
            if self.points.pop(item.ContinuationPoint, None) is None:
                return _result(ua.StatusCodes.BadContinuationPointInvalid)
            self.count("Released")
            self.count("Held", len(self.points))
            return _result(0)
        self.count("Asked")
        if isinstance(details, ua.ReadProcessedDetails):
            return _processed(details)
        part = _part(details)
        if item.ContinuationPoint:
            found = self.points.pop(item.ContinuationPoint, None)
            if found is None:
                return _result(ua.StatusCodes.BadContinuationPointInvalid)
            part = found
        size = min(details.NumValuesPerNode or PAGE, PAGE) * (2 if name == "Generous" else 1)
        first, behind, step = part
        here = range(first, behind, step)[:size]
        rest = (first + len(here) * step, behind, step)
        point = None
        if range(*rest) and name != "Unpaged":
            if len(self.points) >= self.nodes["Limit"].get_value():
                return _result(ua.StatusCodes.BadNoContinuationPoints)
            self.made += 1
            point = b"point %d" % self.made
            self.points[point] = rest
        self.count("Held", len(self.points))
        values = [(number, BASE + number * SECOND) for number in here]
        return _result(0, point, values, name in ("Spoilt", "Unpaged"))


def _ticks(moment: datetime) -> int:
    return ua.datetime_to_win_epoch(moment)


def _part(details: Any) -> Part:
    start, end = _ticks(details.StartTime), _ticks(details.EndTime)
    low, high = min(start, end), max(start, end)
    first = max(0, -((BASE - low) // SECOND))
    behind = min(LENGTH, (high - BASE) // SECOND + 1)
    return (first, behind, 1) if start <= end else (behind - 1, first - 1, -1)


def _processed(details: Any) -> bytes:
    start, end = _ticks(details.StartTime), _ticks(details.EndTime)
    width = int(details.ProcessingInterval * 10_000)
    sign = 1 if end > start else -1
    starts = range(start, end, sign * width)
    if len(starts) > 1000:
        return _result(ua.StatusCodes.BadTooManyOperations)
    return _result(0, None, [(min(width, abs(end - each)) // SECOND, each) for each in starts])


def _result(
    status: int,
    point: Optional[bytes] = None,
    values: Optional[List[Tuple[int, int]]] = None,
    spoilt: bool = False,
) -> bytes:
    data = struct.pack("<I", status)
    data += struct.pack("<i", -1) if point is None else struct.pack("<i", len(point)) + point
    if values is None:
        return data + b"\x00\x00\x00"
    body = struct.pack("<i", len(values))
    body += b"".join(
        [
            _VALUE.pack(5, _UNKNOWN if spoilt and number % 10 == 5 else _UINT32, number, ticks)
            for number, ticks in values
        ]
    )
    kind = nodeid_to_binary(ua.NodeId(ua.ObjectIds.HistoryData_Encoding_DefaultBinary))
    return data + kind + b"\x01" + struct.pack("<i", len(body)) + body


class _Processor(UaProcessor):  # type: ignore[misc]
    historian: Historian

    def _process_message(self, kind: Any, header: Any, seqhdr: Any, body: Any) -> Any:
        if kind == _HISTORY_READ:
            self._when_open(seqhdr, header, struct_from_binary(ua.HistoryReadParameters, body))
            return True
        if kind == _CANCEL:
            self.historian.count("Cancelled")
            self.send_response(header.RequestHandle, seqhdr, ua.CancelResponse())
            return True
        return super()._process_message(kind, header, seqhdr, body)

    def _when_open(self, seqhdr: Any, header: Any, params: Any, waited: bool = False) -> None:
        """Answer, in time or, for what is gated, when its gate opens."""
        historian = self.historian
        gated = params.NodesToRead[0].NodeId.Identifier == "Gated"
        if gated and not params.ReleaseContinuationPoints:
            if not historian.nodes["Gate"].get_value():
                if not waited:
                    historian.count("Waiting")
                loop = asyncio.get_running_loop()
                loop.call_later(0.02, self._when_open, seqhdr, header, params, True)
                return
        if waited:
            historian.count("Waiting", historian.nodes["Waiting"].get_value() - 1)
        response = ua.ResponseHeader()
        response.RequestHandle = header.RequestHandle
        kind = ua.NodeId(ua.ObjectIds.HistoryReadResponse_Encoding_DefaultBinary)
        data = nodeid_to_binary(kind) + struct_to_binary(response)
        data += struct.pack("<i", 1) + historian.answer(params) + struct.pack("<i", -1)
        self.socket.write(self._connection.message_to_binary(data, request_id=seqhdr.RequestId))


def main() -> None:
    logging.getLogger("opcua").setLevel(logging.CRITICAL)
    historian = _Processor.historian = Historian(int(sys.argv[1]))
    binary_server_asyncio.UaProcessor = _Processor
    historian.server.start()
    print("ready", flush=True)
    sys.stdin.read()
    historian.server.stop()


if __name__ == "__main__":
    main()
