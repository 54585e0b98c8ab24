"""``opcws check`` and ``doctor``: whether a configuration, and an installation, is good."""

import sys
from typing import Dict, Optional

import click
from click.core import ParameterSource
from rich.text import Text

from .. import config
from ..access import accounts
from ..model.text import clean, counted
from .common import (
    CONFIG,
    CONFIG_WRONG,
    UNREACHABLE,
    config_option,
    hush,
    no_color_option,
    warn,
)
from .terminal import Terminal

_MARKS = {"ok": ("ok  ", "green"), "remark": ("note", "yellow"), "bad": ("BAD ", "red")}


@click.command()
@click.argument("file", metavar="[FILE]", required=False)
@config_option("Another way to give FILE.", required=False)
@click.option("--offline", is_flag=True, help="Check the file only, and connect to no server.")
def check(file: Optional[str], path: Optional[str], offline: bool) -> None:
    """Check FILE, and whether its servers have its variables.

    FILE is by default opcws.yaml in the working folder.
    """
    from ..commissioning import check, publishing, recording, tls_certificates

    given = click.get_current_context().get_parameter_source("path")
    if file is not None and given is ParameterSource.COMMANDLINE:
        raise click.UsageError("give FILE or --config FILE, not both")
    path = file or path
    if path is None:
        raise click.UsageError(
            "there is no %s in the working folder; give the configuration: opcws check FILE"
            % CONFIG
        )
    loaded = config.load(path)
    warn([*loaded.warnings, *accounts.warnings(loaded)])
    warn([*tls_certificates.notices(loaded), *recording.notices(loaded)])
    warn(publishing.notices(loaded))
    if offline:
        servers = counted(len(loaded.servers), "server")
        variables = counted(len(loaded.variables), "variable")
        click.echo("%s is good: %s, %s" % (path, servers, variables))
        return
    hush("opcua", "opcws")
    out = Terminal()
    findings = check.check(loaded)
    for finding in findings:
        mark = ("ok ", "green") if finding.good else ("BAD", "red")
        out.say(Text.assemble(mark, "  " + clean(finding.text)))
    bad = sum(not finding.good for finding in findings)
    if bad:
        click.echo("%s of %d reported a problem" % (counted(bad, "line"), len(findings)), err=True)
        sys.exit(UNREACHABLE)


@click.command()
@config_option(
    "The configuration, YAML or JSON. By default opcws.yaml in the working folder; if there is "
    "none, only this machine is examined.",
    required=False,
)
@no_color_option
def doctor(path: Optional[str], no_color: bool) -> None:
    """Examine an installation, and say what to correct and how."""
    from ..commissioning.doctor import BAD, OK, REMARK, examine

    hush("opcua", "opcws")
    out = Terminal(no_color)
    counts: Dict[str, int] = {OK: 0, REMARK: 0, BAD: 0}
    plants_only = True
    for found in examine(path):
        counts[found.level] += 1
        if found.level == BAD and not found.plant:
            plants_only = False
        text = "  %-13s  %s" % (found.topic, clean(found.text))
        if found.remedy:
            text += "\n%s-> %s" % (" " * 21, clean(found.remedy))
        out.say(Text.assemble(_MARKS[found.level], text))
    click.echo("%d bad, %s, %d ok" % (counts[BAD], counted(counts[REMARK], "note"), counts[OK]))
    if counts[BAD]:
        sys.exit(UNREACHABLE if plants_only else CONFIG_WRONG)
