"""Thousands of messages, frames and bytes that nobody meant: each is answered, nothing breaks.

The generators are seeded and print their seed, so that a failure can be had again.
"""

import collections
import copy
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest

from opcws import messages
from opcws.app import Server

from .. import support
from ..raw import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    connect,
    connection_threads,
    frame,
    no_connections_left,
    opening,
    serving,
)
from ..support import PATIENCE, URI, Client, PlantProcess

SEED = 10000
MESSAGES = 3000
#: Sent before their answers are read.
BATCH = 60

VALID: List[Tuple[str, Any]] = [
    ("VALUELIST", {}),
    ("VALUELIST", ""),
    ("VALUEINFO", {"Variables": ["Boiler.Temperature", "Types.Matrix", "No.Such"]}),
    ("READ", {"Variable": "Types.Double"}),
    ("READ", {"Variable": "Types.DataValueArray", "MaxAge": 1000}),
    ("READ", {"Variables": ["Types.Any", "Types.Bad", "Test.WriteOnly"], "MaxAge": 0}),
    ("WRITE", {"Variable": "Types.Int32", "Value": 5}),
    ("WRITE", {"Variable": "Types.Int64", "Value": {"Type": "8", "Body": "9007199254740993"}}),
    ("WRITE", {"Variable": "Types.Boolean", "Value": {"Value": {"Type": 1, "Body": "true"}}}),
    (
        "WRITE",
        {
            "Variable": "Types.Matrix",
            "Value": {"Type": 11, "Body": [1, 2, 3, 4, 5, 6], "Dimensions": [2, 3]},
        },
    ),
    (
        "WRITE",
        {
            "Variable": "Types.Any",
            "Value": {
                "Value": {
                    "Type": 22,
                    "Body": {"TypeId": "i=884", "Body": {"Low": 0.5, "High": "NaN"}},
                },
                "Status": 0,
                "SourceTimestamp": "2026-11-22T10:00:00.1234567Z",
            },
        },
    ),
    (
        "WRITE",
        {
            "Writes": [
                {"Variable": "Types.NodeId", "Value": "nsu=%s;s=Boiler.Temperature" % URI},
                {"Variable": "Types.QualifiedName", "Value": {"Name": "a", "Uri": URI}},
                {"Variable": "Types.LocalizedText", "Value": {"Locale": "en", "Text": "b"}},
                {"Variable": "Types.ByteString", "Value": "AAEC"},
                {"Variable": "Types.Guid", "Value": "72962b91-fa75-4ae6-8d28-b404dc7daf63"},
                {"Variable": "Types.StatusCode", "Value": {"Code": 2150891520}},
            ]
        },
    ),
    (
        "HISTORICALREAD",
        {
            "Variable": "Boiler.Temperature",
            "StartTime": "2026-11-22T10:00:00Z",
            "EndTime": "20261122T100100+0100",
            "MaxValues": 5,
        },
    ),
    ("MONITORSTART", {"Variable": "Boiler.Temperature", "MinInterval": 500}),
    ("MONITORSTART", {"Variables": ["Types.Int32", "Types.String"]}),
    ("MONITORSTOP", {"Variable": "Boiler.Temperature"}),
    ("MONITORSTOP", {"Variables": ["Types.Int32", "Types.String"]}),
]

STRANGE: List[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.0,
    -0.0,
    1.5,
    1e308,
    2**31,
    2**53 + 1,
    2**64,
    10**400,
    "",
    " ",
    "1",
    "NaN",
    "Infinity",
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "\U0001f600" * 50,
    "%s%n{0}",
    "x" * 5000,
    "9" * 5000,
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "i=99999999999",
    "nsu=;s=",
    "__class__",
    [],
    {},
    [[]],
    [None] * 3,
    {"": ""},
    {"Type": 12, "Body": []},
    {"Type": 24, "Body": {"Type": 24, "Body": {"Type": 24, "Body": None}}},
    {"Type": 23, "Body": {"Value": {"Type": 23, "Body": {"Value": {}}}}},
    {"Type": 25, "Body": {"InnerDiagnosticInfo": {"InnerDiagnosticInfo": {}}}},
]


class Mutator:
    """Makes texts that are nearly requests; the same ones for the same *seed*."""

    def __init__(self, seed: int) -> None:
        print("seed", seed)
        self.chance = random.Random(seed)
        self._changes: List[Callable[[Any, Any], None]] = [
            self._drop,
            self._rename,
            self._retype,
            self._retype,
            self._swap,
            self._add,
            self._wrap,
            self._grow,
        ]

    def text(self, number: int) -> str:
        operation, body = self.chance.choice(VALID)
        message: Dict[str, Any] = {
            "Header": {"MessageType": operation + "_REQUEST", "ClientHandle": "f%06d" % number},
            "Body": copy.deepcopy(body),
        }
        kind = self.chance.randrange(10)
        if kind:
            for _ in range(self.chance.choice([1, 1, 1, 2, 3])):
                holder, key = self._place(message)
                self.chance.choice(self._changes)(holder, key)
        text = json.dumps(message, ensure_ascii=bool(self.chance.randrange(4)))
        # A larger one would be answered by closing the connection.
        text = text.encode("utf-8", "replace").decode("utf-8")[:200000]
        return self._scratched(text) if kind > 7 else text

    def _place(self, message: Any) -> Tuple[Any, Any]:
        """Somewhere in *message*: (object or array, key or index)."""
        places: List[Tuple[Any, Any]] = []
        left = [message]
        while left:
            each = left.pop()
            keys = list(each) if isinstance(each, dict) else list(range(len(each)))
            for key in keys:
                places.append((each, key))
                if isinstance(each[key], (dict, list)):
                    left.append(each[key])
        # What was emptied by the change before has no place left.
        return self.chance.choice(places) if places else ({"": 0}, "")

    def _strange(self) -> Any:
        return copy.deepcopy(self.chance.choice(STRANGE))

    def _drop(self, holder: Any, key: Any) -> None:
        del holder[key]

    def _rename(self, holder: Any, key: Any) -> None:
        if isinstance(holder, dict):
            names = [key.lower(), key + " ", key[1:], "ClientHandler", "Value", "\ud800"]
            holder[self.chance.choice(names)] = holder.pop(key)

    def _retype(self, holder: Any, key: Any) -> None:
        holder[key] = self._strange()

    def _swap(self, holder: Any, key: Any) -> None:
        other = self.chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        holder[key], holder[other] = holder[other], holder[key]

    def _add(self, holder: Any, key: Any) -> None:
        if isinstance(holder, dict):
            name = self.chance.choice(["Variable", "Variables", "Extra", "Type", ""])
            holder[name] = self._strange()
        else:
            holder.insert(key, self._strange())

    def _wrap(self, holder: Any, key: Any) -> None:
        value = holder[key]
        for _ in range(self.chance.choice([1, 2, 40, 150])):
            value = self.chance.choice([[value], {"Value": value}, {"Type": 24, "Body": value}])
        holder[key] = value

    def _grow(self, holder: Any, key: Any) -> None:
        value = holder[key]
        if isinstance(value, str):
            holder[key] = value * self.chance.choice([2, 300])
        elif isinstance(value, list):
            holder[key] = value * self.chance.choice([2, 50])

    def _scratched(self, text: str) -> str:
        """*text* with characters lost, put in, or put elsewhere."""
        place = self.chance.randrange(len(text))
        kind = self.chance.randrange(5)
        if kind == 0:
            return text[:place]
        if kind == 1:
            return text[:place] + text[place + self.chance.randint(1, 9) :]
        if kind == 2:
            marks = ['"', "\\", "\\u", "{", "[", "}", ",", "\x00", "\u20ac", "NaN"]
            return text[:place] + self.chance.choice(marks) + text[place:]
        if kind == 3:
            return text + text
        return "[" * self.chance.choice([100, 5000, 100000]) + text


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """opcws before a plant of its own, whose values may become anything."""
    plant = PlantProcess()
    try:
        with serving(plant.endpoint) as running:
            yield running
    finally:
        plant.kill()


@pytest.fixture(autouse=True)
def _nothing_is_a_defect(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    errors = [each for each in caplog.records if each.levelname == "ERROR"]
    assert not errors, [(each.getMessage(), each.exc_text) for each in errors[:3]]


class Neighbour:
    """A healthy client that asks all the while; *slowest* is the longest it waited, in s."""

    def __init__(self, server: Server) -> None:
        self.answered = 0
        self.slowest = 0.0
        self.problems: List[BaseException] = []
        self._client = Client(server.urls[0])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Neighbour":
        self._thread.start()
        return self

    def _run(self) -> None:
        try:
            while not self._stop.wait(0.005):
                began = time.monotonic()
                body = self._client.body("READ", {"Variable": "Plant.Time"})
                assert body["Value"]["Type"] == 13
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.answered += 1
        except BaseException as problem:
            self.problems.append(problem)

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        self._client.close()


@pytest.mark.parametrize("query", ["?scalars=typed", "?scalars=string"])
def test_every_mutated_message_gets_exactly_one_answer(server: Server, query: str) -> None:
    mutator = Mutator(SEED + query.count("typed"))
    seen: "collections.Counter[str]" = collections.Counter()
    with Neighbour(server) as neighbour, Client(server.urls[0], query) as client:
        for first in range(0, MESSAGES, BATCH):
            texts = [mutator.text(number) for number in range(first, first + BATCH)]
            for text in texts:
                client.ws.send(text)
            for _ in texts:
                header = client.answer()["Header"]
                assert header.get("StatusCode") != "BadInternalError", texts
                handle = str(header.get("ClientHandle", ""))
                if re.fullmatch("f[0-9]{6}", handle):
                    seen[handle] += 1
            # One answer too many would come here, or instead of the next batch's.
            between = client.request("VALUELIST", handle="between")
            assert between["Header"]["ClientHandle"] == "between"
            client.pushed.clear()
    assert not neighbour.problems, neighbour.problems
    assert neighbour.answered > 10
    assert neighbour.slowest < 5
    assert max(seen.values()) == 1
    assert len(seen) > MESSAGES // 3, "the mutations spare enough of the handles to tell"
    no_connections_left(server)


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_mutated_frames_harm_only_their_own_connection_and_leave_nothing(server: Server) -> None:
    mutator = Mutator(SEED)
    chance = mutator.chance
    no_connections_left(server)
    before = _open_files()
    with Neighbour(server) as neighbour:
        for number in range(250):
            data = bytearray()
            for _ in range(chance.randint(1, 6)):
                opcode = chance.choice([0, TEXT, TEXT, TEXT, TEXT, BINARY, CLOSE, PING, 3])
                payload = mutator.text(number)[: chance.choice([100, 3000, 10**6])].encode()
                data += frame(
                    opcode,
                    payload[:125] if opcode in (CLOSE, PING) else payload,
                    final=chance.random() < 0.8,
                    masked=chance.random() < 0.95,
                )
            for _ in range(chance.choice([0, 1, 1, 3])):
                place = chance.randrange(len(data))
                data[place : place + chance.choice([0, 1, 4])] = bytes([chance.randrange(256)])
            with connect(server) as raw:
                raw.send(opening() + bytes(data))
                assert raw.head()[0] == 101
                ending = chance.randrange(3)
                if ending == 0:
                    raw.sock.shutdown(socket.SHUT_WR)
                    raw.rest()
                elif ending == 1:
                    raw.vanish()
    assert not neighbour.problems, neighbour.problems
    assert neighbour.answered > 10
    no_connections_left(server)
    support.wait_until(lambda: not connection_threads(), "no thread of a connection is left")
    support.wait_until(lambda: _open_files() <= before, "no socket is left")


def test_json_at_the_depth_limit_is_answered_and_deeper_is_malformed(server: Server) -> None:
    with Client(server.urls[0]) as client:
        text = '{"Header":{"MessageType":"WRITE_REQUEST","ClientHandle":1},"Body":%s}'
        around = '{"Variable":"Types.Any","Value":%s}'
        for open_, close in (("[", "]"), ('{"Body":', "}"), ('{"Value":', "}")):
            fits = messages.MAX_DEPTH - 2
            answer = client.raw(text % around % (open_ * fits + "1" + close * fits))
            assert answer["Header"]["MessageType"] == "WRITE_RESPONSE"
            assert answer["Header"].get("StatusCode") != "BadInternalError"
            for depth in (fits + 1, 1000, 5000, 100000):
                for end in (close * depth, ""):
                    answer = client.raw(text % around % (open_ * depth + "1" + end))
                    assert answer["Header"]["StatusCode"] == "BadDecodingError"
                    assert str(messages.MAX_DEPTH) in answer["Header"]["Reason"]
        many = [{"Variable": "Types.Any", "Value": "[{[{\\"}] * 500
        assert len(client.body("WRITE", {"Writes": many})["Results"]) == 500


DEEP = """
import json, sys, threading
from opcws import app, contract, messages
from opcws.errors import RequestError

DEPTHS = (10, 100, 190, 500, 900, 1000, 3000, 10000, 30000, 200000)
done = []

def parse():
    for opens, closes in (("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")):
        for depth in DEPTHS:
            value = opens * depth + "1" + closes * depth
            for text in (
                value,
                opens * depth,
                '{"Header":{"MessageType":"WRITE_REQUEST","ClientHandle":1},'
                '"Body":{"Variable":"x","Value":%s}}' % value,
                '{"Header":{"MessageType":"READ_REQUEST","ClientHandle":1},"Body":%s}' % value,
                '{"Header":%s}' % value,
            ):
                try:
                    request = messages.parse(text)
                    contract.check(request.message_type, request.message)
                except RequestError:
                    pass
                done.append(depth)

threading.stack_size(app.STACK_BYTES)
thread = threading.Thread(target=parse)
thread.start()
thread.join()
print(len(done))
"""


def test_no_depth_of_nesting_overflows_the_stack_of_a_thread() -> None:
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DEEP],
        capture_output=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.split() == [b"150"]
