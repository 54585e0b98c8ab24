"""``opcws discover``: what an OPC UA server offers, what to choose, and how to configure it."""

from typing import List

from ..config.settings import Server
from ..config.variable_names import printable
from ..model.errors import PlantError
from ..ua.channel.link import Link
from ..ua.channel.subscription import Events
from ..ua.services.discovery import Discovered, Offer, discover
from ..x509 import certificates
from .targets import PASSWORD_ENV, connection_settings, explained, in_background
from .yaml_text import Entry, entry_lines


def look(server: Server) -> Discovered:
    """Ask *server*.  Raises :exc:`~opcws.model.errors.PlantError` and :exc:`KeyboardInterrupt`."""
    link = Link(server, 1, Events())

    def work() -> Discovered:
        try:
            return discover(link)
        except PlantError as problem:
            raise explained(server, problem) from None

    return in_background(work, lambda: None, lambda: link.kill("stopped"))


def report(found: Discovered) -> List[str]:
    """Lines about everything found; a star marks the best offer."""
    lines = [
        "%s: %s (%s)"
        % (
            found.url,
            printable(found.name) or "a server without a name",
            printable(found.application_uri),
        )
    ]
    elsewhere = [each for each in found.urls if each.rstrip("/") != found.url.rstrip("/")]
    if elsewhere:
        lines.append("calls itself %s" % ", ".join(map(printable, elsewhere)))
    if found.certificate is not None:
        lines.append("certificate: %s" % printable(certificates.title(found.certificate)))
    lines += ["", "  %-24s%-17s%s" % ("policy", "mode", "lets in")]
    lines += [_row(each, each is found.best) for each in found.offers]
    lines += ["", *advice(found)]
    lines += ["note: " + printable(each) for each in found.notices]
    if found.others:
        lines += ["", "It knows other servers:"]
        for name, urls in found.others:
            lines.append("  %s: %s" % (printable(name), ", ".join(map(printable, urls)) or "?"))
    return lines


def advice(found: Discovered) -> List[str]:
    """What to choose, how to write it, what to do next."""
    best = found.best
    if best is None:
        return ["opcws supports none of these; switch on Basic256Sha256 at the server."]
    lines: List[str] = []
    if best.secure:
        lines.append("Choose %s with %s. In the configuration:" % (best.policy, best.mode))
    elif best.deprecated:
        lines.append(
            "The server offers only broken security policies. Switch on Basic256Sha256 at the "
            "server; until then, in the configuration:"
        )
    else:
        lines.append(
            "The server offers no security: anybody on the network can read and change what is "
            "sent. Switch on Basic256Sha256 at the server if it can. In the configuration:"
        )
    settings = connection_settings(found.url, best.policy, best.mode)
    words = ["opcws browse", found.url]
    if best.policy != "None":
        words.append("--security %s/%s" % (best.policy, best.mode))
    if needs_user(best):
        settings["user"] = {"name": "NAME", "password_env": PASSWORD_ENV}
        words.append("--user NAME")
    servers = {"plant": Entry("plant", settings, block=True)}
    lines += ["", *entry_lines(Entry("servers", servers, block=True), "    "), ""]
    lines.append("Next: %s --write-config opcws.yaml" % " ".join(words))
    return lines


def needs_user(offer: Offer) -> bool:
    """Whether the server requires a user name."""
    return "anonymous" not in offer.users and "user and password" in offer.users


def _row(offer: Offer, best: bool) -> str:
    remark = ""
    if not offer.usable:
        remark = "  (opcws does not support it)"
    elif offer.deprecated:
        remark = "  (broken)"
    elif offer.mode == "None":
        remark = "  (in clear)"
    users = ", ".join(offer.users) or "none that opcws supports"
    return "%s %-24s%-17s%s%s" % (
        "*" if best else " ",
        printable(offer.policy),
        offer.mode,
        users,
        remark,
    )
