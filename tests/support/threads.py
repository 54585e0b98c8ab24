"""The threads of opcws that are left."""

import contextlib
import threading
from typing import List

from .waiting import wait_until


def our_threads() -> List[str]:
    """Names of the threads that opcws has running."""
    return sorted(
        thread.name for thread in threading.enumerate() if thread.name.startswith("opcws-")
    )


def no_threads_left() -> None:
    with contextlib.suppress(AssertionError):  # the next one says which
        wait_until(lambda: not our_threads(), "threads end")
    assert our_threads() == []
