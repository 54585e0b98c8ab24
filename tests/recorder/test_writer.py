"""Blocks, what is too old or too much, files that fail, and a process that is killed."""

import contextlib
import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest

from opcws.model import status_codes
from opcws.model.data_types import STRING, DataValue, Variant
from opcws.model.errors import ServiceError
from opcws.recorder import history_file, reader, writer
from opcws.recorder.series import key_of
from opcws.wire.timestamps import timestamp_text

from .. import ROOT
from ..support import PATIENCE, wait_until
from ..support.waiting import slack_s
from . import SECOND, T0, Running, number, numbers, query, row, update, variable

OUT_OF_SERVICE = status_codes.code("BadOutOfService")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits at every turn, small blocks, and a file that is tried again at once."""
    for name, value in {
        **{"GATHER_S": 0.0, "COMMIT_S": 0.0, "RETRY_S": 0.01, "WORK_S": 0.5},
        **{"BLOCK": 16, "LARGE": 3000, "MOST": 24, "JOURNAL_ROWS": 3, "SPARE_PAGES": 0},
    }.items():
        monkeypatch.setattr(writer, name, value)


def stored(path: Path, sql: str) -> int:
    """The number that *sql* asks for; 0 while there is none."""
    connection = sqlite3.connect(str(path), timeout=PATIENCE)
    try:
        return connection.execute(sql).fetchone()[0] or 0
    except sqlite3.OperationalError:  # no table yet
        return 0
    finally:
        connection.close()


# --- blocks --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("seed", range(4))
def test_every_entry_is_there_once_whatever_becomes_of_it(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "history.sqlite"
    variables = [variable(name) for name in ("Quick", "Slow", "Words")]
    expected: Dict[str, List[Any]] = {each.name: [] for each in variables}
    for _start in range(3):
        with Running(path, *variables) as running:
            for _ in range(60):
                of = chance.choice(variables[:1] * 8 + variables)
                count = chance.choice((1, 2, 40 if of.name == "Quick" else 1))
                for _ in range(count):
                    place = len(expected[of.name])
                    text = "%s %d" % (of.name, place)
                    value = number(float(place), T0 + place * SECOND)
                    if of.name == "Words" or not chance.randrange(20):
                        value = value._replace(value=Variant(STRING, text))
                    expected[of.name].append(value)
                    running.take([update(value)], of)
                if not chance.randrange(8):
                    running.values(of)
            for of in variables:
                found = [each for each in running.values(of) if each.status != OUT_OF_SERVICE]
                assert found == expected[of.name]
                backwards = sum(running.pages(query(2**62, 1, 7, of=of)), [])
                assert [e for e in backwards if e.status != OUT_OF_SERVICE] == found[::-1]
    assert stored(path, "SELECT max(count) FROM blocks") <= 24
    assert stored(path, "SELECT count(*) FROM journal") <= 5


@pytest.mark.usefixtures("hasty")
def test_a_tail_that_becomes_a_block_while_it_is_read_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    level, other = variable(), variable("Other")
    with Running(path, level, other) as running:

        def is_in_blocks(count: int) -> bool:
            # What is recorded of another variable makes the tail of this one old.
            running.take([row(0.0, T0)], other)
            running.values(other)
            return stored(path, "SELECT sum(count) FROM blocks WHERE variable = 1") == count

        running.take([row(float(each), T0 + each) for each in range(5)])
        wait_until(lambda: is_in_blocks(5), "a short block")
        running.take([row(float(each), T0 + each) for each in range(5, 10)])
        running.values()
        view = running.recorder._reader._view(key_of(level))
        wait_until(lambda: is_in_blocks(10), "a longer block in its place")
        file = history_file.HistoryFile(str(path))
        for backwards in (False, True):
            runs = reader.found(file, view, 0, 2**62, 0, view.stop, backwards)
            places = [number + place for number, _run, found in runs for place in found]
            assert sorted(places) == [*range(10)]
            assert places == sorted(places, reverse=backwards)
        file.close()


@pytest.mark.usefixtures("hasty")
def test_the_tails_are_bounded_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "TAIL_BYTES", 10_000)
    monkeypatch.setattr(writer, "BLOCK", 100_000)
    monkeypatch.setattr(writer, "JOURNAL_ROWS", 100_000)
    path = tmp_path / "history.sqlite"
    variables = [variable("V%d" % each) for each in range(5)]
    with Running(path, *variables) as running:
        for place in range(400):
            for of in variables[: 1 + place % 5]:
                running.take([row(float(place), T0 + place * SECOND)], of)
        assert len(running.values(variables[0])) == 400
        wait_until(lambda: stored(path, "SELECT sum(count) FROM blocks") > 800, "blocks")
        assert len(running.values(variables[0])) == 400


def test_of_what_cannot_wait_the_latest_is_recorded_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_WAITING", 3)
    running = Running(tmp_path / "history.sqlite")
    running.take([row(float(each), T0 + each) for each in range(3)])
    for each in (7, 8):
        running.take([row(float(each), T0 + each)])
    assert running.recorder.dropped == 1
    with running:
        wait_until(lambda: not running.recorder.backlog, "the first ones are taken")
        running.take([row(10.0, T0 + 10)])
        assert numbers(running.values()) == [0, 1, 2, 8, 10]
        statuses = [each.status for each in running.values()]
        assert statuses == [0, 0, 0, status_codes.OVERFLOW, 0]
    assert running.recorder.dropped == 1


# --- what is too old, or too much ----------------------------------------------------------------


@pytest.mark.usefixtures("hasty")
def test_what_is_too_old_goes_but_for_the_value_that_still_holds(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    level, gone = variable("Level"), variable("Gone")
    with Running(path, level, gone) as running:
        for of in (level, gone):
            running.take([row(float(each), T0 + each) for each in range(100)], of)
        wait_until(lambda: stored(path, "SELECT sum(count) FROM blocks") == 200, "blocks")
        first = running.page(query(most=1))
        assert numbers(first.values) == [0.0]
        running.recorder.change([(level, 0.0, 0.0)], 1e-6, 2**31)

        def is_purged() -> bool:
            running.take([row(1.0, T0)], level)  # an end of what is done in peace
            return len(running.values(level)) < 50 and not running.values(gone)[:-1]

        wait_until(is_purged, "the old ones have gone")
        assert running.recorder.status()["Values"] < 60
        with pytest.raises(ServiceError) as refused:
            running.page(query()._replace(continuation_point=first.continuation_point))
        assert refused.value.status == "BadContinuationPointInvalid"
        assert "were removed meanwhile" in refused.value.reason


@pytest.mark.usefixtures("hasty")
def test_the_oldest_goes_when_it_is_too_much(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    quiet = variable("Quiet")
    words = [Variant(STRING, "%064x" % random.Random(each).getrandbits(256)) for each in range(300)]
    most = 200_000
    with Running(path, variable(), quiet, max_bytes=most) as running:
        running.take([row(7.0, T0)], quiet)
        place = 0
        for _ in range(60):
            values = [DataValue(each, 0, T0 + place + n) for n, each in enumerate(words)]
            place += len(values)
            running.take([update(each) for each in values])
            running.page(query(most=1))

        def in_peace() -> List[DataValue]:
            with contextlib.suppress(ServiceError):  # some went while it was read
                found = running.values()
                tidied = not (running.recorder._writer._behind or running.recorder._writer._dirty)
                return found if tidied and len(found) < place else []
            return []

        found = wait_until(in_peace, "the oldest has gone, and nothing more has to go")
        # What there is is the newest, without a hole.
        first = T0 + place - len(found)
        assert [each.source_timestamp for each in found] == [*range(first, T0 + place)]
        assert numbers(running.values(quiet))[0] == 7.0
    assert os.path.getsize(str(path)) <= most


@pytest.mark.usefixtures("hasty")
def test_the_oldest_entry_is_told_where_short_blocks_were_stored_anew(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    slow, quick = variable("Slow"), variable("Quick")
    with Running(path, slow, quick) as running:
        for place in range(200):
            if not place % 20:
                running.take([update(number(1.0 * place, T0 + place * SECOND))], slow)
            running.take([update(number(1.0 * place, T0 + (place + 1) * SECOND))], quick)
        running.values(quick)
        assert running.recorder.status()["Oldest"] == timestamp_text(T0)


# --- files that fail -----------------------------------------------------------------------------


def failure(running: Running, caplog: pytest.LogCaptureFixture) -> str:
    """What is said, once, of a recorder that cannot record."""
    wait_until(lambda: running.recorder.failed, "it is known")
    (line,) = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    reason: str = running.recorder.status()["Reason"]
    assert running.recorder.status()["State"] == "failed"
    assert reason in line
    return reason


@pytest.mark.usefixtures("hasty")
def test_a_broken_file_stops_recording_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"nothing that SQLite would write" * 1000)
    with Running(path) as running:
        assert "the file is broken; move it away" in failure(running, caplog)
        running.take([row(1.0, T0), row(2.0, T0 + 1)])
        wait_until(lambda: running.recorder.dropped, "what comes is counted")
        with pytest.raises(ServiceError) as refused:
            running.page(query())
        assert "recording has stopped" in refused.value.reason
        caplog.clear()
        path.unlink()
        wait_until(lambda: not running.recorder.failed, "it goes on")
        assert ["goes on" in each.getMessage() for each in caplog.records] == [True]
        running.take([row(3.0, T0 + 2)])
        # The latest of what came meanwhile, and what comes.
        assert numbers(running.values()) == [2.0, 3.0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a file that is open")
@pytest.mark.usefixtures("hasty")
def test_a_file_that_is_removed_is_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "history.sqlite"
    with Running(path) as running:
        running.take([row(1.0, T0)])
        running.values()
        for each in tmp_path.glob("history.sqlite*"):
            each.unlink()
        running.take([row(2.0, T0 + 1)])
        wait_until(lambda: "was removed or replaced" in caplog.text, "it is told")
        wait_until(lambda: not running.recorder.failed, "it goes on")
        running.take([row(3.0, T0 + 2)])
        assert numbers(running.values()) == [2.0, 3.0]
        assert path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a file that is open")
@pytest.mark.usefixtures("hasty")
def test_what_is_beside_the_file_is_missed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "history.sqlite"
    with Running(path) as running:
        running.take([row(1.0, T0)])
        running.values()
        for each in ("-wal", "-shm"):
            Path(str(path) + each).unlink()
        running.take([row(2.0, T0 + 1)])
        wait_until(lambda: "was removed or replaced" in caplog.text, "it is told")
        wait_until(lambda: not running.recorder.failed, "it goes on")
        running.take([row(3.0, T0 + 2)])
        assert numbers(running.values())[-1] == 3.0
    with Running(path) as running:
        assert 3.0 in numbers(running.values())


def test_a_file_of_something_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "history.sqlite"
    connection = sqlite3.connect(str(path))
    with connection:
        connection.execute("CREATE TABLE customers(name TEXT)")
    connection.close()
    with Running(path) as running:
        assert "is not a history file of opcws" in failure(running, caplog)


def test_an_older_file_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.sqlite"
    with Running(path) as running:
        running.take([row(1.0, T0)])
    more = (*history_file.MIGRATIONS, "CREATE TABLE more(x);", "INSERT INTO more VALUES(7);")
    monkeypatch.setattr(history_file, "MIGRATIONS", more)
    with pytest.raises(history_file.Unusable):
        history_file.HistoryFile(str(path))
    for _ in range(2):
        with Running(path) as running:
            assert numbers(running.values())[0] == 1.0
    assert stored(path, "SELECT version FROM schema_version") == 3
    assert stored(path, "SELECT sum(x) FROM more") == 7


def test_another_opcws_has_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "history.sqlite"
    with Running(path) as first:
        first.values()
        with Running(path) as second:
            assert "another opcws records into" in failure(second, caplog)
        first.take([row(1.0, T0)])
        assert numbers(first.values()) == [1.0]


def test_a_newer_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "history.sqlite"
    with Running(path):
        pass
    connection = sqlite3.connect(str(path))
    with connection:
        connection.execute("UPDATE schema_version SET version = 99")
    connection.close()
    with Running(path) as running:
        assert "was written by a newer opcws (schema 99" in failure(running, caplog)


def test_a_directory_that_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("no directory")
    with Running(tmp_path / "state" / "history.sqlite") as running:
        reason = failure(running, caplog)
        assert str(tmp_path / "state") in reason


@pytest.mark.usefixtures("hasty")
def test_a_full_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SQLite's own limit answers as a disk does.
    room = {"pages": 1}  # no more than there are
    connect = history_file.HistoryFile._connect

    def limited(file: history_file.HistoryFile, create: bool) -> sqlite3.Connection:
        connection = connect(file, create)
        connection.execute("PRAGMA max_page_count = %d" % room["pages"])
        return connection

    monkeypatch.setattr(history_file.HistoryFile, "_connect", limited)
    words = [update(DataValue(Variant(STRING, os.urandom(9000).hex()), 0, T0)) for _ in range(20)]
    path = tmp_path / "history.sqlite"
    with Running(path) as running:
        running.take([row(1.0, T0)])
        assert numbers(running.values()) == [1.0]
        wait_until(lambda: stored(path, "SELECT count(*) FROM journal"), "it is committed")
        running.take(words)
        assert "the disk is full; make room" in failure(running, caplog)
        # What was recorded is there all the same.
        assert numbers(running.values())[0] == 1.0
        room["pages"] = 10_000
        wait_until(lambda: not running.recorder.failed, "it goes on")
        found = running.values()
        assert numbers(found[:2]) == [1.0, hex(OUT_OF_SERVICE)]
        # What it is now, and since when that is known again.
        assert [each.value for each in found[2:]] == [words[-1][1][1].value]
        running.take(words)
        assert len(running.values()) == 3 + len(words)


def test_who_asks_just_when_the_disk_is_full_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_row: str) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    running = Running(tmp_path / "history.sqlite")
    with running:
        running.take([row(1.0, T0)])
        running.values()
        monkeypatch.setattr(running.recorder._writer._file, "add_variable", full)
        running.recorder.change([(variable("More"), 0.0, 0.0)], 30.0, 2**31)
        assert numbers(running.values())[0] == 1.0
        assert running.recorder.failed


@pytest.mark.usefixtures("hasty")
def test_a_spoilt_block_is_told_to_who_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with Running(path) as running:
        running.take([row(float(each), T0 + each) for each in range(20)])
        wait_until(lambda: stored(path, "SELECT count(*) FROM blocks"), "a block")
        connection = sqlite3.connect(str(path), timeout=PATIENCE)
        with connection:
            connection.execute("UPDATE blocks SET data = x'00112233'")
        connection.close()
        with pytest.raises(ServiceError) as refused:
            running.values()
        assert refused.value.status == "BadResourceUnavailable"
        assert "the file is broken" in refused.value.reason


def test_a_defect_is_one_value_and_not_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Running(tmp_path / "history.sqlite") as running:
        running.take([row(1.0, T0), update(DataValue(Variant(STRING, object()), 0, T0 + 1))])
        running.take([row(2.0, T0 + 2)])
        bad = hex(status_codes.code("BadEncodingError"))
        assert numbers(running.values()) == [1.0, bad, 2.0]
        assert "Level cannot be recorded" in caplog.text


# --- a process that is killed --------------------------------------------------------------------


def test_a_kill_costs_at_most_the_last_second(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    following = 0
    for _kill in range(3):
        command = [sys.executable, "-m", "tests.recorder.numbering", str(path), str(following)]
        told: List[Any] = []
        with subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                told.append((time.monotonic(), int(line)))
                if told[-1][0] - told[0][0] > 1.2:
                    break
            killed = time.monotonic()
            process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
            process.stdout.read()
        safe = killed - 1.0 * slack_s() / 5.0
        with Running(path) as running:
            found = [each.value.value for each in running.values() if each.value is not None]
        # Without a hole, and as far as it must go.
        assert found == [*range(len(found))]
        assert len(found) > max([value for moment, value in told if moment <= safe], default=0)
        following = len(found)
