"""``opcws cert``: our own certificate and the trust list."""

from typing import Optional, Sequence

import click

from ..commissioning import pki as directories
from ..config import load
from ..config.settings import Config
from .common import config_option, options, say


@click.group()
def cert() -> None:
    """The certificate of opcws, and the servers that it trusts.

    All of it is about a directory (security.pki): the one that --config names, or --pki, or
    'pki' here.
    """


_place_options = options(
    config_option("The configuration whose security.pki is meant.", required=False),
    click.option("--pki", metavar="DIR", type=click.Path(), help="The directory itself."),
)


def _config(path: Optional[str]) -> Optional[Config]:
    return None if path is None else load(path)


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
    say(directories.create(directories.places(_config(path), pki, uri), hosts, replace))


@cert.command()
@_place_options
@click.argument("name", required=False, metavar="[FILE]")
def show(path: Optional[str], pki: Optional[str], name: Optional[str]) -> None:
    """Describe the certificate of opcws, or the one in FILE."""
    say(directories.show(directories.places(_config(path), pki), name))


@cert.command()
@_place_options
@click.argument("name", metavar="FILE")
def trust(path: Optional[str], pki: Optional[str], name: str) -> None:
    """Trust the certificate in FILE, or a rejected one.

    A rejected one is given by its name, or by how that begins.
    """
    say(directories.trust(directories.places(_config(path), pki), name))


@cert.command("list")
@_place_options
def list_certificates(path: Optional[str], pki: Optional[str]) -> None:
    """List what is trusted, what was rejected, and our own."""
    say(directories.listing(directories.places(_config(path), pki)))
