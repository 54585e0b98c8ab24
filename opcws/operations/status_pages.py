"""Pages for the operators of opcws: ``/healthz``, ``/readyz``, ``/metrics``, ``/status``.

Rules:

* Reading the numbers costs working threads nothing: it takes no lock of a request or a value.
* Any number of requests costs only a share of the time: ``/metrics`` and ``/status`` are reused for
  :data:`KEPT_TIMES` the time that it took to make them.
* No page contains the value of a variable, a password or a token.

Threads: any.
"""

import json
import platform
import threading
import time
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
)

from .. import __version__
from ..wire import contract
from ..wire.timestamps import utc_text
from . import form
from .metrics import CONTENT_TYPE, Metrics, Numbers

#: For how many times the time to make it a document is reused.
KEPT_TIMES = 10.0
#: Most clients in ``/status``.
MAX_CLIENTS = 1000

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


class Document(NamedTuple):
    """An answer with its HTTP status."""

    status: int
    body: bytes
    content_type: str


class Watched(Protocol):
    """An owner of threads that must live, with a part of ``/status``."""

    name: str

    @property
    def threads(self) -> List[threading.Thread]: ...

    def status(self) -> Mapping[str, Any]: ...


class Plant(Watched, Protocol):
    """An OPC UA server for the status pages."""

    def statistics(self) -> Mapping[str, Any]:
        """Numbers by their sources in :data:`.metrics.FAMILIES`.  Counts never go down; other
        numbers are present values."""


class Listener(Watched, Protocol):
    """A listener for the status pages."""

    def statistics(self) -> Mapping[str, Any]:
        """As those of a plant."""

    def clients(self) -> List[Mapping[str, Any]]:
        """Each connected client, for ``/status``."""


class Taker(Protocol):
    """A receiver of values for the status pages."""

    @property
    def threads(self) -> List[threading.Thread]: ...

    def status(self) -> Mapping[str, Any]: ...

    @property
    def values(self) -> int: ...

    @property
    def dropped(self) -> int: ...

    @property
    def backlog(self) -> int: ...

    @property
    def bytes(self) -> int: ...


class Recorder(Taker, Protocol):
    """What records them."""

    @property
    def failed(self) -> bool: ...


class Publisher(Taker, Protocol):
    """The publisher to a broker."""

    @property
    def connected(self) -> bool: ...

    @property
    def active(self) -> bool: ...

    @property
    def messages(self) -> int: ...

    @property
    def refused(self) -> int: ...


class StatusPages:
    """*plants*, *listeners*, *replies* (by operation and status), *limits* (hits by name), *audit*
    (the status of the audit log, or ``None``), *recorder* and *publisher* (or ``None``) and
    *threads* (other threads that must live) are called each time, because the configuration may
    change."""

    def __init__(
        self,
        plants: Callable[[], Sequence[Plant]],
        listeners: Callable[[], Sequence[Listener]],
        replies: Callable[[], Mapping[Tuple[str, str], float]],
        limits: Callable[[], Mapping[str, int]],
        audit: Callable[[], Optional[Mapping[str, Any]]],
        recorder: Callable[[], Optional[Recorder]],
        publisher: Callable[[], Optional[Publisher]],
        threads: Callable[[], Sequence[threading.Thread]],
    ) -> None:
        self._plants = plants
        self._listeners = listeners
        self._replies = replies
        self._limits = limits
        self._audit = audit
        self._recorder = recorder
        self._publisher = publisher
        self._threads = threads
        self._started = time.time()
        self._began = time.monotonic()
        self._metrics = Metrics(self._numbers)
        self._stopping = False
        self._documents: Dict[str, Callable[[], Document]] = {
            "healthz": self._healthz,
            "readyz": self._readyz,
            "metrics": _Kept(lambda: Document(200, self._metrics.text(), CONTENT_TYPE)),
            "status": _Kept(lambda: _json(200, self.status())),
        }

    def stop(self) -> None:
        """opcws is stopping, and not ready from now on."""
        self._stopping = True

    def document(self, endpoint: str) -> Document:
        """``healthz``, ``readyz``, ``metrics`` or ``status``; :exc:`KeyError` for another."""
        return self._documents[endpoint]()

    # --- /healthz, /readyz ----------------------------------------------------------------------

    def _healthz(self) -> Document:
        """Whether the process works: every thread that must live does."""
        if not self._stopping:
            owners: List[Watched] = [*self._plants(), *self._listeners()]
            threads = [thread for owner in owners for thread in owner.threads]
            threads += self._threads()
            for each in (self._recorder(), self._publisher()):
                threads += [] if each is None else each.threads
            gone = [thread.name for thread in threads if not thread.is_alive()]
            if gone:
                text = "these threads have ended: %s; restart opcws, its log says why\n"
                return Document(503, (text % ", ".join(sorted(gone))).encode("utf-8"), TEXT)
        return Document(200, b"ok\n", TEXT)

    def _readyz(self) -> Document:
        """Whether clients can work: every required OPC UA server is connected."""
        missing = []
        for plant in self._plants():
            told = plant.status()
            if told["Required"] and told["State"] != "connected":
                names = ("Server", "State", "Since", "Reason")
                missing.append({name: told[name] for name in names if name in told})
        ready = not missing and not self._stopping
        members: Dict[str, Any] = {"Ready": ready, "Missing": missing}
        if self._stopping:
            members["Reason"] = "opcws is stopping"
        return _json(200 if ready else 503, members)

    # --- /status --------------------------------------------------------------------------------

    def status(self) -> Dict[str, Any]:
        """As ``schemas/status.schema.json`` says."""
        clients: List[Mapping[str, Any]] = []
        listeners = []
        for listener in self._listeners():
            there = listener.clients()
            listeners.append({**listener.status(), "Clients": len(there)})
            clients += there
        audit, recorder, publisher = self._audit(), self._recorder(), self._publisher()
        return {
            **({} if audit is None else {"Audit": dict(audit)}),
            **({} if recorder is None else {"Recorder": dict(recorder.status())}),
            **({} if publisher is None else {"Publisher": dict(publisher.status())}),
            "Version": __version__,
            "Form": form.FORM,
            "Contract": contract.VERSION,
            "Started": utc_text(self._started),
            "UptimeSeconds": round(time.monotonic() - self._began, 3),
            "Servers": [plant.status() for plant in self._plants()],
            "Listeners": listeners,
            "ClientCount": len(clients),
            "Clients": clients[:MAX_CLIENTS],
            "LimitsHit": dict(self._limits()),
        }

    # --- /metrics -------------------------------------------------------------------------------

    def _numbers(self) -> Iterator[Numbers]:
        audit, recorder, publisher = self._audit(), self._recorder(), self._publisher()
        yield Numbers(
            "",
            "",
            {
                "build": {(__version__, contract.VERSION, platform.python_version(), form.FORM): 1},
                "started": self._started,
                "threads": threading.active_count(),
                "replies": self._replies(),
                "limits": self._limits(),
                "audit_working": None if audit is None else audit["State"] == "good",
                "audit_written": audit and audit["Written"],
                "audit_waiting": audit and audit["Waiting"],
                "audit_lost": audit and audit["Lost"],
                **_of("recorder", recorder, "failed"),
                **_of("publisher", publisher, "connected", "active", "messages", "refused"),
            },
        )
        for listener in self._listeners():
            yield Numbers("listener", listener.name, listener.statistics())
        for plant in self._plants():
            yield Numbers("server", plant.name, plant.statistics())


def _of(kind: str, taker: Optional[Taker], *more: str) -> Dict[str, float]:
    if taker is None:
        return {}
    names = ("values", "dropped", "backlog", "bytes", *more)
    return {"%s_%s" % (kind, name): getattr(taker, name) for name in names}


def _json(status: int, members: Mapping[str, Any]) -> Document:
    text = json.dumps(members, indent=2, sort_keys=True)
    return Document(status, text.encode("ascii") + b"\n", JSON)


class _Kept:
    """The document of *make*, reused for a while."""

    def __init__(self, make: Callable[[], Document]) -> None:
        self._make = make
        # Guards everything below; if several threads ask at once, one makes the document and the
        # others wait.
        self._lock = threading.Lock()
        self._document: Optional[Document] = None
        self._made_at = 0.0
        self._took_s = 0.0

    def __call__(self) -> Document:
        with self._lock:
            began = time.perf_counter()
            document = self._document
            if document is None or began - self._made_at >= KEPT_TIMES * self._took_s:
                document = self._document = self._make()
                self._made_at = time.perf_counter()
                self._took_s = self._made_at - began
            return document
