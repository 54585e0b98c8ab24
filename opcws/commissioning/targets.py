"""The OPC UA server of a command: address, settings, and error messages.

Calls to the server run on a thread of their own, so that the terminal shows the progress and Ctrl-C
works at once, on Windows too.
"""

import os
import re
import threading
from concurrent import futures
from typing import Any, Callable, Dict, NamedTuple, Optional, TypeVar

from ..config import load, read_text
from ..config.check import endpoint_problem
from ..config.settings import Config, Security, Server, User
from ..model.errors import ConfigError, PlantError
from .config_file import has_endpoint
from .security import DEPRECATED_POLICIES, parse_security

#: The environment variable for the password in a new configuration, if the user typed the password.
PASSWORD_ENV = "OPCWS_PASSWORD"

#: Seconds between two updates of the progress.
LOOK_S = 0.1
#: Seconds for closing the session.
LEAVE_S = 1.0

#: Settings in messages about a configuration, and the options that replace them on a command line.
_OPTIONS = {
    "set 'security'": "--security",
    "set 'user'": "--user",
    "security.mode: SignAndEncrypt": "--security",
    "user.allow_clear: true": "--allow-clear",
}

T = TypeVar("T")


class Target(NamedTuple):
    """The OPC UA server, and its settings for a configuration.

    ``password_missing`` is the environment variable that the user must set before the written
    configuration works, if there is one.
    """

    server: Server
    settings: Dict[str, Any]
    password_missing: str = ""


def at(
    endpoint: str,
    security: Optional[str] = None,
    user: Optional[User] = None,
    pki: Optional[str] = None,
    directory: str = "",
) -> Target:
    """The server at *endpoint*: a URL, or a host with or without a port.

    *security* is a policy, or a policy, a slash and a mode; *directory* is that of the
    configuration that will be written, if there is one.  Raises
    :exc:`~opcws.model.errors.ConfigError`.
    """
    url = as_url(endpoint)
    policy, mode = parse_security(security or "None")
    settings = connection_settings(url, policy, mode)
    if pki is not None and policy != "None":
        settings["security"]["pki"] = _seen_from(pki, directory)
    missing = ""
    if user is not None:
        settings["user"] = {"name": user.name}
        if user.password_file is not None:
            settings["user"]["password_file"] = _seen_from(user.password_file, directory)
        else:
            variable = user.password_env or PASSWORD_ENV
            settings["user"]["password_env"] = variable
            missing = "" if variable in os.environ else variable
        if user.allow_clear:
            settings["user"]["allow_clear"] = True
    own = Security(
        policy,
        mode,
        pki=pki or os.path.join(directory, Security.pki),
        allow_deprecated=policy in DEPRECATED_POLICIES,
    )
    return Target(Server(name="plant", endpoint=url, security=own, user=user), settings, missing)


def connection_settings(url: str, policy: str, mode: str) -> Dict[str, Any]:
    """The settings of a server at *url* with this security."""
    settings: Dict[str, Any] = {"endpoint": url}
    if policy != "None":
        settings["security"] = {"policy": policy, "mode": mode}
    if policy in DEPRECATED_POLICIES:
        settings["security"]["allow_deprecated"] = True  # the user has chosen it
    return settings


def chosen(
    path: Optional[str],
    endpoint: str,
    name: Optional[str],
    security: Optional[str],
    user: Optional[User],
    pki: Optional[str],
    written: Optional[str],
) -> Target:
    """The server *name* of the configuration *path*, or the one at *endpoint* with this security
    and user; without these, with those that the configuration *written* has for it.

    Raises :exc:`~opcws.model.errors.ConfigError`.
    """
    if path is not None:
        return configured(load(path), name)
    target = at(endpoint, security, user, pki, os.path.dirname(written or ""))
    if written is None or security or pki or user:
        return target
    return known(written, endpoint, name) or target


def configured(loaded: Config, name: Optional[str]) -> Target:
    """The server *name* of a configuration, or its only one."""
    if name is None:
        if len(loaded.servers) != 1:
            raise ConfigError(
                "%s has several servers; name one with --server: %s"
                % (loaded.path, ", ".join(loaded.servers))
            )
        (name,) = loaded.servers
    server = loaded.servers.get(name)
    if server is None:
        raise ConfigError(
            "%s has no server %s; it has %s" % (loaded.path, name, ", ".join(loaded.servers))
        )
    if server.at_broker:
        raise ConfigError(
            "the server %s of the configuration is at a broker, which cannot be asked; give the "
            "address of an OPC UA server" % name
        )
    return Target(server, {"endpoint": server.endpoint})


def known(path: str, endpoint: str, name: Optional[str]) -> Optional[Target]:
    """The server at *endpoint* in the configuration file *path*, if it is there.

    Raises :exc:`~opcws.model.errors.ConfigError` for a file that exists and is wrong.
    """
    if not os.path.exists(path) or not read_text(path).strip():
        return None
    url = as_url(endpoint)
    for server in load(path).servers.values():
        if name in (None, server.name) and has_endpoint(server, url):
            return Target(server, {"endpoint": url})
    return None


def as_url(endpoint: str) -> str:
    """*endpoint* as a complete URL.  Raises :exc:`~opcws.model.errors.ConfigError`."""
    text = endpoint.strip()
    if "://" not in text:
        text = "opc.tcp://" + text
    url = text
    host, slash, path = text[10:].partition("/")
    if text.startswith("opc.tcp://") and ":" not in host.rpartition("]")[2]:
        url = "opc.tcp://%s:4840%s%s" % (host, slash, path)
    problem = endpoint_problem(url)
    if problem:
        raise ConfigError(problem)
    return url


def explained(server: Server, problem: PlantError) -> PlantError:
    """*problem* of connecting to *server*, with the address and advice."""
    reason = problem.reason
    for setting, option in _OPTIONS.items():
        reason = reason.replace(setting, "%s (%s)" % (setting, option))
    if problem.status not in ("BadCommunicationError", "BadTimeout"):
        return PlantError("%s: %s" % (server.endpoint, reason), problem.status)
    reason = re.sub(r"\[Errno -?\d+\] ", "", reason)
    reason = reason.replace(" in endpoint", "")  # names the setting, for opcws serve
    if "; " not in reason:
        reason += "; check the address (the port is often 4840), and whether a firewall blocks it"
    return PlantError("%s: %s" % (server.endpoint, reason), problem.status)


def in_background(
    work: Callable[[], T], look: Callable[[], None], give_up: Callable[[], None]
) -> T:
    """Run *work* on another thread, and return or raise its result.  *look* is called meanwhile;
    Ctrl-C calls *give_up*, which must end the work."""
    outcome: "futures.Future[T]" = futures.Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    # A daemon, because it may wait in getaddrinfo, which cannot be interrupted.
    thread = threading.Thread(target=run, name="opcws-browse", daemon=True)
    thread.start()
    try:
        while not futures.wait([outcome], LOOK_S).done:
            look()
    except BaseException:
        give_up()
        thread.join(2 * LEAVE_S)
        raise
    thread.join()
    return outcome.result()


def _seen_from(path: str, directory: str) -> str:
    """*path* relative to a configuration in *directory*."""
    if os.path.isabs(path):
        return path
    try:
        return os.path.relpath(path, directory or os.curdir).replace(os.sep, "/")
    except ValueError:  # another drive
        return os.path.abspath(path)
