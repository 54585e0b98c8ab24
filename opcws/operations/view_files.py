"""The shared views of the page: each is a JSON file in ``views`` below ``state_dir``, as in
``schemas/view.schema.json``.

Names of files are valid on every system; names of views that differ only in case are the same.  A
broken file is ignored with one warning, and can be overwritten.

Threads: any; the lock is held while a file is written.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import threading
from typing import Dict, List, NamedTuple, Optional, Set, Tuple

from ..model import atomic_file
from ..wire import contract

log = logging.getLogger(__name__)

#: Most views, and most bytes of one.
MOST, MOST_BYTES = 200, 65536


class View(NamedTuple):
    """*name* in its original spelling; *text* is the JSON, *tag* identifies this version."""

    name: str
    text: bytes
    tag: str
    variables: Set[str]


class Changed(Exception):
    """The view has changed since the client read it."""


class Full(Exception):
    """There are :data:`MOST` views already."""


def parse(text: bytes) -> View:
    """Raises :exc:`ValueError` with the problem of *text*, which should be JSON in UTF-8."""
    try:
        document = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("the view is no JSON in UTF-8") from None
    problem = contract.problem("view.schema.json", document)
    if problem is not None:
        raise ValueError(problem)
    if document["Name"] in (".", ".."):
        raise ValueError(
            "Name: %s cannot be a name, because it has a meaning in addresses" % document["Name"]
        )
    try:
        made = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode("utf-8")
    except ValueError:
        raise ValueError("the view has a number or a character that no JSON can have") from None
    names = {name for panel in document["Panels"] for name in panel["Variables"]}
    return View(document["Name"], made + b"\n", hashlib.sha256(made).hexdigest()[:32], names)


class ViewFiles:
    """The views in *directory*, which need not exist."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._told: Set[str] = set()
        # Cache of views whose files have not changed: checking a view is expensive.
        self._known: Dict[str, Tuple[Tuple[int, ...], View]] = {}

    def all(self) -> List[View]:
        """All views, in the order of their names."""
        try:
            files = os.listdir(self._directory)
        except OSError:  # none yet
            return []
        paths = [os.path.join(self._directory, each) for each in files if each.endswith(".json")]
        found = [view for view in map(self._read, paths) if view is not None]
        return sorted(found, key=lambda view: view.name.casefold())

    def get(self, name: str) -> Optional[View]:
        """``None`` if there is none of this *name*."""
        return self._read(self._path(name))

    def _read(self, path: str) -> Optional[View]:
        try:
            with open(path, "rb") as file:
                is_now = os.fstat(file.fileno())
                state = (is_now.st_ino, is_now.st_size, is_now.st_mtime_ns)
                known = self._known.get(path)
                if known is not None and known[0] == state:
                    return known[1]
                view = parse(file.read(2 * MOST_BYTES))
            if os.path.basename(path) != _file(view.name):
                raise ValueError("a view named %s is in %s" % (view.name, _file(view.name)))
        except FileNotFoundError:
            self._known.pop(path, None)
            return None
        except (OSError, ValueError) as error:
            if path not in self._told:
                self._told.add(path)
                log.warning("%s is left out: %s", path, error)
            return None
        self._known[path] = state, view
        return view

    def put(self, view: View, seen: Optional[str]) -> bool:
        """Save *view* in place of the view of its name with the tag *seen*; ``""`` means that there
        is none, ``None`` any.  Returns whether it is new.

        Raises :exc:`Changed`, :exc:`Full`, or :exc:`OSError`.
        """
        with self._lock:
            before = self._require(view.name, seen)
            if before is None and len(self.all()) >= MOST:
                raise Full
            os.makedirs(self._directory, exist_ok=True)
            with atomic_file.replacing(self._path(view.name)) as file:
                file.write(view.text)
            self._known.pop(self._path(view.name), None)
        return before is None

    def remove(self, name: str, seen: Optional[str]) -> bool:
        """Remove the view *name*, with *seen* as in :meth:`put`.  Returns whether there was one.

        Raises :exc:`Changed` or :exc:`OSError`.
        """
        with self._lock:
            if self._require(name, seen) is None:
                return False
            with contextlib.suppress(FileNotFoundError):
                atomic_file.patiently(lambda: os.unlink(self._path(name)))
            return True

    def _require(self, name: str, seen: Optional[str]) -> Optional[View]:
        view = self.get(name)
        if seen is not None and seen != ("" if view is None else view.tag):
            raise Changed
        return view

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, _file(name))


def _file(name: str) -> str:
    folded = name.casefold()
    digest = hashlib.sha256(folded.encode("utf-8", "replace")).hexdigest()
    words = re.sub("[^a-z0-9]+", "-", folded)[:40].strip("-")
    return "%s-%s.json" % (words or "view", digest[:12])
