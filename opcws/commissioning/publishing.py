"""Checks publishing before opcws runs."""

from typing import List, NamedTuple, Optional

from ..app import require_publisher
from ..config.publishing import access_to_publish, mqtt, store_directory
from ..config.settings import Config
from ..model.errors import ConfigError
from .recording import may_write


class Tried(NamedTuple):
    """Whether the broker accepts opcws, and how; or why not, and what to do."""

    good: bool
    text: str
    remedy: str = ""


def try_out(config: Config) -> Optional[Tried]:
    """Connect to the broker of *config*, if it has one; opcws may be running."""
    section = mqtt(config)
    if section is None:
        return None
    title = "broker %s: " % section.broker
    try:
        require_publisher(config)
    except ConfigError as error:
        return Tried(False, *_parted(title + error.problems[0]))
    from ..pubsub import connection

    try:
        return Tried(True, title + "connected, %s" % connection.try_out(access_to_publish(section)))
    except connection.BrokerError as error:
        return Tried(False, *_parted(title + str(error)))


def _parted(text: str) -> List[str]:
    """The problem and the advice of a message."""
    wrong, _, remedy = text.partition("; ")
    return [wrong, remedy]


def notices(config: Config) -> List[str]:
    """Problems with the directory for waiting messages, if opcws runs as this user."""
    section = mqtt(config)
    if section is None or not section.store_max_bytes:
        return []
    directory = store_directory(config.state_dir, section.broker)
    if may_write(directory + "/position")[1]:
        return []
    return [
        "state_dir: this user may not write to %s, so values for the broker wait only in memory "
        "while it is not connected; give the user that opcws runs as the right, or set another "
        "directory" % config.state_dir
    ]
