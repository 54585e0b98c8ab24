"""Thousands of messages, frames and bytes that nobody meant: each is answered, nothing breaks.

The generators are seeded and print their seed, so that a failure can be had again.
"""

import collections
import os
import re
import socket
import subprocess
import sys
import threading
import time
from typing import Iterator, List

import pytest

from opcws.app import Server
from opcws.wire import messages

from ... import support
from ...support import PATIENCE, Client, PlantProcess, fuzz
from ...support.byte_client import (
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
from ...support.mutated_requests import Mutator

SEED = 10000
MESSAGES = 3000
#: Inputs that each layer's fuzzer runs here; by hand it runs for hours.
INPUTS = {"http": 600, "frames": 400, "messages": 1000}
#: Sent before their answers are read.
BATCH = 60

VALID = fuzz.corpus("messages")


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


@pytest.mark.slow
@pytest.mark.parametrize("query", ["?scalars=typed", "?scalars=string"])
def test_every_mutated_message_gets_exactly_one_answer(server: Server, query: str) -> None:
    mutator = Mutator(SEED + query.count("typed"))
    seen: "collections.Counter[str]" = collections.Counter()
    with Neighbour(server) as neighbour, Client(server.urls[0], query) as client:
        for first in range(0, MESSAGES, BATCH):
            texts = [
                mutator.text(number, mutator.chance.choice(VALID))
                for number in range(first, first + BATCH)
            ]
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
    assert neighbour.slowest < support.slack_s()
    assert max(seen.values()) == 1
    assert len(seen) > MESSAGES // 3, "the mutations spare enough of the handles to tell"
    no_connections_left(server)


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.mark.slow
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
                payload = mutator.text(number, chance.choice(VALID))[
                    : chance.choice([100, 3000, 10**6])
                ].encode()
                data += frame(
                    opcode,
                    payload[:125] if opcode in (CLOSE, PING) else payload,
                    final=chance.random() < 0.8,
                    masked=chance.random() < 0.95,
                )
            for _ in range(chance.choice([0, 1, 1, 3])):
                place = chance.randrange(len(data))
                data[place : place + chance.choice([0, 1, 4])] = bytes([chance.randrange(256)])
            with connect(server) as peer:
                peer.send(opening() + bytes(data))
                assert peer.head()[0] == 101
                ending = chance.randrange(3)
                if ending == 0:
                    peer.sock.shutdown(socket.SHUT_WR)
                    peer.rest()
                elif ending == 1:
                    peer.vanish()
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
from opcws import app
from opcws.wire import contract, messages
from opcws.model.errors import RequestError

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
        timeout=3 * PATIENCE,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.split() == [b"150"]


@pytest.mark.slow
@pytest.mark.parametrize("layer", sorted(INPUTS))
def test_the_corpus_and_what_a_seed_makes_of_it_find_nothing(layer: str) -> None:
    assert fuzz.fuzz(layer, SEED, lambda count: count < INPUTS[layer]) == INPUTS[layer]
    assert len(fuzz.corpus(layer)) < INPUTS[layer], "mutations were among them"
