"""The terminal: colours, widths, characters, tables and redrawn lines.

rich handles the console, its size, colours and cursor, also on old Windows.  The widths of columns
are computed here: rich's Table needs all rows before it shows the first, cuts names at their end,
where they differ, and in a pipe pads each line to the longest.

Text from elsewhere goes through :func:`opcws.model.text.clean` and is never read as markup: it is
shown as a :class:`rich.text.Text`.
"""

import contextlib
import json
import os
import shutil
import sys
from typing import Any, Callable, Iterable, List, Mapping, Optional, Sequence

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.text import Text

from ..model.text import clean

#: Replacements for characters that the console lacks.  All characters are in the fonts of an old
#: Windows console (WGL4), and each replacement has the same width.
_PLAINER = dict(zip("…─│┐└┘┌┤–×▲▼", "~-|++++|-x^v"))
#: Fewest columns of a name, and of a value: a number of three digits.
_LEAST = 8, 12
#: Columns in which texts are aligned if nothing is cut.
_UNCUT_COLUMNS = 32


def console(stderr: bool = False, colours: bool = True) -> Console:
    """Standard output or *stderr*; prints text as it is."""
    stream = sys.stderr if stderr else sys.stdout
    made = Console(
        stderr=stderr,
        force_terminal=bool(stream is not None and stream.isatty()),
        color_system="auto" if colours else None,
        markup=False,
        highlight=False,
        emoji=False,
    )
    measure(made)
    return made


def measure(where: Console) -> ConsoleDimensions:
    """The present size of *where*, or COLUMNS and LINES. rich would ask standard input first, which
    may be another window, and assume 80 columns for every dumb terminal."""
    size = shutil.get_terminal_size()
    if where.stderr:
        with contextlib.suppress(OSError, ValueError):
            found = os.get_terminal_size(sys.stderr.fileno())
            size = found if found.columns else size
    where.size = size
    return where.size


def redrawn(where: Console, transient: bool = False) -> Live:
    """Lines that are redrawn in place, on request, from any thread."""
    return Live(
        console=where,
        auto_refresh=False,
        transient=transient,
        redirect_stdout=False,
        redirect_stderr=False,
        vertical_overflow="crop",
    )


class Terminal:
    """Standard output for people.

    It has colours only on a terminal that is not ``dumb``, without *no_color* and ``NO_COLOR``
    (no-color.org).
    """

    def __init__(self, no_color: bool = False) -> None:
        dumb = os.environ.get("TERM") == "dumb"
        self._colours = not (no_color or dumb or os.environ.get("NO_COLOR"))
        self.console = console(colours=self._colours)
        self._is_terminal = self.console.is_terminal
        #: Whether a table can be redrawn in place.
        self.live = self._is_terminal and not dumb
        self._plainer = {ord(ours): plain for ours, plain in _PLAINER.items() if not can_show(ours)}

    @property
    def columns(self) -> Optional[int]:
        """Columns of the terminal; ``None`` without a terminal, where nothing is cut."""
        return self.console.width if self._is_terminal else None

    def say(self, text: Text) -> None:
        if self._is_terminal:
            self.console.print(self._fitted(text), soft_wrap=True)
        else:
            click.echo(self._fitted(text).plain)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[Text]], elastic: int) -> None:
        table = Table(headers, rows, self.columns, elastic)
        if self.columns is not None:
            self.say(table.header())
        for row in rows:
            self.say(table.line(row))

    def group(self, lines: Iterable[Text]) -> Group:
        return Group(*map(self._fitted, lines))

    def _fitted(self, text: Text) -> Text:
        plain = text.plain.translate(self._plainer)
        # No style at all: rich would send it to an old Windows console even without colours.
        styled = self._colours and self._is_terminal
        return Text(
            plain,
            text.style if styled else "",
            spans=text.spans if styled else None,
            no_wrap=True,
            overflow="ignore",
        )


def can_show(characters: str) -> bool:
    """Whether standard output has all of *characters*."""
    try:
        characters.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


def note(line: str) -> None:
    """Print a message for the user, not for a program that reads the output."""
    click.echo("opcws: " + clean(line), err=True)


def say_json(item: Mapping[str, Any]) -> None:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    text = json.dumps(item, ensure_ascii=not encoding.lower().startswith("utf"))
    # JSON escapes only some of the control characters.
    click.echo(text if text.isprintable() else json.dumps(item))


# --- tables -----------------------------------------------------------------------------------


class Fitting(Text):
    """The text of a cell that can shorten itself: *fit* gets the number of columns."""

    def __init__(self, fit: Callable[[int], str], style: str, justify: Any = None) -> None:
        super().__init__(fit(sys.maxsize), style, justify=justify)
        self.fitted = fit


def cut(text: str, columns: int) -> str:
    """*text* in at most *columns*; ``…`` replaces the rest."""
    if cell_len(text) <= columns:
        return text
    return set_cell_size(text, columns - 1) + "…" if columns > 0 else ""


def tail(text: str, columns: int) -> str:
    """The end of *text* in at most *columns*; ``…`` replaces the beginning."""
    if cell_len(text) <= columns:
        return text
    # Each character takes at least one column, or belongs to the one before it.
    while text and cell_len(text) >= columns:
        text = text[1:]
    return "…" + text if columns > 0 else ""


class Table:
    """The widths of a table's columns, by its headers and first rows, within *columns*.

    If the table is too wide, the column *elastic* is shortened, and then the first, which keeps its
    end, because names differ there.  Without *columns* nothing is cut, and one long text does not
    move the following columns of every line.
    """

    def __init__(
        self,
        headers: Sequence[str],
        sample: Iterable[Sequence[Text]],
        columns: Optional[int],
        elastic: int,
    ) -> None:
        self._columns = columns
        self._headers = [Text(header, "bold") for header in headers]
        self._widths: List[int] = [
            max(cell.cell_len for cell in column) for column in zip(self._headers, *sample)
        ]
        if columns is None:
            self._widths[elastic] = min(self._widths[elastic], _UNCUT_COLUMNS)
            return
        excess = sum(self._widths) + 2 * (len(headers) - 1) - columns
        for number in (elastic, 0):
            least = max(_LEAST[number == elastic], self._headers[number].cell_len)
            taken = max(0, min(excess, self._widths[number] - least))
            self._widths[number] -= taken
            excess -= taken

    def header(self) -> Text:
        return self.line(self._headers)

    def line(self, row: Sequence[Text]) -> Text:
        """One line, without spaces at its end; cells keep their justification."""
        line = Text()
        left = self._columns
        for number, (cell, room) in enumerate(zip(row, self._widths)):
            text = cell.plain
            if left is not None:
                room = max(0, min(room, left))
                left -= room + 2
                text = cell.fitted(room) if isinstance(cell, Fitting) else text
                text = (cut if number else tail)(text, room)
            pad = " " * (room - cell_len(text))
            right = cell.justify == "right"
            line.append("  " * bool(number) + pad * right)
            line.append(text, cell.style)
            line.append(pad * (not right))
        line.rstrip()
        return line
