"""The accept loop of one configured address, and its connections.

Threads: ``opcws-accept-N`` only accepts; each connection does TLS and HTTP on its own thread, so
that a silent client delays no other.
"""

import itertools
import logging
import os
import selectors
import socket
import threading
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ..config.settings import Listen
from ..model import socket_errors
from ..model.addresses import Peer, counted_as
from ..model.deadline import Deadline
from ..model.errors import ConfigError, ListenError
from ..operations import open_files, thread_switching
from ..operations.connection_id import ConnectionId
from ..operations.limit_hits import LimitHits
from ..operations.log_limit import LogLimit
from .connection import GOING_AWAY, Connection, Shared
from .connection_counts import ConnectionCounts, clients
from .connection_limits import ConnectionLimits
from .http_message import reason
from .processor_share import ProcessorShare
from .tls import ServerTLS

log = logging.getLogger(__name__)

#: Connections that may wait to be accepted, so that none of some thousand at once must try again;
#: Linux takes no more than net.core.somaxconn.
BACKLOG = 4096
#: Seconds between attempts while the process has no file descriptor or thread left.
PAUSE_S = 0.5
#: Seconds for a connection in its handshake to release its descriptor.
SHORT_PAUSE_S = 0.05

#: Seconds for requests in flight to be answered before a listener ends.
ANSWERS_S = 1.0
#: The close reason when a change of the configuration closes a connection.
CHANGED = "the configuration has changed"

# Only Windows has it: without it another program could take over the port.
_EXCLUSIVE: int = getattr(socket, "SO_EXCLUSIVEADDRUSE", 0)

#: Bytes that the system buffers for a client beyond those on their way.  By default it would buffer
#: megabytes, in which updates grow old that the outbox would have replaced by later ones.
NOT_SENT_BYTES = 128 * 1024
# tcp(7); only some systems have it.
_NOT_SENT: Optional[int] = getattr(socket, "TCP_NOTSENT_LOWAT", None)

# select(), the only choice on Windows, takes descriptors of any number there; elsewhere none above
# 1023, and a listener may begin when clients have all of these.
_Selector: Any = getattr(selectors, "PollSelector", selectors.SelectSelector)

_numbers = itertools.count(1)


class Listener:
    """Listens as *listen* says and serves *application* (see
    :class:`~opcws.ws.application.Application`).  *limit_hits* counts the limits that are hit;
    all listeners have the same *processor_share*.

    Raises :exc:`~opcws.model.errors.ConfigError` if the files of ``listen.tls`` cannot be used.
    """

    def __init__(
        self,
        listen: Listen,
        application: Any,
        limit_hits: Optional[LimitHits] = None,
        processor_share: Optional[ProcessorShare] = None,
    ) -> None:
        self._listen = listen
        #: The first address, as ``host:port``, after :meth:`open`.
        self.name = ""
        self._limit_hits = limit_hits or LimitHits()
        self._places = ConnectionLimits(self._limit_hits)
        self._files: Optional[int] = None
        log_limit = LogLimit()
        self._log = partial(log_limit.log, log)
        self._shared = Shared(
            application,
            self._places,
            log_limit,
            self._limit_hits,
            processor_share or ProcessorShare(),
            self._forget,
        )
        self._tls = None if listen.tls is None else ServerTLS(listen.tls)
        self._sockets: List[socket.socket] = []
        # Guards _connections and _totals.
        self._lock = threading.Lock()
        self._connections: Dict[Connection, None] = {}
        self._totals = ConnectionCounts()
        self._stopping = threading.Event()
        self._suspended = False
        self._stopped = False
        self._waker, self._woken = socket.socketpair()
        self._thread: Optional[threading.Thread] = None

    def open(self) -> None:
        """Bind and listen.  Raises :exc:`~opcws.model.errors.ListenError`."""
        listen = self._listen
        try:
            found = socket.getaddrinfo(
                listen.host or None, listen.port, 0, socket.SOCK_STREAM, 0, socket.AI_PASSIVE
            )
        except OSError as error:
            raise ListenError(
                "cannot listen on %s: the host name is not known (%s)"
                % (listen.host, socket_errors.text(error))
            ) from None
        self._files = open_files.for_connections()
        port = listen.port
        for family, kind, protocol, _name, address in dict.fromkeys(found):
            sock = socket.socket(family, kind, protocol)
            try:
                if os.name == "nt":
                    sock.setsockopt(socket.SOL_SOCKET, _EXCLUSIVE, 1)
                else:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind((address[0], port, *address[2:]))
                sock.listen(BACKLOG)
                sock.setblocking(False)
            except OSError as error:
                sock.close()
                self._close_sockets()
                raise ListenError(_why_not(listen, port, error)) from None
            # With port 0, all addresses of a name share the port of the first one.
            port = sock.getsockname()[1]
            self._sockets.append(sock)
        self.name = str(Peer(*self.addresses[0]))

    @property
    def addresses(self) -> List[Tuple[str, int]]:
        """(host, port) of each listening socket."""
        return [sock.getsockname()[:2] for sock in self._sockets]

    @property
    def url(self) -> str:
        """The URL of this listener for a browser."""
        host, port = self.addresses[0]
        found = Peer("localhost" if host in ("0.0.0.0", "::") else host, port)
        return "%s://%s/" % ("http" if self._tls is None else "https", found)

    def start(self) -> None:
        self._start_accepting()
        self._start_tls()

    def _start_accepting(self) -> None:
        # A daemon only so that a defect cannot keep the process; stop() joins it.
        self._thread = threading.Thread(
            target=self._run, name="opcws-accept-%d" % self.addresses[0][1], daemon=True
        )
        self._thread.start()

    def _start_tls(self) -> None:
        if self._tls is not None:
            self._tls.start("opcws-tls-%d" % self.addresses[0][1])

    def prepared(self, listen: Listen) -> Callable[[], None]:
        """Prepare to continue as *listen* says, at the same address, with the present contents of
        the TLS files; returns the step that does it.  It affects new connections; if TLS is
        switched on or off, open connections are closed.

        Raises :exc:`~opcws.model.errors.ConfigError`.
        """
        tls = None if listen.tls is None else ServerTLS(listen.tls)

        def go_on() -> None:
            before = self._tls
            self._listen = listen
            self._files = open_files.for_connections()
            if before is not None and listen.tls is not None:
                try:
                    before.reload(listen.tls)
                except ConfigError as error:  # the files were good a moment ago
                    log.error("%s", error)
                return
            self._tls = tls
            if before is not None:
                before.stop(Deadline(1.0))
            elif tls is not None:
                self._start_tls()
            if before is not tls:
                self.dismiss(CHANGED)

        return go_on

    def suspend(self) -> None:
        """Stop accepting and release the address for now; connections continue."""
        self._suspended = True
        self._stop_accepting(Deadline(1.0))
        self._woken.recv(1)

    def resume(self) -> None:
        """Accept again after :meth:`suspend`.  Raises :exc:`~opcws.model.errors.ListenError`."""
        self.open()
        self._suspended = False
        self._start_accepting()

    def dismiss(self, reason: str) -> None:
        """Start to close every connection (1001)."""
        for connection in self.connections():
            connection.close(GOING_AWAY, reason)

    def _stop_accepting(self, deadline: Deadline) -> None:
        self._waker.send(b"x")
        if self._thread is not None:
            self._thread.join(deadline.remaining())
        self._close_sockets()

    def retire(self, deadline: Deadline) -> None:
        """As :meth:`stop`, because the configuration no longer has this listener; requests in
        flight are answered first."""
        self.settle(Deadline(deadline.bounded(ANSWERS_S)))
        self.stop(deadline, CHANGED)

    def settle(self, deadline: Deadline) -> None:
        """Accept no more connections and requests; wait within *deadline* until requests in flight
        are answered."""
        self._shut_the_door(deadline)
        connections = self.connections()
        for connection in connections:
            connection.outbox.settle(0)
        for connection in connections:
            connection.outbox.settle(deadline.remaining())

    def stop(self, deadline: Deadline, reason: str = "opcws is stopping") -> None:
        """Accept no more, tell clients (1001), and end all connections within *deadline*.

        A second call does nothing.
        """
        if self._stopped:
            return
        self._stopped = True
        self._shut_the_door(deadline)
        self.dismiss(reason)
        for connection in self.connections():
            if not connection.join(deadline.remaining()):
                connection.abort()
                connection.join(0.5)
        if self._tls is not None:
            self._tls.stop(deadline)
        self._waker.close()
        self._woken.close()

    def _shut_the_door(self, deadline: Deadline) -> None:
        if not self._stopping.is_set():
            self._stopping.set()
            self._stop_accepting(deadline)

    def connections(self) -> List[Connection]:
        with self._lock:
            return list(self._connections)

    @property
    def threads(self) -> List[threading.Thread]:
        """The threads that must live until :meth:`stop`."""
        return [] if self._thread is None or self._suspended else [self._thread]

    def statistics(self) -> Dict[str, Any]:
        """All counts, also those of ended connections."""
        with self._lock:
            return self._totals.statistics(self._connections)

    def status(self) -> Dict[str, Any]:
        """What ``/status`` shows of the listener itself."""
        return {
            "Address": self.name,
            "TLS": self._tls is not None,
            "Scalars": self._listen.scalars,
        }

    def clients(self) -> List[Mapping[str, Any]]:
        return clients(self.connections())

    # --- opcws-accept ---------------------------------------------------------------------------

    def _run(self) -> None:
        with _Selector() as selector:
            for sock in (*self._sockets, self._woken):
                selector.register(sock, selectors.EVENT_READ)
            while not self._stopping.is_set() and not self._suspended:
                try:
                    ready = selector.select()
                except OSError:
                    if not self._stopping.is_set() and not self._suspended:
                        log.exception("accepting")
                    return
                for key, _events in ready:
                    if key.fileobj is not self._woken:
                        self._accept(key.fileobj)

    def _accept(self, sock: socket.socket) -> None:
        try:
            client, address = sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return  # the client left while it waited
        except OSError as error:
            self._no_room(socket_errors.text(error))
            return
        if self._files is not None and client.fileno() >= self._files:
            made = self._no_room(
                "the last %d open files are kept for other purposes" % open_files.RESERVE
            )
            client = _moved(client) if made else client
            if client.fileno() >= self._files:
                client.close()
                return
        peer = Peer(address[0], address[1])
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _NOT_SENT is not None:
                client.setsockopt(socket.IPPROTO_TCP, _NOT_SENT, NOT_SENT_BYTES)
        except OSError:
            client.close()
            return  # the client left; some systems report it here
        name = ConnectionId("opcws-ws-%d" % next(_numbers))
        connection = Connection(client, name, peer, self._listen, self._tls, self._shared)
        with self._lock:
            self._connections[connection] = None
            self._totals.accepted += 1
        self._end(self._places.arrived(connection, peer.host, self._listen.limits))
        thread_switching.adapt()
        try:
            connection.start()
        except RuntimeError as error:  # the system has no thread left
            self._log(logging.ERROR, "", "thread", "%s turned away: %s", peer, error)
            connection.refused = reason(503)
            self._forget(connection)
            client.close()
            self._stopping.wait(PAUSE_S)

    def _no_room(self, why: str) -> bool:
        """There is no room for a connection, perhaps because of silent ones.  Returns whether one
        of those was ended."""
        self._limit_hits.hit("open_files")
        text = "no room for a connection: %s; raise the limit of open files"
        self._log(logging.ERROR, "", "no room", text, why)
        victim = self._places.give_way()
        if victim is None:
            self._stopping.wait(PAUSE_S)
            return False
        self._end(victim)
        victim.join(SHORT_PAUSE_S)
        return True

    def _end(self, connection: Optional[Connection]) -> None:
        """End *connection*, which is in its handshake, to make room."""
        if connection is None:
            return
        connection.abort()
        text = "%s: %s: closed in its handshake, to make room for another one"
        address, names = counted_as(connection.address), (connection.name, connection.peer)
        self._log(logging.WARNING, address, "gave way", text, *names)

    def _forget(self, connection: Connection) -> None:
        thread_switching.adapt()
        self._places.ended(connection)
        with self._lock:
            if connection in self._connections:
                del self._connections[connection]
                self._totals.take(connection)

    def _close_sockets(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets = []


def _moved(client: socket.socket) -> socket.socket:
    """*client* at the lowest free descriptor."""
    try:
        moved = client.dup()
    except OSError:
        return client
    client.close()
    return moved


def _why_not(listen: Listen, port: int, error: OSError) -> str:
    code = getattr(error, "winerror", None) or error.errno
    if code in (98, 48, 10048):
        why = "another program does already; stop it, or set another listen.port"
    elif code in (13, 10013):
        why = "not allowed; ports below 1024 need rights, choose a listen.port above"
    elif code in (99, 49, 10049):
        why = "this machine has no such address; check listen.host"
    else:
        why = socket_errors.text(error)
    return "cannot listen on %s port %d: %s" % (listen.host, port, why)
