"""Changes the listeners from one configuration to the next: all of them, or none.

Threads: the one that changes the configuration; one at a time.
"""

import logging
from typing import Callable, List, Sequence, Tuple

from ..config.difference import ListenChange
from ..config.settings import Listen
from ..model.deadline import Deadline
from ..model.errors import ConfigError, ListenError
from .listener import Listener

log = logging.getLogger(__name__)


class Reconfiguration:
    """The *present* listeners and the new ones after *change*; *make* makes a listener.

    >>> listeners = Reconfiguration(present, change, make)   # ConfigError: nothing has changed
    >>> listeners.commit()                                # or listeners.roll_back()
    """

    def __init__(
        self,
        present: Sequence[Listener],
        change: ListenChange,
        make: Callable[[Listen], Listener],
    ) -> None:
        #: The new listeners, in the order of the configuration, and those that will end.
        self.listeners: List[Listener] = []
        self.closed = [present[place] for place in change.closed]
        self._opened: List[Listener] = []
        self._suspended: List[Listener] = []
        self._steps: List[Callable[[], None]] = []
        problems: List[str] = []
        in_the_way: List[Tuple[Listener, Listen, ListenError]] = []
        for place, listen in change.kept:
            try:
                if place is None:
                    listener = make(listen)
                    self.listeners.append(listener)
                    try:
                        listener.open()
                        self._opened.append(listener)
                    except ListenError as error:
                        in_the_way.append((listener, listen, error))
                    continue
                self.listeners.append(present[place])
                self._steps.append(present[place].prepared(listen))
            except ConfigError as error:
                problems += error.problems
        for listener, listen, refused in in_the_way:
            ours = self._in_the_way(listen)
            if not ours:
                problems.append(str(refused))
            if problems:
                listener.stop(Deadline(0.0))
                continue
            for each in ours:
                each.suspend()
                self._suspended.append(each)
            try:
                listener.open()
                self._opened.append(listener)
            except ListenError as error:
                listener.stop(Deadline(0.0))
                problems.append(str(error))
        if problems:
            self.roll_back()
            raise ConfigError(problems)

    def _in_the_way(self, listen: Listen) -> List[Listener]:
        """The listeners that will end and occupy the port of *listen*, such as one at 127.0.0.1
        where 0.0.0.0 is needed."""
        return [
            each
            for each in self.closed
            if listen.port and each.addresses and each.addresses[0][1] == listen.port
        ]

    def roll_back(self) -> None:
        """Leave everything as it was."""
        for listener in self._opened:
            listener.stop(Deadline(0.0))
        for listener in self._suspended:
            try:
                listener.resume()
            except ListenError:
                log.exception("an address was lost while another was tried")

    def commit(self) -> None:
        """Start to serve the new configuration; the caller must end the listeners in ``closed``."""
        for step in self._steps:
            step()
        for listener in self._opened:
            listener.start()
            log.info("listening on %s", listener.url)
