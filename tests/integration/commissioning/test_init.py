"""``opcws init`` leaves a configuration that works, or nothing at all."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, Optional

import pytest

from opcws.cli import common
from opcws.commissioning import init
from opcws.config import load
from opcws.model.errors import ConfigError

from ... import support
from ...support import command
from ...support.pseudo_terminal import PseudoTerminal
from ..operations.test_shutdown import Opcws
from ..plants.test_security import Secured, secured


def run(path: Path, *arguments: str, answers: Optional[List[str]] = None) -> command.Result:
    given = "" if answers is None else "\n".join(answers) + "\n"
    result = command.run("init", "--output", str(path), *arguments, given=given)
    support.no_threads_left()
    return result


@pytest.fixture
def port() -> int:
    return support.free_port()


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(
        "opcua",
        tmp_path_factory.mktemp("safe"),
        policies=["Basic256Sha256_SignAndEncrypt"],
        users={"operator": "secret"},
        trusted=False,
    ) as running:
        yield running


def test_with_options_it_asks_nothing_and_what_it_wrote_is_served(
    plant: support.PlantProcess, tmp_path: Path, port: int
) -> None:
    path = tmp_path / "opcws.yaml"
    made = run(
        path,
        *("--endpoint", plant.endpoint, "--security", "None", "--variables", "Boiler.*"),
        *("--listen", "127.0.0.1:%d" % port, "--defaults"),
    )
    assert made.exit_code == 0, made.output
    assert made.stdout.splitlines() == [
        "wrote %s: 6 variables" % path,
        "next: opcws serve --config %s" % path,
        "then open http://127.0.0.1:%d/ in a browser" % port,
        "or, in another terminal: opcws list --url ws://127.0.0.1:%d/" % port,
    ]
    process = Opcws("serve", "--config", str(path))
    try:
        process.wait_for("connected to")
        with support.Client("http://127.0.0.1:%d/" % port) as client:
            assert client.body("READ", {"Variable": "Boiler.Level"})["Value"]["Type"] == 11
    finally:
        process.clean_up()


def test_five_questions_and_wrong_answers_are_asked_again(
    plant: support.PlantProcess, tmp_path: Path, port: int
) -> None:
    path = tmp_path / "opcws.yaml"
    taken = "127.0.0.1:%d" % plant.port
    answers = ["127.0.0.1:1", taken, "9", "Basic256Sha256", "1", "", "Nothing.*", "Motor.*"]
    result = run(path, answers=[*answers, "[", taken, str(port)])
    assert result.exit_code == 0, result.output
    for words in (
        "nothing listens there",
        "found opcws simulated plant",
        "'9' is not a security setting",
        "the server does not have that",
        "a pattern such as Batch.*, or 'later'",
        "no variable matches Nothing.*; one is called Batch.Id",
        "'[' is no address to listen on",
        "opcws cannot listen on 127.0.0.1 port %d: " % plant.port,
    ):
        assert words in result.stderr
    loaded = load(path)
    assert sorted(loaded.variables) == ["Motor.Mode", "Motor.Speed", "Motor.State"]
    assert (loaded.listen[0].host, loaded.listen[0].port) == ("127.0.0.1", port)


def test_a_secured_server_is_trusted_by_hand_and_the_password_kept_apart(
    safe: Secured, tmp_path: Path, port: int
) -> None:
    path = tmp_path / "boiler.yaml"
    answers = [safe.endpoint, "", "operator", "wr0ng", "y", "yes", "perhaps", "n"]
    refused = run(path, answers=[*answers, str(port)])
    assert "Compare this SHA-1" in refused.stderr and "cert trust" not in refused.stderr
    assert "does not take the user operator" in refused.stderr
    assert "answer yes or no, in full" in refused.stderr and "answer y or n" in refused.stderr
    assert load(path).servers["plant"].variables == {}
    path.unlink()
    answers = [safe.endpoint, "", "operator", "mistyped", "y", "operator", "secret", "*", str(port)]
    made = run(path, answers=answers)
    assert made.exit_code == 0, made.output
    # What is there may be another configuration's.
    assert (tmp_path / "boiler.password").read_text() == "wr0ng\n"
    secret = tmp_path / "boiler-2.password"
    assert secret.read_text() == "secret\n"
    assert "the password of operator is in %s\n" % secret in made.stdout
    if os.name != "nt":
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert "secret" not in path.read_text("utf-8") and "secret" not in made.output
    assert command.run("check", "--config", str(path)).exit_code == 0


def test_without_answers_a_secured_server_is_told_and_nothing_written(
    safe: Secured, tmp_path: Path
) -> None:
    path = tmp_path / "c.yaml"
    result = run(path, "--endpoint", safe.endpoint, "--defaults")
    assert result.exit_code == common.UNREACHABLE
    assert "opcws cert trust --pki" in result.output
    assert not path.exists()


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("mine")
    result = run(path, "--defaults")
    assert result.exit_code == common.CONFIG_WRONG
    assert "exists; 'opcws browse ENDPOINT --write-config" in result.output
    assert path.read_text() == "mine"


def test_where_nothing_can_be_written_nothing_is_asked(tmp_path: Path) -> None:
    result = run(tmp_path / "no" / "c.yaml", answers=[])
    assert result.exit_code == common.CONFIG_WRONG
    assert result.output.count("\n") == 1 and "there is no directory" in result.output


def test_a_server_that_is_not_there_ends_it_where_nobody_answers(tmp_path: Path) -> None:
    result = run(tmp_path / "c.yaml", "--endpoint", "127.0.0.1:1", "--defaults")
    assert result.exit_code == common.UNREACHABLE
    assert result.output.count("\n") == 1 and "nothing listens there" in result.output
    assert not list(tmp_path.iterdir())


def test_leaving_in_the_middle_writes_nothing(plant: support.PlantProcess, tmp_path: Path) -> None:
    # In a process of its own: click's runner knows no end of the input.
    words = [sys.executable, "-m", "opcws", "init", "--output", str(tmp_path / "c.yaml")]
    result = subprocess.run(
        words,
        input=plant.endpoint + "\n",
        capture_output=True,
        text=True,
        timeout=3 * support.PATIENCE,
    )
    assert (result.returncode, result.stdout.strip()) == (common.INTERRUPTED, "")
    assert result.stderr.endswith("opcws: stopped; nothing was written\n"), result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_on_a_terminal_answers_are_edited_and_the_password_is_not_shown(
    safe: Secured, tmp_path: Path
) -> None:
    pytest.importorskip("readline")
    words = ("-m", "opcws", "init", "--output", str(tmp_path / "c.yaml"))
    with PseudoTerminal(*words, "--endpoint", safe.endpoint) as terminal:
        terminal.answer("2/5", b"x1\x1b[D\x7f\n")  # the arrow to the left, backspace
        terminal.answer("3/5", b"operator\n")
        terminal.answer("Password of", b"s3cr\n")
        terminal.answer("Trust this certificate", b"\x03")
        assert terminal.ended() == common.INTERRUPTED
    assert terminal.text.endswith("opcws: stopped; nothing was written\r\n")
    assert "s3cr" not in terminal.text
    assert not (tmp_path / "c.yaml").exists()


#: opcws, to which Ctrl-C comes between the moment a question is shown and that in which readline
#: begins to wait for keys: then the signal interrupts nothing.
_CTRL_C_TOO_EARLY = """
import ctypes, readline
from opcws.__main__ import main

hook = ctypes.c_void_p.in_dll(ctypes.CDLL(readline.__file__), "rl_pre_input_hook")
hook.value = ctypes.cast(ctypes.pythonapi.PyErr_SetInterrupt, ctypes.c_void_p).value
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs GNU readline in a shared library")
def test_ctrl_c_is_heard_that_comes_before_the_wait_for_an_answer(tmp_path: Path) -> None:
    pytest.importorskip("readline")
    words = ("-c", _CTRL_C_TOO_EARLY, "init", "--output", str(tmp_path / "c.yaml"))
    with PseudoTerminal(*words) as terminal:
        assert terminal.ended() == common.INTERRUPTED
    assert "1/5" in terminal.text
    assert terminal.text.endswith("opcws: stopped; nothing was written\r\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text, host, port",
    [
        ("8082", "127.0.0.1", 8082),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("hmi", "hmi", 8081),
        ("::1", "::1", 8081),
        ("[::1]", "::1", 8081),
        ("[::1]:9", "::1", 9),
    ],
)
def test_an_address_to_listen_on_is_understood(text: str, host: str, port: int) -> None:
    assert init.parse_listen(text) == {"host": host, "port": port}


@pytest.mark.parametrize("text", ["", "h:", "h:99999", "h:http", "a b", "70000", "h:²", "²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no address to listen on"):
        init.parse_listen(text)
