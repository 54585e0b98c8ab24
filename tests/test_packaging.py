"""What is installed: the whole package, its contract, its command."""

import ast
import configparser
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import Any, List

import pytest
from packaging.requirements import Requirement

from . import ROOT
from .support import PATIENCE


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: a build leaves files behind that the next one would pack."""
    source = tmp_path_factory.mktemp("source") / "opcws"
    source.mkdir()
    for name in ("opcws", "schemas"):
        shutil.copytree(
            str(ROOT / name), str(source / name), ignore=shutil.ignore_patterns("__pycache__")
        )
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(str(path), str(source))
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(target), str(source))
    (built,) = target.glob("*.whl")
    return built


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there the compiler is not told by CC")
def test_without_a_compiler_that_works_nothing_is_compiled_and_a_sentence_says_why(
    source: Path,
) -> None:
    pytest.importorskip("mypyc", reason="not run: it comes with the type checker")
    settings = {**os.environ, "OPCWS_COMPILED": "1", "CC": "false"}
    command = [sys.executable, "setup.py", "build_ext", "--build-lib", "built"]
    done = subprocess.run(
        command, cwd=str(source), env=settings, capture_output=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 1
    assert "needs a C compiler and Python's headers" in done.stderr
    assert "Traceback" not in done.stderr and not list(source.rglob("*.so"))


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    assert result.returncode == 0, result.stdout.decode("utf-8", "replace")


def contents(wheel: Path) -> List[str]:
    with zipfile.ZipFile(str(wheel)) as archive:
        return archive.namelist()


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(str(wheel)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_string(archive.read(name).decode("utf-8"))


def test_the_wheel_holds_every_file_of_the_package_and_of_the_contract(wheel: Path) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "opcws").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected |= {
        "opcws/schemas/" + path.relative_to(ROOT / "schemas").as_posix()
        for path in (ROOT / "schemas").rglob("*.json")
    }
    assert expected - set(contents(wheel)) == set()


def test_the_wheel_holds_nothing_but_the_package(wheel: Path) -> None:
    assert {name.split("/")[0].split("-")[0] for name in contents(wheel)} == {"opcws"}


def test_the_wheel_has_the_version_of_the_package_and_the_licence(wheel: Path) -> None:
    from opcws import __version__

    assert metadata(wheel)["Version"] == __version__
    assert any(name.endswith("LICENSE") for name in contents(wheel))


def test_the_wheel_asks_for_exactly_the_opcua_it_leans_on_and_for_cryptography(
    wheel: Path,
) -> None:
    required = {
        entry.replace("(", "").replace(")", "").replace(" ", "")
        for entry in metadata(wheel).get_all("Requires-Dist", [])
        if "extra" not in entry
    }
    assert "opcua==0.98.13" in required
    assert any(entry.startswith("cryptography>=") for entry in required)


def test_the_classifiers_name_the_pythons_that_may_install_it(wheel: Path) -> None:
    assert metadata(wheel)["Requires-Python"] == ">=3.8"
    listed = metadata(wheel).get_all("Classifier", [])
    for minor in range(8, 14):
        assert "Programming Language :: Python :: 3.%d" % minor in listed


def test_an_installed_wheel_finds_its_contract_away_from_the_checkout(
    wheel: Path, tmp_path: Path
) -> None:
    place = tmp_path / "site"
    pip("install", "--no-deps", "--target", str(place), str(wheel))
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import opcws.wire.contract as contract\n"
        "print(contract.__file__)\n"
        "print(contract.schema('READ_REQUEST')['title'])"
    )
    result = subprocess.run(
        # -I: the folder it runs in may not help.
        [sys.executable, "-I", "-c", program, str(place)],
        cwd=str(tmp_path),
        capture_output=True,
        timeout=3 * PATIENCE,
    )
    assert result.returncode == 0, result.stderr.decode("utf-8", "replace")
    assert str(place) in result.stdout.decode("utf-8").splitlines()[0]


def setup_script() -> Any:
    """setup.py as a module, which sets nothing up."""
    spec = importlib.util.spec_from_file_location("opcws_setup", str(ROOT / "setup.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def archive(path: Path, content: bytes) -> None:
    """A package as npm packs it, each file of which holds *content*."""
    with tarfile.open(str(path), "w:gz") as packed:
        for name in setup_script().FILES:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))


def test_without_npm_a_build_goes_on_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    setup_script().fetch_uplot(tmp_path)
    assert "the page draws simple lines: there is no npm" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="not run: the false npm is a shell script")
def test_what_npm_fetches_is_taken_only_with_the_right_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, packed, target = setup_script(), tmp_path / "x.tgz", tmp_path / "static"
    target.mkdir()
    archive(packed, b"not uPlot")
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\n/bin/cp '%s' .\n" % packed, encoding="utf-8")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    script.fetch_uplot(target)
    assert "another checksum" in capsys.readouterr().err
    assert not list(target.iterdir())

    digest = script.hashlib.sha512(packed.read_bytes()).digest()
    script.INTEGRITY = script.base64.b64encode(digest).decode("ascii")
    script.fetch_uplot(target)
    assert (target / "uplot.js").read_bytes() == b"not uPlot"
    assert (target / "uplot.LICENSE.txt").exists()
    npm.unlink()  # what is there is not fetched again
    script.fetch_uplot(target)
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.name == "nt", reason="not run: the false npm is a shell script")
def test_an_npm_that_gets_no_answer_holds_a_build_up_once_and_not_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, started = setup_script(), tmp_path / "started"
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho x >> '%s'\nexec /bin/sleep 600\n" % started, encoding="utf-8")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert script.PATIENCE_S <= 20
    script.PATIENCE_S = 0.5
    target = tmp_path / "static"
    target.mkdir()
    script.fetch_uplot.__defaults__ = (target,)
    for _ in range(3):
        script.fetch_once()
    assert capsys.readouterr().err.count("npm took more than 0.5 s") == 1
    assert started.read_text(encoding="utf-8") == "x\n"
    assert not list(target.iterdir())


def test_every_dependency_says_why_it_is_there() -> None:
    text = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    block = text[text.index("install_requires") : text.index("[options.package_data]")]
    lines = [line.strip() for line in block.splitlines()[1:] if line.strip()]
    for before, line in zip(lines, lines[1:]):
        if not line.startswith("#"):
            assert before.startswith("#"), "no comment before %r" % line
    parser = configparser.ConfigParser()
    parser.read_string(text)
    assert parser["options"]["install_requires"].split(), "the comments hide the list"


@pytest.mark.parametrize(
    ("python", "system", "machine", "release", "taken"),
    [
        # The last ones that Windows 7 can load, and the first ones that it cannot.
        ("3.8", "win32", "AMD64", "cryptography 42.0.8", True),
        ("3.8", "win32", "AMD64", "cryptography 43.0.0", False),
        ("3.8", "win32", "x86", "cryptography 43.0.0", False),
        ("3.8", "win32", "AMD64", "rpds-py 0.18.1", True),
        ("3.8", "win32", "AMD64", "rpds-py 0.19.0", False),
        # The last one with a wheel for 32 bits.
        ("3.13", "win32", "x86", "cryptography 48.0.1", True),
        ("3.13", "win32", "x86", "cryptography 49.0.0", False),
        ("3.13", "win32", "AMD64", "cryptography 50.0.2", True),
        ("3.13", "win32", "AMD64", "rpds-py 2026.9.1", True),
        ("3.8", "linux", "x86_64", "cryptography 46.0.0", True),
        ("3.8", "linux", "x86_64", "rpds-py 0.20.1", True),
    ],
)
def test_pip_takes_what_the_system_at_hand_can_load(
    python: str, system: str, machine: str, release: str, taken: bool
) -> None:
    parser = configparser.ConfigParser()
    parser.read(str(ROOT / "setup.cfg"), encoding="utf-8")
    name, version = release.split()
    environment = {
        "python_version": python,
        "sys_platform": system,
        "platform_machine": machine,
    }
    for line in parser["options"]["install_requires"].splitlines():
        if line.strip() and not line.startswith("#"):
            wanted = Requirement(line)
            if wanted.name == name and (not wanted.marker or wanted.marker.evaluate(environment)):
                if version not in wanted.specifier:
                    assert not taken, wanted
                    return
    assert taken


@pytest.mark.parametrize("name", ["scripts/run.py", "scripts/test.py", "opcws/__main__.py"])
def test_what_tells_an_old_python_what_it_needs_can_be_read_by_it(name: str) -> None:
    text = (ROOT / name).read_bytes().decode("ascii")
    for node in ast.walk(ast.parse(text)):
        assert not isinstance(node, (ast.AnnAssign, ast.JoinedStr, ast.NamedExpr)), node.lineno
        assert getattr(node, "annotation", None) is None
        assert getattr(node, "returns", None) is None
