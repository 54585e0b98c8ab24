"""The commands of the client, against a real opcws and the simulated plant."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from click.testing import CliRunner

from opcws.access import accounts
from opcws.app import Server
from opcws.cli.main import main
from opcws.config import loads

from ... import support
from ...support import PATIENCE, PlantProcess, free_port
from ...support.command import without_input
from ...support.pseudo_terminal import PseudoTerminal

posix = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")


class Done:
    def __init__(self, result: Any) -> None:
        self.code: int = result.exit_code
        self.text: str = result.output
        self.lines: List[str] = result.output.splitlines()
        self.json = [json.loads(line) for line in self.lines if line.startswith("{")]


@pytest.fixture(scope="module")
def run(server: Server) -> Callable[..., Done]:
    def run(command: str, *arguments: str, **environment: str) -> Done:
        environment.setdefault("OPCWS_URL", server.urls[0])
        result = CliRunner(env=environment).invoke(main, [command, *arguments])
        assert "Traceback" not in result.output
        return Done(result)

    support.wait_until(
        lambda: "°C" in run("info", "Boiler.Temperature").text, "what the plant says of itself"
    )
    return run


# --- list, info, read ---------------------------------------------------------------------------


def test_list_prints_names_a_line_each(run: Callable[..., Done]) -> None:
    assert run("list", "Boiler.*", "Batch.Id").lines == [
        "Boiler.Level",
        "Boiler.Pressure",
        "Boiler.Profile",
        "Boiler.Setpoint",
        "Boiler.Temperature",
        "Boiler.Valve",
        "Batch.Id",
    ]
    assert len(run("list").lines) > 60


def test_list_tells_more_of_each_with_long_and_as_json(run: Callable[..., Done]) -> None:
    (line,) = run("list", "--long", "Boiler.Valve").lines
    assert re.split("  +", line) == [
        "Boiler.Valve",
        "Double",
        "readwrite",
        "%",
        "Outlet valve; opening it lowers the level",
    ]
    (item,) = run("list", "--json", "Boiler.Valve").json
    assert item["Type"] == "Double" and item["Access"] == "readwrite"


def test_a_pattern_that_nothing_matches_says_so(run: Callable[..., Done]) -> None:
    done = run("list", "boiler.*")
    assert done.code == 6 and "no variable matches boiler.*" in done.text
    assert "case matters" in done.text


def test_info_tells_what_is_known(run: Callable[..., Done]) -> None:
    text = run("info", "Boiler.Temperature", "Motor.Mode").text
    for each in ("Double", "degree Celsius", "0.0 to 150.0", "recorded", "2 Service"):
        assert each in text
    done = run("info", "Nope", "--json")
    assert done.code == 6 and done.json[0]["StatusCode"] == "BadNodeIdUnknown"


def test_read_prints_values_with_unit_quality_and_time(run: Callable[..., Done]) -> None:
    run("write", "Boiler.Setpoint", "75")
    done = run("read", "Boiler.Setpoint", "Motor.Mode", "Types.Uncertain")
    assert done.code == 0
    assert re.fullmatch(r"Boiler\.Setpoint +75\.0  °C +Good +[\d:. -]+", done.lines[0])
    assert re.search(r"(Hand|Automatic|Service) \(\d\)", done.lines[1])
    assert "UncertainLastUsableValue" in done.lines[2]


def test_a_bad_value_is_told_and_is_an_exit_code(run: Callable[..., Done]) -> None:
    done = run("read", "Types.Bad", "Types.Double")
    assert done.code == 6
    assert "the sensor that gives the value has failed (BadSensorFailure)" in done.text


def test_read_value_prints_the_values_alone(run: Callable[..., Done]) -> None:
    run("write", "Types.String", "two\nlines", "Types.Int64", "-9007199254740993")
    done = run("read", "--value", "Types.Int64", "Types.String", "Types.Infinities")
    assert done.lines == [
        "-9007199254740993",
        "two\\nlines",
        '["Infinity", "-Infinity", "NaN"]',
    ]


def test_read_json_is_what_the_contract_says(run: Callable[..., Done]) -> None:
    run("write", "Types.Double", "2.5")
    (item,) = run("read", "--json", "Types.Double").json
    assert item["Variable"] == "Types.Double" and item["Value"] == {"Type": 11, "Body": 2.5}


def test_a_value_cannot_command_the_terminal(run: Callable[..., Done]) -> None:
    assert run("write", "Types.String", "\x1b[2J\x1b]0;owned\x07").code == 0
    for command in (("read",), ("read", "--value"), ("watch", "--count", "1")):
        done = run(*command, "Types.String")
        assert "\\x1b[2J" in done.text
        assert not any(each in done.text for each in "\x1b\x07")


# --- write --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "body"),
    [
        ("Types.Int16", "-5", -5),
        ("Types.Double", "-1e-3", -0.001),
        ("Types.Double", "-Infinity", "-Infinity"),
        ("Types.String", "12", "12"),
        ("Types.String", "true", "true"),
        ("Types.String", "[1]", "[1]"),
        ("Types.Boolean", "false", False),
        ("Types.UInt64", "18446744073709551615", "18446744073709551615"),
        ("Types.DoubleArray", "[1, -2.5]", [1.0, -2.5]),
        ("Types.StringArray", '["a", "b"]', ["a", "b"]),
        ("Types.LocalizedText", "Kessel", {"Text": "Kessel"}),
        ("Motor.Mode", "Service", 2),
        ("Types.ExtensionObject", '{"TypeId": "i=886", "Body": {"Low": 1, "High": 2}}', None),
    ],
)
def test_what_is_typed_becomes_the_type_of_the_variable(
    run: Callable[..., Done], name: str, text: str, body: Any
) -> None:
    done = run("write", name, text)
    assert done.code == 0 and done.text.startswith("written"), done.text
    (item,) = run("read", "--json", name).json
    if body is not None:
        assert item["Value"]["Body"] == body


def test_of_several_writes_each_has_its_own_result(run: Callable[..., Done]) -> None:
    done = run("write", "--json", "Test.Counter", "5", "Boiler.Level", "1")
    assert done.code == 6
    assert [item.get("StatusCode") for item in done.json] == [None, "BadNotWritable"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("Test.Counter",), 2, "each NAME needs a VALUE; 'Test.Counter' has none"),
        (("Types.DoubleArray", "1,2"), 2, "is an array; give it as JSON, such as '[1, 2, 3]'"),
        (("Test.Counter", "5", "--jsn"), 2, "--jsn"),
        (("Test.Counter", "five"), 6, "BadTypeMismatch"),
        (("--type", "Duble", "Test.Counter", "5"), 6, "Duble"),
    ],
)
def test_what_cannot_be_written_is_told(
    run: Callable[..., Done], arguments: Any, code: int, says: str
) -> None:
    done = run("write", *arguments)
    assert done.code == code and says in done.text, done.text


def read_back(run: Callable[..., Done], name: str) -> Any:
    (item,) = run("read", "--json", name).json
    return item["Value"]["Body"]


REFUSED = "opcws: not written; --yes writes it anyway"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("Boiler.Valve", "101", "101 is outside of the usual range, 0 to 100 %"),
        ("Boiler.Valve", "NaN", "NaN is outside of the usual range, 0 to 100 %"),
        ("Motor.Mode", "7", "7 is not among the values Hand (0), Automatic (1), Service (2)"),
        ("Types.Uncertain", "21", "the present value is uncertain: "),
        ("Types.Bad", "1", "the present value is bad: the sensor that gives the value has failed"),
    ],
)
@pytest.mark.parametrize("json_option", [(), ("--json",)])
def test_what_is_not_as_usual_is_refused_where_nobody_can_be_asked(
    run: Callable[..., Done], name: str, text: str, says: str, json_option: Any
) -> None:
    assert run("write", "Test.Counter", "5", "Motor.Mode", "1").code == 0
    # Nothing is written of what stands before it either.
    done = run("write", *json_option, "Test.Counter", "6", name, text)
    assert done.code == 6
    assert len(done.lines) == 2 and done.lines[1] == REFUSED
    assert done.lines[0].startswith("opcws: %s: %s" % (name, says))
    assert read_back(run, "Test.Counter") == 5


def test_while_the_plant_is_away_yes_is_no_advice(run: Callable[..., Done]) -> None:
    away = support.serve("opc.tcp://127.0.0.1:%d" % free_port())
    try:
        done = run("write", "Boiler.Setpoint", "80", OPCWS_URL=away.urls[0])
    finally:
        away.stop()
    assert done.code == 6 and len(done.lines) == 1
    assert done.text.startswith("opcws: not written: Boiler.Setpoint: ")
    assert "try again when its OPC UA server is connected again" in done.text
    assert "--yes" not in done.text


def test_with_yes_it_is_written_all_the_same(run: Callable[..., Done]) -> None:
    assert run("write", "--yes", "Motor.Mode", "7").lines == ["written  Motor.Mode = 7"]
    assert read_back(run, "Motor.Mode") == 7
    assert run("write", "Motor.Mode", "Automatic").code == 0
    done = run("write", "--yes", "Boiler.Valve", "101")
    assert done.code == 6 and "BadOutOfRange" in done.text


def test_what_may_not_be_read_or_not_be_written_is_not_asked_about(
    run: Callable[..., Done],
) -> None:
    assert run("write", "Test.WriteOnly", "5").lines == ["written  Test.WriteOnly = 5"]
    done = run("write", "Boiler.Level", "500")
    assert done.code == 6 and "BadNotWritable" in done.text and "--yes" not in done.text


@posix
@pytest.mark.parametrize(
    ("answer", "code", "mode"), [(b"y\n", 0, 7), (b"\n", 6, 1), (b"n\n", 6, 1)]
)
def test_on_a_terminal_it_is_asked(
    server: Server, run: Callable[..., Done], answer: bytes, code: int, mode: int
) -> None:
    assert run("write", "--yes", "Motor.Mode", "1").code == 0
    with on_terminal(server.urls[0], "write", "Motor.Mode", "7", NO_COLOR="1") as terminal:
        terminal.read("Write it anyway? [y/N]: ")
        terminal.type(answer)
        assert terminal.ended() == code
    assert "opcws: Motor.Mode: 7 is not among the values" in terminal.text
    assert ("written  Motor.Mode = 7" in terminal.text) == (code == 0)
    assert ("opcws: not written" in terminal.text) == (code != 0)
    assert read_back(run, "Motor.Mode") == mode
    assert run("write", "--yes", "Motor.Mode", "1").code == 0


@posix
def test_on_a_terminal_nothing_is_asked_of_an_ordinary_write(server: Server) -> None:
    with on_terminal(server.urls[0], "write", "Boiler.Valve", "40", NO_COLOR="1") as terminal:
        assert terminal.ended() == 0
    assert terminal.text.splitlines() == ["written  Boiler.Valve = 40 %"]


# --- history ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(run: Callable[..., Done]) -> List[int]:
    numbers = list(range(1, 12))
    for number in numbers:
        assert run("write", "Test.Counter", str(number)).code == 0
    return numbers


def test_history_as_csv_is_what_was_written(run: Callable[..., Done], recorded: List[int]) -> None:
    rows = list(csv.DictReader(io.StringIO(run("history", "Test.Counter", "--csv").text)))
    assert [int(row["Value"]) for row in rows][-len(recorded) :] == recorded
    assert all(row["Status"] == "Good" and row["Time"].endswith("Z") for row in rows)


def test_history_has_a_limit_and_goes_backwards(
    run: Callable[..., Done], recorded: List[int]
) -> None:
    done = run("history", "Test.Counter", "--start", "now", "--end", "1h", "--limit", "3", "--json")
    assert [item["Value"]["Body"] for item in done.json] == recorded[:-4:-1]


def test_history_as_a_table_and_as_a_plot(run: Callable[..., Done], recorded: List[int]) -> None:
    assert any(re.search(r"  11  Good$", line) for line in run("history", "Test.Counter").lines)
    done = run("history", "Boiler.Temperature", "--start", "5m", "--plot", "--height", "7")
    assert done.code == 0 and done.lines[0] == "Boiler.Temperature in °C"
    assert len(done.lines) == 9
    assert re.search(r"\d+ values, least \S+, greatest \S+$", done.lines[-1])
    assert run("history", "Batch.Id", "--plot").code == 6


def test_history_of_several_variables_is_thinned_out_to_so_many_points(
    run: Callable[..., Done], recorded: List[int]
) -> None:
    names = ("Test.Counter", "Types.Double", "Boiler.Temperature")
    done = run("history", *names, "--points", "4", "--csv")
    assert done.code == 6 and "Types.Double: " in done.text
    rows = [line.split(",") for line in done.lines if re.match(r"(Test|Boiler)", line)]
    numbers = [int(row[2]) for row in rows if row[0] == "Test.Counter"]
    assert 2 <= len(numbers) <= 4 and numbers[-1] == recorded[-1]
    assert 2 <= sum(row[0] == "Boiler.Temperature" for row in rows) <= 4
    done = run("history", "Boiler.*", "--points", "50", "--plot")
    assert "Boiler.Pressure in bar" in done.text and "Boiler.Temperature in °C" in done.text
    done = run("history", "Boiler.Level", "--points", "2", "--json")
    assert [item["Variable"] for item in done.json] == ["Boiler.Level"] * 2


def test_an_aggregate_is_worked_out_by_the_server(run: Callable[..., Done]) -> None:
    done = run(
        *("history", "Boiler.Temperature", "--start", "10s"),
        *("--aggregate", "Maximum", "--every", "5s", "--json"),
    )
    assert done.code == 0 and 1 <= len(done.json) <= 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("--start", "yesterday"),
        ("--start", "25:00"),
        ("--aggregate", "Average"),
        ("--every", "5"),
        ("--csv", "--plot"),
        ("--limit", "-1"),
        ("--points", "1"),
        ("--points", "9", "--limit", "9"),
    ],
)
def test_options_of_history_that_make_no_sense_are_refused(
    run: Callable[..., Done], arguments: Any
) -> None:
    assert run("history", "Test.Counter", *arguments).code == 2


# --- watch --------------------------------------------------------------------------------------


def test_watch_in_a_pipe_prints_a_line_for_each_change(run: Callable[..., Done]) -> None:
    done = run("watch", "Boiler.Temperature", "--count", "3")
    assert done.code == 0 and len(done.lines) == 3
    for line in done.lines:
        assert re.fullmatch(r"[\d-]+ [\d:.]+  Boiler\.Temperature  [\d.]+  °C", line)


def test_watch_as_json_is_what_the_contract_says(run: Callable[..., Done]) -> None:
    done = run("watch", "Types.Bad", "Types.Boolean", "--count", "2", "--json")
    assert {item["Variable"] for item in done.json} == {"Types.Bad", "Types.Boolean"}


def test_watch_begins_with_what_was_before(run: Callable[..., Done]) -> None:
    begin = datetime.now(timezone.utc).isoformat()
    for number in ("21", "22", "23"):
        assert run("write", "Test.Counter", number).code == 0
    done = run("watch", "Test.Counter", "--since", begin, "--backfill", "--count", "3")
    assert [line.split("  ")[2] for line in done.lines] == ["21", "22", "23"]
    assert all(line.endswith("  from history") for line in done.lines[:2])
    assert run("watch", "Test.Counter", "--since", "yesterday").code == 2


def test_watch_ends_after_a_time(run: Callable[..., Done]) -> None:
    assert run("watch", "Types.Boolean", "--for", "0.2s").code == 0


def test_watch_of_nothing_that_exists_ends_at_once(run: Callable[..., Done]) -> None:
    done = run("watch", "Boiler.Tempreature")
    assert done.code == 6 and "did you mean Boiler.Temperature" in done.text


def test_a_part_of_a_name_is_answered_with_the_name(run: Callable[..., Done]) -> None:
    done = run("read", "setpoint")
    assert done.code == 6 and "did you mean Boiler.Setpoint?" in done.text


def on_terminal(url: str, *arguments: str, **environment: str) -> PseudoTerminal:
    return PseudoTerminal("-m", "opcws", *arguments, OPCWS_URL=url, **environment)


def back_over(lines: int) -> str:
    return "\r\x1b[2K" + "\x1b[1A\x1b[2K" * (lines - 1)


@posix
def test_watch_on_a_terminal_redraws_a_table_in_place_until_ctrl_c(server: Server) -> None:
    names = ("Boiler.Temperature", "Types.Bad", "Types.Uncertain")
    with on_terminal(server.urls[0], "watch", *names) as terminal:
        terminal.read("BadSensorFailure")
        terminal.read(back_over(6))  # title, header, three variables and the last line
        assert "\x1b[32mGood" in terminal.text and "\x1b[31mBadSensorFailure" in terminal.text
        assert "\x1b[33mUncertainLastUsableValue" in terminal.text
        assert terminal.end() == 0
    last = terminal.text.rpartition("\x1b[2K")[2]
    assert "Boiler.Temperature" in last and "Ctrl-C" not in last
    assert "Traceback" not in terminal.text and "Aborted" not in terminal.text


@posix
def test_a_table_higher_than_the_terminal_says_how_many_are_hidden(server: Server) -> None:
    with on_terminal(server.urls[0], "watch", "Types.*", NO_COLOR="1") as terminal:
        terminal.read("more; enlarge the window")
        terminal.read(back_over(11))
        assert terminal.end() == 0
    frame = terminal.text.split(back_over(11))[0]
    assert frame.count("\r\n") == 10
    assert "\x1b[3" not in terminal.text and "\x1b[2m" not in terminal.text
    for line in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", terminal.text).split("\r\n"):
        assert len(line.lstrip("\r")) < 100


@posix
def test_a_table_whose_terminal_changes_its_size_begins_anew(server: Server) -> None:
    with on_terminal(server.urls[0], "watch", "Boiler.Temperature", NO_COLOR="1") as terminal:
        terminal.read("Good")
        terminal.resize(40, 8)
        terminal.read("\x1b[2J\x1b[H")
        assert terminal.end() == 0
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.text.rpartition("\x1b[2J\x1b[H")[2])
    assert "Good" in last and all(len(line) < 40 for line in re.split("\r\n?", last))


@posix
def test_the_table_tells_what_is_beyond_a_limit_and_cuts_no_number(plant: PlantProcess) -> None:
    node = "nsu=urn:demo:plant;s="
    listed = {
        "Boiler.Setpoint": {"node": node + "Boiler.Setpoint", "limits": {"high": 10}},
        "Types.Int64Big": {"node": node + "Types.Int64Big"},
    }
    server = support.serve(plant.endpoint, variables=listed)
    try:
        support.wait_connected(server)
        with on_terminal(server.urls[0], "watch", "*", NO_COLOR="1") as terminal:
            terminal.read("Good ▲ above High 10")
            terminal.read(str(2**62))
            terminal.resize(40, 8)
            terminal.read("4.611686e+18")
            assert terminal.end() == 0
    finally:
        server.stop()


@posix
def test_the_table_says_that_the_connection_is_lost_and_that_it_is_back(
    plant: PlantProcess,
) -> None:
    port = free_port()
    first = support.serve(plant.endpoint, listen={"port": port})
    second = None
    try:
        support.wait_connected(first)
        with on_terminal(first.urls[0], "watch", "Types.Boolean", NO_COLOR="1") as terminal:
            terminal.read("Good")
            first.stop()
            terminal.read("no connection, trying again")
            assert "BadNotConnected" in terminal.text
            second = support.serve(plant.endpoint, listen={"port": port})
            terminal.output = b""
            terminal.read("Good")
            assert terminal.end() == 0
    finally:
        first.stop()
        if second is not None:
            second.stop()


@posix
def test_watch_tells_what_changed_while_opcws_was_away(
    plant: PlantProcess, server: Server, run: Callable[..., Done], tmp_path: Path
) -> None:
    port = free_port()
    first = support.serve(plant.endpoint, listen={"port": port})
    second = None
    lines = tmp_path / "lines"
    try:
        support.wait_connected(first)
        assert run("write", "Test.Counter", "31").code == 0
        with lines.open("wb") as out:
            command = [sys.executable, "-m", "opcws", "watch", "Test.Counter", "--lines"]
            environment = dict(os.environ, OPCWS_URL=first.urls[0], PYTHONIOENCODING="utf-8")
            with subprocess.Popen(command, stdout=out, env=environment) as process:
                support.wait_until(lambda: b"  31" in lines.read_bytes(), "the present value")
                first.stop()
                for number in ("32", "33", "34"):
                    assert run("write", "Test.Counter", number).code == 0
                second = support.serve(plant.endpoint, listen={"port": port})
                support.wait_until(lambda: b"  34" in lines.read_bytes(), "what is now")
                process.send_signal(signal.SIGINT)
                assert process.wait(PATIENCE) == 0
    finally:
        first.stop()
        if second is not None:
            second.stop()
    told = [line for line in lines.read_text("utf-8").splitlines() if "Bad" not in line]
    assert [re.sub(r"^.*Test\.Counter  ", "", line) for line in told] == [
        *("31", "32  from history", "33  from history", "34")
    ]


# --- pipes, consoles, ends ----------------------------------------------------------------------


@pytest.fixture
def environment(server: Server) -> Dict[str, str]:
    return dict(os.environ, OPCWS_URL=server.urls[0], PYTHONIOENCODING="utf-8")


def started(environment: Dict[str, str], *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "opcws", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


@posix
@pytest.mark.parametrize("command", [("watch", "Boiler.Temperature"), ("docs", "settings")])
def test_a_reader_that_has_enough_ends_the_command_without_a_word(
    environment: Dict[str, str], command: Tuple[str, ...]
) -> None:
    process = started(environment, *command)
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(PATIENCE * 3) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


@posix
def test_ctrl_c_leaves_no_traceback(environment: Dict[str, str]) -> None:
    process = started(environment, "watch", "Boiler.Temperature")
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE * 3)
    assert process.returncode == 0 and errors == b""


@pytest.mark.skipif(not os.path.exists(os.path.join(os.sep, "dev", "full")), reason="needs it")
@pytest.mark.parametrize("command", ["list", "docs", "doctor", "browse"])
def test_a_full_disk_is_told(
    environment: Dict[str, str], plant: PlantProcess, command: str
) -> None:
    more = [plant.endpoint] if command == "browse" else []
    with open(os.path.join(os.sep, "dev", "full"), "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "opcws", command, *more],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=PATIENCE * 3,
        )
    assert done.returncode == 1
    assert done.stderr == b"opcws: cannot write the output: No space left on device\n"


def test_a_console_that_lacks_letters_gets_escapes(environment: Dict[str, str]) -> None:
    with_text = started(environment, "write", "Types.String", "Κόσμε °C")
    with_text.communicate(timeout=PATIENCE * 3)
    environment["PYTHONIOENCODING"] = "cp1252"
    process = started(environment, "read", "Types.String", "Boiler.Temperature")
    output, errors = process.communicate(timeout=PATIENCE * 3)
    assert process.returncode == 0, errors
    text = output.decode("cp1252")
    assert "\\u039a" in text and "°C" in text


# --- who asks -----------------------------------------------------------------------------------


def test_the_default_address_is_named_when_nothing_is_there(run: Callable[..., Done]) -> None:
    done = run("list", OPCWS_URL="127.0.0.1:%d" % free_port())
    assert done.code == 4 and "--url" not in done.text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("read",), 2),
        (("read", "--timeout", "0", "X"), 2),
        (("read", "--password-stdin", "X"), 2),
        (("read", "--ca", "no such file", "X"), 2),
        (("read", "--url", "ftp://x", "X"), 2),
        (("watch", "--for", "ever", "X"), 2),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(
    run: Callable[..., Done], arguments: Any, code: int
) -> None:
    assert run(*arguments).code == code


@pytest.fixture(scope="module")
def guarded(
    plant: PlantProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dict[str, str]]:
    """The URL of an opcws that wants a credential, and a token for it; anna's password is one
    that nobody else has."""
    settings = support.settings(plant.endpoint)
    settings["roles"] = {"reader": {"read": ["Boiler.*"]}}
    settings["credentials"] = str(tmp_path_factory.mktemp("guarded") / "credentials.json")
    loaded = loads(json.dumps(settings))
    token = accounts.create_token(loaded, "panel", "reader", None)[0]
    accounts.add_user(loaded, "anna", "reader", lambda: PASSWORD)
    running = Server(loaded)
    running.start()
    support.wait_connected(running)
    yield {"OPCWS_URL": running.urls[0], "token": token}
    running.stop()


PASSWORD = "Quecksilber 80"


@pytest.mark.parametrize(
    ("arguments", "environment", "typed", "code"),
    [
        ((), {}, "", 5),
        (("--token", "TOKEN"), {}, "", 0),
        ((), {"OPCWS_TOKEN": "TOKEN"}, "", 0),
        ((), {"OPCWS_TOKEN": "wrong"}, "", 5),
        (("--user", "anna"), {"OPCWS_PASSWORD": PASSWORD}, "", 0),
        # Who says who it is does not mean the token of the environment.
        (("--user", "anna"), {"OPCWS_PASSWORD": PASSWORD, "OPCWS_TOKEN": "wrong"}, "", 0),
        (("--user", "anna", "--token", "TOKEN"), {"OPCWS_PASSWORD": PASSWORD}, "", 2),
        (("--user", "anna", "--password-stdin"), {}, PASSWORD + "\n", 0),
        (("--user", "anna"), {}, PASSWORD + "\n", 0),
        (("--user", "anna"), {}, "", 130),
        (("--user", "anna", "--password-stdin"), {}, "guessed\n", 5),
    ],
)
def test_who_asks_is_told_by_option_environment_or_input(
    guarded: Dict[str, str], arguments: Any, environment: Dict[str, str], typed: str, code: int
) -> None:
    def filled(text: str) -> str:
        return guarded["token"] if text == "TOKEN" else text

    variables = {name: filled(text) for name, text in environment.items()}
    variables["OPCWS_URL"] = guarded["OPCWS_URL"]
    command = ["read", "Boiler.Level", *map(filled, arguments)]
    result: Any
    if typed:
        result = CliRunner(env=variables).invoke(main, command, input=typed)
    else:
        result = without_input(*command, env=variables)
    assert result.exit_code == code, result.output
    for secret in (PASSWORD, guarded["token"], "guessed"):
        assert secret not in result.output
    # Who has shown something already is not told to show something.
    nothing = not arguments and not environment
    assert ("--token or --user" in result.output) == (code == 5 and nothing)
    assert ("opcws token create" in result.output) == (environment == {"OPCWS_TOKEN": "wrong"})
    assert ("opcws user passwd" in result.output) == (typed == "guessed\n")
