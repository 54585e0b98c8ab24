"""``opcws doctor``: a whole installation, examined; what was found, and what to do about it.

Rules:

* Nothing is changed, and nothing is left behind but a server's certificate that is not trusted,
  for ``opcws cert trust``.  Whoever runs this may be an administrator, whose files opcws could not
  read: a certificate of ours is not made.
* It goes on after whatever it finds; a part that cannot be examined is a finding.
* A finding says in one sentence what is there, and in a second one what to do.
"""

import contextlib
import dataclasses
import datetime
import http.client
import importlib
import logging
import os
import platform
import re
import shutil
import ssl
import sys
import threading
import time
from importlib import metadata
from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .. import __version__
from ..access import accounts
from ..app import Server as Application
from ..config import load
from ..config.check import is_loopback
from ..config.settings import Config, Listen, Server, Variable
from ..gateway.plant_interface import ReadResult
from ..model.data_types import NodeId
from ..model.deadline import Deadline
from ..model.errors import ConfigError, OpcwsError
from ..operations import openfiles
from ..ua.channel.trust import TrustStore
from ..ua.plant import Plant
from ..wire.timestamps import parse_timestamp
from ..x509 import certificates
from . import tls_certificates
from .check import check_plant, connecting

OK, REMARK, BAD = "ok", "remark", "bad"

#: Pythons that the tests run on.
_TESTED = ((3, 8), (3, 13))
#: What each package is imported as; a package that is not here is imported by its own name.
_MODULES = {"pyyaml": "yaml"}
#: Packages without which nothing runs, for a checkout, whose own list is not installed.
_NEEDED = (
    *("simple-websocket", "wsproto", "h11", "opcua", "cryptography"),
    *("jsonschema", "fastjsonschema", "PyYAML", "click", "prometheus_client", "defusedxml"),
)
#: Free bytes on a disk below which it is as good as full.
_NO_ROOM = 100 * 1024 * 1024
#: Seconds between two clocks from which on there is something to do, and something to say.
_WRONG_CLOCK_S, _ODD_CLOCK_S = 300.0, 5.0
#: Nobody runs this before it was written, so a clock that says so is wrong.
_WRITTEN = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
_EPOCH_TICKS = parse_timestamp("1970-01-01T00:00:00Z")
#: Lines about variables that are shown of one server; the others are counted.
_SHOWN_VARIABLES = 20
#: ServerStatus.CurrentTime (OPC 10000-5 7.1).
_CURRENT_TIME = NodeId(0, 2258)


class Finding(NamedTuple):
    """*level* is :data:`OK`, :data:`REMARK` or :data:`BAD`; *plant* tells that it is an OPC UA
    server's side where something is to be done."""

    level: str
    topic: str
    text: str
    remedy: str = ""
    plant: bool = False


def examine(path: Optional[str]) -> Iterator[Finding]:
    """Every finding, as soon as it is there; *path* is the configuration, if there is one."""
    yield from _python()
    yield from _packages()
    yield from _clock()
    if path is None:
        yield from _ports(Config())
        yield from _disks([os.curdir], 0)
        yield Finding(
            REMARK,
            "configuration",
            "none was given, so nothing that depends on one was examined",
            "run 'opcws doctor --config FILE'; 'opcws init' makes a first one",
        )
        return
    try:
        loaded = load(path)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding(BAD, "configuration", problem, "correct it, and run this again")
        return
    yield Finding(
        OK,
        "configuration",
        "%s is good: servers: %d, variables: %d"
        % (path, len(loaded.servers), len(loaded.variables)),
    )
    for warning in [*loaded.warnings, *accounts.warnings(loaded)]:
        yield Finding(REMARK, "configuration", warning)
    yield from _access(loaded)
    yield from _listeners(loaded)
    yield from _ports(loaded)
    yield from _directories(loaded)
    yield from _open_files(loaded)
    yield from _own_certificates(loaded)
    yield from _plants(loaded)


# --- this machine ------------------------------------------------------------------------------


def _python() -> Iterator[Finding]:
    text = "opcws %s on Python %s (%d bits), %s" % (
        __version__,
        platform.python_version(),
        64 if sys.maxsize > 2**32 else 32,
        platform.platform(),
    )
    if sys.version_info[:2] > _TESTED[1]:
        yield Finding(
            REMARK,
            "python",
            text + "; newer than what opcws was tested with",
            "it may well work; Python %d.%d is the newest that was tested" % _TESTED[1],
        )
    else:
        yield Finding(OK, "python", text + ", " + ssl.OPENSSL_VERSION)


def _packages() -> Iterator[Finding]:
    try:
        lines = [line for line in metadata.requires("opcws") or () if "extra" not in line]
        whole = True
    except metadata.PackageNotFoundError:
        lines, whole = list(_NEEDED), False
    wrong = False
    for line in lines:
        found = _package(line)
        if found is not None:
            wrong = True
            yield found
    if not wrong:
        yield Finding(OK, "packages", "all %d are there" % len(lines))
    if not whole:
        yield Finding(
            REMARK,
            "packages",
            "opcws runs from a checkout, so only that packages are there was examined",
        )


def _package(requirement: str) -> Optional[Finding]:
    """What is wrong with one package, if anything."""
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    assert match is not None
    name = match[0]
    remedy = "install opcws again: python -m pip install --upgrade --force-reinstall opcws"
    try:
        version = metadata.version(name)
        importlib.import_module(_MODULES.get(name.lower(), name.replace("-", "_")))
    except metadata.PackageNotFoundError:
        return Finding(BAD, "packages", "%s is missing" % name, remedy)
    except Exception as error:  # whatever a broken installation does
        return Finding(BAD, "packages", "%s cannot be used: %s" % (name, error), remedy)
    for relation, bound in re.findall(r"([<>=!~]=?)\s*([0-9][0-9.]*)", requirement[match.end() :]):
        if not _holds(version, relation, bound):
            return Finding(
                BAD,
                "packages",
                "%s has version %s, but opcws needs %s%s" % (name, version, relation, bound),
                remedy,
            )
    return None


def _holds(version: str, relation: str, bound: str) -> bool:
    """Whether *version* is as a requirement of ours wants it; only numbers are compared."""

    def numbers(text: str) -> Tuple[int, ...]:
        found = [int(each) for each in re.findall(r"[0-9]+", text.split("+")[0])[:4]]
        return tuple(found + [0] * (4 - len(found)))

    have, want = numbers(version), numbers(bound)
    return {"<": have < want, "<=": have <= want, ">=": have >= want, "==": have == want}.get(
        relation, True
    )


def _clock() -> Iterator[Finding]:
    now = datetime.datetime.now(datetime.timezone.utc)
    text = "it is %s here" % now.strftime("%Y-%m-%d %H:%M:%S UTC")
    if now < _WRITTEN:
        yield Finding(
            BAD,
            "clock",
            text + ", which cannot be",
            "set the clock of this machine; certificates are refused with a wrong one",
        )
    else:
        yield Finding(OK, "clock", text)


def _ports(loaded: Config) -> Iterator[Finding]:
    try:
        listeners = Application(loaded).listeners
    except ConfigError as error:
        for problem in error.problems:
            yield Finding(BAD, "tls", problem, "correct listen.tls, or the files")
        return
    for listen, listener in zip(loaded.listen, listeners):
        where = "%s port %d" % (listen.host, listen.port)
        try:
            listener.open()
        except OpcwsError as error:
            if _answers(listen):
                yield Finding(OK, "ports", "opcws runs already on %s" % where)
            else:
                yield Finding(BAD, "ports", error.reason, "then run this again")
        else:
            yield Finding(OK, "ports", "%s is free" % where)
        finally:
            listener.stop(Deadline(1.0))


def _answers(listen: Listen) -> bool:
    """Whether what is at the address of *listen* is opcws, by its answer to ``GET /healthz``."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(listen.host, listen.host)
    connection: http.client.HTTPConnection
    if listen.tls is None:
        connection = http.client.HTTPConnection(host, listen.port, timeout=3)
    else:
        # It is asked what it is, and told nothing.
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(host, listen.port, timeout=3, context=context)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            body = answer.read(100)
        except (OSError, http.client.HTTPException):
            return False
    challenge = 'realm="opcws"' in (answer.headers.get("WWW-Authenticate") or "")
    return body.startswith(b"ok") or challenge


def _open_files(loaded: Config) -> Iterator[Finding]:
    needed = openfiles.needed(loaded.listen)
    logging.getLogger("opcws.operations.openfiles").setLevel(logging.CRITICAL)
    allowed = openfiles.allow(needed)
    if allowed is not None and allowed < needed:
        yield Finding(
            REMARK,
            "open files",
            "the system allows %d, and the limits on connections may need %d" % (allowed, needed),
            "raise it (LimitNOFILE= of systemd, ulimit -n), or lower listen.limits.max_connections",
        )


# --- the installation --------------------------------------------------------------------------


def _access(loaded: Config) -> Iterator[Finding]:
    exposed = [each for each in loaded.listen if not is_loopback(each.host)]
    for listen in exposed:
        if loaded.roles is None:
            yield Finding(
                REMARK,
                "access",
                "everybody who reaches %s port %d may read, and write what has 'access: readwrite'"
                % (listen.host, listen.port),
                "add roles, so that clients have to show who they are",
            )
        elif listen.tls is None:
            yield Finding(
                REMARK,
                "access",
                "tokens and passwords reach %s port %d in clear" % (listen.host, listen.port),
                "set listen.tls; 'opcws cert create --listen' makes a pair for a first try",
            )


def _listeners(loaded: Config) -> Iterator[Finding]:
    if all(listen.tls is None for listen in loaded.listen):
        return
    try:
        notices = tls_certificates.notices(loaded)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding(BAD, "tls", problem, "correct listen.tls, or the files")
        return
    for notice in notices:
        level = BAD if re.search(r" expired on | not valid before ", notice) else REMARK
        yield Finding(level, "tls", notice)
    if not notices:
        yield Finding(OK, "tls", "the certificates that clients see are good")


def _directories(loaded: Config) -> Iterator[Finding]:
    """Where opcws writes: may it, and is there room?"""
    places = {}
    if loaded.log.file is not None:
        places["log.file"] = loaded.log.file
    if loaded.audit is not None:
        places["audit.file"] = loaded.audit.file
    if loaded.roles is not None:
        places["credentials"] = loaded.credentials
    for server in loaded.servers.values():
        if server.security.mode != "None":
            places["security.pki of %s" % server.name] = os.path.join(server.security.pki, "x")
    directories: List[str] = []
    for setting, path in places.items():
        directory = os.path.dirname(os.path.abspath(path))
        present = directory
        while not os.path.isdir(present) and os.path.dirname(present) != present:
            present = os.path.dirname(present)
        made_by_us = setting.startswith("security.pki")
        if present != directory and not made_by_us:
            yield Finding(
                BAD, "directories", "%s: there is no %s" % (setting, directory), "make it"
            )
        elif not os.access(present, os.W_OK | os.X_OK) or (
            os.path.isfile(path) and not os.access(path, os.W_OK)
        ):
            yield Finding(
                BAD,
                "directories",
                "%s: this user may not write to %s" % (setting, path if made_by_us else directory),
                "give it the right, or run this as the user that opcws runs as",
            )
        elif present not in directories:
            directories.append(present)
            yield Finding(OK, "directories", "%s: %s can be written to" % (setting, present))
    most = 0
    if loaded.log.file is not None:
        most += loaded.log.max_bytes * (loaded.log.backups + 1)
    if loaded.audit is not None:
        most += loaded.audit.max_bytes * (loaded.audit.backups + 1)
    yield from _disks(directories or [os.path.dirname(os.path.abspath(loaded.path or "x"))], most)


def _disks(directories: Sequence[str], most: int) -> Iterator[Finding]:
    seen = set()
    for directory in directories:
        try:
            free, device = shutil.disk_usage(directory).free, os.stat(directory).st_dev
        except OSError as error:
            yield Finding(BAD, "disk", "%s: %s" % (directory, error.strerror))
            continue
        if device in seen:
            continue
        seen.add(device)
        text = "%d MiB are free where %s is" % (free >> 20, os.path.abspath(directory))
        if free < _NO_ROOM:
            yield Finding(BAD, "disk", text, "make room")
        elif free < most:
            remedy = "make room, or lower max_bytes and backups of log and audit"
            yield Finding(
                REMARK,
                "disk",
                text + ", and log and audit log may take %d MiB" % (most >> 20),
                remedy,
            )
        else:
            yield Finding(OK, "disk", text)


def _own_certificates(loaded: Config) -> Iterator[Finding]:
    """Our certificates towards OPC UA servers, and whom we do not trust yet."""
    seen = set()
    for server in loaded.servers.values():
        pki, path = server.security.pki, _own_certificate(server)
        if server.security.mode == "None" or (pki, path) in seen:
            continue
        seen.add((pki, path))
        try:
            if not os.path.exists(path):
                yield Finding(
                    REMARK,
                    "certificates",
                    "%s is not there yet; opcws makes it at its first start" % path,
                    "or make it now with 'opcws cert create', and put it into the trust list of "
                    "the OPC UA server",
                )
            else:
                certificate = certificates.load_certificate(path, "our certificate")
                notice = certificates.expiry_notice(
                    certificate, "our certificate", "'opcws cert create --replace' makes a new one"
                )
                left = certificate.not_valid_after_utc - certificates.now()
                if notice is not None:
                    yield Finding(BAD if left.days < 0 else REMARK, "certificates", notice)
                else:
                    text = "our certificate %s is good for %d days" % (path, left.days)
                    yield Finding(OK, "certificates", text)
            listed = TrustStore(pki).listing()
        except OpcwsError as error:
            yield Finding(BAD, "certificates", error.reason)
            continue
        for each in listed:
            notice = certificates.expiry_notice(each.certificate, "it", "ask for a new one")
            if each.place == "trusted" and notice is not None:
                name = os.path.basename(each.path)
                yield Finding(REMARK, "certificates", "trusted %s: %s" % (name, notice))
        rejected = sum(each.place == "rejected" for each in listed)
        if rejected:
            yield Finding(
                REMARK,
                "certificates",
                "certificates in %s that were rejected: %d" % (pki, rejected),
                "'opcws cert list' shows them, 'opcws cert trust NAME' trusts one",
            )


def _own_certificate(server: Server) -> str:
    """The path of the certificate that opcws shows *server*."""
    return server.security.certificate or certificates.own_paths(server.security.pki)[0]


# --- the plants --------------------------------------------------------------------------------


def _plants(loaded: Config) -> Iterator[Finding]:
    if not loaded.servers:
        yield Finding(REMARK, "plant", "the configuration has no servers", "add one under servers")
        return
    servers = {}
    for name, server in loaded.servers.items():
        if server.security.mode == "None" or os.path.exists(_own_certificate(server)):
            servers[name] = server
            continue
        yield Finding(
            REMARK,
            "plant",
            "%s was not connected to: opcws has no certificate to show it yet" % name,
            "start opcws, or make the certificate; then run this again",
            plant=True,
        )
    with connecting(dataclasses.replace(loaded, servers=servers)) as plants:
        for plant in plants:
            yield from _plant(plant)


def _plant(plant: Plant) -> Iterator[Finding]:
    shown = hidden = good = 0
    for found in check_plant(plant):
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
        text = "%s: %d more are not as the configuration says" % (plant.name, hidden)
        yield Finding(BAD, "variables", text, "'opcws check' shows them all", plant=True)
    if good:
        yield Finding(OK, "variables", "%s: good: %d" % (plant.name, good))
    if plant.supervisor.connected:
        yield from _plant_clock(plant)


def _plant_clock(plant: Plant) -> Iterator[Finding]:
    """How far the OPC UA server's clock is from ours."""
    results: List[ReadResult] = []
    answered = threading.Event()

    def done(found: List[ReadResult]) -> None:
        results.extend(found)
        answered.set()

    variable = Variable("the clock", plant.name, _CURRENT_TIME, "i=2258")
    asked_at = time.time()
    try:
        plant.read([variable], 0.0, done)
    except OpcwsError:
        return
    answered.wait(plant.server.request_timeout_ms / 1000.0 + 1.0)
    here = (asked_at + time.time()) / 2
    ticks = None
    for result in results:
        value = getattr(result, "value", None)
        ticks = getattr(value, "value", value)
    if not isinstance(ticks, int) or ticks <= 0:
        return
    ahead = (ticks - _EPOCH_TICKS) / 1e7 - here
    text = "%s: its clock is %.1f s %s ours" % (
        plant.name,
        abs(ahead),
        "ahead of" if ahead > 0 else "behind",
    )
    if abs(ahead) < _ODD_CLOCK_S:
        yield Finding(OK, "clock", "%s: its clock is right to %d s" % (plant.name, _ODD_CLOCK_S))
    elif abs(ahead) < _WRONG_CLOCK_S:
        yield Finding(REMARK, "clock", text, "set both by NTP; times of values are its own")
    else:
        yield Finding(
            BAD,
            "clock",
            text,
            "set the one that is wrong; certificates and timestamps suffer",
            plant=True,
        )
