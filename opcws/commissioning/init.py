"""``opcws init``: five questions, and a configuration that works.

It does not ask for answers that are given as options.  It writes nothing before it knows
everything, and never overwrites a file.
"""

import itertools
import os
import re
import socket
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Protocol, Tuple, TypeVar

from ..config import loads
from ..config.settings import Listen, Security, User
from ..config.variable_names import Found, printable
from ..model import socket_errors
from ..model.addresses import is_loopback
from ..model.errors import ConfigError, PlantError
from ..model.text import counted, word
from ..ua.channel.trust import TrustStore
from ..ua.services.discovery import Discovered, Offer
from . import browse, config_file, discover, targets
from .browse import Explored, Scope
from .security import parse_security
from .targets import Target

#: Written instead of variables if browsing is left for later.
_LATER = "later"

#: Status codes with which a server refuses a user; another name or password may help.
_USER_REFUSED = ("BadUserAccessDenied", "BadIdentityTokenInvalid", "BadIdentityTokenRejected")

T = TypeVar("T")


class Answers(NamedTuple):
    """Answers that are given.  ``None`` is asked, or takes its default if nothing is asked."""

    output: str = "opcws.yaml"
    endpoint: Optional[str] = None
    security: Optional[str] = None
    user: Optional[User] = None
    variables: Optional[str] = None
    listen: Optional[str] = None
    pki: Optional[str] = None


class Dialog(Protocol):
    """Questions to the user.  ``asks`` is false without a user: then every answer is the
    default."""

    asks: bool

    def tell(self, text: str) -> None: ...

    def ask(self, question: str, default: Optional[str] = None, secret: bool = False) -> str: ...

    def watch(self, progress: browse.ExploreProgress) -> None: ...


def run(given: Answers, dialog: Dialog) -> List[str]:
    """Ask, browse, write; returns lines about the result.

    Raises :exc:`~opcws.model.errors.ConfigError`, :exc:`~opcws.model.errors.PlantError` and
    :exc:`KeyboardInterrupt`; nothing is written then.
    """
    path = given.output
    if os.path.exists(path):
        raise ConfigError(
            "%s exists; 'opcws browse ENDPOINT --write-config %s' adds new variables to it, "
            "--output names another file" % (path, word(path))
        )
    config_file.check_writable(path)
    if given.listen is not None:
        parse_listen(given.listen)
    if given.variables is not None:
        browse.matcher([given.variables])
    found = _endpoint(given, dialog)
    security, offer = _security(given, dialog, found)
    directory = os.path.dirname(path)
    file = _free_name(directory, os.path.splitext(os.path.basename(path))[0], ".password")

    def with_user() -> Tuple[Target, Optional[str]]:
        user, secret = _user(given, dialog, offer)
        target = targets.at(found.url, security, user, given.pki, directory)
        if secret is not None:
            name = target.settings["user"]["name"]
            target.settings["user"] = {"name": name, "password_file": file}
            target = target._replace(password_missing="")
        return target, secret

    target, secret, explored = _explored(with_user, given.user is None, dialog)
    pattern, chosen = _variables(given, dialog, explored)
    listen = _listen(given, dialog)
    settings = dict(target.settings)
    if chosen is None:
        under = {} if explored is None else {"under": explored.under}
        settings["browse"] = {**under, "match": pattern}
    text = config_file.new_text("plant", settings, chosen or [], listen)
    loads(text, path)
    if secret is not None:
        _save_secret(os.path.join(directory, file), secret)
    config_file.save(path, text)
    return _told(path, target, chosen, pattern, listen)


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
            "%r is no address to listen on; expected one such as 127.0.0.1:8081" % text
        )
    return {"host": host, "port": number}


# --- the questions -------------------------------------------------------------------------------


def _answer(
    dialog: Dialog,
    question: str,
    default: str,
    given: Optional[str],
    use: Callable[[str], T],
    indent: str = "     ",
) -> T:
    """The result of *use* for the answer to *question*.  If *use* refuses an answer, the question
    is asked again, unless the answer was *given* or nobody can be asked."""
    while True:
        text = dialog.ask(question, default) if given is None else given
        try:
            return use(text)
        except ConfigError as problem:
            if given is not None or not dialog.asks:
                raise
            dialog.tell(indent + problem.reason)


def _endpoint(given: Answers, dialog: Dialog) -> Discovered:
    text = given.endpoint
    default = "opc.tcp://127.0.0.1:4840"
    while True:
        if text is None:
            text = dialog.ask("1/5  Address of the OPC UA server: a host, or a URL", default)
        try:
            found = discover.look(targets.at(text).server)
        except (ConfigError, PlantError) as problem:
            if not dialog.asks:
                raise
            dialog.tell(problem.reason)
            default, text = printable(text), None
            continue
        dialog.tell("     found %s" % (printable(found.name) or found.url))
        for notice in found.notices:
            dialog.tell("     note: " + printable(notice))
        return found


def _security(given: Answers, dialog: Dialog, found: Discovered) -> Tuple[str, Optional[Offer]]:
    usable = [each for each in found.offers if each.usable]
    if not usable:
        raise PlantError(discover.advice(found)[0], "BadSecurityPolicyRejected")
    texts = ["%s/%s" % (each.policy, each.mode) for each in usable]
    by_text: Dict[str, Offer] = dict(zip(texts, usable))
    if given.security is None:
        for number, offer in enumerate(usable, 1):
            remark = "in clear" if offer.mode == "None" else ", ".join(offer.users)
            remark = "broken" if offer.deprecated else remark
            dialog.tell("     %d  %-40s %s" % (number, texts[number - 1], remark))

    def chosen(answer: str) -> Tuple[str, Optional[Offer]]:
        if answer.isdecimal() and 1 <= int(answer) <= len(texts):
            answer = texts[int(answer) - 1]
        answer = "%s/%s" % parse_security(answer)
        if answer not in by_text and given.security is None:
            raise ConfigError("     the server does not have that")
        return answer, by_text.get(answer)

    question = "2/5  Security, a number of these"
    return _answer(dialog, question, "1", given.security or None, chosen, indent="")


def _user(
    given: Answers, dialog: Dialog, offer: Optional[Offer]
) -> Tuple[Optional[User], Optional[str]]:
    """The user, and the password if it must be stored."""
    if given.user is not None:
        return given.user, given.user.password
    if offer is not None and "user and password" not in offer.users:
        return None, None
    needed = offer is not None and discover.needs_user(offer)
    if not dialog.asks:
        if needed:
            raise ConfigError("the server accepts no anonymous user; give a user with --user")
        return None, None
    name = ""
    while not name:
        hint = "" if needed else " (empty: none)"
        name = dialog.ask("3/5  User on the OPC UA server%s" % hint, None if needed else "").strip()
        if not name and not needed:
            return None, None
    password = dialog.ask("     Password of %s" % name, secret=True)
    return User(name=name, password=password), password


def _explored(
    with_user: Callable[[], Tuple[Target, Optional[str]]], user_asked: bool, dialog: Dialog
) -> Tuple[Target, Optional[str], Optional[Explored]]:
    """The result of *with_user*, and the explored server; if the server refuses the user, both are
    asked for again if *user_asked*."""
    target, secret = with_user()
    while True:
        try:
            return target, secret, browse.explore(target.server, Scope(), dialog.watch)
        except PlantError as problem:
            if not dialog.asks:
                raise
            # What else it says, how to trust the certificate, the question after it does.
            dialog.tell(problem.reason.partition("; compare that number")[0])
            if problem.status == "BadCertificateUntrusted" and _trusted(target, dialog):
                continue
            refused = user_asked and secret is not None and problem.status in _USER_REFUSED
            again = "Enter user and password again" if refused else "Try again"
            question = "     %s (y), or go on and look for the variables later (n)" % again
            if not _answer(dialog, question, "y", None, _is_yes):
                return target, secret, None
            if refused:
                target, secret = with_user()


def _is_yes(answer: str) -> bool:
    first = answer.strip().lower()[:1]
    if first not in ("y", "j", "n"):
        raise ConfigError("answer y or n")
    return first != "n"


def _trusted(target: Target, dialog: Dialog) -> bool:
    """Whether the user trusts the server's certificate, which has just been rejected."""
    store = TrustStore(target.server.security.pki)
    rejected = [each for each in store.listing() if each.place == "rejected"]
    if not rejected:
        return False
    newest = max(rejected, key=lambda each: os.path.getmtime(each.path))
    dialog.tell("     Compare this SHA-1 with what the server itself shows.")
    question = "     Trust this certificate (yes or no)"
    if not _answer(dialog, question, "no", None, _is_whole_yes):
        return False
    store.trust(os.path.basename(newest.path))
    return True


def _is_whole_yes(answer: str) -> bool:
    """One key pressed by mistake must not give trust."""
    given = answer.strip().lower()
    if given not in ("yes", "no"):
        raise ConfigError("answer yes or no, in full")
    return given == "yes"


def _variables(
    given: Answers, dialog: Dialog, explored: Optional[Explored]
) -> Tuple[str, Optional[List[Found]]]:
    """The pattern, and the variables that match; ``None`` to browse at every connection."""
    if explored is None:
        return (given.variables or "*").replace(_LATER, "*"), None
    there = [each for each in explored.found if each.readable]
    some = ", ".join(each.name for each in there[:4]) + (", ..." if len(there) > 4 else "")
    dialog.tell("     %d variables: %s" % (len(there), some))

    def chosen(pattern: str) -> Tuple[str, Optional[List[Found]]]:
        if pattern.strip().lower() == _LATER:
            return "*", None
        wanted = browse.matcher([pattern], {each.name for each in there})
        found = [each for each in there if wanted(each.name)]
        if not found:
            raise ConfigError(
                "no variable matches %s; one is called %s" % (pattern, explored.example)
            )
        return pattern, found

    return _answer(
        dialog,
        "4/5  Which variables: * for all, a pattern such as %s, or 'later' to browse at every "
        "connection" % _pattern(explored.example),
        "*",
        given.variables,
        chosen,
    )


def _pattern(name: str) -> str:
    """One that matches the variable *name* and its neighbours."""
    folder = name.rpartition(".")[0]
    return folder + ".*" if folder else name[:1] + "*"


def _listen(given: Answers, dialog: Dialog) -> Dict[str, Any]:
    def usable(text: str) -> Dict[str, Any]:
        listen = parse_listen(text)
        if given.listen is None and dialog.asks:
            check_free(listen["host"], listen["port"])
        return listen

    default = "%s:%d" % (Listen.host, Listen.port)
    question = "5/5  Where to listen for clients; 0.0.0.0 lets other machines connect"
    return _answer(dialog, question, default, given.listen, usable)


# --- what they need ------------------------------------------------------------------------------


def check_free(host: str, port: int) -> None:
    try:
        family = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            if os.name != "nt":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
    except (OSError, UnicodeError) as error:
        reason = socket_errors.text(error) if isinstance(error, OSError) else str(error)
        raise ConfigError("opcws cannot listen on %s port %d: %s" % (host, port, reason)) from None


def _free_name(directory: str, stem: str, suffix: str) -> str:
    """The name of a new file: an existing one may belong to another configuration."""
    numbered = ("%s-%d%s" % (stem, number, suffix) for number in itertools.count(2))
    return next(
        name
        for name in itertools.chain([stem + suffix], numbered)
        if not os.path.lexists(os.path.join(directory, name))
    )


def _save_secret(path: str, secret: str) -> None:
    """Write the password to a file that only its owner may read."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(secret + "\n")
    except OSError as error:
        raise ConfigError("cannot write %s: %s" % (path, error.strerror)) from None


def _told(
    path: str, target: Target, chosen: Optional[List[Found]], pattern: str, listen: Dict[str, Any]
) -> List[str]:
    which = "all variables" if pattern == "*" else "variables that match " + pattern
    what = "opcws looks for %s at every connection" % which
    if chosen is not None:
        what = counted(len(chosen), "variable")
    lines = ["wrote %s: %s" % (path, what)]
    if not is_loopback(listen["host"]):
        lines.append("note: everyone who can reach %s may read them" % listen["host"])
    if target.server.security.policy != "None":
        pki = target.server.security.pki
        lines.append(
            "certificates are in %s" % (pki if pki != Security.pki else "the directory pki")
        )
    user = target.settings.get("user", {})
    if "password_file" in user:
        file = os.path.join(os.path.dirname(path), user["password_file"])
        lines.append("the password of %s is in %s" % (user["name"], file))
    if target.password_missing:
        lines.append("first set the environment variable %s" % target.password_missing)
    host = "127.0.0.1" if listen["host"] in ("0.0.0.0", "::") else listen["host"]
    host = "[%s]" % host if ":" in host else host
    lines.append("next: opcws serve --config %s" % word(path))
    lines.append("then open http://%s:%d/ in a browser" % (host, listen["port"]))
    if (host, listen["port"]) != (Listen.host, Listen.port):
        lines.append(
            "or, in another terminal: opcws list --url ws://%s:%d/" % (host, listen["port"])
        )
    return lines
