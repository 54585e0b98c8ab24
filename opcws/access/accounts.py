"""``opcws token`` and ``opcws user``: the file of credentials, for people at a terminal.

Every function returns lines to print and raises :exc:`~opcws.model.errors.ConfigError` with a
sentence. A change is whole or not at all, readable by the file's owner alone, and seen by running
servers without a restart.
"""

import datetime
import os
import re
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from ..config.settings import ANONYMOUS, Config, Permissions
from ..model import atomic_file
from ..model.errors import ConfigError
from ..model.text import word
from . import credentials
from .credentials import Credentials, Token, User


def warnings(config: Config) -> List[str]:
    """Warnings about the credentials before opcws uses them, also about a file that it cannot
    read."""
    if config.roles is None:
        return []
    try:
        known = credentials.load(config.credentials)
    except ConfigError as error:
        return list(error.problems)
    entries: List[Union[Token, User]] = [*known.tokens.values(), *known.users.values()]
    found = [
        "%s: %s has the role %r, which the configuration does not have; opcws refuses it until "
        "'roles' has this role" % (config.credentials, entry.identity, entry.role)
        for entry in entries
        if entry.role not in config.roles
    ]
    anonymous = config.roles.get(ANONYMOUS, Permissions())
    by_certificate = any(role.certificates for role in config.roles.values())
    if not (entries or by_certificate or anonymous.read or anonymous.write):
        named = [name for name in config.roles if name != ANONYMOUS]
        found.append(
            "there are roles, but neither a token nor a user, so nobody can connect; make one: "
            "opcws token create NAME --role %s --config %s"
            % (named[0] if named else "ROLE", word(config.path or "FILE"))
        )
    exposed = credentials.exposure(config.credentials)
    return found if exposed is None else [*found, exposed]


def create_token(config: Config, name: str, role: str, expires: Optional[str]) -> Tuple[str, str]:
    """Make the token *name* with *role*, until *expires*: a date, or a number with ``d`` or ``h``.
    Returns the token, which is stored nowhere, and a line about it."""
    _check_name(name)
    _check_role(config, role)
    end = None if expires is None else _moment(expires)
    text = credentials.new_token()
    made = Token(name, role, credentials.token_hash(text), _now(), end)

    def change(known: Credentials) -> Credentials:
        if name in known.tokens:
            raise ConfigError(
                "there is a token %s already; revoke it first, or choose another name" % name
            )
        return known._replace(tokens={**known.tokens, name: made})

    _edit(config.credentials, change)
    return text, "made the token %s with the role %s, %s; it cannot be shown again" % (
        name,
        role,
        _end(made),
    )


def revoke_token(config: Config, name: str) -> List[str]:
    _edit(
        config.credentials,
        lambda known: known._replace(tokens=_without(known.tokens, name, "token")),
    )
    return ["revoked the token %s; clients that use it are disconnected" % name]


def list_tokens(config: Config) -> List[str]:
    return _listed(credentials.load(config.credentials).tokens) or ["no tokens"]


def add_user(config: Config, name: str, role: str, ask: Callable[[], str]) -> List[str]:
    """*ask* is called for the password when nothing else is wrong."""
    _check_name(name)
    _check_role(config, role)

    def add(known: Credentials, made: Optional[User] = None) -> Credentials:
        if name in known.users:
            raise ConfigError(
                "there is a user %s already; 'opcws user passwd' gives a new password" % name
            )
        return known if made is None else known._replace(users={**known.users, name: made})

    add(credentials.load(config.credentials))
    made = User(name, role, _hashed(ask()), _now())
    _edit(config.credentials, lambda known: add(known, made))
    return ["added the user %s with the role %s" % (name, role)]


def change_password(config: Config, name: str, ask: Callable[[], str]) -> List[str]:
    """*ask* is called for the password when nothing else is wrong."""
    _without(credentials.load(config.credentials).users, name, "user")
    made = _hashed(ask())

    def change(known: Credentials) -> Credentials:
        others = _without(known.users, name, "user")
        return known._replace(users={**others, name: known.users[name]._replace(password=made)})

    _edit(config.credentials, change)
    return ["%s has a new password; clients that use the old one are disconnected" % name]


def remove_user(config: Config, name: str) -> List[str]:
    _edit(
        config.credentials, lambda known: known._replace(users=_without(known.users, name, "user"))
    )
    return ["removed the user %s; clients of this user are disconnected" % name]


def list_users(config: Config) -> List[str]:
    return _listed(credentials.load(config.credentials).users) or ["no users"]


# --- what they share -------------------------------------------------------------------------


def _now() -> str:
    return credentials.timestamp(credentials.now())


def _listed(entries: Mapping[str, credentials.Entry]) -> List[str]:
    lines = []
    for name, entry in entries.items():
        end = ", " + _end(entry) if isinstance(entry, Token) else ""
        lines.append("%s  role %s, made %s%s" % (name, entry.role, entry.created, end))
    return lines


def _end(token: Token) -> str:
    if token.expires is None:
        return "without expiry"
    over = "" if token.valid(credentials.now()) else " (over)"
    return "until %s%s" % (credentials.timestamp(token.expires), over)


def _without(
    entries: Mapping[str, credentials.Entry], name: str, kind: str
) -> Dict[str, credentials.Entry]:
    if name not in entries:
        raise ConfigError("there is no %s %s; 'opcws %s list' shows all" % (kind, name, kind))
    return {other: entry for other, entry in entries.items() if other != name}


def _check_name(name: str) -> None:
    if not credentials.is_name(name):
        raise ConfigError(
            "a name has 1 to 64 characters, no colon and no control characters; choose another"
        )


def _check_role(config: Config, role: str) -> None:
    names: Sequence[str] = sorted(set(config.roles or ()) - {ANONYMOUS})
    if not names:
        raise ConfigError(
            "the configuration has no roles; add one under 'roles', such as 'roles: {operator: "
            '{read: ["*"], write: ["*"]}}\''
        )
    if role not in names:
        raise ConfigError("the configuration has no role %s; it has %s" % (role, ", ".join(names)))


def _hashed(password: str) -> credentials.Scrypt:
    if len(password) < credentials.MIN_PASSWORD:
        raise ConfigError(
            "a password needs at least %d characters; a few words in a row are good"
            % credentials.MIN_PASSWORD
        )
    if len(password.encode("utf-8", "surrogatepass")) > credentials.MAX_PASSWORD_BYTES:
        raise ConfigError("a password may have at most %d bytes" % credentials.MAX_PASSWORD_BYTES)
    return credentials.hashed(password)


def _moment(text: str) -> datetime.datetime:
    found = re.fullmatch(r"([0-9]{1,5})([dh])", text)
    try:
        if found is None:
            moment = datetime.datetime.strptime(text + "+0000", "%Y-%m-%d%z")
        else:
            hours = int(found[1]) * (24 if found[2] == "d" else 1)
            moment = credentials.now() + datetime.timedelta(hours=hours)
    except OverflowError:
        moment = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        raise ConfigError(
            "--expires takes a date such as 2027-06-30, a number of days such as 90d or of hours "
            "such as 12h"
        ) from None
    if moment <= credentials.now():
        raise ConfigError("--expires: %s is in the past" % text)
    return moment.replace(microsecond=0)


def _edit(path: str, change: Callable[[Credentials], Credentials]) -> None:
    """Replace the credentials in *path* with what *change* makes of them."""
    path = os.path.realpath(path)
    new = path + ".new"  # one lock for all commands, so that none undoes the work of another
    try:
        with atomic_file.replacing(path, new) as file:
            made = change(credentials.load(path))
            file.write(credentials.written(made))
            _keep_owner(path, file.fileno())
    except FileExistsError:
        raise ConfigError(
            "%s exists: another command is running, or one was interrupted; if none is, remove "
            "that file" % new
        ) from None
    except OSError as error:
        raise ConfigError(
            "cannot write %s: %s; run the command as the user that opcws runs as"
            % (path, error.strerror or error)
        ) from None


def _keep_owner(path: str, file: int) -> None:
    """An administrator who edits the file must not take it away from the server."""
    try:
        before = os.stat(path)
    except FileNotFoundError:
        return
    if os.name != "nt" and before.st_uid != os.geteuid():
        os.fchown(file, before.st_uid, before.st_gid)
