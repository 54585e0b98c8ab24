"""When a running server reads its configuration again: one at a time, and never for nothing.

Rules:

* A signal, a change of the file and ``opcws reload`` are one thing: a wish.  However many come
  while the file is being read, it is read once more after that.
* A file that is being written is left alone until it has stayed the same between two looks; one
  that was refused is not tried again until it changes.
* What a change came to is logged, whoever wanted it.

(watchdog was looked at: what tells it of changes tells nothing on network file systems, where it
looks again and again too.)

Threads: the work is done on ``opcws-reload``; the public methods may be called from any thread,
but not from a signal handler.
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

#: Seconds in which a file system may give two contents the same times.
COARSE_S = 3.0
#: Seconds that somebody waits for the outcome of a wish.
PATIENCE_S = 60.0


class Outcome(NamedTuple):
    """What became of a wish: what changed, or every reason why nothing did."""

    changes: Sequence[str] = ()
    problems: Sequence[str] = ()


class Watched:
    """The file *path*: has it come to have another content?  Not safe for threads."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: Optional[Tuple[Tuple[int, int, int], float, str]] = None
        self._before = ""
        #: The content that was last tried.
        self.tried = self.content()

    def content(self) -> str:
        """A digest of what is in the file; empty if it cannot be read."""
        try:
            before = _times(self._path)
            # Read again while its times are too young to tell two contents apart.
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
        """Whether the content is not the one last tried, and has stayed the same since the last
        time this was asked."""
        now = self.content()
        settled = now == self._before
        self._before = now
        return bool(now) and settled and now != self.tried


def _times(path: str) -> Tuple[int, int, int]:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino


class Reloader:
    """Reads the configuration of *loaded* again and has *apply* take it over.

    *apply* returns what changed, in lines; it raises :exc:`~opcws.model.errors.ConfigError` with
    every problem, and has changed nothing then.  *warnings* finds more to say of a configuration
    that has been taken over.
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
        # Guards what follows: how many wishes there were, how many are done, what came of it.
        self._changed = threading.Condition()
        self._wished = 0
        self._done = 0
        self._outcome = Outcome()
        self._stopping = False
        # A daemon, because a file system that hangs must not keep the process; stop() joins it.
        self._thread = threading.Thread(target=self._run, name="opcws-reload", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline: Deadline) -> None:
        """End the thread; who waits for an outcome learns that opcws stops."""
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
        """Read the file again now, and tell what came of it, as ``opcws reload`` is answered."""
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
        # Before it is read: what changes meanwhile is another content.
        self._watched.tried = self._watched.content()
        try:
            loaded = load(self._path)
            changes = self._apply(loaded)
        except ConfigError as error:
            for problem in error.problems:
                log.error("%s", problem)
            log.error("the configuration is not taken over; nothing has changed")
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
