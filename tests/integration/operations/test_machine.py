"""When the machine of opcws misbehaves: no room on the disk, no more files, a clock that is set.

Each is done to a real process that serves, and mended; clients and the plant must go on.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import pytest
import websocket

from ... import support
from ...support import PATIENCE, Client, PlantProcess

resource = pytest.importorskip("resource", reason="not run: this system has no such limits")
if not hasattr(resource, "prlimit"):
    pytest.skip("not run: only Linux sets limits of another process", allow_module_level=True)

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

SETPOINT = "Boiler.Setpoint"
Served = Tuple["subprocess.Popen[bytes]", str, Path]

#: opcws whose clock is ahead by the seconds that a file has.
SERVE = """
import os, sys, time
real = time.time, time.time_ns
file = os.open(sys.argv[-1], os.O_RDONLY)
def ahead():
    return float(os.pread(file, 64, 0) or 0)
time.time = lambda: real[0]() + ahead()
time.time_ns = lambda: real[1]() + int(ahead() * 1e9)
from opcws.cli.main import main
main(sys.argv[1:-1])
"""


@pytest.fixture
def served(plant: PlantProcess, tmp_path: Path) -> Iterator[Served]:
    settings = support.settings(plant.endpoint)
    settings["listen"]["port"] = support.free_port()
    settings["log"] = {"file": "opcws.log", "level": "debug"}
    settings["audit"] = {"file": "audit.jsonl"}
    file = tmp_path / "opcws.json"
    file.write_text(json.dumps(settings), "utf-8")
    (tmp_path / "ahead").write_text("0", "utf-8")
    command = [sys.executable, "-c", SERVE, "serve", "--config", str(file), str(tmp_path / "ahead")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    url = "http://127.0.0.1:%d/" % settings["listen"]["port"]
    try:
        with support.wait_until(lambda: connected(url), "opcws listens") as client:
            support.wait_until(
                lambda: client.status("READ", {"Variable": SETPOINT}) is None, "the plant is there"
            )
        yield process, url, tmp_path
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()


def connected(url: str) -> Any:
    try:
        return Client(url)
    except (OSError, websocket.WebSocketException):
        return None


def limit(process: Any, what: int, soft: int) -> None:
    hard = resource.prlimit(process.pid, what)[1]
    resource.prlimit(process.pid, what, (hard if soft < 0 else soft, hard))


def results(audit: Path) -> List[Any]:
    """The new values of the results in the audit log."""
    return [line["new"] for line in support.whole_lines(audit) if line["event"] == "result"]


def monitored(client: Client) -> None:
    """Wait for an update of a variable that changes by itself."""
    client.update_where(lambda body: "StatusCode" not in body, handle="m")


def test_a_full_disk_stops_writes_that_must_be_on_record_and_nothing_else(served: Served) -> None:
    process, url, folder = served
    with Client(url) as client:
        client.body("MONITORSTART", {"Variable": "Boiler.Temperature"}, "m")
        client.write(SETPOINT, 20)
        limit(process, resource.RLIMIT_FSIZE, 0)  # no file of it may grow
        told = client.body("WRITE", {"Variable": SETPOINT, "Value": 21})
        assert told["StatusCode"] == "BadResourceUnavailable" and "audit log" in told["Reason"]
        for _ in range(5):
            monitored(client)
        assert client.body("READ", {"Variable": SETPOINT})["Value"]["Body"] == 20
        with Client(url) as other:
            assert other.status("READ", {"Variable": SETPOINT}) is None
        limit(process, resource.RLIMIT_FSIZE, -1)
        support.wait_until(
            lambda: client.body("WRITE", {"Variable": SETPOINT, "Value": 22}) == {}, "it heals"
        )
    support.wait_until(
        lambda: (
            "lines of the log could not be written" in (folder / "opcws.log").read_text("utf-8")
        ),
        "the log says what it lost",
    )
    # A result is written behind the answer.
    support.wait_until(lambda: results(folder / "audit.jsonl")[1:], "both writes have a result")
    assert results(folder / "audit.jsonl") == [20, 22]


def test_without_a_free_descriptor_new_clients_wait_and_all_others_go_on(served: Served) -> None:
    process, url, _folder = served
    with Client(url) as client:
        client.body("MONITORSTART", {"Variable": "Boiler.Temperature"}, "m")

        def written(*values: int) -> float:
            """How much the process works meanwhile, in s of the processor."""
            before = cpu_s(process.pid)
            for value in values:
                client.write(SETPOINT, value)
                monitored(client)
            return cpu_s(process.pid) - before

        calm_s = written(*range(21, 31))
        opened = max(int(each) for each in os.listdir("/proc/%d/fd" % process.pid))
        limit(process, resource.RLIMIT_NOFILE, opened + 1)
        address = "127.0.0.1", int(url.rstrip("/").rpartition(":")[2])
        strangers = [socket.create_connection(address, PATIENCE) for _ in range(50)]
        spent_s = written(*range(31, 41))
        assert spent_s < 1.0 + 3 * calm_s, "it looks for a descriptor without a pause"
        for each in strangers:
            each.close()
        limit(process, resource.RLIMIT_NOFILE, -1)
        with support.wait_until(lambda: connected(url), "new clients come in again") as other:
            assert other.body("READ", {"Variable": SETPOINT})["Value"]["Body"] == 40


def cpu_s(pid: int) -> float:
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("jump_s", [-400 * 86400, 400 * 86400])
def test_a_clock_that_is_set_changes_nothing_but_times(served: Served, jump_s: int) -> None:
    process, url, folder = served
    with Client(url) as client:
        client.body("MONITORSTART", {"Variable": "Boiler.Temperature"}, "m")
        client.write(SETPOINT, 50)
        (folder / "ahead").write_text(str(jump_s), "utf-8")
        for value in range(51, 61):
            client.write(SETPOINT, value)
            monitored(client)
        assert client.body("READ", {"Variable": SETPOINT})["Value"]["Body"] == 60
        with Client(url) as other:
            assert other.status("READ", {"Variable": SETPOINT}) is None
        (folder / "ahead").write_text("0", "utf-8")
        client.write(SETPOINT, 61)
    support.wait_until(lambda: len(results(folder / "audit.jsonl")) == 12, "all on record")
    lines = support.whole_lines(folder / "audit.jsonl")
    assert results(folder / "audit.jsonl") == list(range(50, 62))
    years = {line["time"][:4] for line in lines if line["event"] == "result"}
    assert len(years) == 2, "the clock was not set"
