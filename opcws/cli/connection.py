"""What the client commands share: credential, address and exit code."""

import functools
import os
import sys
from typing import Any, Callable, Optional, Tuple

import click

from .. import client
from ..client import Client, ClientError
from ..model.text import clean
from .common import (
    INTERRUPTED,
    NOT_ALLOWED,
    NOT_AS_WANTED,
    UNREACHABLE,
    ask_password,
    discard_output,
    leave,
    no_color_option,
    options,
    timeout_option,
)
from .names import UsageProblem
from .terminal import Terminal

_OPTIONS = (
    click.option(
        "--url",
        default=client.DEFAULT_URL,
        envvar="OPCWS_URL",
        show_default=True,
        show_envvar=True,
        metavar="URL",
        help="Address of opcws: ws://, wss://, or HOST:PORT.",
    ),
    click.option(
        "--token",
        envvar="OPCWS_TOKEN",
        show_envvar=True,
        metavar="TOKEN",
        help="Bearer token. Other users of this machine can see this option, but not OPCWS_TOKEN.",
    ),
    click.option(
        "--user",
        metavar="NAME",
        help="User name. The password comes from OPCWS_PASSWORD; without it opcws asks.",
    ),
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
    click.option(
        "--ca", "ca_file", metavar="FILE", help="PEM file with the authorities to trust for wss://."
    ),
    click.option(
        "--certificate", metavar="FILE", help="PEM file with the certificate of this client."
    ),
    click.option("--key", metavar="FILE", help="PEM file with the key of that certificate."),
    click.option(
        "--insecure", is_flag=True, help="Accept any certificate of opcws; for a first try only."
    ),
    timeout_option(10.0, "How long to wait for an answer of opcws."),
    no_color_option,
)

#: Parameters of the connection.
_CLIENT = (
    *("url", "token", "user", "password_stdin", "ca_file", "certificate", "key", "insecure"),
    "timeout_s",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
names_argument = click.argument("patterns", metavar="NAME...", nargs=-1, required=True)


def talking(command: Callable[..., int]) -> Callable[..., None]:
    """A command with the options of the connection; *command* gets a client that is not connected
    yet, the terminal and its own parameters, and returns how many variables were unknown, Bad or
    not written."""

    @functools.wraps(command)
    def run(no_color: bool, **given: Any) -> None:
        bad = 0
        try:
            to = _client(**{name: given.pop(name) for name in _CLIENT})
            bad = command(to, Terminal(no_color), **given)
            if sys.stdout is not None:
                sys.stdout.flush()
        except ClientError as error:
            leave(*_told(error))
        except (KeyboardInterrupt, EOFError, click.Abort):
            discard_output()
            sys.exit(INTERRUPTED)
        if bad:
            sys.exit(NOT_AS_WANTED)

    decorated: Callable[..., None] = options(*_OPTIONS)(run)
    return decorated


def _client(
    user: Optional[str],
    token: Optional[str],
    password_stdin: bool,
    insecure: bool,
    **more: Any,
) -> Client:
    password = None
    if user is not None:
        # --user overrides a token from the environment.
        if _source("token") is not click.core.ParameterSource.COMMANDLINE:
            token = None
        password = os.environ.get("OPCWS_PASSWORD")
        if password is None or password_stdin:
            password = ask_password("Password of %s" % user, password_stdin)
    elif password_stdin:
        raise click.UsageError("--password-stdin goes with --user")
    return Client(user=user, token=token, password=password, verify=not insecure, **more)


#: By what :class:`~opcws.client.NotTrusted` lacks.
_TLS_ADVICE = {"": "", "authority": " (--ca FILE)", "certificate": " (--certificate and --key)"}


def _credential_advice() -> str:
    """Advice after a refused credential; it depends on which one was shown."""
    given = click.get_current_context().params
    if given.get("user") is not None:
        return "'opcws user passwd' sets a new password on the machine of opcws"
    if given.get("token") is not None:
        return "'opcws token create' makes another one on the machine of opcws"
    return "show who you are with --token or --user"


def _source(name: str) -> Optional[click.core.ParameterSource]:
    return click.get_current_context().get_parameter_source(name)


def _told(error: ClientError) -> Tuple[int, str]:
    text = clean(error.reason)
    if isinstance(error, UsageProblem):
        return 2 if error.usage else NOT_AS_WANTED, text
    if isinstance(error, client.AddressError):
        return 2, text
    if isinstance(error, client.NotAllowed):
        if error.http_status == 401:
            text += "; " + _credential_advice()
        return NOT_ALLOWED, text
    if isinstance(error, client.NotTrusted):
        return UNREACHABLE, text + _TLS_ADVICE[error.lacks]
    if isinstance(error, (client.RequestRefused, client.VariableError)):
        return NOT_AS_WANTED, "%s (%s)" % (text, clean(error.status))
    if isinstance(error, client.ConnectError):
        if _source("url") is click.core.ParameterSource.DEFAULT:
            text += "; give another address with --url or OPCWS_URL"
    return UNREACHABLE, text
