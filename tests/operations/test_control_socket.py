"""The way of `opcws reload` and `opcws stop` to the opcws that runs."""

import json
import os
import socket
import stat
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from opcws.model.deadline import Deadline
from opcws.model.errors import ControlError
from opcws.operations import control_socket
from opcws.operations.control_socket import Control, ask, control_file

from .. import support
from ..support import PATIENCE, no_threads_left, wait_until

CONFIG = "opcws.yaml"


class Running:
    """A control with one command that counts how often it was given."""

    def __init__(self, directory: Path) -> None:
        self.state_dir = str(directory / "state")
        self.config = str(directory / CONFIG)
        self.given = 0
        self.control = Control(self.state_dir, self.config, {"reload": self._reload})
        self.control.start()

    def _reload(self) -> Dict[str, Any]:
        self.given += 1
        return {"changes": ["x"]}

    @property
    def place(self) -> Dict[str, Any]:
        return dict(json.loads(Path(self.control.path).read_text()))

    def raw(self, data: bytes) -> bytes:
        """What is answered to *data*, until the end."""
        with socket.create_connection(("127.0.0.1", self.place["port"]), PATIENCE) as sock:
            try:
                sock.sendall(data)
                return b"".join(iter(lambda: sock.recv(4096), b""))
            except ConnectionResetError:
                return b""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    found = Running(tmp_path)
    yield found
    found.control.stop(Deadline(PATIENCE))
    no_threads_left()


def test_who_can_read_the_file_is_answered(running: Running) -> None:
    assert ask(running.state_dir, running.config, "reload", PATIENCE) == {"changes": ["x"]}
    assert running.given == 1


@pytest.mark.skipif(os.name == "nt", reason="select has another limit on Windows")
def test_it_answers_too_if_a_thousand_clients_came_first(tmp_path: Path) -> None:
    with support.crowded():
        late = Running(tmp_path)
        try:
            assert ask(late.state_dir, late.config, "reload", PATIENCE) == {"changes": ["x"]}
        finally:
            late.control.stop(Deadline(PATIENCE))


def test_it_answers_again_when_there_are_files_to_open_again(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    resource = pytest.importorskip("resource", reason="not run: this system has no such limit")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    port = running.place["port"]
    with socket.socket() as sock:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (sock.fileno() + 1, limits[1]))
            sock.connect(("127.0.0.1", port))
            wait_until(lambda: "Too many open files" in caplog.text, "no file is left")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert ask(running.state_dir, running.config, "reload", PATIENCE) == {"changes": ["x"]}


@pytest.mark.skipif(os.name == "nt", reason="its rights are those of the directory there")
def test_only_the_owner_can_read_the_file_or_list_its_directory(running: Running) -> None:
    assert stat.S_IMODE(os.stat(running.control.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(running.state_dir).st_mode) == 0o700


def test_it_listens_on_the_loopback_interface_only(running: Running) -> None:
    assert running.control._sock is not None
    assert running.control._sock.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "request_",
    [
        {"secret": "guess", "command": "reload"},
        {"secret": "", "command": "reload"},
        {"secret": "\ud800", "command": "reload"},
        {"command": "reload"},
        {"secret": None, "command": "reload"},
        ["secret"],
        7,
    ],
    ids=str,
)
def test_a_wrong_secret_is_refused_and_nothing_is_done(
    running: Running, request_: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "REFUSAL_S", 0.01)
    answer = running.raw(json.dumps(request_).encode() + b"\n")
    assert json.loads(answer) == {"problems": ["the secret is wrong"]}
    assert running.given == 0


def test_what_is_no_request_costs_nobody_else_anything(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "REFUSAL_S", 0.01)
    assert running.raw(b"x" * 10 * control_socket.MAX_REQUEST_BYTES) == b""
    assert b"wrong" in running.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"wrong" in running.raw(b"[" * 4000 + b"\n")
    with monkeypatch.context() as impatient:
        impatient.setattr(control_socket, "REQUEST_S", 0.1)
        assert running.raw(b"") == b""  # says nothing for REQUEST_S
    assert ask(running.state_dir, running.config, "reload", PATIENCE) == {"changes": ["x"]}


def test_a_command_that_is_not_known_is_refused(running: Running) -> None:
    answer = ask(running.state_dir, running.config, "explode", PATIENCE)
    assert answer == {"problems": ["this opcws knows no command 'explode'"]}


def test_a_defect_in_a_command_does_not_end_it(tmp_path: Path) -> None:
    def explode() -> Dict[str, Any]:
        raise RuntimeError("oops")

    found = Control(str(tmp_path), CONFIG, {"explode": explode, "reload": lambda: {}})
    found.start()
    try:
        with pytest.raises(ControlError):
            ask(str(tmp_path), CONFIG, "explode", PATIENCE)
        assert ask(str(tmp_path), CONFIG, "reload", PATIENCE) == {}
    finally:
        found.stop(Deadline(PATIENCE))


def test_who_asks_for_the_end_is_answered_when_the_process_has_ended(tmp_path: Path) -> None:
    """Here it goes on: the connection is what would end with it."""
    asked = threading.Event()
    found = Control(str(tmp_path), CONFIG, {}, asked.set)
    found.start()
    place = json.loads(Path(found.path).read_text())
    try:
        with pytest.raises(ControlError, match="opcws did not end in time"):
            ask(str(tmp_path), CONFIG, "stop", 0.5)
        assert asked.is_set()
        asked.clear()
        with socket.create_connection(("127.0.0.1", place["port"]), PATIENCE) as sock:
            sock.sendall(b'{"secret": "guess", "command": "stop"}\n')
            assert b"wrong" in sock.makefile("rb").read()
        assert not asked.is_set()
    finally:
        found.stop(Deadline(PATIENCE))


def test_file_and_directory_are_gone_afterwards(tmp_path: Path) -> None:
    found = Running(tmp_path)
    found.control.stop(Deadline(PATIENCE))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ControlError, match="no opcws serves"):
        ask(found.state_dir, found.config, "reload", PATIENCE)


def test_a_directory_that_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    Running(tmp_path).control.stop(Deadline(PATIENCE))
    assert [each.name for each in tmp_path.rglob("*")] == ["state"]


def test_the_file_that_a_killed_opcws_left_is_known_as_such_and_replaced(tmp_path: Path) -> None:
    path = Path(control_file(str(tmp_path / "state"), str(tmp_path / CONFIG)))
    path.parent.mkdir()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: refused
        left = {"port": nobody.getsockname()[1], "secret": "old", "pid": 1}
        path.write_text(json.dumps(left))
        with pytest.raises(ControlError, match="is left over from an opcws that ended abruptly"):
            ask(str(tmp_path / "state"), str(tmp_path / CONFIG), "reload", PATIENCE)
        found = Running(tmp_path)
        try:
            assert ask(found.state_dir, found.config, "reload", PATIENCE) == {"changes": ["x"]}
        finally:
            found.control.stop(Deadline(PATIENCE))


def test_another_program_at_the_port_of_a_killed_opcws_is_not_taken_for_one(tmp_path: Path) -> None:
    path = Path(control_file(str(tmp_path), CONFIG))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)

        def answer() -> None:
            client, _ = other.accept()
            with client:
                client.recv(4096)
                client.sendall(b"220 mail.example\r\n")

        threading.Thread(target=answer, daemon=True).start()
        path.write_text(json.dumps({"port": other.getsockname()[1], "secret": "x", "pid": 1}))
        with pytest.raises(ControlError, match="is not opcws"):
            ask(str(tmp_path), CONFIG, "reload", PATIENCE)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"port": "x"}', pytest.param("\0" * 9000, id="zeros")]
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    Path(control_file(str(tmp_path), CONFIG)).write_text(text)
    with pytest.raises(ControlError, match="no opcws serves"):
        ask(str(tmp_path), CONFIG, "reload", PATIENCE)


def test_a_second_opcws_of_the_same_configuration_leaves_the_first_its_file(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    before = running.place
    second = Control(running.state_dir, running.config, {})
    second.start()
    second.stop(Deadline(PATIENCE))
    assert "another opcws serves the same configuration" in caplog.text
    assert running.place == before
    assert ask(running.state_dir, running.config, "reload", PATIENCE) == {"changes": ["x"]}


def test_two_configurations_in_one_directory_do_not_meet(tmp_path: Path) -> None:
    names: List[str] = ["a.yaml", "b.yaml"]
    found = [
        Control(str(tmp_path), name, {"reload": lambda name=name: {"changes": [name]}})  # type: ignore[misc]
        for name in names
    ]
    for each in found:
        each.start()
    try:
        for name in names:
            assert ask(str(tmp_path), name, "reload", PATIENCE) == {"changes": [name]}
    finally:
        for each in found:
            each.stop(Deadline(PATIENCE))


def test_a_directory_that_cannot_be_written_costs_the_command_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file, not a directory")
    found = Control(str(tmp_path / "state"), CONFIG, {})
    found.start()
    found.stop(Deadline(PATIENCE))
    assert "set state_dir" in caplog.text
    no_threads_left()
