"""What ``opcws`` says when a package that it needs cannot be imported."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest
import yaml

from opcws.__main__ import main


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """``opcws``, for which the packages in *folder* come before all others."""
    environment: Dict[str, str] = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "opcws", *arguments],
        capture_output=True,
        env=environment,
        timeout=60,
        text=True,
    )


def broken(folder: Path, package: str, line: str) -> None:
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text(line + "\n", encoding="ascii")


def installed(folder: Path, name: str, version: str, package: str) -> None:
    """Leave what pip leaves beside a package."""
    directory = folder / ("%s-%s.dist-info" % (name.replace("-", "_"), version))
    directory.mkdir()
    (directory / "METADATA").write_text("Name: %s\nVersion: %s\n" % (name, version), "ascii")
    (directory / "RECORD").write_text("%s/__init__.py,,\n" % package, "ascii")


DLL = "DLL load failed while importing _part: The specified procedure could not be found."


@pytest.mark.parametrize(
    "line",
    [
        "raise ImportError(%r, name='_part', path=__file__)" % DLL,
        "raise ImportError(%r, name='yaml._part')" % DLL,
        "raise ImportError(%r)" % DLL,
        "error = OSError(8, %r); error.winerror = 127; raise error" % DLL,
    ],
)
def test_a_package_that_cannot_be_loaded_is_named_with_version_and_remedy(
    tmp_path: Path, line: str
) -> None:
    broken(tmp_path, "yaml", line)
    installed(tmp_path, "PyYAML", "98.7", "yaml")
    done = run(tmp_path, "check")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("opcws: PyYAML 98.7 cannot be loaded: ")
    assert "specified procedure could not be found; " in done.stderr
    assert "pip install --upgrade --force-reinstall opcws" in done.stderr


def test_a_package_whose_parts_are_of_two_releases_is_named(tmp_path: Path) -> None:
    broken(tmp_path, "yaml", "from .nodes import Node")
    (tmp_path / "yaml" / "nodes.py").write_text("", "ascii")
    done = run(tmp_path, "check")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("opcws: PyYAML ") or done.stderr.startswith("opcws: yaml ")


def test_a_package_that_is_missing_is_named(tmp_path: Path) -> None:
    broken(
        tmp_path, "click", "raise ModuleNotFoundError(\"No module named 'click'\", name='click')"
    )
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("opcws: the package click is missing, without which it does not ")


def test_an_error_of_the_system_that_is_about_no_dll_is_not_hidden(tmp_path: Path) -> None:
    broken(tmp_path, "yaml", "raise OSError(2, 'the disk')")
    done = run(tmp_path, "check")
    assert "Traceback" in done.stderr and "the disk" in done.stderr


def test_on_windows_a_page_says_which_python_and_updates_it_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise ImportError(DLL, name="_part", path=yaml.__file__)

    monkeypatch.setattr("opcws.cli.main.main", fails)
    monkeypatch.setattr(sys, "platform", "win32")
    assert main() == 1
    found = re.search(r".*; (.*) says which Python", capsys.readouterr().err)
    assert found and "KB2999226" in Path(found[1]).read_text("utf-8")
