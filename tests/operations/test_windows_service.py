"""A service of Windows: what is installed, undone and told, with the parts of Windows replaced."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from opcws import config
from opcws.config.settings import Config
from opcws.model.errors import ConfigError, ControlError
from opcws.operations import service_process, windows_api, windows_service
from opcws.operations.windows_service import Program, WindowsService

SERVICE = r"SYSTEM\CurrentControlSet\Services\opcws"
SOURCE = r"SYSTEM\CurrentControlSet\Services\EventLog\Application\opcws"

SERVERS = {"p": {"endpoint": "opc.tcp://h:1", "variables": {"V": {"node": "i=2258"}}}}


class Registry:
    """Keys by their path, values by their name."""

    HKEY_LOCAL_MACHINE, KEY_ALL_ACCESS, KEY_READ = "HKLM", 2, 1
    REG_SZ, REG_EXPAND_SZ, REG_DWORD, REG_MULTI_SZ = 1, 2, 4, 7

    def __init__(self) -> None:
        self.keys: Dict[str, Dict[str, Any]] = {}

    @contextlib.contextmanager
    def _opened(self, path: str) -> Iterator[Dict[str, Any]]:
        yield self.keys[path]

    def CreateKeyEx(self, _root: str, path: str, _reserved: int, _rights: int) -> Any:
        self.keys.setdefault(path, {})
        return self._opened(path)

    def OpenKey(self, _root: str, path: str, _reserved: int, _rights: int) -> Any:
        if path not in self.keys:
            raise FileNotFoundError(path)
        return self._opened(path)

    def DeleteKey(self, _root: str, path: str) -> None:
        if self.keys.pop(path, None) is None:
            raise FileNotFoundError(path)

    def SetValueEx(self, key: Any, name: str, _reserved: int, kind: int, value: Any) -> None:
        key[name] = (value, kind)

    def QueryValueEx(self, key: Any, name: str) -> Tuple[Any, int]:
        found: Tuple[Any, int] = key[name]
        return found


class Manager:
    """The SCM with one service, or none."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.created: List[Tuple[str, ...]] = []
        self.set: List[str] = []
        self.state = 0
        self.becomes = windows_api.RUNNING

    def create(self, *how: str) -> bool:
        new = not self.state
        self.state = self.state or windows_api.STOPPED
        self.created.append(how)
        return new

    def status(self, name: str) -> Any:
        if not self.state:
            raise windows_api.WindowsError("the service " + name, windows_api.NOT_FOUND)
        return SimpleNamespace(state=self.state, exit_code=0, specific_exit_code=0, process_id=0)

    def settings(self, _name: str) -> windows_api.Settings:
        return windows_api.Settings(self.created[-1][2], self.created[-1][3])

    def start(self, _name: str) -> None:
        self.state = self.becomes

    def stop(self, _name: str) -> None:
        self.state = windows_api.STOPPED

    def delete(self, _name: str) -> None:
        self.state = 0
        for path in [path for path in self._registry.keys if path.startswith(SERVICE)]:
            del self._registry.keys[path]

    def describe(self, _name: str, text: str) -> None:
        self.set.append(text)

    def delay_start(self, _name: str) -> None:
        self.set.append("delayed")

    def restart_after_failure(self, _name: str, delays_s: Any, _reset_s: int) -> None:
        self.set.append("recovery %g %g %g" % tuple(delays_s))

    def allow_at_shutdown(self, _name: str, seconds: float) -> None:
        raise windows_api.WindowsError("its time at shutdown", 124)


class Machine:
    """Windows, as far as a service needs it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self.registry = Registry()
        self.manager = Manager(self.registry)
        self.rights: List[str] = []
        self.rules: Dict[str, List[str]] = {}
        self.folder = directory / "data"
        self.folder.mkdir()
        monkeypatch.setattr(windows_api, "grant", lambda folder, _who: self.rights.append(folder))
        monkeypatch.setattr(windows_api, "revoke", lambda folder, _who: self.rights.remove(folder))
        monkeypatch.setattr(windows_service, "_netsh", self._netsh)

    def _netsh(self, act: str, _rule: str, name: str, *more: str) -> Tuple[int, str]:
        name = name[len("name=") :]
        if act == "add":
            self.rules[name] = list(more)
        elif act == "delete":
            self.rules.pop(name, None)
        return (0, "Rule Name: " + name) if name in self.rules else (1, "No rules match")

    def service(self, program: Any = None) -> WindowsService:
        manager: Any = self.manager
        program = program or Program(sys.executable)
        return WindowsService("opcws", manager, self.registry, program)

    def config(self, name: str = "opcws.yaml", **changes: Any) -> Config:
        path = self.folder / name
        path.write_text(json.dumps({"servers": SERVERS, **changes}))
        return config.load(str(path))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


PUBLIC = {"host": "0.0.0.0", "port": 8081}


def test_install_gives_its_account_one_folder_and_remove_takes_all_back(machine: Machine) -> None:
    loaded = machine.config()
    warnings = machine.service().install(loaded, firewall=False)
    assert warnings == ["its time at shutdown: %s" % warnings[0].partition(": ")[2]]
    ((name, shown, command, account),) = machine.manager.created
    assert (name, shown, account) == ("opcws", "opcws (opcws)", "NT SERVICE\\opcws")
    run = [sys.executable, "-I", "-X", "utf8", "-m", "opcws", "service", "run"]
    run += ["--name", "opcws", "--config", str(machine.folder / "opcws.yaml")]
    assert command == subprocess.list2cmdline(run)
    assert machine.manager.set == ["OPC UA over WebSocket", "delayed", "recovery 2 10 60"]
    assert machine.rights == [os.path.realpath(str(machine.folder))]
    assert machine.registry.keys[SOURCE]["EventMessageFile"][0].endswith("EventCreate.exe")
    assert not machine.rules
    machine.service().start(1.0)
    status = machine.service().status()
    assert status.runs and "account: NT SERVICE\\opcws" in status.lines
    assert machine.service().remove(1.0) == []
    assert (machine.manager.state, machine.rights, machine.registry.keys) == (0, [], {})


def test_the_rule_of_the_firewall_is_for_the_program_and_goes_with_the_service(
    machine: Machine,
) -> None:
    machine.service().install(machine.config(listen=PUBLIC), firewall=True)
    (rule,) = machine.rules["opcws (opcws)"][-1:]
    assert rule == "program=" + sys.executable
    assert "localport=8081" in machine.rules["opcws (opcws)"]
    machine.service().remove(1.0)
    assert not machine.rules


def test_a_firewall_that_takes_no_rule_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows_service, "_netsh", lambda *_arguments: (0, ""))
    warnings = machine.service().install(machine.config(listen=PUBLIC), firewall=True)
    assert any("the firewall has no rule for it now" in each for each in warnings)


def test_installed_again_it_serves_what_it_is_told_now_and_has_nothing_of_before(
    machine: Machine,
) -> None:
    machine.service().install(machine.config(listen=PUBLIC), firewall=True)
    machine.service().install(machine.config("other.yaml"), firewall=False)
    assert "other.yaml" in machine.manager.created[-1][2]
    assert machine.rights == [os.path.realpath(str(machine.folder))]
    assert not machine.rules


def test_a_service_of_another_program_is_left_alone(machine: Machine) -> None:
    machine.manager.state = windows_api.RUNNING
    service = machine.service()
    for act in (
        lambda: service.install(machine.config(), False),
        lambda: service.remove(1.0),
        lambda: service.stop(1.0),
        lambda: service.start(1.0),
        service.status,
    ):
        with pytest.raises(ControlError, match="another program's"):
            act()
    assert machine.manager.state == windows_api.RUNNING and not machine.registry.keys


def test_what_is_not_installed_is_told_so(machine: Machine) -> None:
    with pytest.raises(ControlError, match="install it first"):
        machine.service().status()


def test_a_program_that_cannot_run_it_is_told_before_anything_is_changed(
    machine: Machine, tmp_path: Path
) -> None:
    with pytest.raises(ControlError, match="install it for all users"):
        machine.service(Program(str(tmp_path / "python.exe"))).install(machine.config(), False)
    assert not machine.manager.created


def test_a_configuration_beside_the_program_is_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(machine.folder / "env"))
    with pytest.raises(ControlError, match="a folder of its own"):
        machine.service().install(machine.config(), False)
    assert not machine.manager.created


def test_what_lies_outside_of_the_folder_is_told(machine: Machine, tmp_path: Path) -> None:
    away = str(tmp_path / "away.log")
    warnings = machine.service().install(machine.config(log={"file": away}), False)
    assert any(each.startswith("log.file is %s, outside of " % away) for each in warnings)


def test_a_service_that_ends_again_for_its_configuration_says_what_is_wrong_with_it(
    machine: Machine,
) -> None:
    machine.service().install(machine.config(), False)
    machine.manager.becomes = windows_api.STOPPED
    with pytest.raises(ControlError, match=r"the Event Log says why, or .*opcws\.log"):
        machine.service().start(1.0)
    (machine.folder / "opcws.yaml").write_text("listen: {port: many}")
    with pytest.raises(ConfigError, match="listen.port"):
        machine.service().start(1.0)


def test_of_a_virtual_environment_the_python_behind_it_is_what_windows_watches() -> None:
    program = Program("base.exe", "env.exe")
    assert program.arguments("x")[0] == "base.exe"
    assert program.variables == ["__PYVENV_LAUNCHER__=env.exe"]


# --- its process ---------------------------------------------------------------------------------


class Process:
    """What Windows is told."""

    said: List[Any] = []

    def __init__(self, _name: str, stop: Any) -> None:
        self.stop = stop
        Process.said = []

    def connect(self, _seconds: float) -> None:
        self.said.append("connected")

    def report(self, state: int, _hint: float = 0.0) -> None:
        self.said.append(state)

    def end(self, exit_code: int, _seconds: float) -> None:
        self.said.append(("ended", exit_code))


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> List[Tuple[int, str]]:
    """Numbers and texts in the Event Log."""
    written: List[Tuple[int, str]] = []
    event_log = SimpleNamespace(write=lambda _kind, number, text: written.append((number, text)))
    monkeypatch.setattr(service_process, "ServiceProcess", Process)
    monkeypatch.setattr(windows_api, "EventLog", lambda _name: event_log)
    monkeypatch.setattr(windows_api, "user_name", lambda: "opcws")
    monkeypatch.setattr(service_process.signal, "signal", lambda *_arguments: None)
    return written


def test_start_and_end_are_in_the_event_log(entries: List[Tuple[int, str]]) -> None:
    assert service_process.run("opcws", lambda running: running.serves(["http://h:1/"])) == 0
    assert [number for number, _ in entries] == [1, 2]
    assert entries[0][1].endswith("serves http://h:1/ as the user opcws")
    pending, running = windows_api.START_PENDING, windows_api.RUNNING
    assert Process.said == ["connected", pending, running, ("ended", 0)]


def test_a_wrong_configuration_ends_it_for_good_and_each_problem_is_in_the_event_log(
    entries: List[Tuple[int, str]],
) -> None:
    def serve(_running: Any) -> None:
        raise ConfigError(["one", "two"])

    assert service_process.run("opcws", serve) == 1
    assert entries == [(4, "one\ntwo")]
    assert Process.said[-1] == ("ended", 1)


def test_a_failure_is_in_the_event_log_and_windows_is_left_to_find_it(
    entries: List[Tuple[int, str]],
) -> None:
    def serve(_running: Any) -> None:
        raise ControlError("no room")

    assert service_process.run("opcws", serve) != 0
    assert entries == [(3, "no room")]
    assert ("ended", 0) not in Process.said and ("ended", 1) not in Process.said


def test_the_event_log_gets_errors_of_the_log_but_not_without_end(
    entries: List[Tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_process.time, "monotonic", lambda: 600.0)

    def serve(_running: Any) -> None:
        for number in range(100):
            service_process.log.warning("a warning")
            service_process.log.error("error %d", number)

    service_process.run("opcws", serve)
    errors = [text for number, text in entries if number == 3]
    assert len(errors) == service_process.ENTRIES_PER_MINUTE
    assert errors[0] == "error 0" and errors[-1].endswith("The log file has more.")
