"""The commands about certificates, tokens and users: parse, call, print; no logic."""

import sys
from typing import Any, List, Optional, Sequence

import click

from ..access import accounts
from .common import F, config_option, load, say


@click.group()
def cert() -> None:
    """The certificate of opcws, and which OPC UA servers it trusts.

    All of it is about a directory (security.pki): the one that --config names, or --pki, or
    'pki' here.
    """


def _place_options(command: F) -> F:
    for option in (
        click.option("--pki", metavar="DIR", type=click.Path(), help="The directory itself."),
        click.option(
            "--config",
            "path",
            metavar="FILE",
            type=click.Path(),
            help="The configuration whose security.pki is meant.",
        ),
    ):
        command = option(command)
    return command


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
def cert_create(
    path: Optional[str],
    pki: Optional[str],
    hosts: Sequence[str],
    uri: Optional[str],
    replace: bool,
    listen: bool,
) -> None:
    """Make a certificate for opcws and its private key."""
    from ..commissioning import tls_certificates
    from . import certs

    if listen:
        if pki is not None or uri is not None:
            raise click.UsageError("--listen goes with neither --pki nor --uri")
        say(lambda: tls_certificates.create(None if path is None else load(path), hosts, replace))
        return
    say(lambda: certs.create(_places(path, pki, uri), hosts, replace))


@cert.command("show")
@_place_options
@click.argument("name", required=False, metavar="[FILE]")
def cert_show(path: Optional[str], pki: Optional[str], name: Optional[str]) -> None:
    """Describe the certificate of opcws, or the one in FILE."""
    from . import certs

    say(lambda: certs.show(_places(path, pki), name))


@cert.command("trust")
@_place_options
@click.argument("name", metavar="FILE")
def cert_trust(path: Optional[str], pki: Optional[str], name: str) -> None:
    """Trust the certificate in FILE, or a rejected one (its name, or how that begins)."""
    from . import certs

    say(lambda: certs.trust(_places(path, pki), name))


@cert.command("list")
@_place_options
def cert_list(path: Optional[str], pki: Optional[str]) -> None:
    """List what is trusted, what was rejected, and our own."""
    from . import certs

    say(lambda: certs.listing(_places(path, pki)))


_role_option = click.option(
    "--role", required=True, metavar="ROLE", help="A role of the configuration."
)
_password_option = click.option(
    "--password-stdin",
    "from_stdin",
    is_flag=True,
    help="Read the password from standard input, one line, instead of asking.",
)


@click.group()
def token() -> None:
    """Bearer tokens, for programs and panels.

    They are kept in the file that 'credentials' of the configuration names; running servers see a
    change at once.
    """


@token.command("create")
@config_option
@_role_option
@click.option(
    "--expires", metavar="WHEN", help="A date (2027-06-30), days (90d) or hours (12h) from now."
)
@click.argument("name")
def token_create(path: str, role: str, expires: Optional[str], name: str) -> None:
    """Make the token NAME and print it, this once."""
    say(lambda: _told(*accounts.create_token(load(path), name, role, expires)))


@token.command("list")
@config_option
def token_list(path: str) -> None:
    """List the tokens by name; what they are is known to nobody."""
    say(lambda: accounts.list_tokens(load(path)))


@token.command("revoke")
@config_option
@click.argument("name")
def token_revoke(path: str, name: str) -> None:
    """Make the token NAME worthless."""
    say(lambda: accounts.revoke_token(load(path), name))


@click.group()
def user() -> None:
    """Users with a password, for people.

    They are kept in the file that 'credentials' of the configuration names; running servers see a
    change at once.
    """


@user.command("add")
@config_option
@_role_option
@_password_option
@click.argument("name")
def user_add(path: str, role: str, from_stdin: bool, name: str) -> None:
    """Add the user NAME; asks for the password."""
    say(lambda: accounts.add_user(load(path), name, role, lambda: _password(from_stdin)))


@user.command("passwd")
@config_option
@_password_option
@click.argument("name")
def user_passwd(path: str, from_stdin: bool, name: str) -> None:
    """Give the user NAME a new password."""
    say(lambda: accounts.change_password(load(path), name, lambda: _password(from_stdin)))


@user.command("list")
@config_option
def user_list(path: str) -> None:
    """List the users."""
    say(lambda: accounts.list_users(load(path)))


@user.command("remove")
@config_option
@click.argument("name")
def user_remove(path: str, name: str) -> None:
    """Remove the user NAME."""
    say(lambda: accounts.remove_user(load(path), name))


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def _told(result: str, remark: str) -> List[str]:
    """*remark* to the terminal, so that *result* alone can be piped on."""
    click.echo(remark, err=True)
    return [result]


def _places(path: Optional[str], pki: Optional[str], uri: Optional[str] = None) -> List[Any]:
    from . import certs

    return certs.places(None if path is None else load(path), pki, uri)
