"""One connection to an MQTT broker; a new one is made for each attempt.

paho's client implements the protocol; waiting for the socket is done here, because paho's own loop
uses ``select``, which accepts no descriptor above 1023.

Threads: ``opcws-publish-mqtt``, ``opcws-mqtt-NAME``, or the one that examines an installation.
"""

import contextlib
import functools
import selectors
import socket
import ssl
import uuid
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Type

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ..config.publishing import Access, broker
from ..config.settings import MqttTLS
from ..model.deadline import Deadline
from ..model.errors import ConfigError
from .message import Incoming, Message

#: Seconds for the TCP connection, and for the broker's answer to CONNECT.
CONNECT_S = 5.0
#: Seconds after which a silent broker is pinged, and given up.
KEEP_ALIVE_S = 15
#: Most unconfirmed messages, unless the broker allows fewer.
WINDOW = 100
#: At least once (MQTT 5 4.3.2).
QOS = 1
#: Largest message that is accepted, in bytes.
MOST_BYTES = 16 * 1024 * 1024

#: Called with a received message.
Receive = Callable[[Incoming], None]
#: Called with a message that reached the broker, and its reason code (MQTT 5 3.4.2.1).
Arrived = Callable[[Message, int], None]
#: Reason code: the broker has the message, but nobody has subscribed to its topic.
NOBODY_LISTENS = 0x10
#: The least reason code with which a broker refuses the message.
REFUSED = 0x80


class BrokerError(Exception):
    """Why there is no connection, in one sentence with the remedy."""


class OldBroker(BrokerError):
    """The broker does not know MQTT 5."""


def try_out(access: Access) -> str:
    """Connect and disconnect, without disturbing another connection; returns the protocol.
    Raises :exc:`BrokerError`."""
    connection = connect(access)
    old = connection.old
    connection.close()
    return "MQTT 3.1.1" if old else "MQTT 5"


def connect(
    access: Access,
    client_id: str = "",
    woken: Optional[socket.socket] = None,
    arrived: Arrived = lambda _message, _code: None,
    will: Optional[Message] = None,
    received: Optional[Receive] = None,
) -> "Connection":
    """An open :class:`Connection`, with MQTT 5 or else with 3.1.1; without *client_id* it gets a
    unique one.  Raises :exc:`BrokerError`."""
    client_id = client_id or "opcws-" + uuid.uuid4().hex[:16]
    connection = Connection(access, client_id, woken, arrived, will, received)
    try:
        connection.open()
    except OldBroker:
        connection = Connection(access, client_id, woken, arrived, will, received, old=True)
        connection.open()
    return connection


class Connection:
    """A connection to a broker, after :meth:`open`.  *woken* is a socket that ends a wait;
    *arrived* is called with each message that the broker has accepted or refused; *will* is the
    Will message; *received* is called with messages of subscribed topics; *old* is for a broker
    that does not know MQTT 5."""

    def __init__(
        self,
        access: Access,
        client_id: str,
        woken: Optional[socket.socket] = None,
        arrived: Arrived = lambda _message, _code: None,
        will: Optional[Message] = None,
        received: Optional[Receive] = None,
        old: bool = False,
    ) -> None:
        #: Whether the protocol is MQTT 3.1.1.
        self.old = old
        self._access = access
        self._woken = woken
        self._arrived = arrived
        self._received = received
        self._host, self._port, self._tls = broker(access.url)
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv311 if old else paho.MQTTv5,
            reconnect_on_failure=False,
        )
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect
        self._client.connect_timeout = CONNECT_S
        self._client.max_inflight_messages = WINDOW
        if will is not None:
            properties = self._properties(will, PacketTypes.WILLMESSAGE)
            self._client.will_set(will.topic, will.payload, QOS, True, properties)
        #: Whether the broker has confirmed the subscriptions.
        self.subscribed = False
        # Purposes of the optional subscriptions, by the number of their SUBSCRIBE packet.
        self._optional: Dict[int, str] = {}
        self._selector = selectors.DefaultSelector()
        self._socket: Any = None
        self._connected = False
        self._is_too_new = False
        self._closing = False
        #: Why the connection has ended.
        self.failure: Optional[str] = None
        #: Whether another client took over with the same ClientId; only MQTT 5 tells.
        self.taken_over = False
        #: Messages that were sent and are not confirmed, in order.
        self._unconfirmed: Dict[int, Message] = {}
        self.window = WINDOW
        #: Numbers of messages that the broker accepted and refused, and why it refused the last.
        self.confirmed = 0
        self.refused = 0
        self.refusal: Optional[str] = None

    def _properties(self, message: Message, packet: int = PacketTypes.PUBLISH) -> Any:
        if self.old:
            return None
        make: Any = Properties  # has no type hints
        properties = make(packet)
        properties.ContentType = "application/json"
        properties.PayloadFormatIndicator = 1
        if message.expiry_s:
            properties.MessageExpiryInterval = message.expiry_s
        if message.reply_to:
            properties.ResponseTopic = message.reply_to
        if message.correlation:
            properties.CorrelationData = message.correlation
        told = list(message.told)
        if message.kind:
            told.append(("UAMessageType", message.kind))
        if message.late:
            told.append(("Late", "true"))
        if told:
            properties.UserProperty = told
        return properties

    def open(self) -> None:
        """Connect.  Raises :exc:`BrokerError`; then the connection is closed."""
        where = "%s port %d" % (self._host, self._port)
        self._identify()
        # The broker must forget an older session of ours; with 3.1.1 it does so by itself.
        fresh: Mapping[str, Any] = {} if self.old else self._fresh()
        setting = self._access.setting
        try:
            self._client.connect(self._host, self._port, KEEP_ALIVE_S, **fresh)
        except socket.gaierror:
            raise self._failed(
                "the name of the broker, %s, is not known; correct %s, or the name service"
                % (self._host, setting)
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise self._failed(
                "the certificate of the broker at %s is not good: %s; name its authority in "
                "%s.tls.ca, and in %s a host that it is for"
                % (where, error.verify_message, self._access.section, setting)
            ) from None
        except ssl.SSLError as error:
            raise self._failed(
                "the broker at %s speaks no TLS that opcws knows (%s); correct the port, or set "
                "%s to mqtt://" % (where, error.reason or error, setting)
            ) from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise self._failed(
                "no broker answers at %s (%s); start it, or correct %s" % (where, why, setting)
            ) from None
        self._socket = self._client.socket()
        if self._socket is None:  # the broker closed before it answered CONNECT
            self._on_disconnect(None, None, None, "it answered nothing", None)
            raise self._failed(str(self.failure))
        self._selector.register(self._socket, selectors.EVENT_READ, "broker")
        deadline = Deadline(CONNECT_S)
        while not self._connected:
            if self.failure is None and deadline.expired:
                self.failure = (
                    "what answers at %s is no MQTT broker, or a stuck one; correct %s"
                    % (where, setting)
                )
            if self._is_too_new:
                raise self._failed("the broker does not know MQTT 5", OldBroker)
            if self.failure is not None:
                raise self._failed(self.failure)
            self.step(deadline.bounded(CONNECT_S))
        if self._woken is not None:
            self._selector.register(self._woken, selectors.EVENT_READ, "woken")

    def _fresh(self) -> Mapping[str, Any]:
        most: Any = None
        if self._received is not None:
            make: Any = Properties  # has no type hints
            most = make(PacketTypes.CONNECT)
            most.MaximumPacketSize = MOST_BYTES
        return {"clean_start": True, "properties": most}

    def _identify(self) -> None:
        """Set the credentials, which are read anew each time.  Raises :exc:`BrokerError`."""
        user, tls = self._access.user, self._access.tls or MqttTLS()
        try:
            if user is not None:
                self._client.username_pw_set(user.name, user.secret())
            if self._tls:
                context = ssl.create_default_context(cafile=tls.ca)
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                if tls.certificate is not None:
                    context.load_cert_chain(tls.certificate, tls.key, password=_no_passphrase)
                self._client.tls_set_context(context)
                client: Any = self._client
                client._ssl_wrap_socket = functools.partial(self._encrypted, context)
        except ConfigError as error:
            raise self._failed(str(error)) from None
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise self._failed(
                "the files of %s.tls cannot be used: %s; expected PEM files, and a key that "
                "belongs to the certificate, without a passphrase"
                % (
                    self._access.section,
                    getattr(error, "reason", None) or getattr(error, "strerror", None) or error,
                )
            ) from None

    def _encrypted(self, context: ssl.SSLContext, sock: socket.socket) -> ssl.SSLSocket:
        """The TLS handshake as paho does it, but a failed one leaves no open socket."""
        wrapped = context.wrap_socket(
            sock, server_hostname=self._host, do_handshake_on_connect=False
        )
        try:
            wrapped.settimeout(CONNECT_S)
            wrapped.do_handshake()
        except (OSError, ValueError):
            wrapped.close()
            raise
        return wrapped

    def _failed(self, reason: str, kind: Type[BrokerError] = BrokerError) -> BrokerError:
        self.close()
        return kind(reason)

    @property
    def unconfirmed(self) -> List[Message]:
        """Messages that were sent, but are not confirmed by the broker; in order."""
        return list(self._unconfirmed.values())

    @property
    def has_room(self) -> bool:
        """Whether one more message may be sent."""
        return len(self._unconfirmed) < self.window

    def publish(self, message: Message) -> None:
        """Send *message*; it stays in :attr:`unconfirmed` until the broker has it."""
        properties = self._properties(message)
        sent = self._client.publish(message.topic, message.payload, QOS, message.retain, properties)
        self._unconfirmed[sent.mid] = message

    def subscribe(self, topics: Sequence[str], purpose: str = "") -> None:
        """Subscribe to *topics*: their messages go to *received* when :attr:`subscribed` is true.
        If the broker refuses, the connection ends; with a *purpose*, :attr:`refusal` names it
        instead."""
        _done, mid = self._client.subscribe([(topic, QOS) for topic in topics])
        if purpose and mid is not None:
            self._optional[mid] = purpose

    def step(self, patience: float) -> None:
        """Do the pending work; wait for it for at most *patience* seconds."""
        if self.failure is not None:
            return
        events = selectors.EVENT_READ
        if self._client.want_write():
            events |= selectors.EVENT_WRITE
        self._selector.modify(self._socket, events, "broker")
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            patience = 0.0
        told = {key.data: mask for key, mask in self._selector.select(patience)}
        if "woken" in told and self._woken is not None:
            with contextlib.suppress(OSError):
                self._woken.recv(4096)
        mask = told.get("broker", 0)
        done = MQTTErrorCode.MQTT_ERR_SUCCESS
        if mask & selectors.EVENT_READ or patience == 0.0:
            done = self._client.loop_read()
        if not done and mask & selectors.EVENT_WRITE:
            done = self._client.loop_write()
        if not done:
            done = self._client.loop_misc()
        if done and self.failure is None:
            self.failure = "the connection to the broker has ended: %s" % paho.error_string(done)

    def close(self, farewell: Optional[Message] = None) -> None:
        """End the connection.  A *farewell* is sent first, and then the broker does not publish
        the Will; without one it does."""
        self._closing = True
        if farewell is not None and self.failure is None:
            with contextlib.suppress(OSError, ValueError):
                self.publish(farewell)
                deadline = Deadline(1.0)
                while self._unconfirmed and self.failure is None and not deadline.expired:
                    self.step(deadline.bounded(0.1))
                self._client.disconnect()
        self._selector.close()
        sock = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()

    # --- called by paho --------------------------------------------------------------------------

    def _on_connect(
        self, _client: Any, _data: Any, _flags: Any, reason: Any, properties: Any
    ) -> None:
        if reason.is_failure:
            self._is_too_new = not self.old and reason == "Unsupported protocol version"
            user = self._access.section + ".user"
            what = "the user of " + user if self._access.user else "who shows no user"
            self.failure = "the broker refuses %s: %s; correct %s, or the rights at the broker" % (
                what,
                reason,
                user,
            )
            return
        self._connected = True
        self.window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))

    def _on_publish(
        self, _client: Any, _data: Any, mid: int, reason: Any, _properties: Any
    ) -> None:
        message = self._unconfirmed.pop(mid, None)
        if message is None:
            return
        if reason.is_failure:
            self.refused += 1
            self.refusal = (
                "the broker refuses what goes to %s: %s; give the user of opcws the right to "
                "publish there" % (message.topic, reason)
            )
        else:
            self.confirmed += 1
        self._arrived(message, reason.value)

    def _on_subscribe(
        self, _client: Any, _data: Any, mid: int, reasons: Any, _properties: Any
    ) -> None:
        purpose = self._optional.pop(mid, "")
        self.subscribed = self.subscribed or not purpose
        for reason in reasons:
            if reason.is_failure:
                refusal = (
                    "the broker does not let opcws subscribe%s: %s; give the user of opcws the "
                    "right to read there" % (purpose and " to " + purpose, reason)
                )
                if purpose:
                    self.refusal = refusal
                else:
                    self.failure = refusal

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # our topics are all valid
        if self._received is None:
            return
        sent = vars(message.properties) if message.properties is not None else {}
        self._received(
            Incoming(
                topic,
                message.payload,
                message.retain,
                sent.get("MessageExpiryInterval", 0),
                sent.get("ResponseTopic", ""),
                sent.get("CorrelationData", b""),
                dict(sent.get("UserProperty", ())),
            )
        )

    def _on_disconnect(
        self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if self._closing or self.failure is not None:
            return
        self.taken_over = reason == "Session taken over"
        self.failure = "the broker has ended the connection: %s" % reason
        if not self._connected and self._tls:
            if (self._access.tls or MqttTLS()).certificate is None:
                self.failure += "; it may ask for a certificate, which is named in %s.tls" % (
                    self._access.section
                )


def _no_passphrase() -> str:
    raise ValueError("the key is encrypted")
