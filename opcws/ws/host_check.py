"""Whether a request is meant for this server, by the host name in it.

With DNS rebinding, the owner of a foreign page makes its name point here; the page then has the
same origin as this server, whatever address opcws listens on, and only the name in ``Host`` tells
the difference.  Rules:

* Addresses are ours: a foreign page has a name.  So are localhost and this machine's names for
  itself, ``listen.host``, and the names in ``listen.origins``.
* Requests by https are safe: the browser has compared the name with a certificate.
* A trusted proxy may report the name in its own header.  Both names must be ours, because a proxy
  that does not know the header passes on what a page has put there.
* Only HTTP/1.0 may omit Host, and browsers never do.
"""

import functools
import socket
from typing import FrozenSet, Sequence
from urllib.parse import urlsplit

from ..config.settings import Listen
from ..model.addresses import parse
from .http_message import refuse

#: Paths for everybody: they reveal nothing of the plant.
OPEN = ("/healthz", "/opcws.js", "/opcws.d.ts")


def require(hosts: Sequence[str], listen: Listen) -> None:
    """Raises :exc:`~opcws.ws.http_message.Refused` with 403 unless all *hosts* are ours."""
    if not are_ours(hosts, listen):
        raise refuse(
            403,
            "this server is not known by the host name that you use; use its address, or add "
            "http:// and the name to listen.origins",
        )


def are_ours(hosts: Sequence[str], listen: Listen) -> bool:
    """Whether each of *hosts*, as in the header ``Host``, is a name of this server."""
    return "*" in listen.origins or all(_is_ours(_name(each), listen) for each in hosts)


def _is_ours(name: str, listen: Listen) -> bool:
    return (
        name == "localhost"
        or name.endswith(".localhost")
        or parse(name) is not None
        or name in _of_this_machine()
        or name in _configured(listen.host, listen.origins)
    )


def _name(host: str) -> str:
    """The name in *host*, without its port and the final dot; ``""`` if *host* is malformed."""
    try:
        return (urlsplit("//" + host.strip().lower()).hostname or "").rstrip(".")
    except ValueError:
        return ""


@functools.lru_cache(maxsize=1)
def _of_this_machine() -> FrozenSet[str]:
    # Not getfqdn(), which may wait for a name server.
    name = socket.gethostname().lower().rstrip(".")
    short = name.partition(".")[0]
    return frozenset((name, short, short + ".local")) if short else frozenset()


@functools.lru_cache(maxsize=64)
def _configured(host: str, origins: Sequence[str]) -> FrozenSet[str]:
    found = (_name(host), *(_name(each.partition("://")[2]) for each in origins))
    return frozenset(each for each in found if each)
