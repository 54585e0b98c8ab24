"""``opcws client``: a file with the variables of a plant as types, for a program."""

import re
import sys
from typing import TYPE_CHECKING, List, Optional

import click

from ..client import Client, RequestRefused
from ..model.text import clean, counted
from .connection import talking
from .names import UsageProblem
from .terminal import Terminal, note

if TYPE_CHECKING:
    from ..commissioning.client_names import Tag


@click.command()
@click.option(
    "--lang",
    "language",
    required=True,
    type=click.Choice(["csharp", "python", "ts"]),
    help="The language of the program: C#, Python or TypeScript.",
)
@click.option(
    "--config",
    "path",
    metavar="FILE",
    help="Read the variables from this configuration, not from opcws; it seldom has their types.",
)
@click.option("--output", metavar="FILE", default="-", help="Write to FILE, not to the terminal.")
@click.option(
    "--namespace",
    metavar="NAME",
    help="C#: namespace of the classes, by default Opcws; give each plant of a program its own.",
)
@talking
def client(
    to: Client,
    out: Terminal,
    language: str,
    path: Optional[str],
    output: str,
    namespace: Optional[str],
) -> int:
    """Generate a source file that declares a plant's variables.

    It has their types, units, names of values and access.  A program that uses a variable which
    is no longer there does not compile, or fails its type check.
    """
    from ..commissioning import client_files, client_names
    from ..commissioning.config_file import check_writable, save

    if namespace is not None and not (
        language == "csharp" and re.fullmatch(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*", namespace, re.ASCII)
    ):
        raise click.UsageError("--namespace is for --lang csharp, and a name such as Line3.Opcws")
    if output != "-":
        check_writable(output)
    if path is None:
        source = "--url " + to.url
        with to:
            infos = to.info(to.names())
        try:
            tags = client_names.of_infos(infos)
        except ValueError as error:
            raise RequestRefused(
                "%s; is another program at this address?" % error, "BadDecodingError"
            ) from None
        if len(tags) < len(infos):
            left_out = counted(len(infos) - len(tags), "variable")
            note("%s left out: the OPC UA server allows neither reading nor writing" % left_out)
    else:
        source = "--config " + path
        tags = _configured(path)
    if not tags:
        raise UsageProblem(
            "there are no variables; does the configuration have one that your role may see?",
            usage=False,
        )
    unknown = [tag.name for tag in tags if not tag.type or tag.is_array is None]
    if unknown:
        why = "a running opcws knows more (--url)" if path else "is the OPC UA server connected?"
        note(
            "the type of %s is not known, so the file allows any type for: %s%s; %s"
            % (
                counted(len(unknown), "variable"),
                ", ".join(clean(name) for name in unknown[:3]),
                ", ..." if len(unknown) > 3 else "",
                why,
            )
        )
    given = (namespace,) if namespace else ()
    text = client_files.text_of(language, tags, clean(source), *given)
    if output != "-":
        save(output, text)
        click.echo("wrote %s: %s" % (output, counted(len(tags), "variable")), err=True)
    elif sys.stdout.isatty():
        for line in text.splitlines():
            click.echo(clean(line))
    else:
        # A pipe gets the same bytes as a file, in every code page of the console.
        click.echo(text.encode("utf-8"), nl=False)
    return 0


def _configured(path: str) -> "List[Tag]":
    from ..commissioning import client_names
    from ..config import load

    context = click.get_current_context()
    if context.get_parameter_source("url") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("give --url or --config, not both")
    config = load(path)
    browsed = [server.name for server in config.servers.values() if server.browse]
    if browsed:
        note(
            "the variables that opcws finds by browsing (%s) are left out, since the "
            "configuration does not list them; a running opcws knows them (--url)"
            % ", ".join(map(clean, browsed))
        )
    return client_names.of_config(config)
