"""``opcws cert``: our own certificate and the trust list."""

import os
from typing import Dict, List, NamedTuple, Optional, Sequence

import click

from ..config import load
from ..config.settings import Config, Security, Server
from ..model.errors import ConfigError
from ..ua.channel.trust import TrustStore
from ..x509 import certificates
from .common import config_option, options, say


@click.group()
def cert() -> None:
    """The certificate of opcws, and which OPC UA servers it trusts.

    All of it is about a directory (security.pki): the one that --config names, or --pki, or
    'pki' here.
    """


_place_options = options(
    config_option("The configuration whose security.pki is meant.", required=False),
    click.option("--pki", metavar="DIR", type=click.Path(), help="The directory itself."),
)


class _Place(NamedTuple):
    """A PKI directory and the ApplicationUri that our certificate in it is for."""

    directory: str
    uri: str


def _config(path: Optional[str]) -> Optional[Config]:
    return None if path is None else load(path)


def _places(
    path: Optional[str], directory: Optional[str], uri: Optional[str] = None
) -> List[_Place]:
    """Where to work: *directory* if it is given, else what the servers of the configuration at
    *path* use, else ``pki`` here.  *uri* overrides the ApplicationUri."""
    config = _config(path)
    if config is None or directory is not None:
        return [_Place(directory or Security.pki, uri or Server.application_uri)]
    found: Dict[str, _Place] = {}
    for server in config.servers.values():
        pki = server.security.pki
        found.setdefault(pki, _Place(pki, uri or server.application_uri))
    return list(found.values())


@cert.command("create")
@_place_options
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Host name or IP address of this machine; may be repeated. By default its name.",
)
@click.option("--uri", help="ApplicationUri. By default application_uri of the configuration.")
@click.option("--replace", is_flag=True, help="Make a new one where there is one.")
@click.option(
    "--listen",
    is_flag=True,
    help="Make the one that clients see (listen.tls), self-signed, for a first try.",
)
def create(
    path: Optional[str],
    pki: Optional[str],
    hosts: Sequence[str],
    uri: Optional[str],
    replace: bool,
    listen: bool,
) -> None:
    """Make a certificate for opcws and its private key."""
    if listen:
        from ..commissioning import tls_certificates

        if pki is not None or uri is not None:
            raise click.UsageError("--listen goes with neither --pki nor --uri")
        say(tls_certificates.create(_config(path), hosts, replace))
        return
    for place in _places(path, pki, uri):
        there = certificates.own_paths(place.directory)[0]
        if os.path.exists(there) and not replace:
            raise ConfigError(
                "%s exists; --replace makes a new one, which every OPC UA server has to trust "
                "anew" % there
            )
        own = certificates.create(place.directory, place.uri, hosts)
        click.echo("made %s" % own.certificate_path)
        click.echo("its private key is %s; it must not leave this machine" % own.key_path)
        click.echo("put the certificate into the trust list of the OPC UA server")


@cert.command()
@_place_options
@click.argument("name", required=False, metavar="[FILE]")
def show(path: Optional[str], pki: Optional[str], name: Optional[str]) -> None:
    """Describe the certificate of opcws, or the one in FILE."""
    file = _find(_places(path, pki), name)
    certificate = certificates.load_certificate(file, "a certificate")
    say(["File:            " + file, *certificates.describe(certificate)])
    notice = certificates.expiry_notice(certificate, "the certificate", "renew it")
    if notice is not None:
        say(["Note:            " + notice])


def _find(where: Sequence[_Place], name: Optional[str]) -> str:
    """The file *name*, or a file of that name in one of the PKI directories; our own certificate
    without a name."""
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
    raise ConfigError("there is no file %s; 'opcws cert list' shows what there is" % name)


@cert.command()
@_place_options
@click.argument("name", metavar="FILE")
def trust(path: Optional[str], pki: Optional[str], name: str) -> None:
    """Trust the certificate in FILE, or a rejected one (its name, or how that begins)."""
    stores = [TrustStore(place.directory) for place in _places(path, pki)]
    known = [
        store
        for store in stores
        if any(
            each.place == "rejected" and os.path.basename(each.path).startswith(name)
            for each in store.listing()
        )
    ]
    say(["trusted: %s" % store.trust(name) for store in known or stores])
    click.echo("opcws connects at its next attempt; it need not be restarted")


@cert.command("list")
@_place_options
def list_certificates(path: Optional[str], pki: Optional[str]) -> None:
    """List what is trusted, what was rejected, and our own."""
    for place in _places(path, pki):
        click.echo("%s:" % place.directory)
        listed = TrustStore(place.directory).listing()
        for each in listed:
            notice = certificates.expiry_notice(each.certificate, "it", "")
            end = each.certificate.not_valid_after_utc.strftime("%Y-%m-%d")
            file, mark = os.path.basename(each.path), "  (!)" if notice else ""
            say(["  %-8s  %s  until %s%s" % (each.place, file, end, mark)])
        if not listed:
            click.echo("  no certificates")
