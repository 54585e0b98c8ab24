"""Texts of the page: what comes with opcws, what a plant adds, and files that are spoilt."""

import logging
from pathlib import Path

import pytest

from opcws.operations.page_texts import PageTexts


def test_what_comes_with_opcws_is_there_without_a_folder(tmp_path: Path) -> None:
    texts = PageTexts(str(tmp_path / "none"))
    assert texts.languages() == ["en", "de"]
    assert texts.table("de")["Variables"] == "Variablen"
    for code in ("en", "fr", "..", "DE", "de/../de", ""):
        assert texts.table(code) == {}


def test_a_plant_adds_languages_and_changes_texts(tmp_path: Path) -> None:
    # As the editor of Windows writes it.
    (tmp_path / "de.json").write_text('{"Variables": "Messstellen"}', encoding="utf-8-sig")
    (tmp_path / "fr.json").write_text('{"Variables": "Mesures"}', encoding="utf-8")
    for other in ("notes.txt", "README.json", "x.json", "francais.json"):
        (tmp_path / other).write_text("{}", encoding="utf-8")
    texts = PageTexts(str(tmp_path))
    assert texts.languages() == ["en", "de", "fr"]
    assert texts.table("fr") == {"Variables": "Mesures"}
    german = texts.table("de")
    assert german["Variables"] == "Messstellen" and german["Edit"] == "Bearbeiten"


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', "\ufffe", "[" * 100000])
def test_a_spoilt_file_is_left_out_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    (tmp_path / "de.json").write_text(text, encoding="utf-8")
    (tmp_path / "fr.json").write_bytes(b"\xff\xff")
    texts = PageTexts(str(tmp_path))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert texts.languages() == ["en", "de"]
            assert texts.table("de")["Variables"] == "Variablen"
    told = sorted(record.getMessage() for record in caplog.records)
    assert len(told) == 2
    assert "de.json is left out: " in told[0] and "fr.json is left out: " in told[1]
