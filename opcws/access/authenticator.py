"""Who a client is and which role it has: compares its credential with the configuration.

Rules:

* Without ``roles`` in the configuration clients need no credential, and everyone has
  :data:`~opcws.config.roles.EVERYONE`.
* A wrong credential is refused; it does not count as no credential.
* At most :data:`HASHES_AT_ONCE` passwords are computed at the same time, so that clients cannot use
  up memory and processor; the others wait, within their deadline, and addresses take turns.
* The roles and the file may change at any moment.  A :class:`Grant` remembers its account or
  certificate, and :meth:`Authenticator.recheck` says whether the grant is still valid.

Threads: any; the methods that compute a password block the caller, a connection's own thread.
"""

import base64
import hashlib
import hmac
import logging
import os
import secrets
import time
from typing import Dict, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from ..config import roles as access
from ..config.roles import Role, Roles
from ..model.deadline import Deadline
from ..model.errors import ConfigError, OpcwsError
from . import credentials
from .credentials import CredentialFile, Credentials, Token, User
from .turns import Turns

log = logging.getLogger(__name__)

#: Half of the processors; the other half continues to serve values.
HASHES_AT_ONCE = max(1, min(4, (os.cpu_count() or 1) // 2))
#: Seconds for which the access token of a login is valid: a shift.
LOGIN_S = 12 * 3600

_LOGIN = "login."


class Grant(NamedTuple):
    """Identity and role of a client, and the account or certificate behind them; *until* (seconds
    since 1970) is the end of a login."""

    identity: str
    role: Role
    entry: Union[Token, User, None] = None
    certificate: Sequence[str] = ()
    until: Optional[float] = None


class Unknown(OpcwsError, status="BadIdentityTokenRejected"):
    """The credential is not valid; the reason does not say which part is wrong."""


class Unavailable(OpcwsError, status="BadResourceUnavailable"):
    """Credentials cannot be checked now."""


class Authenticator:
    """Checks credentials against *roles* and, if there are roles, against *file*."""

    def __init__(
        self, roles: Roles = access.NO_ROLES, file: Optional[CredentialFile] = None
    ) -> None:
        self._roles = roles
        self._file = file
        # What two roles allow together, made once; replaced with the roles.
        self._capped: Dict[Tuple[Role, Role], Role] = {}
        self._told: Optional[ConfigError] = None
        self._hashes = Turns(HASHES_AT_ONCE)
        self._stopping = False
        # Access tokens of logins end with the process: the file must not hold a key that could
        # forge them.
        self._key = secrets.token_bytes(32)

    # --- any thread -----------------------------------------------------------------------------

    @property
    def configured(self) -> bool:
        """Whether there are roles, and so something to show."""
        return self._roles.configured

    @property
    def has_users(self) -> bool:
        """Whether a user and password may be shown."""
        try:
            return self.configured and bool(self._credentials().users)
        except Unavailable:
            return False

    def replace(self, roles: Roles, file: Optional[CredentialFile]) -> None:
        """Use these from now on; a connected client keeps its grant until :meth:`recheck`."""
        self._file = file
        self._roles = roles
        self._capped = {}

    def stop(self) -> None:
        """End every wait for a password."""
        self._stopping = True

    def anonymous(self) -> Grant:
        return Grant("", self._roles.anonymous)

    def by_certificate(self, keys: Sequence[str], name: str) -> Grant:
        """The grant of a certificate that TLS has verified; *keys* as
        :func:`~opcws.config.roles.certificate_keys` makes them, *name* for people.  Without a role
        of its own it has that of anonymous."""
        roles = self._roles
        return Grant("certificate " + name, _of_certificate(roles, keys), None, keys)

    def by_token(self, text: str) -> Grant:
        """Raises :exc:`Unknown` and :exc:`Unavailable`."""
        if not self.configured:
            return self.anonymous()
        if text.startswith(_LOGIN):
            return self._by_login(text)
        token = self._credentials().token(text, credentials.now())
        if token is None:
            raise Unknown("the token is not known, or no longer valid")
        return self._granted(token)

    def by_edge(self, edge: str, most: str, is_believed: bool, told: str) -> Grant:
        """What a client may do here that is connected to the opcws *edge*, which has *told* whom it
        proved to be there, empty for nobody: no more than the role *most*.  If that *is_believed*,
        as much as if it had shown it here.  Raises :exc:`Unknown` and :exc:`Unavailable`."""
        roles, capped = self._roles, self._capped
        role = roles.by_name.get(most)
        if role is None:
            raise Unknown("clients of %s have a role that is not configured" % edge)
        if not is_believed:
            said = " (%s, as it says)" % told if told else ""
            return Grant("edge %s%s" % (edge, said), role)
        own, identity = roles.anonymous, "edge " + edge
        if told:
            kind, _, name = told.partition(" ")
            known = self._credentials()
            entry: Union[Token, User, None] = None
            if kind == "user":
                entry = known.users.get(name)
            elif kind == "token":
                entry = known.tokens.get(name)
            if entry is None or not entry.valid(credentials.now()):
                raise Unknown("%s, whom %s names, is not known here" % (told, edge))
            own, identity = self._granted(entry).role, "%s via edge %s" % (told, edge)
        both = capped.get((own, role))
        if both is None:
            both = capped[own, role] = access.capped(own, role)
        return Grant(identity, both)

    def by_password(self, name: str, password: str, deadline: Deadline, address: str = "") -> Grant:
        """The grant of a user and password that *address* shows.  Raises :exc:`Unknown` and
        :exc:`Unavailable`."""
        if not self.configured:
            return self.anonymous()
        known = self._credentials()
        if len(password) > credentials.MAX_PASSWORD_BYTES:
            raise Unknown("user or password is wrong")
        if not self._hashes.take(address, deadline, lambda: self._stopping):
            raise Unavailable("too many logins at once; try again later")
        try:
            user = known.user(name, password)
        finally:
            self._hashes.give_back()
        if user is None:
            raise Unknown("user or password is wrong")
        return self._granted(user)

    def login_token(self, grant: Grant) -> str:
        """A token that stands for the user of *grant* for :data:`LOGIN_S`, until the password is
        changed or opcws stops: for web pages, which cannot send a password when they open a
        WebSocket."""
        assert isinstance(grant.entry, User)
        name = base64.urlsafe_b64encode(grant.entry.name.encode("utf-8")).decode("ascii")
        head = "%s%s.%d" % (_LOGIN, name.rstrip("="), time.time() + LOGIN_S)
        return "%s.%s" % (head, self._signature(head, grant.entry))

    def _by_login(self, text: str) -> Grant:
        problem = Unknown("the login has ended; log in again")
        head, _, signature = text.rpartition(".")
        try:
            _, name, until = head.split(".")
            padded = name + "=" * (-len(name) % 4)
            user = self._credentials().users.get(base64.urlsafe_b64decode(padded).decode("utf-8"))
            ends = int(until)
            if user is None or not signature.isascii() or time.time() >= ends:
                raise problem
        except ValueError:
            raise problem from None
        if not hmac.compare_digest(self._signature(head, user), signature):
            raise problem
        return self._granted(user)._replace(until=ends)

    def _signature(self, head: str, user: User) -> str:
        signed = head.encode("ascii", "replace") + b"\0" + user.password.hash
        return hmac.new(self._key, signed, hashlib.sha256).hexdigest()

    def _granted(self, entry: Union[Token, User]) -> Grant:
        role = self._roles.by_name.get(entry.role)
        if role is None:
            log.warning(
                "%s has the role %s, which the configuration does not have; opcws refuses it",
                entry.identity,
                entry.role,
            )
            raise Unknown("this credential has a role that is not configured")
        return Grant(entry.identity, role, entry)

    def _credentials(self) -> Credentials:
        if self._file is None:
            return credentials.NONE
        try:
            found = self._file.current()
        except ConfigError as error:
            if error is not self._told:
                self._told = error
                log.error("%s; until this is corrected, opcws refuses tokens and users", error)
            raise Unavailable("opcws cannot check credentials now; its log says why") from None
        if self._told is not None:
            self._told = None
            log.info("%s: the credentials can be read again", self._file.path)
        return found

    def _holds(self, entry: Union[Token, User]) -> bool:
        """Whether *entry* is still valid, as far as that can be checked."""
        try:
            known = self._credentials()
        except Unavailable:
            return True
        table: Mapping[str, Union[Token, User]]
        table = known.tokens if isinstance(entry, Token) else known.users
        return table.get(entry.name) == entry and entry.valid(credentials.now())

    def recheck(self, grant: Grant) -> Optional[Grant]:
        """*grant* itself or, after a change of the roles, one with the present role; ``None`` if it
        is no longer valid: the token was revoked, replaced or has expired, the user was removed or
        has a new password, the login is over, the role is gone or may not connect any more.  While
        the file cannot be read, grants stay valid."""
        roles = self._roles
        entry = grant.entry
        role: Optional[Role]
        if entry is not None and roles.configured:
            if grant.until is not None and time.time() >= grant.until:
                return None
            if not self._holds(entry):
                return None
            role = roles.by_name.get(entry.role)
        else:
            role = _of_certificate(roles, grant.certificate)
        if role is None or not role.may_connect:
            return None
        return grant if role is grant.role else grant._replace(role=role)


def _of_certificate(roles: Roles, keys: Sequence[str]) -> Role:
    found = [roles.by_certificate[key] for key in keys if key in roles.by_certificate]
    return found[0] if found else roles.anonymous
