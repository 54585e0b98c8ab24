"""One connection *generation*: the library's framing and services, safe for threads.

A link is opened once and never repaired: any error ends it, and the supervisor makes a new one.
:mod:`opcws.ua.channel.session` makes the secure channel and the session; the library does the
framing and the rare services; the bodies of Read, Write, Publish and HistoryRead are bytes between
the library's framing and :mod:`opcws.ua.encoding.codec`.

Rules:

* Every exception of the library becomes a :exc:`~opcws.model.errors.PlantError` here.
* Any error ends the generation at once (:meth:`Link.fail`); the owner of the link closes its
  session on the server, within a time limit (:meth:`Link.close`).
* :meth:`Link.kill` takes no lock and joins nothing, so it works while another thread is stuck in a
  ``sendall`` that holds the library's lock; shutting down the socket frees that thread.

Threads: ``call`` may be used by any; ``_on_*`` run on the receiver ``opcws-ua-NAME-rx``.
"""

import errno
import logging
import os
import selectors
import socket
import threading
import time
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union
from urllib.parse import urlsplit

from ...config.settings import Server
from ...model import socket_errors, status_codes
from ...model.data_types import UINT32, DataValue, NodeId
from ...model.deadline import Deadline
from ...model.errors import PlantError
from ..encoding import lasting_statuses, service_bodies
from ..encoding.codec import U32_PACKING, encode_node_id
from ..encoding.server_types import DataTypes
from ..encoding.standard_types import OF_DEFINITIONS, standard_definition
from .answers import AbandonableAnswer, Answer
from .framing import NOT_OPC_UA, PlantSocket, plant_error
from .session import Session
from .subscription import Events, Subscriptions
from .trust import warn_once

log = logging.getLogger(__name__)

SESSION_TIMEOUT_MS = 60000
CHANNEL_LIFETIME_MS = 600000

#: Seconds for a server to read the end of a failed generation.
GOODBYE_S = 1.0

_NAMESPACE_ARRAY = NodeId(0, 2255)
_SERVER_STATE = NodeId(0, 2259)
#: MaxArrayLength, then of the OperationLimits MaxNodesPerRead, MaxNodesPerWrite,
#: MaxMonitoredItemsPerCall and MaxNodesPerTranslateBrowsePathsToNodeIds (OPC 10000-5 6.3.2,
#: 6.3.11).
_LIMITS = tuple(NodeId(0, number) for number in (11702, 11705, 11707, 11714, 11712))

#: Results of any service that mean the end of the session or the channel.
_OVER = frozenset(
    (
        "BadSessionIdInvalid",
        "BadSessionClosed",
        "BadSessionNotActivated",
        "BadSecureChannelIdInvalid",
        "BadSecureChannelClosed",
        "BadSecureChannelTokenUnknown",
        "BadShutdown",
        "BadServerHalted",
    )
)

#: The error of a waiting call when the connection has ended.
_NO_ANSWER = (CancelledError, FutureTimeout, TimeoutError, OSError)


class Link:
    """One generation of the connection to *server*.

    *events* gets the events of its subscriptions.  When the generation is over, ``lost`` is set,
    and ``lost_reason`` has the reason.
    """

    def __init__(self, server: Server, generation: int, events: Events) -> None:
        self.server = server
        self.generation = generation
        self._events = events
        self.namespaces: Tuple[str, ...] = ()
        self.namespace_indexes: Dict[str, int] = {}
        #: Sentences about duplicate URIs in it.
        self.namespace_notices: List[str] = []
        #: By the text of the NodeId in the configuration.
        self.encoded_node_ids: Dict[str, bytes] = {}
        #: Time of the last write by opcws to each node, by its encoded id; of the worker's thread.
        self.written_at: Dict[bytes, float] = {}
        self.lost = threading.Event()
        self.lost_reason = ""
        # Why opcws leaves; later errors of the server are not the reason.
        self._leaving: Optional[str] = None
        self._killed = False
        # Held by the thread that ends the session; others wait for it.
        self._ending = threading.Lock()
        self._goodbye: Optional[threading.Thread] = None
        self.heartbeat_at = time.monotonic()
        most = server.max_nodes_per_call
        #: Most nodes of a service call, by the server and the configuration.
        self.max_nodes_per_read = most
        self.max_nodes_per_write = most
        self.max_items_per_call = most
        self.max_paths_per_call = most
        #: Whether the server has answered for each limit.
        self.limits_told = True
        #: Most elements of an array that the server accepts; 0 without a limit.
        self.max_array_length = 0
        #: The known data types of the server; their ids are not valid in the next generation.
        self.data_types = DataTypes()
        self.subscriptions = Subscriptions(self, events)
        self._sock: Optional[socket.socket] = None
        self._request_s = server.request_timeout_ms / 1000.0
        self._socket: Optional[PlantSocket] = None
        self.session = Session(
            server, self._dial, self._hang_up, self.lost, CHANNEL_LIFETIME_MS, SESSION_TIMEOUT_MS
        )

    # --- opening, on the supervisor's thread ----------------------------------------------------

    def open(self, deadline: Deadline) -> None:
        """Connect, open the secure channel and the session, read the server's limits and
        namespaces.

        Raises :exc:`~opcws.model.errors.PlantError`.  :meth:`kill` from another thread ends it.
        """
        try:
            self.session.open(deadline)
            self._read_server(deadline)
        except Exception as error:
            problem = self._not_opened(error)
            if not isinstance(error, PlantError):
                problem = PlantError(problem.reason + self.session.hint, problem.status)
            self.fail(problem.reason)
            self.close(GOODBYE_S, problem.reason)
            raise problem from None
        self.heartbeat_at = time.monotonic()

    def discover(self, deadline: Deadline) -> Tuple[Sequence[Any], Sequence[Any]]:
        """Instead of :meth:`open`: the EndpointDescriptions and ApplicationDescriptions (of the
        library) that the server sends without a session; then the connection is closed.

        Raises :exc:`~opcws.model.errors.PlantError`.
        """
        try:
            return self.session.discover(deadline)
        except Exception as error:
            raise self._not_opened(error) from None
        finally:
            self.kill("discovery is over")
            self.close(0.0)

    def _not_opened(self, error: Exception) -> PlantError:
        # An earlier error is the cause of the end.
        is_consequence = isinstance(error, _NO_ANSWER) or (
            isinstance(error, PlantError) and error.reason == self.lost_reason
        )
        if self.lost.is_set() and self.lost_reason and is_consequence:
            stranger = self.lost_reason.startswith(NOT_OPC_UA)
            return PlantError(self.lost_reason + (_STRANGER if stranger else ""))
        return plant_error(error)

    def _dial(self, security: Any, deadline: Deadline) -> PlantSocket:
        """A socket of the framing, connected, with the *security* of its channel."""
        sock = self._connect(deadline)
        self._sock = sock
        if self.lost.is_set():
            sock.close()
            raise PlantError("stopped while connecting")

        def broken(reason: str) -> None:
            if self._socket is framing:
                self.fail(reason)

        framing = PlantSocket(
            self._request_s,
            security,
            "opcws-ua-%s-rx" % self.server.name,
            broken,
        )
        self._socket = framing
        framing.attach(sock)
        return framing

    def _hang_up(self) -> None:
        """End the last dialled connection, which is not the link's own."""
        framing, self._socket = self._socket, None
        sock = self._sock
        if framing is None or sock is None:
            return
        framing._do_stop = True
        try:
            framing.close_secure_channel()
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the server was faster
        sock.close()
        framing._thread.join(1.0)

    def _connect(self, deadline: Deadline) -> socket.socket:
        """A TCP connection, in slices, so that :meth:`kill` ends the attempt."""
        url = urlsplit(self.server.endpoint)
        problem = OSError("no address for %s" % url.hostname)
        try:
            found = socket.getaddrinfo(url.hostname, url.port or 4840, 0, socket.SOCK_STREAM)
        except socket.gaierror as error:
            text = socket_errors.text(error)
            raise PlantError("%s%s" % (text, _NO_HOST % url.hostname)) from None
        for number, (family, kind, protocol, _name, address) in enumerate(found):
            # An address without an answer leaves time for the next one.
            share = Deadline(deadline.bounded(3600.0) / (len(found) - number))
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setblocking(False)
                try:
                    sock.connect(address)
                except (BlockingIOError, InterruptedError):
                    self._await_connect(sock, share)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    raise OSError(code, os.strerror(code))
                sock.setblocking(True)
                return sock
            except OSError as error:
                sock.close()
                problem = error
        raise PlantError(socket_errors.text(problem) + _ADVICE.get(problem.errno or 0, ""))

    def _await_connect(self, sock: socket.socket, deadline: Deadline) -> None:
        while not deadline.expired and not self.lost.is_set():
            if _connected(sock, deadline.bounded(0.2)):
                return
        raise OSError(errno.ETIMEDOUT, "no answer from the address in time")

    def _read_names(self, nodes: Sequence[NodeId], deadline: Deadline) -> List[DataValue]:
        items = [service_bodies.read_value_id(encode_node_id(node)) for node in nodes]
        return service_bodies.read_names_response(
            *self._body(
                service_bodies.READ_REQUEST, service_bodies.read_request(items), deadline, Answer()
            )
        )

    def learn_limits(self, deadline: Deadline) -> None:
        """Ask again for the limits.  Raises :exc:`~opcws.model.errors.PlantError`."""
        try:
            self._obey(self._read_names(_LIMITS, deadline))
        except Exception as error:
            raise plant_error(error, "reading the limits of the OPC UA server") from None

    def _read_server(self, deadline: Deadline) -> None:
        results = self._read_names((_NAMESPACE_ARRAY, *_LIMITS), deadline)
        namespaces = results[0].value
        if namespaces is None or not namespaces.is_array:
            raise PlantError("the OPC UA server does not return its NamespaceArray")
        self.namespaces = tuple(uri or "" for uri in namespaces.value)
        self.namespace_indexes = {}
        for index, uri in enumerate(self.namespaces):
            if self.namespace_indexes.setdefault(uri, index) != index and uri:
                self._tell_twice(uri, index)
        self._obey(results[1:])

    def _tell_twice(self, uri: str, index: int) -> None:
        notice = (
            "the OPC UA server has the namespace %r twice: nsu= means the one with index %d; "
            "write ns=%d for nodes of the other" % (uri, self.namespace_indexes[uri], index)
        )
        if notice not in self.namespace_notices:
            self.namespace_notices.append(notice)
        warn_once("%s: %s" % (self.server.name, notice))

    def _obey(self, results: Sequence[DataValue]) -> None:
        """Apply the server's values of ``_LIMITS``; 0 means no limit."""
        self.limits_told = not any(lasting_statuses.may_pass(each.status) for each in results)
        limits = [
            each.value.value if each.value is not None and each.value.type == UINT32 else 0
            for each in results
        ]
        # The list of nodes of a service call is an array too.
        self.max_array_length = limits[0]
        most = min(self.server.max_nodes_per_call, limits[0] or self.server.max_nodes_per_call)
        (
            self.max_nodes_per_read,
            self.max_nodes_per_write,
            self.max_items_per_call,
            self.max_paths_per_call,
        ) = [min(most, limit or most) for limit in limits[1:5]]

    # --- services, on any thread ----------------------------------------------------------------

    def call(
        self,
        type_id: int,
        parameters: bytes,
        deadline: Deadline,
        doing: str,
        answer: Optional[AbandonableAnswer] = None,
    ) -> Tuple[bytes, int]:
        """Send a request of the codec and wait for its response, until *answer* is given up.

        Returns the response's bytes and where its parameters begin.  Raises
        :exc:`~opcws.model.errors.PlantError`: ``BadTimeout``, ``BadCommunicationError``, or the
        service's own status.
        """
        began = time.perf_counter()
        try:
            answered = self._body(type_id, parameters, deadline, answer or Answer())
        except Exception as error:
            status = plant_error(error, doing).status
            self._events.called(type_id, time.perf_counter() - began, status)
            raise plant_error(error, doing) from None
        self._events.called(type_id, time.perf_counter() - began, "Good")
        return answered

    def read(self, items: Sequence[bytes], deadline: Deadline, doing: str) -> List[DataValue]:
        """The results of ReadValueId *items*.  Raises :exc:`~opcws.model.errors.PlantError`, and
        :exc:`~opcws.model.errors.CodecError` for an invalid response."""
        request = service_bodies.read_request(items)
        data, position = self.call(service_bodies.READ_REQUEST, request, deadline, doing)
        return service_bodies.read_response(data, position, self.definitions)

    def _body(
        self,
        type_id: int,
        parameters: bytes,
        deadline: Deadline,
        answer: Union[Answer, AbandonableAnswer],
    ) -> Tuple[bytes, int]:
        timeout = deadline.bounded(3600.0)
        if not timeout:
            raise TimeoutError
        sock = self._socket
        if sock is None or self.lost.is_set():
            # Nothing was sent, so a write was certainly not executed.
            raise PlantError(self.lost_reason or "the connection is closed", "BadNotConnected")
        request_id = sock.send(type_id, parameters, int(timeout * 1000), answer)
        try:
            body = answer.wait(timeout)
        except TimeoutError:
            if not answer.kept:
                sock.forget(request_id)
            raise
        if body is None:
            raise PlantError(self.lost_reason or "the connection broke")
        data: bytes = body.read(len(body))
        head = service_bodies.response_head(data)
        if status_codes.is_bad(head.service_result):
            status = status_codes.name(head.service_result)
            if status in _OVER:
                self.fail("the OPC UA server has ended the session: %s" % status)
                raise PlantError(self.lost_reason)
            problem = PlantError(status_codes.reason(head.service_result), status)
            problem.beginning = data[head.position :]
            raise problem
        if head.type_id == service_bodies.SERVICE_FAULT:
            raise PlantError("the OPC UA server answered with a fault that says Good")
        # Any answer is a sign of life: a queue of requests must not look like a missing heartbeat.
        self.heartbeat_at = time.monotonic()
        return data, head.position

    def send(self, type_id: int, parameters: bytes, answer: Any) -> None:
        """Send a request without a time limit; *answer* gets its response.

        Raises :exc:`OSError`.
        """
        sock = self._socket
        if sock is not None:
            sock.send(type_id, parameters, 0, answer)

    def cancel(self, request_handle: int) -> None:
        """Tell the server that nobody waits for this request (Cancel, OPC 10000-4 5.6.5)."""
        try:
            self.send(service_bodies.CANCEL_REQUEST, U32_PACKING.pack(request_handle), Answer())
        except OSError as error:
            log.debug("%s: cancelling: %s", self.server.name, error)

    def library(self, doing: str, service: Callable[[Any], Any]) -> Any:
        """``service(socket)`` with the library's own structures, its errors mapped."""
        try:
            result = service(self._socket)
        except Exception as error:
            problem = plant_error(error, doing)
            if problem.status in _OVER:
                self.fail("the OPC UA server has ended the session: %s" % problem.status)
                problem = PlantError(self.lost_reason)
            raise problem from None
        self.heartbeat_at = time.monotonic()
        return result

    def definitions(self, type_id: NodeId) -> Any:
        """The definition of the structure whose encoding has this id, or ``None``."""
        return (
            standard_definition(type_id)
            or OF_DEFINITIONS.get(type_id)
            or self.data_types.structure(type_id)
        )

    def heartbeat(self) -> None:
        """Read ServerState.  Raises :exc:`~opcws.model.errors.PlantError`."""
        item = service_bodies.read_value_id(encode_node_id(_SERVER_STATE))
        self.read([item], Deadline(self._request_s), "heartbeat")

    def renewal_due(self) -> bool:
        """Whether :meth:`renew` must run now."""
        return time.monotonic() >= self.session.renew_at

    def renew(self) -> None:
        """Renew the secure channel.  Raises :exc:`~opcws.model.errors.PlantError`."""
        deadline = Deadline(self._request_s)
        self.library("renewing the secure channel", lambda _socket: self.session.renew(deadline))
        # The server uses the new token after the first message with it; a further renewal before
        # that would forget the token that it still uses.
        self.heartbeat()

    def verdict(self, silence_s: float) -> Optional[str]:
        """The problem of this generation, or ``None``.

        The last answer may be *silence_s* seconds old.  Takes no lock of the library.
        """
        now = time.monotonic()
        if now - self.heartbeat_at > silence_s:
            return "no heartbeat for %.1f s" % (now - self.heartbeat_at)
        silent_s = self.subscriptions.silent_for()
        if silent_s:
            return "nothing published for %.1f s" % silent_s
        if self._socket is None or not self._socket.receiving:
            return "the receiver has ended"
        if now > self.session.expires_at:
            return "the secure channel was not renewed in time"
        return None

    # --- the end --------------------------------------------------------------------------------

    def fail(self, reason: str) -> None:
        """End the generation, from any thread: waiting calls are freed, no more requests are sent,
        and its owner must :meth:`close` it."""
        self._lose(reason)
        if not self.session.begun:
            self.kill(reason)
        elif self._socket is not None and self._goodbye is None and not self.session.creating:
            self._socket.free_waiters()

    def _lose(self, reason: str) -> None:
        if not self.lost.is_set():
            self.lost_reason = self._leaving or reason
            self.lost.set()

    def kill(self, reason: str) -> None:
        """End the connection now, from any thread; waiting calls are freed, no thread is joined.
        The server keeps the session until its timeout."""
        self._lose(reason)
        self._killed = True
        if self._socket is not None:
            self._socket._do_stop = True
        sock = self._sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it never connected, or the peer was faster
            sock.close()

    def close(self, timeout: float, reason: str = "closed") -> None:
        """Close the session with its subscriptions, within *timeout* seconds; then kill.

        Closing may hang, so a separate thread does it; the kill frees that.
        """
        with self._ending:
            sock, self._leaving = self._socket, reason
            if self.session.begun and sock is not None and not self._killed and not sock.hung_up:
                self._goodbye = threading.Thread(
                    target=self._say_goodbye,
                    args=(Deadline(timeout),),
                    name="opcws-ua-%s-bye" % self.server.name,
                    daemon=True,
                )
                self._goodbye.start()
                self._goodbye.join(timeout)
                self.kill(reason)
                self._goodbye.join(0.5)
        self.kill(reason)
        if self._socket is not None and self._socket._thread is not None:
            self._socket._thread.join(0.5)

    def _say_goodbye(self, deadline: Deadline) -> None:
        try:
            self.session.close(self.subscriptions.leave(), deadline)
        except Exception as error:
            log.debug("%s: leaving: %s", self.server.name, error or type(error).__name__)


def _connected(sock: socket.socket, timeout: float) -> bool:
    """Whether the attempt to connect *sock* ended, well or not, within *timeout* seconds."""
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE)
        return bool(selector.select(timeout))


_STRANGER = "; something else may be at that address: correct the port in endpoint"
_NO_HOST = "; correct the host name %s in endpoint, or write an address"
# Advice for socket errors, by their code on any system.
_REFUSED = "; nothing listens there: start the OPC UA server, or correct the port in endpoint"
_NO_WAY = "; this machine has no route to it: check the address in endpoint, and the network"
_SILENT = "; check the address in endpoint, and whether a firewall blocks it"
_ADVICE = {
    **dict.fromkeys((errno.ECONNREFUSED, 10061), _REFUSED),
    **dict.fromkeys((errno.EHOSTUNREACH, errno.ENETUNREACH, 10065, 10051), _NO_WAY),
    **dict.fromkeys((errno.ETIMEDOUT, 10060), _SILENT),
}
