"""Who may read or write which variable.  Pure.

A variable says in the configuration what anybody may do with it (``read``, ``readwrite``,
``write``).  A role can only narrow that, and a variable of which a role may do nothing does not
exist for it.

What a role may do is worked out once, when the configuration is loaded, so that a request costs
one look into a table, however many variables and patterns there are.
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

#: What is served over HTTP beside the page, each for the roles that have it.
ENDPOINTS = frozenset(("healthz", "readyz", "metrics", "status"))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Role:
    """What a client is allowed.

    ``rights`` says of each variable that exists for the role what may be done with it; ``None``
    stands for every variable with the access of its own.  ``servers`` has the OPC UA servers of
    these variables, and whether every variable of the server is among them.  ``views`` is whether
    it may change the views of the page that are for everybody.  ``endpoints`` is a
    subset of :data:`ENDPOINTS`.  Two roles are never equal.
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
        """*limits* of a listener, with those of the role in their place."""
        own = {name: value for name, value in vars(self.limits).items() if value is not None}
        return dataclasses.replace(limits, **own) if own else limits


#: Without roles in the configuration everyone who can connect has this one.
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
    """The *roles* of a configuration, worked out for its *variables*."""
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
    """One role, worked out for *variables*."""
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
    """A function that says whether a name matches one of *patterns*: ``*`` is any text, ``?``
    any character, ``[ab]`` one of these, ``[!ab]`` none; capitals count, and so does every dot.
    A pattern that is one of *names* means that name alone, as ``x[1]`` does where the elements of
    an array have names; only ``*`` is always everything.

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
    """How ``CN=name`` or ``sha256:`` with a fingerprint is looked for: the name as it is, the
    fingerprint in lower case without colons."""
    kind, separator, rest = text.partition(":")
    if separator and kind.lower() == "sha256":
        return "sha256:" + rest.replace(":", "").lower()
    return "CN=" + text[3:]


def certificate_keys(common_names: Sequence[str], fingerprint: str) -> List[str]:
    """The keys under which the role of a client's certificate may be: its SHA-256 *fingerprint*
    (hexadecimal) first, because it names one certificate, then its common names."""
    return ["sha256:" + fingerprint.lower(), *("CN=" + name for name in common_names)]


def visible(role: Role, name: str) -> bool:
    """Whether there may be a variable *name* for *role* at all.  It costs the same whether or not
    there is one for others, of which a list of many names would tell by the time it takes."""
    return role.rights is None or name in role.rights


def granted(role: Role, variable: Variable) -> str:
    """``"read"``, ``"write"`` or ``"readwrite"``: what *role* may do with *variable*; ``""`` if
    it does not exist for the role."""
    return variable.access if role.rights is None else role.rights.get(variable.name, "")


def sees_server(role: Role, server: str) -> Optional[bool]:
    """``None`` if no variable of the OPC UA server named *server* exists for *role*, and so
    neither does the server; otherwise whether all do, and their number is no secret."""
    return True if role.rights is None else role.servers.get(server)


def narrowed(access: str, may_read: bool, may_write: bool) -> Optional[str]:
    """*access* as far as reading and writing are allowed; ``None`` if nothing is left."""
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
