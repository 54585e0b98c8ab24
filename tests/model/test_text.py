"""Text of a known width, tables and plots."""

import math
from typing import List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcws.model import text as terminal
from opcws.model.text import ASCII, UNICODE, Cell, Layout, Point


def plain(text: str, colour: str) -> str:
    return text


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J", "a\nb", "a\r", "\x07", "\x9b31m", "‮evil", "\u2028", "\ud800", "a\tb", "\x00"],
)
def test_nothing_that_a_terminal_acts_upon_is_left(hostile: str) -> None:
    cleaned = terminal.clean(hostile)
    assert cleaned.isprintable() and cleaned != hostile
    assert "\\" in cleaned


def test_letters_of_any_script_stay() -> None:
    text = "Grüße, Κόσμε, 世界, °C"
    assert terminal.clean(text) == text


@settings(max_examples=40)
@given(st.text())
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    cleaned = terminal.clean(text)
    assert terminal.clean(cleaned) == cleaned
    assert not any(each in cleaned for each in "\x1b\r\n\x07\x9b")


@settings(max_examples=40)
@given(st.text(), st.integers(0, 30))
def test_a_cut_text_is_never_wider_than_asked(text: str, columns: int) -> None:
    cleaned = terminal.clean(text)
    for characters in (ASCII, UNICODE):
        for cut in (terminal.cut, terminal.tail):
            assert terminal.width(cut(cleaned, columns, characters.more)) <= columns


def test_what_needs_quotes_in_a_command_has_them() -> None:
    for path in ("opcws.yaml", r"C:\plant\c.yaml", "~/größe/a-b_c.yaml"):
        assert terminal.word(path) == path
    for path in ("my plant.yaml", r"C:\Program Files (x86)\c.yaml", "a&b", ""):
        assert terminal.word(path) == '"%s"' % path


def test_a_text_that_fits_is_not_cut() -> None:
    assert terminal.cut("世界", 4, "~") == "世界"
    assert terminal.cut("世界!", 4, "~") == "世~"
    assert terminal.tail("世界", 4, "~") == "世界"
    assert terminal.tail("世界!", 4, "~") == "~界!"
    assert terminal.tail("!世界", 4, "~") == "~界"


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "cp437", "cp850", "utf-16"])
def test_a_terminal_that_has_our_characters_gets_them(encoding: str) -> None:
    expected = ASCII if encoding in ("cp437", "cp850") else UNICODE
    # The old code pages have the lines but not the ellipsis.
    assert terminal.marks(encoding) == expected


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "no such", None])
def test_a_terminal_without_our_characters_gets_ascii(encoding: str) -> None:
    assert terminal.marks(encoding) == ASCII


ROWS = [
    (Cell("Boiler.Temperature"), Cell("20.5", "", True), Cell("Good", "good")),
    (Cell("Batch"), Cell("x" * 100), Cell("Bad", "bad")),
]
HEADERS = ("Variable", "Value", "Quality")


def table(columns: int) -> List[str]:
    layout = Layout(HEADERS, ROWS, columns, 1, UNICODE)
    return [layout.header(plain), *(layout.line(row, plain) for row in ROWS)]


@pytest.mark.parametrize("columns", [20, 40, 79, 200])
def test_no_line_of_a_table_is_wider_than_the_terminal(columns: int) -> None:
    assert all(terminal.width(line) <= columns for line in table(columns))


def test_the_elastic_column_gives_way_and_columns_are_aligned() -> None:
    lines = table(60)
    assert [line.index(word) for line, word in zip(lines, ("Quality", "Good", "Bad"))] == [53] * 3
    assert "…" in lines[2]


def test_long_names_keep_their_ends_and_leave_room_for_the_rest() -> None:
    name = "Line3.Application.Station12.Conveyor.Drive%d.Motor.Winding.Temperature"
    rows = [
        (
            Cell(name % number),
            Cell("20.5", "", True),
            Cell("°C"),
            Cell("Good"),
            Cell("10:00:00.123"),
        )
        for number in (1, 2)
    ]
    headers = ("Variable", "Value", "Unit", "Quality", "Time")
    layout = Layout(headers, rows, 79, 1, UNICODE)
    assert [layout.line(row, plain) for row in rows] == [
        "….Conveyor.Drive%d.Motor.Winding.Temperature   20.5  °C    Good     10:00:00.123" % number
        for number in (1, 2)
    ]


def test_where_nothing_is_cut_one_long_text_pushes_no_other_line() -> None:
    layout = Layout(HEADERS, ROWS, None, 1, UNICODE)
    first, second = (layout.line(row, plain) for row in ROWS)
    assert "x" * 100 in second
    assert len(first) < 70


def test_colours_do_not_count_for_the_width() -> None:
    layout = Layout(HEADERS, ROWS, 60, 1, UNICODE)
    coloured = layout.line(ROWS[0], lambda text, colour: "<%s>%s</>" % (colour, text))
    assert coloured.replace("<good>", "").replace("</>", "") == layout.line(ROWS[0], plain)


# --- the plot ---------------------------------------------------------------------------------


def plot(
    points: List[Point], columns: int = 40, rows: int = 5, **more: terminal.Marks
) -> List[str]:
    return terminal.plot(points, 0, 100, columns, rows, more.get("marks", ASCII), plain)


def test_a_flat_line_is_in_the_middle() -> None:
    lines = plot([Point(at, 5.0) for at in range(0, 101)])
    assert [("-" in line.split("|")[1]) for line in lines] == [False, False, True, False, False]


def test_a_peak_of_one_value_in_a_thousand_is_seen() -> None:
    points = [Point(at / 10, 100.0 if at == 500 else 0.0) for at in range(1000)]
    lines = plot(points)
    assert lines[0].lstrip().startswith("100") and "|" in lines[0].split("|", 1)[1]


def test_a_value_holds_until_the_next_and_not_beyond_the_last() -> None:
    lines = plot([Point(0, 1.0), Point(50, 2.0)], columns=42)
    assert lines[-1].count("-") > 15
    assert len(lines[0]) < 30


def test_bad_values_interrupt_the_line_and_are_marked() -> None:
    points = [Point(0, 1.0), Point(40, None), Point(60, 1.0), Point(99, 1.0)]
    lines = plot(points, columns=52)
    assert lines[-1].strip().startswith("bad") and lines[-1].count("x") == 1
    drawn = lines[2].split("|", 1)[1]
    assert " " in drawn.strip("-") and drawn.count("-") < 45


def test_nothing_that_is_a_number_draws_nothing() -> None:
    assert plot([Point(1, None), Point(2, math.nan)]) == []


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.none() | st.floats()).map(lambda pair: Point(*pair)),
        min_size=1,
        max_size=50,
    ),
    st.integers(10, 100),
    st.integers(3, 20),
)
def test_any_points_make_a_plot_within_its_bounds(
    points: List[Point], columns: int, rows: int
) -> None:
    lines = terminal.plot(points, 0, 100, columns, rows, UNICODE, plain)
    assert len(lines) <= rows + 1
    assert all(len(line) <= max(columns, 30) for line in lines)
