"""The certificates of ``listen.tls`` for people at a terminal: ``opcws cert create --listen`` and
``opcws check``.

Every function raises :exc:`~opcws.model.errors.OpcwsError` with a sentence.
"""

import os
from typing import Dict, List, Optional, Sequence, Tuple

from ..config.settings import TLS, Config, Listen
from ..model.errors import ConfigError
from ..ws.tls import ServerTLS
from ..x509 import listener_certificate

#: The files to make if the configuration names none.
CERTIFICATE = "opcws-tls.pem"
KEY = "opcws-tls.key"


def create(config: Optional[Config], hosts: Sequence[str], replace: bool) -> List[str]:
    """Make a self-signed certificate and its key in the files of ``listen.tls``; without these
    beside the configuration or in the working folder.  *hosts*: the names that clients use, by
    default those of this machine.  Returns lines to print."""
    listeners = [Listen()] if config is None else list(config.listen)
    pairs: Dict[str, Tuple[str, str]] = {}
    for listen in listeners:
        if listen.tls is not None:
            pairs.setdefault(listen.tls.certificate, (listen.tls.key, listen.host))
    lines: List[str] = []
    for certificate, (key, host) in pairs.items():
        lines += _create(certificate, key, hosts or listener_certificate.own_names(host), replace)
    if pairs:
        done = "the configuration names them already; a running opcws uses them without a restart"
        return [*lines, done]
    directory = os.path.dirname(os.path.abspath((config and config.path) or CERTIFICATE))
    pair = os.path.join(directory, CERTIFICATE), os.path.join(directory, KEY)
    return [
        *_create(*pair, hosts or listener_certificate.own_names(listeners[0].host), replace),
        "put this under 'listen' in the configuration, and run 'opcws reload' if opcws is running:",
        "  tls:",
        "    certificate: " + CERTIFICATE,
        "    key: " + KEY,
    ]


def _create(certificate: str, key: str, hosts: Sequence[str], replace: bool) -> List[str]:
    for path in (certificate, key):
        if os.path.exists(path) and not replace:
            raise ConfigError(
                "%s exists; --replace makes a new pair, and every client must then trust that"
                % path
            )
    made = listener_certificate.create(certificate, key, hosts)
    return [
        "made %s, self-signed, for %s, until %s"
        % (certificate, ", ".join(hosts), made.not_valid_after_utc.strftime("%Y-%m-%d")),
        "its private key is %s; it must not leave this machine" % key,
    ]


def notices(config: Config) -> List[str]:
    """Remarks about each listener's certificate.

    Missing files are ignored: loading the configuration reports them.  Raises
    :exc:`~opcws.model.errors.ConfigError` for files that cannot be used, with all problems.
    """
    lines: List[str] = []
    problems: List[str] = []
    for listen in config.listen:
        if listen.tls is None or not all(map(os.path.exists, _files(listen.tls))):
            continue
        try:
            ServerTLS(listen.tls)
            with open(listen.tls.certificate, "rb") as file:
                found = listener_certificate.judge(file.read())
        except ConfigError as error:
            problems += [each for each in error.problems if each not in problems]
            continue
        except (OSError, ValueError) as error:
            found = listener_certificate.Notices(
                "", ["the certificate cannot be checked: %s" % error]
            )
        for sentence in [*found.urgent, *found.advice]:
            line = "listen.tls: %s: %s" % (listen.tls.certificate, sentence)
            if line not in lines:
                lines.append(line)
    if problems:
        raise ConfigError(problems)
    return lines


def _files(tls: TLS) -> List[str]:
    optional = [tls.client_ca, tls.client_revocation_list]
    return [tls.certificate, tls.key, *(path for path in optional if path is not None)]
