"""The settings of the side where the OPC UA servers are.

Pure, but for :meth:`User.secret`, which opens the file that holds a password.
"""

import os
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple

from ..model.data_types import NodeId
from ..model.errors import ConfigError
from .fielddefs import REQUIRED, section, setting


@dataclass(frozen=True)
class Security:
    """``servers.NAME.security``: how the secure channel is protected (OPC 10000-7 6.6)."""

    policy: str = setting(
        "None",
        "'None', 'Basic128Rsa15', 'Basic256', 'Basic256Sha256', 'Aes128_Sha256_RsaOaep' or "
        "'Aes256_Sha256_RsaPss'",
        "Security policy of the secure channel.",
    )
    mode: str = setting(
        "None", "'None', 'Sign' or 'SignAndEncrypt'", "Whether messages are signed, encrypted."
    )
    certificate: Optional[str] = setting(
        None,
        "path",
        "The certificate of opcws, PEM or DER, that the OPC UA server must trust; without it, "
        "the one in pki, which is made when it is missing.",
    )
    key: Optional[str] = setting(
        None, "path", "File, PEM or DER, with the private key of that certificate."
    )
    server_certificate: Optional[str] = setting(
        None,
        "path",
        "The one certificate, PEM or DER, that the OPC UA server must show; instead of the trust "
        "list in pki.",
    )
    pki: str = setting(
        "pki",
        "path",
        "Directory with trusted and rejected certificates, revocation lists and the certificate "
        "of opcws.",
    )
    check_host_name: bool = setting(
        True,
        "true or false",
        "Whether the server's certificate must name the host of the endpoint.",
    )
    check_validity: bool = setting(
        True, "true or false", "Whether the server's certificate must not have expired."
    )
    require_revocation_list: bool = setting(
        True,
        "true or false",
        "Whether a certificate counts only with a current revocation list of whoever issued it.",
    )
    allow_deprecated: bool = setting(
        False,
        "true or false",
        "Allow the broken policies Basic128Rsa15 and Basic256.",
    )


@dataclass(frozen=True)
class User:
    """``servers.NAME.user``: the user whom the session is for: ``name`` and exactly one of
    ``password``, ``password_env`` and ``password_file``; or ``certificate`` and ``key``."""

    name: Optional[str] = setting(
        None, "text", "User name that the OPC UA server knows, with one of the passwords."
    )
    password: Optional[str] = setting(
        None,
        "text",
        "The password itself; whoever reads the file has it, so prefer the other two.",
        repr=False,
    )
    password_env: Optional[str] = setting(
        None, "text", "Name of the environment variable that holds the password."
    )
    password_file: Optional[str] = setting(
        None, "path", "File that holds the password; a line end after it is not part of it."
    )
    allow_clear: bool = setting(
        False,
        "true or false",
        "Send the password in clear over an unencrypted channel if the server asks for that.",
    )
    certificate: Optional[str] = setting(
        None, "path", "X.509 certificate of the user, PEM or DER; instead of name and password."
    )
    key: Optional[str] = setting(
        None, "path", "File, PEM or DER, with the private key of the user's certificate."
    )

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
                    [
                        "the environment variable %s, which holds the password of user %r, is not "
                        "set; set it before the start" % (self.password_env, self.name)
                    ]
                )
            return value
        assert self.password_file is not None
        try:
            with open(self.password_file, encoding="utf-8-sig") as file:
                text = file.read(65536)
        except (OSError, ValueError) as error:
            raise ConfigError(
                [
                    "%s: the password of user %r cannot be read: %s; expected a UTF-8 text file"
                    % (self.password_file, self.name, getattr(error, "strerror", None) or error)
                ]
            ) from None
        return text[:-1] if text.endswith("\n") else text


@dataclass(frozen=True)
class Deadband:
    """``deadband``: how much a number must change to be reported (OPC 10000-4 7.22.2).  Exactly
    one of ``absolute`` and ``percent`` is given."""

    absolute: Optional[float] = setting(
        None, "number", "Least change, in the unit of the value; 0 reports every change."
    )
    percent: Optional[float] = setting(
        None,
        "number",
        "Least change in percent of the node's EURange, which it must have.",
        "percent",
    )


@dataclass(frozen=True)
class Variable:
    """``servers.NAME.variables.NAME``: one variable as clients see it.

    ``node_text`` is the NodeId as the file has it; ``type`` the id of a built-in type or 0 for
    unknown; ``is_array`` ``None`` for unknown; ``sampling_interval_ms``, ``queue_size``,
    ``discard_oldest``, ``trigger`` and ``deadband`` ``None`` for the server's default.
    """

    name: str
    server: str
    node: NodeId = setting(
        REQUIRED,
        "NodeId",
        "The node: nsu=<namespace URI>; or nothing, then i=, s=, g= or b= and the identifier.",
    )
    node_text: str = ""
    type: int = setting(
        0,
        "name of a built-in type",
        "Built-in type of the value, such as Double; without it, as the OPC UA server says.",
    )
    is_array: Optional[bool] = setting(
        None,
        "true or false",
        "Whether the value is an array; without it, as the OPC UA server says.",
        key="array",
    )
    index_range: Optional[str] = setting(
        None,
        "index range",
        "One element, such as '2', or a range, such as '0:3', of the node's array; the value "
        "stays an array.",
    )
    access: str = setting(
        "read",
        "'read', 'readwrite' or 'write'",
        "What clients may do with the variable.",
    )
    metadata: Mapping[str, Any] = setting(
        {},
        "mapping",
        "Free content for clients: the MetaData of VALUEINFO.",
        hash=False,
    )
    description: Optional[str] = setting(
        None,
        "text",
        "What the variable is; without it, the node's Description.",
    )
    sampling_interval_ms: Optional[float] = setting(
        None,
        "number",
        "How often the OPC UA server samples the variable; -1 means as often as it publishes. "
        "Without it, the server's setting.",
        "ms",
    )
    queue_size: Optional[int] = setting(
        None,
        "whole number",
        "Values that the OPC UA server keeps between two publishes. Without it, the server's "
        "setting.",
    )
    discard_oldest: Optional[bool] = setting(
        None,
        "true or false",
        "Which value gives way when more change than queue_size: the oldest or the newest. "
        "Without it, the server's setting.",
    )
    trigger: Optional[str] = setting(
        None,
        "'status', 'value' or 'timestamp'",
        "What is a change: of the status; of status or value; of status, value or "
        "SourceTimestamp. Without it, the server's setting.",
    )
    deadband: Optional[Deadband] = section(
        None, Deadband, "How much a number must change. Without it, the server's setting."
    )

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
    """``servers.NAME.browse``: variables that are looked for at every connection instead of being
    listed.  A list of them looks for several kinds."""

    under: str = setting(
        "i=85",
        "NodeId",
        "Where to begin, as in node; names begin below it. i=85 is the Objects folder.",
    )
    match: str = setting(
        "*",
        "pattern",
        "Which variables, by the way to them, such as Boiler.*; * is any text, ? any character, "
        "[ab] one of these.",
    )
    prefix: str = setting("", "text", "What stands before each name.")
    depth: int = setting(64, "whole number", "How many levels to go down.")
    access: str = setting(
        "read", "'read', 'readwrite' or 'write'", "What clients may do with these variables."
    )
    max_variables: int = setting(
        10000, "whole number", "Most variables that it may become; more are left out, and told."
    )


@dataclass(frozen=True)
class Server:
    """``servers.NAME``: one OPC UA server, or a redundant set of them that serve the same
    (OPC 10000-4 6.6.2), and what of it clients see.

    ``endpoint`` is the first of ``endpoints`` where these are given.
    """

    name: str
    endpoint: str = setting(
        "",
        "URL",
        "Address of the OPC UA server: opc.tcp://host:port[/path]. Exactly one of endpoint and "
        "endpoints is given.",
    )
    endpoints: Tuple[str, ...] = setting(
        (),
        "list of text",
        "Addresses of the servers of a redundant set, of which the healthiest is used: the one "
        "with the highest ServiceLevel.",
    )
    required: bool = setting(
        True,
        "true or false",
        "Whether opcws counts as ready (/readyz) only while this server is connected.",
    )
    publishing_interval_ms: float = setting(
        100, "number", "How often the OPC UA server sends what has changed.", "ms"
    )
    sampling_interval_ms: float = setting(
        100,
        "number",
        "How often the OPC UA server samples a variable that does not say so itself; -1 means "
        "as often as it publishes.",
        "ms",
    )
    queue_size: int = setting(
        10,
        "whole number",
        "Values that the OPC UA server keeps between two publishes, for a variable that does "
        "not say so itself.",
    )
    discard_oldest: bool = setting(
        True,
        "true or false",
        "Which value gives way when more change than queue_size: the oldest, or the newest.",
    )
    trigger: str = setting(
        "value",
        "'status', 'value' or 'timestamp'",
        "What is a change: of the status; of status or value; of status, value or SourceTimestamp.",
    )
    deadband: Optional[Deadband] = section(
        None, Deadband, "How much a number must change, for a variable that does not say so itself."
    )
    retry_interval_ms: float = setting(
        30000,
        "number",
        "How often a variable that the OPC UA server refuses is asked for again.",
        "ms",
    )
    request_timeout_ms: float = setting(
        5000, "number", "Time for a read, a write or a change of monitoring.", "ms"
    )
    max_nodes_per_call: int = setting(
        1000,
        "whole number",
        "Nodes in one service call at most; where the OPC UA server states a lower limit, that.",
    )
    history_timeout_ms: float = setting(
        30000, "number", "Time for a read of history or a browse.", "ms"
    )
    history_max_values: int = setting(
        10000, "whole number", "Values in one response to HISTORICALREAD at most."
    )
    history_continuation_s: float = setting(
        60,
        "number",
        "Time in which the next page of a HISTORICALREAD must be asked for.",
        "s",
    )
    connect_timeout_ms: float = setting(
        5000, "number", "Time for connection, secure channel and session together.", "ms"
    )
    heartbeat_interval_ms: float = setting(
        5000, "number", "How often the connection is tried while nothing arrives by it.", "ms"
    )
    reconnect_min_ms: float = setting(
        500, "number", "Pause before the first attempt to connect again.", "ms"
    )
    reconnect_max_ms: float = setting(
        3000, "number", "Longest pause between attempts; it doubles until there.", "ms"
    )
    application_uri: str = setting(
        "urn:opcws",
        "text",
        "ApplicationUri of opcws; the certificate of opcws must contain the same.",
    )
    security: Security = section(Security, Security, "How the secure channel is protected.")
    user: Optional[User] = section(None, User, "Whom the session is for; without it, anonymous.")
    browse: Tuple[Browse, ...] = field(
        default=(),
        metadata={
            "section": Browse,
            "doc": "Variables that are looked for at every connection: one mapping, or a list of "
            "them.",
        },
    )
    variables: Mapping[str, Variable] = field(
        default_factory=dict,
        hash=False,
        metadata={
            "items": Variable,
            "doc": "The variables by the names that clients use; a name is used once in all.",
        },
    )
