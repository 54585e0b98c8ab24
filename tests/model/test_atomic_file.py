"""A file is written whole or not at all."""

import os
import stat
from pathlib import Path
from typing import Any, List

import pytest

from opcws.model import atomic_file
from opcws.model.atomic_file import replacing


def names(directory: Path) -> List[str]:
    return sorted(each.name for each in directory.iterdir())


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with replacing(str(path)) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_only_its_owner_can_read_it_until_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with replacing(str(path)) as file:
        assert stat.S_IMODE(os.stat(file.name).st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with replacing(str(path)) as file:
        os.chmod(file.name, 0o644)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_ends_early_leaves_everything_as_it_was(tmp_path: Path, error: Any) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(error), replacing(str(path)) as file:
        file.write(b"ne")
        raise error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_with_a_name_for_the_meanwhile_there_is_one_at_a_time(tmp_path: Path) -> None:
    path, meanwhile = str(tmp_path / "a"), str(tmp_path / "a.new")
    with replacing(path, meanwhile) as file:
        file.write(b"first")
        with pytest.raises(FileExistsError), replacing(path, meanwhile):
            pass
    assert Path(path).read_bytes() == b"first"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(("windows", "refusals"), [(True, 3), (True, 10**6), (False, 1)])
def test_a_file_that_is_being_read_is_waited_for_on_windows_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: bool, refusals: int
) -> None:
    tried: List[str] = []
    replace = os.replace

    def refuse(new: str, path: str) -> None:
        tried.append(new)
        if len(tried) <= refusals:
            raise PermissionError(13, "somebody reads it")
        replace(new, path)

    monkeypatch.setattr(atomic_file, "_READERS_HINDER", windows)
    monkeypatch.setattr(atomic_file, "PAUSE_S", 0)
    monkeypatch.setattr(atomic_file.os, "replace", refuse)
    path = tmp_path / "a"
    if windows and refusals < atomic_file.TRIES:
        with replacing(str(path)) as file:
            file.write(b"new")
        assert path.read_bytes() == b"new"
        return
    with pytest.raises(PermissionError), replacing(str(path)):
        pass
    assert len(tried) == (atomic_file.TRIES if windows else 1)
    assert names(tmp_path) == []
