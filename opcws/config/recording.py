"""Which variables are recorded, and which of their values.  Pure."""

import os
from typing import Dict, NamedTuple

from .roles import matcher
from .settings import Config, Record, RecordRule, Variable


class Recording(NamedTuple):
    """The rule to record *variable*: values at least ``min_interval_ms`` apart, and numbers that
    differ by at least ``deadband`` from the last recorded one; 0 means every value."""

    variable: Variable
    min_interval_ms: float
    deadband: float


def recordings(config: Config) -> Dict[str, Recording]:
    """The recorded variables of *config* by name, without those that nobody may read.  Settings of
    a variable override the section ``record``."""
    section = config.record or Record()
    matches = matcher(section.variables, config.variables)
    found: Dict[str, Recording] = {}
    for name, variable in config.variables.items():
        rule = variable.record
        if rule is None:
            rule = matches(name)
        if rule is False or not variable.readable:
            continue
        own = rule if isinstance(rule, RecordRule) else RecordRule()
        found[name] = Recording(
            variable,
            section.min_interval_ms if own.min_interval_ms is None else own.min_interval_ms,
            section.deadband if own.deadband is None else own.deadband,
        )
    return found


def records(config: Config) -> bool:
    """Whether any variable is recorded, or would be if browsing finds it."""
    looked_for = any(server.browse for server in config.servers.values())
    patterns = config.record is not None and bool(config.record.variables)
    return looked_for and patterns or bool(recordings(config))


def history_file(state_dir: str) -> str:
    """The path of the file with recorded values."""
    return os.path.join(state_dir, "history.sqlite")
