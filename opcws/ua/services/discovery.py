"""The endpoints of an OPC UA server: GetEndpoints and FindServers (OPC 10000-4 5.4), in the words
of the configuration, the best first.

Nothing here is proven: an attacker between the server and opcws could have written it.  It is for
people to read, and every connection checks it again.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple
from urllib.parse import urlsplit

from cryptography import x509
from opcua import ua

from ...config.settings import Server
from ...model.deadline import Deadline
from ...model.errors import PlantError
from ...x509 import certificates
from ..channel.link import Link
from ..channel.security_policies import BY_URI, NONE_URI, Policy, short_name
from ..channel.session import mode_name, policy_uri, spoken
from ..channel.trust import Expected, check_host
from ..encoding.server_types import plain_text

#: Names of the UserTokenTypes (OPC 10000-4 7.41).
USERS = {
    ua.UserTokenType.Anonymous: "anonymous",
    ua.UserTokenType.UserName: "user and password",
    ua.UserTokenType.Certificate: "user certificate",
}
_MODES = ("SignAndEncrypt", "Sign", "None")
#: Best first.  OPC 10000-7 prefers PSS; every maintained product has Basic256Sha256.
_POLICIES = (
    "Aes256_Sha256_RsaPss",
    "Aes128_Sha256_RsaOaep",
    "Basic256Sha256",
    "None",
    "Basic256",
    "Basic128Rsa15",
)


class Offer(NamedTuple):
    """A policy and mode that a server offers, and the kinds of users that it accepts with them.

    ``usable`` if opcws supports it, ``deprecated`` if it is no longer secure.
    """

    policy: str
    mode: str
    users: Tuple[str, ...]
    usable: bool
    deprecated: bool

    @property
    def secure(self) -> bool:
        return self.usable and not self.deprecated and self.mode != "None"


class Discovered(NamedTuple):
    """What the server at ``url`` says of itself; ``offers`` has the best first; ``others`` are
    names and addresses of servers that it knows; ``urls`` are its own addresses for itself."""

    url: str
    name: str
    application_uri: str
    urls: Tuple[str, ...]
    offers: Tuple[Offer, ...]
    certificate: Optional[x509.Certificate]
    notices: Tuple[str, ...]
    others: Tuple[Tuple[str, Tuple[str, ...]], ...]

    @property
    def best(self) -> Optional[Offer]:
        """The best offer that opcws supports, if there is one."""
        return next((each for each in self.offers if each.usable), None)


def discover(link: Link) -> Discovered:
    """Ask the server of *link*, which is closed afterwards.

    Raises :exc:`~opcws.model.errors.PlantError`.
    """
    server = link.server
    endpoints, servers = link.discover(Deadline(server.connect_timeout_ms / 1000.0))
    usable = spoken(endpoints)
    if not usable:
        raise PlantError("%s offers no endpoint that opcws supports" % server.endpoint)
    first = usable[0].Server
    leaves = (certificates.leaf_of(each.ServerCertificate) for each in usable)
    leaf = next(filter(None, leaves), None)
    return Discovered(
        server.endpoint,
        plain_text(first.ApplicationName),
        first.ApplicationUri or "",
        tuple(sorted({each.EndpointUrl or "" for each in usable})),
        _offers(usable),
        leaf,
        tuple(_notices(server, leaf)),
        tuple(_others(servers, first.ApplicationUri)),
    )


def _offers(endpoints: Sequence[Any]) -> Tuple[Offer, ...]:
    users: Dict[Tuple[str, str], Set[str]] = {}
    for endpoint in endpoints:
        kind = (policy_uri(endpoint), mode_name(endpoint.SecurityMode))
        tokens = endpoint.UserIdentityTokens or []
        users.setdefault(kind, set()).update(
            USERS[each.TokenType] for each in tokens if each.TokenType in USERS
        )
    offers = [_offer(uri, mode, tuple(sorted(taken))) for (uri, mode), taken in users.items()]
    return tuple(sorted(offers, key=_rank))


def _offer(uri: str, mode: str, users: Tuple[str, ...]) -> Offer:
    policy = BY_URI.get(uri)
    known = policy is not None or uri in (NONE_URI, "")
    deprecated = policy is not None and policy.deprecated
    return Offer(short_name(uri), mode, users, known and mode in _MODES, deprecated)


def _rank(offer: Offer) -> Tuple[bool, bool, int, int]:
    return (
        not offer.usable,
        offer.deprecated,
        _MODES.index(offer.mode) if offer.mode in _MODES else len(_MODES),
        _POLICIES.index(offer.policy) if offer.policy in _POLICIES else len(_POLICIES),
    )


def _notices(server: Server, leaf: Optional[x509.Certificate]) -> List[str]:
    """Problems that will prevent a secure connection, now or when the certificate expires."""
    if leaf is None:
        return []
    found = [certificates.expiry_notice(leaf, "the OPC UA server's certificate", "renew it there")]
    policy: Policy = next(iter(BY_URI.values()))
    try:
        check_host(leaf, Expected(urlsplit(server.endpoint).hostname or "", "", policy))
    except PlantError as problem:
        found.append(problem.reason)
    return [each for each in found if each is not None]


def _others(servers: Sequence[Any], own: Optional[str]) -> List[Tuple[str, Tuple[str, ...]]]:
    return sorted(
        (plain_text(each.ApplicationName), tuple(sorted(filter(None, each.DiscoveryUrls or []))))
        for each in servers
        if each.ApplicationUri != own and each.ApplicationType != ua.ApplicationType.Client
    )
