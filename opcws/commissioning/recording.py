"""Checks recording before opcws runs."""

import os
from typing import List, Tuple

from ..config.recording import history_file, records
from ..config.settings import Config


def notices(config: Config) -> List[str]:
    """Problems that would prevent recording, if opcws runs as this user."""
    if records(config) and not may_write(history_file(config.state_dir))[1]:
        return [
            "state_dir: this user may not write to %s, so nothing will be recorded; give the user "
            "that opcws runs as the right, or set another directory" % config.state_dir
        ]
    return []


def may_write(path: str) -> Tuple[str, bool]:
    """The directory of *path*, or the next above it that is there, and whether this user may
    write *path*, and make directories on the way to it."""
    directory = os.path.dirname(os.path.abspath(path))
    while not os.path.exists(directory) and os.path.dirname(directory) != directory:
        directory = os.path.dirname(directory)
    writable = os.path.isdir(directory) and os.access(directory, os.W_OK | os.X_OK)
    return directory, writable and (not os.path.isfile(path) or os.access(path, os.W_OK))
