"""``opcws cert``: the certificate of opcws and the trusted OPC UA servers, in a PKI directory.

Functions yield lines to print, each after its step is done.  They raise
:exc:`~opcws.model.errors.ConfigError` and :exc:`~opcws.model.errors.PlantError` with a sentence.
"""

import os
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

from ..config.settings import Config, Security, Server
from ..model.errors import ConfigError
from ..ua.channel.trust import TrustStore
from ..x509 import certificates


class Place(NamedTuple):
    """A PKI directory, and the ApplicationUri of the certificate of opcws in it."""

    directory: str
    uri: str


def places(
    config: Optional[Config], directory: Optional[str], uri: Optional[str] = None
) -> List[Place]:
    """The PKI directories: *directory* if it is given, else those of the servers of *config*, else
    ``pki`` in the working folder.  *uri* overrides the ApplicationUri."""
    if config is None or directory is not None:
        return [Place(directory or Security.pki, uri or Server.application_uri)]
    found: Dict[str, Place] = {}
    for server in config.servers.values():
        pki = server.security.pki
        found.setdefault(pki, Place(pki, uri or server.application_uri))
    return list(found.values())


def create(where: Sequence[Place], hosts: Sequence[str], replace: bool) -> Iterator[str]:
    """Make the certificate of opcws and its key, for the names *hosts* of this machine."""
    for place in where:
        there = certificates.own_paths(place.directory)[0]
        if os.path.exists(there) and not replace:
            raise ConfigError(
                "%s exists; --replace makes a new one, and every OPC UA server must then trust that"
                % there
            )
        own = certificates.create(place.directory, place.uri, hosts)
        yield "made %s" % own.certificate_path
        yield "its private key is %s; it must not leave this machine" % own.key_path
        title = certificates.title(own.certificate)
        yield "put the certificate, %s, into the trust list of the OPC UA server" % title


def show(where: Sequence[Place], name: Optional[str]) -> Iterator[str]:
    """Describe the certificate in the file *name*, or in a file of that name in a PKI directory;
    without a name that of opcws."""
    file = _find(where, name)
    certificate = certificates.load_certificate(file, "a certificate")
    yield "File:            " + file
    yield from certificates.describe(certificate)
    notice = certificates.expiry_notice(certificate, "the certificate", "renew it")
    if notice is not None:
        yield "Note:            " + notice


def _find(where: Sequence[Place], name: Optional[str]) -> str:
    for place in where:
        if name is None:
            path = certificates.own_paths(place.directory)[0]
            if not os.path.exists(path):
                raise ConfigError("there is no %s; 'opcws cert create' makes it" % path)
            return path
        if os.path.isfile(name):
            return name
        for each in TrustStore(place.directory).listing():
            if os.path.basename(each.path).startswith(name):
                return each.path
    raise ConfigError("there is no file %s; 'opcws cert list' shows all certificates" % name)


def trust(where: Sequence[Place], name: str) -> Iterator[str]:
    """Trust the certificate in the file *name*, or a rejected one whose name begins with *name*."""
    stores = [TrustStore(place.directory) for place in where]
    known = [
        store
        for store in stores
        if any(
            each.place == "rejected" and os.path.basename(each.path).startswith(name)
            for each in store.listing()
        )
    ]
    yield from ["trusted: %s" % store.trust(name) for store in known or stores]
    yield "opcws connects at its next attempt, without a restart"


def listing(where: Sequence[Place]) -> Iterator[str]:
    """Lists the trusted and rejected certificates, and that of opcws."""
    for place in where:
        yield "%s:" % place.directory
        listed = TrustStore(place.directory).listing()
        for each in listed:
            notice = certificates.expiry_notice(each.certificate, "it", "")
            end = each.certificate.not_valid_after_utc.strftime("%Y-%m-%d")
            file, mark = os.path.basename(each.path), "  (!)" if notice else ""
            yield "  %-8s  %s  until %s%s" % (each.place, file, end, mark)
        if not listed:
            yield "  no certificates"
