"""The settings: frozen dataclasses with their types and defaults.

``schemas/config.schema.json`` has the meaning, unit and limits of each setting; opcws checks the
file with it, and so do editors.  A test compares the names, types and defaults here, and the table
in ``docs/pages/settings.rst``, with the schema.  So a new setting is a line here, its rule in the
schema, its row in that table, and its use.

Pure, except :meth:`User.secret`, which opens the file with the password.
"""

import functools
import os
from dataclasses import MISSING, dataclass, field
from types import MappingProxyType
from typing import Any, Mapping, Optional, Tuple, Union

from ..model.data_types import NodeId
from ..model.errors import ConfigError


def file_path(default: Any = MISSING) -> Any:
    """A dataclass field that names a file or a directory, relative to that of the configuration."""
    return field(default=default, metadata={"path": True})


@dataclass(frozen=True)
class TLS:
    """``listen.tls``: the listener speaks ``wss://`` only."""

    certificate: str = file_path()
    key: str = file_path()
    client_certificates: str = "off"
    client_ca: Optional[str] = file_path(None)
    client_revocation_list: Optional[str] = file_path(None)


@dataclass(frozen=True)
class Limits:
    """``listen.limits``: limits for one client and for all clients together.

    The defaults are above the needs of every honest client that was seen, and low enough to do no
    harm: a script that asks as fast as it can gets 5,000 answers to READ per second; a page that
    shows 10,000 variables has as many monitors, of 0.7 kB each; a browser sends 1 kB in 15
    headers.  Idle clients are not limited: a panel may show values that never change.
    """

    max_message_bytes: int = 1048576
    max_connections: int = 1000
    max_connections_per_address: int = 200
    exempt_addresses: Tuple[str, ...] = ("127.0.0.0/8", "::1")
    max_handshakes: int = 1000
    wrong_credentials: int = 10
    lockout_min_s: float = 1
    lockout_max_s: float = 300
    max_header_bytes: int = 16384
    max_headers: int = 100
    max_depth: int = 200
    requests_per_second: float = 20000
    requests_in_flight: int = 64
    monitors: int = 20000
    backfill_values: int = 10000
    outbox_messages: int = 10000
    outbox_bytes: int = 8388608


@dataclass(frozen=True)
class Listen:
    """``listen``: one address where clients connect.  A list of them gives several."""

    host: str = "127.0.0.1"
    port: int = 8081
    scalars: str = "typed"
    tls: Optional[TLS] = None
    origins: Tuple[str, ...] = ()
    trusted_proxies: Tuple[str, ...] = ()
    forwarded_header: str = "X-Forwarded-For"
    limits: Limits = Limits()
    handshake_timeout_s: float = 10
    ping_interval_s: float = 30
    ping_timeout_s: float = 300
    idle_timeout_s: float = 0
    send_timeout_s: float = 30
    close_timeout_s: float = 2


@dataclass(frozen=True)
class Security:
    """``servers.NAME.security``: how the secure channel is protected (OPC 10000-7 6.6)."""

    policy: str = "None"
    mode: str = "None"
    certificate: Optional[str] = file_path(None)
    key: Optional[str] = file_path(None)
    server_certificate: Optional[str] = file_path(None)
    pki: str = file_path("pki")
    check_host_name: bool = True
    check_validity: bool = True
    require_revocation_list: bool = True
    allow_deprecated: bool = False


@dataclass(frozen=True)
class User:
    """``servers.NAME.user``: the user of the session: ``name`` and exactly one of ``password``,
    ``password_env`` and ``password_file``; or ``certificate`` and ``key``."""

    name: Optional[str] = None
    password: Optional[str] = field(default=None, repr=False)
    password_env: Optional[str] = None
    password_file: Optional[str] = file_path(None)
    allow_clear: bool = False
    certificate: Optional[str] = file_path(None)
    key: Optional[str] = file_path(None)

    def secret(self) -> str:
        """The password, from wherever it is kept.

        Raises :exc:`ConfigError` if the environment variable is not set or the file cannot be
        read; the text never contains the password.
        """
        if self.password is not None:
            return self.password
        if self.password_env is not None:
            value = os.environ.get(self.password_env)
            if value is None:
                raise ConfigError(
                    "the environment variable %s, which holds the password of user %r, is not "
                    "set; set it before the start" % (self.password_env, self.name)
                )
            return value
        assert self.password_file is not None
        try:
            with open(self.password_file, encoding="utf-8-sig") as file:
                text = file.read(65536)
        except (OSError, ValueError) as error:
            raise ConfigError(
                "%s: the password of user %r cannot be read: %s; expected a UTF-8 text file"
                % (self.password_file, self.name, getattr(error, "strerror", None) or error)
            ) from None
        return text[:-1] if text.endswith("\n") else text


@dataclass(frozen=True)
class Deadband:
    """``deadband``: how much a number must change before the server reports it (OPC 10000-4
    7.22.2).  Exactly one of ``absolute`` and ``percent`` is set."""

    absolute: Optional[float] = None
    percent: Optional[float] = None


@dataclass(frozen=True)
class AlarmLimits:
    """``servers.NAME.variables.NAME.limits``: the alarm limits of the value, named as in
    LimitAlarmType (OPC 10000-9 5.8.18).  At least one is set, and they are in rising order."""

    low_low: Optional[float] = None
    low: Optional[float] = None
    high: Optional[float] = None
    high_high: Optional[float] = None


@dataclass(frozen=True)
class RecordRule:
    """``servers.NAME.variables.NAME.record``: which values of the variable are recorded.  ``None``
    means the setting of the section ``record``."""

    min_interval_ms: Optional[float] = None
    deadband: Optional[float] = None


@dataclass(frozen=True)
class Variable:
    """``servers.NAME.variables.NAME``: one variable as clients see it.

    ``node_text`` is the NodeId as the file has it; ``type`` the id of a built-in type or 0 for
    unknown; ``is_array`` ``None`` for unknown; ``sampling_interval_ms``, ``queue_size``,
    ``discard_oldest``, ``trigger``, ``deadband`` and ``stale_after_s`` ``None`` for the server's
    default; ``record`` ``None`` for the section ``record``, and ``history`` ``None`` for every
    source.  A variable of a publisher at a broker has a ``field`` instead of a node; by default the
    field has the name of the variable.
    """

    name: str
    server: str
    node: NodeId
    node_text: str = ""
    type: int = 0
    is_array: Optional[bool] = None
    index_range: Optional[str] = None
    access: str = "read"
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    description: Optional[str] = None
    limits: Optional[AlarmLimits] = None
    sampling_interval_ms: Optional[float] = None
    queue_size: Optional[int] = None
    discard_oldest: Optional[bool] = None
    trigger: Optional[str] = None
    deadband: Optional[Deadband] = None
    stale_after_s: Optional[float] = None
    record: Union[None, bool, RecordRule] = None
    history: Optional[str] = None
    field: Optional[str] = None

    @property
    def readable(self) -> bool:
        """Whether any client may read or monitor the variable."""
        return self.access != "write"

    @property
    def writable(self) -> bool:
        """Whether any client may write the variable."""
        return self.access != "read"


@dataclass(frozen=True)
class Browse:
    """``servers.NAME.browse``: which variables opcws finds by browsing, again and again.  A list
    has several of these."""

    under: str = "i=85"
    match: str = "*"
    prefix: str = ""
    depth: int = 64
    access: str = "read"
    max_variables: int = 10000


@dataclass(frozen=True)
class Server:
    """``servers.NAME``: one OPC UA server, or a redundant set (OPC 10000-4 6.6.2), and its
    variables for clients; or, in place of a server, a publisher at an MQTT broker (OPC 10000-14).

    ``endpoint`` is the first of ``endpoints`` if these are given.  ``publisher``, ``prefix``,
    ``edge``, ``message_receive_timeout_ms`` (0: what the publisher announces) and ``tls`` are for
    a broker.
    """

    name: str
    endpoint: str = ""
    endpoints: Tuple[str, ...] = ()
    publisher: str = "opcws"
    prefix: str = "opcua"
    edge: Optional[str] = None
    message_receive_timeout_ms: float = 0
    tls: Optional["MqttTLS"] = None
    required: bool = True
    publishing_interval_ms: float = 100
    sampling_interval_ms: float = 100
    queue_size: int = 10
    discard_oldest: bool = True
    trigger: str = "value"
    deadband: Optional[Deadband] = None
    stale_after_s: float = 0
    retry_interval_ms: float = 30000
    request_timeout_ms: float = 5000
    max_nodes_per_call: int = 1000
    history_timeout_ms: float = 30000
    history_max_values: int = 10000
    history_continuation_s: float = 60
    connect_timeout_ms: float = 5000
    heartbeat_interval_ms: float = 5000
    reconnect_min_ms: float = 500
    reconnect_max_ms: float = 3000
    application_uri: str = "urn:opcws"
    locales: Tuple[str, ...] = ("en",)
    security: Security = Security()
    user: Optional[User] = None
    browse: Tuple[Browse, ...] = ()
    browse_interval_s: float = 300
    variables: Mapping[str, Variable] = field(default_factory=dict, hash=False)

    @property
    def at_broker(self) -> bool:
        """Whether it is a publisher at a broker."""
        return at_broker(self.endpoint)


def at_broker(endpoint: str) -> bool:
    """Whether *endpoint* is the address of an MQTT broker."""
    return endpoint[:4].lower() == "mqtt"


#: The role of clients that show no credential.
ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class RoleLimits:
    """``roles.NAME.limits``: limits for this role, instead of those of the listener."""

    requests_per_second: Optional[float] = None
    monitors: Optional[int] = None


@dataclass(frozen=True)
class Permissions:
    """``roles.NAME``: what a client of this role may do, never more than ``access`` of each
    variable allows.  The word ``off`` means nothing, ``read`` means to read every variable."""

    read: Tuple[str, ...] = ()
    write: Tuple[str, ...] = ()
    history: bool = False
    views: bool = False
    endpoints: Tuple[str, ...] = ()
    certificates: Tuple[str, ...] = ()
    limits: RoleLimits = RoleLimits()


#: The words that replace a role.
SHORTHANDS: Mapping[str, Permissions] = {"off": Permissions(), "read": Permissions(read=("*",))}


@dataclass(frozen=True)
class Log:
    """``log``: what opcws logs, where and how; options of the command line override it."""

    level: str = "info"
    file: Optional[str] = file_path(None)
    format: str = "text"
    max_bytes: int = 10485760
    backups: int = 5


@dataclass(frozen=True)
class Process:
    """``process``: how the operating system runs opcws."""

    cpu_affinity: Union[str, int] = "auto"
    outbound_bytes: int = 268435456


@dataclass(frozen=True)
class Audit:
    """``audit``: the log of every write, successful or refused."""

    file: str = file_path()
    required: bool = True
    max_bytes: int = 10485760
    backups: int = 10
    keep_days: float = 90
    sync: bool = False
    timeout_s: float = 2


@dataclass(frozen=True)
class Record:
    """``record``: which variables are recorded, and for how long.

    ``variables`` are patterns of names; ``min_interval_ms`` and ``deadband`` are the defaults for a
    variable; 0 means every value.
    """

    variables: Tuple[str, ...] = ()
    keep_days: float = 30
    max_bytes: int = 2147483648
    min_interval_ms: float = 0
    deadband: float = 0


@dataclass(frozen=True)
class MqttUser:
    """``publish.mqtt.user``: the user of the broker: ``name`` and exactly one of ``password``,
    ``password_env`` and ``password_file``."""

    name: str
    password: Optional[str] = field(default=None, repr=False)
    password_env: Optional[str] = None
    password_file: Optional[str] = file_path(None)

    def secret(self) -> str:
        """The password, as :meth:`User.secret` has it."""
        return User(self.name, self.password, self.password_env, self.password_file).secret()


@dataclass(frozen=True)
class MqttTLS:
    """``publish.mqtt.tls``: which certificates opcws trusts and shows; ``certificate`` and ``key``
    belong together.  Without ``ca`` it trusts the authorities of the system."""

    ca: Optional[str] = file_path(None)
    certificate: Optional[str] = file_path(None)
    key: Optional[str] = file_path(None)


@dataclass(frozen=True)
class Edge:
    """``publish.mqtt.requests.NAME``: another opcws, which serves what is published here, and what
    its clients may do here: at most what ``role`` may.  With ``users`` a client of the edge is who
    the edge says that it is."""

    role: str
    users: bool = False


@dataclass(frozen=True)
class Mqtt:
    """``publish.mqtt``: values go to an MQTT broker (OPC 10000-14).

    ``publisher`` is the PublisherId, ``prefix``, ``group`` and ``publisher`` are levels of topics
    (OPC 10000-14 7.3.4.7); ``key_frame_count`` counts intervals (6.2.4.3).  With a ``lease_ms`` one
    of several that have the same publisher is active.  ``requests`` are the edges that may ask for
    something, by their names.
    """

    broker: str
    variables: Tuple[str, ...]
    interval_ms: float = 1000
    encoding: str = "verbose"
    key_frame_count: int = 10
    publisher: str = "opcws"
    prefix: str = "opcua"
    group: str = "opcws"
    raw_payload: str = "object"
    message_expiry_s: int = 3600
    store_max_bytes: int = 104857600
    lease_ms: Optional[float] = None
    user: Optional[MqttUser] = None
    tls: Optional[MqttTLS] = None
    requests: Mapping[str, Edge] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Publish:
    """``publish``: where opcws sends values without being asked."""

    mqtt: Optional[Mqtt] = None


@dataclass(frozen=True)
class Reload:
    """``reload``: when opcws reads the file again by itself; it always does so on SIGHUP and at
    ``opcws reload``."""

    on_change: bool = False
    interval_s: float = 2


@dataclass(frozen=True)
class Config:
    """The whole configuration.

    ``path`` is its file; ``warnings`` are sentences about risks, each with file, line and path.
    """

    listen: Tuple[Listen, ...] = (Listen(),)
    servers: Mapping[str, Server] = field(default_factory=dict, hash=False)
    roles: Optional[Mapping[str, Permissions]] = field(default=None, hash=False)
    credentials: str = file_path("credentials.json")
    log: Log = Log()
    audit: Optional[Audit] = None
    record: Optional[Record] = None
    publish: Optional[Publish] = None
    process: Process = Process()
    reload: Reload = Reload()
    state_dir: str = file_path("state")
    time_zone: Optional[str] = None
    path: Optional[str] = None
    warnings: Tuple[str, ...] = ()

    @functools.cached_property
    def variables(self) -> Mapping[str, Variable]:
        """Every variable of every server by name."""
        return MappingProxyType(
            {v.name: v for server in self.servers.values() for v in server.variables.values()}
        )
