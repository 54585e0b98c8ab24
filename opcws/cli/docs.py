"""``opcws docs``: the documentation in the terminal."""

import shutil
import sys
from typing import Iterator, Sequence

import click

from ..docs import search, topics
from .common import leave

NO_TOPIC = click.UsageError.exit_code


@click.command()
@click.option("--search", "searched", is_flag=True, help="Look for the words in all pages.")
@click.argument("topic", required=False, default="", metavar="[TOPIC]")
@click.argument("section", nargs=-1, metavar="[SECTION]")
def docs(topic: str, section: Sequence[str], searched: bool) -> None:
    """Show the documentation: a TOPIC, a SECTION, or the topics.

    With --search it finds words in all pages, such as those of a message.
    A running opcws serves the same pages at /docs.
    """
    if searched:
        _show("".join(_found(" ".join((topic, *section)))))
        return
    try:
        text = topics.as_text(topic, " ".join(section))
    except topics.NoTopic as problem:
        leave(NO_TOPIC, "%s; or look for words with: opcws docs --search WORDS" % problem)
    _show(topics.TITLE.sub(click.style(r"\g<title>", bold=True, fg="cyan") + r"\n\g<line>", text))


def _found(wanted: str) -> Iterator[str]:
    """The sections with the words *wanted*, and the command that shows each."""
    found = search.search(wanted)
    if not found.hits:
        leave(NO_TOPIC, found.said)
    yield found.said + "\n"
    for hit in found.hits:
        command = " ".join(filter(None, ("opcws docs", hit.topic.name, hit.section)))
        title = "".join(text for text, _ in hit.title)
        yield "\n%s (%s)\n" % (click.style(title, bold=True, fg="cyan"), command)
        line = "".join(click.style(text, bold=True) if it else text for text, it in hit.line)
        yield click.wrap_text(line, 95, "    ", "    ") + "\n"


def _show(text: str) -> None:
    """Print *text*, in a pager if it is longer than the screen, in colours if there is a
    terminal."""
    text = _fit_for(getattr(sys.stdout, "encoding", None) or "utf-8", text)
    if not sys.stdout.isatty():
        click.echo(click.unstyle(text), nl=False)
    elif text.count("\n") >= shutil.get_terminal_size().lines:
        click.echo_via_pager(text)
    else:
        click.echo(text, nl=False)


def _fit_for(encoding: str, text: str) -> str:
    """Replaces characters that the console of an old Windows cannot show with similar ones."""
    for character, plainer in (("\u2026", "..."), ("\u2013", "-"), ("\u2192", "->")):
        try:
            character.encode(encoding)
        except (UnicodeEncodeError, LookupError):
            text = text.replace(character, plainer)
    return text.encode(encoding, "replace").decode(encoding)
