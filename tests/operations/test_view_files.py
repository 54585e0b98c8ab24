"""Views of the page as files: what is one, what is kept, and files that somebody has spoilt."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from opcws.operations import view_files
from opcws.operations.view_files import Changed, Full, View, ViewFiles, parse


def view(name: str = "Boiler", *variables: str, **members: Any) -> View:
    panels = [{"Kind": "chart", "Variables": list(variables)}] if variables else []
    return parse(json.dumps({"Name": name, "Panels": panels, **members}).encode())


def test_a_view_is_kept_under_its_name_whatever_the_capitals(tmp_path: Path) -> None:
    files = ViewFiles(str(tmp_path / "state" / "views"))
    assert files.all() == []
    assert files.put(view("Boiler", "Boiler.Level"), None)
    assert not files.put(view("BOILER", "Boiler.Pressure"), None)
    assert [each.name for each in files.all()] == ["BOILER"]
    kept = files.get("boiler")
    assert kept is not None and kept.variables == {"Boiler.Pressure"}
    assert files.remove("Boiler", None) and not files.remove("Boiler", None)
    assert files.all() == []


@pytest.mark.parametrize(
    "name", ["CON", "a/b\\c:*?", "...", " ", "Schicht Süd 排程", "é" * 64, "a.", "%41"]
)
def test_any_name_is_one_of_a_file(tmp_path: Path, name: str) -> None:
    files = ViewFiles(str(tmp_path))
    files.put(view(name), None)
    assert [each.name for each in files.all()] == [name]
    (path,) = tmp_path.iterdir()
    assert path.name.isascii() and len(path.name) < 80 and path.stem.upper() != "CON"
    assert files.remove(name, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [".", ".."])
def test_a_step_in_an_address_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="^Name: %s cannot be a name" % re.escape(name)):
        view(name)


def test_nobody_writes_over_what_somebody_else_has_changed(tmp_path: Path) -> None:
    files = ViewFiles(str(tmp_path))
    first = view("Boiler", "a")
    files.put(first, "")
    with pytest.raises(Changed):
        files.put(view("boiler"), "")
    second = view("Boiler", "b")
    files.put(second, first.tag)
    for change in (lambda: files.put(first, first.tag), lambda: files.remove("Boiler", first.tag)):
        with pytest.raises(Changed):
            change()
    assert files.get("Boiler") == second
    assert files.remove("Boiler", second.tag)
    with pytest.raises(Changed):
        files.remove("Boiler", second.tag)


def test_there_is_a_bound_and_what_is_there_can_be_changed_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_files, "MOST", 2)
    files = ViewFiles(str(tmp_path))
    for name in ("1", "2"):
        files.put(view(name), None)
    with pytest.raises(Full):
        files.put(view("3"), None)
    assert not files.put(view("2", "a"), None)


def test_a_spoilt_file_is_left_out_told_once_and_can_be_written_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = ViewFiles(str(tmp_path))
    files.put(view("Good"), None)
    files.put(view("Spoilt"), None)
    (spoilt,) = tmp_path.glob("spoilt-*")
    spoilt.write_text('{"Name": "Spoilt", "Panels": 5}', encoding="utf-8")
    (tmp_path / "copied.json").write_bytes(view("Good").text)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert [each.name for each in files.all()] == ["Good"]
    told = sorted(record.getMessage() for record in caplog.records)
    assert len(told) == 2
    assert "copied.json is left out: a view named Good is in good-" in told[0]
    assert "Panels: expected a list, got 5" in told[1]
    assert files.put(view("Spoilt"), "")
    assert [each.name for each in files.all()] == ["Good", "Spoilt"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"\xff", "no JSON in UTF-8"),
        (b"{", "no JSON in UTF-8"),
        (b"[" * 100000, "no JSON in UTF-8"),
        (b"[]", "expected an object"),
        (b'{"Name": "x"}', "Panels"),
        (b'{"Name": "", "Panels": []}', "Name"),
        (b'{"Name": "a\\nb", "Panels": []}', "Name"),
        (b'{"Name": "x", "Panels": [], "Colour": 1}', "Colour: unknown member"),
        (b'{"Name": "x", "Panels": [{"Kind": "pie", "Variables": ["a"]}]}', "Panels[0].Kind"),
        (b'{"Name": "x", "Panels": [{"Kind": "chart", "Variables": []}]}', "Panels[0].Variables"),
        (b'{"Name": "x", "Panels": [], "Span": 0}', "Span"),
        (b'{"Name": "x", "Panels": [], "Span": NaN}', "no JSON can have"),
        (b'{"Name": "x", "Panels": [], "Span": 1e999}', "no JSON can have"),
        (b'{"Name": "\\ud800", "Panels": []}', "no JSON can have"),
    ],
)
def test_what_is_no_view_is_told(text: bytes, problem: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse(text)
    assert problem in str(refused.value)


def test_a_view_is_judged_once_and_again_when_its_file_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ViewFiles(str(tmp_path))
    judged = []
    monkeypatch.setattr(view_files, "parse", lambda text: judged.append(text) or parse(text))
    files.put(view("Boiler", "Boiler.Level"), None)
    assert [files.all(), files.all()] == [[files.get("Boiler")]] * 2
    assert len(judged) == 1
    (path,) = tmp_path.iterdir()
    path.write_bytes(view("Boiler", "Boiler.Pressure").text)
    (changed,) = files.all()
    assert changed.variables == {"Boiler.Pressure"}
    path.unlink()
    assert files.all() == [] and files.get("Boiler") is None
