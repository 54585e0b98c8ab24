"""The terminal as the commands of the client see it: width, colours, characters, redrawing."""

import os
import shutil
import sys
from typing import Any, Dict, Optional

import click

from ..model import text as terminal
from ..model.text import Marks
from .watching import Size

_STYLES: Dict[str, Dict[str, Any]] = {
    "good": {"fg": "green"},
    "uncertain": {"fg": "yellow"},
    "bad": {"fg": "red"},
    "dim": {"dim": True},
    "title": {"bold": True},
    "fresh": {"bold": True},
    "line": {"fg": "cyan"},
}


class Output:
    """Standard output and, for remarks, standard error.

    Colours only on a terminal, and neither with *no_color* nor where ``NO_COLOR`` is set
    (no-color.org) or the terminal is ``dumb``.
    """

    def __init__(self, no_color: bool = False) -> None:
        stream = sys.stdout
        self.is_terminal = bool(stream is not None and stream.isatty())
        dumb = os.environ.get("TERM") == "dumb"
        self._colours = (
            self.is_terminal and not no_color and not os.environ.get("NO_COLOR") and not dumb
        )
        #: Whether a table can be redrawn in place.
        self.live = self.is_terminal and not dumb
        encoding = getattr(stream, "encoding", None) or "ascii"
        self.characters: Marks = terminal.marks(encoding)
        self.wide_characters = encoding.lower().replace("-", "").startswith("utf")

    @property
    def columns(self) -> Optional[int]:
        return self.size().columns if self.is_terminal else None

    def size(self) -> Size:
        found = shutil.get_terminal_size()
        return Size(found.columns, found.lines)

    def say(self, line: str) -> None:
        click.echo(line)

    def note(self, line: str) -> None:
        click.echo("opcws: " + line, err=True)

    def write(self, text: str) -> None:
        click.echo(text, nl=False)

    def paint(self, text: str, colour: str) -> str:
        return click.style(text, **_STYLES[colour]) if self._colours else text
