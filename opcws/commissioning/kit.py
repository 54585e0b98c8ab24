"""Installs, upgrades, downgrades and removes the offline kit on its machine.

``scripts/bundle.py`` makes kits; ``setup.cmd`` in one has ``opcws setup`` run by the kit's own
Python.  Rules:

* Each version of the program has a folder of its own, in a folder that only administrators may
  write.  The data of the plant (configuration, keys, credentials, log, state) is in another folder,
  which nobody else may read.  So a version never changes, and going back only selects the previous
  one.
* Everything that can be checked is checked before the running version is stopped: the kit is
  complete, the new version accepts the configuration, and the new version loads.
* One step, :meth:`Setup._use`, changes the version that serves.  If the new one does not become
  ready, the same step goes back.
* Every operation may be repeated.

Only :func:`_protect` needs Windows; the rest is tested everywhere.

Threads: the caller's; looking for an OPC UA server has its own (see :mod:`.discover`).
"""

import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Protocol, Sequence

from ..config import load
from ..config.settings import Config, Listen, User
from ..config.variable_names import printable
from ..model import atomic_file
from ..model.addresses import is_loopback
from ..model.deadline import Deadline
from ..model.errors import ConfigError, OpcwsError, PlantError
from . import discover, init, own_listener, targets

#: Files of bundle.py: the description of the kit, and the list of its files with their hashes.
ABOUT, SUMS = "kit.json", "SHA256SUMS.txt"
#: File in the program folder that says what is installed.
STATE = "installed.json"
CONFIG, LOG = "opcws.yaml", "logs/opcws.log"

#: Seconds within which a started version must become ready, and a stopped one end.
READY_S = 120.0
GONE_S = 30.0
#: Seconds that one check may take, and between two checks.
LOOK_S, PAUSE_S = 5.0, 0.25
#: Seconds for a command of another version.
COMMAND_S = 120.0
#: How many ports for clients are tried, from the default one on.
PORTS = 20
#: Well-known identities; their names depend on the language of Windows.
SYSTEM, ADMINISTRATORS, USERS = "*S-1-5-18", "*S-1-5-32-544", "*S-1-5-32-545"

#: Processes that outlive this one; subprocess warns about a Popen that is dropped.
_left_running: List["subprocess.Popen[bytes]"] = []
#: Valid as the name of a service and of a folder.
NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Tell = Callable[[str], None]


class KitError(OpcwsError, status="BadConfigurationError"):
    """Setup has failed; nothing has changed unless the reason says so."""


class Kit(NamedTuple):
    """An unpacked kit, or a version that was installed from one: the same files."""

    folder: Path
    version: str

    @classmethod
    def at(cls, folder: Path) -> "Kit":
        """Raises :exc:`KitError`."""
        try:
            about = json.loads((folder / "program" / ABOUT).read_text(encoding="utf-8"))
            return cls(folder, str(about["version"]))
        except (OSError, ValueError, TypeError, LookupError):
            raise KitError(
                "%s is not an offline kit of opcws; unzip the whole kit, and start its setup.cmd"
                % folder
            ) from None

    @classmethod
    def own(cls) -> "Kit":
        """The kit whose Python runs this.  Raises :exc:`KitError`."""
        return cls.at(Path(sys.executable).resolve().parent.parent)

    @property
    def python(self) -> Path:
        return self.folder / "program" / "python.exe"

    @property
    def identity(self) -> str:
        """A different text for different files."""
        return hashlib.sha256((self.folder / SUMS).read_bytes()).hexdigest()

    def copy(self, target: Path) -> None:
        """Copy everything to *target*.  Raises :exc:`OSError`, and :exc:`KitError` if a file has
        changed since the kit was made."""
        lines = (self.folder / SUMS).read_text(encoding="utf-8").splitlines()
        wanted = {name: digest for digest, _, name in (line.partition(" *") for line in lines)}
        for folder, _, names in os.walk(str(self.folder)):
            place = Path(folder).relative_to(self.folder)
            (target / place).mkdir(parents=True)
            for name in names:
                source, path = os.path.join(folder, name), (place / name).as_posix()
                with open(source, "rb") as file:
                    content = file.read()
                    found = os.fstat(file.fileno())
                # Files that Python has compiled since are copied too; nobody else can write there.
                if wanted.pop(path, None) not in (None, hashlib.sha256(content).hexdigest()):
                    raise KitError("%s is damaged: %s; unzip it again" % (self.folder, path))
                copy = str(target / path)
                with open(copy, "wb") as file:
                    file.write(content)
                os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
                # Windows does not delete read-only files, and all files on a CD are read-only.
                os.chmod(copy, found.st_mode & 0o777 | 0o200)
        if wanted:
            raise KitError(
                "%s is incomplete: %s is missing; unzip it again" % (self.folder, min(wanted))
            )


class Place(NamedTuple):
    """Where *name* is installed: ``program`` has a folder for each version, ``data`` has the files
    of the plant.  ``alone``: for one user who is not an administrator."""

    name: str
    program: Path
    data: Path
    alone: bool = False

    @classmethod
    def usual(cls, name: str, alone: bool, folder: Optional[str] = None) -> "Place":
        """*folder* holds both; by default they are in the usual folders of Windows.  Raises
        :exc:`KitError`."""
        if folder is not None:
            root = Path(folder).resolve()
            return cls(name, root / "program", root / "data", alone)
        # Windows gives a 32-bit program another folder for programs, where a kit of 64 bits would
        # not be found.
        names = ["ProgramW6432", "ProgramFiles"], ["ProgramData"]
        if alone:
            names = ["LOCALAPPDATA"], ["LOCALAPPDATA"]
        roots = [next(filter(None, map(os.environ.get, each)), None) for each in names]
        if None in roots:
            raise KitError(
                "Windows does not say where programs belong; name a folder with --folder"
            )
        program, data = (Path(str(root)).resolve() for root in roots)
        if alone:
            program = program / "Programs"
        return cls(name, program / name, data / name, alone)

    @property
    def config(self) -> Path:
        return self.data / CONFIG


class Installed(NamedTuple):
    """The installation: the folder of the version that serves, that of the previous one, and how
    opcws runs."""

    current: str
    previous: Optional[str] = None
    service: bool = True
    firewall: bool = False


class Wishes(NamedTuple):
    """Options of a first installation; ``None``: setup decides.  ``listen`` is an address such as
    ``0.0.0.0:8081``; ``service`` false for a plain process."""

    endpoint: Optional[str] = None
    security: Optional[str] = None
    user: Optional[User] = None
    variables: Optional[str] = None
    listen: Optional[str] = None
    service: bool = True


class Runner(Protocol):
    """How opcws runs.  Each method raises :exc:`KitError`."""

    def use(self, python: Path) -> None:
        """Run the version of *python* from the next start on."""

    def start(self, python: Path) -> None:
        """Start it, without waiting until it is ready."""

    def stop(self, python: Path) -> None:
        """Stop it, if it runs."""

    def remove(self, python: Path) -> None:
        """Do not run it any more; it is stopped already."""

    def ended(self) -> bool:
        """Whether it is known to have ended after its start."""


class Service:
    """As a service of Windows, with the ``opcws service`` of that version."""

    def __init__(self, place: Place, firewall: bool) -> None:
        self._place = place
        self._firewall = firewall

    def use(self, python: Path) -> None:
        firewall = "--firewall" if self._firewall else "--no-firewall"
        self._run(python, "install", "--config", str(self._place.config), firewall)

    def start(self, python: Path) -> None:
        self._run(python, "start")

    def stop(self, python: Path) -> None:
        self._run(python, "stop")

    def remove(self, python: Path) -> None:
        self._run(python, "remove")

    def ended(self) -> bool:
        return False  # the service manager starts it again

    def _run(self, python: Path, action: str, *more: str) -> None:
        _command(python, "service", action, "--name", self._place.name, *more)


class Process:
    """As a process without a window, until the user leaves."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._process: Optional["subprocess.Popen[bytes]"] = None

    def use(self, python: Path) -> None:
        pass

    def start(self, python: Path) -> None:
        command = [str(python), "-m", "opcws", "serve", "--config", str(self._place.config)]
        if load(str(self._place.config)).log.file is None:
            command += ["--log-file", str(self._place.data / LOG)]
        nothing = subprocess.DEVNULL
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        try:
            self._process = subprocess.Popen(
                command,
                stdin=nothing,
                stdout=nothing,
                stderr=nothing,
                cwd=str(self._place.data),
                creationflags=flags,
                start_new_session=True,
            )
        except OSError as error:
            raise KitError("cannot start %s: %s" % (python, error.strerror)) from None
        _left_running.append(self._process)

    def stop(self, python: Path) -> None:
        problem = None
        for _ in _looks(GONE_S):
            if not _answers(self._place.config, "healthz"):
                break
            try:
                _command(python, "stop", "--config", str(self._place.config))
                break
            except KitError as error:  # it has just started, and cannot be reached yet
                problem = error
        else:
            raise problem or KitError("opcws does not stop")
        if self._process is not None:  # it may never have been able to answer
            self._process.kill()
            self._process.wait()

    def remove(self, python: Path) -> None:
        pass

    def ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None


class Setup:
    """*kit* on this machine, at *place*."""

    def __init__(
        self,
        kit: Kit,
        place: Place,
        tell: Tell,
    ) -> None:
        self._kit = kit
        self._place = place
        self._tell = tell
        self._runners: Dict[Installed, Runner] = {}

    # --- what can be done -----------------------------------------------------------------------

    def install(self, wishes: Wishes, dialog: init.Dialog) -> List[str]:
        """Install or upgrade; returns lines about the result.

        Raises :exc:`~opcws.model.errors.OpcwsError` and :exc:`KeyboardInterrupt`.
        """
        before = self._installed()
        if before is None:
            return self._install(wishes, dialog)
        loaded = self._checked("correct the configuration first; nothing has changed")
        folder = self._copy()
        if folder == before.current:
            self._tell("opcws %s is installed already; setup starts it again" % self._kit.version)
            wanted = before
        else:
            wanted = before._replace(current=folder, previous=before.current)
        self._swap(wanted, before)
        self._delete_old(wanted)
        return self._told(wanted, loaded)

    def back(self) -> List[str]:
        """Return to the version before.  Raises :exc:`~opcws.model.errors.OpcwsError`."""
        before = self._must_be_installed()
        if before.previous is None or not self._version(before.previous).exists():
            raise KitError("there is no version before %s to go back to" % before.current)
        loaded = self._checked("correct the configuration first; nothing has changed")
        wanted = before._replace(current=before.previous, previous=before.current)
        self._swap(wanted, before)
        return self._told(wanted, loaded)

    def remove(self) -> List[str]:
        """Remove program and service; the data of the plant stays.  Raises
        :exc:`~opcws.model.errors.OpcwsError`."""
        before = self._must_be_installed()
        runner, python = self._runner(before), self._python(before.current)
        for step in (runner.stop, runner.remove):
            try:
                step(python)
            except KitError as problem:  # an earlier removal may have stopped half-way
                self._tell("note: " + problem.reason)
        # Python cannot delete the files from which it runs.
        own = self._place.program in self._kit.folder.parents
        if own:
            _delete(self._place.program / STATE)
        left = [each for each in self._place.program.iterdir() if own or not _delete(each)]
        if not left:
            self._place.program.rmdir()
        lines = ["opcws is removed; %s stays" % self._place.data]
        if left:
            lines.append("now delete %s; some of its files are in use" % self._place.program)
        return lines

    # --- the first time -------------------------------------------------------------------------

    def _install(self, wishes: Wishes, dialog: init.Dialog) -> List[str]:
        for folder in (self._place.data, (self._place.data / LOG).parent):
            with _writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
        _protect(self._place.data, self._place.alone)
        if not self._place.config.exists():
            self._configure(wishes, dialog)
        loaded = self._checked("correct it, and start setup.cmd again")
        public = any(not is_loopback(each.host) for each in loaded.listen)
        installed = Installed(self._copy(), None, wishes.service, public and wishes.service)
        self._swap(installed, None)
        return self._told(installed, loaded)

    def _configure(self, wishes: Wishes, dialog: init.Dialog) -> None:
        """Write the first configuration, with as few questions as possible."""
        endpoint = wishes.endpoint or _found_endpoint(self._tell, dialog)
        listen = wishes.listen or "%s:%d" % (Listen.host, _free_port())
        given = init.Answers(
            str(self._place.config),
            endpoint,
            wishes.security,
            wishes.user,
            wishes.variables,
            listen,
        )
        try:
            lines = init.run(given, _Silent(dialog))
        except (ConfigError, PlantError) as problem:
            if not dialog.asks:
                raise
            self._tell(problem.reason)
            lines = init.run(given, dialog)
        # Its last lines are advice for a terminal; setup continues by itself.
        self._tell(lines[0])
        text = self._place.config.read_text(encoding="utf-8")
        with atomic_file.replacing(str(self._place.config)) as file:
            file.write((text.rstrip("\n") + "\nlog:\n  file: %s\n" % LOG).encode("utf-8"))

    # --- one version after another --------------------------------------------------------------

    def _checked(self, remedy: str) -> Config:
        """The configuration, checked by this version, which may be the newer one."""
        try:
            loaded = load(str(self._place.config))
        except ConfigError as error:
            raise ConfigError([*error.problems, remedy]) from None
        for warning in loaded.warnings:
            self._tell("note: " + warning)
        return loaded

    def _copy(self) -> str:
        """Copy the kit; returns the name of its folder."""
        program, kit = self._place.program, self._kit
        if kit.folder.parent == program:
            return kit.folder.name
        name = kit.version
        with _writing(program):
            program.mkdir(parents=True, exist_ok=True)
            _protect(program, self._place.alone, readable=True)
            with contextlib.suppress(OSError):
                if Kit(program / name, "").identity != kit.identity:
                    name += "-" + kit.identity[:8]  # the same version, but another build
            if not (program / name).exists():
                self._tell("copying to %s" % (program / name))
                new = program / ("new-" + name)
                _delete(new)
                try:
                    kit.copy(new)
                except KitError:
                    _delete(new)
                    raise
                os.replace(str(new), str(program / name))
        return name

    def _swap(self, wanted: Installed, before: Optional[Installed]) -> None:
        """Serve with *wanted* instead of *before*; if it does not become ready, go back to
        *before*."""
        # Find a version that does not load before anything is stopped.  Python may write its
        # compiled files now, and need not compile them at every start.
        _run([str(self._python(wanted.current)), "-c", "import opcws.app, opcws.cli.serve"])
        was_ready = before is not None and _answers(self._place.config, "readyz")
        if before is not None:
            self._stop(before)
        try:
            self._use(wanted, was_ready)
        except KitError as problem:
            if before is None:
                raise
            self._tell("%s: %s" % (wanted.current, problem.reason))
            with contextlib.suppress(KitError):
                self._stop(wanted)
            try:
                self._use(before, False)
            except KitError as second:
                raise KitError(
                    "neither %s nor %s becomes ready: %s"
                    % (wanted.current, before.current, second.reason)
                ) from None
            raise KitError(
                "%s did not become ready, so %s serves again: %s"
                % (wanted.current, before.current, problem.reason)
            ) from None

    def _stop(self, installed: Installed) -> None:
        self._runner(installed).stop(self._python(installed.current))
        for _ in _looks(GONE_S):
            if not _answers(self._place.config, "healthz"):
                return
        raise KitError("opcws still serves %s; stop it first" % self._place.config)

    def _use(self, installed: Installed, connected: bool) -> None:
        """Serve with *installed*, and wait until it serves; with *connected* until its OPC UA
        servers are connected too."""
        runner, python = self._runner(installed), self._python(installed.current)
        runner.use(python)
        self._write(installed)
        runner.start(python)
        endpoint = "readyz" if connected else "healthz"
        for _ in _looks(READY_S):
            if _answers(self._place.config, endpoint):
                return
            if runner.ended():
                break
        what = "has ended" if runner.ended() else "does not answer at /" + endpoint
        raise KitError("it %s; its log: %s" % (what, self._last_words()))

    def _write(self, installed: Installed) -> None:
        program = self._place.program
        with _writing(program):
            command = '@"%%~dp0.\\%s\\program\\python.exe" -m opcws %%*\r\n' % installed.current
            for name, text in (
                ("opcws.cmd", command),
                (STATE, json.dumps(installed._asdict()) + "\n"),
            ):
                with atomic_file.replacing(str(program / name)) as file:
                    file.write(text.encode("ascii"))
                os.chmod(str(program / name), 0o644)

    def _delete_old(self, installed: Installed) -> None:
        keep = (installed.current, installed.previous)
        for folder in self._place.program.iterdir():
            if folder.is_dir() and folder.name not in keep:
                _delete(folder)

    # --- what is there --------------------------------------------------------------------------

    def _installed(self) -> Optional[Installed]:
        path = self._place.program / STATE
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return Installed(**found)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise KitError("%s cannot be read: %s; delete it" % (path, error)) from None

    def _must_be_installed(self) -> Installed:
        before = self._installed()
        if before is None:
            raise KitError("opcws is not installed in %s" % self._place.program)
        return before

    def _version(self, name: str) -> Path:
        return self._place.program / name

    def _python(self, name: str) -> Path:
        return Kit(self._version(name), "").python

    def _runner(self, installed: Installed) -> Runner:
        if installed not in self._runners:
            runner: Runner = Process(self._place)
            if installed.service:
                runner = Service(self._place, installed.firewall)
            self._runners[installed] = runner
        return self._runners[installed]

    def _last_words(self) -> str:
        """The end of the log."""
        try:
            file = load(str(self._place.config)).log.file or str(self._place.data / LOG)
            text = Path(file).read_bytes()[-4096:].decode("utf-8", "replace")
            return " | ".join(text.splitlines()[-3:]) or "empty"
        except (OSError, ConfigError):
            return "none"

    def _told(self, installed: Installed, loaded: Config) -> List[str]:
        lines = ["opcws %s serves %s" % (installed.current, self._place.config)]
        lines += ["open      %s" % _url(each, "") for each in loaded.listen]
        lines += [
            "program   %s" % self._place.program,
            "data      %s" % self._place.data,
            'command   "%s"' % (self._place.program / "opcws.cmd"),
        ]
        if installed.service:
            lines.append("service   %s, which starts with Windows" % self._place.name)
        else:
            lines.append("it runs until you log off; start setup.cmd again to have it run again")
        return lines


# --- the endpoint, and a port --------------------------------------------------------------------


class _Silent:
    """A dialog without a user: every answer is the default."""

    asks = False

    def __init__(self, dialog: init.Dialog) -> None:
        self.tell = dialog.tell
        self.watch = dialog.watch

    def ask(self, question: str, default: Optional[str] = None, secret: bool = False) -> str:
        return default or ""


def _found_endpoint(tell: Tell, dialog: init.Dialog) -> str:
    """The address of the OPC UA server of this machine; asks if there is none or more than one."""
    candidates = endpoints()
    if len(candidates) == 1:
        (url,) = candidates
        tell("found an OPC UA server: %s (%s)" % (url, printable(candidates[url])))
        return url
    for url, name in candidates.items():
        tell("found %s (%s)" % (url, printable(name)))
    if not dialog.asks:
        raise KitError(
            "%s; name one: setup.cmd --endpoint opc.tcp://HOST:4840"
            % ("there are several OPC UA servers" if candidates else "no OPC UA server was found")
        )
    example = next(iter(candidates), "opc.tcp://HOST:4840")
    return dialog.ask("Address of the OPC UA server, such as %s" % example).strip()


def endpoints(host: str = "127.0.0.1") -> Dict[str, str]:
    """Addresses and names of the servers on *host*: the one at the usual port, if it accepts users,
    and those that it knows as a discovery server."""
    try:
        found = discover.look(targets.at(host).server)
    except PlantError:
        return {}
    known = {found.url: found.name} if any(each.users for each in found.offers) else {}
    for name, urls in found.others:
        first = next((each for each in urls if each.startswith("opc.tcp://")), None)
        if first is not None:
            known.setdefault(first, name)
    return known


def _free_port() -> int:
    """The default port for clients, or the next one that is free."""
    for port in range(Listen.port, Listen.port + PORTS):
        with contextlib.suppress(ConfigError):
            init.check_free(Listen.host, port)
            return port
    raise KitError("no port is free for clients; name one with --listen 127.0.0.1:PORT")


# --- what it needs of the machine ----------------------------------------------------------------


def _command(python: Path, *arguments: str) -> None:
    """Run ``opcws`` with *arguments* in the version of *python*."""
    _run([str(python), "-m", "opcws", *arguments])


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_S,
            check=False,
        )
    except OSError as error:
        raise KitError("cannot start %s: %s" % (command[0], error.strerror)) from None
    except subprocess.TimeoutExpired:
        raise KitError("'%s' did not end in time" % " ".join(command[1:])) from None
    if done.returncode:
        words = " ".join(done.stdout.decode("utf-8", "replace").split())
        raise KitError("'%s' says: %s" % (" ".join(command[1:]), words or "no reason given"))


def _answers(config: Path, endpoint: str) -> bool:
    """Whether a listener of *config* answers ``200`` at *endpoint*, or requires a client
    certificate, which setup does not have."""
    try:
        listeners: Sequence[Listen] = load(str(config)).listen
    except ConfigError:
        return False
    return any(_answer(listen, endpoint) in (200, 401, 403) for listen in listeners)


def _answer(listen: Listen, endpoint: str) -> int:
    """The HTTP status; 403 if TLS requires a client certificate, 0 without an answer."""
    connection = own_listener.connection_to(listen, LOOK_S)
    try:
        connection.request("GET", "/" + endpoint)
        return connection.getresponse().status
    except ssl.SSLError:
        return 403
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _looks(seconds: float) -> Iterator[None]:
    """Yields now, and after each pause until *seconds* are over."""
    deadline, pause = Deadline(seconds), threading.Event()
    yield
    while not deadline.expired:
        pause.wait(PAUSE_S)
        yield


def _url(listen: Listen, path: str) -> str:
    host = own_listener.host_of(listen)
    scheme = "http" if listen.tls is None else "https"
    return "%s://%s:%d/%s" % (scheme, "[%s]" % host if ":" in host else host, listen.port, path)


def is_administrator() -> bool:
    """Whether this process has the rights of an administrator."""
    if sys.platform != "win32":
        return os.geteuid() == 0
    import ctypes

    return bool(ctypes.windll.shell32.IsUserAnAdmin())


def _protect(folder: Path, alone: bool, readable: bool = False) -> None:
    """Let only administrators and the system (and the user *alone*) write to *folder* and its
    content; others may read it if it is *readable*."""
    if sys.platform != "win32":
        folder.chmod(0o755 if readable else 0o700)
        return
    rights = ["%s:(OI)(CI)F" % each for each in (SYSTEM, ADMINISTRATORS)]
    if readable:
        rights.append(USERS + ":(OI)(CI)RX")
    if alone:
        user = "%s\\%s" % (os.environ.get("USERDOMAIN", "."), os.environ.get("USERNAME", ""))
        rights.append(user + ":(OI)(CI)F")
    command = ["icacls", str(folder), "/inheritance:r", "/grant:r", *rights]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise KitError(
            "the rights of %s cannot be set; it must be on an NTFS disk: %s"
            % (folder, " ".join(done.stdout.decode("oem", "replace").split()))
        )


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KitError(
            "cannot write %s: %s; run setup.cmd as administrator, or for you alone with --no-admin"
            % (place, error.strerror or error)
        ) from None


def _delete(path: Path) -> bool:
    """Delete *path*; false if it is still there, because Windows keeps files in use."""
    with contextlib.suppress(OSError):
        if path.is_dir():
            shutil.rmtree(str(path))
        else:
            path.unlink()
    return not path.exists()
