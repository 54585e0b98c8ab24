"""The process of a service of Windows: its reports to Windows, and the Event Log.

* A wrong configuration ends the service for good; any other end is a failure, after which Windows
  starts it again.
* The process must report to Windows within 30 s, even when an old machine starts all its services
  at once.  So this module imports almost nothing.
* A service has no standard streams: its messages go to the log file, and those for the machine's
  administrator also to the Event Log.

Threads: :func:`run` on the main thread.
"""

import logging
import os
import signal
import time
from typing import Any, Callable, List, Sequence

from .. import __version__
from ..model.errors import ConfigError, OpcwsError
from . import windows_api
from .windows_api import ServiceProcess

log = logging.getLogger(__name__)

#: Numbers of entries in the Event Log.
STARTED, ENDED, FAILED, CONFIGURATION = 1, 2, 3, 4
#: Most entries per minute; the log file has the others.
ENTRIES_PER_MINUTE = 20
#: Seconds within which the process reports to Windows, which waits for 30.
CONNECT_S = 25.0
#: Longest time in seconds for reading the configuration, or opening the listeners.
START_S = 60.0


class _Entries(logging.Handler):
    """Writes the errors of the log to the Event Log too."""

    def __init__(self, event_log: Any) -> None:
        super().__init__(logging.ERROR)
        self._event_log = event_log
        # The current minute and its number of entries; guarded by the handler's own lock.
        self._minute = 0
        self._count = 0

    def emit(self, record: logging.LogRecord) -> None:
        minute = int(time.monotonic() / 60)
        self._count = self._count + 1 if minute == self._minute else 1
        self._minute = minute
        if self._count <= ENTRIES_PER_MINUTE:
            number = CONFIGURATION if record.name.endswith(".reloader") else FAILED
            text = record.getMessage()
            if self._count == ENTRIES_PER_MINUTE:
                text += "\n\nThe log file has more."
            self._event_log.write(windows_api.ERROR, number, text)


class Running:
    """This process as a service: *stopping* is filled when it must end."""

    def __init__(
        self, name: str, stopping: List[int], process: ServiceProcess, event_log: Any
    ) -> None:
        self.name = name
        self.stopping = stopping
        self._process = process
        self._event_log = event_log

    def goes_on(self) -> None:
        """Report that a step of the start is done."""
        self._process.report(windows_api.START_PENDING, START_S)

    def serves(self, urls: Sequence[str]) -> None:
        self._process.report(windows_api.RUNNING)
        text = "opcws %s serves %s as the user %s"
        said = text % (__version__, ", ".join(urls), windows_api.user_name())
        log.info("service %s: %s", self.name, said)
        self._event_log.write(windows_api.INFORMATION, STARTED, said)


def log_file(name: str, config_path: str) -> str:
    """The log file of a service whose configuration names none."""
    return os.path.join(os.path.dirname(os.path.realpath(config_path)), name + ".log")


def run(name: str, serve: Callable[[Running], None]) -> int:
    """Run as the service *name*: *serve* until its list ``stopping`` is filled; returns the exit
    code.

    Raises :exc:`WindowsError` if the SCM did not start this process.
    """
    for signal_name in ("SIGINT", "SIGBREAK"):  # a service gets this signal when a user logs off
        number = getattr(signal, signal_name, None)
        if number is not None:
            signal.signal(number, signal.SIG_IGN)
    stopping: List[int] = []
    process = ServiceProcess(name, lambda: stopping.append(0))
    process.connect(CONNECT_S)
    event_log = windows_api.EventLog(name)
    running = Running(name, stopping, process, event_log)
    logger = logging.getLogger("opcws")
    entries = _Entries(event_log)
    try:
        running.goes_on()
        logger.addHandler(entries)
        serve(running)
        logger.removeHandler(entries)
        event_log.write(windows_api.INFORMATION, ENDED, "opcws %s has stopped" % __version__)
        process.end(0, CONNECT_S)
        return 0
    except ConfigError as error:
        logger.removeHandler(entries)
        for problem in error.problems:
            log.error("%s", problem)
        event_log.write(windows_api.ERROR, CONFIGURATION, "\n".join(error.problems))
        process.end(1, CONNECT_S)
        return 1
    except OpcwsError as error:
        log.error("%s", error.reason)
    except BaseException:
        log.exception("a defect")
    # The process ends without a report, which Windows takes for a failure.
    return 3
