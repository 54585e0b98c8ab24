"""``opcws token`` and ``opcws user``: who may connect.

Each command is a function of :mod:`opcws.access.accounts`, its options being the arguments.
"""

import functools
from typing import Any, Callable, List, Optional

import click

from ..access import accounts, credentials
from ..config import load
from ..config.settings import Config
from .common import ask_password, config_option, options, password_stdin_option, say


@click.group()
def token() -> None:
    """Manage bearer tokens, for programs and panels.

    The setting 'credentials' of the configuration names the file that holds them; a running opcws
    sees a change at once.
    """


@click.group()
def user() -> None:
    """Manage users with a password, for people.

    The setting 'credentials' of the configuration names the file that holds them; a running opcws
    sees a change at once.
    """


def _create_token(config: Config, name: str, role: str, expires: Optional[str]) -> List[str]:
    result, remark = accounts.create_token(config, name, role, expires)
    # To standard error, so that a pipe gets only the result.
    click.echo(remark, err=True)
    return [result]


def _add(
    group: click.Group,
    name: str,
    act: Callable[..., List[str]],
    help: str,
    *decorators: Callable[[Any], Any],
) -> None:
    def run(path: str, **given: Any) -> None:
        if "password_stdin" in given:
            from_stdin = given.pop("password_stdin")
            question = "Password (at least %d characters)" % credentials.MIN_PASSWORD
            given["ask"] = functools.partial(ask_password, question, from_stdin, True, False)
        say(act(load(path), **given))

    group.command(name, help=help)(options(config_option(), *decorators)(run))


_name = click.argument("name")
_role = click.option(
    "--role",
    required=True,
    metavar="ROLE",
    help="Name of a role in the configuration.",
)
_expires = click.option(
    "--expires",
    metavar="WHEN",
    help="Expiry: a date (2027-06-30), or days (90d) or hours (12h) from now.",
)

_add(
    *(
        token,
        "create",
        _create_token,
        "Create the token NAME and print it; it cannot be shown again.",
    ),
    *(_role, _expires, _name),
)
_add(
    *(token, "list", accounts.list_tokens),
    "List the names of the tokens; opcws does not store the tokens.",
)
_add(
    token,
    "revoke",
    accounts.revoke_token,
    "Revoke the token NAME, so that it is no longer accepted.",
    _name,
)
_add(
    *(user, "add", accounts.add_user, "Add the user NAME; asks for the password."),
    *(_role, password_stdin_option, _name),
)
_add(
    *(user, "passwd", accounts.change_password, "Give the user NAME a new password."),
    *(password_stdin_option, _name),
)
_add(user, "list", accounts.list_users, "List the users.")
_add(user, "remove", accounts.remove_user, "Remove the user NAME.", _name)
