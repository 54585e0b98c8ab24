"""The settings of the side where clients are: addresses, TLS, limits.

Pure.
"""

from dataclasses import dataclass
from typing import Optional, Tuple

from .fielddefs import REQUIRED, section, setting


@dataclass(frozen=True)
class TLS:
    """``listen.tls``: the listener speaks ``wss://`` only."""

    certificate: str = setting(
        REQUIRED, "path", "PEM file with the certificate and those that lead to its root."
    )
    key: str = setting(
        REQUIRED, "path", "PEM file with the certificate's private key, without a passphrase."
    )
    client_certificates: str = setting(
        "off",
        "'off', 'optional' or 'required'",
        "Whether clients are asked for a certificate of their own; one that is shown must be good.",
    )
    client_ca: Optional[str] = setting(
        None, "path", "PEM file with the authorities whose client certificates are good."
    )
    client_revocation_list: Optional[str] = setting(
        None,
        "path",
        "PEM file with revocation lists of those authorities; with it, each that issues needs one.",
    )


@dataclass(frozen=True)
class Limits:
    """``listen.limits``: how much one client, and all of them, may ask for.

    The defaults are above what any honest client was seen to need, and below what hurts: a script
    that asks as fast as it can gets 5,000 answers to READ per second; a page that shows 10,000
    variables has as many monitors, of 0.7 kB each; a browser sends 1 kB in 15 headers.  There is
    no limit on being idle: a panel whose values never change is no worse a client.
    """

    max_message_bytes: int = setting(
        1048576,
        "whole number",
        "Largest message taken from a client; a larger one closes the connection with 1009.",
        "bytes",
    )
    max_connections: int = setting(
        1000, "whole number", "Clients connected at the same time; one more is answered 503."
    )
    max_connections_per_address: int = setting(
        200,
        "whole number",
        "Clients connected from one address, or one /64 network of IPv6, at the same time; one "
        "more is answered 429; 0 means no limit of its own.",
    )
    exempt_addresses: Tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1"),
        "list of text",
        "Addresses and networks without that limit: this machine, and perhaps a gateway behind "
        "which many clients are.",
    )
    max_handshakes: int = setting(
        1000,
        "whole number",
        "Connections that are no clients yet; for one more the oldest of the address with the "
        "most is closed.",
    )
    wrong_credentials: int = setting(
        10,
        "whole number",
        "Wrong credentials from one address before it has to wait and is answered 429; 0 means "
        "no limit.",
    )
    lockout_min_s: float = setting(
        1, "number", "First wait after that; each further wrong credential doubles it.", "s"
    )
    lockout_max_s: float = setting(
        300,
        "number",
        "Longest wait; also the time after which one wrong credential is forgiven.",
        "s",
    )
    max_header_bytes: int = setting(
        16384,
        "whole number",
        "Request line and headers of an HTTP request together; more is answered 431.",
        "bytes",
    )
    max_headers: int = setting(
        100, "whole number", "Headers of an HTTP request; more are answered 431."
    )
    max_depth: int = setting(
        200,
        "whole number",
        "How deep objects and arrays of a message may lie in one another; deeper is "
        "BadDecodingError.",
    )
    requests_per_second: float = setting(
        20000,
        "number",
        "Requests that one client may send on average, with bursts of one second's worth; past "
        "it BadTooManyOperations; 0 means no limit.",
        "1/s",
    )
    requests_in_flight: int = setting(
        64,
        "whole number",
        "Requests of one client that may await their response; past it the connection is not read.",
    )
    monitors: int = setting(
        20000,
        "whole number",
        "Monitors that one client may hold; one more is BadTooManyMonitoredItems.",
    )
    outbox_messages: int = setting(
        10000,
        "whole number",
        "Messages that may wait for one client; past it updates collapse to the latest.",
    )
    outbox_bytes: int = setting(
        8388608,
        "whole number",
        "Bytes that may wait for one client; past it updates collapse to the latest, and past it "
        "with responses alone the connection is not read. A response about several variables that "
        "would be larger is BadResponseTooLarge.",
        "bytes",
    )


@dataclass(frozen=True)
class Listen:
    """``listen``: one address where clients connect.  A list of them gives several."""

    host: str = setting(
        "127.0.0.1",
        "text",
        "Address or host name to listen on: 0.0.0.0 is every IPv4 address of the machine, "
        "'::' every IPv6 address.",
    )
    port: int = setting(
        8081, "whole number", "TCP port to listen on; 0 means any free port, named in the log."
    )
    scalars: str = setting(
        "typed",
        "'typed' or 'string'",
        "Dialect of the JSON scalars: 'typed' as in OPC UA Part 6, 'string' as ASNeG's server "
        "sends them.",
    )
    tls: Optional[TLS] = section(None, TLS, "Certificate and key; without them no TLS.")
    origins: Tuple[str, ...] = setting(
        (),
        "list of text",
        "Origins of other web pages that may connect, such as https://hmi.example; '*' is any. "
        "Without the setting only pages that opcws served itself.",
    )
    trusted_proxies: Tuple[str, ...] = setting(
        (),
        "list of text",
        "Addresses and networks of reverse proxies that tell whom they stand for; everybody "
        "else's word is ignored.",
    )
    forwarded_header: str = setting(
        "X-Forwarded-For",
        "'X-Forwarded-For' or 'Forwarded'",
        "Header in which those proxies tell the client's address; the other one is ignored.",
    )
    limits: Limits = section(Limits, Limits, "How much one client, and all, may ask for.")
    handshake_timeout_s: float = setting(
        10, "number", "Time for TLS and the opening handshake together.", "s"
    )
    ping_interval_s: float = setting(
        30, "number", "Time between pings to a client; 0 means none.", "s"
    )
    ping_timeout_s: float = setting(
        300,
        "number",
        "A client without a sign of life for this long is closed; 0 means never.",
        "s",
    )
    idle_timeout_s: float = setting(
        0,
        "number",
        "A client that sent no request and was sent no update for this long is closed; 0 means "
        "never.",
        "s",
    )
    send_timeout_s: float = setting(
        30,
        "number",
        "A client that takes less than 16 KiB in this time while more waits for it is closed with "
        "1008.",
        "s",
    )
    close_timeout_s: float = setting(
        2, "number", "Time for the closing handshake before the socket is closed.", "s"
    )
