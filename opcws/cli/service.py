"""``opcws service``: opcws as a service of Windows, or of systemd.

Each command imports only what it needs: ``run`` must report to Windows within 30 s.
"""

import dataclasses
import logging
import os
import re
import sys
from typing import TYPE_CHECKING, Optional, Sequence

import click

from .common import (
    CONFIG_WRONG,
    UNREACHABLE,
    config_option,
    leave,
    options,
    say,
    timeout_option,
    warn,
)

if TYPE_CHECKING:
    from ..operations.services import Service

#: Valid for a service of Windows, a unit of systemd and a file name.
NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _named(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise click.BadParameter("letters, digits and ._- only, 64 at most")
    return name


_name_option = click.option(
    "--name",
    default="opcws",
    show_default=True,
    metavar="NAME",
    callback=_named,
    help="Name of the service.",
)
_which = options(
    _name_option,
    click.option("--user", is_flag=True, help="systemd: a service of your user, without root."),
)


@click.group()
def service() -> None:
    """Install and control opcws as a service of this machine."""


@service.command()
@config_option()
@_which
@click.option(
    "--firewall/--no-firewall",
    default=None,
    help="Windows: let other machines through the firewall, or not; by default opcws asks.",
)
def install(path: str, name: str, user: bool, firewall: Optional[bool]) -> None:
    """Install opcws as a service that serves FILE.

    It starts with the machine.  If the service is installed already, it is changed.
    """
    from ..config import load
    from ..operations.services import public_ports

    loaded = load(path)
    manager = _service(name, user)
    if firewall is None:
        firewall = _ask_firewall(public_ports(loaded))
    elif os.name != "nt":
        raise click.UsageError("--firewall is for Windows; here the firewall stays as it is")
    warn(manager.install(loaded, firewall))
    say(["installed the service %s; it serves %s from its next start" % (name, path)])


@service.command()
@_which
@timeout_option(30.0, "How long to wait until the service has stopped.")
def remove(name: str, user: bool, timeout_s: float) -> None:
    """Stop the service, and undo what 'service install' did."""
    warn(_service(name, user).remove(timeout_s))
    say(["removed the service %s" % name])


@service.command()
@_which
@timeout_option(60.0, "How long to wait until the service serves.")
def start(name: str, user: bool, timeout_s: float) -> None:
    """Start the service, and wait until it serves."""
    _service(name, user).start(timeout_s)


@service.command()
@_which
@timeout_option(30.0, "How long to wait until the service has stopped.")
def stop(name: str, user: bool, timeout_s: float) -> None:
    """Stop the service, and wait until its process has ended."""
    _service(name, user).stop(timeout_s)


@service.command()
@_which
def status(name: str, user: bool) -> None:
    """Show whether the service runs; the exit code is 4 if it does not."""
    found = _service(name, user).status()
    say(found.lines)
    if not found.runs:
        sys.exit(UNREACHABLE)


@service.command(hidden=True)
@_name_option
@config_option()
def run(name: str, path: str) -> None:
    """Run as a service; only Windows starts this."""
    from ..operations import service_process

    def serve(running: service_process.Running) -> None:
        from ..config import load
        from ..config.settings import Log
        from ..operations import logs
        from .serve import serve_file

        own_file = service_process.log_file(name, path)
        logs.setup(Log(file=own_file))
        loaded = load(path)
        running.goes_on()
        serve_file(
            loaded,
            running.stopping,
            lambda settings: dataclasses.replace(settings, file=settings.file or own_file),
            running.serves,
        )

    if os.name != "nt":
        leave(CONFIG_WRONG, "only Windows starts 'service run'; use 'opcws service start'")
    code = service_process.run(name, serve)
    logging.shutdown()
    os._exit(code)  # a hanging thread must not prevent Windows from starting the service again


def _service(name: str, user: bool) -> "Service":
    """The service manager of this machine."""
    if os.name != "nt":
        from ..operations.systemd import SystemdService

        return SystemdService(name, user)
    if user:
        raise click.UsageError("--user is for systemd; Windows has no services for one user")
    from ..operations.windows_service import WindowsService

    return WindowsService(name)


def _ask_firewall(ports: Sequence[int]) -> bool:
    if os.name != "nt" or not ports:
        return False
    question = "Let other machines through the firewall to port %s" % ", ".join(map(str, ports))
    if sys.stdin is not None and sys.stdin.isatty():
        return click.confirm(question, default=True)
    warn(["the firewall has no rule for opcws; --firewall makes one"])
    return False
