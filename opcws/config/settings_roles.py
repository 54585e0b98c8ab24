"""The settings of ``roles``: what the clients of each role may do.

Pure.
"""

from dataclasses import dataclass
from typing import Mapping, Optional, Tuple

from .fielddefs import section, setting

#: The role of clients that show no credential.
ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class RoleLimits:
    """``roles.NAME.limits``: what takes the place of the listener's limits for this role."""

    requests_per_second: Optional[float] = setting(
        None,
        "number",
        "Requests that one client of the role may send on average; 0 means no limit. Without it, "
        "as listen.limits says.",
        "1/s",
    )
    monitors: Optional[int] = setting(
        None,
        "whole number",
        "Monitors that one client of the role may hold. Without it, as listen.limits says.",
    )


@dataclass(frozen=True)
class Permissions:
    """``roles.NAME``: what a client of this role may do; never more than ``access`` of each
    variable allows.  The word ``off`` stands for nothing, ``read`` for reading every variable."""

    read: Tuple[str, ...] = setting(
        (),
        "list of text",
        "Patterns of the variables that it may read and monitor; * is any text, ? any character, "
        "[ab] one of these.",
    )
    write: Tuple[str, ...] = setting(
        (), "list of text", "Patterns of the variables that it may write."
    )
    history: bool = setting(
        False, "true or false", "Whether it may read the past of the variables that it may read."
    )
    endpoints: Tuple[str, ...] = setting(
        (),
        "list of text",
        "Which of healthz, readyz, metrics and status it may get over HTTP.",
    )
    certificates: Tuple[str, ...] = setting(
        (),
        "list of text",
        "Client certificates that have the role: CN=name, or sha256: and the fingerprint.",
    )
    limits: RoleLimits = section(
        RoleLimits, RoleLimits, "What takes the place of the listener's limits for this role."
    )


#: A role in one word, and what it stands for.
SHORTHANDS: Mapping[str, Permissions] = {"off": Permissions(), "read": Permissions(read=("*",))}
