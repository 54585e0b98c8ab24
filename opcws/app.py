"""The running server, put together: plants, gateway, listeners; started and stopped in order."""

import logging
import threading
from typing import Any, List

from . import access, openfiles
from .affinity import Affinity
from .audit import UNAUDITED, AuditLog
from .config import Config
from .counters import Counters
from .credentials import CredentialFile
from .deadline import Deadline
from .gatekeeper import Gatekeeper
from .gateway import Gateway
from .operations import Operations
from .session import Session
from .ua import tlscert
from .ua.plant import Plant
from .ws.connection import Application
from .ws.handshake import Response
from .ws.listener import Listener

log = logging.getLogger(__name__)

#: Seconds within which everything ends, even if an OPC UA server hangs.
STOP_S = 4.5
#: Of these, what requests in flight have to be answered, and then clients to take what waits
#: for them and to answer the close frame.
ANSWERS_S = 1.0
CLIENTS_S = 1.5
#: What the last lines of the audit log have, at most; and if nothing is left.
AUDIT_S = 1.0
AUDIT_LEAST_S = 0.2

#: Seconds between two looks at whether who is connected still may be.
JUDGE_S = 2.0

#: Stack of each thread, in bytes: several times what messages.MAX_DEPTH levels of JSON take, and
#: a small part of what a host would otherwise reserve.
STACK_BYTES = 512 * 1024


class _Served(Application):
    """The gateway, and what operators look at, as the socket side sees them."""

    def __init__(self, gateway: Gateway, operations: Operations, gatekeeper: Gatekeeper) -> None:
        self.gatekeeper = gatekeeper
        self._gateway = gateway
        self._operations = operations

    def open(self, session: Session, wants_status: bool) -> None:
        self._gateway.open(session, wants_status)

    def handle(self, session: Session, text: str) -> None:
        self._gateway.handle(session, text)

    def close(self, session: Session) -> None:
        self._gateway.close(session)

    def report(self, endpoint: str) -> Response:
        document = self._operations.document(endpoint)
        return Response(document.status, document.body, document.content_type)


class Server:
    """opcws with the configuration *config*.

    >>> server = Server(config)   # ConfigError: TLS files
    >>> server.start()            # ListenError
    >>> server.stop()
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.plants = {name: Plant(server) for name, server in config.servers.items()}
        self.audit = UNAUDITED if config.audit is None else AuditLog(config.audit)
        self.gateway = Gateway(config.variables, self.plants, self.audit)
        self.gatekeeper = Gatekeeper(
            access.compile_roles(config.roles, config.variables),
            CredentialFile(config.credentials),
        )
        self.affinity = Affinity(config.process.cpu_affinity)
        #: How often each limit was hit.
        self.counters = Counters()
        self.operations = Operations(
            lambda: list(self.plants.values()),
            lambda: list(self.listeners),
            self.gateway.replies.totals,
            self.counters.snapshot,
            self.audit.status,
            lambda: [self._judging, *self.audit.threads],
        )
        served = _Served(self.gateway, self.operations, self.gatekeeper)
        self.listeners = [
            Listener(listen, served, self.counters, tlscert.judge) for listen in config.listen
        ]
        self._stopping = threading.Event()
        # A daemon, because a file system that hangs must not keep the process; stop() joins it.
        self._judging = threading.Thread(target=self._judge, name="opcws-access", daemon=True)

    @property
    def urls(self) -> List[str]:
        """Where a browser finds each listener."""
        return [listener.url for listener in self.listeners]

    def start(self) -> None:
        """Listen, then begin to connect to the OPC UA servers; returns at once.

        Raises :exc:`~opcws.errors.ListenError`, or :exc:`~opcws.errors.ConfigError` for an
        audit log that cannot be written and for a CPU that is not there, with nothing left running.
        """
        threading.stack_size(STACK_BYTES)
        openfiles.allow(openfiles.needed(self.config.listen))
        try:
            self.affinity.start()
            self.audit.start()
            for listener in self.listeners:
                listener.open()
        except Exception:
            for listener in self.listeners:
                listener.stop(Deadline(1.0))
            self.audit.stop(Deadline(1.0))
            self.affinity.stop(Deadline(1.0))
            raise
        for plant in self.plants.values():
            plant.start()
        for listener in self.listeners:
            listener.start()
        self._judging.start()
        for listener in self.listeners:
            log.info("listening on %s", listener.url)

    def stop(self, seconds: float = STOP_S) -> None:
        """Accept no more, answer what is in flight, tell clients (1001), leave the OPC UA
        servers, end every thread within *seconds*."""
        self.operations.stop()
        deadline = Deadline(seconds)
        self._stopping.set()
        self.gatekeeper.stop()
        answers = Deadline(min(ANSWERS_S, seconds / 2))
        _in_parallel("listener", [listener.settle for listener in self.listeners], answers)
        clients = Deadline(deadline.bounded(CLIENTS_S))
        for plant in self.plants.values():
            plant.supervisor.leave()
        _in_parallel("listener", [listener.stop for listener in self.listeners], clients)
        _in_parallel("plant", [plant.stop for plant in self.plants.values()], deadline)
        if self._judging.is_alive():
            self._judging.join(deadline.bounded(1.0))
        # Behind the plants: what they were doing has results.
        self.audit.stop(Deadline(deadline.bounded(AUDIT_S) or AUDIT_LEAST_S))
        self.affinity.stop(Deadline(1.0))
        log.info("stopped")

    # --- opcws-access ---------------------------------------------------------------------------

    def _judge(self) -> None:
        """Turn out who has lost the right to be here: a token revoked or expired, a user gone."""
        while not self._stopping.wait(JUDGE_S):
            for listener in self.listeners:
                for connection in listener.connections():
                    try:
                        connection.judge()
                    except Exception:
                        log.exception("%s: a defect while judging", connection.name)


def _in_parallel(what: str, stops: List[Any], deadline: Deadline) -> None:
    """Call each of *stops* with *deadline*, at the same time: one that hangs delays no other."""
    threads = [
        threading.Thread(target=stop, args=(deadline,), name="opcws-stop-" + what, daemon=True)
        for stop in stops
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(deadline.bounded(60.0) + 1.0)
