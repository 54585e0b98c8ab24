"""One client: its reader thread, its writer thread, and the closing handshake.

simple-websocket runs on our own threads (:mod:`opcws.ws.web_socket`): small stand-ins replace its
thread and its event, so that its receive loop runs on our reader.  A third stand-in replaces its
socket: the bytes that it "sends" (pongs, the close frame) are queued.  The messages that it has
decoded are handled before it receives again, after the pongs and before the close frame that came
with the same bytes.

Everything is sent through :mod:`opcws.ws.sender`, from any thread; the writer sends the rest, and
takes care of pings and timeouts.

Threads: methods are grouped under banners by the thread that calls them.
"""

import logging
import socket
import threading
import time
from functools import partial
from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence, Union

from ..access.authenticator import Grant
from ..config.roles import Role
from ..config.settings import Listen
from ..gateway.client import Client
from ..model.addresses import Peer, counted_as, within
from ..model.deadline import Deadline
from ..operations.limit_hits import LimitHits
from ..operations.log_limit import LogLimit
from ..wire.frames import CLOSE, PING, PONG, close_frame, control_frame
from . import forwarded, host_check, http_message, opening_handshake, view_pages, web_pages
from .connection_limits import ConnectionLimits
from .frame_reader import FrameReader, size_of
from .http_authentication import Authentication
from .http_message import Request, Response
from .opening_handshake import Upgrade
from .processor_share import BLINK_S, ProcessorShare, Reader
from .sender import LEAST_BYTES, Sender, SendTimeout
from .tls import ServerTLS, explain
from .transport import Transport
from .web_socket import WebSocket

log = logging.getLogger(__name__)

#: Close codes (RFC 6455 7.4.1).
NORMAL_CLOSURE = 1000
GOING_AWAY = 1001
UNSUPPORTED_DATA = 1003
POLICY_VIOLATION = 1008
MESSAGE_TOO_BIG = 1009
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013

_TOO_BIG = MESSAGE_TOO_BIG.to_bytes(2, "big")

RECEIVE_BYTES = 65536
#: Lines about connecting clients of one address, and about leaving ones, within log_limit.SECONDS.
CLIENT_LINES = 50
#: Seconds; if a client leaves sooner, only --log-level debug logs it: one line about it is enough.
BRIEF_S = 10.0
#: Seconds after which a writer that waits for the socket checks its timeouts.
LOOK_S = 0.5
#: A larger request is handled alone, so that requests in flight take little memory together.
LARGE_BYTES = 16384
#: Number of messages after which the reader checks their cost.
LOOK_MESSAGES = 16


# --- stand-ins for the thread, the event and the socket of simple-websocket -----------------------


class _Loop:
    """Stands in for ``threading.Thread``: the reader calls :attr:`run`."""

    name = ""

    def __call__(self, target: Callable[[], None]) -> "_Loop":
        self.run = target
        return self

    def start(self) -> None:
        pass


class _Event:
    """Stands in for ``threading.Event``: no thread waits for it."""

    def set(self) -> None:
        pass

    def clear(self) -> None:
        pass


class _Socket:
    """Stands in for the socket: receives with *receive* and sends with *sent*."""

    def __init__(self, receive: Callable[[int], bytes], sent: Callable[[bytes], None]) -> None:
        self.recv = receive
        self.sent = sent

    def send(self, data: bytes) -> int:
        self.sent(data)
        return len(data)

    def close(self) -> None:
        """Do nothing: simple-websocket closes before everything is flushed."""


class Shared(NamedTuple):
    """What all connections of a listener share: the *application*, the limits, counters and log
    limit, and *ended*, which each connection calls at its end."""

    application: Any
    places: ConnectionLimits
    log_limit: LogLimit
    limit_hits: LimitHits
    processor_share: ProcessorShare
    ended: Callable[["Connection"], None]


class Connection:
    """The client at the other end of *sock*, whose peer is *peer*.

    ``address`` and ``peer`` (``address:port``) are those of *peer*, until a trusted proxy has named
    its client."""

    def __init__(
        self,
        sock: socket.socket,
        name: str,
        peer: Peer,
        listen: Listen,
        tls: Optional[ServerTLS],
        shared: Shared,
    ) -> None:
        self.name = name
        self.address = peer.host
        self.peer = str(peer)
        self._came_from = peer
        self._places = shared.places
        self._log_limit = shared.log_limit
        self._limit_hits = shared.limit_hits
        self._listen = listen
        self._tls = tls
        self._application = shared.application
        self._ended = shared.ended
        self._transport = Transport(sock)
        limits = listen.limits
        # Set when the writer has something to do or to check.
        self._work = threading.Event()
        self._sender = Sender(
            self._transport,
            name,
            limits.outbox_messages,
            limits.outbox_bytes,
            limits.requests_in_flight,
            self._work,
        )
        self.outbox = self._sender.outbox
        self._reader_done = False
        # False while the reader waits until the client takes replies: meanwhile it reads nothing,
        # not even pongs, so that the silence is not the client's.
        self._reading = True
        self._closing: Optional[Deadline] = None
        self._cost = Reader(shared.processor_share)
        self._told_of_cost = False
        self._ws: Any = None
        #: The client while it is connected, and since when (seconds since 1970).
        self.client: Optional[Client] = None
        self.opened_at: Optional[float] = None
        #: Why the connection was refused: :func:`http_message.reason`, ``"no_tls"``, or ``""``.
        self.refused = ""
        #: Number of messages from the client.
        self.received = 0
        # Who the client is and what it may do, once it is known.
        self._grant = shared.application.authenticator.anonymous()
        # The answer to the opening handshake is being sent or was sent: now frames may be queued.
        self._upgrading = False
        # Daemons, so that a defect in one connection cannot keep the process; the listener
        # waits for both within the deadline of its stop().
        self._reader = threading.Thread(target=self._run, name=name, daemon=True)
        self._writer = threading.Thread(target=self._write, name=name + "-out", daemon=True)
        self._writer_started = False

    @property
    def received_bytes(self) -> int:
        return self._transport.received_bytes

    def start(self) -> None:
        self._reader.start()

    # --- any thread -----------------------------------------------------------------------------

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake; the peer has ``close_timeout_s`` to answer it."""
        self._cost.gone.set()
        if not self._upgrading:
            self._transport.shut_down()  # there is no WebSocket to close yet
        elif self.outbox.finish(close_frame(code, reason)):
            self._closing = Deadline(self._listen.close_timeout_s)
            self._sender.flush()
            self._work.set()

    def give_way(self) -> None:
        """End the connection and drop its messages, because too many bytes wait for all clients,
        and most of them for this one."""
        frame = close_frame(
            TRY_AGAIN_LATER, "opcws has no more room for the messages that wait for you"
        )
        if self._upgrading and self.outbox.finish(frame, discard=True):
            self._cost.gone.set()
            self._limit_hits.hit("outbound_bytes")
            self._log(
                "gives way", ": closed to free memory, since most of the waiting bytes were for it"
            )
            self._closing = Deadline(self._listen.close_timeout_s)
            self._sender.flush()
            self._work.set()

    def abort(self) -> None:
        """End the connection now, without a close frame."""
        self.outbox.close()
        self._sender.broken = True
        self._transport.shut_down()
        self._cost.gone.set()
        self._work.set()

    def recheck_access(self) -> None:
        """End the connection if its client's grant is no longer valid."""
        if self._ws is not None and self._application.authenticator.recheck(self._grant) is None:
            self.close(POLICY_VIOLATION, "access has been withdrawn")

    def join(self, timeout: Optional[float]) -> bool:
        self._reader.join(timeout)
        return not self._reader.is_alive()

    # --- the reader's thread --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._arrive()
            try:
                upgrade = self._shake_hands()
            finally:
                self._pay(self._cost.look(0.0))
            if upgrade is not None:
                self._serve(upgrade)
        except (OSError, RuntimeError) as error:
            log.debug("%s: %s: %s", self.name, self.peer, error)
        except Exception:
            log.exception("%s: a defect in the connection of %s", self.name, self.peer)
            self.close(INTERNAL_ERROR, "a defect in opcws; its log says more")
        finally:
            self._end()

    def _arrive(self) -> None:
        """Wait, before anything is done for the peer, if its address has used too much processor
        time."""
        self._cost.host = counted_as(self.address)
        wait = self._cost.begin()
        # A proxy must not pay for all its clients; which client this is, is not known yet.
        if within(self._came_from.host, self._listen.trusted_proxies):
            wait = self._cost.forgive(wait)
        self._pay(wait)

    def _pay(self, seconds: float) -> None:
        """Read nothing for *seconds*, because the client's messages have cost too much."""
        if not seconds:
            return
        if seconds > BLINK_S:
            self._limit_hits.hit("processor_share")
            if not self._told_of_cost:
                self._told_of_cost = True
                self._log(
                    "floods",
                    " sends too much; opcws reads from it more slowly",
                    level=logging.WARNING,
                )
        reading, self._reading = self._reading, False
        self._cost.wait(seconds)
        self._transport.heard_at = time.monotonic()
        self._reading = reading

    def _shake_hands(self) -> Optional[Upgrade]:
        deadline = Deadline(self._listen.handshake_timeout_s)
        secured = self._tls is None or self._start_tls(self._tls, deadline)
        if secured is None:
            return None
        request = None
        try:
            request = http_message.receive(self._transport, deadline, self._listen.limits)
            if not secured:
                raise http_message.refuse(
                    400, "plain HTTP on a TLS listener; use wss:// or https:// here"
                )
            found = self._answer(request, deadline)
            if isinstance(found, Upgrade):
                self._places.admit(self, self.address, self._listen.limits)
        except http_message.Refused as refused:
            if refused.limit:
                self._limit_hits.hit(refused.limit)
            found = refused.response
            said = found.body.decode("utf-8", "replace").strip()
            self._log("refused", ": refused with %d: %s", found.status, said)
            self.refused = http_message.reason(found.status)
        if isinstance(found, Upgrade):
            return found
        with_body = request is None or request.method != "HEAD"
        closing = Deadline(self._listen.close_timeout_s)
        self._transport.write_all(found.encoded(with_body), closing)
        self._transport.end_tls(closing)
        self._transport.shut_down_sending()
        self._transport.drain(closing)
        return None

    def _answer(self, request: Request, deadline: Deadline) -> Union[Upgrade, Response]:
        """The answer to *request*, whose client may not be the socket's peer (a proxy).
        Raises :exc:`~opcws.ws.http_message.Refused`."""
        listen = self._listen
        found = forwarded.client(
            self._came_from, request.values, listen.forwarded_header, listen.trusted_proxies
        )
        self.address, self.peer = found.peer.host, str(found.peer)
        self._cost.host = counted_as(self.address)
        secure = self._tls is not None if found.secure is None else found.secure
        hosts = found.hosts if request.host is None else (request.host, *found.hosts)
        from_elsewhere = opening_handshake.is_from_elsewhere(request, listen, hosts)
        allowed = self._places.attempt(
            self.address,
            request,
            from_elsewhere,
            listen.limits,
            deadline,
            lambda: self._permitted(request, secure, hosts, deadline),
        )
        if not isinstance(allowed, Grant):
            return allowed
        # The body is received after the turn of the address, because that may take long.
        if from_elsewhere:
            raise http_message.refuse(403, "views are for pages of this server alone")
        self._grant = allowed
        body = partial(http_message.receive_body, self._transport, request, deadline)
        answer = view_pages.answer(request, self._role, self._application.views(), body)
        if request.method not in ("GET", "HEAD"):
            self._log("views", ": %s %s%s", request.method, request.path, self._as_whom())
        return answer

    def _role(self) -> Role:
        """The client's present role.  Raises :exc:`~opcws.ws.http_message.Refused`."""
        grant = self._application.authenticator.recheck(self._grant)
        if grant is None:
            raise http_message.refuse(403, "access has been withdrawn")
        self._grant = grant
        role: Role = grant.role
        return role

    def _permitted(
        self, request: Request, secure: bool, hosts: Sequence[str], deadline: Deadline
    ) -> Union[Upgrade, Response, Grant]:
        """The answer to *request*, or its sender's grant if it is about views; a wrong credential
        is refused with 401."""
        sender = Authentication(
            request,
            self._application.authenticator,
            self._transport.peer_certificate(),
            deadline,
            counted_as(self.address),
            self._application.time_zone,
        )
        if request.is_upgrade:
            upgrade = opening_handshake.upgrade(request, self._listen, secure, hosts)
            self._grant = sender.admit()
            return upgrade
        if not secure and request.path not in host_check.OPEN:
            host_check.require(hosts, self._listen)
        if view_pages.is_one(request):
            return sender.admit()
        return sender.answer() or web_pages.answer(
            request, self._application.report, self._application.texts
        )

    def _as_whom(self) -> str:
        if not self._application.authenticator.configured:
            return ""
        return " as %s, role %s" % (self._grant.identity or "nobody", self._grant.role.name)

    def _log(
        self, kind: str, text: str, *args: object, level: int = logging.INFO, lines: int = 0
    ) -> None:
        """Log *text* after the client's name, within the limit on lines of this *kind*."""
        address, text = counted_as(self.address), "%s: %s" + text
        self._log_limit.log(
            log, level, address, kind, text, self.name, self.peer, *args, lines=lines
        )

    def _start_tls(self, tls: ServerTLS, deadline: Deadline) -> Optional[bool]:
        """Whether TLS is established; false for a client that begins to speak HTTP without it,
        ``None`` if it failed."""
        try:
            first = self._transport.first_byte(deadline)
            if not first:
                log.debug("%s: %s left without a word", self.name, self.peer)
                return None
            if first.isalpha():  # no TLS record begins with a letter, every HTTP method does
                return False
            self._transport.start_tls(
                tls.context, deadline, lambda: self._pay(self._cost.look(0.0))
            )
        except OSError as error:
            self.refused = "no_tls"
            if isinstance(error, TimeoutError):
                self._limit_hits.hit("handshake_timeout_s")
            level, sentence = explain(error)
            self._log(sentence, ": %s", sentence, level=level)
            # In TLS 1.3 the client may have sent its request already: unread, it would turn our
            # close into a reset, and the client would never read the alert that says why.
            self._transport.shut_down_sending()
            self._transport.drain(Deadline(self._listen.close_timeout_s))
            return None
        shown = self._transport.peer_certificate()
        if shown is not None:
            log.info("%s: %s shows the certificate %s", self.name, self.peer, shown)
        return True

    def _serve(self, upgrade: Upgrade) -> None:
        deadline = Deadline(self._listen.handshake_timeout_s)
        loop = _Loop()
        frame_reader = FrameReader(
            self._receive_bytes, self._take_texts, self._listen.limits.max_message_bytes
        )
        sock = _Socket(partial(self._receive, frame_reader), self._queue_control)
        with self._sender.lock:  # a close() at this time queues its frame after the answer
            self._upgrading = True
            self._transport.write_all(upgrade.answer, deadline)
            self._ws = WebSocket(
                sock, RECEIVE_BYTES, self._listen.limits.max_message_bytes, loop, _Event
            )
        self._sender.flush()
        self._client = Client(
            self.name,
            self.outbox,
            upgrade.dialect,
            self._grant.role,
            self._listen.limits,
            self.peer,
            self._grant.identity,
            self._limit_hits,
        )
        self._client.disconnect = self.close
        self._client.grant = self._grant
        self._limit_hits.watch(self._hits)
        began = time.monotonic()
        try:
            self.opened_at = time.time()
            self.client = self._client
            self._application.open(self._client, upgrade.wants_status)
            self._writer.start()
            self._writer_started = True
            self._log("connected", " connected%s", self._as_whom(), lines=CLIENT_LINES)
            loop.run()
            self._take_messages()
        finally:
            self.client = None
            self._application.close(self._client)
            lasted = time.monotonic() - began >= BRIEF_S
            level = logging.INFO if lasted else logging.DEBUG
            self._log("left", " left", level=level, lines=CLIENT_LINES)

    def _hits(self) -> Mapping[str, int]:
        """Limits that were hit, as the outbox counts them."""
        return {
            "requests_in_flight": self.outbox.stalls,
            "outbox_messages": self.outbox.full_messages,
            "outbox_bytes": self.outbox.full_bytes,
        }

    def _receive(self, frame_reader: FrameReader, size: int) -> bytes:
        """Bytes for simple-websocket, which has processed all that it received before."""
        self._take_messages()
        self._pay_now_and_then()
        return frame_reader.recv(size)

    def _receive_bytes(self, size: int) -> bytes:
        """Bytes for the frame reader, which calls again if only text messages came."""
        self._pay_now_and_then()
        # Also if the bytes brought no data, such as a TLS KeyUpdate (RFC 8446 4.6.3).
        return self._transport.recv(size, worked=self._pay_now_and_then)

    def _pay_now_and_then(self) -> None:
        wait = self._cost.look_now_and_then()
        if wait:
            self._pay(wait)

    def _take_messages(self) -> None:
        messages = self._ws.input_buffer
        if messages:
            for message in messages:
                self._take(message)
            messages.clear()

    def _take(self, message: Any) -> None:
        if self.outbox.finished:
            return
        limit = self._listen.limits.max_message_bytes
        if not isinstance(message, str) and not self._application.binary:
            self.close(UNSUPPORTED_DATA, "send JSON in text messages, not binary ones")
        elif len(message) * 4 > limit and size_of(message) > limit:
            self._limit_hits.hit("max_message_bytes")
            self.close(MESSAGE_TOO_BIG, "a message may have at most %d bytes" % limit)
        else:
            self._take_texts([message])

    def _take_texts(self, messages: Sequence[Any]) -> None:
        """Handle messages that came together, each within the allowed size; send immediate replies
        together."""
        self._reading = False
        self._sender.busy_at = time.monotonic()
        for number, message in enumerate(messages, 1):
            if not self.outbox.reserve(len(message) > LARGE_BYTES):
                break
            if number % LOOK_MESSAGES == 0:
                wait = self._cost.look()
                if wait:
                    self._client.flush()
                    self._pay(wait)
            self.received += 1
            self._application.handle(self._client, message)
        self._client.flush()
        self._transport.heard_at = time.monotonic()
        self._reading = True

    def _queue_control(self, data: bytes) -> None:
        """Queue the frames that simple-websocket sends: pongs and close frames."""
        closing: Optional[bytes] = None
        position = 0
        while position + 2 <= len(data):
            end = position + 2 + (data[position + 1] & 0x7F)
            frame = data[position:end]
            opcode = frame[0] & 0x0F
            if opcode == PONG:
                self.outbox.put_pong(frame)
            elif opcode == CLOSE:
                closing = frame
            position = end
        self._sender.flush()
        if closing is not None:
            self._take_messages()
            if self.outbox.finish(closing, discard=True):
                # simple-websocket answers the client's close code with the same code.
                if closing[2:4] == _TOO_BIG and self._ws.close_reason != MESSAGE_TOO_BIG:
                    self._limit_hits.hit("max_message_bytes")
                self._closing = Deadline(self._listen.close_timeout_s)
                self._sender.flush()

    def _end(self) -> None:
        """The last part of the closing handshake: flush, shut down our side, wait for the
        peer's."""
        if not self.outbox.finished:
            self.outbox.close()
        closing = self._closing = self._closing or Deadline(self._listen.close_timeout_s)
        self._reader_done = True
        if self._writer_started:
            self._work.set()
            self._transport.drain(closing)
            self._writer.join()
        self.outbox.close()
        self._sender.release()
        self._limit_hits.fold(self._hits)
        self._ended(self)

    # --- the writer's thread --------------------------------------------------------------------

    def _write(self) -> None:
        try:
            self._look_after()
        except Exception:
            log.exception("%s: a defect in the connection of %s", self.name, self.peer)
            self.abort()
        finally:
            self._cost.gone.set()

    def _look_after(self) -> None:
        listen = self._listen
        ping_at = time.monotonic() + listen.ping_interval_s
        timeout: Optional[SendTimeout] = None
        sender = self._sender
        while not sender.broken:
            now = time.monotonic()
            if self._closing is not None and self._closing.expired:
                break
            if sender.waits:
                timeout = timeout or SendTimeout(now, sender.taken())
                if self._transport.wait_writable(LOOK_S) and not sender.go_on():
                    timeout = None
                now = time.monotonic()
                if (
                    timeout is not None
                    and self._closing is None
                    and timeout.expired(now, sender.taken(), listen.send_timeout_s)
                ):
                    self._give_up()
                continue
            if self._reader_done:
                sender.flush()
                if not self.outbox and not sender.waits:
                    break
                continue
            self._work.wait(self._until_next_look(now, ping_at))
            self._work.clear()
            sender.flush()
            now = time.monotonic()
            if self.outbox.finished:
                continue
            if listen.ping_interval_s and now >= ping_at:
                ping_at = now + listen.ping_interval_s
                self.outbox.put_ping(control_frame(PING))
                sender.flush()
            silence = now - self._transport.heard_at if self._reading else 0.0
            if listen.ping_timeout_s and silence > listen.ping_timeout_s:
                self._limit_hits.hit("ping_timeout_s")
                self.close(INTERNAL_ERROR, "no sign of life for %g s" % listen.ping_timeout_s)
            elif listen.idle_timeout_s and now - sender.busy_at > listen.idle_timeout_s:
                self._limit_hits.hit("idle_timeout_s")
                self.close(NORMAL_CLOSURE, "idle for %g s" % listen.idle_timeout_s)
        sender.end_tls(self._closing or Deadline(0))
        if self._reader_done:
            self._transport.shut_down_sending()
        else:
            self._transport.shut_down()

    def _until_next_look(self, now: float, ping_at: float) -> Optional[float]:
        if self._closing is not None:
            return (self._closing.remaining() or 0.0) + 0.001
        moments = []
        if self._listen.ping_interval_s:
            moments.append(ping_at)
        if self._listen.ping_timeout_s:
            moments.append(self._transport.heard_at + self._listen.ping_timeout_s)
        if self._listen.idle_timeout_s:
            moments.append(self._sender.busy_at + self._listen.idle_timeout_s)
        return max(0.0, min(moments) - now) + 0.001 if moments else None

    def _give_up(self) -> None:
        """The client took too little in ``send_timeout_s``: drop what waits for it, and send a
        close frame after the half-sent frame; it has ``close_timeout_s`` to take that."""
        self._limit_hits.hit("send_timeout_s")
        log.warning(
            "%s: %s is too slow, it took less than %d bytes in %g s; closed",
            self.name,
            self.peer,
            LEAST_BYTES,
            self._listen.send_timeout_s,
        )
        self.outbox.finish(close_frame(POLICY_VIOLATION, "too slow"), discard=True)
        self._closing = Deadline(self._listen.close_timeout_s)
        self._sender.send_last()
