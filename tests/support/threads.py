"""The remaining threads of opcws."""

import contextlib
import threading
from typing import List

from .waiting import wait_until


def our_threads() -> List[str]:
    """Names of opcws's running threads."""
    return sorted(
        thread.name for thread in threading.enumerate() if thread.name.startswith("opcws-")
    )


def no_threads_left() -> None:
    with contextlib.suppress(AssertionError):  # the next assertion names them
        wait_until(lambda: not our_threads(), "threads end")
    assert our_threads() == []
