"""What the configuration says is recorded: from the start of opcws to its end, through reloads and
restarts, and where people find it."""

import contextlib
import csv
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from opcws.app import Server
from opcws.config import load
from opcws.config.recording import history_file
from opcws.model import status_codes
from opcws.model.errors import ConfigError
from opcws.recorder import inspection

from ... import support
from ...support import PATIENCE, URI, Client, PlantProcess, command, wait_until

pytestmark = pytest.mark.own_plant

COUNTER, LEVEL, MODE = "Test.Counter", "Boiler.Level", "Motor.Mode"
VARIABLES: Dict[str, Any] = {
    COUNTER: {"node": "nsu=%s;s=%s" % (URI, COUNTER), "access": "readwrite"},
    LEVEL: {"node": "nsu=%s;s=%s" % (URI, LEVEL)},
    MODE: {"node": "nsu=%s;s=%s" % (URI, MODE), "access": "readwrite"},
}
NEVER = 2**63 - 1


def configuration(directory: Path, plant: PlantProcess, **sections: Any) -> Path:
    path = directory / "opcws.yaml"
    settings = support.settings(plant.endpoint, variables=sections.pop("variables", VARIABLES))
    path.write_text(json.dumps({**settings, **sections}), "utf-8")
    return path


@contextlib.contextmanager
def serving(path: Path) -> Iterator[Server]:
    server = Server(load(path))
    server.start()
    try:
        support.wait_connected(server)
        yield server
    finally:
        server.stop()
    support.no_threads_left()


def recorded(directory: Path, name: str) -> List[Tuple[Any, str]]:
    """Value and status by name of all that is in the file of *name*."""
    path = history_file(str(directory / "state"))
    found = inspection.values(path, lambda each: each == name, 0, NEVER)
    return [
        (value.value and value.value.value, status_codes.name(value.status))
        for _name, value, _namespaces in found
    ]


def got(server: Server, endpoint: str) -> str:
    with urllib.request.urlopen(server.urls[0] + endpoint, timeout=PATIENCE) as answer:
        return str(answer.read().decode("utf-8"))


def write(client: Client, *numbers: int, name: str = COUNTER) -> None:
    for number in numbers:
        client.body("WRITE", {"Variable": name, "Value": number})


def wait_recorded(directory: Path, name: str, number: int) -> None:
    def is_recorded() -> bool:
        with contextlib.suppress(ConfigError):  # no file yet
            return (number, "Good") in recorded(directory, name)
        return False

    wait_until(is_recorded, "%d recorded" % number)


def test_what_matches_is_recorded_whoever_monitors_it_and_people_find_it(
    tmp_path: Path, plant: PlantProcess
) -> None:
    path = configuration(tmp_path, plant, record={"variables": ["Test.*", "Motor.*"]})
    with serving(path) as server, Client(server.urls[0]) as client:
        write(client, 1, 2, 3)
        wait_recorded(tmp_path, COUNTER, 3)
        told = command.run("record", "status", "--config", str(path))
        assert "opcws records into it" in told.stdout
        assert COUNTER in told.stdout and MODE in told.stdout and LEVEL not in told.stdout
        told = command.run("record", "export", "--config", str(path), "--csv", "Test.*")
        header, *rows = csv.reader(told.stdout.splitlines())
        assert header == ["Variable", "Time", "Value", "Status"]
        assert [row[2:] for row in rows][-3:] == [["1", "Good"], ["2", "Good"], ["3", "Good"]]
        assert {row[0] for row in rows} == {COUNTER}
        assert "MiB, was" in command.run("record", "vacuum", "--config", str(path)).stdout
        status = json.loads(got(server, "status"))["Recorder"]
        assert status["State"] == "recording" and status["Series"] == 2
        assert status["File"] == history_file(str(tmp_path / "state"))
        assert 0 < status["Bytes"] and 4 <= status["Values"] and status["Oldest"] > "2026"
        lines = got(server, "metrics").splitlines()
        assert "opcws_recorder_failed 0.0" in lines and "opcws_recorder_dropped_total 0.0" in lines
    told = command.run("record", "status", "--config", str(path))
    assert "no running opcws records into it" in told.stdout


def test_a_restart_goes_on_behind_a_gap(tmp_path: Path, plant: PlantProcess) -> None:
    path = configuration(tmp_path, plant, record={"variables": [COUNTER]})
    for numbers in ((11, 12), (13, 14)):
        with serving(path) as server, Client(server.urls[0]) as client:
            write(client, *numbers)
            wait_recorded(tmp_path, COUNTER, numbers[-1])
    told = recorded(tmp_path, COUNTER)
    gap = told.index((None, "BadOutOfService"))
    assert told.index((12, "Good")) < gap < told.index((13, "Good"))


def test_a_reload_begins_and_ends_recording(tmp_path: Path, plant: PlantProcess) -> None:
    path = configuration(tmp_path, plant)
    with serving(path) as server, Client(server.urls[0]) as client:
        assert server.recorder is None and not (tmp_path / "state").exists()
        write(client, 21)
        configuration(tmp_path, plant, record={"variables": [COUNTER, MODE]})
        assert server.reload(load(path)).lines() == ["record: changed"]
        write(client, 22)
        wait_recorded(tmp_path, COUNTER, 22)
        off = {**VARIABLES, COUNTER: {**VARIABLES[COUNTER], "record": False}}
        configuration(tmp_path, plant, record={"variables": [COUNTER, MODE]}, variables=off)
        server.reload(load(path))
        write(client, 23)
        write(client, 2, name=MODE)
        wait_recorded(tmp_path, MODE, 2)
        configuration(tmp_path, plant, record={"variables": [COUNTER, MODE]})
        server.reload(load(path))
        write(client, 24)
        wait_recorded(tmp_path, COUNTER, 24)
        told = recorded(tmp_path, COUNTER)
        assert (23, "Good") not in told[: told.index((None, "BadOutOfService"))]
        assert told[-1] == (24, "Good")
    assert command.run("record", "status", "--config", str(path)).exit_code == 0


def test_what_is_found_by_browsing_is_recorded(tmp_path: Path, plant: PlantProcess) -> None:
    settings = support.settings(
        plant.endpoint,
        variables={},
        server={"browse": {"match": "*%s" % COUNTER, "access": "readwrite"}},
    )
    path = tmp_path / "opcws.yaml"
    path.write_text(json.dumps({**settings, "record": {"variables": ["*%s" % COUNTER]}}), "utf-8")
    with serving(path) as server, Client(server.urls[0]) as client:
        wait_until(lambda: server.config.variables, "found")
        (name,) = server.config.variables
        write(client, 31, name=name)
        wait_recorded(tmp_path, name, 31)


@pytest.mark.parametrize(("patterns", "loaded"), [([], False), (["*"], True)])
def test_only_who_records_loads_sqlite(patterns: List[str], loaded: bool) -> None:
    settings = support.settings("opc.tcp://127.0.0.1:1")
    program = (
        "import sys\n"
        "from opcws.app import Server\n"
        "from opcws.config import loads\n"
        "Server(loads(%r))\n"
        "print([each in sys.modules for each in ('sqlite3', 'opcws.recorder')])\n"
        % json.dumps({**settings, "record": {"variables": patterns}})
    )
    told = subprocess.check_output([sys.executable, "-c", program], timeout=PATIENCE)
    assert json.loads(told.decode().lower()) == [loaded, loaded]


def test_a_python_without_sqlite_is_told_and_changes_nothing(
    tmp_path: Path, plant: PlantProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configuration(tmp_path, plant)
    with serving(path) as server:
        configuration(tmp_path, plant, record={"variables": ["*"]})
        monkeypatch.delitem(sys.modules, "opcws.recorder.recorder", raising=False)
        monkeypatch.delattr("opcws.recorder.recorder", raising=False)
        monkeypatch.setitem(sys.modules, "opcws.recorder.recorder", None)
        for act in (Server, server.reload):
            with pytest.raises(ConfigError) as told:
                act(load(path))
            assert "this Python has no SQLite" in told.value.problems[0]
        assert server.recorder is None


def test_a_command_says_that_nothing_is_recorded(tmp_path: Path, plant: PlantProcess) -> None:
    path = configuration(tmp_path, plant)
    for arguments in (["status"], ["vacuum"], ["export", "--csv"]):
        told = command.run("record", *arguments, "--config", str(path))
        assert told.exit_code == 1
        assert "nothing is recorded yet" in told.stderr
    assert not (tmp_path / "state").exists()
