"""``opcws doctor``: parse, call, print; no logic."""

import logging
import sys
from typing import Dict, Optional

import click

from ..model.text import clean
from .common import CONFIG_WRONG, UNREACHABLE
from .output import Output

_MARKS = {"ok": ("ok  ", "good"), "remark": ("note", "uncertain"), "bad": ("BAD ", "bad")}


@click.command()
@click.option(
    "--config",
    "path",
    metavar="FILE",
    type=click.Path(),
    help="The configuration, YAML or JSON; without it only this machine is examined.",
)
@click.option("--no-color", is_flag=True, help="No colours, on a terminal either.")
def doctor(path: Optional[str], no_color: bool) -> None:
    """Examine a whole installation, and say what to do about what is wrong."""
    from ..commissioning.doctor import BAD, OK, REMARK, examine

    for name in ("opcua", "opcws"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    out = Output(no_color)
    counts: Dict[str, int] = {OK: 0, REMARK: 0, BAD: 0}
    plants_only = True
    for found in examine(path):
        counts[found.level] += 1
        if found.level == BAD and not found.plant:
            plants_only = False
        mark, colour = _MARKS[found.level]
        out.say("%s  %-13s  %s" % (out.paint(mark, colour), found.topic, clean(found.text)))
        if found.remedy:
            out.say("%s-> %s" % (" " * 21, clean(found.remedy)))
    out.say("%d to put right, %d to look at, %d good" % (counts[BAD], counts[REMARK], counts[OK]))
    if counts[BAD]:
        sys.exit(UNREACHABLE if plants_only else CONFIG_WRONG)
