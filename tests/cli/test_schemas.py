"""``opcws schemas``: the folder that it writes is the one in the repository."""

from pathlib import Path
from typing import Dict

from click.testing import CliRunner

from opcws.cli.main import main

from .. import ROOT


def content(folder: Path) -> Dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_it_makes_the_folder_and_tells_how_many_files_are_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "contract"
    result = CliRunner().invoke(main, ["schemas", str(folder)])
    expected = content(ROOT / "schemas")
    assert content(folder) == expected
    assert "wrote %d files of contract " % len(expected) in result.output, result.output


def test_it_replaces_its_own_files_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "ERROR.json").write_text("older", encoding="utf-8")
    (tmp_path / "mine.json").write_text("mine", encoding="utf-8")
    assert CliRunner().invoke(main, ["schemas", str(tmp_path)]).exit_code == 0
    assert content(tmp_path) == {**content(ROOT / "schemas"), "mine.json": b"mine"}


def test_what_cannot_be_written_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "ERROR.json").mkdir()
    result = CliRunner().invoke(main, ["schemas", str(tmp_path)])
    assert result.exit_code == 1
    assert "cannot write %s: " % (tmp_path / "ERROR.json") in result.output.replace("\n", "")
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    result = CliRunner().invoke(main, ["schemas", str(file)])
    assert result.exit_code == 2 and "is a file" in result.output
