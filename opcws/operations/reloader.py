"""Decides when a running server reads its configuration again.

Rules:

* A signal, a change of the file and ``opcws reload`` are *wishes*.  If any come while the file is
  being read, it is read once more after that.
* A changed file is read only after it has stayed the same between two checks; a refused file is not
  tried again until it changes.
* The result of every reload is logged.

(watchdog was looked at: notifications do not work on network file systems, where it polls too.)

Threads: ``opcws-reload`` does the work; any thread, but not a signal handler, may call the public
methods.
"""

import hashlib
import logging
import os
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..config import load
from ..config.settings import Config, Reload
from ..model.deadline import Deadline
from ..model.errors import ConfigError

log = logging.getLogger(__name__)

#: Seconds in which two contents of a file may have the same times.
COARSE_S = 3.0
#: Seconds to wait for the outcome of a wish.
PATIENCE_S = 60.0


class Outcome(NamedTuple):
    """The result of a wish: the changes, or every reason why there are none."""

    changes: Sequence[str] = ()
    problems: Sequence[str] = ()


class Watched:
    """Watches the file *path* for a new content.  Not thread-safe."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: Optional[Tuple[Tuple[int, int, int], float, str]] = None
        self._before = ""
        #: The digest of the content that was last tried.
        self.tried = self.content()

    def content(self) -> str:
        """A digest of the file; empty if it cannot be read."""
        try:
            before = _times(self._path)
            # Read again while its times are too recent to distinguish two contents.
            if self._seen is not None and before == self._seen[0]:
                if self._seen[1] - before[0] / 1e9 > COARSE_S:
                    return self._seen[2]
            digest = hashlib.sha256()
            with open(self._path, "rb") as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    digest.update(block)
        except (OSError, ValueError):
            return ""
        self._seen = before, time.time(), digest.hexdigest()
        return self._seen[2]

    def has_changed(self) -> bool:
        """Whether the content differs from the last tried one, and has not changed since the last
        call."""
        now = self.content()
        settled = now == self._before
        self._before = now
        return bool(now) and settled and now != self.tried


def _times(path: str) -> Tuple[int, int, int]:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino


class Reloader:
    """Reads the configuration of *loaded* again and calls *apply*, which returns lines about the
    changes, or raises :exc:`~opcws.model.errors.ConfigError` with every problem, and has changed
    nothing then.

    *warnings* returns further warnings about an applied configuration.
    """

    def __init__(
        self,
        loaded: Config,
        apply: Callable[[Config], List[str]],
        warnings: Callable[[Config], List[str]] = lambda _loaded: [],
    ) -> None:
        assert loaded.path is not None
        self._path = loaded.path
        self._settings: Reload = loaded.reload
        self._apply = apply
        self._warnings = warnings
        self._watched = Watched(self._path)
        # Guards what follows: the numbers of all and of finished wishes, and the last outcome.
        self._changed = threading.Condition()
        self._wished = 0
        self._done = 0
        self._outcome = Outcome()
        self._stopping = False
        # A daemon, because a hanging file system must not keep the process alive; stop() joins it.
        self._thread = threading.Thread(target=self._run, name="opcws-reload", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline: Deadline) -> None:
        """End the thread; callers that wait for an outcome get "opcws is stopping"."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(deadline.remaining())

    def trigger(self) -> None:
        """Read the file again soon."""
        with self._changed:
            self._wished += 1
            self._changed.notify_all()

    def request(self) -> Dict[str, Any]:
        """Read the file again now, and return the answer for ``opcws reload``."""
        with self._changed:
            self._wished += 1
            mine = self._wished
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._done >= mine or self._stopping, PATIENCE_S)
            if self._done < mine:
                return {"problems": ["opcws is stopping" if self._stopping else "not in time"]}
            return {
                "changes": list(self._outcome.changes),
                "problems": list(self._outcome.problems),
            }

    # --- opcws-reload ---------------------------------------------------------------------------

    def _run(self) -> None:
        look_at = time.monotonic()
        while True:
            with self._changed:
                wished = self._wished
                if self._stopping:
                    return
                if wished == self._done:
                    look = self._settings.on_change
                    pause = max(0.0, look_at - time.monotonic()) if look else None
                    if pause is None or pause:
                        self._changed.wait(pause)
                        continue
            if wished == self._done:
                look_at = time.monotonic() + self._settings.interval_s
                if self._watched.has_changed():
                    self.trigger()
                continue
            outcome = self._reload()
            with self._changed:
                self._done = wished
                self._outcome = outcome
                self._changed.notify_all()

    def _reload(self) -> Outcome:
        # Before reading: a change meanwhile is another content.
        self._watched.tried = self._watched.content()
        try:
            loaded = load(self._path)
            changes = self._apply(loaded)
        except ConfigError as error:
            for problem in error.problems:
                log.error("%s", problem)
            log.error("the new configuration is refused; nothing has changed")
            return Outcome(problems=error.problems)
        except Exception as error:
            log.exception("a defect while changing the configuration")
            return Outcome(problems=["a defect in opcws: %s; its log says more" % error])
        self._settings = loaded.reload
        for warning in [*loaded.warnings, *self._warnings(loaded)]:
            log.warning("%s", warning)
        for change in changes:
            log.info("configuration: %s", change)
        log.info(
            "the configuration has been read again%s", "" if changes else ": nothing to change"
        )
        return Outcome(changes)
