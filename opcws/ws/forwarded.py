"""The client behind a reverse proxy: ``Forwarded`` (RFC 7239) or ``X-Forwarded-For``.

Pure.  Rules:

* The headers of a peer outside of ``listen.trusted_proxies`` are ignored.
* Only the one header that the configuration names is read.  A proxy passes on headers that it does
  not know, so the client may have invented the other one.
* Each proxy appends its client's address at the right.  Read from there, the first address that is
  not a trusted proxy's is the client's; nothing left of it can be trusted.
* Anything else (``unknown``, an obfuscated name, garbage) ends the reading: the last valid address
  counts, as in nginx's realip module.  It is never a reason to refuse.
"""

import re
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..model.addresses import Peer, parse_peer, within

X_FORWARDED_FOR = "X-Forwarded-For"
FORWARDED = "Forwarded"


class ForwardedClient(NamedTuple):
    """The client as trusted proxies report it; *secure* is ``None`` if none reports the scheme;
    *hosts* are the host names that the client asked for, if reported."""

    peer: Peer
    secure: Optional[bool] = None
    hosts: Tuple[str, ...] = ()


#: The values of one header of a request, in their order.
Values = Callable[[str], Sequence[str]]


def client(peer: Peer, values: Values, header: str, trusted: Sequence[str]) -> ForwardedClient:
    """The client of a connection from *peer*; *header* is :data:`X_FORWARDED_FOR` or
    :data:`FORWARDED`, *trusted* the addresses and networks of ``listen.trusted_proxies``."""
    found = ForwardedClient(peer)
    if not trusted or not within(peer.host, trusted):
        return found
    if header == FORWARDED:
        hops = _elements(",".join(values("forwarded")))
    else:
        # A proxy in between may append its own, so the leftmost is the client's scheme.  No page
        # can make a browser send this header, and only the Origin check depends on it.
        scheme = ",".join(values("x-forwarded-proto")).partition(",")[0]
        named = ",".join(values("x-forwarded-host")).split(",")
        hosts = tuple(each.strip() for each in named if each.strip())
        found = ForwardedClient(peer, _is_secure(scheme), hosts)
        addresses = ",".join(values("x-forwarded-for")).split(",")
        hops = ((each, "", "") for each in reversed(addresses))
    for text, scheme, host in hops:
        hop = parse_peer(text.strip())
        if hop is None:
            break
        secure = found.secure if header == X_FORWARDED_FOR else _is_secure(scheme)
        found = ForwardedClient(hop, secure, (*found.hosts, host) if host else found.hosts)
        if not within(hop.host, trusted):
            break
    return found


def _is_secure(scheme: str) -> Optional[bool]:
    # Some proxies write ws and wss for a WebSocket.
    return {"https": True, "wss": True, "http": False, "ws": False}.get(scheme.strip().lower())


_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Unquoted colons and brackets violate the grammar, but are common.
_PAIR = r"(%s)=(?:([!#$%%&'*+.^_`|~0-9A-Za-z:\[\]-]+)|\"((?:[^\"\\]|\\.)*)\")" % _TOKEN
_ELEMENT = re.compile(r"(?:%s)?(?:;(?:%s)?)*" % (_PAIR, _PAIR))
_PAIRS = re.compile(_PAIR)
#: Number of commas that the quoted texts of one element may have.
_COMMAS = 8


def _elements(text: str) -> Iterator[Tuple[str, str, str]]:
    """(for, proto, host) of each element, the last first; stops at anything but an element.

    Reads from the right, so that an unfinished quote from a client cannot swallow what the proxies
    append.
    """
    pieces = text.split(",")
    while pieces:
        taken: List[str] = []
        while True:
            if not pieces or len(taken) > _COMMAS:
                return
            taken.insert(0, pieces.pop())
            element = ",".join(taken).strip(" \t")
            if _ELEMENT.fullmatch(element):
                break
        pairs = {
            name.lower(): plain or re.sub(r"\\(.)", r"\1", quoted)
            for name, plain, quoted in _PAIRS.findall(element)
        }
        if pairs:
            yield pairs.get("for", ""), pairs.get("proto", ""), pairs.get("host", "")
