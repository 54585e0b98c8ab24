"""opcws as a service, for any service manager.

:mod:`.windows_service` and :mod:`.systemd` each have a class that is a :class:`Service`.
"""

import dataclasses
import os
import sys
from typing import Any, Iterator, List, NamedTuple, Protocol, Tuple

from ..config.settings import Config
from ..model.addresses import is_loopback
from ..model.errors import ControlError

DESCRIPTION = "OPC UA over WebSocket"


class Status(NamedTuple):
    """Whether a service runs, and lines about it."""

    runs: bool
    lines: List[str]


class Service(Protocol):
    """One service.  Each method raises :exc:`~opcws.model.errors.ControlError`."""

    def install(self, config: Config, firewall: bool) -> List[str]:
        """Install or change it, so that it starts with the machine and serves *config*; with
        *firewall* other machines may connect.  Returns sentences about remaining problems."""

    def remove(self, seconds: float) -> List[str]:
        """Stop it and undo everything that :meth:`install` did; returns the same."""

    def start(self, seconds: float) -> None:
        """Returns when it serves."""

    def stop(self, seconds: float) -> None:
        """Returns when its process has ended, or there is none."""

    def status(self) -> Status: ...


def folder_of(config: Config) -> str:
    """The folder of the configuration, which the service may write.

    Raises :exc:`~opcws.model.errors.ControlError` if the program is in it.
    """
    folder = os.path.dirname(os.path.realpath(str(config.path)))
    for program in (sys.prefix, sys.base_prefix, __file__):
        if is_within(program, folder):
            raise ControlError(
                "%s is in the folder of the program (%s), which the service must not be able to "
                "change; give the configuration a folder of its own" % (config.path, program)
            )
    return folder


def is_within(path: str, folder: str) -> bool:
    """Whether *path* is *folder*, or below it."""
    path, folder = (os.path.normcase(os.path.realpath(each)) for each in (path, folder))
    return path == folder or path.startswith(os.path.join(folder, ""))


def outside(config: Config, folder: str, account: str) -> List[str]:
    """Warnings about files of *config* outside *folder*, where *account* may have no rights."""
    return [
        "%s is %s, outside of %s; make sure that %s may use it" % (name, path, folder, account)
        for name, path in _paths(config, "")
        if not is_within(path, folder)
    ]


def _paths(section: Any, prefix: str) -> Iterator[Tuple[str, str]]:
    for each in dataclasses.fields(section):
        value = getattr(section, each.name)
        name = prefix + each.name
        if "path" in each.metadata and value is not None:
            yield name, value
        elif dataclasses.is_dataclass(value):
            yield from _paths(value, name + ".")
        elif name == "servers":
            for server in value.values():
                yield from _paths(server, "servers.%s." % server.name)
        elif name == "listen":
            for listen in value:
                yield from _paths(listen, "listen.")


def public_ports(config: Config) -> List[int]:
    """The ports that are open to other machines."""
    return sorted({each.port for each in config.listen if not is_loopback(each.host)})
