"""scripts/bundle.py: what is in an offline kit, whatever the registries have today."""

import importlib.util
import re
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Mapping

import click
import pytest

from opcws import __version__
from opcws.cli.main import main
from opcws.commissioning.kit import Kit

from . import ROOT


@pytest.fixture
def bundle(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module, which makes nothing."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    spec = importlib.util.spec_from_file_location("opcws_bundle", str(ROOT / "scripts/bundle.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(machine: int = 0x8664) -> bytes:
    """The header of a Windows program for *machine*, which imports nothing."""
    header = struct.pack("<4sHHIIIHH", b"PE\0\0", machine, 0, 0, 0, 0, 240, 0)
    optional = struct.pack("<H", 0x20B).ljust(240, b"\0")
    return b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + header + optional


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(str(path), "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def python(folder: Path, machine: int = 0x8664) -> Path:
    """An embeddable Python, as far as a kit looks into it."""
    names = ("python.exe", "python38.dll", "python.cat", "python38._pth", "LICENSE.txt")
    files = {"cp38/" + name: name.encode("ascii") for name in names}
    files["cp38/python.exe"] = files["cp38/python38.dll"] = program(machine)
    return zipped(folder / "python.zip", files)


def wheel(folder: Path, name: str, requires: str = "", **files: bytes) -> Path:
    about = "%s-%s.dist-info/" % (name, __version__)
    metadata = "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, __version__)
    needed = [each for each in requires.split("|") if each]
    metadata += "License: MIT\n" + "".join("Requires-Dist: %s\n" % each for each in needed)
    content: Dict[str, bytes] = {
        about + "METADATA": metadata.encode("ascii"),
        about + "WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        about + "RECORD": b"",
        "%s/__init__.py" % name: b"",
        **{each.replace("__", "/"): value for each, value in files.items()},
    }
    return zipped(folder / ("%s-%s-py3-none-any.whl" % (name, __version__)), content)


@pytest.fixture
def wheels(tmp_path: Path) -> List[Path]:
    chart = {"opcws/static/uplot.js": b"js", "opcws/static/uplot.LICENSE.txt": b"MIT"}
    return [
        wheel(tmp_path, "opcws", **chart, **{"opcws-%s.dist-info/LICENSE" % __version__: b"ours"}),
        wheel(
            tmp_path,
            "other",
            **{"other-1.data/purelib/pure.py": b"p", "other-1.data/scripts/x": b"s"},
            **{"lxml/html/y.py": b"left out"},
        ),
    ]


def made(bundle: Any, wheels: List[Path], tmp_path: Path, name: str = "a", **changed: Any) -> Path:
    work = tmp_path / name
    work.mkdir()
    bundle.fetch_wheels = lambda kind, work: wheels
    archive = changed.get("archive") or python(tmp_path)
    kind = bundle.Kind("3.8", changed.get("bits", 64))
    sha256 = changed.get("sha256") or bundle.digest(archive)
    result: Path = bundle.make(kind, work, tmp_path / ("out-" + name), str(archive), sha256)
    return result


def test_a_kit_holds_everything_and_knows_whether_it_is_whole(
    bundle: Any, wheels: List[Path], tmp_path: Path
) -> None:
    path = made(bundle, wheels, tmp_path)
    folder = "opcws-%s-windows-python3.8-64bit" % __version__
    assert path.name == folder + ".zip"
    with zipfile.ZipFile(str(path)) as archive:
        names = [each[len(folder) + 1 :] for each in archive.namelist()]
        archive.extractall(str(tmp_path / "unzipped"))
    # Paths of Windows are sorted as if all letters were small.
    assert sorted(each for each in names if "/" not in each) == [
        *("README.txt", "SHA256SUMS.txt", "setup.cmd"),
    ]
    assert {
        *("program/python.exe", "program/kit.json", "program/python38._pth"),
        *("program/site-packages/opcws/static/uplot.js", "program/site-packages/pure.py"),
        *("licences/LIST.txt", "licences/Python.txt", "licences/uPlot.txt", "licences/other.txt"),
    } <= set(names)
    assert not [each for each in names if "lxml" in each or "scripts" in each or ".cat" in each]
    kit = Kit.at(tmp_path / "unzipped" / folder)
    assert kit.version == __version__
    kit.copy(tmp_path / "copy")  # which checks it
    paths = (kit.folder / "program" / "python38._pth").read_text(encoding="ascii").split()
    assert paths == ["python38.zip", ".", "site-packages"]


def test_two_kits_of_the_same_parts_are_the_same(
    bundle: Any, wheels: List[Path], tmp_path: Path
) -> None:
    kits = [made(bundle, wheels, tmp_path, name).read_bytes() for name in ("a", "b")]
    assert kits[0] == kits[1]


def test_what_is_not_as_it_should_be_makes_no_kit(
    bundle: Any, wheels: List[Path], tmp_path: Path, capsys: "pytest.CaptureFixture[str]"
) -> None:
    evil = wheel(tmp_path, "evil", **{"../../outside.py": b""})
    bare = wheel(tmp_path, "opcws")
    no_zip = zipped(tmp_path / "no.zip", {"python.exe": program()})
    for number, (parts, changed, words) in enumerate(
        [
            (wheels, {"sha256": "0" * 64}, "another SHA-256"),
            (wheels, {"archive": python(tmp_path), "bits": 32}, "no Python for 32-bit"),
            (wheels, {"archive": no_zip}, "no Python 3.8"),
            ([*wheels, evil], {}, "outside of the kit"),
        ]
    ):
        with pytest.raises(SystemExit, match=words):
            made(bundle, parts, tmp_path, "x%d" % number, **changed)
        assert not (tmp_path / ("out-x%d" % number)).exists()
    with pytest.raises(SystemExit) as ended:
        made(bundle, [bare], tmp_path, "bare")
    assert ended.value.code == bundle.NOT_FETCHED
    assert "chart library is missing" in capsys.readouterr().err
    assert not (tmp_path / "out-bare").exists()


def test_what_windows_7_cannot_load_makes_no_kit(
    bundle: Any, wheels: List[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pe_imports

    asked: List[str] = []

    def too_new(path: str) -> List[str]:
        asked.append(path)
        return ["x.pyd: kernel32.dll has no GetSystemTimePreciseAsFileTime"]

    monkeypatch.setattr(pe_imports, "too_new", too_new)
    with pytest.raises(SystemExit, match="GetSystemTimePrecise"):
        made(bundle, wheels, tmp_path)
    assert asked[0].endswith("program")


def test_pip_takes_what_windows_needs_and_not_what_this_machine_does(
    bundle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    needs = {
        "on_windows": "sys_platform == 'win32'",
        "on_linux": "platform_system == 'Linux'",
        "on_old": "python_version < '3.9' and os_name == 'nt'",
        "on_new": "python_version >= '3.9'",
        "on_32": "platform_machine == 'x86'",
    }
    for name in needs:
        wheel(tmp_path, name)
    own = wheel(tmp_path, "opcws", "|".join("%s; %s" % each for each in needs.items()))
    for number, (kind, wanted) in enumerate(
        [
            (bundle.Kind("3.8", 64), {"on_windows", "on_old"}),
            (bundle.Kind("3.13", 64), {"on_windows", "on_new"}),
            (bundle.Kind("3.8", 32), {"on_windows", "on_old", "on_32"}),
        ]
    ):
        found = bundle.with_what_it_needs(kind, own, tmp_path / ("found-%d" % number))
        assert {each.name.split("-")[0] for each in found} == wanted | {"opcws"}


def test_what_no_registry_has_must_be_named(bundle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["--32"], ["--python", "x.zip"]):
        monkeypatch.setattr(sys, "argv", ["bundle.py", "--windows", "3.8", *arguments])
        with pytest.raises(SystemExit) as caught:
            bundle.main()
        assert caught.value.code == 2


def test_what_people_and_cmd_read_is_one_page_of_ascii(
    bundle: Any, wheels: List[Path], tmp_path: Path
) -> None:
    made(bundle, wheels, tmp_path)
    (kit,) = (tmp_path / "a").glob("opcws-*")
    for name, most in (("README.txt", 60), ("setup.cmd", 30)):
        text = (kit / name).read_bytes().decode("ascii")
        assert text.replace("\r\n", "").count("\n") == 0, "cmd.exe wants CRLF"
        lines = text.split("\r\n")
        assert len(lines) <= most and max(map(len, lines)) <= 100
        assert "@" not in text.replace("@echo off", "")


def test_the_readme_names_options_that_there_are(bundle: Any) -> None:
    setup = main.get_command(click.Context(main), "setup")
    assert setup is not None
    known = {option for each in setup.params for option in each.opts}
    named = set(re.findall(r"--[a-z-]+", bundle.README))
    assert {"--endpoint", "--listen", "--no-admin", "--back", "--remove", "--demo"} <= named
    assert named <= known | {"--help"}


def test_only_opcua_has_to_be_built(bundle: Any) -> None:
    assert bundle.source_only() == ["opcua ==0.98.13"]
