"""Whether a request is meant for this server, by the name that its client asks.

A page from elsewhere, whose owner has its name point here (DNS rebinding), has the same origin as
what it asks for, whatever address opcws listens on; only the name in ``Host`` tells.  Rules:

* An address is ours: a page has a name.  So are localhost and this machine's names for itself,
  ``listen.host``, and the names in ``listen.origins``.
* What came by https is certain: the browser has compared the name with a certificate.
* A proxy that is trusted may tell in a header of its own how it was asked.  Both names must be
  ours, because one that does not know the header passes on what a page has put there.
* No Host, which only HTTP/1.0 may leave out, is no browser's.
"""

import functools
import socket
from typing import FrozenSet, Sequence
from urllib.parse import urlsplit

from ..config.settings import Listen
from ..model.addresses import parse
from .http_message import refuse

#: What is there for everybody: it tells nothing of the plant.
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
    """Whether each of *hosts*, as the header ``Host`` has it, is a name of this server."""
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
    """The name in *host*, without its port and the dot of the root; ``""`` if it is no host."""
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
