"""Logging: what happened, to whom, once; to standard error or to a file that is rotated."""

import json
import logging
import logging.handlers
import time
from typing import Any, Dict, NamedTuple

from .config import Log
from .errors import ConfigError


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC), level, thread, logger, message, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: Dict[str, Any] = {
            "time": "%s.%03dZ"
            % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)), record.msecs),
            "level": record.levelname.lower(),
            "thread": record.threadName,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """One line for people: local time, level, message.  What a peer sent cannot begin a line
    of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        text = super().formatMessage(record)
        return text.replace("\r", "\\r").replace("\n", "\\n")


def setup(settings: Log) -> None:
    """Send everything from *settings*.level on to where *settings* says.

    Raises :exc:`~opcws.errors.ConfigError` if the file cannot be written.
    """
    prepared(settings).install()


class Prepared(NamedTuple):
    """A log that could begin: :meth:`install` it, or :meth:`discard` it."""

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
        # The library tells in tracebacks what the link tells in a sentence.
        logging.getLogger("opcua").setLevel(
            logging.DEBUG if self.level == "debug" else logging.CRITICAL
        )

    def discard(self) -> None:
        self.handler.close()


def prepared(settings: Log) -> Prepared:
    """The log that *settings* describe, not in use yet.

    Raises :exc:`~opcws.errors.ConfigError` if the file cannot be written.
    """
    handler: logging.Handler
    if settings.file is None:
        handler = logging.StreamHandler()
    else:
        try:
            handler = logging.handlers.RotatingFileHandler(
                settings.file,
                maxBytes=settings.max_bytes,
                backupCount=settings.backups,
                encoding="utf-8",
            )
        except OSError as error:
            raise ConfigError(
                ["log.file: cannot write %s: %s" % (settings.file, error.strerror or error)]
            ) from None
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    return Prepared(handler, settings.level)
