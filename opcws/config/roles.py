"""Who may read or write which variable.  Pure.

A variable says in the configuration what anybody may do with it (``read``, ``readwrite``,
``write``).  A role can only narrow that.

A variable that a role may neither read nor write does not exist for it.  The rights of a role are
computed once, when the configuration is loaded, so that a request costs one look into a table,
however many variables and patterns there are.
"""

import dataclasses
import fnmatch
import re
from typing import (
    Callable,
    Container,
    Dict,
    FrozenSet,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
)

from ..model.errors import ServiceError
from .settings import ANONYMOUS, Limits, Permissions, RoleLimits, Variable

#: What opcws serves over HTTP beside the page, for the roles that list it.
ENDPOINTS = frozenset(("healthz", "readyz", "metrics", "status"))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Role:
    """What a client is allowed.

    ``rights`` has the rights for each variable that exists for the role; ``None`` means every
    variable with its own access.  ``servers`` has the OPC UA servers of these variables, and
    whether every variable of the server is among them.  ``views`` is whether it may change the
    shared views of the page.  ``endpoints`` is a subset of :data:`ENDPOINTS`.  Two roles are never
    equal.
    """

    name: str
    rights: Optional[Mapping[str, str]]
    history: bool = False
    views: bool = False
    endpoints: FrozenSet[str] = frozenset()
    limits: RoleLimits = RoleLimits()
    may_connect: bool = True
    servers: Mapping[str, bool] = dataclasses.field(default_factory=dict)

    def limited(self, limits: Limits) -> Limits:
        """*limits* of a listener, overridden by those of the role."""
        own = {name: value for name, value in vars(self.limits).items() if value is not None}
        return dataclasses.replace(limits, **own) if own else limits


#: The role of every client if the configuration has no roles.
EVERYONE = Role("everyone", None, True, True, ENDPOINTS)


class Roles(NamedTuple):
    """Every role of one configuration.

    ``by_certificate`` has the keys that :func:`certificate_key` makes.  ``configured`` is False
    if there are no roles, and everyone has :data:`EVERYONE`.
    """

    configured: bool
    anonymous: Role
    by_name: Mapping[str, Role]
    by_certificate: Mapping[str, Role]


NO_ROLES = Roles(False, EVERYONE, {}, {})


def compile_roles(
    roles: Optional[Mapping[str, Permissions]], variables: Mapping[str, Variable]
) -> Roles:
    """The *roles* of a configuration, computed for its *variables*."""
    if roles is None:
        return NO_ROLES
    by_name = {name: compile_role(name, each, variables) for name, each in roles.items()}
    by_certificate = {
        certificate_key(text): by_name[name]
        for name, each in roles.items()
        for text in each.certificates
    }
    nobody = Role(ANONYMOUS, {}, may_connect=False)
    return Roles(True, by_name.get(ANONYMOUS, nobody), by_name, by_certificate)


def compile_role(name: str, permissions: Permissions, variables: Mapping[str, Variable]) -> Role:
    """One role, computed for *variables*."""
    may_read = matcher(permissions.read, variables)
    may_write = matcher(permissions.write, variables)
    rights: Dict[str, str] = {}
    seen: Set[str] = set()
    partly: Set[str] = set()
    for variable in variables.values():
        readable = variable.readable and may_read(variable.name)
        writable = variable.writable and may_write(variable.name)
        if readable:
            rights[variable.name] = "readwrite" if writable else "read"
        elif writable:
            rights[variable.name] = "write"
        (seen if readable or writable else partly).add(variable.server)
    return Role(
        name,
        rights,
        permissions.history,
        permissions.views,
        frozenset(permissions.endpoints),
        permissions.limits,
        bool(permissions.read or permissions.write),
        {server: server not in partly for server in seen},
    )


def capped(role: Role, most: Role) -> Role:
    """What both *role* and *most* allow."""
    rights = role.rights if most.rights is None else most.rights
    if role.rights is not None and most.rights is not None:
        both = {
            name: narrowed(access, "read" in role.rights[name], "write" in role.rights[name])
            for name, access in most.rights.items()
            if name in role.rights
        }
        rights = {name: access for name, access in both.items() if access is not None}
    name = role.name if role.name == most.name else "%s, at most %s" % (role.name, most.name)
    return Role(name, rights, role.history and most.history, limits=most.limits)


def matcher(patterns: Sequence[str], names: Container[str] = ()) -> Callable[[str], bool]:
    """A function that says whether a name matches one of *patterns*: ``*`` is any text, ``?`` any
    character, ``[ab]`` one of these, ``[!ab]`` none; case and dots matter.  A pattern that is one
    of *names* means only that name, such as ``x[1]`` for the element of an array; only ``*`` always
    means everything.

    Raises :exc:`ValueError` for a pattern such as ``[z-a]``.
    """
    if "*" in patterns:
        return lambda name: True
    exact = frozenset(each for each in patterns if each in names or not _WILD.search(each))
    wild = "|".join([fnmatch.translate(each) for each in patterns if each not in exact])
    if not wild:
        return exact.__contains__
    try:
        match = re.compile(wild).match
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError("is no pattern: %s" % error) from None
    return lambda name: name in exact or match(name) is not None


_WILD = re.compile(r"[*?\[]")


def certificate_key(text: str) -> str:
    """The key of ``CN=name`` or ``sha256:`` with a fingerprint: the name as it is, the fingerprint
    in lower case without colons."""
    kind, separator, rest = text.partition(":")
    if separator and kind.lower() == "sha256":
        return "sha256:" + rest.replace(":", "").lower()
    return "CN=" + text[3:]


def certificate_keys(common_names: Sequence[str], fingerprint: str) -> List[str]:
    """The keys by which the role of a client's certificate is found: first its SHA-256
    *fingerprint* (hexadecimal), because it identifies one certificate, then its common names."""
    return ["sha256:" + fingerprint.lower(), *("CN=" + name for name in common_names)]


def visible(role: Role, name: str) -> bool:
    """Whether a variable *name* may exist for *role*.  It takes the same time whether or not other
    roles have such a variable, so that the time of a long list of names reveals nothing."""
    return role.rights is None or name in role.rights


def granted(role: Role, variable: Variable) -> str:
    """``"read"``, ``"write"`` or ``"readwrite"``: the rights of *role* for *variable*; ``""`` if it
    does not exist for the role."""
    return variable.access if role.rights is None else role.rights.get(variable.name, "")


def sees_server(role: Role, server: str) -> Optional[bool]:
    """``None`` if no variable of the OPC UA server *server* exists for *role*, so the server does
    not exist either; otherwise whether all its variables do, so that their number is no secret."""
    return True if role.rights is None else role.servers.get(server)


def narrowed(access: str, may_read: bool, may_write: bool) -> Optional[str]:
    """*access*, narrowed to the allowed reading and writing; ``None`` if nothing is left."""
    left = [
        kind for kind, may in (("read", may_read), ("write", may_write)) if may and kind in access
    ]
    return "".join(left) or None


def require_read(role: Role, variable: Variable) -> None:
    """Raises :exc:`~opcws.model.errors.ServiceError`: BadNotReadable if nobody may read *variable*,
    BadUserAccessDenied if *role* may not."""
    if not variable.readable:
        raise ServiceError(
            "%s can only be written; its access in the configuration is 'write'" % variable.name,
            "BadNotReadable",
        )
    if role.rights is not None and "read" not in granted(role, variable):
        raise _denied(role, "read " + variable.name, "'read'")


def require_write(role: Role, variable: Variable) -> None:
    """Raises :exc:`~opcws.model.errors.ServiceError`: BadNotWritable if nobody may write
    *variable*, BadUserAccessDenied if *role* may not."""
    if variable.field is not None and not variable.writable:
        raise ServiceError(
            "%s comes from a broker; to write it, set 'edge' of its server in the configuration, "
            "and do not limit its access" % variable.name,
            "BadNotWritable",
        )
    if not variable.writable:
        raise ServiceError(
            "%s can only be read; give it 'access: readwrite' in the configuration to write it"
            % variable.name,
            "BadNotWritable",
        )
    if role.rights is not None and "write" not in granted(role, variable):
        raise _denied(role, "write " + variable.name, "'write'")


def require_history(role: Role, variable: Variable) -> None:
    """As :func:`require_read`, and BadUserAccessDenied if *role* has no history."""
    require_read(role, variable)
    if not role.history:
        raise _denied(role, "read the history of " + variable.name, "'history: true'")


def _denied(role: Role, what: str, setting: str) -> ServiceError:
    return ServiceError(
        "the role %s may not %s; %s of the role in the configuration would allow it"
        % (role.name, what, setting),
        "BadUserAccessDenied",
    )
