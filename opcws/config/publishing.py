"""Which variables are published, and where the broker is.  Pure."""

import os
import zlib
from typing import Dict, NamedTuple, Optional, Union
from urllib.parse import urlsplit

from ..model.text import is_blank
from .roles import matcher
from .settings import Config, Mqtt, MqttTLS, MqttUser, Server, User, Variable
from .yaml_document import shown

#: The default port of a broker, by the scheme of its URL.
PORTS = {"mqtt": 1883, "mqtts": 8883}


class Broker(NamedTuple):
    """Host and port of a broker, and whether it uses TLS."""

    host: str
    port: int
    tls: bool


class Access(NamedTuple):
    """A broker and the credentials for it; ``setting`` is the path of the *url* in the
    configuration."""

    url: str
    user: Union[None, MqttUser, User]
    tls: Optional[MqttTLS]
    setting: str

    @property
    def section(self) -> str:
        """The path of its section."""
        return self.setting.rpartition(".")[0]


def access_to_publish(mqtt: Mqtt) -> Access:
    """The broker to which opcws publishes."""
    return Access(mqtt.broker, mqtt.user, mqtt.tls, "publish.mqtt.broker")


def access_of(server: Server) -> Access:
    """The broker of *server*."""
    user = server.user if server.user is not None and server.user.name else None
    return Access(server.endpoint, user, server.tls, "servers.%s.endpoint" % server.name)


def mqtt(config: Config) -> Optional[Mqtt]:
    """The section ``publish.mqtt``, if there is one."""
    return None if config.publish is None else config.publish.mqtt


def published(config: Config) -> Dict[str, Variable]:
    """The published variables of *config* by name, without those that nobody may read."""
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
    """The directory where messages wait while the broker is not connected; each broker has its
    own."""
    name = "%08x" % zlib.crc32(broker_url.encode("utf-8"))
    return os.path.join(state_dir, "publish", name)


def broker(url: str) -> Broker:
    """The broker of the *url*.  Raises :exc:`ValueError` with the problem and the remedy."""
    right = "; expected mqtts://host or mqtt://host, such as mqtts://broker.example:8883"
    if any(map(is_blank, url)):
        raise ValueError("%s contains a space; remove it" % shown(url))
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
