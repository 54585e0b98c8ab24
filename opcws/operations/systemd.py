"""opcws as a service of systemd: the machine's, or one user's.

``install`` writes the unit and enables it, ``remove`` undoes both; a unit of that name that
somebody else has written stays unchanged.

Threads: a command's.
"""

import os
import re
import shutil
import subprocess
import sys
from typing import List

from ..config.settings import Config
from ..model import atomic_file
from ..model.errors import ControlError
from . import services

#: The first line of a unit that opcws wrote.
MARK = "# Written by 'opcws service install', which writes it anew."

_UNIT = """\
{mark}
[Unit]
Description=OPC UA over WebSocket
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={opcws} serve --config {config}
ExecReload={opcws} reload --config {config}
{user}Restart=on-failure
RestartSec=2
RestartPreventExitStatus=1 2
TimeoutStopSec=15
LimitNOFILE=16384

NoNewPrivileges=yes
{sandbox}
[Install]
WantedBy={target}
"""
#: Settings that need more rights than a user's systemd has.
_SANDBOX = """\
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome={home}
ReadWritePaths={folder}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
"""


class SystemdService:
    """The service *name*, of the machine or of the present *user*."""

    def __init__(self, name: str, user: bool) -> None:
        self._name = name
        self._unit = name + ".service"
        self._user = user
        directory = "/etc/systemd/system"
        if user:
            home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
            directory = os.path.join(home, "systemd", "user")
        self.path = os.path.join(directory, self._unit)

    def install(self, config: Config, firewall: bool) -> List[str]:
        path = os.path.realpath(str(config.path))
        folder = services.folder_of(config)
        account = "" if self._user else _owner(path, folder)
        text = unit(path, folder, account)
        # Raises without systemd, before anything is written.
        self._systemctl("show", "--property=Version")
        if os.path.lexists(self.path):
            self._must_be_ours()
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            with atomic_file.replacing(self.path) as file:
                file.write(text.encode("utf-8"))
            os.chmod(self.path, 0o644)
        except OSError as error:
            raise self._cannot("written", error) from None
        self._systemctl("daemon-reload")
        self._systemctl("enable", self._unit)
        warnings = services.outside(config, folder, account) if account else []
        if self._user:
            warnings.append("it stops when you log off, unless you run 'loginctl enable-linger'")
        return warnings

    def remove(self, seconds: float) -> List[str]:
        self._must_be_ours()
        self._systemctl("disable", "--now", self._unit, seconds=seconds)
        try:
            os.unlink(self.path)
        except OSError as error:
            raise self._cannot("removed", error) from None
        self._systemctl("daemon-reload")
        return []

    def start(self, seconds: float) -> None:
        self._must_be_ours()
        self._systemctl("start", self._unit, seconds=seconds)

    def stop(self, seconds: float) -> None:
        self._must_be_ours()
        self._systemctl("stop", self._unit, seconds=seconds)

    def status(self) -> services.Status:
        self._must_be_ours()
        names = "ActiveState", "SubState", "MainPID", "UnitFileState"
        said = self._systemctl("show", "--property=" + ",".join(names), self._unit)
        found = dict(line.partition("=")[::2] for line in said.splitlines())
        runs = found.get("ActiveState") == "active"
        word = "%s (%s)" % (found.get("ActiveState", "unknown"), found.get("SubState", "unknown"))
        if runs:
            word += ", process " + found.get("MainPID", "unknown")
        lines = [
            "%s: %s" % (self._name, word),
            "start with the machine: " + found.get("UnitFileState", "unknown"),
            "unit: " + self.path,
        ]
        return services.Status(runs, lines)

    # --- its parts --------------------------------------------------------------------------------

    def _must_be_ours(self) -> None:
        try:
            with open(self.path, encoding="utf-8", errors="replace") as file:
                first = file.readline().rstrip("\n")
        except FileNotFoundError:
            raise ControlError(
                "there is no service %s: no %s; install it first" % (self._name, self.path)
            ) from None
        except OSError as error:
            raise self._cannot("read", error) from None
        if first != MARK:
            raise ControlError(
                "%s was not written by 'opcws service install'; choose another --name" % self.path
            )

    def _systemctl(self, *arguments: str, seconds: float = 60.0) -> str:
        program = shutil.which("systemctl")
        if program is None:
            raise ControlError(
                "this machine has no systemd (there is no systemctl); let its own service "
                "manager run 'opcws serve'"
            )
        command = [program, *(["--user"] if self._user else []), "--no-ask-password", *arguments]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ControlError("'systemctl %s' did not end in time" % " ".join(arguments)) from None
        except OSError as error:
            raise ControlError("%s: %s" % (program, error.strerror)) from None
        if done.returncode:
            said = " ".join(done.stderr.split()) or "exit code %d" % done.returncode
            raise ControlError("systemctl %s: %s" % (arguments[0], said))
        return done.stdout

    def _cannot(self, what: str, error: OSError) -> ControlError:
        remedy = "" if self._user else "; run this as root, or with --user"
        return ControlError("%s cannot be %s: %s%s" % (self.path, what, error.strerror, remedy))


def unit(config_path: str, folder: str, account: str) -> str:
    """The unit that serves *config_path* as *account*, which may only write *folder*; without an
    account a unit of a user's own systemd."""
    home = "yes"
    for each in (folder, sys.prefix, sys.base_prefix, os.path.dirname(services.__file__)):
        if any(services.is_within(each, hidden) for hidden in ("/home", "/root", "/run/user")):
            home = "read-only"
    return _UNIT.format(
        mark=MARK,
        opcws=_argument(sys.executable) + " -m opcws",
        config=_argument(config_path),
        user="User=%s\n" % account if account else "",
        sandbox=_SANDBOX.format(home=home, folder=_word(folder)) if account else "",
        target="multi-user.target" if account else "default.target",
    )


def _word(text: str) -> str:
    """*text* as one word of a unit."""
    text = text.replace("%", "%%")
    if re.fullmatch(r"[\w@%+=:,./$-]+", text):
        return text
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def _argument(text: str) -> str:
    """*text* as one word of a command, where ``$`` begins a variable."""
    return _word(text.replace("$", "$$"))


def _owner(config_path: str, folder: str) -> str:
    """The owner of the folder of the configuration, as whom opcws will run."""
    import pwd

    number = os.stat(folder).st_uid
    if number == 0:
        raise ControlError(
            "%s belongs to root, and opcws needs no such rights; make a user for it, and give it "
            "the folder: useradd --system opcws; chown -R opcws %s" % (folder, folder)
        )
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
