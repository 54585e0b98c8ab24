"""A service of systemd: the unit, and what systemctl is asked.

systemctl is one that notes what it is asked: a machine that runs tests need not be started by
systemd.  systemd-analyze, which reads the unit, is the real one.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List

import pytest

from opcws.operations import services, systemd

from ..support import PATIENCE, readme
from ..support.command import Result, run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="systemd is Linux's")

SERVERS = {"p": {"endpoint": "opc.tcp://h:1", "variables": {"V": {"node": "i=2258"}}}}

SYSTEMCTL = """\
#!%s
import json, sys
with open(%r, "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if "--property=ActiveState,SubState,MainPID,UnitFileState" in sys.argv:
    print("ActiveState=active\\nSubState=running\\nMainPID=7\\nUnitFileState=enabled")
"""


class Machine:
    """A user of a machine with systemd, and a configuration of theirs."""

    def __init__(self, directory: Path) -> None:
        self._calls = directory / "calls"
        self.units = directory / "home" / "systemd" / "user"
        self.config = directory / "plant" / "opcws.yaml"
        self.config.parent.mkdir()
        self.config.write_text(json.dumps({"servers": SERVERS}))
        self.bin = directory / "bin"
        self.bin.mkdir()
        self.systemctl(SYSTEMCTL % (sys.executable, str(self._calls)))

    def systemctl(self, program: str) -> None:
        path = self.bin / "systemctl"
        path.write_text(program)
        path.chmod(0o755)

    def opcws(self, action: str, *more: str) -> Result:
        return run("service", action, "--user", *more)

    def asked(self) -> List[str]:
        """What systemctl was asked since the last time."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.write_text("")
        asked = [json.loads(line) for line in lines]
        assert all(each[:2] == ["--user", "--no-ask-password"] for each in asked)
        return [" ".join(each[2:]) for each in asked]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    found = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(found.bin))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    yield found


def test_it_is_installed_enabled_started_looked_at_stopped_and_removed(machine: Machine) -> None:
    done = machine.opcws("install", "--config", str(machine.config))
    assert done.exit_code == 0 and "installed the service opcws" in done.stdout
    assert "enable-linger" in done.stderr
    text = (machine.units / "opcws.service").read_text()
    program = re.escape("%s -m opcws serve --config %s" % (sys.executable, machine.config))
    assert re.search("^ExecStart=%s$" % program, text, re.MULTILINE)
    assert "User=" not in text and "WantedBy=default.target" in text
    assert machine.asked() == ["show --property=Version", "daemon-reload", "enable opcws.service"]
    assert machine.opcws("start").exit_code == 0
    looked = machine.opcws("status")
    assert looked.exit_code == 0
    assert looked.stdout.splitlines()[0] == "opcws: active (running), process 7"
    assert machine.opcws("stop").exit_code == 0
    asked = machine.asked()
    assert (asked[0], asked[-1]) == ("start opcws.service", "stop opcws.service")
    assert machine.opcws("remove").exit_code == 0
    assert machine.asked() == ["disable --now opcws.service", "daemon-reload"]
    assert list(machine.units.iterdir()) == []


def test_two_services_have_two_units(machine: Machine) -> None:
    for name in ("line1", "line2"):
        machine.opcws("install", "--name", name, "--config", str(machine.config))
    assert sorted(each.name for each in machine.units.iterdir()) == [
        *("line1.service", "line2.service"),
    ]


def test_installed_again_the_unit_is_written_anew(machine: Machine) -> None:
    machine.opcws("install", "--config", str(machine.config))
    other = machine.config.with_name("other.yaml")
    shutil.copy(str(machine.config), str(other))
    assert machine.opcws("install", "--config", str(other)).exit_code == 0
    assert "other.yaml" in (machine.units / "opcws.service").read_text()


def test_a_unit_of_somebody_else_is_left_alone(machine: Machine) -> None:
    machine.units.mkdir(parents=True)
    unit = machine.units / "opcws.service"
    unit.write_text("[Unit]\n")
    for action in ("install", "remove", "start", "stop", "status"):
        more = ["--config", str(machine.config)] if action == "install" else []
        done = machine.opcws(action, *more)
        assert done.exit_code == 1 and "choose another --name" in done.stderr
    assert unit.read_text() == "[Unit]\n"
    assert machine.asked() == ["show --property=Version"]


def test_what_is_not_installed_is_told_so(machine: Machine) -> None:
    done = machine.opcws("start")
    assert done.exit_code == 1 and "install it first" in done.stderr


def test_a_machine_without_systemd_is_told_so_and_nothing_is_written(machine: Machine) -> None:
    (machine.bin / "systemctl").unlink()
    done = machine.opcws("install", "--config", str(machine.config))
    assert done.exit_code == 1
    assert "this machine has no systemd" in done.stderr and "opcws serve" in done.stderr
    said = "System has not been booted with systemd as init system (PID 1). Can't operate."
    machine.systemctl('#!/bin/sh\necho "%s" >&2\nexit 1\n' % said)
    done = machine.opcws("install", "--config", str(machine.config))
    assert (done.exit_code, done.stderr) == (1, "opcws: systemctl show: %s\n" % said)
    assert not machine.units.exists()


def test_a_wrong_configuration_and_a_wrong_name_are_not_installed(machine: Machine) -> None:
    assert machine.opcws("install", "--config", "opcws.yaml", "--name", "a/b").exit_code == 2
    machine.config.write_text("listen: {port: many}")
    assert machine.opcws("install", "--config", str(machine.config)).exit_code == 1
    assert not machine.units.exists() and not machine.asked()


def test_a_folder_of_root_is_not_what_the_machines_service_runs_as(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = os.stat
    monkeypatch.setattr(
        systemd.os, "stat", lambda path: os.stat_result([*stat(path)[:4], 0, *stat(path)[5:]])
    )
    with pytest.raises(systemd.ControlError, match="make a user for it"):
        systemd._owner(str(machine.config), str(machine.config.parent))


def test_the_page_shows_the_unit_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (readme.PAGES / "systemd.rst").read_text(encoding="utf-8")
    (prefix,) = re.findall(r"ExecStart=(\S+)/bin/python", page)
    monkeypatch.setattr(sys, "executable", prefix + "/bin/python")
    for name in ("prefix", "base_prefix"):
        monkeypatch.setattr(sys, name, prefix)
    monkeypatch.setattr(services, "__file__", prefix + "/lib/services.py")
    written = systemd.unit("/etc/opcws/opcws.yaml", "/etc/opcws", "opcws")
    assert written in [each + "\n" for each in readme.codes(page)]


@pytest.mark.parametrize("folder", ["plain", "with blank", 'a "b" 100%'])
@pytest.mark.parametrize("account", ["", "daemon"], ids=["user", "system"])
def test_systemd_finds_nothing_to_complain_of_in_the_unit(
    tmp_path: Path, folder: str, account: str
) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("not run: there is no systemd-analyze")
    path = tmp_path / "opcws.service"
    text = systemd.unit(str(tmp_path / folder / "a$b.yaml"), str(tmp_path / folder), account)
    path.write_text(text, encoding="utf-8")
    command = [analyze, "verify", "--man=no", str(path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=3 * PATIENCE)
    assert [line for line in done.stderr.splitlines() if "opcws.service" in line] == []
