"""``opcws init``: five questions, and a configuration that works.

What is given is not asked.  Nothing is written before everything is known, and a file that is there
is left alone.
"""

import os
import re
import socket
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Protocol, Sequence, Tuple

from ..config import loads
from ..config.check import is_loopback
from ..config.settings import Listen, Security, User
from ..config.variable_names import printable
from ..model.errors import ConfigError, PlantError
from ..model.text import word
from ..ua.channel.trust import TrustStore
from ..ua.services.discovery import Discovered, Offer
from . import browse, config_file, discover
from .browse import Explored, Scope, Target
from .security import parse_security

#: What is written in the place of variables that could not be looked for.
_LATER = "later"


class Given(NamedTuple):
    """What needs no question; ``None`` is asked, or takes its default if nothing is asked."""

    output: str = "opcws.yaml"
    endpoint: Optional[str] = None
    security: Optional[str] = None
    user: Optional[User] = None
    variables: Optional[str] = None
    listen: Optional[str] = None
    pki: Optional[str] = None


class Person(Protocol):
    """Who is asked.  ``asks`` is false if there is nobody: then every answer is the default."""

    asks: bool

    def tell(self, text: str) -> None: ...

    def ask(self, question: str, default: Optional[str] = None, secret: bool = False) -> str: ...

    def watch(self, watched: browse.Watched) -> None: ...


class Made(NamedTuple):
    """The file that was written, and what to say about it."""

    path: str
    lines: Sequence[str]


def run(given: Given, person: Person) -> Made:
    """Ask, look, write.

    Raises :exc:`~opcws.model.errors.ConfigError`, :exc:`~opcws.model.errors.PlantError` and
    :exc:`KeyboardInterrupt`; nothing is written then.
    """
    path = given.output
    if os.path.exists(path):
        raise ConfigError(
            [
                "%s exists; 'opcws browse ENDPOINT --write-config %s' adds what is new to it, "
                "--output names another file" % (path, word(path))
            ]
        )
    config_file.check_writable(path)
    if given.listen is not None:
        parse_listen(given.listen)
    if given.variables is not None:
        browse.matcher([given.variables])
    found = _endpoint(given, person)
    security, offer = _security(given, person, found)
    user, secret = _user(given, person, offer)
    directory = os.path.dirname(path)
    target = browse.target(found.url, security, user, given.pki, directory)
    if secret is not None:
        file = _free_name(directory, os.path.splitext(os.path.basename(path))[0], ".password")
        target.settings["user"] = {"name": target.settings["user"]["name"], "password_file": file}
        target = target._replace(password_missing="")
    explored = _explored(target, person)
    pattern, chosen = _variables(given, person, explored)
    listen = _listen(given, person)
    settings: Dict[str, Any] = dict(target.settings)
    if chosen is None:
        under = {} if explored is None else {"under": explored.under}
        settings["browse"] = {**under, "match": pattern}
    text = config_file.new_text("plant", settings, chosen or [], listen)
    loads(text, path)
    if secret is not None:
        _save_secret(os.path.join(directory, file), secret)
    config_file.save(path, text)
    return Made(path, _told(path, target, chosen, pattern, listen))


def parse_listen(text: str) -> Dict[str, Any]:
    """``listen`` of a text such as ``8081``, ``0.0.0.0:8081`` or ``[::1]:8081``.

    Raises :exc:`~opcws.model.errors.ConfigError`.
    """
    text = text.strip()
    host, colon, port = text.rpartition(":")
    if text.isdecimal():
        host, port = Listen.host, text
    elif not colon or text.endswith("]") or (":" in host and not host.startswith("[")):
        host, port = text, str(Listen.port)
    host = host.strip("[]")
    number = int(port) if port.isdecimal() and len(port) < 6 else -1
    if not 0 <= number <= 65535 or not re.fullmatch("[A-Za-z0-9._:%-]+", host):
        raise ConfigError(
            ["%r is no address to listen on; expected one such as 127.0.0.1:8081" % text]
        )
    return {"host": host, "port": number}


# --- the questions -------------------------------------------------------------------------------


def _endpoint(given: Given, person: Person) -> Discovered:
    text = given.endpoint
    default = "opc.tcp://127.0.0.1:4840"
    while True:
        if text is None:
            text = person.ask("1/5  Address of the OPC UA server: a host, or a URL", default)
        try:
            found = discover.look(browse.target(text).server)
        except (ConfigError, PlantError) as problem:
            if not person.asks:
                raise
            person.tell(problem.reason)
            default, text = printable(text), None
            continue
        person.tell("     found %s" % (printable(found.name) or found.url))
        for notice in found.notices:
            person.tell("     note: " + printable(notice))
        return found


def _security(given: Given, person: Person, found: Discovered) -> Tuple[str, Optional[Offer]]:
    usable = [each for each in found.offers if each.usable]
    if not usable:
        raise PlantError(discover.advice(found)[0], "BadSecurityPolicyRejected")
    texts = ["%s/%s" % (each.policy, each.mode) for each in usable]
    by_text: Mapping[str, Offer] = dict(zip(texts, usable))
    text = given.security
    if text is None:
        for number, offer in enumerate(usable, 1):
            remark = "in clear" if offer.mode == "None" else ", ".join(offer.users)
            remark = "broken" if offer.deprecated else remark
            person.tell("     %d  %-40s %s" % (number, texts[number - 1], remark))
    while True:
        answer = text or person.ask("2/5  Security, a number of these", "1")
        if answer.isdecimal() and 1 <= int(answer) <= len(texts):
            answer = texts[int(answer) - 1]
        try:
            policy, mode = parse_security(answer)
        except ConfigError as problem:
            if text is not None or not person.asks:
                raise
            person.tell(problem.reason)
            continue
        answer = "%s/%s" % (policy, mode)
        if answer not in by_text and text is None:
            person.tell("     the server does not have that")
            continue
        return answer, by_text.get(answer)


def _user(
    given: Given, person: Person, offer: Optional[Offer]
) -> Tuple[Optional[User], Optional[str]]:
    """The user, and the password if it has to be kept somewhere."""
    if given.user is not None:
        return given.user, given.user.password
    if offer is not None and "user and password" not in offer.users:
        return None, None
    needed = offer is not None and discover.needs_user(offer)
    if not person.asks:
        if needed:
            raise ConfigError(["the server lets nobody in without a user; give one with --user"])
        return None, None
    name = ""
    while not name:
        hint = "" if needed else " (empty: none)"
        name = person.ask("3/5  User on the OPC UA server%s" % hint, None if needed else "").strip()
        if not name and not needed:
            return None, None
    password = person.ask("     Password of %s" % name, secret=True)
    return User(name=name, password=password), password


def _explored(target: Target, person: Person) -> Optional[Explored]:
    while True:
        try:
            return browse.explore(target.server, Scope(), person.watch)
        except PlantError as problem:
            if not person.asks:
                raise
            person.tell(problem.reason)
            if problem.status == "BadCertificateUntrusted" and _trusted(target, person):
                continue
            answer = person.ask("     Try again (y), or go on without looking (n)", "y")
            if not answer.lower().startswith(("y", "j")):
                return None


def _trusted(target: Target, person: Person) -> bool:
    """Whether the person has trusted the server's certificate, which has just been rejected."""
    store = TrustStore(target.server.security.pki)
    rejected = [each for each in store.listing() if each.place == "rejected"]
    if not rejected:
        return False
    newest = max(rejected, key=lambda each: os.path.getmtime(each.path))
    person.tell("     Compare this SHA-1 with what the server itself shows.")
    answer = person.ask("     Trust this certificate (yes or no)", "no")
    if answer.lower() != "yes":
        return False
    store.trust(os.path.basename(newest.path))
    return True


def _variables(
    given: Given, person: Person, explored: Optional[Explored]
) -> Tuple[str, Optional[List[Any]]]:
    """The pattern, and what it chooses; ``None`` for what is looked for at every connection."""
    if explored is None:
        return (given.variables or "*").replace(_LATER, "*"), None
    there = [each for each in explored.found if each.readable]
    person.tell("     %d variables: %s" % (len(there), _some([each.name for each in there])))
    pattern = given.variables
    while True:
        if pattern is None:
            pattern = person.ask(
                "4/5  Which variables: * for all, a pattern such as Boiler.*, or 'later' to look "
                "for them at every connection",
                "*",
            )
        if pattern.strip().lower() == _LATER:
            return "*", None
        try:
            wanted = browse.matcher([pattern])
            chosen = [each for each in there if wanted(each.name)]
            if chosen:
                return pattern, chosen
            raise ConfigError(["no variable is called like %s" % pattern])
        except ConfigError as problem:
            if given.variables is not None or not person.asks:
                raise
            person.tell("     " + problem.reason)
            pattern = None


def _listen(given: Given, person: Person) -> Dict[str, Any]:
    default = "%s:%d" % (Listen.host, Listen.port)
    while True:
        text = given.listen or person.ask("5/5  Where to listen for clients", default)
        try:
            listen = parse_listen(text)
            problem = _taken(listen["host"], listen["port"])
            if problem is None or given.listen is not None or not person.asks:
                return listen
            person.tell("     " + problem)
        except ConfigError as wrong:
            if given.listen is not None or not person.asks:
                raise
            person.tell("     " + wrong.reason)


# --- what they need ------------------------------------------------------------------------------


def _taken(host: str, port: int) -> Optional[str]:
    try:
        family = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            if os.name != "nt":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return "%s port %d cannot be listened on: %s" % (host, port, reason)
    return None


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def _free_name(directory: str, stem: str, suffix: str) -> str:
    """The name of a file that is not there yet: one that is may belong to another configuration."""
    number, name = 1, stem + suffix
    while os.path.lexists(os.path.join(directory, name)):
        number += 1
        name = "%s-%d%s" % (stem, number, suffix)
    return name


def _save_secret(path: str, secret: str) -> None:
    """Into a file that only its owner may read."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(secret + "\n")
    except OSError as error:
        raise ConfigError(["cannot write %s: %s" % (path, error.strerror)]) from None


def _told(
    path: str,
    target: Target,
    chosen: Optional[Sequence[Any]],
    pattern: str,
    listen: Mapping[str, Any],
) -> List[str]:
    what = "variables called like %s are looked for at every connection" % pattern
    if chosen is not None:
        what = "%d variable%s" % (len(chosen), "" if len(chosen) == 1 else "s")
    lines = ["wrote %s: %s" % (path, what)]
    if not is_loopback(listen["host"]):
        lines.append("note: everyone who can reach %s may read them" % listen["host"])
    if target.server.security.policy != "None":
        pki = target.server.security.pki
        lines.append(
            "certificates are in %s" % (pki if pki != Security.pki else "the directory pki")
        )
    if target.password_missing:
        lines.append("first set the environment variable %s" % target.password_missing)
    host = "127.0.0.1" if listen["host"] in ("0.0.0.0", "::") else listen["host"]
    host = "[%s]" % host if ":" in host else host
    lines.append("next: opcws serve --config %s" % word(path))
    lines.append("then open http://%s:%d/ in a browser" % (host, listen["port"]))
    return lines
