"""The one table of settings: frozen dataclasses with defaults, units and what each is for.

``schemas/config.schema.json`` says the same to editors and other languages, with types and
limits; a test holds the two together, and the table in ``docs/pages/settings.rst`` is made
from this one.

Pure.
"""

import functools
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import List, Mapping, Optional, Tuple, Union

from .fielddefs import REQUIRED, Setting, section, setting, settings_of, table_rst
from .settings_listen import TLS, Limits, Listen
from .settings_plant import Browse, Deadband, Security, Server, User, Variable
from .settings_roles import Permissions, RoleLimits

__all__ = [
    "TLS",
    "Audit",
    "Browse",
    "Config",
    "Deadband",
    "Limits",
    "Listen",
    "Log",
    "Process",
    "Permissions",
    "Reload",
    "RoleLimits",
    "Security",
    "Server",
    "Setting",
    "User",
    "Variable",
    "settings",
    "settings_table_rst",
]


@dataclass(frozen=True)
class Log:
    """``log``: what is told, where and how; the command line's options override it."""

    level: str = setting(
        "info", "'debug', 'info', 'warning' or 'error'", "Least severity that is logged."
    )
    file: Optional[str] = setting(None, "path", "File to log to; without it, standard error.")
    format: str = setting(
        "text", "'text' or 'json'", "Lines for people, or one JSON object per line."
    )
    max_bytes: int = setting(
        10485760,
        "whole number",
        "Size at which the file is renamed and a new one begun; 0 means never.",
        "bytes",
    )
    backups: int = setting(5, "whole number", "Renamed files that are kept.")


@dataclass(frozen=True)
class Process:
    """``process``: how the operating system runs opcws."""

    cpu_affinity: Union[str, int] = setting(
        "auto",
        "'auto', 'off' or whole number",
        "The CPU that opcws is held to: a number from 0, or 'auto' for one that others leave free, "
        "looked for again and again.",
    )


@dataclass(frozen=True)
class Audit:
    """``audit``: the record of every write, and of every refused one."""

    file: str = setting(REQUIRED, "path", "File to which the lines are appended, one per event.")
    required: bool = setting(
        True,
        "true or false",
        "Refuse writes while the file cannot be written; if false, they go on unrecorded.",
    )
    max_bytes: int = setting(
        10485760,
        "whole number",
        "Size at which the file is renamed and a new one begun; 0 means never.",
        "bytes",
    )
    backups: int = setting(10, "whole number", "Renamed files that are kept.")
    sync: bool = setting(
        False,
        "true or false",
        "Wait until the disk has a line (fsync), so that a power cut does not take it.",
    )
    timeout_s: float = setting(
        2, "number", "How long a write waits for its line before it is refused.", "s"
    )


@dataclass(frozen=True)
class Reload:
    """``reload``: when the file is read again while opcws serves; on SIGHUP and at ``opcws
    reload`` it always is."""

    on_change: bool = setting(
        False, "true or false", "Read the file again by itself when it has changed."
    )
    interval_s: float = setting(
        2,
        "number",
        "How often on_change looks; a change counts once the file has stayed the same for that "
        "long.",
        "s",
    )


@dataclass(frozen=True)
class Config:
    """The whole configuration.

    ``path`` is the file it came from; ``warnings`` are sentences about what works but should
    be looked at, each with file, line and path.
    """

    listen: Tuple[Listen, ...] = field(
        default=(Listen(),),
        metadata={
            "section": Listen,
            "doc": "Where clients connect: one mapping, or a list of them.",
        },
    )
    servers: Mapping[str, Server] = field(
        default_factory=dict,
        hash=False,
        metadata={"items": Server, "doc": "The OPC UA servers by name."},
    )
    roles: Optional[Mapping[str, Permissions]] = field(
        default=None,
        hash=False,
        metadata={
            "items": Permissions,
            "doc": "Who may do what, by role; 'anonymous' is the role of clients that show no "
            "credential. Without the section everyone may do what each variable allows.",
        },
    )
    credentials: str = setting(
        "credentials.json",
        "path",
        "File with the tokens and users that 'opcws token' and 'opcws user' make.",
    )
    log: Log = section(Log, Log, "What is logged, where and how.")
    audit: Optional[Audit] = section(
        None, Audit, "The record of every write; without the section there is none."
    )
    process: Process = section(Process, Process, "How the operating system runs opcws.")
    reload: Reload = section(Reload, Reload, "When the file is read again.")
    state_dir: str = setting(
        "state",
        "path",
        "Directory for what a running opcws leaves there: how 'opcws reload' reaches it. Only its "
        "user may read it.",
    )
    path: Optional[str] = None
    warnings: Tuple[str, ...] = ()

    @functools.cached_property
    def variables(self) -> Mapping[str, Variable]:
        """Every variable of every server by name."""
        return MappingProxyType(
            {v.name: v for server in self.servers.values() for v in server.variables.values()}
        )


def settings() -> List[Setting]:
    """Every setting, in the order in which the dataclasses have them."""
    return settings_of(Config)


def settings_table_rst() -> str:
    """The table of settings as reStructuredText, as ``docs/pages/settings.rst`` has it."""
    return table_rst(settings())
