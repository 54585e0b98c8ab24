"""Who may read or write which variable.  Pure.

A variable says in the configuration what anybody may do with it (``read``, ``readwrite``,
``write``).  A role can only narrow that.  What a role may not see does not exist for it.
"""

from typing import NamedTuple, Optional

from .config import Variable
from .errors import ServiceError


class Role(NamedTuple):
    """What a client is allowed.  Without roles in the configuration everyone who can connect
    has the role :data:`EVERYONE` and may do what the variables allow."""

    name: str


EVERYONE = Role("everyone")


def visible(role: Role, variable: Variable) -> bool:
    """Whether *variable* exists for *role* at all."""
    return True


def granted(role: Role, variable: Variable) -> str:
    """``"read"``, ``"write"`` or ``"readwrite"``: what *role* may do with *variable*."""
    return variable.access


def narrowed(access: str, may_read: bool, may_write: bool) -> Optional[str]:
    """*access* as far as the OPC UA server lets our user; ``None`` if nothing is left."""
    left = [
        kind for kind, may in (("read", may_read), ("write", may_write)) if may and kind in access
    ]
    return "".join(left) or None


def require_read(role: Role, variable: Variable) -> None:
    """Raises :exc:`~opcws.errors.ServiceError` BadNotReadable if nobody may read *variable*."""
    if variable.access == "write":
        raise ServiceError(
            "%s can only be written; its access in the configuration is 'write'" % variable.name,
            "BadNotReadable",
        )


def require_write(role: Role, variable: Variable) -> None:
    """Raises :exc:`~opcws.errors.ServiceError` BadNotWritable if nobody may write *variable*."""
    if variable.access == "read":
        raise ServiceError(
            "%s can only be read; give it 'access: readwrite' in the configuration to write it"
            % variable.name,
            "BadNotWritable",
        )
