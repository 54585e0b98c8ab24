"""The operating system's limit on open files, raised as far as clients may need it."""

import logging
import sys
from typing import Any, Iterable, Optional

from ..config.settings import Listen

log = logging.getLogger(__name__)

#: Open files beside those of connections: plants, listeners, logs, libraries.
OTHERS = 256
#: Of what the system allows, what connections do not get: without a file left no plant can be
#: connected to, no page read and no log begun.
RESERVE = 32
#: More connections than this have no threads to be served by, whatever the limits say.
MOST = 65536


def needed(listen: Iterable[Listen]) -> int:
    """How many files are open when every limit on connections is reached."""
    limits = [each.limits for each in listen]
    return min(MOST, OTHERS + sum(each.max_connections + each.max_handshakes for each in limits))


def allow(count: int) -> Optional[int]:
    """Raise this process's soft limit to *count*, or as far as the hard one lets it; returns the
    limit, ``None`` where the system has none (Windows)."""
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
    """The first descriptor that connections do not get; systems give out the lowest one that is
    free.  ``None`` where there is no limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else max(1, int(soft) - RESERVE)
