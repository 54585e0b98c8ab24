"""The audit log: every write, successful or refused, as a line of JSON.

Rules:

* Where the log is required, a write goes to the OPC UA server only after the operating system has
  its line of intent; its result is a second line.  So an executed write is on record even if opcws
  is killed in the middle of it: an intent without a result means that the outcome is unknown.
  Where the log is not required there are only results, and a write does not wait.
* Only the thread of the log touches the disk.  Other threads put lines into a bounded queue.  Only
  the reader of the writing client waits, for its own line and at most ``timeout_s``: the next
  request of that client must come after the write anyway.  While the log is known to fail, nobody
  waits: writes are refused at once.
* Refused writes have files of their own, so that clients without rights take no room from executed
  writes.  Only so many of one address and identity in a given time get a line each; the others are
  counted, and the count is a line.
* A client whose refused writes are more than the disk accepts waits too, when they fill half of the
  queue: the other half is for good writes.
* The thread of the log tries for ever.  When the disk works again, the waiting lines go first;
  refused writes that found the queue full are counted, and the count is a line.
* The result of an accepted write is never dropped for lack of room: the queue takes every result,
  because its intent had found room.

Threads: ``refused``, ``refused_request`` and ``write`` run on connection threads, the results of
``write`` come on the plant's, ``status`` may be called from any; the rest runs on
``opcws-audit``.
"""

import itertools
import json
import logging
import os
import threading
import time
from collections import deque
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Sequence, Tuple

from ..config import roles
from ..config.settings import Audit, Variable
from ..model import status_codes
from ..model.data_types import DataValue
from ..model.deadline import Deadline
from ..model.errors import ConfigError, OpcwsError, ServiceError
from ..wire import messages, values_to_json
from .audit_file import AuditFile
from .client import Client
from .plant_interface import DEFECT, Plant, Wake, Write, WriteDone, WriteResult

log = logging.getLogger(__name__)

#: How many lines may wait; beyond it refused writes are only counted, and other writes refused.
MAX_WAITING = 10000
#: How many lines of one request are queued at a time.
SLICE = 500
#: How many lines are written before waiting threads are notified.
BATCH = 64
#: Seconds between two attempts to write while the disk fails.
RETRY_S = 0.5
#: Longest value in a line, in characters of its JSON; of a longer one the line has only the
#: beginning.
MAX_VALUE = 1000
#: Longest name in a line, in characters; those of the configuration are shorter.
MAX_NAME = 256

#: How many refused writes of one address and identity get a line each within FLOOD_S seconds.
FLOOD_LINES = 100
FLOOD_S = 10.0
#: How many addresses and identities are counted separately; all others are counted together.
MAX_FLOODS = 1000

#: A variable and its plant, if there is one.
Found = Optional[Tuple[Variable, Plant]]
#: Finds the variable and plant of a name.
Find = Callable[[str], Found]


def refused_path(path: str) -> str:
    """The file for refused writes, beside the audit log *path*."""
    root, extension = os.path.splitext(path)
    return root + "-refused" + extension


class _Flood:
    """Refused writes of one address and identity, since *began* on the monotonic clock."""

    __slots__ = ("began", "since", "head", "lines", "left_out", "last")

    def __init__(self, head: str) -> None:
        self.began = time.monotonic()
        self.since = _now()
        #: The client, as members of a line.
        self.head = head
        self.lines = 0
        self.left_out = 0
        #: The variable, as the client named it, and the status of the last write without a line.
        self.last: Tuple[Any, str] = (None, "")

    def line(self) -> bytes:
        """The line that counts the writes without a line."""
        name, status = self.last
        text = '{"time":"%s","event":"flood","since":"%s",%s,"lines":%d' % (
            *(_now(), self.since, self.head),
            self.left_out,
        )
        if isinstance(name, str):
            text += ',"last_variable":' + quote(name[:MAX_NAME])
        return (text + ',"last_status":"%s"}\n' % status).encode("ascii")


class AuditUnavailable(ServiceError):
    """The write is refused because its intent could not be logged; the refusal has or gets a
    line."""

    status = "BadResourceUnavailable"


class Unaudited:
    """No audit log: nothing is logged, no write waits."""

    def attach(self, find: Find) -> None:
        """*find* returns the variable of a name."""

    def start(self) -> None:
        """Open the log.  Raises :exc:`~opcws.model.errors.ConfigError` if that cannot be."""

    def stop(self, deadline: Deadline) -> None:
        """Write the waiting lines, and end the thread, within *deadline*."""

    def status(self) -> Optional[Mapping[str, Any]]:
        """The state of the log for ``/status``; None if there is none."""
        return None

    @property
    def threads(self) -> List[threading.Thread]:
        """The threads that must live until :meth:`stop`."""
        return []

    def refused(self, client: Client, name: Any, value: Any, problem: Exception) -> None:
        """*client*'s write of *value* to the variable *name* is refused with *problem*."""

    def refused_request(self, client: Client, body: Any, problem: Exception) -> None:
        """A WRITE of *client* with this *body* is refused as a whole with *problem*."""

    def write(
        self, client: Client, plant: Plant, writes: Sequence[Tuple[Write, Any]], done: WriteDone
    ) -> None:
        """Write on *plant* for *client*; each write has its value as the client gave it. *done*
        gets the results, on any thread.

        Raises :exc:`AuditUnavailable`: nothing is written.
        """
        try:
            plant.write([write for write, _value in writes], done, client.outbox)
        except ServiceError as problem:
            done([problem] * len(writes))


UNAUDITED = Unaudited()


class AuditLog(Unaudited):
    """The audit log with these *settings*."""

    def __init__(self, settings: Audit) -> None:
        self._settings = settings
        most = settings.max_bytes, settings.backups, settings.sync
        self._file = AuditFile(settings.file, *most, keep_s=settings.keep_days * 86400.0)
        self._refused_file = AuditFile(refused_path(settings.file), *most)
        self._find: Find = lambda name: None
        # Ids are unique over restarts: the moment of the start, and a number.
        self._run_id = "%x" % int(time.time() * 1000)
        self._numbers = itertools.count(1)
        # Guards everything below; held for a few operations on the queue, never during a wait for
        # the disk.
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._progress = threading.Condition(self._lock)
        self._queue: Deque[Tuple[AuditFile, bytes]] = deque()
        self._floods: Dict[Tuple[str, str], _Flood] = {}
        self._accepted = 0
        self._written = 0
        self._opened = False
        self._stopping = False
        # Why the disk fails, if it does, and since when the present state lasts.
        self._failure: Optional[str] = None
        self._since = _now()
        # When the thread began to wait for the disk, monotonic; None while it does not.
        self._at_the_disk: Optional[float] = None
        # Whether the log has a message that the disk is too slow.
        self._slow_told = False
        self._lost = 0
        self._lost_since = ""
        self._lost_in_all = 0
        # Unfinished writes by variable: until they are done, the last seen value may be out of
        # date.
        self._under_way: Dict[str, int] = {}
        # Cache for the JSON of long old values: a thousand writes to a large array must not encode
        # it a thousand times.  Read and replaced in one step each, so it needs no lock.
        self._long: Dict[str, Tuple[DataValue, str]] = {}
        # Of the log's thread: the last reported problem.
        self._not_renamed: Dict[str, Optional[str]] = {}
        # A daemon, because a disk may never answer; stop() joins it.
        self._thread = threading.Thread(target=self._run, name="opcws-audit", daemon=True)

    # --- any thread -----------------------------------------------------------------------------

    def attach(self, find: Find) -> None:
        self._find = find

    def start(self) -> None:
        self._thread.start()
        with self._lock:
            self._progress.wait_for(
                lambda: self._opened or self._failure is not None, self._settings.timeout_s
            )
            failure = self._failure
        if failure is not None and self._settings.required:
            self.stop(Deadline(1.0))
            raise ConfigError(
                "audit.file: cannot write %s: %s; correct the path or the rights, or set "
                "'required: false' to write without a record" % (self._settings.file, failure)
            )

    def stop(self, deadline: Deadline) -> None:
        with self._lock:
            self._stopping = True
            self._arrived.notify_all()
            self._progress.notify_all()
        if self._thread.ident is not None:
            self._thread.join(deadline.remaining())
        with self._lock:
            left = len(self._queue)
        if left:
            log.error("audit log: %d lines could not be written before opcws stopped", left)

    def status(self) -> Mapping[str, Any]:
        """``State`` is ``good`` or ``failing``; ``Waiting`` lines are not written yet, ``Lost``
        ones never will be."""
        with self._lock:
            trouble = self._trouble()
            status: Dict[str, Any] = {
                "File": self._settings.file,
                "RefusedFile": self._refused_file.path,
                "Required": self._settings.required,
                "State": "good" if trouble is None else "failing",
                "Since": self._since,
                "Written": self._written,
                "Waiting": len(self._queue),
                "Lost": self._lost_in_all,
            }
        if trouble is not None:
            status["Reason"] = trouble
        return status

    @property
    def threads(self) -> List[threading.Thread]:
        return [self._thread]

    # --- connection threads ---------------------------------------------------------------------

    def refused(self, client: Client, name: Any, value: Any, problem: Exception) -> None:
        if not isinstance(problem, AuditUnavailable) and self._unsummed(client, [name], problem):
            self._put_refused(client, [self._refusal(client, name, value, problem)])

    def refused_request(self, client: Client, body: Any, problem: Exception) -> None:
        if isinstance(problem, AuditUnavailable):
            return
        listed = body.get("Writes") if isinstance(body, dict) else None
        items = [
            item if isinstance(item, dict) else {"Value": item}
            for item in (listed if isinstance(listed, list) and listed else [body])
        ]
        number = self._unsummed(client, [each.get("Variable") for each in items], problem)
        lines = [
            self._refusal(client, each.get("Variable"), each.get("Value"), problem)
            for each in items[:number]
        ]
        self._put_refused(client, lines)

    def write(
        self, client: Client, plant: Plant, writes: Sequence[Tuple[Write, Any]], done: WriteDone
    ) -> None:
        names = [write.variable.name for write, _value in writes]
        known = []
        with self._lock:
            for name in names:
                known.append(name not in self._under_way)
                self._under_way[name] = self._under_way.get(name, 0) + 1
        heads = [
            self._head(client, write.variable.name, value, (write.variable, plant), first)
            for (write, value), first in zip(writes, known)
        ]
        if self._settings.required:
            client.flush()  # an answered request does not wait for the disk
            try:
                self._on_record(client, heads)
            except AuditUnavailable:
                self._no_more_under_way(names)
                raise

        def take(results: List[WriteResult]) -> Optional[Wake]:
            lines = [_line("result", head, result) for head, result in zip(heads, results)]
            self._no_more_under_way(names)
            self._put(lines, self._file, promised=self._settings.required)
            return done(results)

        super().write(client, plant, writes, take)

    def _no_more_under_way(self, names: Sequence[str]) -> None:
        with self._lock:
            for name in names:
                self._under_way[name] -= 1
                if not self._under_way[name]:
                    del self._under_way[name]

    def _on_record(self, client: Client, heads: Sequence[str]) -> None:
        """Wait until the intents are written; if they cannot be, refuse the writes, with lines
        too."""
        too_slow = False
        trouble: Optional[str] = None
        deadline = Deadline(self._settings.timeout_s)
        with self._lock:
            mine = self._accepted
            for begin in range(0, len(heads), SLICE):
                self._wait_for_room(MAX_WAITING, deadline)
                trouble = self._trouble()
                if trouble is not None:
                    break
                lines = [_line("intent", head) for head in heads[begin : begin + SLICE]]
                self._queue.extend((self._file, line) for line in lines)
                mine = self._accepted = self._accepted + len(lines)
                self._arrived.notify()
            while self._written < mine and trouble is None:
                if deadline.expired:
                    trouble = _TOO_SLOW % self._settings.timeout_s
                    too_slow, self._slow_told = not self._slow_told, True
                    self._since = _now() if too_slow else self._since
                else:
                    self._progress.wait(deadline.remaining())
                    trouble = self._failure if self._written < mine else None
        if too_slow:
            log.error("audit log: %s: %s", self._settings.file, trouble)
        if trouble is not None:
            problem = AuditUnavailable(
                "the audit log cannot be written (%s), and opcws writes nothing to the plant "
                "without it; make room on its disk or correct its rights, or set audit.required: "
                "false" % trouble
            )
            number = self._unsummed(client, [None] * len(heads), problem)
            self._put_refused(client, [_line("refused", head, problem) for head in heads[:number]])
            raise problem

    def _unsummed(self, client: Client, names: Sequence[Any], problem: Exception) -> int:
        """How many of the refused writes of *client* to *names* get a line of their own, from the
        first on; the others are counted."""
        who = client.peer.rpartition(":")[0], client.identity
        with self._lock:
            flood = self._floods.get(who)
            if flood is not None and time.monotonic() - flood.began >= FLOOD_S:
                self._sum_up(who)
                flood = None
            if flood is None:
                head = '"peer":%s,"identity":%s' % (quote(who[0]), quote(who[1]))
                if len(self._floods) >= MAX_FLOODS:
                    who, head = ("", ""), '"peer":"others"'
                    flood = self._floods.get(who)
                if flood is None:
                    flood = self._floods[who] = _Flood(head)
            number = max(0, min(len(names), FLOOD_LINES - flood.lines))
            flood.lines += number
            if number < len(names):
                flood.left_out += len(names) - number
                status = problem.status if isinstance(problem, OpcwsError) else "BadInternalError"
                flood.last = names[-1], status
                self._arrived.notify()
            return number

    def _put_refused(self, client: Client, lines: Sequence[bytes]) -> None:
        """Queue *lines* about refused writes of *client*; waits for room."""
        deadline = Deadline(self._settings.timeout_s)
        if len(self._queue) >= MAX_WAITING // 2:
            client.flush()  # an answered request does not wait
        for begin in range(0, len(lines), SLICE):
            with self._lock:
                self._wait_for_room(MAX_WAITING // 2, deadline)
            self._put(lines[begin : begin + SLICE], self._refused_file)

    # --- under the lock -------------------------------------------------------------------------

    def _trouble(self) -> Optional[str]:
        """Why no line will be written soon, if so."""
        trouble = self._trouble_with_disk()
        if trouble is None and len(self._queue) >= MAX_WAITING:
            trouble = "%d lines wait to be written" % len(self._queue)
        return trouble

    def _trouble_with_disk(self) -> Optional[str]:
        if self._failure is not None:
            return self._failure
        gone = self._at_the_disk
        if gone is not None and time.monotonic() - gone > self._settings.timeout_s:
            return _TOO_SLOW % self._settings.timeout_s
        return None

    def _wait_for_room(self, bound: int, deadline: Deadline) -> None:
        """Wait until fewer than *bound* lines wait; at most until *deadline*, and not while the
        disk fails."""
        while len(self._queue) >= bound and not self._stopping and not deadline.expired:
            if self._trouble_with_disk() is not None:
                return
            self._progress.wait(deadline.remaining())

    def _sum_up(self, who: Tuple[str, str]) -> None:
        """Start a new count of the refused writes of *who*, after a line with the old count.  There
        are few such lines, so they may exceed the bound."""
        flood = self._floods.pop(who)
        if flood.left_out:
            self._queue.append((self._refused_file, flood.line()))
            self._accepted += 1

    # --- any thread -----------------------------------------------------------------------------

    def _put(self, lines: Sequence[bytes], file: AuditFile, promised: bool = False) -> None:
        """Queue *lines* for *file*, or count them if there is no room and they are not
        *promised*."""
        with self._lock:
            if len(self._queue) < MAX_WAITING or promised:
                self._queue.extend((file, line) for line in lines)
                self._accepted += len(lines)
                self._arrived.notify()
                return
            if not self._lost:
                self._lost_since = _now()
            self._lost += len(lines)
            self._lost_in_all += len(lines)

    # --- lines ----------------------------------------------------------------------------------

    def _refusal(self, client: Client, name: Any, value: Any, problem: Exception) -> bytes:
        found, unchanged = None, False
        # If the variable does not exist for the client, the line has the name from the request: to
        # look it up would take time, which could reveal whether it exists for others.
        if isinstance(name, str) and roles.visible(client.role, name):
            found = self._find(name)
            with self._lock:
                unchanged = name not in self._under_way
        return _line("refused", self._head(client, name, value, found, unchanged), problem)

    def _head(self, client: Client, name: Any, value: Any, found: Found, with_old: bool) -> str:
        """The members of every line of a write: who, from where, what.  The old value only
        *with_old*, because another write may have changed it."""
        members = ['"id":"%s-%d"' % (self._run_id, next(self._numbers))]
        members.append('"connection":%s,"peer":%s' % (quote(client.name), quote(client.peer)))
        members.append(
            '"identity":%s,"role":%s' % (quote(client.identity), quote(client.role.name))
        )
        if found is not None:
            variable, plant = found
            members.append('"server":' + quote(variable.server))
            members.append('"variable":' + quote(variable.name))
            members.append('"node":' + quote(variable.node_text))
            old = self._old(variable.name, plant) if with_old else None
            if old is not None:
                members.append(old)
        elif name is not None:
            text = name if isinstance(name, str) else _json(name)
            members.append('"variable":' + quote(text[:MAX_NAME]))
        members.append(_bounded("new", _json(value)))
        return ",".join(members)

    def _old(self, name: str, plant: Plant) -> Optional[str]:
        """The member with the old value: the last one that the relay has of the variable *name*."""
        known = plant.relay.latest(name, float("inf"))
        if known is None or known.value is None:
            return None
        kept = self._long.get(name)
        if kept is not None and kept[0] is known:
            return kept[1]
        try:
            text = values_to_json.value_text(known.value, plant.namespaces, values_to_json.TYPED)
        except Exception:  # an old value that cannot be encoded is no reason to refuse the write
            log.exception("audit log: a defect while writing the old value of %s as JSON", name)
            return None
        member = _bounded("old", text)
        if len(text) > MAX_VALUE:
            self._long[name] = (known, member)
        return member

    # --- opcws-audit ----------------------------------------------------------------------------

    def _run(self) -> None:
        batch: Optional[List[Tuple[AuditFile, bytes]]] = []
        while batch is not None:
            self._write(batch)
            batch = self._next()
        self._file.close()
        self._refused_file.close()

    def _next(self) -> Optional[List[Tuple[AuditFile, bytes]]]:
        """Wait for lines, or for the time to try again; None at the end."""
        with self._lock:
            if self._failure is not None:
                self._arrived.wait_for(lambda: self._stopping, RETRY_S)
                if self._stopping:
                    return None
            else:
                while not (self._queue or self._lost or self._stopping):
                    self._arrived.wait(self._until_a_flood_ends())
                    self._sum_up_old_floods()
            self._sum_up_old_floods()
            if self._lost and len(self._queue) < MAX_WAITING:
                self._queue.append((self._file, _lost_line(self._lost, self._lost_since)))
                self._accepted += 1
                self._lost = 0
            if self._stopping and not self._queue:
                return None
            return list(itertools.islice(self._queue, BATCH))

    def _until_a_flood_ends(self) -> Optional[float]:
        if not self._floods:
            return None
        return max(
            0.0, min(each.began for each in self._floods.values()) + FLOOD_S - time.monotonic()
        )

    def _sum_up_old_floods(self) -> None:
        old = time.monotonic() - FLOOD_S
        for who in [
            who for who, each in self._floods.items() if each.began <= old or self._stopping
        ]:
            self._sum_up(who)

    def _write(self, batch: Sequence[Tuple[AuditFile, bytes]]) -> None:
        """Write *batch*; written lines leave the queue.  Opens the file even if *batch* is
        empty."""
        done = 0
        trouble = None
        with self._lock:
            self._at_the_disk = time.monotonic()
        try:
            self._file.open()
            for file, line in batch:
                file.append(line)
                done += 1
            self._file.settle()
            self._refused_file.settle()
        except OSError as error:
            trouble = error.strerror or str(error)
            if done < len(batch) and batch[done][0] is self._refused_file:
                trouble += " (%s)" % self._refused_file.path
        except Exception:  # the next attempt may succeed
            log.exception("audit log: a defect")
            trouble = DEFECT
        if trouble is not None and self._settings.sync:
            done = 0  # unsettled lines may be lost; better twice than never
        with self._lock:
            self._at_the_disk = None
            for _ in range(done):
                self._queue.popleft()
            self._written += done
            before, self._failure = self._failure, trouble
            well_again = trouble is None and (before is not None or self._slow_told)
            if well_again or (before is None and trouble is not None):
                self._since = _now()
            if trouble is None:
                self._opened = True
                self._slow_told = False
            self._progress.notify_all()
        if trouble is not None and trouble != before:
            log.error(
                "audit log: cannot write %s: %s; %s until it can be",
                self._settings.file,
                trouble,
                "writes are refused" if self._settings.required else "writes go on without it",
            )
        if well_again:
            log.warning("audit log: %s can be written again", self._settings.file)
        self._tell_of_renaming()

    def _tell_of_renaming(self) -> None:
        for file in (self._file, self._refused_file):
            problem = file.not_renamed
            if problem is not None and problem != self._not_renamed.get(file.path):
                log.warning(
                    "audit log: %s is full and cannot be renamed: %s; it keeps growing",
                    file.path,
                    problem,
                )
            self._not_renamed[file.path] = problem


_TOO_SLOW = "the disk takes longer than %g s"


def _now() -> str:
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%03dZ" % milliseconds


def _line(event: str, head: str, problem: Any = 0) -> bytes:
    """One line; *problem* is an exception, or the status of an executed write."""
    text = '{"time":"%s","event":"%s",%s' % (_now(), event, head)
    if event != "intent":
        reason = None
        if isinstance(problem, int):
            status, code = status_codes.name(problem), problem
        else:
            status, reason = "BadInternalError", DEFECT
            if isinstance(problem, OpcwsError):
                status, reason = problem.status, problem.reason
            code = status_codes.CODES.get(status, 0x80000000)
        text += ',"status":"%s","code":%d' % (status, code)
        if reason is not None:
            text += ',"reason":' + quote(reason)
    return (text + "}\n").encode("ascii")


def _lost_line(number: int, since: str) -> bytes:
    return b'{"time":"%s","event":"lost","since":"%s","lines":%d}\n' % (
        _now().encode("ascii"),
        since.encode("ascii"),
        number,
    )


def _bounded(member: str, text: str) -> str:
    """The member with the JSON *text*, or with its beginning."""
    if len(text) <= MAX_VALUE:
        return '"%s":%s' % (member, text)
    return '"%s_begins":%s,"%s_length":%d' % (member, quote(text[:MAX_VALUE]), member, len(text))


def _json(value: Any) -> str:
    """A value of a client's message as JSON again."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:  # 1e999 is valid JSON, but not a finite float
        return messages.json_text(value, values_to_json.TYPED)
