"""scripts/environment.py: which form runs or is tested, what is made for it, and when again."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from . import ROOT

COMPILED = "opcws runs in its compiled form."


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, for a checkout that has next to nothing in it, on a machine with a compiler."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    module = importlib.import_module("environment")
    for name in ("setup.cfg", "setup.py", "opcws/frames.py", "bin/cc.exe", "include/Python.h"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1", encoding="utf-8")
    (tmp_path / "bin" / "cc.exe").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "compiler", lambda: "cc.exe -O1")
    paths = {"include": str(tmp_path / "include")}
    monkeypatch.setattr(module.sysconfig, "get_paths", lambda: paths)
    monkeypatch.delenv("OPCWS_COMPILED", raising=False)
    return module


class Pip:
    """What makes environments and installs, in the place of Python's ``subprocess``; *made* has the
    kinds of what it has made since it was last asked for."""

    PIPE, STDOUT = subprocess.PIPE, subprocess.STDOUT

    def __init__(self) -> None:
        self.compiles = True
        self._made: List[str] = []

    def made(self) -> List[str]:
        made, self._made = self._made, []
        return made

    def call(self, command: List[str], env: Optional[Dict[str, str]] = None) -> int:
        if env is None:
            python = Path(command[-1]) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
            python.parent.mkdir(parents=True)
            python.touch()
        else:
            assert env["OPCWS_COMPILED"] == "0"
            self._made.append("pure")
        return 0

    def run(self, command: List[str], env: Dict[str, str], **_more: object) -> Any:
        assert env["OPCWS_COMPILED"] == "1"
        assert not Path(command[-1]).samefile(Path(command[0]).parents[3]), "a copy is compiled"
        self._made.append("compiled")
        code = 0 if self.compiles else 1
        return subprocess.CompletedProcess(command, code, b"error: it is Monday")


@pytest.fixture
def pip(environment: Any, monkeypatch: pytest.MonkeyPatch) -> Pip:
    pip = Pip()
    monkeypatch.setattr(environment, "subprocess", pip)
    return pip


def start(environment: Any, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said last before opcws runs; which environment it is goes with it."""
    python = environment.prepare_fastest("run")
    said = capsys.readouterr().out.splitlines()[-1]
    assert ("run-compiled-" in python) == (said == COMPILED)
    return str(said)


def test_what_is_compiled_is_so_once_for_each_state_of_the_checkout(
    environment: Any, pip: Pip, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert start(environment, capsys) == COMPILED
    assert pip.made() == ["pure", "compiled"], "what opcws needs, and then opcws itself"
    assert start(environment, capsys) == COMPILED
    assert pip.made() == []
    (tmp_path / "opcws" / "frames.py").write_text("2", encoding="utf-8")
    assert start(environment, capsys) == COMPILED
    assert pip.made() == ["compiled"]


def test_what_cannot_be_compiled_is_tried_again_when_something_has_changed(
    environment: Any, pip: Pip, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pip.compiles = False
    for made in (["pure", "compiled", "pure"], []):
        said = start(environment, capsys)
        assert said.startswith("opcws runs in its pure form: compiling it has failed, ")
        assert pip.made() == made
    (words,) = tmp_path.rglob("not-compiled.txt")
    assert str(words.relative_to(tmp_path)) in said
    assert "error: it is Monday" in words.read_text(encoding="utf-8")

    (tmp_path / "opcws" / "frames.py").write_text("2", encoding="utf-8")
    start(environment, capsys)
    assert pip.made() == ["compiled"]
    pip.compiles = True
    assert start(environment, capsys) != COMPILED
    words.unlink()
    assert start(environment, capsys) == COMPILED
    assert pip.made() == ["compiled"]


def test_a_build_that_is_broken_off_is_begun_again(
    environment: Any, pip: Pip, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_arguments: object, **_more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pip, "run", break_off)
        with pytest.raises(KeyboardInterrupt):
            environment.prepare_fastest("run")
    assert start(environment, capsys) == COMPILED


def test_the_variable_asks_for_the_pure_form(
    environment: Any,
    pip: Pip,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPCWS_COMPILED", "0")
    assert start(environment, capsys) == "opcws runs in its pure form: OPCWS_COMPILED is 0."
    assert pip.made() == ["pure"]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("bin/cc.exe", "there is no C compiler (cc.exe)"),
        ("include/Python.h", "Python's headers are not installed ("),
    ],
)
def test_where_something_is_missing_nothing_is_compiled_and_it_is_told(
    environment: Any,
    pip: Pip,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    missing: str,
    said: str,
) -> None:
    (tmp_path / missing).unlink()
    assert start(environment, capsys).startswith("opcws runs in its pure form: " + said)
    assert pip.made() == ["pure"]


def test_without_a_compiler_the_tests_of_the_compiled_form_are_told_as_not_run(
    environment: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "bin" / "cc.exe").unlink()
    assert not list(importlib.import_module("checks").also_on_compiled(["tests"]))
    said = capsys.readouterr().out
    assert said.startswith("not run: the tests of the compiled form: there is no C compiler")


def test_a_compilation_that_fails_fails_the_tests_of_the_compiled_form(
    environment: Any, pip: Pip, capsys: pytest.CaptureFixture[str]
) -> None:
    pip.compiles = False
    ((what, code, _seconds),) = importlib.import_module("checks").also_on_compiled(["tests"])
    assert (what, code) == ("tests, compiled", 1)
    assert "error: it is Monday" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there the compiler is not told by CC")
def test_beside_a_compiler_that_fails_opcws_can_be_tried(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "node_modules", "__pycache__", "tests")
    shutil.copytree(str(ROOT), str(checkout), ignore=ignored)
    command = [sys.executable, "scripts/run.py", "--help"]
    done = subprocess.run(
        command,
        cwd=str(checkout),
        env={**os.environ, "CC": "false"},
        capture_output=True,
        encoding="utf-8",
        timeout=1200,
    )
    if "pip's own words are above" in done.stderr:
        pytest.skip("not run: pip has no packages")
    assert done.returncode == 0, done.stderr
    assert "Usage: opcws demo" in done.stdout
    assert "in its pure form: compiling it has failed" in done.stdout
    (words,) = (checkout / ".venv").glob("*/not-compiled.txt")
    assert "needs a C compiler and Python's headers" in words.read_text(encoding="utf-8")
