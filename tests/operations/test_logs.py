"""Lines of the log: whom each is about."""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterable, List, Optional

import pytest

from opcws.model import atomic_file
from opcws.operations.connection_id import ConnectionId
from opcws.operations.logs import JsonFormatter, RotatedFile, TextFormatter, about, ended

from ..support import PATIENCE


def record(thread: str, message: str, *args: Any) -> logging.LogRecord:
    made = logging.LogRecord("opcws.x", logging.INFO, "x.py", 1, message, args, None)
    made.threadName = thread
    return made


@pytest.mark.parametrize(
    ("thread", "server"),
    [
        ("opcws-ua-plant-rx", "plant"),
        ("opcws-ua-plant-ops", "plant"),
        ("opcws-ua-plant-watch", "plant"),
        ("opcws-ua-plant-bye", "plant"),
        ("opcws-ua-plant-slow-2", "plant"),
        ("opcws-ua-plant-own-2", "plant"),
        ("opcws-ua-plant-member-1", "plant"),
        ("opcws-relay-plant", "plant"),
        ("opcws-ua-a-ops-b-slow-1", "a-ops-b"),
        ("opcws-relay-north ü", "north ü"),
        ("opcws-accept-8081", None),
        ("opcws-ws-1", None),
        ("MainThread", None),
    ],
)
def test_a_line_of_a_plants_thread_is_about_its_server(thread: str, server: Optional[str]) -> None:
    assert about(record(thread, "late")).server == server
    line = json.loads(JsonFormatter().format(record(thread, "late")))
    assert line.get("server") == server


@pytest.mark.parametrize("thread", ["opcws-ws-17", "opcws-ws-17-out"])
def test_a_line_of_a_connections_thread_is_about_the_connection(thread: str) -> None:
    """Whoever wrote it, a library too."""
    line = record(thread, "frame is odd")
    assert json.loads(JsonFormatter().format(line))["connection"] == "opcws-ws-17"
    assert TextFormatter().format(line).endswith(" opcws-ws-17: frame is odd")


def test_a_line_of_another_thread_that_names_a_connection_is_about_it() -> None:
    line = record("opcws-ua-plant-ops", "%s: cannot answer %s", ConnectionId("opcws-ws-9"), "READ")
    told = json.loads(JsonFormatter().format(line))
    assert (told["connection"], told["server"]) == ("opcws-ws-9", "plant")
    assert told["message"] == "opcws-ws-9: cannot answer READ"


def test_a_connection_that_a_line_names_goes_before_that_of_its_thread() -> None:
    line = record("opcws-ws-1", "made room for %s", ConnectionId("opcws-ws-2"))
    assert about(line).connection == "opcws-ws-2"


def test_a_text_of_a_client_that_looks_like_an_id_is_none() -> None:
    line = record("opcws-ua-plant-ops", "unknown name %s", "opcws-ws-1")
    assert about(line).connection is None


def test_a_line_that_begins_with_its_subject_does_not_say_it_twice() -> None:
    line = record("opcws-ws-3", "%s: left", ConnectionId("opcws-ws-3"))
    assert TextFormatter().format(line).endswith("INFO    opcws-ws-3: left")
    line = record("opcws-relay-plant", "%s: late", "plant")
    assert TextFormatter().format(line).endswith("INFO    plant: late")
    line = record("opcws-ws-1", "opcws-ws-12 made room")
    assert TextFormatter().format(line).endswith("opcws-ws-1: opcws-ws-12 made room")


def test_a_line_about_nobody_has_neither_member() -> None:
    told = json.loads(JsonFormatter().format(record("MainThread", "listening")))
    assert not {"connection", "server"} & set(told)
    assert TextFormatter().format(record("MainThread", "listening")).endswith("INFO    listening")


def test_what_a_peer_sent_begins_no_line_of_its_own_and_a_traceback_is_kept() -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        line = record("opcws-ws-4", "refused: %s", "a\r\nb")
        line.exc_info = sys.exc_info()
    text = TextFormatter().format(line)
    assert "opcws-ws-4: refused: a\\r\\nb" in text.splitlines()[0]
    assert text.endswith("ValueError: odd")
    assert json.loads(JsonFormatter().format(line))["traceback"].endswith("ValueError: odd")


#: What a certificate, an ApplicationUri or a node can be called.
NASTY = "\x1b]0;owned\x07\x1b[2K\x9b1A\x85 \u202eforged\u2028\ud800\ta\nb"


def test_no_control_character_reaches_a_terminal_that_shows_the_log(tmp_path: Path) -> None:
    file = RotatedFile(str(tmp_path / "log"), 0, 0)
    file.setFormatter(TextFormatter())
    try:
        raise ValueError(NASTY)
    except ValueError:
        line = record("opcws-ua-%s-watch" % NASTY, "not trusted: %s", NASTY)
        line.exc_info = sys.exc_info()
    file.handle(line)
    file.close()
    text = (tmp_path / "log").read_text("utf-8")
    assert text.count("forged") == 3
    assert all(each.isprintable() for each in text.replace("\n", "")), ascii(text)
    first, *traceback = text.splitlines()
    assert all(each.startswith("  ") for each in traceback[1:]), "what a peer sent begins a line"


def test_a_thread_that_a_defect_ends_tells_the_log_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threading, "excepthook", ended)
    thread = threading.Thread(target=lambda: [][0], name="opcws-ua-plant-watch")
    thread.start()
    thread.join(PATIENCE)
    (line,) = caplog.records
    assert line.getMessage() == "opcws-ua-plant-watch has ended, which is a defect"
    assert line.levelname == "ERROR" and "IndexError" in caplog.text
    assert about(line).server == "plant"


# --- the file ----------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "opcws.log"


def logged(path: Path, backups: int, numbers: Iterable[int]) -> None:
    """Log a line for each of *numbers* to *path*, which may have room for two."""
    handler = RotatedFile(str(path), 25, backups)
    for number in numbers:
        handler.emit(record("MainThread", "line %04d", number))
    handler.close()


def lines(*paths: Path) -> List[str]:
    return [line for path in paths for line in path.read_text("utf-8").splitlines()]


def test_a_full_file_is_renamed_and_the_oldest_goes(path: Path) -> None:
    logged(path, 2, range(9))
    older = [path.with_name("opcws.log.%d" % number) for number in (2, 1)]
    assert lines(*older, path) == ["line %04d" % number for number in range(4, 9)]
    assert sorted(path.parent.iterdir()) == sorted([path, *older])


def test_without_renamed_files_the_log_begins_anew_when_it_is_full(path: Path) -> None:
    logged(path, 0, range(9))
    assert lines(path) == ["line 0008"]
    assert list(path.parent.iterdir()) == [path]


def test_while_the_file_cannot_be_renamed_no_line_is_lost_and_no_older_file(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on Windows while another program reads it."""
    older = path.with_name("opcws.log.1")
    older.write_text("older\n")
    with contextlib.ExitStack() as reading:
        if os.name == "nt":
            path.touch()
            reading.enter_context(path.open())
        else:
            (path.with_name("opcws.log.0") / "something").mkdir(parents=True)
        logged(path, 1, range(9))
    assert lines(path) == ["line %04d" % number for number in range(9)]
    assert lines(older) == ["older"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("backups", [0, 1])
def test_on_windows_one_who_has_the_full_file_open_for_a_moment_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch, backups: int
) -> None:
    refused = 0

    def after_one_refusal(change: Callable[..., None]) -> Callable[..., None]:
        def refuse(*paths: str) -> None:
            nonlocal refused
            refused += 1
            if refused == 1:
                raise PermissionError(13, "somebody reads it")
            change(*paths)

        return refuse

    monkeypatch.setattr(atomic_file, "_READERS_HINDER", True)
    monkeypatch.setattr(os, "replace", after_one_refusal(os.replace))
    monkeypatch.setattr(os, "remove", after_one_refusal(os.remove))
    logged(path, backups, range(3))
    assert refused > 1 and lines(path) == ["line 0002"]


#: Logs while the operating system lets no file grow beyond 100 bytes, then without a limit.
LIMITED = """
import logging, resource, sys
from opcws.operations.logs import RotatedFile

handler = RotatedFile(sys.argv[1], int(sys.argv[2]), 1)
log = logging.getLogger("opcws")
log.addHandler(handler)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
for number in range(20):
    log.warning("line %04d", number)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
log.warning("room again")
log.warning("and on")
"""


@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_FSIZE is of POSIX")
@pytest.mark.parametrize("max_bytes", [0, 120])
def test_what_a_full_disk_does_not_take_is_counted_and_told_once(
    path: Path, max_bytes: int
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), str(max_bytes)],
        stderr=subprocess.PIPE,
        check=True,
        timeout=3 * PATIENCE,
    )
    told = ran.stderr.decode().splitlines()
    assert len(told) == 1 and "cannot write" in told[0] and "too large" in told[0]
    renamed = path.with_name(path.name + ".1")
    written = lines(*([renamed] if max_bytes else []), path)
    assert written[-1] == "and on"
    assert written[:10] == ["line %04d" % number for number in range(10)]
    (lost,) = [each for each in written if each.endswith("could not be written, and are lost")]
    assert 8 <= int(lost.split()[0]) <= 10
