"""One connection to an MQTT broker; a new one is made for each attempt.

paho's client does the protocol; the socket is waited for here, because its own loop asks
``select``, which takes no descriptor above 1023.

Threads: ``opcws-publish-mqtt``, or whoever examines an installation.
"""

import contextlib
import functools
import selectors
import socket
import ssl
import uuid
from typing import Any, Callable, Dict, List, Mapping, Optional, Type

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ..config.publishing import broker
from ..config.settings import Mqtt, MqttTLS
from ..model.deadline import Deadline
from ..model.errors import ConfigError
from . import network_messages, topics
from .message import Message

#: Seconds for a TCP connection, and for the broker's answer to ours.
CONNECT_S = 5.0
#: Seconds after which a broker that says nothing is asked whether it is there, and given up.
KEEP_ALIVE_S = 15
#: Messages on their way that the broker has not confirmed, unless it takes fewer.
WINDOW = 100
#: At least once (MQTT 5 4.3.2).
QOS = 1


class BrokerError(Exception):
    """Why there is no connection, in one sentence that says what to do."""


class OldBroker(BrokerError):
    """The broker does not know MQTT 5."""


def try_out(mqtt: Mqtt) -> str:
    """Connect and leave, beside a connection that there may be; how the broker is spoken to.
    Raises :exc:`BrokerError`."""
    connection = connect(mqtt, client_id="opcws-check-%s" % uuid.uuid4().hex[:8])
    old = connection.old
    connection.close()
    return "MQTT 3.1.1" if old else "MQTT 5"


def connect(
    mqtt: Mqtt,
    woken: Optional[socket.socket] = None,
    arrived: Callable[[Message], None] = lambda _message: None,
    client_id: str = "",
) -> "Connection":
    """A :class:`Connection` that is open, with MQTT 5 or else with 3.1.1.  Raises
    :exc:`BrokerError`."""
    connection = Connection(mqtt, woken, arrived, client_id)
    try:
        connection.open()
    except OldBroker:
        connection = Connection(mqtt, woken, arrived, client_id, old=True)
        connection.open()
    return connection


class Connection:
    """A connection to the broker of *mqtt*, once :meth:`open` has returned; *woken* is a socket
    that ends a wait, and *arrived* is called with each message that the broker has taken, or never
    will; with a *client_id* it is nobody whom anybody would miss; *old* is for a broker that does
    not know MQTT 5."""

    def __init__(
        self,
        mqtt: Mqtt,
        woken: Optional[socket.socket] = None,
        arrived: Callable[[Message], None] = lambda _message: None,
        client_id: str = "",
        old: bool = False,
    ) -> None:
        #: Whether it speaks MQTT 3.1.1.
        self.old = old
        self._mqtt = mqtt
        self._woken = woken
        self._arrived = arrived
        self._host, self._port, self._tls = broker(mqtt.broker)
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or "opcws-" + mqtt.publisher,
            protocol=paho.MQTTv311 if old else paho.MQTTv5,
            reconnect_on_failure=False,
        )
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.on_disconnect = self._on_disconnect
        self._client.connect_timeout = CONNECT_S
        self._client.max_inflight_messages = WINDOW
        if not client_id:
            will = network_messages.status_text(mqtt.publisher, network_messages.ERROR)
            parting = Message(topics.status(mqtt), will.encode("ascii"), True)
            properties = self._properties(parting, PacketTypes.WILLMESSAGE)
            self._client.will_set(parting.topic, parting.payload, QOS, True, properties)
        self._selector = selectors.DefaultSelector()
        self._socket: Any = None
        self._connected = False
        self._is_too_new = False
        self._closing = False
        #: Why it has ended.
        self.failure: Optional[str] = None
        #: What was sent and is not confirmed, in order.
        self._unconfirmed: Dict[int, Message] = {}
        self.window = WINDOW
        #: Messages that the broker has, and those that it refused, with why it did the last.
        self.confirmed = 0
        self.refused = 0
        self.refusal: Optional[str] = None

    def _properties(self, message: Message, packet: int = PacketTypes.PUBLISH) -> Any:
        if self.old:
            return None
        make: Any = Properties  # which has no types
        properties = make(packet)
        properties.ContentType = "application/json"
        properties.PayloadFormatIndicator = 1
        if message.expiry_s:
            properties.MessageExpiryInterval = message.expiry_s
        told = []
        if message.kind:
            told.append(("UAMessageType", message.kind))
        if message.late:
            told.append(("Late", "true"))
        if told:
            properties.UserProperty = told
        return properties

    def open(self) -> None:
        """Connect.  Raises :exc:`BrokerError`, and is closed then."""
        where = "%s port %d" % (self._host, self._port)
        self._identify()
        # What an older connection of ours left at the broker is forgotten; 3.1.1 does it by itself.
        fresh: Mapping[str, Any] = {} if self.old else {"clean_start": True}
        try:
            self._client.connect(self._host, self._port, KEEP_ALIVE_S, **fresh)
        except socket.gaierror:
            raise self._failed(
                "the name of the broker, %s, is not known; correct publish.mqtt.broker, or the "
                "name service" % self._host
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise self._failed(
                "the certificate of the broker at %s is not good: %s; name its authority in "
                "publish.mqtt.tls.ca, and in publish.mqtt.broker a host that it is for"
                % (where, error.verify_message)
            ) from None
        except ssl.SSLError as error:
            raise self._failed(
                "the broker at %s speaks no TLS that opcws knows (%s); correct the port, or set "
                "publish.mqtt.broker to mqtt://" % (where, error.reason or error)
            ) from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise self._failed(
                "no broker answers at %s (%s); start it, or correct publish.mqtt.broker"
                % (where, why)
            ) from None
        self._socket = self._client.socket()
        if self._socket is None:  # it ended before ours was said
            self._on_disconnect(None, None, None, "it answered nothing", None)
            raise self._failed(str(self.failure))
        self._selector.register(self._socket, selectors.EVENT_READ, "broker")
        deadline = Deadline(CONNECT_S)
        while not self._connected:
            if self.failure is None and deadline.expired:
                self.failure = (
                    "what answers at %s is no MQTT broker, or a stuck one; correct "
                    "publish.mqtt.broker" % where
                )
            if self._is_too_new:
                raise self._failed("the broker does not know MQTT 5", OldBroker)
            if self.failure is not None:
                raise self._failed(self.failure)
            self.step(deadline.bounded(CONNECT_S))
        if self._woken is not None:
            self._selector.register(self._woken, selectors.EVENT_READ, "woken")

    def _identify(self) -> None:
        """What the broker is shown, read anew each time.  Raises :exc:`BrokerError`."""
        user, tls = self._mqtt.user, self._mqtt.tls or MqttTLS()
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
        except (OSError, ValueError) as error:  # ssl.SSLError is one
            raise self._failed(
                "the files of publish.mqtt.tls cannot be used: %s; expected PEM files, and a key "
                "that belongs to the certificate, without a passphrase"
                % (getattr(error, "reason", None) or getattr(error, "strerror", None) or error)
            ) from None

    def _encrypted(self, context: ssl.SSLContext, sock: socket.socket) -> ssl.SSLSocket:
        """As paho does it, but that a handshake which fails leaves no socket."""
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
        """What was sent, and the broker has not said that it has it; in order."""
        return list(self._unconfirmed.values())

    @property
    def has_room(self) -> bool:
        """Whether one more message may be sent."""
        return len(self._unconfirmed) < self.window

    def publish(self, message: Message) -> None:
        """Send *message*; whether it worked tells :attr:`unconfirmed`, later."""
        properties = self._properties(message)
        sent = self._client.publish(message.topic, message.payload, QOS, message.retain, properties)
        self._unconfirmed[sent.mid] = message

    def step(self, patience: float) -> None:
        """Do what there is to do; wait for it for *patience* seconds at most."""
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
        """End it.  With a *farewell*, which is sent, in the way that keeps the broker from telling
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

    # --- paho calls ------------------------------------------------------------------------------

    def _on_connect(
        self, _client: Any, _data: Any, _flags: Any, reason: Any, properties: Any
    ) -> None:
        if reason.is_failure:
            self._is_too_new = not self.old and reason == "Unsupported protocol version"
            what = "the user of publish.mqtt.user" if self._mqtt.user else "who shows no user"
            self.failure = (
                "the broker refuses %s: %s; correct publish.mqtt.user, or the rights at the broker"
                % (what, reason)
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
        self._arrived(message)

    def _on_disconnect(
        self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if self._closing or self.failure is not None:
            return
        self.failure = "the broker has ended the connection: %s" % reason
        if not self._connected and self._tls and (self._mqtt.tls or MqttTLS()).certificate is None:
            self.failure += "; it may ask for a certificate, which is named in publish.mqtt.tls"


def _no_passphrase() -> str:
    raise ValueError("the key is encrypted")
