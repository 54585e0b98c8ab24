"""The parts of ``scripts/soak.py``: opcws as a process of its own, a plant that is killed, stopped
and started again, and clients of every kind.

The plant's counters rise by one, so each client can prove what it got: a gap is a lost value, the
same number twice a duplicated one, a lower number disorder.  The contract allows exceptions: after
an update that is Bad any value may follow, and after the Overflow bit any later one.  A client that
reads all the time has no more exceptions than the faults explain, and at the end it must have what
the plant has: only a later value reveals a gap.

Threads: one per client and one that disturbs the plant; the main thread prints.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import re
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import (
    Any,
    Callable,
    Counter,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
)

import websocket

from .. import ROOT
from . import PATIENCE, byte_client, free_port, pki, wait_until
from .faults import CountingProcess

COUNTERS = ["Count.%d" % number for number in range(5)]
PERIOD_MS = 40
OVERFLOW = 0x80
#: ClientHandles of a slow client: so many updates that no buffer holds them.
MANY = ["m%d" % number for number in range(12)]
#: Seconds without any message after which a healthy client reports a problem.
SILENCE_S = 60.0
#: Seconds for which the server lets a client read nothing.
SEND_TIMEOUT_S = 10
#: Memory may grow by this part, or by this amount, from the first samples to the last.
MEMORY_PART, MEMORY_MIB = 0.10, 4.0
#: Seconds at the end for a healthy client to get the plant's latest values.
SETTLE_S = 30.0
#: Seconds after which the temporary resources of a connection are gone.
REST_S = 2.0
#: Most updates of one monitor that a fault of the plant may make Bad, or give the Overflow bit.
EXCUSES = 2
#: Number of clients that read all the time.
HEALTHY = 3
#: Minutes in which every kind of client has done its work at least once.
EVERYTHING = 1.0
#: Most seconds that a run is extended for missing events, on a slow machine.
LONGER_S = 300.0
#: Least number of samples to judge growth, and the part of them that is warm-up.
ENOUGH_SAMPLES, WARM_UP = 12, 0.2
#: Status codes that a request may get while the plant is disturbed.
EXCUSED = {"BadNotConnected", "BadTimeout", "BadCommunicationError", "BadRequestInterrupted"}


class Tally:
    """Counts of events; from any thread."""

    def __init__(self) -> None:
        # Guards both, and keeps lines apart.
        self._lock = threading.Lock()
        self._counts: Counter[str] = collections.Counter()
        self._wrong: List[str] = []

    def add(self, what: str, number: int = 1) -> None:
        with self._lock:
            self._counts[what] += number

    def wrong(self, sentence: str) -> None:
        """Report something that must never happen."""
        with self._lock:
            self._counts["wrong"] += 1
            self._wrong.append(sentence)
            print("  wrong: %s" % sentence, flush=True)

    def counts(self) -> Counter[str]:
        with self._lock:
            return collections.Counter(self._counts)


class Judge:
    """Judges the updates of one connection."""

    def __init__(self, tally: Tally, name: str, healthy: bool = False) -> None:
        self._tally = tally
        self._name = name
        self._healthy = healthy
        self._last: Dict[Any, int] = {}

    def take(self, message: Dict[str, Any]) -> None:
        body = message["Body"]
        key = (message["Header"]["ClientHandle"], body["Variable"])
        self._tally.add("updates")
        overflow = int(body.get("Status", 0)) & OVERFLOW
        if self._healthy and ("StatusCode" in body or overflow):
            self._tally.add("excuses")
        if "StatusCode" in body:
            self._tally.add("bad updates")
            self._last.pop(key, None)
            return
        value = int(body["Value"]["Body"])
        last = self._last.get(key)
        self._last[key] = value
        if overflow:
            self._tally.add("announced")
        elif last is not None and value != last + 1:
            what = "duplicated" if value == last else "lost" if value > last else "disordered"
            self._tally.add(what, max(1, value - last - 1))
            self._tally.wrong("%s: %s: %d came after %d" % (self._name, key, value, last))

    def behind(self, handle: str, present: Dict[str, int]) -> Dict[str, Optional[int]]:
        """Variables in *present* whose updates under *handle* have not reached the present value,
        and the last value of each."""
        last = {name: self._last.get((handle, name)) for name in present}
        return {name: at for name, at in last.items() if at is None or at < present[name]}


class Stage(NamedTuple):
    """Shared by the clients."""

    port: int
    tls_port: int
    context: ssl.SSLContext
    tally: Tally
    stopping: threading.Event
    # Held while a client writes the set point and reads it back.
    writing: threading.Lock

    chance: random.Random

    def connect(
        self,
        name: str,
        query: str = "",
        tls: bool = False,
        small: bool = False,
        healthy: bool = False,
    ) -> "One":
        options: Dict[str, Any] = {"timeout": SILENCE_S, "subprotocols": ["json"]}
        if tls:
            options["sslopt"] = {"context": self.context}
        if small:
            options["sockopt"] = ((socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),)
        url = "%s://localhost:%d/%s" % (
            "wss" if tls else "ws",
            self.tls_port if tls else self.port,
            query,
        )
        ws = websocket.create_connection(url, **options)
        self.tally.add("connects")
        return One(ws, Judge(self.tally, name, healthy))


class One:
    """One connection of a client."""

    def __init__(self, ws: Any, judge: Judge) -> None:
        self.ws = ws
        self.judge = judge

    def send(self, operation: str, body: Any, handle: str) -> None:
        head = {"MessageType": operation + "_REQUEST", "ClientHandle": handle}
        self.ws.send(json.dumps({"Header": head, "Body": body}))

    def receive(self) -> Optional[Dict[str, Any]]:
        """The next message, an update judged; None at the end."""
        text = self.ws.recv()
        if not text:
            return None
        message: Dict[str, Any] = json.loads(text)
        if message["Header"]["MessageType"] == "MONITORUPDATE_MESSAGE":
            self.judge.take(message)
        return message

    def request(self, operation: str, body: Any, handle: str) -> Dict[str, Any]:
        """The response; judges the updates before it."""
        self.send(operation, body, handle)
        while True:
            message = self.receive()
            if message is None:
                raise ConnectionError("closed while a response was awaited")
            if message["Header"]["MessageType"] == operation + "_RESPONSE":
                return message

    def monitor(self, *handles: str) -> None:
        for handle in handles:
            self.request("MONITORSTART", {"Variables": COUNTERS}, handle)

    def reset(self) -> None:
        """Leave as a machine does that lost its power and started again."""
        self.ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.ws.shutdown()


# --- clients ----------------------------------------------------------------------------------


def healthy(stage: Stage, name: str, query: str, tls: bool) -> None:
    """Monitors everything from beginning to end and must get every value."""
    one = stage.connect(name, query, tls, healthy=True)
    one.monitor("h")
    while not stage.stopping.is_set():
        if one.receive() is None:
            stage.tally.wrong("%s was closed" % name)
            return
    catch_up(stage, name, one)
    one.ws.close(timeout=5)


def catch_up(stage: Stage, name: str, one: One) -> None:
    """Wait for the plant's latest values: no monitor may have fallen silent."""
    one.ws.settimeout(SETTLE_S)
    pause, deadline = threading.Event(), time.monotonic() + SETTLE_S
    behind: Dict[str, Optional[int]] = dict.fromkeys(COUNTERS)
    while behind and time.monotonic() < deadline:
        read = one.request("READ", {"Variables": COUNTERS}, "end")["Body"]["Values"]
        if any("StatusCode" in each for each in read):
            pause.wait(0.2)  # the last fault is not over yet
            continue
        present = {each["Variable"]: int(each["Value"]["Body"]) for each in read}
        # The plant may be killed at this time, and count from the beginning.
        until = min(deadline, time.monotonic() + SETTLE_S / 5)
        behind = one.judge.behind("h", present)
        while behind and time.monotonic() < until and one.receive() is not None:
            behind = one.judge.behind("h", present)
    if behind:
        stage.tally.wrong("%s: at the end these have fallen silent: %s" % (name, behind))


def churner(stage: Stage, name: str) -> None:
    """Connects, monitors, reads, writes, and leaves in one way or another; again and again."""
    number = 0
    while not stage.stopping.is_set():
        number += 1
        query = ("", "?scalars=string", "?status=1")[number % 3]
        one = stage.connect(name, query, tls=number % 4 == 0)
        one.monitor("a", *(["b"] if number % 5 == 0 else []))
        read = one.request("READ", {"Variables": [*COUNTERS, "Setpoint"]}, "r")
        if len(read["Body"]["Values"]) != len(COUNTERS) + 1:
            stage.tally.wrong("%s: a READ of six variables answered %s" % (name, read))
        write_and_read(stage, name, one)
        if number % 7 == 0:
            one.request("HISTORICALREAD", {"Variable": "Setpoint", "StartTime": "2026-01-01"}, "h")
        if number % 2 == 0:
            one.request("MONITORSTOP", {"Variables": COUNTERS}, "a")
        leave = number % 3
        if leave == 0:
            one.ws.close(timeout=5)
        elif leave == 1:
            one.ws.shutdown()
        else:
            one.reset()
        stage.stopping.wait(stage.chance.uniform(0.05, 0.3))


def write_and_read(stage: Stage, name: str, one: One) -> None:
    """A successful write can be read back; a wrong one is refused."""
    with stage.writing:
        value = round(stage.chance.uniform(0, 1000), 6)
        written = one.request("WRITE", {"Variable": "Setpoint", "Value": value}, "w")
        read = one.request("READ", {"Variable": "Setpoint"}, "v")
    stage.tally.add("writes")
    statuses = {each["Body"].get("StatusCode") for each in (written, read) if each["Body"]}
    statuses |= {each["Header"].get("StatusCode") for each in (written, read)}
    statuses -= {None}
    if statuses:
        stage.tally.add("failed writes")
        if not statuses <= EXCUSED:
            stage.tally.wrong("%s: writing or reading: %s" % (name, statuses))
    elif float(read["Body"]["Value"]["Body"]) != value:
        stage.tally.wrong("%s: wrote %r and read %s" % (name, value, read["Body"]))
    else:
        stage.tally.add("writes that were read back")
    for body in ({"Variable": "Setpoint", "Value": "warm"}, {"Variable": "None", "Value": 1}):
        if not one.request("WRITE", body, "x")["Body"].get("StatusCode"):
            stage.tally.wrong("%s: a wrong WRITE was not refused" % name)


def sleeper(stage: Stage, name: str) -> None:
    """Reads everything, then nothing for a while: its losses are announced."""
    while not stage.stopping.is_set():
        with contextlib.suppress(OSError, websocket.WebSocketException):
            one = stage.connect(name, small=True)
            one.monitor(*MANY)
            while not stage.stopping.is_set():
                stage.stopping.wait(stage.chance.uniform(1.0, 0.7 * SEND_TIMEOUT_S))
                until = time.monotonic() + 3.0
                while time.monotonic() < until and not stage.stopping.is_set():
                    if one.receive() is None:
                        raise ConnectionError("closed as too slow")
            one.ws.close(timeout=5)
            return
        stage.tally.add("slow closed")


def stuck(stage: Stage, name: str) -> None:
    """Never reads again: it is closed, and does not disturb others."""
    while not stage.stopping.is_set():
        one = stage.connect(name, small=True)
        one.monitor(*MANY)
        stage.stopping.wait(2 * SEND_TIMEOUT_S)
        one.ws.settimeout(5)
        with contextlib.suppress(OSError, websocket.WebSocketException):
            while not stage.stopping.is_set() and one.receive() is not None:
                pass
        if not stage.stopping.is_set():
            stage.tally.add("slow closed")
        one.ws.shutdown()


def vandal(stage: Stage, name: str) -> None:
    """Sends what clients must not send."""
    hello = byte_client.opening()
    chance = stage.chance
    while not stage.stopping.is_set():
        noise = bytes(chance.getrandbits(8) for _ in range(chance.randrange(1, 2000)))
        data = chance.choice(
            [
                noise,
                hello[: chance.randrange(1, len(hello))],
                hello.replace(b"13", b"12"),
                hello + byte_client.frame(byte_client.TEXT, noise),
                hello + byte_client.frame(byte_client.TEXT, b"{}", masked=False),
                hello + byte_client.frame(byte_client.TEXT, b"{}", reserved=4),
                hello + byte_client.frame(byte_client.BINARY, noise),
                hello + byte_client.frame(11, b""),
                hello + byte_client.frame(byte_client.PING, b"x" * 126),
                hello + byte_client.frame(byte_client.TEXT, b'{"Header":' * 5000),
                hello + byte_client.frame(byte_client.TEXT, b" " * 100000)[:-1],
            ]
        )
        port = stage.tls_port if chance.random() < 0.2 else stage.port
        with contextlib.suppress(OSError), byte_client.ByteClient(("127.0.0.1", port)) as peer:
            peer.sock.settimeout(1.0)
            peer.send(data)
            if chance.random() < 0.5:
                peer.sock.shutdown(socket.SHUT_WR)
            peer.sock.recv(65536)
            if chance.random() < 0.3:
                peer.vanish()
        stage.tally.add("garbage")
        stage.stopping.wait(chance.uniform(0.05, 0.5))


def flooder(stage: Stage, name: str) -> None:
    """Sends fragments without end, which are cheap for it, until its time is over."""
    while not stage.stopping.is_set():
        with contextlib.suppress(OSError), byte_client.ByteClient(
            ("127.0.0.1", stage.port)
        ) as peer:
            peer.sock.settimeout(5.0)
            peer.send(byte_client.opening() + byte_client.frame(byte_client.TEXT, b"", final=False))
            until = time.monotonic() + 2.0
            while time.monotonic() < until and not stage.stopping.is_set():
                peer.send(byte_client.frame(0, b"", final=False) * 500)
        stage.tally.add("floods")
        stage.stopping.wait(stage.chance.uniform(5.0, 15.0))


def greedy(stage: Stage, name: str) -> None:
    """Requests the same values many times and takes no answer."""
    while not stage.stopping.is_set():
        with contextlib.suppress(OSError, websocket.WebSocketException):
            one = stage.connect(name, small=True)
            one.ws.settimeout(5)
            for number in range(64):
                one.send("READ", {"Variables": COUNTERS * 40}, "g%d" % number)
            stage.stopping.wait(2.0)
            one.reset()
        stage.tally.add("floods")
        stage.stopping.wait(stage.chance.uniform(5.0, 15.0))


# --- the plant --------------------------------------------------------------------------------


def trouble(stage: Stage, plant: CountingProcess, served: "Served", pause_s: float) -> None:
    """Kill the plant, stop it, end its subscriptions, reload the configuration with another queue
    size, one after another; at the end the plant runs."""

    def kill() -> None:
        plant.kill()
        stage.stopping.wait(stage.chance.uniform(0.0, 3.0))
        plant.start(ARGUMENTS)

    def stop() -> None:
        plant.freeze()
        try:
            stage.stopping.wait(stage.chance.uniform(0.5, 8.0))
        finally:
            plant.thaw()

    def end() -> None:
        plant.command("end-subscriptions")

    faults = [kill, end] if os.name == "nt" else [kill, stop, end, served.change]
    number = 0
    while not stage.stopping.wait(pause_s):
        faults[number % len(faults)]()
        number += 1
        stage.tally.add("faults")


#: Arguments of the plant.
ARGUMENTS = ("--counters", str(len(COUNTERS)), "--period-ms", str(PERIOD_MS))


class Plant(CountingProcess):
    def start(self, arguments: Any = ()) -> None:
        super().start(arguments or ARGUMENTS)


# --- opcws ------------------------------------------------------------------------------------


class Sample(NamedTuple):
    """The state of opcws's process; 0 if the operating system does not tell (not Linux)."""

    threads: int
    sockets: int
    mib: float
    cpu_s: float


class Served:
    """``opcws serve`` as a process, with all its files in *directory*."""

    def __init__(self, directory: Path, plant: Plant) -> None:
        self.directory = directory
        self.ports = free_port(), free_port()
        made = pki.make("localhost", hosts=("localhost", "127.0.0.1")).save(directory, "own")
        (directory / "own.crt").write_text(ssl.DER_cert_to_PEM_cert(made.der), "ascii")
        limits = {"outbox_messages": 500}
        listen = {"limits": limits, "send_timeout_s": SEND_TIMEOUT_S, "handshake_timeout_s": 3}
        tls = {"certificate": "own.crt", "key": "own.pem"}
        variables: Dict[str, Any] = {
            name: {"node": "nsu=urn:counting;s=" + name} for name in COUNTERS
        }
        variables["Setpoint"] = {"node": "nsu=urn:counting;s=Setpoint", "access": "readwrite"}
        server = {
            "endpoint": plant.endpoint,
            "publishing_interval_ms": 100,
            "sampling_interval_ms": 0,
            "queue_size": 1000,
            "request_timeout_ms": 4000,
            "heartbeat_interval_ms": 1000,
            "reconnect_min_ms": 100,
            "reconnect_max_ms": 1000,
            "variables": variables,
        }
        self.config: Dict[str, Any] = {
            "listen": [
                {**listen, "port": self.ports[0]},
                {**listen, "port": self.ports[1], "tls": tls},
            ],
            "servers": {"plant": server},
            "log": {"file": "opcws.log", "max_bytes": 0},
            "audit": {"file": "audit.jsonl", "max_bytes": 1000000, "backups": 2, "timeout_s": 10},
        }
        self.file = file = directory / "opcws.json"
        file.write_text(json.dumps(self.config), "utf-8")
        self._words = open(str(directory / "stderr.txt"), "wb")
        command = [sys.executable, "-m", "opcws", "serve", "--config", str(file)]
        self.process = subprocess.Popen(command, cwd=str(ROOT), stderr=self._words)

    def change(self) -> None:
        """Make it create every monitored item again, with a queue that is longer by one."""
        self.config["servers"]["plant"]["queue_size"] += 1
        self.file.write_text(json.dumps(self.config), "utf-8")
        self.process.send_signal(signal.SIGHUP)

    def reload(self) -> None:
        """Reload the configuration; the last thread to start does it, so all of them run then."""
        command = [sys.executable, "-m", "opcws", "reload", "--config", str(self.file)]
        subprocess.run(command, cwd=str(ROOT), stdout=subprocess.DEVNULL, check=True)

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.directory / "own.crt"))

    def connected(self) -> bool:
        """Whether it listens, and is connected to the plant."""
        url = "http://127.0.0.1:%d/status" % self.ports[0]
        assert self.process.poll() is None, "opcws ended; see %s" % self.directory
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                status = json.loads(answer.read())
        except OSError:
            return False
        return bool(status["Servers"][0]["State"] == "connected")

    def sample(self) -> Sample:
        place = Path("/proc") / str(self.process.pid)
        if not place.exists():
            return Sample(0, 0, 0.0, 0.0)
        told = (place / "status").read_text("utf-8")
        threads = re.search(r"^Threads:\s*(\d+)", told, re.MULTILINE)
        memory = re.search(r"^VmRSS:\s*(\d+) kB", told, re.MULTILINE)
        assert threads and memory, "opcws ended; see %s" % self.directory
        sockets = 0
        for link in (place / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed in the meantime
                sockets += os.readlink(str(link)).startswith("socket:")
        times = (place / "stat").read_text("utf-8").rpartition(")")[2].split()
        ticks = int(times[11]) + int(times[12])
        return Sample(int(threads.group(1)), sockets, int(memory.group(1)) / 1024.0, ticks / _TICKS)

    def at_rest(self) -> Sample:
        """Its state when no client is connected, and the last request is over."""
        least = self.sample()
        until = time.monotonic() + REST_S
        while time.monotonic() < until:
            threading.Event().wait(0.05)
            now = self.sample()
            if (now.threads, now.sockets) < (least.threads, least.sockets):
                least = now
        return least

    def stop(self) -> Optional[int]:
        """Send SIGTERM; returns its exit code, None if it had to be killed."""
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE)
            return None
        finally:
            self._words.close()

    def words(self) -> List[str]:
        """Reports of defects in its log and standard error."""
        texts = [(self.directory / name).read_text("utf-8") for name in ("opcws.log", "stderr.txt")]
        return re.findall(r"^.*(?:a defect|Traceback|Error:).*$", "\n".join(texts), re.MULTILINE)


_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


# --- the run ----------------------------------------------------------------------------------

COLUMNS = (
    *("minute", "threads", "sockets", "MiB", "CPU %", "connects", "updates", "announced", "lost"),
    *("duplicated", "disordered", "writes", "garbage", "floods", "slow closed", "faults"),
    "wrong",
)


def row(minute: float, sample: Sample, cpu: float, counts: Counter[str]) -> str:
    told = {
        "minute": "%.1f" % minute,
        "threads": str(sample.threads),
        "sockets": str(sample.sockets),
        "MiB": "%.1f" % sample.mib,
        "CPU %": "%.0f" % cpu,
    }
    cells = [told.get(name, str(counts[name])).rjust(max(6, len(name))) for name in COLUMNS]
    return " ".join(cells)


def clients(stage: Stage) -> Iterator[threading.Thread]:
    """A thread for each client; an exception that ends it is reported."""

    def thread(work: Callable[..., None], name: str, *arguments: Any) -> threading.Thread:
        def run() -> None:
            while not stage.stopping.is_set():
                try:
                    work(stage, name, *arguments)
                    return
                except Exception as error:
                    stage.tally.wrong("%s: %s: %s" % (name, type(error).__name__, error))
                    stage.stopping.wait(1.0)

        return threading.Thread(target=run, name=name, daemon=True)

    # As many as HEALTHY says.
    yield thread(healthy, "healthy", "", False)
    yield thread(healthy, "healthy in strings", "?scalars=string", False)
    yield thread(healthy, "healthy over TLS", "?status=1", True)
    yield thread(churner, "churner 1")
    yield thread(churner, "churner 2")
    yield thread(sleeper, "sleeper")
    yield thread(stuck, "stuck")
    yield thread(vandal, "vandal")
    yield thread(flooder, "flooder")
    yield thread(greedy, "greedy")


def growth(samples: Sequence[Sample]) -> Optional[float]:
    """MiB from the first quarter after the warm-up to the last; None for too few samples."""
    judged = samples[int(len(samples) * WARM_UP) :]
    if len(samples) < ENOUGH_SAMPLES or not judged[0].mib:
        return None
    quarter = len(judged) // 4
    first = statistics.median(each.mib for each in judged[:quarter])
    return statistics.median(each.mib for each in judged[-quarter:]) - first


def missing(counts: Mapping[str, int], minutes: float) -> List[str]:
    """Events that must happen in a run of so many *minutes* and have not happened yet."""
    needed = ["updates", "connects", "writes that were read back", "garbage", "floods", "faults"]
    if minutes >= EVERYTHING:
        needed += ["announced", "slow closed"]
    return [each for each in needed if not counts[each]]


def soak(minutes: float, interval_s: float, fault_s: float, seed: int, directory: Path) -> int:
    """Returns the number of problems."""
    tally = Tally()
    chance = random.Random(seed)
    plant = Plant()
    served = Served(directory, plant)
    samples: List[Sample] = []
    try:
        wait_until(served.connected, "opcws is connected", 60.0)
        served.reload()
        before = served.at_rest()
        stage = Stage(
            *served.ports,
            served.context(),
            tally,
            threading.Event(),
            threading.Lock(),
            chance,
        )
        running = list(clients(stage))
        running.append(
            threading.Thread(target=trouble, args=(stage, plant, served, fault_s), name="plant")
        )
        print(" ".join(name.rjust(max(6, len(name))) for name in COLUMNS), flush=True)
        began = time.monotonic()
        for each in running:
            each.start()
        try:
            last = before
            end = began + 60.0 * minutes
            while served.process.poll() is None:
                at = time.monotonic()
                if at > end + (LONGER_S if missing(tally.counts(), minutes) else 0.0):
                    break
                stage.stopping.wait(min(interval_s, max(end - at, 1.0)))
                samples.append(served.sample())
                cpu = 100.0 * (samples[-1].cpu_s - last.cpu_s) / (time.monotonic() - at)
                last = samples[-1]
                print(row((time.monotonic() - began) / 60.0, last, cpu, tally.counts()), flush=True)
        finally:
            stage.stopping.set()
            for each in running:
                each.join(SILENCE_S)
        hanging = [each.name for each in running if each.is_alive()]
        return verdict(served, before, samples, tally, hanging, minutes)
    finally:
        served.stop()
        plant.kill()


def verdict(
    served: Served,
    before: Sample,
    samples: Sequence[Sample],
    tally: Tally,
    hanging: List[str],
    minutes: float,
) -> int:
    """Wait until nothing of the clients is left, stop opcws, and print the result."""
    wrong = ["the client %r hangs" % name for name in hanging]

    def nothing_left() -> bool:
        now = served.at_rest()
        return now.threads <= before.threads and now.sockets <= before.sockets

    try:
        wait_until(lambda: served.connected() and nothing_left(), "all is as before", 60.0, 0.5)
    except AssertionError:
        wrong.append("left behind: %s, where it was %s" % (served.sample(), before))
    after = served.at_rest()
    code = served.stop()
    if code != 0 and os.name != "nt":
        wrong.append("opcws ended with exit code %s" % code)
    wrong += ["its log says: %s" % line for line in served.words()]
    more = growth(samples)
    memory = "too short a run to judge memory"
    if more is not None:
        memory = "memory %+.1f MiB" % more
        if more > max(MEMORY_MIB, MEMORY_PART * before.mib):
            wrong.append("memory grew by %.1f MiB" % more)
    counts = tally.counts()
    wrong += ["%s: none, so nothing was proven" % each for each in missing(counts, minutes)]
    most = EXCUSES * HEALTHY * len(COUNTERS) * (counts["faults"] + 1)
    if counts["excuses"] > most:
        wrong.append(
            "clients that read all the time were told %d times that values were lost or Bad, where "
            "%d faults explain %d" % (counts["excuses"], counts["faults"], most)
        )
    for sentence in wrong:
        print("  wrong: %s" % sentence)
    number = len(wrong) + counts["wrong"]
    print(
        "%s: %d updates, %d lost, %d duplicated, %d disordered; %d losses announced; who reads all "
        "the time was told %d times of one or of a Bad status, in %d faults; %d connects; "
        "threads %d before, %d after; sockets %d before, %d after; %s"
        % (
            "FAILED, %d to look at" % number if number else "passed",
            counts["updates"],
            counts["lost"],
            counts["duplicated"],
            counts["disordered"],
            counts["announced"],
            counts["excuses"],
            counts["faults"],
            counts["connects"],
            before.threads,
            after.threads,
            before.sockets,
            after.sockets,
            memory,
        ),
        flush=True,
    )
    return number


@contextlib.contextmanager
def logs(keep: Optional[str]) -> Iterator[Path]:
    """The directory *keep* for the logs; without it, one that goes at the end."""
    if keep:
        directory = Path(keep)
        directory.mkdir(parents=True, exist_ok=True)
        yield directory
    else:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="soak.py", description="Soak opcws.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=0.0, metavar="SECONDS", help="of the table")
    parser.add_argument("--seed", type=int, default=4840)
    parser.add_argument("--keep", metavar="DIRECTORY", help="for the logs; by default they go")
    options = parser.parse_args(arguments)
    interval_s = options.every or min(60.0, options.minutes * 12.0)
    # A short run needs every fault, too.
    fault_s = min(40.0, options.minutes * 12.0)
    with logs(options.keep) as directory:
        return 1 if soak(options.minutes, interval_s, fault_s, options.seed, directory) else 0


if __name__ == "__main__":
    sys.exit(main())
