"""Network addresses: reading, writing, comparing, and counting the addresses of one machine
together.

Pure.
"""

import functools
import ipaddress
from typing import Iterable, NamedTuple, Optional, Tuple, Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

#: The IPv6 network of one subscriber (RFC 6177), who has all its addresses.
IPV6_PREFIX = 64
# How many parsed addresses are cached: each is parsed a dozen times while its connection opens.
CACHED = 1024
# Length of the longest address, "::ffff:192.0.2.1" in full.  Longer texts are not addresses and not
# cached: strangers send texts of any length in Host.
_LONGEST = 45


class Peer(NamedTuple):
    """One end of a connection; *port* is 0 if only the address is known."""

    host: str
    port: int = 0

    def __str__(self) -> str:
        host = "[%s]" % self.host if ":" in self.host else self.host
        return "%s:%d" % (host, self.port) if self.port else host


def parse(host: str) -> Optional[Address]:
    """*host* as an address; ``None`` if it is not one.  A zone (``%eth0``) is left out, and an
    IPv4-mapped address (``::ffff:192.0.2.1``) becomes the IPv4 address."""
    text = host.partition("%")[0]
    return _parsed(text) if len(text) <= _LONGEST else None


@functools.lru_cache(maxsize=CACHED)
def _parsed(text: str) -> Optional[Address]:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def parse_peer(text: str) -> Optional[Peer]:
    """``192.0.2.1``, ``192.0.2.1:80``, ``2001:db8::1``, ``[2001:db8::1]`` or
    ``[2001:db8::1]:80``; ``None`` for anything else."""
    host, port = text, ""
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            return None
        port = port[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    address = parse(host)
    if address is None or (port and not (port.isascii() and port.isdigit())):
        return None
    number = int(port[:6] or "0")
    return Peer(str(address), number if number < 65536 else 0)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to *host*."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


def parse_network(text: str) -> Network:
    """An address or a network (``192.0.2.0/24``).  Raises :exc:`ValueError` with a remedy."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        loose = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            "%r is neither an address nor a network; expected one such as 192.0.2.7, "
            "192.0.2.0/24 or 2001:db8::/32" % text
        ) from None
    raise ValueError("%s has bits set behind its prefix; did you mean %s?" % (text, loose))


@functools.lru_cache(maxsize=64)
def _networks(texts: Tuple[str, ...]) -> Tuple[Network, ...]:
    return tuple(map(parse_network, texts))


def within(host: str, networks: Iterable[str]) -> bool:
    """Whether the address *host* is in one of *networks* (each as :func:`parse_network` has it)."""
    address = parse(host)
    return address is not None and any(address in each for each in _networks(tuple(networks)))


@functools.lru_cache(maxsize=CACHED)
def counted_as(host: str) -> str:
    """The key to count *host* by: an IPv4 address itself, the /64 network of an IPv6 address."""
    address = parse(host)
    if address is None:
        return host
    if address.version == 6 and not address.is_loopback:
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)
