"""The terminal: what is cut, what is coloured, and what stands for what it lacks."""

import io
import json
from typing import Any, List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from opcws.cli.common import say
from opcws.cli.spreadsheet import say_diff, write_table
from opcws.cli.terminal import Table, Terminal, cut, redrawn, say_json, tail
from opcws.model.text import clean


@settings(max_examples=40)
@given(st.text(), st.integers(0, 30))
def test_a_cut_text_is_never_wider_than_asked(text: str, columns: int) -> None:
    for function in (cut, tail):
        assert cell_len(function(clean(text), columns)) <= columns


def test_a_text_that_fits_is_not_cut() -> None:
    assert cut("世界", 4) == "世界"
    assert cut("世界!", 4) == "世 …"
    assert tail("世界", 4) == "世界"
    assert tail("世界!", 4) == "…界!"
    assert tail("!世界", 4) == "…界"


ROWS = [
    (Text("Boiler.Temperature"), Text("20.5", justify="right"), Text("Good", "green")),
    (Text("Batch"), Text("x" * 100), Text("Bad", "red")),
]
HEADERS = ("Variable", "Value", "Quality")


def lines_of(columns: int) -> List[str]:
    table = Table(HEADERS, ROWS, columns, 1)
    return [table.header().plain, *(table.line(row).plain for row in ROWS)]


@pytest.mark.parametrize("columns", [20, 40, 79, 200])
def test_no_line_of_a_table_is_wider_than_the_terminal(columns: int) -> None:
    assert all(cell_len(line) <= columns for line in lines_of(columns))


def test_the_elastic_column_gives_way_and_columns_are_aligned() -> None:
    lines = lines_of(60)
    assert [line.index(word) for line, word in zip(lines, ("Quality", "Good", "Bad"))] == [53] * 3
    assert "…" in lines[2]


def test_long_names_keep_their_ends_and_leave_room_for_the_rest() -> None:
    name = "Line3.Application.Station12.Conveyor.Drive%d.Motor.Winding.Temperature"
    rows = [
        (
            Text(name % number),
            Text("20.5", justify="right"),
            Text("°C"),
            Text("Good"),
            Text("10:00:00.123"),
        )
        for number in (1, 2)
    ]
    headers = ("Variable", "Value", "Unit", "Quality", "Time")
    table = Table(headers, rows, 79, 1)
    assert [table.line(row).plain for row in rows] == [
        "….Conveyor.Drive%d.Motor.Winding.Temperature   20.5  °C    Good     10:00:00.123" % number
        for number in (1, 2)
    ]


def test_where_nothing_is_cut_one_long_text_pushes_no_other_line() -> None:
    table = Table(HEADERS, ROWS, None, 1)
    first, second = (table.line(row).plain for row in ROWS)
    assert "x" * 100 in second
    assert len(first) < 70


def test_each_cell_keeps_its_colour() -> None:
    line = Table(HEADERS, ROWS, 60, 1).line(ROWS[0])
    assert [line.plain[each.start : each.end] for each in line.spans if each.style] == ["Good"]


# --- the console ------------------------------------------------------------------------------


class Stream(io.TextIOWrapper):
    """A console, or a pipe, of an encoding."""

    def __init__(self, encoding: str, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding, "backslashreplace", newline="\n")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def written(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stream of some encoding in place of standard output, and an environment."""

    def on(encoding: str = "utf-8", terminal: bool = True, **environment: str) -> Stream:
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLORTERM", "LINES"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"TERM": "xterm", "COLUMNS": "60", **environment}.items():
            monkeypatch.setenv(name, value)
        stream = Stream(encoding, terminal)
        monkeypatch.setattr("sys.stdout", stream)
        return stream

    return on


OURS = "…─│┐└┘┌┤–×"


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", OURS),
        ("utf-16", OURS),
        ("cp437", "~─│┐└┘┌┤-x"),
        ("cp850", "~─│┐└┘┌┤-×"),
        ("cp1252", "…-|++++|–×"),
        ("latin-1", "~-|++++|-×"),
        ("ascii", "~-|++++|-x"),
    ],
)
def test_what_a_console_lacks_is_shown_by_something_like_it(
    on: Any, encoding: str, shown: str, terminal: bool
) -> None:
    stream = on(encoding, terminal)
    Terminal().say(Text(OURS))
    # In place of a stream for ASCII click puts its own, whose lines end as the system has it.
    assert stream.written.splitlines() == [shown]


def test_letters_that_a_console_lacks_are_escapes(on: Any) -> None:
    stream = on("cp850")
    Terminal().say(Text("Κ °C"))
    assert stream.written == "\\u039a °C\n"


NASTY = "\x1b]0;owned\x07\x9b1A\x85\u202eforged"


@pytest.mark.parametrize("terminal", [True, False])
def test_no_way_of_output_lets_a_control_character_through(on: Any, terminal: bool) -> None:
    stream = on(terminal=terminal)
    say([NASTY])
    say_json({"Value": NASTY, "Unit": "\N{DEGREE SIGN}C"})
    say_diff(["+" + NASTY])
    lines = stream.written.splitlines()
    assert len(lines) == 3 and all("forged" in each for each in lines)
    # What colours a line of a difference is ours.
    assert all(each.isprintable() or each[:1] == "\x1b" for each in lines[:2]), lines
    assert json.loads(lines[1])["Value"] == NASTY
    assert "\x9b" not in lines[2] and "\x07" not in lines[2]


def test_a_table_on_a_terminal_shows_control_characters_and_a_file_keeps_them(on: Any) -> None:
    table = "name,unit\r\na,%s\r\n" % NASTY
    stream = on()
    write_table("-", table)
    assert "\x1b" not in stream.written and "\\x1b" in stream.written
    stream = on(terminal=False)
    write_table("-", table)
    assert stream.written == table


HOSTILE = "[red]x[/red] :smile: 1.5 'text' http://h/ [link=http://h]l[/link]"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_value_is_never_markup(on: Any, terminal: bool) -> None:
    stream = on(terminal=terminal, COLUMNS="20")
    Terminal().say(Text(HOSTILE))
    assert stream.written == HOSTILE + "\n"


@pytest.mark.parametrize(
    ("environment", "no_color"),
    [({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({}, True)],
)
def test_no_colours_where_none_are_wanted(on: Any, environment: Any, no_color: bool) -> None:
    stream = on(**environment)
    out = Terminal(no_color)
    assert out.live == ("TERM" not in environment)
    out.say(Text("Bad", "bold red"))
    assert stream.written == "Bad\n"


def test_a_pipe_gets_neither_colours_nor_cuts_whatever_the_environment(on: Any) -> None:
    stream = on(terminal=False, FORCE_COLOR="1", COLUMNS="20")
    out = Terminal()
    assert not out.live and out.columns is None
    out.table(HEADERS, ROWS, 1)
    first, second = stream.written.splitlines()
    assert first.split() == ["Boiler.Temperature", "20.5", "Good"]
    assert second.split() == ["Batch", "x" * 100, "Bad"]


def test_a_terminal_gets_colours_and_a_table_of_its_width(on: Any) -> None:
    stream = on()
    Terminal().table(HEADERS, ROWS, 1)
    assert "\x1b[32mGood\x1b[0m" in stream.written and "\x1b[31mBad\x1b[0m" in stream.written
    for line in Text.from_ansi(stream.written).plain.splitlines():
        assert cell_len(line) <= 60


def test_what_is_redrawn_has_the_characters_and_colours_of_the_terminal(on: Any) -> None:
    stream = on("cp437", NO_COLOR="1")
    out = Terminal()
    with redrawn(out.console) as live:
        for number in (1, 2):
            live.update(out.group([Text("%d …" % number, "red"), Text(HOSTILE[:50])]), refresh=True)
    assert "1 ~" in stream.written and "2 ~" in stream.written
    assert "\x1b[3" not in stream.written and HOSTILE[:50] in stream.written
