"""Shared by the tests of the recipes: the code on a page, and a running program."""

import os
import re
import shutil
import subprocess
import threading
from typing import List, Optional

import pytest

from opcws.docs import topics

from . import readme
from .waiting import PATIENCE, wait_until

ENVIRONMENT = dict(os.environ, PYTHONPATH=str(readme.ROOT), PYTHONIOENCODING="utf-8")


def code(name: str, begins: str = "") -> str:
    """The only code block on the page *name* that begins with *begins*."""
    (found,) = (text for text in readme.codes(topics.source(name)) if text.startswith(begins))
    return found


def needed(*names: str) -> str:
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("not run: needs %s" % names[0])
    return path


class Running:
    """*command*, and the lines of its output so far."""

    def __init__(self, command: List[str], **environment: str) -> None:
        self.lines: List[str] = []
        self.process = subprocess.Popen(
            command,
            env=dict(ENVIRONMENT, PYTHONUNBUFFERED="1", **environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                self.lines.append(line.rstrip("\n"))

    def wait_for(self, pattern: str, after: int = 0) -> int:
        """The number of the first line after *after* that matches *pattern*."""

        def found() -> Optional[int]:
            numbered = list(enumerate(self.lines))[after:]
            return next((n + 1 for n, line in numbered if re.search(pattern, line)), None)

        try:
            number: int = wait_until(found, pattern, 3 * PATIENCE)
        except AssertionError:
            raise AssertionError("no %r in %r" % (pattern, self.lines[-20:])) from None
        return number

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join(PATIENCE)
