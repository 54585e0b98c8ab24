"""Tokens and users: how they are stored, and whether a client's credential is one of them.

The file is JSON, written by ``opcws token`` and ``opcws user``, read by running servers.  It holds
no secret that a server would accept:

* A token is 256 random bits, so its SHA-256 is enough: nobody can try that many, and a slow hash
  would only slow down good clients (NIST SP 800-63B 5.1.2.2 asks for no more for secrets of 112
  bits and over).
* A password is chosen by a person, so it is stored with scrypt (RFC 7914), salted, with the
  parameters beside it.  One takes 16 MiB of memory and some tenths of a second, on the thread of
  the client that shows it.

Pure, but for the file.  Any thread may call anything.
"""

import base64
import datetime
import hashlib
import hmac
import json
import os
import secrets
import stat
import unicodedata
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, TypeVar

from ..model.errors import ConfigError

#: Shortest password, in characters (NIST SP 800-63B 5.1.1.2), and the longest in bytes.
MIN_PASSWORD = 8
MAX_PASSWORD_BYTES = 1024
#: Largest file that is read, in bytes.
MAX_FILE_BYTES = 16 * 1024 * 1024
#: Most memory that a stored password may ask for, in bytes.
MAX_SCRYPT_BYTES = 64 * 1024 * 1024

_VERSION = 1
_Moment = datetime.datetime
_UTC = datetime.timezone.utc


class Scrypt(NamedTuple):
    """A stored password: cost N, block size r, parallelism p, salt and hash."""

    n: int
    r: int
    p: int
    salt: bytes
    hash: bytes

    def matches(self, password: str) -> bool:
        """Whether this is the hash of *password*; slow, and equally slow for a wrong one."""
        return hmac.compare_digest(_scrypt(password, self.n, self.r, self.p, self.salt), self.hash)


class Token(NamedTuple):
    """A bearer token: its name for people, its role, its SHA-256 and when it ends, if ever."""

    name: str
    role: str
    sha256: bytes
    created: str
    expires: Optional[_Moment] = None

    @property
    def identity(self) -> str:
        return "token " + self.name

    def valid(self, now: _Moment) -> bool:
        return self.expires is None or now < self.expires


class User(NamedTuple):
    """A person who shows a password."""

    name: str
    role: str
    password: Scrypt
    created: str

    @property
    def identity(self) -> str:
        return "user " + self.name

    def valid(self, now: _Moment) -> bool:
        return True


#: Either of them.
Entry = TypeVar("Entry", Token, User)


class Credentials(NamedTuple):
    """What the file holds, by name.  Never changed after it was made."""

    tokens: Mapping[str, Token]
    users: Mapping[str, User]

    def token(self, text: str, now: _Moment) -> Optional[Token]:
        """The valid token that *text* is."""
        digest = token_hash(text)
        found = None
        for token in self.tokens.values():  # compare all of them, so that the time reveals nothing
            if hmac.compare_digest(token.sha256, digest):
                found = token
        return found if found is not None and found.valid(now) else None

    def user(self, name: str, password: str) -> Optional[User]:
        """The user *name* if *password* is right.  Computes for some tenths of a second, even if
        there is no such user."""
        user = self.users.get(name)
        if user is not None:
            return user if user.password.matches(password) else None
        if self.users:
            next(iter(self.users.values())).password.matches(password)
        return None


NONE = Credentials({}, {})


def is_name(text: str) -> bool:
    """Whether *text* can be the name of a token or a user: a colon would end it in Basic (RFC 7617
    2), and characters that cannot be printed would make the log unreadable."""
    return 1 <= len(text) <= 64 and text.isprintable() and ":" not in text


def now() -> _Moment:
    return _Moment.now(_UTC)


def new_token() -> str:
    """256 random bits as text that fits a URL, a header and a subprotocol."""
    return secrets.token_urlsafe(32)


def token_hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def hashed(password: str) -> Scrypt:
    """*password* in its stored form.

    The parameters are those that OWASP's Password Storage Cheat Sheet gives for 16 MiB.
    """
    n, r, p, salt = 2**14, 8, 5, secrets.token_bytes(16)
    return Scrypt(n, r, p, salt, _scrypt(password, n, r, p, salt))


def _scrypt(password: str, n: int, r: int, p: int, salt: bytes) -> bytes:
    # Unicode has several encodings of the same text (RFC 7617 2.1).
    raw = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    memory = 128 * r * (n + p + 2)
    return hashlib.scrypt(raw, salt=salt, n=n, r=r, p=p, maxmem=memory + 65536, dklen=32)


# --- the file --------------------------------------------------------------------------------


def load(path: str) -> Credentials:
    """What the file *path* holds; :data:`NONE` if there is no such file.

    Raises :exc:`~opcws.model.errors.ConfigError`, whose text has no secret.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return NONE
    except (OSError, ValueError) as error:
        problem = (
            "%s: the credentials cannot be read: %s; the file must belong to the user that opcws "
            "runs as" % (path, getattr(error, "strerror", None) or error)
        )
        raise ConfigError(problem) from None
    try:
        if len(raw) > MAX_FILE_BYTES:
            raise ValueError("over %d bytes" % MAX_FILE_BYTES)
        return parse(raw)
    except (ValueError, RecursionError) as error:
        problem = (
            "%s: is not a file with credentials: %s; put back a good copy, or remove the file "
            "and make the tokens and users again" % (path, error)
        )
        raise ConfigError(problem) from None


def parse(raw: bytes) -> Credentials:
    """Raises :exc:`ValueError` with what is wrong, without the secret parts."""
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except ValueError:
        raise ValueError("not JSON") from None
    if not isinstance(data, dict) or data.get("version") != _VERSION:
        raise ValueError("expected an object with version %d" % _VERSION)
    return Credentials(
        {name: _token(name, each) for name, each in _entries(data, "tokens")},
        {name: _user(name, each) for name, each in _entries(data, "users")},
    )


def _entries(data: Dict[str, Any], kind: str) -> List[Tuple[str, "_Entry"]]:
    entries = data.get(kind, {})
    if not isinstance(entries, dict):
        raise ValueError("%s: expected an object" % kind)
    for name in entries:
        if not is_name(name):
            raise ValueError(
                "%s: a name is longer than 64 characters or contains invalid ones" % kind
            )
    return [(name, _Entry("%s.%s" % (kind, name), each)) for name, each in entries.items()]


class _Entry:
    """Reads one object of the file, with error messages for its members."""

    def __init__(self, where: str, data: Any) -> None:
        self.where = where
        if not isinstance(data, dict):
            raise ValueError("%s: expected an object" % where)
        self._data: Dict[str, Any] = data

    def _wrong(self, key: str, expected: str) -> ValueError:
        return ValueError("%s.%s: expected %s" % (self.where, key, expected))

    def text(self, key: str) -> str:
        value = self._data.get(key)
        if isinstance(value, str):
            return value
        raise self._wrong(key, "text")

    def number(self, key: str) -> int:
        value = self._data.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        raise self._wrong(key, "a whole number")

    def raw(self, key: str, size: int) -> bytes:
        try:
            value = base64.b64decode(self.text(key), validate=True)
        except ValueError:
            value = b""
        if len(value) == size:
            return value
        raise self._wrong(key, "%d bytes in base64" % size)

    def moment(self, key: str) -> Optional[_Moment]:
        if self._data.get(key) is None:
            return None
        try:
            return _Moment.strptime(self.text(key), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=_UTC)
        except ValueError:
            raise self._wrong(key, "a time such as 2027-01-01T00:00:00Z") from None

    def part(self, key: str) -> "_Entry":
        return _Entry("%s.%s" % (self.where, key), self._data.get(key))


def _token(name: str, entry: _Entry) -> Token:
    role, created = entry.text("role"), entry.text("created")
    return Token(name, role, entry.raw("sha256", 32), created, entry.moment("expires"))


def _user(name: str, entry: _Entry) -> User:
    stored = entry.part("scrypt")
    n, r, p = stored.number("n"), stored.number("r"), stored.number("p")
    if n & (n - 1) or n < 2 or 128 * n * r > MAX_SCRYPT_BYTES or p > 64:
        raise ValueError("%s: n, r and p differ from those that opcws uses" % stored.where)
    password = Scrypt(n, r, p, stored.raw("salt", 16), stored.raw("hash", 32))
    return User(name, entry.text("role"), password, entry.text("created"))


def written(credentials: Credentials) -> bytes:
    """The content of the file."""
    tokens = {
        token.name: {
            "role": token.role,
            "created": token.created,
            "expires": None if token.expires is None else timestamp(token.expires),
            "sha256": _base64(token.sha256),
        }
        for token in credentials.tokens.values()
    }
    users = {}
    for user in credentials.users.values():
        stored = user.password._asdict()
        stored.update(salt=_base64(user.password.salt), hash=_base64(user.password.hash))
        users[user.name] = {"role": user.role, "created": user.created, "scrypt": stored}
    data = {"version": _VERSION, "tokens": tokens, "users": users}
    return json.dumps(data, indent=1).encode("ascii") + b"\n"


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def timestamp(moment: _Moment) -> str:
    return moment.astimezone(_UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class CredentialFile:
    """The file *path* as a running server sees it: read again when it has changed."""

    def __init__(self, path: str) -> None:
        self.path = path
        # The content or the ConfigError, and the state of the file that it belongs to; replaced as
        # a whole, so that two threads may read at once.
        self._read: Tuple[Credentials, Optional[ConfigError], Any] = (NONE, None, ())

    def current(self) -> Credentials:
        """What the file holds now.  Costs a look at its times and size if nothing has changed.

        Raises :exc:`~opcws.model.errors.ConfigError` while the file is broken, the same object for
        the same state of the file.
        """
        state = self._state()
        found, problem, seen = self._read
        if state != seen:
            try:
                found, problem = load(self.path), None
            except ConfigError as error:
                found, problem = NONE, error
            self._read = (found, problem, state)
        if problem is not None:
            raise problem
        return found

    def _state(self) -> Any:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            return str(error)
        return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode, found.st_uid)


def exposure(path: str) -> Optional[str]:
    """A sentence if other users than its owner may read the file *path*; never on Windows, which
    has no such bits."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return None
    if os.name == "nt" or not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return None
    return "%s: other users than its owner may read or write it; run 'chmod 600' on it" % path
