"""Logging to standard error or to a rotated file.

Every line about a client has the id of its connection, and every line of a plant's threads the name
of its server; :func:`about` finds both.
"""

import contextlib
import json
import logging
import logging.handlers
import os
import re
import sys
import threading
import time
from typing import Any, Dict, NamedTuple, Optional

from ..config.settings import Log
from ..model.errors import ConfigError
from ..model.text import clean
from . import log_rotation
from .connection_id import ConnectionId

log = logging.getLogger(__name__)

_CONNECTION_THREAD = re.compile(r"(opcws-ws-\d+)(?:-out)?")
_PLANT_THREAD = re.compile(
    r"opcws-(?:relay-(.+)|ua-(.+)-(?:rx|ops|watch|bye|(?:slow|own)-\d+|member-\d+))", re.DOTALL
)


class About(NamedTuple):
    """The subject of a log line: the id of a connection, the name of an OPC UA server."""

    connection: Optional[str]
    server: Optional[str]


def about(record: logging.LogRecord) -> About:
    """The connection is a :class:`~opcws.operations.connection_id.ConnectionId` among the arguments
    of the line, or that of the logging thread; the server is that of the logging thread."""
    named = record.args if isinstance(record.args, tuple) else ()
    thread = record.threadName or ""
    connection: Optional[str] = next((arg for arg in named if isinstance(arg, ConnectionId)), None)
    if connection is None:
        match = _CONNECTION_THREAD.fullmatch(thread)
        connection = match and match.group(1)
    match = _PLANT_THREAD.fullmatch(thread)
    return About(connection, match and (match.group(1) or match.group(2)))


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC), level, thread, connection, server, logger, message,
    traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: Dict[str, Any] = {
            "time": "%s.%03dZ"
            % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)), record.msecs),
            "level": record.levelname.lower(),
            "thread": record.threadName,
        }
        subject = about(record)
        if subject.connection is not None:
            line["connection"] = subject.connection
        if subject.server is not None:
            line["server"] = subject.server
        line["logger"] = record.name
        line["message"] = record.getMessage()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """One line for people: local time, level, subject, message.

    Any part, also the traceback, may contain text of a plant, a client or a certificate.  Such text
    cannot begin a line of its own, and has no control characters for a terminal.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        whom = about(record)
        subject = whom.connection or whom.server
        # Most messages begin with it themselves.
        if subject is not None and not record.message.startswith(subject + ":"):
            record.message = "%s: %s" % (subject, record.message)
        return clean(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        # A text with a line end continues in a line that is indented like the traceback.
        return "\n  ".join(map(clean, super().formatException(ei).split("\n")))


def setup(settings: Log) -> None:
    """Log everything from *settings*.level on to the destination of *settings*.

    Raises :exc:`~opcws.model.errors.ConfigError` if the file cannot be written.
    """
    prepared(settings).install()


def ended(what: threading.ExceptHookArgs) -> None:
    """Called by a thread that a defect ends: reports it in the log, not only on standard error."""
    if what.exc_type is not SystemExit:
        name = "a thread" if what.thread is None else what.thread.name
        error = what.exc_value or what.exc_type()
        log.error("%s has ended, which is a defect", name, exc_info=error)


class RotatedFile(logging.handlers.RotatingFileHandler):
    """A file that is renamed when it is full.  While that is not possible it keeps growing;
    otherwise each attempt would lose a line, and an older file.  Lines that the disk does not
    accept are counted, and the number is logged when it accepts lines again."""

    def __init__(self, path: str, max_bytes: int, backups: int) -> None:
        super().__init__(path, maxBytes=max_bytes, backupCount=backups, encoding="utf-8")
        self._max_bytes = max_bytes
        # Lines lost since the last one that was written; guarded by the handler's own lock.
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        before = self._lost
        super().emit(record)
        if before and self._lost == before:
            self._lost = 0
            text = "%d lines of the log could not be written, and are lost"
            super().emit(log.makeRecord(log.name, logging.WARNING, "", 0, text, (before,), None))

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self._lost += 1
        if self._lost == 1 and sys.stderr is not None:
            why = error.strerror or error
            with contextlib.suppress(OSError, ValueError):
                print("opcws: cannot write %s: %s" % (self.baseFilename, why), file=sys.stderr)

    def doRollover(self) -> None:
        assert self.stream is not None  # or nobody would learn that the disk is full
        size = self.stream.tell()
        full, self.stream = self.stream, None
        with contextlib.suppress(OSError):  # lines are lost while the disk is full
            full.close()
        self.maxBytes = self._max_bytes
        if os.path.isfile(self.baseFilename):  # it was not removed, and is not a device
            try:
                log_rotation.rename(self.baseFilename, self.backupCount)
            except OSError:
                self.maxBytes = size + self._max_bytes // 10
        self.stream = self._open()


class Prepared(NamedTuple):
    """A log that is ready: :meth:`install` it, or :meth:`discard` it."""

    handler: logging.Handler
    level: str

    def install(self) -> None:
        root = logging.getLogger()
        before = list(root.handlers)
        root.addHandler(self.handler)
        for old in before:
            root.removeHandler(old)
            old.close()
        root.setLevel(self.level.upper())
        threading.excepthook = ended
        # The library logs tracebacks where the link logs a sentence.
        logging.getLogger("opcua").setLevel(
            logging.DEBUG if self.level == "debug" else logging.CRITICAL
        )

    def discard(self) -> None:
        self.handler.close()


def prepared(settings: Log) -> Prepared:
    """The log of *settings*, not in use yet.

    Raises :exc:`~opcws.model.errors.ConfigError` if the file cannot be written.
    """
    handler: logging.Handler
    if settings.file is None:
        handler = logging.StreamHandler()
    else:
        try:
            handler = RotatedFile(settings.file, settings.max_bytes, settings.backups)
        except OSError as error:
            raise ConfigError(
                "log.file: cannot write %s: %s" % (settings.file, error.strerror or error)
            ) from None
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    return Prepared(handler, settings.level)
