"""What there is to know about publishing before opcws runs."""

from typing import List, NamedTuple, Optional

from ..app import require_publisher
from ..config.publishing import access_to_publish, mqtt, store_directory
from ..config.settings import Config
from ..model.errors import ConfigError
from .recording import may_write


class Tried(NamedTuple):
    """Whether the broker lets opcws in, and how, or why not and what to do."""

    good: bool
    text: str
    remedy: str = ""


def try_out(config: Config) -> Optional[Tried]:
    """Connect to the broker of *config*, if it has one, beside an opcws that may run."""
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
    """What is wrong, and what to do about it."""
    wrong, _, remedy = text.partition("; ")
    return [wrong, remedy]


def notices(config: Config) -> List[str]:
    """What will keep messages from waiting for the broker, if opcws runs as this user."""
    section = mqtt(config)
    if section is None or not section.store_max_bytes:
        return []
    directory = store_directory(config.state_dir, section.broker)
    if may_write(directory + "/position")[1]:
        return []
    return [
        "state_dir: this user may not write to %s, so what is published while the broker is away "
        "waits in memory only; give the user that opcws runs as the right, or set another directory"
        % config.state_dir
    ]
