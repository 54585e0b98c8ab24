"""Raises the operating system's limit on open files as far as clients may need it."""

import logging
import sys
from typing import Any, Iterable, Optional

from ..config.settings import Listen

log = logging.getLogger(__name__)

#: Open files that are not connections: plants, listeners, logs, libraries.
OTHERS = 256
#: Files that connections do not get: without a free one opcws could not connect to a plant, read a
#: page or begin a log.
RESERVE = 32
#: The system has no threads for more connections than this, whatever the limits say.
MOST = 65536


def needed(listen: Iterable[Listen]) -> int:
    """How many files are open when every limit on connections is reached."""
    limits = [each.limits for each in listen]
    return min(MOST, OTHERS + sum(each.max_connections + each.max_handshakes for each in limits))


def allow(count: int) -> Optional[int]:
    """Raise the soft limit of this process to *count*, at most to the hard one; returns the limit,
    ``None`` if the system has none (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    unlimited: Any = resource.RLIM_INFINITY
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == unlimited or soft >= count:
        return int(soft)
    wanted = count if hard == unlimited else min(count, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        wanted = soft
    if wanted < count:
        log.warning(
            "the system allows %d open files, and the limits on connections may need %d; raise it "
            "(LimitNOFILE= of systemd, ulimit -n), or lower max_connections and max_handshakes",
            wanted,
            count,
        )
    return int(wanted)


def for_connections() -> Optional[int]:
    """The first descriptor that connections do not get; systems assign the lowest free one.
    ``None`` without a limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else max(1, int(soft) - RESERVE)
