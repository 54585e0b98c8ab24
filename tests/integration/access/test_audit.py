"""The audit log: every write is in it, and without it there is none."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List

import jsonschema
import pytest
from opcua import ua

from opcws.app import Server
from opcws.config import loads
from opcws.gateway import audit_log
from opcws.wire import contract, values_to_json

from ... import support
from ...support import Client, PlantProcess, byte_client
from ...support.contract_problems import problems_in
from ...support.proxy import Chunk, Flow, Proxy

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

POSIX = pytest.mark.skipif(os.name == "nt", reason="needs a special file of POSIX")
SETPOINT = "Boiler.Setpoint"
Line = Dict[str, Any]


def settings(plant: Any, file: Path, **options: Any) -> Dict[str, Any]:
    made = support.settings(plant.endpoint, server={"request_timeout_ms": 15000})
    made["audit"] = {"file": str(file), **options}
    return made


@contextlib.contextmanager
def auditing(plant: Any, file: Path, **options: Any) -> Iterator[Server]:
    """opcws in front of *plant* with its audit log in *file*."""
    others = set(support.our_threads())
    server = Server(loads(json.dumps(settings(plant, file, **options))))
    server.start()
    try:
        support.wait_connected(server)
        yield server
    finally:
        server.stop()
        byte_client.no_more_threads_than(others)


def read(*files: Path) -> List[Line]:
    """Every line of *files*, each of which must be whole."""
    text = b"".join(file.read_bytes() for file in files)
    assert text == b"" or text.endswith(b"\n")
    found = [json.loads(line) for line in text.splitlines()]
    for line in found:
        assert problems_in("audit.schema.json", line) == [], line
    return found


def lines(file: Path, number: int, **which: Any) -> List[Line]:
    """Wait for *number* lines with these members, and return them."""

    def found() -> List[Line]:
        return [
            line
            for line in support.whole_lines(file)
            if all(line.get(name) == value for name, value in which.items())
        ]

    taken: List[Line] = support.wait_until(
        lambda: found()[:number] if len(found()) >= number else None,
        "%d lines with %s" % (number, which),
    )
    for line in taken:
        assert problems_in("audit.schema.json", line) == [], line
    return taken


def refused(file: Path) -> Path:
    """Where refused writes are, beside *file*."""
    return Path(audit_log.refused_path(str(file)))


class Running:
    """One opcws for the tests that only look at lines; each takes those that are new."""

    def __init__(self, server: Server, file: Path) -> None:
        self.server = server
        self._files = (file, refused(file))
        self._taken = [0, 0]

    def settled(self) -> int:
        """How many lines there are, once none waits."""
        support.wait_until(lambda: self._status()["Waiting"] == 0, "no line waits")
        return int(self._status()["Written"])

    def _status(self) -> Dict[str, Any]:
        status = self.server.audit.status()
        assert status is not None
        return dict(status)

    def _read(self) -> List[List[Line]]:
        return [support.whole_lines(file) for file in self._files]

    def begin(self) -> None:
        self.settled()
        self._taken = [len(found) for found in self._read()]

    def take(self, number: int) -> List[Line]:
        """The next *number* lines, those of refused writes last; there must be no more by now."""
        wanted = sum(self._taken) + number
        support.wait_until(lambda: sum(map(len, self._read())) >= wanted, "%d lines" % number)
        assert self.settled() == wanted
        assert len(read(*filter(Path.exists, self._files))) == wanted
        found = [line for each, begin in zip(self._read(), self._taken) for line in each[begin:]]
        self.begin()
        return found


@pytest.fixture(scope="module")
def running(plant: PlantProcess, tmp_path_factory: Any) -> Iterator[Running]:
    file = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    others = set(support.our_threads())
    patch = pytest.MonkeyPatch()
    patch.setattr(audit_log, "FLOOD_LINES", 100000)  # for all tests together
    made = settings(plant, file)
    calm = made["listen"]
    made["listen"] = [calm, {**calm, "limits": {"requests_per_second": 1}}]
    away = {"endpoint": "opc.tcp://127.0.0.1:%d" % support.free_port()}
    away["variables"] = {"Away": {"node": "i=1", "access": "readwrite", "type": "Double"}}
    made["servers"]["away"] = away
    server = Server(loads(json.dumps(made)))
    server.start()
    support.wait_until(lambda: support.is_connected(server.plants["plant"].supervisor), "connected")
    with Client(server.urls[0]) as first:
        # A write to a variable whose type is not known yet is judged later, as a result.
        support.wait_until(
            lambda: "Type" in first.body("VALUEINFO", {"Variables": [SETPOINT]})["Variables"][0],
            "types are known",
        )
    yield Running(server, file)
    server.stop()
    patch.undo()
    byte_client.no_more_threads_than(others)


@pytest.fixture
def client(running: Running) -> Iterator[Client]:
    running.begin()
    with Client(running.server.urls[0]) as connected:
        yield connected


# --- what a line says -------------------------------------------------------------------------


def test_a_write_is_an_intent_and_a_result_that_say_who_from_where_and_what(
    running: Running, client: Client
) -> None:
    port = client.ws.sock.getsockname()[1]
    client.write(SETPOINT, 61.5)
    intent, result = running.take(2)
    assert intent["event"] == "intent" and result["event"] == "result"
    assert intent["id"] == result["id"]
    for line in (intent, result):
        assert line["connection"].startswith("opcws-ws-")
        assert line["peer"] == "127.0.0.1:%d" % port
        assert (line["identity"], line["role"]) == ("", "everyone")
        assert (line["server"], line["variable"]) == ("plant", SETPOINT)
        assert line["node"] == "nsu=urn:demo:plant;s=Boiler.Setpoint"
        assert line["new"] == 61.5
        time.strptime(line["time"][:19] + line["time"][23:], "%Y-%m-%dT%H:%M:%SZ")
    assert "status" not in intent
    assert (result["status"], result["code"]) == ("Good", 0)


def test_the_old_value_is_there_if_somebody_monitors_the_variable_and_only_then(
    running: Running, client: Client
) -> None:
    client.write(SETPOINT, 70)
    assert all("old" not in line for line in running.take(2))
    client.body("MONITORSTART", {"Variable": SETPOINT}, "m")
    client.update_where(lambda body: body["Value"]["Body"] == 70, handle="m")
    client.write(SETPOINT, {"Value": {"Type": "Double", "Body": 71}})
    written = running.take(2)
    assert [line["old"] for line in written] == [{"Type": 11, "Body": 70}] * 2
    assert written[0]["new"] == {"Value": {"Type": "Double", "Body": 71}}
    client.update_where(lambda body: body["Value"]["Body"] == 71, handle="m")
    client.body("MONITORSTOP", {"Variable": SETPOINT}, "m")


def test_the_second_of_two_writes_in_one_request_claims_no_old_value(
    running: Running, client: Client
) -> None:
    client.write(SETPOINT, 50)
    running.take(2)
    client.body("MONITORSTART", {"Variable": SETPOINT}, "m")
    client.update_where(lambda body: body["Value"]["Body"] == 50, handle="m")
    both = [{"Variable": SETPOINT, "Value": value} for value in (51, 52)]
    client.body("WRITE", {"Writes": both})
    written = running.take(4)
    assert ["old" in line for line in written] == [True, False, True, False]
    assert [line["new"] for line in written] == [51, 52, 51, 52]
    client.body("MONITORSTOP", {"Variable": SETPOINT}, "m")


@pytest.mark.parametrize(
    "body, status, variable, new",
    [
        ({"Variable": "No.Such", "Value": 1}, "BadNodeIdUnknown", "No.Such", 1),
        ({"Variable": "Boiler.Level", "Value": 1}, "BadNotWritable", "Boiler.Level", 1),
        ({"Variable": SETPOINT, "Value": "warm"}, "BadTypeMismatch", SETPOINT, "warm"),
        ({"Variable": SETPOINT, "Value": [1]}, "BadTypeMismatch", SETPOINT, [1]),
        ({"Variable": SETPOINT}, "BadAttributeIdInvalid", SETPOINT, None),
        ({"Variable": 7, "Value": 1}, "BadAttributeIdInvalid", "7", 1),
        ({"Variable": SETPOINT, "Value": 1, "Valve": 1}, "BadAttributeIdInvalid", SETPOINT, 1),
        ({"Variable": "x" * 999, "Value": 1}, None, "x" * audit_log.MAX_NAME, 1),
    ],
    ids=lambda each: str(each)[:30],
)
def test_a_refused_write_is_one_line_with_the_reason_that_the_client_got(
    running: Running, client: Client, body: Any, status: str, variable: str, new: Any
) -> None:
    answer = client.request("WRITE", body)
    told = answer["Header"] if "StatusCode" in answer["Header"] else answer["Body"]
    (line,) = running.take(1)
    assert line["event"] == "refused"
    assert (line["status"], line["reason"]) == (told["StatusCode"], told["Reason"])
    assert status is None or line["status"] == status
    assert line["code"] & 0x80000000
    assert (line["variable"], line["new"]) == (variable, new)


@pytest.mark.parametrize(
    "header",
    [{}, {"ClientHandle": None}, {"ClientHandle": 1, "ClientHandel": 1}],
    ids=["no handle", "null for a handle", "one member too many"],
)
def test_a_write_whose_header_is_wrong_is_on_record(
    running: Running, client: Client, header: Any
) -> None:
    head = {"MessageType": "WRITE_REQUEST", **header}
    writes = [{"Variable": SETPOINT, "Value": 5}, {"Variable": "No.Such", "Value": 6}]
    for body in ({"Variable": SETPOINT, "Value": 4}, {"Writes": writes}, "oops"):
        answer = client.raw(json.dumps({"Header": head, "Body": body}))
        assert answer["Header"]["MessageType"] == "ERROR"
    written = running.take(4)
    assert {(each["event"], each["status"]) for each in written} == {
        ("refused", "BadRequestHeaderInvalid")
    }
    told = [(each.get("variable"), each["new"]) for each in written]
    assert told == [(SETPOINT, 4), (SETPOINT, 5), ("No.Such", 6), (None, "oops")]


def test_what_the_plant_refuses_is_a_result(running: Running, client: Client) -> None:
    assert client.status("WRITE", {"Variable": SETPOINT, "Value": 1e6}) == "BadOutOfRange"
    _intent, result = running.take(2)
    assert (result["event"], result["status"]) == ("result", "BadOutOfRange")
    assert result["reason"]


def test_a_write_to_a_plant_that_is_away_is_a_result_too(running: Running, client: Client) -> None:
    assert client.status("WRITE", {"Variable": "Away", "Value": 1}) == "BadNotConnected"
    _intent, result = running.take(2)
    assert (result["server"], result["status"]) == ("away", "BadNotConnected")


def test_each_write_of_a_list_has_its_own_lines(running: Running, client: Client) -> None:
    names = [SETPOINT, "No.Such", "Boiler.Level", "Away", "Boiler.Valve"]
    body = {"Writes": [{"Variable": name, "Value": 33} for name in names]}
    answer = client.body("WRITE", body)
    told = {each["Variable"]: each.get("StatusCode", "Good") for each in answer["Results"]}
    written = running.take(8)
    ended = [line for line in written if line["event"] != "intent"]
    assert {line["variable"]: line["status"] for line in ended} == told
    assert len(ended) == len(names)
    intended = [line["variable"] for line in written if line["event"] == "intent"]
    assert sorted(intended) == sorted([SETPOINT, "Away", "Boiler.Valve"])


def test_a_list_that_is_wrong_as_a_whole_is_a_line_for_each_of_its_writes(
    running: Running, client: Client
) -> None:
    body = {"Writes": [{"Variable": SETPOINT, "Value": 1}, {"Variable": "Boiler.Valve"}, 5]}
    assert "StatusCode" in client.request("WRITE", body)["Header"]
    written = running.take(3)
    assert [line.get("variable") for line in written] == [SETPOINT, "Boiler.Valve", None]
    assert [line["new"] for line in written] == [1, None, 5]
    assert {line["event"] for line in written} == {"refused"}


def test_what_is_over_the_rate_is_on_record(running: Running) -> None:
    running.begin()
    with Client(running.server.urls[1]) as hasty:
        for _ in range(2):
            hasty.send("WRITE", {"Variable": SETPOINT, "Value": 40})
        answers = [hasty.answer()["Header"].get("StatusCode") for _ in range(2)]
    assert sorted(map(str, answers)) == ["BadTooManyOperations", "None"]
    statuses = sorted(str(line.get("status")) for line in running.take(3))
    assert statuses == ["BadTooManyOperations", "Good", "None"]


def test_of_a_long_value_the_line_has_the_beginning_and_the_length(
    running: Running, client: Client
) -> None:
    text = "a\n\N{SNOWMAN}" * 5000
    client.write("Types.String", text)
    intent, _result = running.take(2)
    written = json.dumps(text)
    assert intent["new_begins"] == written[: audit_log.MAX_VALUE]
    assert intent["new_length"] == len(written)
    assert "new" not in intent


def test_a_long_old_value_is_written_as_json_once_however_many_writes_are_refused(
    running: Running, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "b" * 5000
    client.write("Types.String", text)
    client.body("MONITORSTART", {"Variable": "Types.String"}, "m")
    client.update_where(lambda body: body["Value"]["Body"] == text, handle="m")
    running.take(2)
    written: List[Any] = []
    original = values_to_json.value_text

    def value_text(*arguments: Any) -> str:
        written.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(values_to_json, "value_text", value_text)
    refused = [{"Variable": "Types.String", "Value": 7}] * 50
    client.body("WRITE", {"Writes": refused})
    found = running.take(50)
    assert {each["old_length"] for each in found} == {len(text) + len('{"Type":12,"Body":""}')}
    assert len(written) == 1
    client.body("MONITORSTOP", {"Variable": "Types.String"}, "m")


def test_a_number_that_no_float_can_hold_leaves_the_line_json(
    running: Running, client: Client
) -> None:
    answer = client.raw(
        '{"Header":{"MessageType":"WRITE_REQUEST","ClientHandle":"1"},'
        '"Body":{"Variable":"%s","Value":1e999}}' % SETPOINT
    )
    assert answer["Body"]["StatusCode"] == "BadOutOfRange"
    (line,) = running.take(1)
    assert (line["event"], line["new"]) == ("refused", "Infinity")


def test_a_variable_that_does_not_exist_for_the_client_is_recorded_as_one_that_is_not_there(
    plant: PlantProcess, tmp_path: Path
) -> None:
    made = settings(plant, tmp_path / "audit.jsonl")
    made["roles"] = {"anonymous": {"read": ["Boiler.*"], "write": ["Boiler.*"]}}
    server = Server(loads(json.dumps(made)))
    server.start()
    try:
        with Client(server.urls[0]) as client:
            for name in ("Motor.Speed", "No.Such.Nm"):
                denied = {"Variable": name, "Value": 1}
                assert client.status("WRITE", denied) == "BadNodeIdUnknown"
        hidden, absent = lines(refused(tmp_path / "audit.jsonl"), 2)
    finally:
        server.stop()
    assert hidden["variable"] == "Motor.Speed"
    assert set(hidden) == set(absent)


def test_nothing_but_writes_is_in_it(running: Running, client: Client) -> None:
    client.body("READ", {"Variable": SETPOINT})
    assert "StatusCode" in client.body("READ", {"Variable": "No.Such"})
    client.write(SETPOINT, 45)
    assert [line["variable"] for line in running.take(2)] == [SETPOINT] * 2


def test_the_status_page_tells_how_the_log_is(running: Running) -> None:
    with urllib.request.urlopen(
        running.server.urls[0] + "status", timeout=support.PATIENCE
    ) as answer:
        document = json.loads(answer.read())
    jsonschema.validate(document, contract.document("status.schema.json"))
    told = document["Audit"]
    assert (told["State"], told["Required"], told["Lost"]) == ("good", True, 0)
    with urllib.request.urlopen(
        running.server.urls[0] + "metrics", timeout=support.PATIENCE
    ) as answer:
        lines = answer.read().decode("utf-8").splitlines()
    assert "opcws_audit_working 1.0" in lines and "opcws_audit_lines_lost_total 0.0" in lines


# --- many, in order ---------------------------------------------------------------------------


def numbers(found: List[Line], event: str) -> List[float]:
    return [line["new"] for line in found if line["event"] == event]


def test_a_thousand_writes_are_a_thousand_results_in_order_over_renamed_files(
    plant: PlantProcess, tmp_path: Path
) -> None:
    file = tmp_path / "audit.jsonl"
    with auditing(plant, file, max_bytes=50000, backups=100) as server:
        with Client(server.urls[0]) as client:
            for number in range(1000):
                client.send("WRITE", {"Variable": "Types.Int32", "Value": number})
                if number >= 50:
                    assert client.answer()["Body"] == {}
            for _ in range(50):
                assert client.answer()["Body"] == {}
    older = sorted(tmp_path.glob("audit.jsonl.*"), key=lambda each: -int(each.suffix[1:]))
    assert len(older) > 5
    found = read(*older, file)
    assert numbers(found, "intent") == list(range(1000))
    assert numbers(found, "result") == list(range(1000))
    written: List[str] = []
    for line in found:
        if line["event"] == "intent":
            written.append(line["id"])
        else:
            assert line["id"] in written, "a result before its intent"


def test_results_of_several_clients_are_in_the_order_in_which_the_plant_carried_them_out(
    plant: PlantProcess, tmp_path: Path
) -> None:
    file = tmp_path / "audit.jsonl"
    with auditing(plant, file) as server, Client(server.urls[0]) as watcher:
        watcher.body("MONITORSTART", {"Variable": "Types.Int32"}, "m")
        first = watcher.update(handle="m")["Value"]["Body"]

        def write(base: int) -> None:
            with Client(server.urls[0]) as client:
                for number in range(40):
                    client.write("Types.Int32", base + number)

        threads = [threading.Thread(target=write, args=(base,)) for base in (1000, 2000, 3000)]
        for thread in threads:
            thread.start()
        seen: List[int] = []
        while len(seen) < 120:
            body = watcher.update(handle="m")
            if body["Value"]["Body"] != first:
                seen.append(body["Value"]["Body"])
        for thread in threads:
            thread.join()
        found = lines(file, 120, event="result")
    assert [line["new"] for line in found] == seen


# --- disks that refuse ------------------------------------------------------------------------


def full(file: Path) -> Callable[[], None]:
    file.symlink_to("/dev/full")
    return file.unlink


def moved_away(file: Path) -> Callable[[], None]:
    away = file.parent.with_name("away")
    file.parent.rename(away)
    return lambda: away.rename(file.parent)


def a_directory_in_its_place(file: Path) -> Callable[[], None]:
    file.rename(file.with_name("aside"))
    file.mkdir()
    return file.rmdir


@POSIX
@pytest.mark.parametrize("fault", [full, moved_away, a_directory_in_its_place])
def test_without_the_log_nothing_is_written_to_the_plant_until_the_disk_is_well_again(
    plant: PlantProcess, tmp_path: Path, fault: Callable[[Path], Callable[[], None]]
) -> None:
    file = tmp_path / "log" / "audit.jsonl"
    file.parent.mkdir()
    with auditing(plant, file) as server, Client(server.urls[0]) as client:
        client.write(SETPOINT, 20)
        lines(file, 2)
        if fault is full:
            file.unlink()
        mend = fault(file)
        for value in (21, 22, 23):
            answer = client.body("WRITE", {"Variable": SETPOINT, "Value": value})
            assert answer["StatusCode"] == "BadResourceUnavailable"
            assert "audit log" in answer["Reason"]
        listed = {"Writes": [{"Variable": SETPOINT, "Value": 24}]}
        (item,) = client.body("WRITE", listed)["Results"]
        assert item["StatusCode"] == "BadResourceUnavailable"
        assert client.body("READ", {"Variable": SETPOINT})["Value"]["Body"] == 20
        status = server.audit.status()
        assert status is not None and status["State"] == "failing" and status["Reason"]
        mend()
        support.wait_until(
            lambda: client.body("WRITE", {"Variable": SETPOINT, "Value": 25}) == {},
            "writes are possible again",
        )
        assert [line["new"] for line in lines(refused(file), 4)] == [21, 22, 23, 24]
        assert lines(file, 1, event="result", new=25)

        def state() -> Any:
            status = server.audit.status()
            assert status is not None
            return status["State"], status["Lost"]

        # It is told when the whole batch is written, behind the lines.
        support.wait_until(lambda: state() == ("good", 0), "the log says that it is well")


@POSIX
def test_a_disk_that_hangs_costs_the_writer_its_patience_once_and_nobody_else_anything(
    plant: PlantProcess, tmp_path: Path
) -> None:
    pipe = tmp_path / "audit.jsonl"
    os.mkfifo(str(pipe))
    with auditing(plant, pipe, timeout_s=1.5) as server:
        with Client(server.urls[0]) as writer, Client(server.urls[0]) as reader:
            # Nobody has the pipe open: the log's thread hangs where a dead disk would hang it.
            began = time.monotonic()
            writer.send("WRITE", {"Variable": SETPOINT, "Value": 90})
            reads = 0
            while reads < 100:
                assert "Value" in reader.body("READ", {"Variable": "Boiler.Level"})
                reads += 1
            assert writer.answer()["Body"]["StatusCode"] == "BadResourceUnavailable"
            first = time.monotonic() - began
            for _ in range(100):
                assert (
                    writer.status("WRITE", {"Variable": SETPOINT, "Value": 91})
                    == "BadResourceUnavailable"
                )
            hundred = time.monotonic() - began - first
            assert hundred < 100 * 1.5 / 2, "each waited anew"
            status = server.audit.status()
            assert status is not None and status["State"] == "failing"
            with open(str(pipe), "rb") as other_end:
                support.wait_until(
                    lambda: writer.body("WRITE", {"Variable": SETPOINT, "Value": 92}) == {},
                    "the disk answers again",
                )
                first_line = json.loads(other_end.readline())
                assert first_line["event"] == "intent" and first_line["new"] in (90, 92)
            assert lines(refused(pipe), 1)[0]["new"] == 90


def test_where_the_log_is_not_required_writes_go_on_and_what_was_lost_is_counted(
    plant: PlantProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "MAX_WAITING", 10)
    file = tmp_path / "later" / "audit.jsonl"
    with auditing(plant, file, required=False) as server, Client(server.urls[0]) as client:
        for number in range(25):
            client.write("Types.Int32", number)
        status = server.audit.status()
        assert status is not None
        assert (status["State"], status["Waiting"], status["Lost"]) == ("failing", 10, 15)
        file.parent.mkdir()
        (lost,) = lines(file, 1, event="lost")
        assert lost["lines"] == 15 and lost["since"] <= lost["time"]
        client.write("Types.Int32", 99)
        found = [line["new"] for line in lines(file, 11, event="result")]
    assert found == [*range(10), 99]
    assert not numbers(read(file), "intent"), "nothing waits for an intent here"


@pytest.mark.parametrize("last", [{"Variable": "No.Such", "Value": 0}, "no write at all"])
def test_a_flood_of_refused_writes_loses_no_line_and_costs_nobody_else_a_write(
    plant: PlantProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: Any
) -> None:
    monkeypatch.setattr(audit_log, "MAX_WAITING", 20)
    monkeypatch.setattr(audit_log, "SLICE", 5)
    monkeypatch.setattr(audit_log, "FLOOD_LINES", 100000)
    file = tmp_path / "audit.jsonl"
    flood = {"Writes": [*({"Variable": "No.Such", "Value": n} for n in range(499)), last]}
    with auditing(plant, file, timeout_s=support.PATIENCE) as server:
        with Client(server.urls[0]) as hasty, Client(server.urls[0]) as calm:
            for number in range(8):
                hasty.send("WRITE", flood)
                calm.write("Types.Int32", number)
            for _ in range(8):
                hasty.answer()
        status = server.audit.status()
        assert status is not None and (status["State"], status["Lost"]) == ("good", 0)
    # The last results are written behind their answers, and before the end.
    assert len([each for each in read(refused(file)) if each["event"] == "refused"]) == 8 * 500
    assert numbers(read(file), "result") == list(range(8))


def test_what_one_address_has_refused_in_a_flood_is_summed_up_in_one_line(
    plant: PlantProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "FLOOD_LINES", 5)
    monkeypatch.setattr(audit_log, "FLOOD_S", 1.0)
    file = tmp_path / "audit.jsonl"
    with auditing(plant, file) as server:
        began = time.monotonic()
        for _ in range(2):  # another connection is no other client
            with Client(server.urls[0]) as client:
                for number in range(10):
                    client.status("WRITE", {"Variable": "No.%d" % number, "Value": number})
                client.body("WRITE", {"Writes": [{"Variable": "No.Such", "Value": 0}] * 500})
                client.request("WRITE", {"Writes": [7] * 500})
        (flood,) = lines(refused(file), 1, event="flood")
        support.wait_until(
            lambda: (
                sum(line.get("lines", 1) for line in support.whole_lines(refused(file))) == 2 * 1010
            ),
            "every refused write is a line or in the number of one",
        )
        windows = 1 + int((time.monotonic() - began) / audit_log.FLOOD_S)
    found = read(refused(file))
    assert len(found) <= windows * (5 + 1)
    assert flood["peer"] == "127.0.0.1" and flood["since"] <= flood["time"]
    assert flood["last_status"].startswith("Bad")
    assert not [line for line in read(file) if line["event"] == "refused"]


def test_nobody_pushes_out_what_went_to_the_plant(plant: PlantProcess, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    with auditing(plant, file, max_bytes=5000, backups=2) as server:
        with Client(server.urls[0]) as client:
            client.write("Types.Int32", 12345)
            for number in range(100):
                client.write("Types.Int32", number)  # by who may
                client.status("WRITE", {"Variable": "No.Such", "Value": number})  # by who may not
                client.status("WRITE", {"Variable": SETPOINT, "Value": 1e6})  # the plant refuses
    # The last lines are written, and files renamed, behind the answers, and before the end.
    everything = [each for each in tmp_path.iterdir() if "refused" not in each.name]
    assert 12345 in numbers(read(*everything), "result")
    assert sorted(each.name for each in everything) == [
        "audit.jsonl",
        "audit.jsonl.1",
        "audit.jsonl.2",
    ]


def test_a_list_with_more_writes_than_the_queue_holds_is_carried_out(
    plant: PlantProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "MAX_WAITING", 20)
    monkeypatch.setattr(audit_log, "SLICE", 5)
    file = tmp_path / "audit.jsonl"
    names = ["Types.Int32", SETPOINT] * 100
    with auditing(plant, file) as server, Client(server.urls[0]) as client:
        body = {"Writes": [{"Variable": name, "Value": 20} for name in names]}
        results = client.body("WRITE", body)["Results"]
        assert not [each for each in results if "StatusCode" in each]
        assert len(lines(file, 200, event="intent")) == len(lines(file, 200, event="result"))


# --- processes --------------------------------------------------------------------------------


def serve(file: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "opcws", "serve", "--config", str(file)], stderr=subprocess.PIPE
    )


def test_a_write_whose_connection_broke_is_a_result_that_says_so(
    plant: PlantProcess, tmp_path: Path
) -> None:
    file = tmp_path / "audit.jsonl"
    with Proxy(plant.port) as proxy, auditing(proxy, file) as server:
        with Client(server.urls[0]) as client:

            def to_server(chunk: Chunk, _flow: Flow) -> Iterable[Chunk]:
                if chunk.type_id == ua.ObjectIds.WriteRequest_Encoding_DefaultBinary:
                    proxy.cut()
                return (chunk,)

            proxy.to_server = to_server
            told = client.body("WRITE", {"Variable": SETPOINT, "Value": 31})
            (result,) = lines(file, 1, event="result", new=31)
    assert told["StatusCode"] == result["status"] == "BadCommunicationError"
    assert told["Reason"] == result["reason"] and "not known" in result["reason"]


def test_a_log_that_cannot_be_opened_ends_the_start_with_a_sentence(
    plant: PlantProcess, tmp_path: Path
) -> None:
    file = tmp_path / "opcws.json"
    file.write_text(json.dumps(settings(plant, tmp_path / "no" / "audit.jsonl")), "utf-8")
    process = serve(file)
    _out, words = process.communicate(timeout=3 * support.PATIENCE)
    assert process.returncode == 1
    assert b"audit.file: cannot write" in words and b"Traceback" not in words


def test_what_the_plant_has_is_on_record_though_opcws_was_killed(
    plant: PlantProcess, tmp_path: Path
) -> None:
    file = tmp_path / "audit.jsonl"
    made = settings(plant, file)
    made["listen"]["port"] = support.free_port()
    config_file = tmp_path / "opcws.json"
    config_file.write_text(json.dumps(made), "utf-8")
    process = serve(config_file)
    url = "http://127.0.0.1:%d/" % made["listen"]["port"]
    try:
        client = support.wait_until(lambda: connected(url), "opcws listens")
        support.wait_until(
            lambda: client.status("READ", {"Variable": "Types.UInt32"}) is None, "connected"
        )
        for number in range(1, 64):
            client.send("WRITE", {"Variable": "Types.UInt32", "Value": number})
        client.answer()
        process.kill()
        process.wait(support.PATIENCE)
        client.vanish()
    finally:
        process.kill()
        process.communicate()
    with support_server(plant) as server, Client(server.urls[0]) as after:
        present = after.body("READ", {"Variable": "Types.UInt32"})["Value"]["Body"]
    found = read(file)
    assert present >= 1
    assert present in numbers(found, "intent"), "written without a record"
    assert numbers(found, "intent") == list(range(1, len(numbers(found, "intent")) + 1))


def connected(url: str) -> Any:
    try:
        return Client(url)
    except OSError:
        return None


@contextlib.contextmanager
def support_server(plant: PlantProcess) -> Iterator[Server]:
    """opcws without an audit log."""
    with byte_client.serving(plant.endpoint) as server:
        assert server.audit.status() is None
        yield server
