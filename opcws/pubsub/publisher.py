"""The publisher: takes values, has messages made and sent, and reports its status.

Rules:

* Threads that provide values only queue them.  With an interval, the queue has the latest value of
  each variable; without one it has every value, or, if too many wait, the latest of each, whose
  Overflow bit tells that others are missing.
* One thread makes the messages, another one sends them.

Threads: all methods may be called from any; messages are made on ``opcws-publish``.
"""

import logging
import threading
import time
from dataclasses import replace
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from ..config.settings import Mqtt, Variable
from ..model import status_codes
from ..model.deadline import Deadline
from ..wire.notifications import GENERIC, Notification, overflowed
from . import field_values
from .data_sets import DataSet, Entry, Field, connection, grouped, is_new
from .message import Message
from .network_messages import KEY_FRAME_INTERVAL_S
from .requests import Requests, Serve
from .sender import Sender

log = logging.getLogger(__name__)

#: Most values that wait if every one is published.
MOST_WAITING = 100_000
#: Longest wait, in seconds.
LONGEST_WAIT_S = 3600.0


class Publisher:
    """Publishes what :meth:`change` says, after :meth:`start`; messages are stored below
    *state_dir*.  *info* returns the known members of VALUEINFO of a variable; *serve* handles
    requests of edges."""

    def __init__(
        self, state_dir: str, info: Callable[[Variable], Mapping[str, Any]], serve: Serve
    ) -> None:
        self._info = info
        # By name; replaced in one step.
        self._variables: Dict[str, Variable] = {}
        self._requests = Requests(serve, lambda answers: self._sender.backlog.put(answers))
        self._sender = Sender(state_dir, self._tell_everything, self._requests)
        # Guards everything below.
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._mqtt: Optional[Mqtt] = None
        self._data_sets: Dict[str, DataSet] = {}
        # The waiting values: the latest of each field, or every one.
        self._latest: Dict[Field, Notification] = {}
        self._every: List[Entry] = []
        self._everything = False
        self._stopping = False
        #: Numbers of values that came, and that were dropped for later ones, as too many waited.
        self.values = 0
        self.collapsed = 0
        self._thread = threading.Thread(target=self._run, name="opcws-publish", daemon=True)

    def start(self) -> None:
        """Start; the log and :meth:`status` report a missing broker."""
        self._thread.start()
        self._sender.thread.start()
        self._requests.start()

    def change(self, mqtt: Optional[Mqtt], published: Iterable[Variable]) -> None:
        """Publish this from now on; ``None``: nothing."""
        by_server: Dict[str, List[str]] = {}
        variables = {each.name: each for each in published}
        for variable in variables.values():
            by_server.setdefault(variable.server, []).append(variable.name)
        self._requests.change(mqtt)
        with self._lock:
            changed = _published(mqtt) != _published(self._mqtt)
            if changed:
                self._data_sets = {}
                self._latest, self._every = {}, []
            elif mqtt is None:
                return
            before, self._data_sets = self._data_sets, {}
            numbers = {each.writer.id for each in before.values()}
            for server, names in by_server.items():
                data_set = before.get(server)
                if data_set is None:
                    number = next(n for n in range(1, 0x10000) if n not in numbers)
                    numbers.add(number)
                    assert mqtt is not None
                    data_set = DataSet(mqtt, server, number, names)
                elif list(data_set.fields) != names:
                    data_set.change(names)
                self._data_sets[server] = data_set
            self._mqtt = mqtt
            self._variables = variables
            self._everything = True
            self._arrived.notify()
        if changed:
            self._sender.change(mqtt)
        else:
            self._sender.wake()

    def stop(self, deadline: Deadline) -> None:
        """Send the queued values, disconnect, and end the threads, within *deadline*."""
        self._requests.stop(deadline)
        with self._lock:
            self._stopping = True
            self._arrived.notify()
        if self._thread.ident is not None:
            self._thread.join(deadline.bounded(1.0))
        self._sender.stop()
        if self._sender.thread.ident is not None:
            self._sender.thread.join(deadline.remaining())

    @property
    def threads(self) -> List[threading.Thread]:
        """The threads that must live until :meth:`stop`."""
        return [self._thread, self._sender.thread, *self._requests.threads]

    # --- what is published ----------------------------------------------------------------------

    def field(self, variable: Variable) -> Optional[Field]:
        """The field of *variable* for :meth:`take`; ``None`` if it is not published."""
        data_set = self._data_sets.get(variable.server)
        return None if data_set is None else data_set.fields.get(variable.name)

    def take(self, entries: List[Entry]) -> None:
        """Publish *entries*; only queues them."""
        with self._lock:
            self.values += len(entries)
            mqtt = self._mqtt
            if mqtt is None:
                return
            if mqtt.interval_ms:
                latest = self._latest
                for field, update in entries:
                    before = latest.get(field)
                    if before is not None and _is_overflowed(before):
                        update = overflowed(update)
                    latest[field] = update
                return
            self._every += entries
            if len(self._every) > MOST_WAITING:
                self._collapse()
            self._arrived.notify()

    def _collapse(self) -> None:
        latest: Dict[Field, Notification] = {}
        for field, update in self._every:
            latest[field] = overflowed(update) if field in latest else update
        self.collapsed += len(self._every) - len(latest)
        self._every = list(latest.items())

    def _tell_everything(self) -> None:
        """Send everything, because the broker knows nothing."""
        with self._lock:
            self._everything = True
            self._arrived.notify()

    # --- opcws-publish --------------------------------------------------------------------------

    def _run(self) -> None:
        due = key_frame_due = time.monotonic()
        while True:
            with self._lock:
                while True:
                    mqtt, now = self._mqtt, time.monotonic()
                    if self._stopping or self._everything or self._every:
                        break
                    wake_at = now + LONGEST_WAIT_S
                    if mqtt is not None:
                        if mqtt.interval_ms:
                            wake_at = due
                        if mqtt.encoding != field_values.RAW:
                            wake_at = min(wake_at, key_frame_due)
                    if wake_at <= now:
                        break
                    self._arrived.wait(min(wake_at - now, LONGEST_WAIT_S))
                entries = self._every or list(self._latest.items())
                self._every, self._latest = [], {}
                anew = everything = self._everything
                if mqtt is not None and mqtt.encoding != field_values.RAW and not everything:
                    # Subscribers need the values together with a new type.
                    everything = now >= key_frame_due or any(map(is_new, entries))
                self._everything = False
                data_sets = list(self._data_sets.values())
                stopping = self._stopping
            if mqtt is not None:
                interval = mqtt.interval_ms / 1000.0
                if everything:
                    # A disconnected broker gets everything when it is back.
                    everything = self._sender.backlog.live
                    step = max(interval, KEY_FRAME_INTERVAL_S)
                    key_frame_due = now + mqtt.key_frame_count * step
                # Always a whole number of intervals after the first one, unless late.
                due = max(due + interval, now) if now >= due else due
                try:
                    self._sender.backlog.put(
                        self._messages(mqtt, data_sets, entries, everything, anew)
                    )
                except Exception:
                    log.exception("a defect while publishing; these values are skipped")
            if stopping:
                return

    def _messages(
        self,
        mqtt: Mqtt,
        data_sets: List[DataSet],
        entries: List[Entry],
        everything: bool,
        anew: bool,
    ) -> List[Message]:
        """Messages with *entries*; if *everything*, also with all that is known, *anew* also with
        unchanged metadata."""
        messages: List[Message] = []
        by_data_set: List[Tuple[DataSet, List[Entry]]] = list(grouped(entries))
        if everything and mqtt.encoding != field_values.RAW:
            if anew:
                messages.append(connection(mqtt, data_sets))
            for data_set in data_sets:
                messages += data_set.describe(self._about, anew)
        # A key frame has the latest value of each, which is enough if there is an interval.
        if not everything or not mqtt.interval_ms:
            for data_set, some in by_data_set:
                messages += data_set.deltas(some)
        if everything:
            for data_set in data_sets:
                messages += data_set.key_frame()
        return messages

    def _about(self, name: str) -> Mapping[str, Any]:
        variable, mqtt = self._variables.get(name), self._mqtt
        if variable is None:
            return {}
        info = self._info(variable)
        if mqtt is not None and mqtt.requests:
            return info
        # Requests are not possible.
        return {key: value for key, value in info.items() if key not in ("Access", "HistorySource")}

    # --- how it is ------------------------------------------------------------------------------

    def status(self) -> Mapping[str, Any]:
        """The publisher's part of ``/status``."""
        sender, mqtt = self._sender, self._mqtt
        status: Dict[str, Any] = {"State": sender.state, "Since": sender.told()}
        if mqtt is not None:
            status.update(Broker=mqtt.broker, Publisher=mqtt.publisher)
        reason = sender.reason or sender.backlog.failure or sender.refusal
        if reason:
            status["Reason"] = reason
        status["Variables"] = sum([len(each.fields) for each in self._data_sets.values()])
        status.update(Published=self.messages, Refused=self.refused, Dropped=self.dropped)
        status.update(Waiting=self.backlog, StoredBytes=self.bytes)
        return status

    @property
    def connected(self) -> bool:
        """Whether the broker is connected."""
        return self._sender.state != "disconnected"

    @property
    def active(self) -> bool:
        """Whether the values of this collector are published."""
        return self._sender.state == "connected"

    @property
    def standing_by(self) -> Optional[str]:
        """Why this collector is not the active one; ``None`` if it is, or if there is no other."""
        return self._sender.standing_by

    @property
    def messages(self) -> int:
        """Number of messages that the broker accepted."""
        return self._sender.confirmed

    @property
    def refused(self) -> int:
        """Number of messages that the broker refused."""
        return self._sender.refused

    @property
    def bytes(self) -> int:
        """Bytes of the stored messages."""
        return self._sender.backlog.bytes

    @property
    def dropped(self) -> int:
        """Number of dropped messages."""
        return self._sender.backlog.dropped

    @property
    def backlog(self) -> int:
        """Number of waiting messages."""
        return self._sender.backlog.waiting


def _published(mqtt: Optional[Mqtt]) -> Optional[Mqtt]:
    """The part of *mqtt* that says what is published, and where."""
    return None if mqtt is None else replace(mqtt, requests={})


def _is_overflowed(update: Notification) -> bool:
    layout, row, _origin = update
    # Only this layout has a status.
    return layout is GENERIC and row[1].status & status_codes.OVERFLOW == status_codes.OVERFLOW
