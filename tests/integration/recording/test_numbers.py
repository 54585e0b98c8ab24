"""Numbers that a plant counts reach a client that goes on where it was: each once, in order, or
what is missing is marked.  Plant, way to it, opcws and client fail in turn; opcws is a process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import pytest
import websocket

from ... import support
from ...support import Client
from ...support.faults import TIMES, URI, CountingProcess
from ...support.proxy import Proxy

COUNTER = "Count.0"
OVERFLOW = 0x480
#: Numbers that must come before and after each fault.
SOME = 25


class Opcws:
    """opcws as a process, with a recorder, on a port that stays the same."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.port = support.free_port()
        self.file = folder / "opcws.json"
        server = {
            **TIMES,
            "endpoint": endpoint,
            "publishing_interval_ms": 50,
            "sampling_interval_ms": 0,
            "queue_size": 1000,
            "variables": {COUNTER: {"node": "nsu=%s;s=%s" % (URI, COUNTER), "record": True}},
        }
        made = {
            "listen": {"host": "127.0.0.1", "port": self.port},
            "servers": {"plant": server},
            "state_dir": str(folder / "state"),
        }
        self.file.write_text(json.dumps(made), "utf-8")
        self.process: Optional["subprocess.Popen[bytes]"] = None
        self.start()

    @property
    def url(self) -> str:
        return "http://127.0.0.1:%d/" % self.port

    def start(self) -> None:
        command = [sys.executable, "-m", "opcws", "serve", "--config", str(self.file)]
        self.process = subprocess.Popen(command)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(support.PATIENCE)


class Listener:
    """Monitors the counter, and goes on where it was whenever it connects."""

    def __init__(self, opcws: Opcws) -> None:
        self._opcws = opcws
        self._client: Optional[Client] = None
        self._seen: Optional[str] = None
        self._resumes = False
        self.updates: List[Dict[str, Any]] = []

    @property
    def last(self) -> int:
        """The last number."""
        return next(int(each["Value"]["Body"]) for each in reversed(self.updates) if good(each))

    def connect(self) -> None:
        def connected() -> Optional[Client]:
            try:
                return Client(self._opcws.url)
            except (OSError, websocket.WebSocketException):
                return None

        self._client = support.wait_until(connected, "opcws listens")
        body: Dict[str, Any] = {"Variable": COUNTER}
        if self._seen is not None:
            body["Since"] = self._seen
            self._resumes = True
        assert self._client.body("MONITORSTART", body, "m") == {}

    def take(self) -> Dict[str, Any]:
        assert self._client is not None
        update = self._client.update("m")
        if self._resumes and "Historical" not in update:
            self._resumes = False
            if good(update) and update["SourceTimestamp"] == self._seen:
                return update  # the present value, which is told behind the past in any case
        self.updates.append(update)
        if good(update):
            self._seen = update["SourceTimestamp"]
        return update

    def take_some(self) -> None:
        """Take numbers until some more have come."""
        until = self.last + SOME
        while self.last < until:
            self.take()

    def take_until_bad(self) -> None:
        while good(self.take()):
            pass

    def vanish(self) -> None:
        assert self._client is not None
        self._client.vanish()


def good(update: Dict[str, Any]) -> bool:
    return "StatusCode" not in update


def gaps(updates: List[Dict[str, Any]]) -> List[int]:
    """How many numbers are missing in each place where some are; every such place is marked, and no
    number comes twice, but for the one that is told anew behind a gap."""
    missing: List[int] = []
    last: Optional[int] = None
    marked = False
    for update in updates:
        if not good(update):
            marked = True
            continue
        number = int(update["Value"]["Body"])
        marked = marked or update.get("Status", 0) & OVERFLOW == OVERFLOW
        if last is not None and number != last + 1:
            assert marked, "%d follows %d, and nothing says so" % (number, last)
            assert number >= last, "%d follows %d" % (number, last)
            if number > last:
                missing.append(number - last - 1)
        last, marked = number, False
    return missing


@pytest.fixture
def plant() -> Iterator[CountingProcess]:
    with CountingProcess() as process:
        yield process


@pytest.fixture
def way(plant: CountingProcess) -> Iterator[Proxy]:
    with Proxy(plant.port) as proxy:
        yield proxy


@pytest.fixture
def opcws(way: Proxy, tmp_path: Path) -> Iterator[Opcws]:
    opcws = Opcws(tmp_path, way.endpoint)
    yield opcws
    opcws.kill()


@pytest.fixture
def listener(opcws: Opcws) -> Iterator[Listener]:
    listener = Listener(opcws)
    listener.connect()
    while not good(listener.take()):
        pass
    listener.take_some()
    yield listener
    listener.vanish()


def other(opcws: Opcws) -> Listener:
    """Another client, which sees that time goes on."""
    listener = Listener(opcws)
    listener.connect()
    while not good(listener.take()):
        pass
    return listener


def test_a_client_that_was_away_misses_nothing(opcws: Opcws, listener: Listener) -> None:
    witness = other(opcws)
    for _ in range(3):
        listener.vanish()
        witness.take_some()
        listener.connect()
        listener.take_some()
    witness.vanish()
    assert gaps(listener.updates) == []
    assert all(good(update) for update in listener.updates[-3 * SOME :])


def test_what_was_counted_while_opcws_was_dead_is_marked(opcws: Opcws, listener: Listener) -> None:
    opcws.kill()
    listener.vanish()
    opcws.start()
    listener.connect()
    listener.take_some()
    missing = gaps(listener.updates)
    assert len(missing) <= 2, "what was not written yet, and what came until it was connected again"


def test_what_was_counted_while_the_way_was_cut_is_marked(
    opcws: Opcws, way: Proxy, listener: Listener
) -> None:
    way.refusing = True
    way.cut()
    listener.take_until_bad()
    listener.vanish()
    way.heal()
    witness = other(opcws)
    witness.take_some()
    witness.vanish()
    listener.connect()
    listener.take_some()
    assert len(gaps(listener.updates)) == 1


def test_what_a_plant_that_was_killed_had_counted_is_marked(
    plant: CountingProcess, listener: Listener
) -> None:
    for _ in range(2):
        plant.kill()
        listener.take_until_bad()
        plant.start(["--begin", str(listener.last + 1000)])
        listener.take_some()
    assert len(gaps(listener.updates)) == 2


def test_what_a_slow_way_lost_is_marked(opcws: Opcws, way: Proxy, listener: Listener) -> None:
    way.bytes_per_s = 2000.0
    for _ in range(3):
        listener.take()
    listener.vanish()
    way.bytes_per_s = 0.0
    listener.connect()
    listener.take_some()
    gaps(listener.updates)


def test_everything_at_once(opcws: Opcws, way: Proxy, listener: Listener) -> None:
    for _ in range(2):
        way.reset()
        listener.vanish()
        opcws.kill()
        way.heal()
        opcws.start()
        listener.connect()
        listener.take_some()
        way.cut()
        listener.take_until_bad()
        way.heal()
        listener.take_some()
    gaps(listener.updates)
