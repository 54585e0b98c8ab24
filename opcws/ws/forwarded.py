"""Who the client behind a reverse proxy is: ``Forwarded`` (RFC 7239) or ``X-Forwarded-For``.

Pure.  Rules:

* Nothing is believed that a peer outside of ``listen.trusted_proxies`` says about itself.
* Only the one header that the configuration names is read.  A proxy passes on what it does not
  know, so whichever of the two it does not write itself is the client's own invention.
* Each proxy adds the address that it was asked from at the right end.  Read from there, the first
  address that is not a trusted proxy's is the client's; what stands left of it is hearsay.
* What is no address (``unknown``, an obfuscated name, garbage) ends the reading: the last address
  that was understood counts, as in nginx's realip module.  It is never a reason to refuse.
"""

import re
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..model.addresses import Peer, parse_peer, within

X_FORWARDED_FOR = "X-Forwarded-For"
FORWARDED = "Forwarded"


class ForwardedClient(NamedTuple):
    """The client as far as trusted proxies tell; *secure* is ``None`` if none says by which
    scheme it came; *hosts* are those that it asked for, if any says so."""

    peer: Peer
    secure: Optional[bool] = None
    hosts: Tuple[str, ...] = ()


#: A request's values of one header, in the order in which they came.
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
        # A proxy in between may append its own, so the leftmost is how the client came.  No page
        # can make a browser send one, and nothing but the Origin check depends on it.
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
# Unquoted colons and brackets are against the grammar, and often seen.
_PAIR = r"(%s)=(?:([!#$%%&'*+.^_`|~0-9A-Za-z:\[\]-]+)|\"((?:[^\"\\]|\\.)*)\")" % _TOKEN
_ELEMENT = re.compile(r"(?:%s)?(?:;(?:%s)?)*" % (_PAIR, _PAIR))
_PAIRS = re.compile(_PAIR)
#: Commas that the quoted texts of one element may have.
_COMMAS = 8


def _elements(text: str) -> Iterator[Tuple[str, str, str]]:
    """(for, proto, host) of each element, the last first; ends at what is no element.

    Read from the right: an unfinished quote that a client sends must not swallow what the
    proxies add behind it.
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
