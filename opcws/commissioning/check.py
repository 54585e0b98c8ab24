"""``opcws check``: connects to every server and checks each variable."""

import contextlib
import itertools
from typing import Iterator, List, NamedTuple, Optional, Sequence, Set

from ..config.roles import matcher
from ..config.settings import Config, Variable
from ..config.yaml_document import shown
from ..gateway.value_source import Created
from ..model import status_codes
from ..model.data_types import TYPE_NAMES
from ..model.deadline import Deadline
from ..model.errors import PlantError
from ..ua.channel.link import Link
from ..ua.monitored_items import Revised
from ..ua.plant import Plant
from ..ua.redundancy import HEALTHY
from ..ua.services.metadata import CURRENT_READ, CURRENT_WRITE
from . import brokers, publishing


class Finding(NamedTuple):
    """One line of the report; ``good`` if there is nothing to correct."""

    good: bool
    text: str


def _good(text: str) -> Finding:
    return Finding(True, text)


def _bad(text: str) -> Finding:
    return Finding(False, text)


def check(config: Config) -> List[Finding]:
    """All findings, server by server in the order of the configuration."""
    found: Optional[Set[str]] = set()
    findings: List[Finding] = []
    with connecting(config) as plants:
        for plant in plants:
            findings += check_plant(plant)
            names = _found(plant)
            found = None if found is None or names is None else found | names
    for seen in brokers.look(config):
        findings += itertools.starmap(Finding, seen.lines)
        found = None if found is None or seen.names is None else found | seen.names
    if found is not None and any(server.browse for server in config.servers.values()):
        findings += _patterns_in_vain(config, found | set(config.variables))
    tried = publishing.try_out(config)
    if tried is not None:
        findings.append(Finding(tried.good, "; ".join(filter(None, tried[1:]))))
    return findings


def _found(plant: Plant) -> Optional[Set[str]]:
    """Names of the variables that browsing has found on the server; ``None`` if unknown."""
    if not plant.server.browse:
        return set()
    link = plant.supervisor.link
    try:
        return None if link is None else {each.name for each in plant.look(link).variables}
    except PlantError:
        return None


def _patterns_in_vain(config: Config, names: Set[str]) -> Iterator[Finding]:
    """A line for each pattern of a role, of ``record`` or ``publish`` that matches none of *names*,
    which are all variables.  Without ``browse`` the check of the file already reports this."""
    settings = {
        "roles.%s.%s" % (name, kind): patterns
        for name, role in (config.roles or {}).items()
        for kind, patterns in (("read", role.read), ("write", role.write))
    }
    if config.record is not None:
        settings["record.variables"] = config.record.variables
    if config.publish is not None and config.publish.mqtt is not None:
        settings["publish.mqtt.variables"] = config.publish.mqtt.variables
    for setting, patterns in settings.items():
        for pattern in patterns:
            if not any(map(matcher([pattern], names), names)):
                yield _bad(
                    "%s: no variable matches %s, listed or found; case and dots matter"
                    % (setting, shown(pattern))
                )


@contextlib.contextmanager
def connecting(config: Config) -> Iterator[Sequence[Plant]]:
    """Plants for the OPC UA servers of *config*, which connect at the same time."""
    plants = [Plant(server) for server in config.servers.values() if not server.at_broker]
    for plant in plants:
        plant.start()
    try:
        yield plants
    finally:
        deadline = Deadline(4.5)
        for plant in plants:
            plant.quit()
        for plant in plants:
            plant.stop(deadline)


def check_plant(plant: Plant) -> List[Finding]:
    """Findings about one server and each of its variables; waits until it is connected or has
    failed."""
    server = plant.server
    title = "%s (%s): " % (server.name, ", ".join(server.endpoints) or server.endpoint)
    patience = (server.connect_timeout_ms + 4 * server.request_timeout_ms) / 1000.0
    plant.supervisor.settled.wait(patience)
    if not plant.supervisor.connected:
        reason = plant.supervisor.reason or "no answer in %g s" % patience
        return [_bad(title + "not connected: " + reason)]
    findings = [_good(title + "connected, variables: %d" % len(server.variables))]
    link = plant.supervisor.link
    if link is not None:
        if server.browse:
            findings.append(_look(plant, link))
        findings += [_bad(title + notice) for notice in link.session.notices]
        findings += [_good(title + notice) for notice in link.namespace_notices]
    findings += _check_set(plant)
    try:
        monitored, revised = plant.describe(Deadline(server.history_timeout_ms / 1000.0))
    except PlantError as problem:
        return [*findings, _bad(title + problem.reason)]
    width = max((len(name) for name in server.variables), default=0)
    for name, variable in server.variables.items():
        lines = _check_variable(plant, variable)
        if all(line.good for line in lines) and name in monitored:
            lines.append(_monitoring(monitored[name], revised.get(name)))
        good = all(line.good for line in lines)
        text = "; ".join(line.text for line in lines)
        findings.append(Finding(good, "  %-*s  %s" % (width, name, text)))
    return findings


def _look(plant: Plant, link: Link) -> Finding:
    """Findings about the ``browse`` patterns of the server."""
    missing: List[str] = []
    try:
        found, complete = plant.look(link, missing.append)
    except PlantError as problem:
        return _bad("  browse: %s" % problem.reason)
    if not found:
        why = "correct 'under' or 'match'" if complete else "; ".join(missing)
        return _bad("  browse: finds nothing; " + why)
    some = ", ".join(each.name for each in found[:3]) + (", ..." if len(found) > 3 else "")
    if not complete:
        return _bad("  browse: finds %d so far: %s; %s" % (len(found), some, "; ".join(missing)))
    return _good("  browse: finds %d: %s" % (len(found), some))


def _check_set(plant: Plant) -> Iterator[Finding]:
    """A line for each server of a redundant set."""
    for member in plant.status().get("Endpoints", ()):
        level = member.get("ServiceLevel")
        text = "  %s: " % member["Endpoint"]
        if level is None:
            yield _bad(text + member.get("Reason", "no answer yet"))
            continue
        use = "in use" if member["InUse"] else "ready to take over"
        yield Finding(level >= HEALTHY, text + "%s, ServiceLevel %d" % (use, level))


def _monitoring(created: Created, revised: Optional[Revised]) -> Finding:
    """Whether the variable can be monitored, and the settings that the server has chosen."""
    if created.item_id is None or revised is None:
        return _bad("cannot be monitored: %s (%s)" % (created.status, created.reason))
    interval = _asked("%g ms", revised.interval_ms, revised.asked_interval_ms)
    queue = _asked("%d", revised.queue_size, revised.asked_queue_size)
    return _good("sampled every %s, queue %s" % (interval, queue))


def _asked(form: str, given: float, asked: float) -> str:
    text = form % given
    return text if given == asked else text + " (asked: %s)" % (form % asked)


def _check_variable(plant: Plant, variable: Variable) -> List[Finding]:
    known = plant.metadata.description(variable.name)
    if known is None:
        return [_bad("the server has not answered for it")]
    if status_codes.is_bad(known.status):
        status = status_codes.name(known.status)
        return [_bad("%s: %s (%s)" % (status, known.reason, variable.node_text))]
    value_type, access = known.value_type, known.access
    array = "[]" if value_type.is_array else ""
    lines = [_good(TYPE_NAMES.get(value_type.type, "any type") + array)]
    if variable.type and value_type.type and variable.type != value_type.type:
        lines.append(_bad("the configuration says type %s; correct it" % TYPE_NAMES[variable.type]))
    if None not in (variable.is_array, value_type.is_array):
        if variable.is_array != value_type.is_array:
            what = "an array" if value_type.is_array else "a scalar (ValueRank -1)"
            lines.append(
                _bad(
                    "the configuration says array: %s, but the server says that it is %s, and "
                    "opcws uses that; remove 'array', or correct the server"
                    % (str(variable.is_array).lower(), what)
                )
            )
    for wanted, bit in (("read", CURRENT_READ), ("write", CURRENT_WRITE)):
        if access is not None and wanted in variable.access and not access & bit:
            lines.append(
                _bad(
                    "the server does not let this user %s it, but the configuration says %s; "
                    "change 'access', or the user's rights on the server"
                    % (wanted, variable.access)
                )
            )
    if access is None or all(line.good for line in lines):
        lines.append(_good(variable.access))
    return lines
