"""``opcws setup``: what ``setup.cmd`` of an offline kit does."""

import os
import sys
from typing import List, Optional

import click

from ..config.settings import User
from ..model.errors import OpcwsError
from .browse import Dialog, endpoint_option, progress_told, security_option, variables_option
from .common import CONFIG_WRONG, leave, say
from .serve import demo

#: setup.cmd passes the command line that started it, with apostrophes for quotation marks.
#: Explorer starts it so, and closes the window at its end.
_STARTED, _BY_EXPLORER = "OPCWS_STARTED", "/c ''"


@click.command()
@endpoint_option
@security_option
@click.option("--user", metavar="NAME", help="Name of a user of the OPC UA server.")
@click.option(
    "--password-file", metavar="FILE", type=click.Path(), help="File with the user's password."
)
@click.option(
    "--allow-clear",
    is_flag=True,
    help="Allow opcws to send the password in clear over an unencrypted channel.",
)
@variables_option
@click.option(
    "--listen", metavar="ADDRESS", help="Address where clients connect, such as 0.0.0.0:8081."
)
@click.option(
    "--no-service", is_flag=True, help="Run opcws as a process of the user, not as a service."
)
@click.option(
    "--no-admin", is_flag=True, help="Install opcws for this user alone, without a service."
)
@click.option(
    "--name",
    metavar="NAME",
    default="opcws",
    show_default=True,
    help="Name of the service and of the folders; another name makes another installation.",
)
@click.option(
    "--folder", metavar="DIR", type=click.Path(), help="Put program and data side by side into DIR."
)
@click.option("--back", is_flag=True, help="Return to the previous version.")
@click.option("--remove", is_flag=True, help="Remove program and service; the data stays.")
@click.option("--demo", "try_it", is_flag=True, help="Show a simulated plant; install nothing.")
@click.pass_context
def setup(
    context: click.Context,
    endpoint: Optional[str],
    security: Optional[str],
    user: Optional[str],
    password_file: Optional[str],
    allow_clear: bool,
    variables: Optional[str],
    listen: Optional[str],
    no_service: bool,
    no_admin: bool,
    name: str,
    folder: Optional[str],
    back: bool,
    remove: bool,
    try_it: bool,
) -> None:
    """Install, upgrade or remove the opcws of an offline kit."""
    from ..commissioning import kit

    if (user is None) != (password_file is None):
        raise click.UsageError("--user and --password-file go together")
    if not kit.NAME.fullmatch(name):
        raise click.UsageError("--name takes letters, digits, '-', '_' and '.'")
    if try_it:
        context.invoke(demo)
        return
    try:
        own = kit.Kit.own()
        place = kit.Place.usual(name, no_admin, folder)
        if not (no_admin or kit.is_administrator()):
            leave(
                CONFIG_WRONG,
                "only an administrator may install opcws for all users: open a prompt with 'Run as "
                "administrator' and start setup.cmd in it; --no-admin installs it for you alone",
            )
        with progress_told() as progress:
            dialog = Dialog(_is_somebody_there(), progress)
            installation = kit.Setup(own, place, dialog.tell)
            if remove:
                lines = installation.remove()
            elif back:
                lines = installation.back()
            else:
                who = None
                if user is not None:
                    who = User(user, _read(str(password_file)), allow_clear=allow_clear)
                wishes = kit.Wishes(
                    endpoint, security, who, variables, listen, not (no_service or no_admin)
                )
                lines = installation.install(wishes, dialog)
        say(lines)
    finally:
        _let_read()


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.readline().rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OpcwsError("%s cannot be read: %s" % (path, reason)) from None


def _is_somebody_there() -> bool:
    """Whether a question can be answered.  (Windows calls its null device a terminal, too.)"""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    if sys.platform != "win32":
        return True
    import ctypes
    import msvcrt

    handle = ctypes.c_void_p(msvcrt.get_osfhandle(sys.stdin.fileno()))
    return bool(ctypes.windll.kernel32.GetConsoleMode(handle, ctypes.byref(ctypes.c_ulong())))


def _let_read() -> None:
    """Wait for a key if the window closes at the end."""
    words: List[str] = os.environ.get(_STARTED, "").split()
    if _BY_EXPLORER in " ".join(words) and _is_somebody_there():
        click.pause()
