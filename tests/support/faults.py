"""The fault table: each fault as an action on a real server or its connection, and its outcome.
The tests judge the outcomes, ``scripts/faults.py`` prints them.

A *scene* is a counting server (a process), a :class:`~tests.support.proxy.Proxy` in front of it,
opcws in this process, and one client that monitors the counters.
"""

import base64
import contextlib
import datetime
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)
from unittest import mock

from opcws.app import Server
from opcws.model import status_codes
from opcws.ua import supervisor
from opcws.ua.channel import link, session, subscription

from .. import support
from . import PATIENCE, Client, PlantProcess, pki, proxy, wait_until
from .pki import Made
from .proxy import Strike

COUNTERS = 10
URI = "urn:counting"
#: Timeouts so long that none reveals a fault within a test's patience.
TIMES = {
    "request_timeout_ms": 300000,
    "connect_timeout_ms": 300000,
    "heartbeat_interval_ms": 500,
    "reconnect_min_ms": 100,
    "reconnect_max_ms": 400,
    "max_nodes_per_call": 1000,
}
#: For faults that only a timeout reveals: short, so that the table is made within minutes.
IMPATIENT = {"request_timeout_ms": 2000, "connect_timeout_ms": 2000}
BAD_INTERNAL_ERROR = status_codes.code("BadInternalError")


class CountingProcess(PlantProcess):
    """``tests/servers/counter_server.py`` as a process."""

    def __init__(self, namespaces: Any = ()) -> None:
        super().__init__(support.free_port(), namespaces)

    def start(self, arguments: Any = ()) -> None:
        script = Path(__file__).parent.parent / "servers" / "counter_server.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script), "--port", str(self.port), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        support.expect(self.process, "ready")

    def command(self, text: str) -> None:
        process = self.process
        assert process is not None and process.stdin is not None
        process.stdin.write(text + "\n")
        process.stdin.flush()
        support.expect(process, "done")


class Outcome(NamedTuple):
    """The outcome of a fault.

    ``updates`` are the statuses that the monitors got, ``answer`` is an operation that was
    requested when the fault began, and its status, ``states`` are the SERVERSTATUS messages; times
    are in seconds, ``None`` if no connection was lost; ``threads`` and ``kib`` (resident memory)
    are the increases.
    """

    updates: Tuple[str, ...]
    answer: Optional[Tuple[str, str]]
    states: Tuple[str, ...]
    noticed_s: Optional[float]
    recovered_s: Optional[float]
    threads: int
    kib: int


class Scene:
    """One server, proxy, opcws and client; see the module."""

    def __init__(
        self,
        plant: PlantProcess,
        numbering: bool = True,
        more: Sequence[str] = (),
        **server: Any,
    ) -> None:
        self.plant = plant
        self.proxy = proxy.Proxy(plant.port, numbering)
        self.monitored = ["Count.%d" % number for number in range(COUNTERS)]
        variables = {
            name: {"node": "nsu=%s;s=%s" % (URI, name), "access": "readwrite"}
            for name in (*self.monitored, "Setpoint", *more)
        }
        self.opcws: Server = support.serve(
            self.proxy.endpoint, variables=variables, server={**TIMES, **server}
        )
        support.wait_connected(self.opcws)
        self.client = Client(self.opcws.urls[0], "?status=1")
        #: Since the start or the last clear: (variable, Body), states, READ's status.
        self.keep_from(None)
        self.states: List[str] = []
        self.reasons: List[str] = []
        self.answers: Dict[str, Dict[str, Any]] = {}
        self.client.send("MONITORSTART", {"Variables": self.monitored}, "m")
        self.until(lambda: self.told(self.good), "the first values")
        self.until(lambda: self.states, "the server's state")
        self.until(lambda: self.answers.pop("m", None), "the answer to MONITORSTART")

    def __enter__(self) -> "Scene":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.client.vanish()
        self.opcws.stop()
        self.proxy.close()

    @property
    def supervisor(self) -> supervisor.Supervisor:
        return self.opcws.plants["plant"].supervisor

    @staticmethod
    def good(body: Dict[str, Any]) -> bool:
        return "StatusCode" not in body

    def clear(self) -> None:
        self.keep_from(None)
        self.states.clear()
        self.reasons.clear()

    def keep_from(self, place: Optional[int]) -> None:
        """Forget the updates before that at *place*, or all."""
        kept = [] if place is None else self.updates[place:]
        self.updates: List[Tuple[str, Dict[str, Any]]] = []
        # The same by variable, the number of good ones, and those that are bad or have a mark: so
        # that a check at each message does not get slower with their number.
        self._by_name: Dict[str, List[Dict[str, Any]]] = {}
        self._good: "Counter[str]" = Counter()
        self._marked: List[Dict[str, Any]] = []
        for name, body in kept:
            self._note(name, body)

    def _note(self, name: str, body: Dict[str, Any]) -> None:
        self.updates.append((name, body))
        self._by_name.setdefault(name, []).append(body)
        self._good[name] += self.good(body)
        if "StatusCode" in body or "Status" in body:
            self._marked.append(body)

    def told(self, true: Callable[[Dict[str, Any]], bool]) -> bool:
        """Whether *true* holds for an update of every monitor."""
        lists = [self._by_name.get(name, []) for name in self.monitored]
        return all(any(map(true, reversed(bodies))) for bodies in lists)

    def heard_of(self, names: Iterable[str]) -> bool:
        """Whether there was an update of each of *names*."""
        return self._by_name.keys() >= set(names)

    def latest(self) -> Dict[str, Dict[str, Any]]:
        return {name: bodies[-1] for name, bodies in self._by_name.items()}

    def receive(self) -> None:
        """Receive one message from opcws."""
        message = self.client.receive()
        header, body = message["Header"], message.get("Body") or {}
        kind = header["MessageType"]
        if kind == "MONITORUPDATE_MESSAGE":
            self._note(body["Variable"], body)
        elif kind == "SERVERSTATUS_MESSAGE":
            self.states.append(body["State"])
            self.reasons.append(body.get("Reason", ""))
        else:
            assert header["ClientHandle"] not in self.answers, "answered twice: %s" % message
            self.answers[header["ClientHandle"]] = body

    def until(self, true: Callable[[], Any], what: str, patience: float = 2 * PATIENCE) -> None:
        """Receive until *true* holds."""
        deadline = time.monotonic() + patience
        while not true():
            assert time.monotonic() < deadline, "not within %g s: %s; told %s, %s" % (
                patience,
                what,
                self.statuses(),
                self.reasons,
            )
            self.receive()

    def ask(self, operation: str, body: Any, handle: str) -> None:
        """Send a request; its response will be in ``answers``."""
        self.answers.pop(handle, None)
        self.client.send(operation, body, handle)

    def answer(self, operation: str, body: Any, handle: str = "a") -> Dict[str, Any]:
        self.ask(operation, body, handle)
        self.until(lambda: handle in self.answers, "the answer to %s" % operation)
        return self.answers.pop(handle)

    def statuses(self) -> Tuple[str, ...]:
        """The statuses that the monitors got, each once, in order; without Good."""
        seen: Dict[str, None] = {}
        for body in self._marked:
            if "StatusCode" in body:
                seen[body["StatusCode"]] = None
            elif body.get("Status", 0) & status_codes.OVERFLOW == status_codes.OVERFLOW:
                seen["Good with Overflow"] = None
        return tuple(seen)

    def numbers(self, name: str = "Count.0") -> List[int]:
        return [body["Value"]["Body"] for body in self._by_name.get(name, ()) if self.good(body)]

    def disorder(self) -> List[str]:
        """Where a counter did not count one by one: lost, doubled or misordered values."""
        return [
            "%s: %d after %d" % (name, later, earlier)
            for name in self.monitored
            for earlier, later in zip(self.numbers(name), self.numbers(name)[1:])
            if later != earlier + 1
        ]

    def collect(self, count: int) -> None:
        """Receive until each counter brought *count* more values."""
        wanted = {name: self._good[name] + count for name in self.monitored}
        self.until(
            lambda: all(self._good[name] >= many for name, many in wanted.items()),
            "%d values of each" % count,
        )


def resident_kib() -> int:
    """Resident memory of this process, 0 if the system does not tell."""
    gc.collect()
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    except OSError:
        return 0


Do = Callable[[Scene], Any]
Run = Callable[[Scene], Outcome]


def nothing(_scene: Scene) -> None:
    """The fault ends by itself."""


def lost(strike: Do, mend: Do = nothing, read: bool = True) -> Run:
    """The connection must be given up and must be made again."""

    def run(scene: Scene) -> Outcome:
        before, kib = set(support.our_threads()), resident_kib()
        generation = scene.supervisor.generations
        highest = max(scene.numbers(), default=0)
        scene.clear()
        began = time.monotonic()
        strike(scene)
        if read:
            scene.ask("READ", {"Variable": "Setpoint"}, "r")
        scene.until(lambda: "BadNotConnected" in scene.statuses(), "the loss was noticed")
        noticed = time.monotonic()
        scene.until(lambda: scene.told(lambda body: not scene.good(body)), "all were told")
        scene.until(lambda: "disconnected" in scene.states, "the state")
        assert any(scene.reasons), "the clients are told why"
        mend(scene)
        mended = time.monotonic() if mend is not nothing else began
        # Earlier statuses and states do not count.
        seen, states = scene.statuses(), tuple(scene.states)
        scene.keep_from(_last_bad(scene) + 1)
        scene.until(lambda: scene.told(scene.good), "every monitor has a value again")
        recovered = time.monotonic()
        scene.until(lambda: scene.states[-1] == "connected", "the state")
        assert scene.supervisor.generations > generation
        if mend is nothing:
            assert min(scene.numbers(), default=highest) >= highest, "an older value came again"
        scene.collect(5)
        assert scene.answer("READ", {"Variable": "Setpoint"})["Value"]["Body"] == 1.5
        rule = scene.proxy.to_client
        assert not isinstance(rule, Strike) or rule.exhausted, "the fault did not happen"
        answer = None
        if read:
            scene.until(lambda: "r" in scene.answers, "the READ is answered")
            answer = ("READ", scene.answers["r"].get("StatusCode", "Good"))
        return Outcome(
            seen,
            answer,
            (*states, "connected"),
            noticed - began,
            recovered - mended,
            *_left(before, kib),
        )

    return run


def _last_bad(scene: Scene) -> int:
    return max(place for place, (_name, body) in enumerate(scene.updates) if not scene.good(body))


def _left(before: Set[str], kib: int) -> Tuple[int, int]:
    """(threads, KiB) more than before."""
    with contextlib.suppress(AssertionError):
        wait_until(lambda: set(support.our_threads()) <= before, "threads end")
    return len(set(support.our_threads()) - before), max(0, resident_kib() - kib)


def harmless(strike: Do, happened: Do, values: int = 50, mend: Do = nothing) -> Run:
    """The fault happens (*happened* tells), and clients notice nothing."""

    def run(scene: Scene) -> Outcome:
        before, kib = set(support.our_threads()), resident_kib()
        generation = scene.supervisor.generations
        scene.clear()
        scene.collect(1)
        strike(scene)
        scene.ask("READ", {"Variable": "Setpoint"}, "r")
        scene.collect(values)
        wait = time.monotonic() + 2 * PATIENCE
        while not happened(scene):
            assert time.monotonic() < wait, "the fault did not happen"
            scene.receive()
        scene.collect(values)
        scene.until(lambda: "r" in scene.answers, "the READ is answered")
        assert scene.supervisor.generations == generation, scene.reasons
        disorder = scene.disorder()
        assert not disorder, disorder
        mend(scene)
        answer = ("READ", scene.answers["r"].get("StatusCode", "Good"))
        return Outcome(
            scene.statuses(), answer, tuple(scene.states), None, None, *_left(before, kib)
        )

    return run


def striking(*arguments: Any, **options: Any) -> Do:
    """A :class:`~tests.support.proxy.Strike` on chunks to opcws."""

    def strike(scene: Scene) -> None:
        scene.proxy.to_client = Strike(*arguments, **options)

    return strike


def struck(count: int = 1) -> Do:
    return lambda scene: scene.proxy.to_client.count >= count  # type: ignore[union-attr]


def healed(scene: Scene) -> None:
    scene.proxy.heal()


def while_connecting(*arguments: Any, **options: Any) -> Do:
    """A strike on chunks while a connection is made."""

    def strike(scene: Scene) -> None:
        scene.proxy.to_client = Strike(*arguments, **options)
        scene.proxy.reset()

    return strike


def after_attempts(count: int, mend: Do) -> Do:
    """*mend* after *count* failed attempts of opcws."""

    def run(scene: Scene) -> None:
        wanted = scene.proxy.accepted + count
        scene.until(lambda: scene.states, "the state")
        wait_until(lambda: scene.proxy.accepted >= wanted, "opcws tries again")
        mend(scene)

    return run


def _this_connection(rule: proxy.Rule, scene: Scene) -> proxy.Rule:
    present = scene.proxy.accepted
    return lambda chunk, flow: rule(chunk, flow) if flow.number == present else (chunk,)


def _swallow(scene: Scene) -> None:
    scene.proxy.swallowing = True


def _say_nothing(scene: Scene) -> None:
    scene.proxy.to_client = lambda _chunk, _flow: ()
    scene.proxy.reset()


def _only_acknowledge(scene: Scene) -> None:
    scene.proxy.to_client = lambda chunk, _flow: (chunk,) if chunk.kind == b"ACK" else ()
    scene.proxy.reset()


def _session_closed(scene: Scene) -> None:
    status = status_codes.code("BadSessionClosed")
    rule = Strike(proxy.any_message, proxy.fault(status), times=-1)
    scene.proxy.to_client = _this_connection(rule, scene)


def _kill(scene: Scene) -> None:
    scene.plant.kill()


def _start(*arguments: str) -> Do:
    return lambda scene: scene.plant.start(arguments)


def _connect_anew(scene: Scene) -> None:
    """Make a new generation that has the proxy's rules from its first byte."""
    scene.clear()
    scene.proxy.reset()
    scene.until(lambda: "connected" in scene.states, "a new generation")
    scene.keep_from(None)
    scene.until(lambda: scene.told(scene.good), "every monitor has a value again")


def too_many_publish_requests(scene: Scene) -> Outcome:
    """The limit holds from the start of a generation; that generation must live."""
    limit = proxy.PublishLimit(1)
    scene.proxy.to_client, scene.proxy.to_server = limit.to_client, limit.to_server
    _connect_anew(scene)
    return harmless(nothing, lambda _scene: limit.refused)(scene)


def no_metadata(scene: Scene) -> Outcome:
    """The attributes other than values are read when a generation begins."""
    striking(proxy.response("TranslateBrowsePathsToNodeIds"), proxy.fault(BAD_INTERNAL_ERROR))(
        scene
    )
    _connect_anew(scene)
    return harmless(nothing, struck())(scene)


def republish_refused(scene: Scene) -> Outcome:
    """A publish response is lost, and the server cannot repeat it."""
    before, kib = set(support.our_threads()), resident_kib()
    scene.clear()
    gone = status_codes.code("BadMessageNotAvailable")
    drop = Strike(proxy.with_notifications, proxy.dropped)
    refuse = Strike(proxy.response("Republish"), proxy.fault(gone))

    def rule(chunk: proxy.Chunk, flow: proxy.Flow) -> proxy.Sent:
        for each in (drop, refuse):
            sent = each(chunk, flow)
            if sent != (chunk,):
                return sent
        return (chunk,)

    began = time.monotonic()
    scene.proxy.to_client = rule
    flag = "Good with Overflow"
    scene.until(lambda: flag in scene.statuses(), "the loss is told")
    noticed = time.monotonic() - began
    assert drop.count == refuse.count == 1
    for name in scene.monitored:
        bodies = [body for told, body in scene.updates if told == name]
        for earlier, later in zip(bodies, bodies[1:]):
            jump = later["Value"]["Body"] - earlier["Value"]["Body"]
            assert jump == 1 or later.get("Status", 0) & status_codes.OVERFLOW
    scene.collect(20)
    return Outcome(scene.statuses(), None, tuple(scene.states), noticed, None, *_left(before, kib))


def answered(operation: str, body: Any, service: str) -> Run:
    """The request whose service fails gets that status; nothing else changes."""

    def strike(scene: Scene) -> None:
        # For ever, because heartbeats are Reads, too.
        striking(proxy.response(service), proxy.fault(BAD_INTERNAL_ERROR), times=-1)(scene)
        answer = scene.answer(operation, body)
        assert answer["StatusCode"] == "BadInternalError", answer
        scene.proxy.heal()

    def run(scene: Scene) -> Outcome:
        outcome = harmless(strike, lambda _scene: True)(scene)
        return outcome._replace(answer=(operation, "BadInternalError"))

    return run


def renewals(count: int) -> Run:
    """The secure channel is renewed *count* times under load."""
    renewed: List[float] = []

    def run(scene: Scene) -> Outcome:
        renew = session.Session.renew

        def counted(self: session.Session, deadline: Any) -> None:
            renew(self, deadline)
            renewed.append(time.monotonic())

        def strike(scene: Scene) -> None:
            scene.clear()

        with mock.patch.object(session.Session, "renew", counted):
            return harmless(strike, lambda _scene: len(renewed) >= count)(scene)

    return run


@contextlib.contextmanager
def fast_renewals() -> Iterator[None]:
    """Renew every 0.1 s, although more than 20 s are left."""
    with mock.patch.object(link, "CHANNEL_LIFETIME_MS", 20000), mock.patch.object(
        session, "RENEW_AFTER", 0.005
    ), mock.patch.object(supervisor, "WATCH_S", 0.05):
        yield


@contextlib.contextmanager
def fast_keep_alive() -> Iterator[None]:
    with mock.patch.object(subscription, "KEEP_ALIVE_S", 1.0):
        yield


def _clock_jumps(scene: Scene) -> None:
    assert isinstance(scene.plant, CountingProcess)
    # Then messages with the old token are under way when the new one is in use.
    scene.proxy.delay_s = 0.05
    for seconds in (-86400, 2 * 86400, -86400):
        scene.plant.command("clock %d" % seconds)
        scene.collect(30)


def own_clock_jumps(scene: Scene) -> Outcome:
    """The clock of opcws's machine is set; that must not matter."""
    real = time.time
    ahead = 0.0

    class Clock(datetime.datetime):
        @classmethod
        def utcnow(cls) -> Any:
            return datetime.datetime.utcnow() + datetime.timedelta(seconds=ahead)

    def jump(scene: Scene) -> None:
        nonlocal ahead
        scene.proxy.delay_s = 0.05
        for seconds in (-86400.0, 2 * 86400.0):
            ahead = seconds
            scene.collect(50)

    with mock.patch("time.time", lambda: real() + ahead), mock.patch(
        "opcua.common.connection.datetime", Clock
    ):
        return harmless(jump, lambda _scene: True)(scene)


TEXTS = ["Text.%d" % number for number in range(1000)]


def invalid_text(scene: Scene) -> Outcome:
    """One text among a thousand is not UTF-8; it is read, then monitored."""
    before, kib = set(support.our_threads()), resident_kib()
    scene.proxy.to_client = proxy.replaced(b"number 000500", b"number \xff\xfe0500")
    values = scene.answer("READ", {"Variables": TEXTS})["Values"]
    assert [each["Variable"] for each in values if "StatusCode" in each] == ["Text.500"]
    assert values[500]["StatusCode"] == "BadDecodingError"
    assert values[499]["Value"]["Body"] == "text number 000499"
    scene.clear()
    scene.ask("MONITORSTART", {"Variables": TEXTS}, "texts")
    scene.until(lambda: scene.heard_of(TEXTS), "each text")
    assert {name for name, body in scene.updates if not scene.good(body)} == {"Text.500"}
    assert not scene.disorder() and scene.supervisor.generations == 1
    answer = ("READ of 1000, for one of them", values[500]["StatusCode"])
    return Outcome(scene.statuses(), answer, (), None, None, *_left(before, kib))


def unknown_structure(scene: Scene) -> Outcome:
    """A value whose type only its server knows keeps its bytes."""
    before, kib = set(support.our_threads()), resident_kib()
    scene.clear()
    value = scene.answer("READ", {"Variable": "Structure"})["Value"]
    assert value["Type"] == 22 and value["Body"]["Encoding"] == 1
    assert base64.b64decode(value["Body"]["Body"]) == b"\x07\x00\x00\x00Malt"
    scene.ask("MONITORSTART", {"Variable": "Structure"}, "structure")
    scene.until(lambda: scene.heard_of(["Structure"]), "its value")
    assert scene.latest()["Structure"]["Value"] == value
    return Outcome(scene.statuses(), ("READ", "Good"), (), None, None, *_left(before, kib))


def other_nodes(scene: Scene) -> Outcome:
    """After a restart one node is missing and one has another type."""
    before, kib = set(support.our_threads()), resident_kib()
    scene.clear()
    began = time.monotonic()
    scene.plant.kill()
    scene.until(lambda: scene.told(lambda body: not scene.good(body)), "all were told")
    noticed = time.monotonic()
    scene.plant.start(["--without", "Count.3", "--as-text", "Count.4"])
    mended = time.monotonic()

    def latest() -> Dict[str, Any]:
        told = scene.latest().items()
        return {k: v for k, v in told if v.get("StatusCode") != "BadNotConnected"}

    scene.until(lambda: len(latest()) == COUNTERS, "every monitor is told what is now")
    recovered = time.monotonic()
    scene.until(lambda: scene.states[-1] == "connected", "the state")
    now = latest()
    assert [name for name in now if not scene.good(now[name])] == ["Count.3"]
    assert now["Count.3"]["Reason"]
    assert now["Count.4"]["Value"] == {"Type": 12, "Body": "text"}
    others = set(scene.monitored) - {"Count.3", "Count.4"}
    assert all(now[name]["Value"]["Type"] == 7 for name in others)
    status = scene.answer("WRITE", {"Variable": "Count.4", "Value": 5})["StatusCode"]
    assert status == "BadTypeMismatch", "it is a text now"
    assert scene.answer("WRITE", {"Variable": "Count.4", "Value": "new"}) in ({}, "")
    return Outcome(
        scene.statuses(),
        ("WRITE of the old type", status),
        tuple(scene.states),
        noticed - began,
        recovered - mended,
        *_left(before, kib),
    )


class Fault(NamedTuple):
    """A row of the table.

    ``limits`` are the most seconds for opcws to notice and to recover, ``updates`` the statuses
    that monitors must get if the connection is lost, ``around`` patches for the duration of the
    scene, ``server`` the kind of server (a :class:`Stage` knows them), ``more`` variables beside
    the counters, ``numbering`` as in the proxy.  A ``timed`` fault is noticed because an answer
    does not come in time.
    """

    name: str
    run: Run
    limits: Tuple[float, float] = (4.5, 5.0)
    updates: Tuple[str, ...] = ("BadNotConnected",)
    around: Callable[[], Any] = contextlib.nullcontext
    server: str = "plain"
    more: Sequence[str] = ()
    numbering: bool = True
    timed: bool = False


def _bomb(size: int, most: int) -> Run:
    return lost(striking(proxy.response("Read"), proxy.bomb(size, most)))


def _service(name: str, times: int = 2) -> Run:
    return lost(
        while_connecting(proxy.response(name), proxy.fault(BAD_INTERNAL_ERROR), times=times),
        read=False,
    )


def _monitor_another(scene: Scene) -> None:
    striking(proxy.response("CreateMonitoredItems"), proxy.fault(BAD_INTERNAL_ERROR))(scene)
    scene.ask("MONITORSTART", {"Variable": "Setpoint"}, "another")


def _stop_another(scene: Scene) -> None:
    scene.answer("MONITORSTART", {"Variable": "Setpoint"}, "another")
    scene.until(lambda: scene.heard_of(["Setpoint"]), "its value")
    striking(proxy.response("DeleteMonitoredItems"), proxy.fault(BAD_INTERNAL_ERROR))(scene)
    assert scene.answer("MONITORSTOP", {"Variable": "Setpoint"}, "another") in ({}, "")


def _slow(scene: Scene) -> None:
    scene.proxy.delay_s = 0.3


def _narrow(scene: Scene) -> None:
    scene.proxy.bytes_per_s = 100000.0


_YESTERDAY = {
    "Variable": "Setpoint",
    "StartTime": "2026-01-01T00:00:00Z",
    "EndTime": "2026-01-02T00:00:00Z",
}

FAULTS: List[Fault] = [
    Fault("server killed, then started on the same port", lost(_kill, _start()), (1.0, 5.0)),
    Fault(
        "server restarted with namespaces reordered",
        lost(_kill, _start("--namespace", "urn:a", "--namespace", "urn:b")),
        (1.0, 5.0),
    ),
    Fault(
        "server stopped (SIGSTOP) beyond every timeout, then continued",
        lost(
            lambda scene: scene.plant.freeze(), after_attempts(2, lambda scene: scene.plant.thaw())
        ),
        timed=True,
    ),
    Fault("TCP reset", lost(lambda scene: scene.proxy.reset()), (1.0, 5.0)),
    Fault("connection closed by the server", lost(lambda scene: scene.proxy.cut()), (1.0, 5.0)),
    Fault("half-open connection (everything swallowed)", lost(_swallow, healed), timed=True),
    Fault("garbage bytes", lost(lambda scene: scene.proxy.inject(b"\x00garbage" * 8)), (1.0, 5.0)),
    Fault(
        "a byte of a header corrupted",
        lost(striking(proxy.any_message, lambda chunk: (b"X" + chunk.data[1:],))),
        (1.0, 5.0),
    ),
    Fault(
        "gap in the channel's sequence numbers",
        lost(striking(proxy.any_message, proxy.skipping)),
        (1.0, 5.0),
    ),
    Fault("chunk sent twice", lost(striking(proxy.any_message, proxy.doubled)), (1.0, 5.0)),
    Fault(
        "bad signature on a secure channel",
        lost(striking(proxy.any_message, proxy.last_byte_flipped)),
        (1.0, 8.0),
        server="secure",
        numbering=False,
    ),
    Fault("every response 0.3 s late", harmless(_slow, lambda _scene: True, 30, healed)),
    Fault(
        "every response 0.3 s late, channel renewed meanwhile",
        harmless(_slow, lambda _scene: True, 60, healed),
        around=fast_renewals,
    ),
    Fault("connection of 100 kB/s", harmless(_narrow, lambda _scene: True, 30, healed)),
    Fault(
        "accepts TCP and says nothing",
        lost(_say_nothing, after_attempts(2, healed), read=False),
        timed=True,
    ),
    Fault(
        "answers Hello and then nothing",
        lost(_only_acknowledge, after_attempts(2, healed), read=False),
        timed=True,
    ),
    Fault(
        "response declared larger than agreed",
        lost(striking(proxy.response("Read"), proxy.said_to_have(0x7FFFFFFF))),
        (2.0, 5.0),
    ),
    Fault("chunk bomb (300 MB in large chunks)", _bomb(60000, 5000), (6.0, 8.0)),
    Fault("chunk bomb (a million tiny chunks)", _bomb(1, 1000000), (8.0, 10.0)),
    Fault("session closed by the server", lost(_session_closed), (2.0, 5.0)),
    Fault(
        "subscription ended by the server (StatusChangeNotification)",
        lost(lambda scene: scene.plant.command("end-subscriptions")),  # type: ignore[attr-defined]
        (2.0, 5.0),
    ),
    Fault(
        "publishing stops, all else goes on",
        lost(striking(proxy.response("Publish"), proxy.dropped, times=-1), healed),
        (8.0, 5.0),
        around=fast_keep_alive,
        timed=True,
    ),
    Fault(
        "publish responses lost",
        harmless(striking(proxy.with_notifications, proxy.dropped, times=20, every=5), struck(20)),
    ),
    Fault("publish response lost for good (Republish refused)", republish_refused),
    Fault("BadTooManyPublishRequests", too_many_publish_requests),
    Fault("59 renewals of the secure channel under load", renewals(59), around=fast_renewals),
    Fault(
        "clock of the server jumps by days, channel renewed meanwhile",
        harmless(_clock_jumps, lambda _scene: True),
        around=fast_renewals,
    ),
    Fault(
        "clock of opcws jumps by days, channel renewed meanwhile",
        own_clock_jumps,
        around=fast_renewals,
    ),
    Fault("one text of a thousand is no UTF-8", invalid_text, server="texts", more=TEXTS),
    Fault("unknown structure", unknown_structure, more=["Structure"]),
    Fault(
        "after a restart a node is missing, another has another type",
        other_nodes,
        (1.0, 5.0),
        ("BadNotConnected", "BadNodeIdUnknown"),
        server="changing",
    ),
    Fault("fault on OpenSecureChannel", _service("OpenSecureChannel"), (1.0, 5.0)),
    Fault(
        "fault on renewing the secure channel",
        harmless(
            striking(proxy.response("OpenSecureChannel"), proxy.fault(BAD_INTERNAL_ERROR), times=2),
            struck(2),
        ),
        around=fast_renewals,
    ),
    Fault("fault on CreateSession", _service("CreateSession"), (1.0, 5.0)),
    Fault("fault on ActivateSession", _service("ActivateSession"), (1.0, 5.0)),
    Fault("fault on CreateSubscription", _service("CreateSubscription"), (1.0, 5.0)),
    Fault("fault on CreateMonitoredItems", lost(_monitor_another), (2.0, 5.0)),
    Fault("fault on DeleteMonitoredItems", harmless(_stop_another, struck())),
    Fault(
        "fault on Publish",
        lost(striking(proxy.response("Publish"), proxy.fault(BAD_INTERNAL_ERROR))),
        (1.0, 5.0),
    ),
    Fault("fault on Read", answered("READ", {"Variable": "Setpoint"}, "Read")),
    Fault("fault on Write", answered("WRITE", {"Variable": "Setpoint", "Value": 1.5}, "Write")),
    Fault("fault on HistoryRead", answered("HISTORICALREAD", _YESTERDAY, "HistoryRead")),
    Fault("fault on TranslateBrowsePathsToNodeIds", no_metadata),
]


def certificates(folder: Path) -> Dict[str, Made]:
    """Self-signed certificates of ``server`` and ``client``, each with its own key."""
    return {
        name: pki.make(name, uri, ("localhost",), own_key=pki.key("counting " + name)).save(
            folder, name
        )
        for name, uri in (("server", "urn:counting:server"), ("client", "urn:opcws"))
    }


class Stage:
    """The processes for scenes: one counting server for each kind, started when first needed."""

    def __init__(self) -> None:
        self._plants: Dict[str, CountingProcess] = {}
        self._folder = tempfile.TemporaryDirectory()
        self._certificates: Dict[str, Made] = {}

    def close(self) -> None:
        for plant in self._plants.values():
            plant.kill()
        self._folder.cleanup()

    def scene(self, fault: Fault) -> Scene:
        kind = fault.server
        # With a thousand texts, so few changes that a busy machine can report them all.
        many = ["--texts", str(len(TEXTS)), "--period-ms", "100"]
        arguments: List[str] = many if kind == "texts" else []
        settings: Dict[str, Any] = dict(IMPATIENT) if fault.timed else {}
        if kind == "secure":
            if not self._certificates:
                self._certificates = certificates(Path(self._folder.name))
            server, client = self._certificates["server"], self._certificates["client"]
            arguments = ["--certificate", server.certificate_path, "--key", server.key_path]
            settings["security"] = {
                "policy": "Basic256Sha256",
                "mode": "SignAndEncrypt",
                "certificate": client.certificate_path,
                "key": client.key_path,
                "server_certificate": server.certificate_path,
            }
        plant = self._plants.get(kind)
        if plant is None:
            plant = self._plants[kind] = CountingProcess(namespaces=arguments)
        elif plant.process is None or plant.process.poll() is not None:
            plant.start(arguments)
        return Scene(plant, fault.numbering, fault.more, **settings)

    def run(self, fault: Fault) -> Outcome:
        with fault.around(), self.scene(fault) as scene:
            return fault.run(scene)


def peak_kib() -> Callable[[], int]:
    """Start to watch the peak of resident memory; call the result to get it.  0 if the system does
    not tell."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        return lambda: 0

    def most() -> int:
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith("VmHWM"):
                    return int(line.split()[1])
        return 0

    return most
