"""``opcws doctor``: examines a whole installation, and says what to do.

Rules:

* It changes nothing, except that it saves the untrusted certificate of a server for ``opcws cert
  trust``.  It does not make a certificate of opcws: an administrator may run it, whose files opcws
  could not read.
* It continues after every problem; a part that cannot be examined is a finding.
* A finding says in one sentence what is wrong, and in a second one what to do.
"""

import configparser
import contextlib
import dataclasses
import datetime
import functools
import http.client
import importlib
import json
import logging
import os
import platform
import re
import shutil
import ssl
import sys
import time
from concurrent import futures
from importlib import metadata
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .. import __version__
from ..access import accounts
from ..app import Server as Application
from ..app import require_recorder
from ..config import load
from ..config.publishing import mqtt
from ..config.recording import history_file, records
from ..config.settings import Config, Listen, Record, Server, Variable
from ..gateway.audit_log import refused_path
from ..gateway.plant_interface import ReadResult
from ..model.addresses import is_loopback
from ..model.data_types import TICKS_PER_SECOND, NodeId
from ..model.deadline import Deadline
from ..model.errors import ConfigError, OpcwsError
from ..model.text import word
from ..operations import form, open_files
from ..ua.channel.trust import TrustStore
from ..ua.plant import Plant
from ..wire.timestamps import parse_timestamp, timestamp_text
from ..x509 import certificates
from . import brokers, config_file, publishing, tls_certificates
from .check import Finding as Told
from .check import check_plant, connecting
from .own_listener import connection_to
from .recording import may_write

OK, REMARK, BAD = "ok", "remark", "bad"

#: The newest Python that the tests run on.
_NEWEST_PYTHON = (3, 13)
#: Names by which packages are imported, if they differ from the name of the package.
_MODULES = {
    "paho-mqtt": "paho.mqtt",
    "pyopenssl": "OpenSSL",
    "pyyaml": "yaml",
    "rpds-py": "rpds",
}
#: With fewer free bytes a disk counts as full.
_NO_ROOM = 100 * 1024 * 1024
#: Seconds between two clocks that are a problem, and that are worth a remark.
_WRONG_CLOCK_S, _ODD_CLOCK_S = 300.0, 5.0
#: A clock before this date, when this was written, is wrong.
_WRITTEN = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
_EPOCH_TICKS = parse_timestamp("1970-01-01T00:00:00Z")
#: Most lines about the variables of one server; the others are counted.
_SHOWN_VARIABLES = 20
#: ServerStatus.CurrentTime (OPC 10000-5 7.1).
_CURRENT_TIME = NodeId(0, 2258)


class Finding(NamedTuple):
    """*level* is :data:`OK`, :data:`REMARK` or :data:`BAD`; with *plant* the OPC UA server must be
    corrected."""

    level: str
    topic: str
    text: str
    remedy: str = ""
    plant: bool = False


Findings = Iterator[Finding]


_ok, _remark, _bad = (functools.partial(Finding, level) for level in (OK, REMARK, BAD))


def examine(path: Optional[str]) -> Findings:
    """All findings, one by one; *path* is the configuration, if there is one."""
    for of_the_machine in (_python, _packages, _clock):
        yield from of_the_machine()
    if path is None:
        yield from _ports(Config())
        yield from _disks([os.curdir], 0)
        yield _remark(
            "configuration",
            "there is none, so only this machine was examined",
            "run 'opcws doctor --config FILE'; 'opcws init' makes a first one",
        )
        return
    try:
        loaded = load(path)
    except ConfigError as error:
        for problem in error.problems:
            yield _bad("configuration", problem, "correct it, and run 'opcws doctor' again")
        return
    counts = path, len(loaded.servers), len(loaded.variables)
    yield _ok("configuration", "%s is good: servers: %d, variables: %d" % counts)
    for warning in [*loaded.warnings, *accounts.warnings(loaded)]:
        yield _remark("configuration", warning)
    schema = config_file.other_schema(path)
    if schema is not None:
        yield _remark(
            "configuration",
            "%s, with which editors check the file, was written by another version of opcws"
            % schema,
            "write it again: opcws config schema --config %s" % word(path),
        )
    for of_the_installation in (
        *(_access, _tls_certificates, _ports, _directories, _retention, _recorder),
        *(_open_files, _own_certificates, _broker, _plants),
    ):
        yield from of_the_installation(loaded)


# --- this machine ------------------------------------------------------------------------------


def _python() -> Findings:
    text = "opcws %s (%s) on Python %s (%d bits), %s" % (
        __version__,
        form.FORM,
        platform.python_version(),
        64 if sys.maxsize > 2**32 else 32,
        platform.platform(),
    )
    if sys.version_info[:2] > _NEWEST_PYTHON:
        yield _remark(
            "python",
            text + "; opcws was not tested with a Python as new as this",
            "opcws may work with it; Python %d.%d is the newest that was tested" % _NEWEST_PYTHON,
        )
    else:
        yield _ok("python", text + ", " + ssl.OPENSSL_VERSION)


def _packages() -> Findings:
    remarks = []
    try:
        lines = [line for line in metadata.requires("opcws") or () if _applies(line)]
    except metadata.PackageNotFoundError:
        lines = _needed_in_a_checkout()
        text = "opcws runs from a checkout, so the versions of the packages were not examined"
        remarks = [_remark("packages", text)]
    wrong = [found for found in map(_package, lines) if found is not None]
    yield from wrong or [_ok("packages", "all %d are installed" % len(lines))]
    yield from remarks


def _needed_in_a_checkout() -> List[str]:
    """Names of the packages that opcws needs."""
    setup = configparser.ConfigParser()
    setup.read(str(Path(__file__).parents[2] / "setup.cfg"), encoding="utf-8")
    lines = setup.get("options", "install_requires", fallback="")
    return re.findall(
        r"^[A-Za-z0-9][A-Za-z0-9._-]*",
        "\n".join(filter(_applies, lines.splitlines())),
        re.MULTILINE,
    )


def _applies(requirement: str) -> bool:
    """Whether the marker of a *requirement* of opcws, if it has one, is true for this Python.  All
    markers of opcws are comparisons joined by "and" (PyPA dependency specifiers)."""
    here = {
        "sys_platform": sys.platform,
        "platform_machine": platform.machine(),
        "python_version": "%d.%d" % sys.version_info[:2],
    }
    marker = requirement.partition(";")[2]
    for name, relation, value in re.findall(r"(\w+)\s*([<>=!]=?)\s*[\"']([^\"']+)", marker):
        have = here.get(name, "")  # no extra is installed
        if name == "python_version":
            holds = _holds(have, relation, value)
        else:
            holds = (have == value) == (relation == "==")
        if not holds:
            return False
    return True


def _package(requirement: str) -> Optional[Finding]:
    """The problem of one package, if it has one."""
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    assert match is not None
    name = match[0]
    remedy = "install opcws again: python -m pip install --upgrade --force-reinstall opcws"
    try:
        version = metadata.version(name)
        importlib.import_module(_MODULES.get(name.lower(), name.replace("-", "_")))
    except metadata.PackageNotFoundError:
        return _bad("packages", "%s is missing" % name, remedy)
    except Exception as error:  # a broken installation may raise anything
        return _bad("packages", "%s cannot be used: %s" % (name, error), remedy)
    for relation, bound in re.findall(
        r"([<>=!~]=?)\s*([0-9][0-9.]*)", requirement[match.end() :].partition(";")[0]
    ):
        if not _holds(version, relation, bound):
            text = "%s has version %s, but opcws needs %s%s" % (name, version, relation, bound)
            return _bad("packages", text, remedy)
    return None


def _holds(version: str, relation: str, bound: str) -> bool:
    """Whether *version* meets a requirement of opcws; only numbers are compared.

    The library packaging can do this completely, but might itself be missing.
    """

    def numbers(text: str) -> Tuple[int, ...]:
        found = [int(each) for each in re.findall(r"[0-9]+", text.split("+")[0])[:4]]
        return tuple(found + [0] * (4 - len(found)))

    have, want = numbers(version), numbers(bound)
    return {"<": have < want, "<=": have <= want, ">=": have >= want, "==": have == want}.get(
        relation, True
    )


def _clock() -> Findings:
    now = datetime.datetime.now(datetime.timezone.utc)
    text = "this machine says %s" % now.strftime("%Y-%m-%d %H:%M:%S UTC")
    if now < _WRITTEN:
        remedy = "set the clock of this machine; with a wrong clock certificates are refused"
        yield _bad("clock", text + ", which is too early", remedy)
    else:
        yield _ok("clock", text)


def _ports(loaded: Config) -> Findings:
    try:
        listeners = Application(Config(listen=loaded.listen)).listeners
    except ConfigError as error:
        yield from _wrong_tls(error)
        return
    for listen, listener in zip(loaded.listen, listeners):
        where = "%s port %d" % (listen.host, listen.port)
        try:
            listener.open()
        except OpcwsError as error:
            if _answers(listen):
                yield _ok("ports", "opcws runs already on %s" % where)
            else:
                yield _bad("ports", error.reason, "correct it, and run 'opcws doctor' again")
        else:
            yield _ok("ports", "%s is free" % where)
        finally:
            listener.stop(Deadline(1.0))


def _answers(listen: Listen) -> bool:
    """Whether an opcws runs at the address of *listen*, by its answer to ``GET /healthz``."""
    with contextlib.closing(connection_to(listen, 3.0)) as connection:
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            body = answer.read(100)
        except (OSError, http.client.HTTPException):
            return False
    challenge = 'realm="opcws"' in (answer.headers.get("WWW-Authenticate") or "")
    return body.startswith(b"ok") or challenge


def _open_files(loaded: Config) -> Findings:
    needed = open_files.needed(loaded.listen)
    logging.getLogger("opcws.operations.open_files").setLevel(logging.CRITICAL)
    allowed = open_files.allow(needed)
    if allowed is not None and allowed < needed:
        yield _remark(
            "open files",
            "the system allows %d, and the limits on connections may need %d" % (allowed, needed),
            "raise it (LimitNOFILE= of systemd, ulimit -n), or lower listen.limits.max_connections",
        )


# --- the installation --------------------------------------------------------------------------


def _access(loaded: Config) -> Findings:
    for listen in loaded.listen:
        if is_loopback(listen.host):
            continue
        where = "%s port %d" % (listen.host, listen.port)
        if loaded.roles is None:
            yield _remark(
                "access",
                "everybody who can reach %s may read, and write what has 'access: readwrite'"
                % where,
                "add 'roles', so that clients have to log in",
            )
        elif listen.tls is None:
            yield _remark(
                "access",
                "tokens and passwords are sent to %s in clear" % where,
                "set listen.tls; 'opcws cert create --listen' makes a certificate for a first try",
            )


def _tls_certificates(loaded: Config) -> Findings:
    if all(listen.tls is None for listen in loaded.listen):
        return
    try:
        notices = tls_certificates.notices(loaded)
    except ConfigError as error:
        yield from _wrong_tls(error)
        return
    for notice in notices:
        level = BAD if re.search(r" expired on | not valid before ", notice) else REMARK
        yield Finding(level, "tls", notice)
    if not notices:
        yield _ok("tls", "the certificates that clients see are good")


def _wrong_tls(error: ConfigError) -> Findings:
    for problem in error.problems:
        yield _bad("tls", problem, "correct listen.tls, or the files that it names")


def _directories(loaded: Config) -> Findings:
    """Whether opcws may write to its directories, and whether there is room."""
    places = {}
    most = 0
    for setting, log in (("log.file", loaded.log), ("audit.file", loaded.audit)):
        if log is not None and log.file is not None:
            places[setting] = log.file
            files = 2 if log is loaded.audit else 1  # refused writes have their own
            most += files * log.max_bytes * (log.backups + 1)
    if loaded.roles is not None:
        places["credentials"] = loaded.credentials
    for server in loaded.servers.values():
        if server.security.mode != "None":
            places["security.pki of %s" % server.name] = os.path.join(server.security.pki, "x")
    if records(loaded):
        places["state_dir"] = history_file(loaded.state_dir)
        most += (loaded.record or Record()).max_bytes
    section = mqtt(loaded)
    if section is not None and section.store_max_bytes:
        places.setdefault("state_dir", os.path.join(loaded.state_dir, "publish"))
        most += section.store_max_bytes
    directories: List[str] = []
    for setting, path in places.items():
        directory = os.path.dirname(os.path.abspath(path))
        present, writable = may_write(path)
        made_by_us = setting.startswith(("security.pki", "state_dir"))
        if present != directory and not made_by_us:
            yield _bad(
                "directories", "%s: there is no directory %s" % (setting, directory), "create it"
            )
        elif not writable:
            yield _bad(
                "directories",
                "%s: this user may not write to %s" % (setting, directory),
                "give the user the right, or run 'opcws doctor' as the user that opcws runs as",
            )
        elif present not in directories:
            directories.append(present)
            yield _ok("directories", "%s: opcws can write to %s" % (setting, present))
    yield from _disks(directories or [os.path.dirname(os.path.abspath(loaded.path or "x"))], most)


def _retention(loaded: Config) -> Findings:
    """How far back the audit log goes, and whether the disk is large enough for it."""
    if loaded.audit is None:
        return
    path, keep = loaded.audit.file, loaded.audit.keep_days
    topic, size, since = "audit log", *_on_record(path, loaded.audit.backups)
    _size, refused_since = _on_record(refused_path(path), loaded.audit.backups)
    kept = "entries are kept for at least %g days" % keep
    if not keep:
        kept = "at most %d renamed files are kept, whatever their age" % loaded.audit.backups
    if since is None:
        yield _ok(topic, "the audit log is empty; " + kept)
        return
    text = "goes back to %s, with %.1f MiB; %s" % (since.strftime("%Y-%m-%d"), size / 2**20, kept)
    if refused_since is not None:
        text += "; the log of refused writes goes back to %s" % refused_since.strftime("%Y-%m-%d")
    days = (datetime.datetime.now(datetime.timezone.utc) - since).total_seconds() / 86400.0
    # Less than a day is too short for a forecast.
    needs = size / max(days, 1.0) * keep - size
    free = shutil.disk_usage(os.path.dirname(os.path.abspath(path))).free
    if needs > free:
        yield _remark(
            topic,
            "%s; that needs %d MiB more, but only %d MiB are free"
            % (text, int(needs) >> 20, free >> 20),
            "free disk space, move old files away, or lower audit.keep_days",
        )
    else:
        yield _ok(topic, text)


def _recorder(loaded: Config) -> Findings:
    """How far back the recorded values go, and how much is kept."""
    if not records(loaded):
        return
    topic, section = "recorder", loaded.record or Record()
    kept = "at most %d MiB are kept" % (section.max_bytes >> 20)
    if section.keep_days:
        kept += ", none of it for more than %g days" % section.keep_days
    path = history_file(loaded.state_dir)
    first, size = 0, 0
    try:
        require_recorder(loaded)
        from ..recorder import inspection

        if os.path.exists(path):
            found = inspection.look(path)
            first = min([each.first for each in found.series if each.values], default=0)
            size = found.bytes
    except ConfigError as error:
        yield from (_bad(topic, problem) for problem in error.problems)
        return
    text = "nothing is recorded yet; "
    if first:
        text = "goes back to %s, with %.1f MiB; " % (timestamp_text(first)[:10], size / 2**20)
    yield _ok(topic, text + kept)


def _broker(loaded: Config) -> Findings:
    """Whether opcws can connect to the broker to which it publishes."""
    tried = publishing.try_out(loaded)
    if tried is not None:
        yield Finding(OK if tried.good else BAD, "broker", tried.text, tried.remedy)


def _on_record(path: str, backups: int) -> Tuple[int, Optional[datetime.datetime]]:
    """The bytes of the files of an audit log, and the time of its first line."""
    size, since = 0, None
    for name in [path, *("%s.%d" % (path, number) for number in range(1, backups + 1))]:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            size += os.path.getsize(name)
            with open(name, "rb") as file:
                ticks = parse_timestamp(json.loads(file.readline(65536))["time"])
            seconds = (ticks - _EPOCH_TICKS) / TICKS_PER_SECOND
            since = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return size, since


def _disks(directories: Sequence[str], most: int) -> Findings:
    seen = set()
    for directory in directories:
        try:
            free, device = shutil.disk_usage(directory).free, os.stat(directory).st_dev
        except OSError as error:
            yield _bad("disk", "%s: %s" % (directory, error.strerror))
            continue
        if device in seen:
            continue
        seen.add(device)
        text = "%d MiB are free on the disk of %s" % (free >> 20, os.path.abspath(directory))
        if free < _NO_ROOM:
            yield _bad("disk", text, "free disk space")
        elif free < most:
            text += ", but logs and history may take %d MiB" % (most >> 20)
            remedy = "free disk space, or lower max_bytes of log, audit and record, and their "
            remedy += "backups, or publish.mqtt.store_max_bytes"
            yield _remark("disk", text, remedy)
        else:
            yield _ok("disk", text)


def _own_certificates(loaded: Config) -> Findings:
    """The certificates of opcws for OPC UA servers, and rejected certificates."""
    topic = "certificates"
    seen = set()
    for server in loaded.servers.values():
        pki, path = server.security.pki, _own_certificate(server)
        if server.security.mode == "None" or (pki, path) in seen:
            continue
        seen.add((pki, path))
        try:
            if os.path.exists(path):
                yield _judged(path)
            else:
                yield _remark(
                    topic,
                    "there is no %s yet; opcws creates it at its first start" % path,
                    "or create it now with 'opcws cert create', and put it into the trust list of "
                    "the OPC UA server",
                )
            listed = TrustStore(pki).listing()
        except OpcwsError as error:
            yield _bad(topic, error.reason)
            continue
        for each in listed:
            notice = certificates.expiry_notice(
                each.certificate, "the trusted certificate", "ask its owner for a new one"
            )
            if each.place == "trusted" and notice is not None:
                yield _remark(topic, "%s: %s" % (each.path, notice))
        rejected = sum(each.place == "rejected" for each in listed)
        if rejected:
            yield _remark(
                topic,
                "%s holds rejected certificates of OPC UA servers: %d" % (pki, rejected),
                "'opcws cert list' shows them, 'opcws cert trust NAME' trusts one",
            )


def _own_certificate(server: Server) -> str:
    """The path of the certificate that opcws shows *server*."""
    return server.security.certificate or certificates.own_paths(server.security.pki)[0]


def _judged(path: str) -> Finding:
    certificate = certificates.load_certificate(path, "the certificate of opcws")
    notice = certificates.expiry_notice(
        certificate, "the certificate of opcws", "'opcws cert create --replace' makes a new one"
    )
    left = certificate.not_valid_after_utc - certificates.now()
    if notice is not None:
        return Finding(BAD if left.days < 0 else REMARK, "certificates", notice)
    return _ok(
        "certificates", "the certificate of opcws, %s, is good for %d days" % (path, left.days)
    )


# --- the plants --------------------------------------------------------------------------------


def _plants(loaded: Config) -> Findings:
    if not loaded.servers:
        yield _remark("plant", "the configuration has no servers", "add one under 'servers'")
    servers = {}
    for name, server in loaded.servers.items():
        if server.security.mode == "None" or os.path.exists(_own_certificate(server)):
            servers[name] = server
        else:
            yield _remark(
                "plant",
                "opcws did not connect to %s, since it has no certificate of its own yet" % name,
                "create one with 'opcws cert create', and put it into the trust list of "
                "the OPC UA server",
            )
    with connecting(dataclasses.replace(loaded, servers=servers)) as plants:
        for plant in plants:
            yield from _summed_up(plant.name, check_plant(plant))
            if plant.supervisor.connected:
                yield from _plant_clock(plant)
    for seen in brokers.look(loaded):
        yield from _summed_up(seen.server.name, [Told(*line) for line in seen.lines])


def _summed_up(name: str, all_found: Sequence[Told]) -> Findings:
    shown = hidden = good = 0
    for found in all_found:
        text = found.text.strip()
        if found.good and found.text.startswith("  "):
            good += 1
        elif not found.good and shown >= _SHOWN_VARIABLES:
            hidden += 1
        else:
            shown += not found.good
            topic = "variables" if found.text.startswith("  ") else "plant"
            yield Finding(OK if found.good else BAD, topic, text, plant=True)
    if hidden:
        text = "%s: %d more do not match the configuration" % (name, hidden)
        yield Finding(BAD, "variables", text, "'opcws check' shows them all", plant=True)
    if good:
        yield _ok("variables", "%s: good: %d" % (name, good))


def _plant_clock(plant: Plant) -> Findings:
    """How far the OPC UA server's clock is from ours."""
    answer: "futures.Future[List[ReadResult]]" = futures.Future()
    variable = Variable("the clock", plant.name, _CURRENT_TIME, "i=2258")
    asked_at = time.time()
    try:
        plant.read([variable], 0.0, answer.set_result)
        (result,) = answer.result(plant.server.request_timeout_ms / 1000.0 + 1.0)
    except (OpcwsError, futures.TimeoutError):
        return
    here = (asked_at + time.time()) / 2
    value = getattr(result, "value", None)
    ticks = getattr(value, "value", value)
    if not isinstance(ticks, int) or ticks <= 0:
        return
    ahead = (ticks - _EPOCH_TICKS) / 1e7 - here
    direction = "ahead of" if ahead > 0 else "behind"
    text = "%s: its clock is %.1f s %s that of this machine" % (plant.name, abs(ahead), direction)
    if abs(ahead) < _ODD_CLOCK_S:
        yield _ok("clock", "%s: its clock differs by less than %d s" % (plant.name, _ODD_CLOCK_S))
    elif abs(ahead) < _WRONG_CLOCK_S:
        yield _remark(
            "clock",
            text,
            "set both clocks with NTP; SourceTimestamps come from the OPC UA server's clock",
        )
    else:
        remedy = (
            "set the clock that is wrong; timestamps and the check of certificates depend on it"
        )
        yield Finding(BAD, "clock", text, remedy, plant=True)
