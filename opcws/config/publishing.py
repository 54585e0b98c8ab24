"""Which variables are published, and where the broker is.  Pure."""

import os
import zlib
from typing import Dict, NamedTuple, Optional, Union
from urllib.parse import urlsplit

from ..model.text import is_blank
from .roles import matcher
from .settings import Config, Mqtt, MqttTLS, MqttUser, Server, User, Variable
from .yaml_document import shown

#: The port of a broker whose URL has none, by its scheme.
PORTS = {"mqtt": 1883, "mqtts": 8883}


class Broker(NamedTuple):
    """Where a broker is, and whether it is spoken to by TLS."""

    host: str
    port: int
    tls: bool


class Access(NamedTuple):
    """A broker, and what it is shown; ``setting`` is where the configuration has the *url*."""

    url: str
    user: Union[None, MqttUser, User]
    tls: Optional[MqttTLS]
    setting: str

    @property
    def section(self) -> str:
        """Where it has the rest."""
        return self.setting.rpartition(".")[0]


def access_to_publish(mqtt: Mqtt) -> Access:
    """The broker that values are published to."""
    return Access(mqtt.broker, mqtt.user, mqtt.tls, "publish.mqtt.broker")


def access_of(server: Server) -> Access:
    """The broker that *server* is at."""
    user = server.user if server.user is not None and server.user.name else None
    return Access(server.endpoint, user, server.tls, "servers.%s.endpoint" % server.name)


def mqtt(config: Config) -> Optional[Mqtt]:
    """The section ``publish.mqtt``, if there is one."""
    return None if config.publish is None else config.publish.mqtt


def published(config: Config) -> Dict[str, Variable]:
    """The variables of *config* that are published, by their names; what nobody may read is
    not."""
    section = mqtt(config)
    if section is None:
        return {}
    matches = matcher(section.variables, config.variables)
    return {
        name: variable
        for name, variable in config.variables.items()
        if variable.readable and matches(name)
    }


def store_directory(state_dir: str, broker_url: str) -> str:
    """Where messages wait for a broker that is away: each has its own directory."""
    name = "%08x" % zlib.crc32(broker_url.encode("utf-8"))
    return os.path.join(state_dir, "publish", name)


def broker(url: str) -> Broker:
    """Where the broker of the *url* is.  Raises :exc:`ValueError` with what is wrong with it, and
    what would be right."""
    right = "; expected mqtts://host or mqtt://host, such as mqtts://broker.example:8883"
    if any(map(is_blank, url)):
        raise ValueError("%s has a blank in it, or at an end; take it away" % shown(url))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError("%s is no URL: %s%s" % (shown(url), error, right)) from None
    if parts.scheme not in PORTS:
        raise ValueError("%s does not begin with mqtts:// or mqtt://%s" % (shown(url), right))
    if not parts.hostname or port == 0 or parts.netloc.endswith(":"):
        raise ValueError("%s names no host or port%s" % (shown(url), right))
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "a user does not belong in the URL; expected a 'user' section beside 'broker'"
        )
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("%s has more than host and port%s" % (shown(url), right))
    return Broker(parts.hostname, port or PORTS[parts.scheme], parts.scheme == "mqtts")
