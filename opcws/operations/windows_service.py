"""Installs, removes, starts and stops opcws as a service of Windows.

Rules:

* The account is ``NT SERVICE\\NAME``, which Windows makes of the service: no password, nobody can
  log on as it, and on the network it is the machine.   It may write only the folder of the
  configuration, and read the program, as every user may.
* The service runs Python itself, not the start program of a virtual environment: its child would
  serve, while Windows watches the parent.
* A note below the service's key in the registry says what was installed, so that ``remove`` can
  undo it.  A service without such a note is not changed.

The code of the service's process is in :mod:`.service_process`.

Threads: a command's.
"""

import contextlib
import importlib
import os
import subprocess
import sys
import threading
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .. import __version__
from ..config import load
from ..config.settings import Config
from ..model.deadline import Deadline
from ..model.errors import ControlError, OpcwsError
from . import services, windows_api
from .service_process import log_file
from .windows_api import ServiceManager, WindowsError

_SERVICES = r"SYSTEM\CurrentControlSet\Services"
_SOURCES = _SERVICES + r"\EventLog\Application"
#: A program of every Windows that contains the text "%1" for each event number below 1001.
_MESSAGES = r"%SystemRoot%\System32\EventCreate.exe"
#: Seconds after which a failed service is started again, and after which its failures are
#: forgotten.
RESTARTS_S, RESET_S = (2.0, 10.0, 60.0), 86400
#: Seconds between two checks of a service that starts or ends.
LOOK_S = 0.1
#: Seconds for a command of Windows.
COMMAND_S = 60.0


class Noted(NamedTuple):
    """The note about an installation: the configuration, the writable folder, and the rule of the
    firewall or an empty text."""

    configuration: str
    folder: str
    rule: str = ""


class Program(NamedTuple):
    """The Python that the service runs, and the Python of a virtual environment that it pretends to
    be."""

    python: str
    environment: Optional[str] = None

    @classmethod
    def own(cls) -> "Program":
        """The Python that runs this."""
        base = getattr(sys, "_base_executable", sys.executable)
        inside = sys.prefix != sys.base_prefix
        return cls(base, sys.executable) if inside else cls(sys.executable)

    @property
    def variables(self) -> List[str]:
        """As multiprocessing does for a child in a virtual environment."""
        return [] if self.environment is None else ["__PYVENV_LAUNCHER__=" + self.environment]

    def arguments(self, *of_opcws: str) -> List[str]:
        # Imports must not depend on the working folder or the environment variables of the machine.
        return [self.python, "-I", "-X", "utf8", "-m", "opcws", *of_opcws]


class WindowsService:
    """The service *name*, as an administrator sees it."""

    def __init__(
        self,
        name: str,
        manager: Optional[ServiceManager] = None,
        registry: Any = None,
        program: Optional[Program] = None,
    ) -> None:
        self._name = name
        self._account = "NT SERVICE\\" + name
        self._manager = ServiceManager() if manager is None else manager
        self._registry = importlib.import_module("winreg") if registry is None else registry
        self._program = Program.own() if program is None else program

    # --- what can be done -----------------------------------------------------------------------

    def install(self, config: Config, firewall: bool) -> List[str]:
        path = os.path.abspath(str(config.path))
        folder = services.folder_of(config)
        self._try_program()
        before = self._noted()
        command = self._program.arguments("service", "run", "--name", self._name, "--config", path)
        if before is None:
            with contextlib.suppress(WindowsError):
                self._manager.status(self._name)
                raise self._foreign()
        new = self._manager.create(
            self._name, "opcws (%s)" % self._name, subprocess.list2cmdline(command), self._account
        )
        try:
            if before is not None:
                self._take_back(before)
            self._note(Noted(path, folder))
            warnings = self._configure()
            try:
                windows_api.grant(folder, windows_api.service_sid(self._name))
            except WindowsError:
                raise
            except ControlError as error:
                warnings.append(error.reason)
            if firewall:
                warnings += self._open_firewall(path, folder, services.public_ports(config))
        except BaseException:
            if new:
                with contextlib.suppress(OpcwsError, OSError):
                    self.remove(0.0)
            raise
        return warnings + services.outside(config, folder, self._account)

    def remove(self, seconds: float) -> List[str]:
        noted = self._must_be_ours()
        self.stop(seconds)
        warnings = self._take_back(noted)
        machine = self._registry.HKEY_LOCAL_MACHINE
        with contextlib.suppress(FileNotFoundError):
            self._registry.DeleteKey(machine, _SOURCES + "\\" + self._name)
        self._manager.delete(self._name)
        with contextlib.suppress(OSError):  # Windows keeps it while a program shows the service
            self._registry.DeleteKey(machine, self._parameters)
        return warnings

    def start(self, seconds: float) -> None:
        noted = self._must_be_ours()
        deadline = Deadline(seconds)
        self._manager.start(self._name)
        status = self._when(lambda state: state != windows_api.START_PENDING, deadline)
        gone = _is_gone(status)
        if status.state == windows_api.RUNNING and not gone:
            return
        if status.state == windows_api.START_PENDING and not gone:
            raise ControlError("the service %s is not ready in time" % self._name)
        loaded = load(noted.configuration)  # ConfigError has the problems
        raise ControlError(
            "the service %s has ended again; the Event Log says why, or %s"
            % (self._name, loaded.log.file or log_file(self._name, noted.configuration))
        )

    def stop(self, seconds: float) -> None:
        self._must_be_ours()
        deadline = Deadline(seconds)
        process = self._manager.status(self._name).process_id

        def stopped(state: int) -> bool:
            if state in (windows_api.RUNNING, windows_api.START_PENDING):
                self._manager.stop(self._name)
            return state == windows_api.STOPPED

        status = self._when(stopped, deadline)
        ended = not process or windows_api.wait_for_process(process, deadline.bounded(60.0))
        if not ended or not (status.state == windows_api.STOPPED or _is_gone(status)):
            raise ControlError("the service %s did not end in time" % self._name)

    def status(self) -> services.Status:
        noted = self._must_be_ours()
        status, settings = self._manager.status(self._name), self._manager.settings(self._name)
        gone = _is_gone(status)
        runs = bool(status.state == windows_api.RUNNING and not gone)
        words = {
            windows_api.STOPPED: "stopped",
            windows_api.START_PENDING: "starting",
            windows_api.STOP_PENDING: "stopping",
            windows_api.RUNNING: "running",
        }
        word = words.get(status.state, "in state %d" % status.state)
        if gone:
            word = "stopped, its process has ended without an exit code"
        if runs:
            word += ", process %d" % status.process_id
        elif status.exit_code == windows_api.SPECIFIC:
            word += ", exit code %d" % status.specific_exit_code
        elif status.exit_code not in (0, 1077):  # it was never started
            word += ", Windows error %d" % status.exit_code
        lines = [
            "%s: %s" % (self._name, word),
            "configuration: " + noted.configuration,
            "account: " + settings.account,
            "command: " + settings.command,
        ]
        return services.Status(runs, lines)

    # --- its parts --------------------------------------------------------------------------------

    def _try_program(self) -> None:
        """Raises :exc:`ControlError` if opcws cannot run in the way of the service."""
        names = (each.partition("=") for each in self._program.variables)
        environment = {**os.environ, **{name: value for name, _, value in names}}
        code, said = _command(self._program.arguments("--version"), environment)
        if code or __version__ not in said:
            raise ControlError(
                "%s cannot run opcws %s as a service does; install it for all users, not with "
                "--user: %s" % (self._program.python, __version__, said.strip()[-300:])
            )

    def _configure(self) -> List[str]:
        """Configure start, end and failure of the service, and its source in the Event Log."""
        name, manager = self._name, self._manager
        warnings: List[str] = []
        wishes: Sequence[Tuple[Any, ...]] = (
            (manager.describe, services.DESCRIPTION),
            (manager.delay_start,),
            (manager.restart_after_failure, RESTARTS_S, RESET_S),
            (manager.allow_at_shutdown, windows_api.STOP_S),
        )
        for wish, *more in wishes:
            try:
                wish(name, *more)
            except WindowsError as error:
                warnings.append(error.reason)
        registry = self._registry
        with self._key(_SERVICES + "\\" + name, make=True) as key:
            if self._program.variables:
                registry.SetValueEx(
                    key, "Environment", 0, registry.REG_MULTI_SZ, self._program.variables
                )
        with self._key(_SOURCES + "\\" + name, make=True) as key:
            registry.SetValueEx(key, "EventMessageFile", 0, registry.REG_EXPAND_SZ, _MESSAGES)
            registry.SetValueEx(key, "TypesSupported", 0, registry.REG_DWORD, 7)
        return warnings

    def _open_firewall(self, path: str, folder: str, ports: Sequence[int]) -> List[str]:
        if not ports:
            return ["every listener is for this machine alone, so the firewall stays as it is"]
        rule = "opcws (%s)" % self._name
        self._note(Noted(path, folder, rule))
        code, said = _netsh(
            *("add", "rule", "name=" + rule, "dir=in", "action=allow", "protocol=TCP"),
            "localport=" + ",".join(map(str, ports)),
            "program=" + self._program.python,
        )
        if not code and rule in _netsh("show", "rule", "name=" + rule)[1]:
            return []
        return ["the firewall has no rule for it now: %s" % (said.strip() or "no reason given")]

    def _take_back(self, noted: Noted) -> List[str]:
        """Undo the changes outside of the service's own key."""
        warnings: List[str] = []
        if os.path.isdir(noted.folder):
            try:
                windows_api.revoke(noted.folder, windows_api.service_sid(self._name))
            except WindowsError as error:
                warnings.append(error.reason)
        if noted.rule:
            _netsh("delete", "rule", "name=" + noted.rule)
            if noted.rule in _netsh("show", "rule", "name=" + noted.rule)[1]:
                warnings.append("the firewall still has its rule %r" % noted.rule)
        return warnings

    def _when(self, true: Callable[[int], bool], deadline: Deadline) -> Any:
        """The status as soon as its state is *true*, its process has ended, or the time is over."""
        pause = threading.Event()
        while True:
            status = self._manager.status(self._name)
            if true(status.state) or _is_gone(status) or deadline.expired:
                return status
            pause.wait(LOOK_S)

    # --- what is noted of it --------------------------------------------------------------------

    def _noted(self) -> Optional[Noted]:
        try:
            with self._key(self._parameters) as key:
                values = [self._registry.QueryValueEx(key, each)[0] for each in Noted._fields]
        except FileNotFoundError:
            return None
        return Noted(*map(str, values))

    def _note(self, noted: Noted) -> None:
        with self._key(self._parameters, make=True) as key:
            for name, value in noted._asdict().items():
                self._registry.SetValueEx(key, name, 0, self._registry.REG_SZ, value)

    def _must_be_ours(self) -> Noted:
        noted = self._noted()
        if noted is None:
            self._manager.status(self._name)
            raise self._foreign()
        return noted

    def _foreign(self) -> ControlError:
        return ControlError(
            "the service %s is another program's; choose another --name" % self._name
        )

    @property
    def _parameters(self) -> str:
        return "%s\\%s\\Parameters" % (_SERVICES, self._name)

    @contextlib.contextmanager
    def _key(self, path: str, make: bool = False) -> Iterator[Any]:
        registry = self._registry
        rights = registry.KEY_ALL_ACCESS if make else registry.KEY_READ
        act = registry.CreateKeyEx if make else registry.OpenKey
        try:
            opened = act(registry.HKEY_LOCAL_MACHINE, path, 0, rights)
        except PermissionError:
            raise WindowsError("the service %s" % self._name, 5) from None
        with opened as key:
            yield key


def _is_gone(status: Any) -> bool:
    """Whether its process has ended, whatever state Windows reports; Wine does not notice the
    end."""
    return bool(status.process_id) and windows_api.wait_for_process(status.process_id, 0.0)


def _command(arguments: Sequence[str], environment: Any = None) -> Tuple[int, str]:
    """The exit code of a command, and its output."""
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=COMMAND_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, "%s: %s" % (arguments[0], getattr(error, "strerror", None) or "no end in time")
    return done.returncode, done.stdout.decode("oem" if os.name == "nt" else "utf-8", "replace")


def _netsh(*arguments: str) -> Tuple[int, str]:
    netsh = os.path.join(os.environ["SystemRoot"], "System32", "netsh.exe")
    return _command([netsh, "advfirewall", "firewall", *arguments])
