"""``opcws cert``: our own certificate and the trust list, for people at a terminal.

Every function returns lines to print and raises :exc:`~opcws.model.errors.OpcwsError` with a
sentence.
"""

import os
from typing import List, NamedTuple, Optional, Sequence

from ..config.load import Config, Security, Server
from ..model.errors import ConfigError
from ..ua.channel.trust import TrustStore
from ..x509 import certificates


class Place(NamedTuple):
    """A PKI directory and the ApplicationUri that our certificate in it is for."""

    directory: str
    uri: str


def places(config: Optional[Config], directory: Optional[str], uri: Optional[str]) -> List[Place]:
    """Where to work: *directory* if it is given, else what the servers of *config* use, else
    ``pki`` here.  *uri* overrides the ApplicationUri."""
    if config is None or directory is not None:
        return [Place(directory or Security.pki, uri or Server.application_uri)]
    found: List[Place] = []
    for server in config.servers.values():
        place = Place(server.security.pki, uri or server.application_uri)
        if place.directory not in [each.directory for each in found]:
            found.append(place)
    return found


def create(where: Sequence[Place], hosts: Sequence[str], replace: bool) -> List[str]:
    """Make our certificate in each of the places."""
    lines: List[str] = []
    for place in where:
        path, _key = certificates.own_paths(place.directory)
        if os.path.exists(path) and not replace:
            raise ConfigError(
                [
                    "%s exists; --replace makes a new one, which every OPC UA server has to trust "
                    "anew" % path
                ]
            )
        own = certificates.create(place.directory, place.uri, hosts)
        lines += [
            "made %s" % own.certificate_path,
            "its private key is %s; it must not leave this machine" % own.key_path,
            "put the certificate into the trust list of the OPC UA server",
        ]
    return lines


def show(where: Sequence[Place], name: Optional[str]) -> List[str]:
    """Describe the certificates in the file *name*, or in a file of that name in the PKI
    directory; our own without a name."""
    for place in where:
        store = TrustStore(place.directory)
        if name is None:
            path = certificates.own_paths(place.directory)[0]
            if not os.path.exists(path):
                raise ConfigError(["there is no %s; 'opcws cert create' makes it" % path])
        elif os.path.isfile(name):
            path = name
        else:
            near = [
                each.path
                for each in store.listing()
                if os.path.basename(each.path).startswith(name)
            ]
            if not near:
                continue
            path = near[0]
        certificate = certificates.load_certificate(path, "a certificate")
        notice = certificates.expiry_notice(certificate, "the certificate", "renew it")
        return [
            "File:            " + path,
            *certificates.describe(certificate),
            *([] if notice is None else ["Note:            " + notice]),
        ]
    raise ConfigError(["there is no file %s; 'opcws cert list' shows what there is" % name])


def trust(where: Sequence[Place], name: str) -> List[str]:
    """Trust the rejected certificate, or the file, *name* in every place that knows it."""
    path = ""
    known = [
        place
        for place in where
        if any(
            os.path.basename(listed.path).startswith(name)
            for listed in TrustStore(place.directory).listing()
            if listed.place == "rejected"
        )
    ]
    lines = []
    for place in known or where:
        path = TrustStore(place.directory).trust(name)
        lines.append("trusted: %s" % path)
    return [*lines, "opcws connects at its next attempt; it need not be restarted"]


def listing(where: Sequence[Place]) -> List[str]:
    """Every certificate of the places, a line each."""
    lines: List[str] = []
    for place in where:
        lines.append("%s:" % place.directory)
        listed = TrustStore(place.directory).listing()
        for each in listed:
            notice = certificates.expiry_notice(each.certificate, "it", "")
            end = each.certificate.not_valid_after_utc.strftime("%Y-%m-%d")
            lines.append(
                "  %-8s  %s  until %s%s"
                % (each.place, os.path.basename(each.path), end, "  (!)" if notice else "")
            )
        if not listed:
            lines.append("  no certificates")
    return lines
