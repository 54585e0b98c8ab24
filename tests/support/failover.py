"""What ``scripts/soak.py --failover`` runs: two collectors in front of one plant, a broker, edges
and their clients, and something that breaks every so often.

Every value counts its changes, so each client can prove what it got.  Excused is what is announced:
after a Bad status any value that is not older, after the Overflow bit any newer one.  No client may
lose its connection, and the collectors may not be connected to the plant at the same time.  One
writes by way of the broker: what was refused is not written, what was answered as done is.

Threads: the clients of an edge have one; one looks at the collectors; the main thread breaks
things.
"""

import argparse
import collections
import json
import random
import selectors
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Callable, Counter, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import websocket

from .. import ROOT
from . import free_port, wait_until
from .faults import URI as COUNTING
from .faults import CountingProcess
from .mosquitto import Gate, Mosquitto
from .soak import logs

OVERFLOW = 0x80
LEASE_MS = 2000
SET_POINT = "SetPoint"
ROLES = {"anonymous": {"read": ["*"], "write": ["*"], "endpoints": ["status"]}}
#: Seconds after a fault within which all edges must deliver again, on a busy machine.
PATIENCE_S = 60.0
#: Seconds of a short and of a long fault of the network or of the broker.
SHORT_S, LONG_S = 0.5, 8.0
#: Seconds within which a collector that wakes up leaves the plant.
AWAKE_S = 2.0


class Source(NamedTuple):
    """The plant: its address, the node of a counter by its number, and a node to write."""

    endpoint: str
    node: Callable[[int], str]
    set_point: str
    stop: Callable[[], None]


def own_source(counters: int, hertz: float) -> Source:
    plant = CountingProcess(["--counters", str(counters), "--period-ms", str(1000.0 / hertz)])
    nodes = "nsu=%s;s=" % COUNTING
    return Source(
        plant.endpoint, lambda n: "%sCount.%d" % (nodes, n), nodes + "Setpoint", plant.kill
    )


def kit_source(program: str, counters: int, hertz: float) -> Source:
    """The load source of the benchmark kit."""
    port = free_port()
    command = [program, "--port", str(port), "--vars", str(counters), "--rate", str(hertz)]
    process = subprocess.Popen([*command, "--tick-ms", "10"], stdout=subprocess.DEVNULL)

    def stop() -> None:
        process.kill()
        process.wait()

    return Source(
        *("opc.tcp://127.0.0.1:%d" % port, lambda n: "nsu=urn:bench;s=Var%d" % n),
        *("nsu=urn:bench;s=W_Double", stop),
    )


class Opcws:
    """``opcws serve`` as a process, with its log; *before* precedes it on the command line, to run
    it elsewhere."""

    def __init__(
        self,
        directory: Path,
        settings: Dict[str, Any],
        host: str = "127.0.0.1",
        before: Sequence[str] = (),
    ) -> None:
        directory.mkdir()
        self.port, self.host, self._before = free_port(), host, before
        self._file = directory / "opcws.json"
        listen = {"host": host, "port": self.port}
        self._file.write_text(json.dumps({"listen": listen, **settings}), "utf-8")
        self._log = directory / "log"
        self.process: Optional["subprocess.Popen[bytes]"] = None
        self.start()

    def start(self) -> None:
        opcws = [sys.executable, "-m", "opcws", "serve", "--config", str(self._file)]
        command = [*self._before, *opcws]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=str(ROOT), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def end(self, number: int) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            process.wait()

    def status(self) -> Dict[str, Any]:
        """The content of ``/status``; empty without an answer."""
        try:
            url = "http://%s:%d/status" % (self.host, self.port)
            with urllib.request.urlopen(url, timeout=2.0) as answer:
                told: Dict[str, Any] = json.load(answer)
                return told
        except (OSError, ValueError):
            return {}

    def cpu_s(self) -> float:
        if self.process is None:
            return 0.0
        fields = Path("/proc/%d/stat" % self.process.pid).read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100.0

    @property
    def connected(self) -> bool:
        servers = self.status().get("Servers") or [{}]
        return bool(servers[0].get("State") == "connected")

    def complaints(self) -> List[str]:
        lines = self._log.read_text("utf-8", "replace").splitlines()
        return [each for each in lines if " ERROR " in each or each.startswith("Traceback")]


class Tally:
    """Counts of events; from any thread."""

    def __init__(self) -> None:
        # Guards both.
        self._lock = threading.Lock()
        self.counts: Counter[str] = collections.Counter()
        self.wrongs: List[str] = []

    def add(self, counts: Counter[str]) -> None:
        with self._lock:
            self.counts.update(counts)

    def wrong(self, sentence: str) -> None:
        with self._lock:
            self.wrongs.append(sentence)
        print("  wrong: %s" % sentence, flush=True)


class Clients(threading.Thread):
    """*number* clients of the edge at *port*, each of which monitors some of *names*."""

    def __init__(self, tally: Tally, port: int, number: int, names: Sequence[List[str]]) -> None:
        super().__init__(name="clients of %d" % port)
        self._tally = tally
        self._port, self._number, self._names = port, number, names
        self._last: Dict[Tuple[int, str], Optional[int]] = {}
        self.stopping = False
        #: When the last Good value came, and the longest delay since it was last read.
        self.good_at = 0.0
        self.late_s: List[float] = []
        self.ready = threading.Event()

    def run(self) -> None:
        selector = selectors.DefaultSelector()
        for number in range(self._number):
            url = "ws://127.0.0.1:%d/" % self._port
            client = websocket.create_connection(url, timeout=60.0, subprotocols=["json"])
            names = self._names[number % len(self._names)]
            head = {"MessageType": "MONITORSTART_REQUEST", "ClientHandle": "m"}
            client.send(json.dumps({"Header": head, "Body": {"Variables": names}}))
            selector.register(client.sock, selectors.EVENT_READ, (number, client))
        self.ready.set()
        while not self.stopping:
            counts: Counter[str] = collections.Counter()
            for key, _mask in selector.select(0.25):
                number, client = key.data
                try:
                    text = client.recv()
                except (OSError, websocket.WebSocketException) as error:
                    text = ""
                    self._tally.wrong("client %d of %d: %r" % (number, self._port, error))
                if not text:
                    self._tally.wrong("client %d of %d was closed" % (number, self._port))
                    selector.unregister(key.fileobj)
                    continue
                self._judge(number, json.loads(text), counts)
            self._tally.add(counts)
        for key in list(selector.get_map().values()):
            key.data[1].close(timeout=5)

    def _judge(self, number: int, message: Dict[str, Any], counts: Counter[str]) -> None:
        if message["Header"]["MessageType"] != "MONITORUPDATE_MESSAGE":
            return
        body = message["Body"]
        key = (number, body["Variable"])
        counts["updates"] += 1
        last = self._last.get(key)
        if "StatusCode" in body:
            counts["bad"] += 1
            # Values before the fault still count: nothing older may come.
            self._last[key] = None if last is None else -abs(last)
            return
        value = int(body["Value"]["Body"])
        self._last[key] = value
        self.good_at = time.monotonic()
        if last is None:
            return
        overflow = int(body.get("Status", 0)) & OVERFLOW
        if last <= 0:
            what = "older" if value < -last else ""
            counts["again"] += value == -last
        elif value == last:
            what = "doubled"
        elif value < last:
            what = "disordered"
        else:
            what = "" if overflow or value == last + 1 else "lost"
            counts["announced"] += bool(overflow)
        if what:
            counts[what] += 1
            where = "client %d of %d, %s" % (number, self._port, body["Variable"])
            self._tally.wrong("%s: %s: %d came after %d" % (what, where, value, abs(last)))


class Writer(threading.Thread):
    """Writes rising numbers at the edge at *port*."""

    def __init__(self, tally: Tally, port: int) -> None:
        super().__init__(name="writer")
        self._tally = tally
        self._port = port
        self.stopping = threading.Event()

    def run(self) -> None:
        # The last executed write, and later ones whose outcome nobody knows.
        done = 0.0
        unknown: Set[float] = set()
        url = "ws://127.0.0.1:%d/" % self._port
        client = websocket.create_connection(url, timeout=60.0, subprotocols=["json"])
        number = 0.0
        while not self.stopping.wait(0.02):
            number += 1.0
            body = self._request(client, "WRITE", {"Variable": SET_POINT, "Value": number})
            if "StatusCode" not in body:
                done, unknown = number, set()
                what = "written"
            elif "is not known" in body["Reason"]:
                unknown.add(number)
                what = "not known"
            else:
                what = "refused"
            self._tally.add(collections.Counter([what]))
        pause = threading.Event().wait
        for _ in range(3000):
            body = self._request(client, "READ", {"Variable": SET_POINT})
            value = (body.get("Value") or {}).get("Body")
            if "StatusCode" not in body and float(value) in {done, *unknown}:
                break
            pause(0.01)
        else:
            self._tally.wrong("%s was written last, or %s, and %s is there" % (done, unknown, body))
        client.close(timeout=5)

    def _request(self, client: Any, operation: str, body: Any) -> Dict[str, Any]:
        head = {"MessageType": operation + "_REQUEST", "ClientHandle": "w"}
        client.send(json.dumps({"Header": head, "Body": body}))
        told = json.loads(client.recv()).get("Body")
        return told if isinstance(told, dict) else {}


class Stage:
    """All processes of the test."""

    def __init__(self, source: Source, options: argparse.Namespace, directory: Path) -> None:
        self.tally = Tally()
        self.broker = Mosquitto(directory, "max_queued_messages 100000")
        names = ["Count.%d" % number for number in range(options.counters)]
        variables = {name: {"node": source.node(n)} for n, name in enumerate(names)}
        variables[SET_POINT] = {"node": source.set_point, "access": "readwrite"}
        plant = {"endpoint": source.endpoint, "publishing_interval_ms": 100, "queue_size": 100}
        plant.update(variables=variables, reconnect_min_ms=100, reconnect_max_ms=1000)
        self.gates = [Gate(self.broker.port) for _ in range(2 + options.edges)]
        self.collectors = []
        for number in range(2):
            mqtt = {"broker": self.gates[number].url, "variables": ["*"], "lease_ms": LEASE_MS}
            mqtt.update(interval_ms=options.interval_ms, encoding=options.encoding)
            mqtt.update(requests={"edge0": {"role": "anonymous"}})
            settings = {"servers": {"plant": plant}, "publish": {"mqtt": mqtt}, "roles": ROLES}
            self.collectors.append(Opcws(directory / ("collector%d" % number), settings))
        self.edges = []
        for number in range(options.edges):
            at_broker = {"endpoint": self.gates[2 + number].url, "reconnect_max_ms": 500}
            at_broker["edge"] = "edge%d" % number
            settings = {"servers": {"plant": at_broker}}
            self.edges.append(Opcws(directory / ("edge%d" % number), settings))
        wait_until(lambda: all(each.connected for each in self.edges), "edges are connected", 120.0)
        each_has = options.each
        chosen = [
            [names[(at + n) % len(names)] for n in range(each_has)]
            for at in range(0, len(names), each_has)
        ]
        per_edge = -(-options.clients // options.edges)
        self.clients = [Clients(self.tally, each.port, per_edge, chosen) for each in self.edges]
        self.writer = Writer(self.tally, self.edges[0].port)
        self._source = source
        self.woken_at = 0.0
        self.stopping = threading.Event()
        self._looking = threading.Thread(target=self._look, name="looks at the collectors")

    def start(self) -> None:
        for each in self.clients:
            each.start()
        for each in self.clients:
            assert each.ready.wait(120.0)
        self.writer.start()
        self._looking.start()

    def _look(self) -> None:
        while not self.stopping.wait(0.1):
            if all(each.connected for each in self.collectors):
                # The first may have left while the second was asked; and a suspended one keeps its
                # session until it wakes up.
                asleep = time.monotonic() - self.woken_at < AWAKE_S
                if not asleep and all(each.connected for each in self.collectors):
                    self.tally.wrong("both collectors are connected to the plant")

    def active(self) -> int:
        """The number of the active collector."""

        def found() -> List[int]:
            return [1 + n for n, each in enumerate(self.collectors) if each.connected]

        number: int = wait_until(found, "a collector is connected", 60.0, 0.1)[0]
        return number - 1

    def stop(self) -> None:
        self.stopping.set()
        if self._looking.is_alive():
            self._looking.join()
        if self.writer.is_alive():
            self.writer.stopping.set()
            self.writer.join(60.0)
        for each in self.clients:
            each.stopping = True
        for each in self.clients:
            if each.is_alive():
                each.join(30.0)
        for opcws in [*self.edges, *self.collectors]:
            opcws.end(signal.SIGTERM)
            for line in opcws.complaints():
                self.tally.wrong("its log says: %s" % line)
        for gate in self.gates:
            gate.__exit__()
        self.broker.__exit__()
        self._source.stop()


# --- faults ---------------------------------------------------------------------------------------


def _end(collector: Opcws, number: int, pause: Callable[[float], Any]) -> None:
    """End *collector* with signal *number*, and start it again."""
    collector.end(number)
    pause(LONG_S)
    collector.start()


def _shut(gate: Gate, seconds: float, pause: Callable[[float], Any]) -> None:
    """Cut what goes through *gate*, and let nothing through for *seconds*."""
    gate.shut()
    pause(seconds)
    gate.let_through()


def killed(stage: Stage, pause: Callable[[float], Any]) -> None:
    """The active collector is killed, and started again."""
    _end(stage.collectors[stage.active()], signal.SIGKILL, pause)


def stopped(stage: Stage, pause: Callable[[float], Any]) -> None:
    """The active collector is stopped as a service is, and started again."""
    _end(stage.collectors[stage.active()], signal.SIGTERM, pause)


def suspended(stage: Stage, pause: Callable[[float], Any]) -> None:
    """The machine of the active collector sleeps, and wakes up."""
    process = stage.collectors[stage.active()].process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    pause(LONG_S)
    stage.woken_at = time.monotonic()
    process.send_signal(signal.SIGCONT)


def standby_killed(stage: Stage, pause: Callable[[float], Any]) -> None:
    """The standby collector is killed, and started again."""
    _end(stage.collectors[1 - stage.active()], signal.SIGKILL, pause)


def split(stage: Stage, pause: Callable[[float], Any]) -> None:
    """The network drops everything between the active collector and the broker, silently."""
    gate = stage.gates[stage.active()]
    gate.stick()
    pause(LONG_S)
    gate.flow()


def cut(stage: Stage, pause: Callable[[float], Any]) -> None:
    """The active collector's connections are cut, and it cannot reconnect for a while."""
    _shut(stage.gates[stage.active()], LONG_S, pause)


def hiccup(stage: Stage, pause: Callable[[float], Any]) -> None:
    """The active collector's connections are cut, and it can reconnect soon."""
    _shut(stage.gates[stage.active()], SHORT_S, pause)


def edge_cut(stage: Stage, pause: Callable[[float], Any]) -> None:
    """An edge is cut off."""
    _shut(stage.gates[2], LONG_S, pause)


def broker_restarted(stage: Stage, pause: Callable[[float], Any]) -> None:
    """The broker is killed, and started again at once."""
    stage.broker.kill()
    pause(SHORT_S)
    stage.broker.start()


def broker_away(stage: Stage, pause: Callable[[float], Any]) -> None:
    """The broker is killed, and comes back later."""
    stage.broker.kill()
    pause(LONG_S)
    stage.broker.start()


FAULTS = (
    *(killed, split, broker_restarted, stopped, cut, edge_cut, suspended, hiccup),
    *(standby_killed, broker_away),
)


def run(options: argparse.Namespace, directory: Path) -> int:
    if options.opcsim:
        source = kit_source(options.opcsim, options.counters, options.hertz)
    else:
        source = own_source(options.counters, options.hertz)
    stage = Stage(source, options, directory)
    chance = random.Random(options.seed)
    begun = time.monotonic()
    took: Dict[str, List[float]] = {}
    processes = [*stage.collectors, *stage.edges]
    try:
        stage.start()
        pause = threading.Event().wait
        order: List[Callable[..., None]] = []
        while time.monotonic() - begun < 60.0 * options.minutes:
            before, at = [each.cpu_s() for each in processes], time.monotonic()
            updates = stage.tally.counts["updates"]
            pause(options.every / 2)
            quiet_s = time.monotonic() - at
            cpu = [100.0 * (b - a) / quiet_s for a, b in zip(before, map(Opcws.cpu_s, processes))]
            rate = (stage.tally.counts["updates"] - updates) / quiet_s
            if not order:
                order = [each for each in FAULTS if options.only in each.__name__]
                chance.shuffle(order)
            fault = order.pop()
            began = time.monotonic()
            longest = _watch(stage, fault)
            took.setdefault(fault.__name__, []).append(longest)
            counts = stage.tally.counts
            print(
                "%6.1f min  %-16s %4.1f s without a value; %6.0f updates/s, CPU%% %s; bad %d, "
                "announced %d, again %d, wrong %d"
                % (
                    *((time.monotonic() - begun) / 60.0, fault.__name__, longest, rate),
                    *(" ".join("%.0f" % each for each in cpu), counts["bad"]),
                    *(counts["announced"], counts["again"], len(stage.tally.wrongs)),
                ),
                flush=True,
            )
            pause(max(0.0, options.every / 2 - (time.monotonic() - began)))
    finally:
        stage.stop()
    for name, seconds in sorted(took.items()):
        print(
            "%-16s %d times, longest without a value: %.1f s" % (name, len(seconds), max(seconds))
        )
    counts = stage.tally.counts
    print(
        "%s: %d updates, lost %d, doubled %d, disordered %d, older %d; announced losses %d, Bad "
        "%d; writes done %d, refused %d, not known %d"
        % (
            "FAILED" if stage.tally.wrongs else "passed",
            *(counts[each] for each in ("updates", "lost", "doubled", "disordered", "older")),
            *(counts[each] for each in ("announced", "bad", "written", "refused", "not known")),
        )
    )
    return len(stage.tally.wrongs)


def _watch(stage: Stage, fault: Callable[..., None]) -> float:
    """Cause *fault*, and wait until values come everywhere; returns the longest time without."""
    began = time.monotonic()
    breaking = threading.Thread(target=fault, args=(stage, threading.Event().wait))
    breaking.start()
    longest = 0.0
    tick = threading.Event().wait
    good_since: Optional[float] = None
    while True:
        tick(0.02)
        now = time.monotonic()
        oldest = min(each.good_at for each in stage.clients)
        longest = max(longest, now - oldest)
        if now - oldest > 1.0:
            good_since = None
        elif good_since is None:
            good_since = now
        if not breaking.is_alive() and good_since is not None and now - good_since > 5.0:
            return longest
        if now - began > LONG_S + PATIENCE_S:
            stage.tally.wrong("%s: no values for %.0f s" % (fault.__name__, now - oldest))
            breaking.join()
            return longest


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="soak.py --failover", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--every", type=float, default=60.0, metavar="SECONDS", help="a fault")
    parser.add_argument("--counters", type=int, default=10)
    parser.add_argument("--hertz", type=float, default=10.0)
    parser.add_argument("--edges", type=int, default=4)
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--each", type=int, default=2, help="variables that a client monitors")
    parser.add_argument("--interval-ms", type=float, default=0)
    parser.add_argument("--encoding", default="verbose")
    parser.add_argument("--opcsim", metavar="PROGRAM", help="load source of the benchmark kit")
    parser.add_argument("--only", default="", metavar="NAME", help="faults with this in their name")
    parser.add_argument("--seed", type=int, default=4840)
    parser.add_argument("--keep", metavar="DIRECTORY", help="for the logs; by default they go")
    options = parser.parse_args(arguments)
    with logs(options.keep) as directory:
        return 1 if run(options, directory) else 0


if __name__ == "__main__":
    sys.exit(main())
