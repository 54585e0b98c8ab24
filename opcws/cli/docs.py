"""``opcws docs``: the documentation in the terminal."""

import shutil
import sys
from typing import Sequence

import click

from ..docs import topics
from .common import leave

NO_TOPIC = click.UsageError.exit_code


@click.command()
@click.argument("topic", required=False, default="")
@click.argument("section", nargs=-1)
def docs(topic: str, section: Sequence[str]) -> None:
    """Show the documentation: a TOPIC, a SECTION of it, or which topics there are.

    A running opcws has the same at /docs.
    """
    try:
        text = topics.as_text(topic, " ".join(section))
    except topics.NoTopic as problem:
        leave(NO_TOPIC, str(problem))
    text = _fit_for(getattr(sys.stdout, "encoding", None) or "utf-8", text)
    if not sys.stdout.isatty():
        click.echo(text, nl=False)
        return
    title = click.style(r"\g<title>", bold=True, fg="cyan")
    text = topics.TITLE.sub(title + r"\n\g<line>", text)
    if text.count("\n") >= shutil.get_terminal_size().lines:
        click.echo_via_pager(text)
    else:
        click.echo(text, nl=False)


def _fit_for(encoding: str, text: str) -> str:
    """What a console of an old Windows cannot show is shown by something like it."""
    for character, plainer in (("\u2026", "..."), ("\u2013", "-"), ("\u2192", "->")):
        try:
            character.encode(encoding)
        except (UnicodeEncodeError, LookupError):
            text = text.replace(character, plainer)
    return text.encode(encoding, "replace").decode(encoding)
