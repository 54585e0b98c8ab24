"""What people find in a history file, while a recorder writes it and when none does."""

import contextlib
import json
import sqlite3
import zlib
from pathlib import Path
from typing import Any, List, Sequence

import pytest
from click.testing import CliRunner

from opcws.cli.main import main
from opcws.model.errors import ConfigError
from opcws.recorder import inspection
from opcws.recorder.writer import BLOCK

from ..support import wait_until
from . import SECOND, T0, Running, number, row, variable

FOREVER = 2**62


def exported(path: Path, start: int = 0, end: int = FOREVER) -> List[Any]:
    found = inspection.values(str(path), lambda name: name == "Level", start, end)
    return [value.value.value for _name, value, _namespaces in found if value.value]


def wait_exported(path: Path, number: int) -> None:
    """Until so many values are in the file."""

    def are_there() -> bool:
        with contextlib.suppress(ConfigError):  # no file yet
            return len(exported(path)) == number
        return False

    wait_until(are_there, "%d values in the file" % number)


def test_each_value_is_exported_once_from_blocks_and_behind_them(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    many = 3 * BLOCK + 5
    with Running(path, variable(), variable("Other")) as running:
        running.take([row(each, T0 + each * SECOND) for each in range(many)])
        running.take([row(-1.0, T0)], variable("Other"))
        wait_exported(path, many)
        found = inspection.values(str(path), lambda name: True, 0, FOREVER)
        assert next(found)[:2] == ("Level", number(0.0, T0))
        # What comes while it is read is not in it, though it goes into blocks.
        running.take([row(each, T0 + each * SECOND) for each in range(many, 2 * many)])
        wait_exported(path, 2 * many)
        rest = [value.value.value for _name, value, _namespaces in found if value.value]
        assert rest == [*range(1, many), -1.0]
    assert exported(path) == [*range(2 * many)]
    span = T0 + 1000 * SECOND, T0 + 1999 * SECOND
    assert exported(path, *span) == [*range(1000, 2000)]


def test_a_look_tells_what_there_is_and_whether_it_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with Running(path, variable(), variable("Other")) as running:
        running.take([row(each, T0 + each * SECOND) for each in range(BLOCK + 9)])
        wait_exported(path, BLOCK + 9)
        look = inspection.look(str(path))
        assert look.recording and look.bytes > 0
        level, other = look.series
        assert level[:2] == ("Level", "plant") and level.now and other.now
        assert level[4:] == (BLOCK + 9, T0, T0 + (BLOCK + 8) * SECOND)
        assert other[4:] == (0, 0, 0)
    with Running(path, variable("Other")):
        wait_until(lambda: not inspection.look(str(path)).series[0].now, "not recorded any more")
    assert not inspection.look(str(path)).recording


def test_a_vacuum_gives_free_room_back_while_it_is_recorded_into(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with Running(path) as running:
        running.take([row(each / 7, T0 + each * each) for each in range(20 * BLOCK)])
        wait_exported(path, 20 * BLOCK)
    with Running(path, keep_days=1e-6) as running:
        wait_until(lambda: len(exported(path)) < BLOCK, "removed")
        before, after = inspection.vacuum(str(path))
        assert after < before and inspection.look(str(path)).free == 0
        running.take([row(1.0, T0)])
        wait_until(lambda: exported(path)[-1:] == [1.0], "recorded")


def test_values_are_kept_for_ever_if_keep_days_is_0(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with Running(path, keep_days=0) as running:
        running.take([row(each, T0 + each * SECOND) for each in range(2 * BLOCK)])
        # Behind two commits, each with a look at what is too old.
        for expected in (2 * BLOCK + 1, 2 * BLOCK + 2):
            running.take([row(1.0, T0)])
            wait_exported(path, expected)


@pytest.mark.parametrize(
    "content", [None, b"", b"no database, but long enough to look like one" * 9]
)
def test_a_file_that_is_none_is_told(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "history.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as told:
        inspection.look(str(path))
    words = "move it away" if content else "nothing is recorded yet"
    assert words in told.value.problems[0]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history file with a block, and some entries in none."""
    path = tmp_path_factory.mktemp("recorded") / "history.sqlite"
    with Running(path, variable()) as running:
        running.take([row(each, T0 + each * SECOND) for each in range(BLOCK + 9)])
        wait_exported(path, BLOCK + 9)
    return path


@pytest.mark.parametrize(
    ("edit", "values"),
    [
        ("UPDATE blocks SET data = 'text'", ()),
        ("UPDATE blocks SET data = ?", [zlib.compress(b"too short")]),
        ("UPDATE blocks SET data = ?", [zlib.compress(b"\xff" * 99)]),
        ("UPDATE blocks SET first = 'yesterday'", ()),
        ("UPDATE variables SET name = x'ff'", ()),
        ("UPDATE variables SET name = CAST(x'ff' AS TEXT)", ()),
        ("UPDATE variables SET number = 'many'", ()),
        ("DELETE FROM schema_version", ()),
        ("DROP TABLE blocks", ()),
        ("ALTER TABLE blocks RENAME COLUMN data TO mine", ()),
    ],
)
def test_a_file_that_was_edited_by_hand_is_told_in_a_sentence(
    recorded: Path, tmp_path: Path, edit: str, values: Sequence[bytes]
) -> None:
    path = tmp_path / "history.sqlite"
    with contextlib.closing(sqlite3.connect(str(path))) as copy:
        with contextlib.closing(sqlite3.connect(str(recorded))) as file:
            file.backup(copy)
        copy.execute(edit, values)
        copy.commit()
    config = tmp_path / "opcws.yaml"
    plant = {"endpoint": "opc.tcp://127.0.0.1:4840", "variables": {"Level": {"node": "i=2258"}}}
    config.write_text(json.dumps({"state_dir": str(tmp_path), "servers": {"plant": plant}}))
    asked = ["record", "export", "--csv", "--config", str(config)]
    told = CliRunner().invoke(main, asked)
    assert isinstance(told.exception, SystemExit) and told.exit_code == 1
    assert "another program than opcws has written into the file; move it away" in told.output
    # It may be good for those who ask less of it.
    for command in ("status", "vacuum"):
        told = CliRunner().invoke(main, ["record", command, "--config", str(config)])
        assert told.exit_code in (0, 1) and not isinstance(told.exception, Exception)
