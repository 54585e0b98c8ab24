"""``opcws cert``: our own certificate and the trust list."""

from typing import Optional, Sequence

import click

from ..commissioning import pki as directories
from ..config import load
from ..config.settings import Config
from .common import config_option, options, say


@click.group()
def cert() -> None:
    """Manage the certificates of opcws and of trusted servers.

    They are in one directory (security.pki): the one that --config names, the one that --pki
    names, or 'pki' in the working folder.
    """


_place_options = options(
    config_option("Use the directory security.pki of this configuration.", required=False),
    click.option("--pki", metavar="DIR", type=click.Path(), help="Use this directory."),
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
    help="Host name or IP address of this machine, by default its name. May be repeated.",
)
@click.option("--uri", help="ApplicationUri, by default application_uri of the configuration.")
@click.option("--replace", is_flag=True, help="Replace an existing certificate.")
@click.option(
    "--listen",
    is_flag=True,
    help="Create a self-signed certificate for clients (listen.tls), for a first try.",
)
def create(
    path: Optional[str],
    pki: Optional[str],
    hosts: Sequence[str],
    uri: Optional[str],
    replace: bool,
    listen: bool,
) -> None:
    """Create a certificate and a private key for opcws."""
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
    """Show the certificate of opcws, or the one in FILE."""
    say(directories.show(directories.places(_config(path), pki), name))


@cert.command()
@_place_options
@click.argument("name", metavar="FILE")
def trust(path: Optional[str], pki: Optional[str], name: str) -> None:
    """Trust the certificate in FILE, or a rejected one.

    Name a rejected one by its name in 'opcws cert list', or by the beginning of that name.
    """
    say(directories.trust(directories.places(_config(path), pki), name))


@cert.command("list")
@_place_options
def list_certificates(path: Optional[str], pki: Optional[str]) -> None:
    """List the trusted and the rejected certificates, and that of opcws."""
    say(directories.listing(directories.places(_config(path), pki)))
