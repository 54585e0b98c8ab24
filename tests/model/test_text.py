"""Text that is harmless, and good to type."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcws.model.text import clean, word


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J", "a\nb", "a\r", "\x07", "\x9b31m", "‮evil", "\u2028", "\ud800", "a\tb", "\x00"],
)
def test_nothing_that_a_terminal_acts_upon_is_left(hostile: str) -> None:
    cleaned = clean(hostile)
    assert cleaned.isprintable() and cleaned != hostile
    assert "\\" in cleaned


def test_letters_of_any_script_stay() -> None:
    text = "Grüße, Κόσμε, 世界, °C"
    assert clean(text) == text


@settings(max_examples=40)
@given(st.text())
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not any(each in cleaned for each in "\x1b\r\n\x07\x9b")


def test_what_needs_quotes_in_a_command_has_them() -> None:
    for path in ("opcws.yaml", r"C:\plant\c.yaml", "~/größe/a-b_c.yaml"):
        assert word(path) == path
    for path in ("my plant.yaml", r"C:\Program Files (x86)\c.yaml", "a&b", ""):
        assert word(path) == '"%s"' % path
