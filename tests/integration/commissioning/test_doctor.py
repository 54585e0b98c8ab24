"""``opcws doctor``: it finds what was broken on purpose, and says what to do."""

import json
import os
import re
import shutil
import socket
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import pytest
from click.testing import CliRunner

from opcws.app import Server
from opcws.cli.main import main
from opcws.commissioning import config_file, doctor
from opcws.config import load
from opcws.operations import open_files
from opcws.x509 import certificates

from ... import ROOT, support
from ...support import PlantProcess, free_port, pki, wait_until


class Report(NamedTuple):
    code: int
    text: str

    def line(self, *parts: str) -> str:
        """The line that has all of *parts*, and what is to be done about it."""
        lines = self.text.splitlines()
        for number, line in enumerate(lines):
            if all(part in line for part in parts):
                return " ".join(lines[number : number + 2])
        raise AssertionError("no line has %s:\n%s" % (parts, self.text))


def report(*arguments: str) -> Report:
    result = CliRunner().invoke(main, ["doctor", *arguments])
    assert "Traceback" not in result.output and result.exit_code in (0, 1, 4), result.output
    return Report(result.exit_code, result.output)


def examined(directory: Path, plant: PlantProcess, **changes: Any) -> Report:
    """What there is to say of a good configuration, but for *changes*; *parts* are those of
    :func:`support.settings`."""
    settings = support.settings(plant.endpoint, **changes.pop("parts", {}))
    settings["listen"] = {"port": free_port()}
    settings.update(changes)
    path = directory / "opcws.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    return report("--config", str(path))


ONE: Dict[str, Any] = {"Setpoint": {"node": "nsu=urn:demo:plant;s=Boiler.Setpoint"}}


def test_a_good_installation_is_found_good(tmp_path: Path, plant: PlantProcess) -> None:
    found = examined(tmp_path, plant, log={"file": "opcws.log"}, audit={"file": "audit.jsonl"})
    assert found.code == 0, found.text
    for topic in ("python", "packages", "clock", "configuration", "ports", "disk", "plant"):
        assert re.search(r"^ok +%s " % topic, found.text, re.MULTILINE), topic
    assert re.search(r"^ok +variables +plant: good: \d\d$", found.text, re.MULTILINE)
    assert found.text.splitlines()[-1].startswith("0 bad, ")
    # Nothing is left behind.
    assert os.listdir(str(tmp_path)) == ["opcws.yaml"]
    support.no_threads_left()


def test_how_far_back_the_audit_log_goes_is_told(tmp_path: Path, plant: PlantProcess) -> None:
    audit = {"file": "audit.jsonl", "backups": 3, "keep_days": 30}
    found = examined(tmp_path, plant, parts={"variables": ONE}, audit=audit)
    assert "kept for at least 30 days" in found.line("ok", "audit log", "the audit log is empty")
    line = '{"time":"%s","event":"result"}\n'
    (tmp_path / "audit.jsonl").write_text(line % "2026-11-20T00:00:00.000Z")
    (tmp_path / "audit.jsonl.2").write_text(line % "2026-11-02T00:00:00.000Z")
    (tmp_path / "audit-refused.jsonl").write_text(line % "2026-11-19T00:00:00.000Z")
    found = examined(tmp_path, plant, parts={"variables": ONE}, audit=audit)
    text = found.line("ok", "audit log", "goes back to 2026-11-02, with 0.0 MiB")
    assert "the log of refused writes goes back to 2026-11-19" in text
    with open(str(tmp_path / "audit.jsonl.1"), "wb") as large:
        large.truncate(1 << 34)  # a hole, which takes no room
    audit["keep_days"] = 36500
    found = examined(tmp_path, plant, parts={"variables": ONE}, audit=audit)
    assert "lower audit.keep_days" in found.line("note", "audit log", "that needs")


def test_without_a_configuration_the_machine_is_examined() -> None:
    found = report()
    assert "run 'opcws doctor --config FILE'" in found.line("note", "configuration")
    found.line("ok", "packages")


def test_every_problem_of_the_configuration_is_told(tmp_path: Path, plant: PlantProcess) -> None:
    found = examined(tmp_path, plant, lisen={}, logg={})
    assert found.code == 1
    assert "did you mean" in found.line("BAD", "lisen") + found.line("BAD", "logg")


def test_a_port_that_another_program_has_and_one_that_opcws_has(
    tmp_path: Path, plant: PlantProcess, server: Server
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        found = examined(tmp_path, plant, parts={"variables": ONE}, listen={"port": port})
    assert found.code == 1
    assert "set another listen.port" in found.line("BAD", "ports")
    port = server.listeners[0].addresses[0][1]
    found = examined(tmp_path, plant, parts={"variables": ONE}, listen={"port": port})
    assert found.code == 0
    found.line("ok", "ports", "opcws runs already")


def test_a_plant_that_is_away_is_its_own_exit_code(tmp_path: Path) -> None:
    settings = support.settings("opc.tcp://127.0.0.1:%d" % free_port(), variables=ONE)
    settings["listen"] = {"port": free_port()}
    path = tmp_path / "opcws.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    found = report("--config", str(path))
    assert found.code == 4
    assert "start the OPC UA server" in found.line("BAD", "plant")


def test_variables_that_are_not_there_are_told_and_not_too_many(
    tmp_path: Path, plant: PlantProcess
) -> None:
    listed = dict(ONE)
    for number in range(doctor._SHOWN_VARIABLES + 5):
        listed["Wrong%d" % number] = {"node": "nsu=urn:demo:plant;s=Wrong%d" % number}
    found = examined(tmp_path, plant, parts={"variables": listed})
    assert found.code == 4
    assert "correct the node id" in found.line("BAD", "variables", "Wrong0")
    found.line("BAD", "plant: 5 more do not match the configuration")
    found.line("ok", "plant: good: 1")


def test_a_directory_that_is_not_there_is_told(tmp_path: Path, plant: PlantProcess) -> None:
    log = str(tmp_path / "no such" / "opcws.log")
    found = examined(tmp_path, plant, parts={"variables": ONE}, log={"file": log})
    assert found.code == 1
    assert "create it" in found.line("BAD", "directories", "log.file")


def test_a_directory_that_may_not_be_written_to_is_told(
    tmp_path: Path, plant: PlantProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tests may run as root, who may write anywhere.
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: mode & os.W_OK == 0 and allowed(path, mode)
    )
    found = examined(
        tmp_path,
        plant,
        parts={"variables": ONE},
        audit={"file": "audit.jsonl"},
        record={"variables": ["*"]},
    )
    assert found.code == 1
    for setting in ("audit.file", "state_dir"):
        assert "as the user that opcws runs as" in found.line("BAD", setting)


def test_how_far_back_what_was_recorded_goes_is_told(tmp_path: Path, plant: PlantProcess) -> None:
    record = {"variables": ["*"], "max_bytes": "1 GiB"}
    found = examined(tmp_path, plant, parts={"variables": ONE}, record=record)
    line = found.line("ok", "recorder", "nothing is recorded yet")
    assert "at most 1024 MiB are kept, none of it for more than 30 days" in line
    assert not (tmp_path / "state").exists()
    server = Server(load(tmp_path / "opcws.yaml"))
    server.start()
    try:
        wait_until(lambda: server.recorder.status()["Values"], "recorded")
    finally:
        server.stop()
    found = examined(tmp_path, plant, parts={"variables": ONE}, record=record)
    assert found.code == 0, found.text
    found.line("ok", "recorder", "goes back to 20", "with 0.")
    (tmp_path / "state" / "history.sqlite").write_bytes(b"no SQLite at all, whatever it says" * 99)
    found = examined(tmp_path, plant, parts={"variables": ONE}, record=record)
    assert found.code == 1
    assert "move it away" in found.line("BAD", "recorder")


@pytest.mark.parametrize(("free", "level"), [(1000, "BAD"), (150 << 20, "note")])
def test_a_disk_without_room_for_the_logs_is_told(
    tmp_path: Path, plant: PlantProcess, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    usage = shutil.disk_usage(str(tmp_path))._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    found = examined(
        tmp_path,
        plant,
        parts={"variables": ONE},
        log={"file": "opcws.log", "max_bytes": 100 << 20, "backups": 3},
    )
    assert "free disk space" in found.line(level, "disk")
    assert found.code == (1 if level == "BAD" else 0)


def test_certificates_that_end_or_are_not_trusted_are_told(
    tmp_path: Path, plant: PlantProcess
) -> None:
    place = tmp_path / "pki"
    own = certificates.own_paths(str(place))
    made = pki.make("opcws", "urn:opcws", days=(-300, -1)).save(tmp_path, "own")
    for source, target in zip((made.certificate_path, made.key_path), own):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(source, target)
    pki.make("stranger").put(place, "rejected")
    pki.make("old plant", days=(-300, 5)).put(place, "trusted")
    security = {"policy": "Basic256Sha256", "mode": "Sign", "pki": str(place)}
    found = examined(tmp_path, plant, parts={"variables": ONE, "server": {"security": security}})
    assert found.code == 1
    assert "opcws cert create --replace" in found.line("BAD", "certificates", "expired on")
    assert "opcws cert trust" in found.line(
        "note", "certificates", "rejected certificates of OPC UA servers: 1"
    )
    found.line("note", "certificates", "trusted", "expires on", "in 4 days")


def test_no_certificate_is_made_that_opcws_could_perhaps_not_read(
    tmp_path: Path, plant: PlantProcess
) -> None:
    security = {"policy": "Basic256Sha256", "mode": "Sign", "pki": "own pki"}
    parts = {"variables": ONE, "server": {"security": security}}
    found = examined(tmp_path, plant, parts=parts)
    assert found.code == 0, found.text
    assert "opcws cert create" in found.line("note", "certificates", "yet; opcws creates it")
    assert "create one with" in found.line("note", "opcws did not connect to plant")
    assert os.listdir(str(tmp_path)) == ["opcws.yaml"]
    own = pki.make("hmi", "urn:opcws", days=(-1, 300)).save(tmp_path, "hmi")
    security.update(certificate=own.certificate_path, key=own.key_path)
    found = examined(tmp_path, plant, parts=parts)
    found.line("ok", "certificates", own.certificate_path, "is good for 299 days")
    found.line("BAD", "plant", "not connected")  # it has no security


def test_a_schema_for_editors_of_another_version_is_remarked(
    tmp_path: Path, plant: PlantProcess
) -> None:
    config_file.save_schema(str(tmp_path / "opcws.yaml"))
    assert "with which editors" not in examined(tmp_path, plant).text
    (tmp_path / config_file.SCHEMA_FILE).write_text("{}", encoding="utf-8")
    remark = examined(tmp_path, plant).line("note", "with which editors check the file")
    assert "opcws config schema --config" in remark


def test_everybody_may_connect_is_remarked(tmp_path: Path, plant: PlantProcess) -> None:
    everywhere = {"host": "0.0.0.0", "port": free_port()}
    found = examined(tmp_path, plant, parts={"variables": ONE}, listen=everywhere)
    assert "add 'roles'" in found.line("note", "access")


def test_roles_that_nobody_can_have_yet_are_remarked(tmp_path: Path, plant: PlantProcess) -> None:
    roles: Dict[str, Any] = {"panel": "read"}
    found = examined(tmp_path, plant, parts={"variables": ONE}, roles=roles)
    assert found.code == 0
    line = found.line("note", "configuration", "nobody can connect")
    assert "opcws token create NAME --role panel --config" in line
    for more in ({"anonymous": "read"}, {"shift": {"read": ["*"], "certificates": ["CN=hmi"]}}):
        found = examined(tmp_path, plant, parts={"variables": ONE}, roles={**roles, **more})
        assert "nobody can connect" not in found.text


def test_a_missing_and_an_old_package_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["no-such-package>=1", "click>=99", "h11<99,>=0.14", "pytest; extra == 'test'"]
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: wanted)
    found = report()
    assert found.code == 1
    assert "python -m pip install" in found.line("BAD", "no-such-package is missing")
    found.line("BAD", "click has version", "needs >=99")
    assert "h11" not in found.text and "pytest" not in found.text


def test_in_a_checkout_what_is_needed_is_what_setup_cfg_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def requires(name: str) -> List[str]:
        raise doctor.metadata.PackageNotFoundError(name)

    # What is tested may be a copy of it, which was compiled.
    monkeypatch.setattr(doctor, "__file__", str(ROOT / "opcws" / "commissioning" / "doctor.py"))
    wanted = doctor._needed_in_a_checkout()
    assert {"simple-websocket", "opcua", "PyYAML", "defusedxml", "click"} <= set(wanted)
    monkeypatch.setattr(doctor.metadata, "requires", requires)
    found = report()
    found.line("ok", "packages", "all %d are installed" % len(wanted))
    found.line("note", "packages", "opcws runs from a checkout")


@pytest.mark.parametrize(
    ("version", "relation", "bound", "holds"),
    [
        ("0.98.13", "==", "0.98.13", True),
        ("0.98.12", "==", "0.98.13", False),
        ("8.1.8", ">=", "8.0", True),
        ("9.0", "<", "9", False),
        ("1.2", ">=", "1.2.0", True),
        ("10.0", ">=", "9.9", True),
    ],
)
def test_versions_are_compared_as_numbers(
    version: str, relation: str, bound: str, holds: bool
) -> None:
    assert doctor._holds(version, relation, bound) is holds


def test_only_what_this_python_needs_is_asked_for() -> None:
    here = 'sys_platform == "%s"' % sys.platform
    assert doctor._applies("a <2; %s and python_version >= '3.8'" % here)
    assert not doctor._applies("a <2; %s and python_version < '3.8'" % here)
    assert not doctor._applies("a; sys_platform == 'plan9'")
    assert not doctor._applies('a; extra == "test"')


def test_a_clock_that_is_wrong_is_told(
    tmp_path: Path, plant: PlantProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: List[str] = []
    now = doctor.time.time
    for off, level, says in (
        (3600.0, "BAD", "behind that of this machine"),
        (-60.0, "note", "ahead of that of this machine"),
    ):

        class Clock:
            time = staticmethod(lambda off=off: now() + off)

        monkeypatch.setattr(doctor, "time", Clock)
        report_ = examined(tmp_path, plant, parts={"variables": ONE})
        found.append(report_.line(level, "clock", says))
    assert "timestamps and the check of certificates depend on it" in found[0]
    assert "set both clocks with NTP" in found[1]


def test_a_clock_of_the_past_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Past(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) - timedelta(days=40 * 365)

    monkeypatch.setattr(doctor.datetime, "datetime", Past)
    assert "set the clock of this machine" in report().line("BAD", "clock")


def test_too_few_open_files_are_remarked(
    tmp_path: Path, plant: PlantProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_files, "allow", lambda count: 1024)
    found = examined(tmp_path, plant, parts={"variables": ONE})
    assert "LimitNOFILE=" in found.line("note", "open files", "1024")
