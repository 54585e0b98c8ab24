"""The monitored variables of one OPC UA server: last values, monitors, encoding once, fan-out.

Rules:

* Only the relay's own thread touches its tables; other threads send it commands.  So the fan-out
  takes no lock except that of each client's outbox.
* One monitored item per variable on the OPC UA server, however many monitors: the first start
  creates it, the last stop deletes it.
* The relay knows what to monitor, and this survives connections.  For every new generation of the
  link it creates all items again, and ignores what an older generation still delivers.
* A value becomes JSON and a frame once per distinct (ClientHandle, dialect); all monitors in that
  group get the same bytes.  No object is made of it on the way (:mod:`opcws.wire.notifications`).
* The updates of one command for a client are gathered and handed over in one piece, and sent from
  here if nothing waits before them.  So a client costs one ``send`` per round, however many updates
  the round brings.
* A client pays for its own monitors: if it has very many additional monitors of a variable, some of
  them get their update after each round, one client at a time
  (:class:`opcws.gateway.monitor.Extras`).  While the relay is behind, a value only for clients with
  very many monitors waits until there is time, and the latest replaces it, with Overflow.
* A monitor that wants missed values gets them first; live values wait meanwhile
  (:class:`opcws.gateway.monitor.CatchUp`).  A monitor that got a value read from the server,
  because the item may still report one from before a write, joins the others at the first value
  that is not older (:class:`opcws.gateway.monitor.Ahead`).
* A recorded or published variable always has an item, monitored or not; its receiver gets every
  value, and every loss, once and in order.
* Nothing here blocks: outboxes are bounded, sockets are written without waiting.

Threads: the methods under "any thread" and the commands (:func:`_command`) only queue a command or
read one attribute; the rest runs on ``opcws-relay-NAME``.
"""

import heapq
import itertools
import logging
import queue
import threading
import time
from collections import defaultdict, deque
from functools import partial, wraps
from typing import (
    Any,
    Callable,
    Collection,
    DefaultDict,
    Deque,
    Dict,
    FrozenSet,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
    TypeVar,
    cast,
)

from ..model import status_codes
from ..model.clock import utc_ticks
from ..model.data_types import DataValue
from ..wire import messages, notifications, values_to_json
from ..wire.frames import text_frame
from ..wire.notifications import Notification, Origin, overflowed
from .monitor import Ahead, CatchUp, Extras, Group, Missed, Monitor, MonitoredVariable
from .outbox import Outbox, Subject, Update
from .value_source import Created, Present, Source

log = logging.getLogger(__name__)

#: Most commands before their clients are woken.
ROUND = 64
#: Most additional monitors of one client that get an update before the next commands.
TURN = 256
#: Longest wait in seconds: MinInterval may be longer than a lock can wait.
LONGEST_WAIT_S = 3600.0
#: From how many monitors on a client has "very many", and after how many seconds of waiting for a
#: message the relay is "behind".
MANY_MONITORS = 1000
BEHIND_S = 0.2
#: Most bytes of frames of one value before they are put into the outboxes, which bound them.  A
#: value with few handles makes no more bytes than its message had.
GATHER_BYTES = 4 * 1024 * 1024
FEW_HANDLES = 16

Names = FrozenSet[str]
BAD_NOT_CONNECTED = status_codes.code("BadNotConnected")
LAST_USABLE = status_codes.code("UncertainLastUsableValue")

#: A value of one variable with the receiver's key.
Recorded = Tuple[Any, Notification]
Take = Callable[[List[Recorded]], None]

_Method = TypeVar("_Method", bound=Callable[..., None])


def _command(method: _Method) -> _Method:
    """Any thread may call *method*; it runs later, on the relay's thread."""

    @wraps(method)
    def send(relay: "Relay", *args: Any, **named: Any) -> None:
        relay._commands.put(partial(method, relay, *args, **named))

    return cast(_Method, send)


class Relay:
    """The relay of the OPC UA server *name* with *configured* variables.  Refused variables are
    tried again every *retry_s* seconds."""

    def __init__(
        self, name: str, source: Source, configured: int = 0, retry_s: float = 30.0
    ) -> None:
        self.name = name
        self._source = source
        self._configured = configured
        self._retry_s = retry_s
        self._retrying = False
        # The monitored variables, and the refused ones with status and reason.  Changed by the
        # relay's thread, read by any, each in one step.
        self._active: Set[str] = set()
        self._refused: Dict[str, Tuple[str, str]] = {}
        self._failed = 0
        # The commands, in order; bounded by their senders: requests in flight, and publish bodies,
        # which the link holds back while too many wait here.
        self._commands: "queue.SimpleQueue[Optional[Callable[[], None]]]" = queue.SimpleQueue()
        self._own_thread = threading.Thread(
            target=self._run, name="opcws-relay-" + name, daemon=True
        )
        self._items: Dict[str, MonitoredVariable] = {}
        self._by_handle: Dict[int, MonitoredVariable] = {}
        self._handles = itertools.count(1)
        self._link: Any = None
        self._first_batch: Optional[Tuple[int, Callable[[], None]]] = None
        self._namespaces: Sequence[str] = ()
        self._reason = "not connected to the OPC UA server yet"
        # The updates of the present command for each client, and the clients with queued updates of
        # earlier commands.
        self._gathered: DefaultDict[Outbox, List[Update]] = defaultdict(list)
        self._queued: Set[Outbox] = set()
        self._timer: List[Tuple[float, int, Optional[Monitor]]] = []
        # Most entries of the timer whose monitor has ended.
        self._stale = 0
        self._order = itertools.count()
        # Extras with a waiting value, in the order of their turns.
        self._turns: Deque[Extras] = deque()
        # Monitors by client, and the clients with very many.
        self._numbers: Dict[Outbox, int] = {}
        self._greedy: Set[Outbox] = set()
        # Groups with a value that waits until there is time.
        self._late: Deque[Tuple[MonitoredVariable, Group]] = deque()
        # Monitors that want the values missed without a link; those that began without one, with
        # the time from which they miss values; and all that wait until the server can be asked.
        self._backfilled: Dict[Monitor, None] = {}
        self._awaited: Dict[Monitor, int] = {}
        self._restored: List[Tuple[MonitoredVariable, CatchUp]] = []
        # The values of the present command for each receiver of every value.
        self._recorded: DefaultDict[Take, List[Recorded]] = defaultdict(list)
        self._listeners: Dict[Outbox, Tuple[Subject, str, bool]] = {}
        self._status: Optional[Tuple[str, str, Optional[str], Optional[str]]] = None
        #: Number of values from the plant, and of the updates made from them, including those that
        #: MinInterval holds back or a full outbox collapses.
        self.values = 0
        self.updates = 0

    # --- any thread -----------------------------------------------------------------------------

    def start(self) -> None:
        # A daemon, so that a thread stuck in a defect cannot keep the process alive; stop() joins
        # it.
        self._own_thread.start()

    def stop(self, timeout: float) -> None:
        """End the thread; bounded by *timeout* seconds."""
        self._commands.put(None)
        self._own_thread.join(timeout)

    @property
    def threads(self) -> List[threading.Thread]:
        """The threads that must live."""
        return [self._own_thread]

    @property
    def backlog(self) -> int:
        """Commands that wait."""
        return self._commands.qsize()

    def catch_up(self, timeout: float) -> None:
        """Wait until every command sent so far has run, at most *timeout* seconds."""
        reached = threading.Event()
        self._commands.put(reached.set)
        reached.wait(timeout)

    def published(self, link: Any, body: Any, done: Callable[[], None]) -> None:
        """Relay a publish body that came on *link*; then call *done*."""
        # The time of arrival: a write that is answered while the body waits here makes its values
        # outdated.
        self._commands.put(partial(self._publish, link, body, time.monotonic(), done))

    def recount(self, link: Any) -> None:
        """The source's failures on *link* may have changed."""
        self._commands.put(partial(self._recount, link))

    def health(self) -> messages.Health:
        """The state of the variables."""
        link = self._link
        failed: Dict[str, Tuple[str, str]] = {}
        if link is not None:
            failed.update(self._source.failures(link))
            failed.update(dict(self._refused))
            # A variable whose values come works, whatever the source says.
            for name in failed.keys() & self._active.copy():
                del failed[name]
        return messages.Health(self._configured, len(self._active), failed)

    def latest(self, variable: str, max_age: float, behind: float = 0.0) -> Optional[DataValue]:
        """The last monitored value, if it came at most *max_age* seconds ago, and later than
        *behind*, the moment of the last write by opcws."""
        item = self._items.get(variable)
        last = None if item is None else item.last
        if item is None or last is None:
            return None
        layout, row, origin = last
        if origin.arrived <= max(behind, item.outdated):
            return None
        if time.monotonic() - origin.arrived > max_age:
            return None
        return layout.data_value(row)

    def last(self, variable: str) -> Optional[Notification]:
        """The last value of the item of *variable*, if there is one."""
        item = self._items.get(variable)
        last = None if item is None else item.last
        if item is None or last is None or variable not in self._active:
            return None
        return last if last[2].arrived > item.outdated else None

    @property
    def _is_connected(self) -> bool:
        return self._status is not None and self._status[0] == "connected"

    def is_active(self, variable: str) -> bool:
        """Whether the OPC UA server has an item of *variable*."""
        return variable in self._active

    # --- the relay's thread ---------------------------------------------------------------------

    def _run(self) -> None:
        commands = self._commands
        while True:
            try:
                command = commands.get(timeout=self._until_timer())
                for _ in range(ROUND - 1):
                    if command is None:
                        return
                    self._perform(command)
                    command = commands.get_nowait()
                    self._queue()
                if command is None:
                    return
                self._perform(command)
            except queue.Empty:
                pass
            command = None  # must not keep a client in memory while this thread waits
            self._perform(self._expire)
            if self._turns:
                self._perform(self._take_turn)
            if self._late:
                self._perform(self._tell_some_late)
            self._deliver()

    def _queue(self) -> None:
        """Put the gathered updates into the outboxes, which bound them; more will follow."""
        if self._gathered:
            gathered, self._gathered = self._gathered, defaultdict(list)
            self._queued.update(gathered)
            for outbox, updates in gathered.items():
                outbox.put_updates(updates)
        if self._recorded:
            self._hand_over()

    def _deliver(self) -> None:
        """Send the gathered updates, and those queued before; then record, so that no client gets a
        value from history before the live one."""
        gathered, self._gathered = self._gathered, defaultdict(list)
        queued, self._queued = self._queued, set()
        for outbox, updates in gathered.items():
            try:
                outbox.deliver(updates)
            except Exception:
                log.exception("%s: a defect in one client's connection", self.name)
        for outbox in queued.difference(gathered):
            self._perform(outbox.wake)
        if self._recorded:
            self._perform(self._hand_over)

    def _perform(self, command: Callable[[], None]) -> None:
        try:
            command()
        except Exception:
            log.exception("%s: a defect in the relay; this command is skipped", self.name)

    def _until_timer(self) -> Optional[float]:
        if self._turns or self._late:
            return 0.0
        if not self._timer:
            return None
        return min(max(0.0, self._timer[0][0] - time.monotonic()), LONGEST_WAIT_S)

    @_command
    def begin(self, monitor: Monitor, present: Optional[Present] = None) -> None:
        """Start *monitor*: the present value at once, then every change.  The present value is
        *present* if the item may still report older ones."""
        if not monitor.active:
            return  # another thread ended it before it began
        item = self._items.get(monitor.variable)
        if item is None:
            item = self._items[monitor.variable] = MonitoredVariable(monitor.variable)
            if self._link is not None:
                self._create([item], monitor.outbox)
            else:
                item.update = self._not_connected(item)
        number = self._numbers[monitor.outbox] = self._numbers.get(monitor.outbox, 0) + 1
        if number > MANY_MONITORS:
            self._greedy.add(monitor.outbox)
        past = monitor.past
        if past is not None and past.backfill:
            self._backfilled[monitor] = None
        if past is not None and past.since is not None:
            since, past.since = past.since, None  # once
            if self._link is not None or not past.needs_server:
                catch_up = CatchUp(since)
                catch_up.monitors[monitor] = None
                item.catching_up.append(catch_up)
                if item.update is not None:
                    catch_up.hold(item.update)
                if self._is_connected or not past.needs_server:
                    self._ask(item, catch_up)
                else:
                    self._restored.append((item, catch_up))
                return
            self._awaited[monitor] = since
        if present is not None and present.link is self._link:
            self._begin_ahead(item, monitor, present)
            return
        self._join(item, monitor)
        if item.update is not None:
            self._send(monitor, item.update, monitor.frame(item.update))

    def _join(self, item: MonitoredVariable, monitor: Monitor) -> None:
        """From now on *monitor* gets every change of *item*."""
        if monitor.extra:
            extras = item.extras.setdefault(monitor.outbox, Extras())
            extras.monitors[monitor] = extras.number
            return
        key = (type(monitor.handle), monitor.handle, monitor.dialect)
        group = item.groups.get(key)
        if group is None:
            prefix = messages.update_prefix(monitor.handle, monitor.variable, monitor.dialect)
            group = item.groups[key] = Group(prefix, monitor.dialect)
        elif group.late is not None:
            self._tell_late(item, group)
        group.monitors[monitor] = None

    @_command
    def end(self, monitors: Sequence[Monitor]) -> None:
        """Stop *monitors*; the caller has withdrawn them from their outbox already."""
        unused: List[Tuple[int, int]] = []
        for monitor in monitors:
            if monitor.queued:
                monitor.queued = False
                self._stale += 1
            item = self._items.get(monitor.variable)
            if item is None or not self._remove(item, monitor) or item.wanted:
                continue
            del self._items[item.variable]
            self._let_go(item, unused)
        if unused and self._link is not None:
            self._source.delete(self._link, unused)
        if self._stale * 2 > len(self._timer):
            # In the timer a monitor would keep its client in memory until it is due.
            self._timer = [each for each in self._timer if each[2] is None or each[2].queued]
            heapq.heapify(self._timer)
            self._stale = 0

    def _remove(self, item: MonitoredVariable, monitor: Monitor) -> bool:
        """Whether *monitor* was one of *item*."""
        if not self._leave(item, monitor) and not self._give_up(item, monitor):
            return False
        self._backfilled.pop(monitor, None)
        self._awaited.pop(monitor, None)
        number = self._numbers[monitor.outbox] = self._numbers[monitor.outbox] - 1
        if number <= MANY_MONITORS:
            self._greedy.discard(monitor.outbox)
        if not number:
            del self._numbers[monitor.outbox]
        return True

    def _leave(self, item: MonitoredVariable, monitor: Monitor) -> bool:
        """The opposite of :meth:`_join`; returns whether *monitor* got the changes of *item*."""
        if monitor.extra:
            extras = item.extras.get(monitor.outbox)
            if extras is None or extras.monitors.pop(monitor, None) is None:
                return False
            if not extras.monitors:
                del item.extras[monitor.outbox]
            return True
        key = (type(monitor.handle), monitor.handle, monitor.dialect)
        group = item.groups.get(key)
        if group is None or monitor not in group.monitors:
            return False
        del group.monitors[monitor]
        if not group.monitors:
            del item.groups[key]
        return True

    # --- what a monitor missed ------------------------------------------------------------------

    def _ask(self, item: MonitoredVariable, catch_up: CatchUp) -> None:
        """Start reading the past of *catch_up*."""
        self._hand_over()  # so that it ends where the held values begin
        catch_up.asked = next(iter(catch_up.monitors))
        assert catch_up.asked.past is not None
        catch_up.give_up()
        take = partial(self._caught_up, item, catch_up)
        catch_up.give_up = catch_up.asked.past.fetch(catch_up.since, take)

    @_command
    def _caught_up(self, item: MonitoredVariable, catch_up: CatchUp, missed: Missed) -> None:
        if catch_up in item.catching_up and not catch_up.found:
            self._take_past(item, catch_up, missed)
        else:
            missed.forget()

    def _take_past(self, item: MonitoredVariable, catch_up: CatchUp, missed: Missed) -> None:
        """Send the monitors of *catch_up* the missed values, and then the held ones."""
        catch_up.missed = missed
        for update in catch_up.held[:1]:
            self._tell_caught_up(item, catch_up, update)
        for update in catch_up.held[1:]:
            for monitor in catch_up.monitors:
                self._tell(monitor, update)
        catch_up.held.clear()

    def _tell_past(self, catch_up: CatchUp, missed: Missed) -> None:
        if not missed.values:
            return
        self._queue()  # the gathered updates come first
        for monitor in catch_up.monitors:
            assert monitor.past is not None
            monitor.past.put(monitor, missed)
            self._queued.add(monitor.outbox)

    def _tell_caught_up(
        self, item: MonitoredVariable, catch_up: CatchUp, update: Notification
    ) -> None:
        """Send *update* to the monitors of *catch_up*; when no past values can come any more they
        become normal monitors."""
        past, live = catch_up.next(update)
        if past is not None:
            self._tell_past(catch_up, past)
        if live is not None:
            for monitor in catch_up.monitors:
                self._tell(monitor, live)
        if catch_up.over and catch_up in item.catching_up:
            item.catching_up.remove(catch_up)
            catch_up.forget()
            for monitor in catch_up.monitors:
                self._join(item, monitor)
        elif isinstance(catch_up, Ahead) and catch_up.doubt and not catch_up.asking:
            catch_up.asking = True
            self._judge(item, catch_up)

    def _give_up(self, item: MonitoredVariable, monitor: Monitor) -> bool:
        """Whether *monitor* still waited for missed values."""
        for catch_up in item.catching_up:
            if monitor not in catch_up.monitors:
                continue
            del catch_up.monitors[monitor]
            if not catch_up.monitors:
                item.catching_up.remove(catch_up)
                catch_up.forget()
            elif catch_up.asked is monitor and not catch_up.found:
                self._ask(item, catch_up)  # its client may have left
            return True
        return False

    def _hold(self, item: MonitoredVariable, update: Notification) -> None:
        """*update* is live: hold it for monitors that still wait for missed values."""
        for catch_up in list(item.catching_up):
            if catch_up.found:
                self._tell_caught_up(item, catch_up, update)
            else:
                catch_up.hold(update)

    def _restore(self) -> None:
        """There is a link again, and items are being created: monitors that want it first get the
        values missed since the last one."""
        awaited, self._awaited = self._awaited, {}
        for monitor, since in awaited.items():
            item = self._items[monitor.variable]
            if self._leave(item, monitor):
                catch_up = CatchUp(since, restored=True)
                catch_up.monitors[monitor] = None
                item.catching_up.append(catch_up)
                self._restored.append((item, catch_up))
        for monitor in self._backfilled:
            item = self._items[monitor.variable]
            if item.last is None or not self._leave(item, monitor):
                continue
            for catch_up in item.catching_up:
                if catch_up.restored:
                    break
            else:
                layout, row, _origin = item.last
                catch_up = CatchUp(layout.data_value(row).moment, restored=True)
                item.catching_up.append(catch_up)
                self._restored.append((item, catch_up))
            catch_up.monitors[monitor] = None

    def _ask_restored(self) -> None:
        """Read the pasts of the monitors that waited for the server."""
        restored, self._restored = self._restored, []
        for item, catch_up in restored:
            if catch_up in item.catching_up:
                self._ask(item, catch_up)

    def _dismiss_restored(self) -> None:
        """The link was lost before the pasts could be read."""
        restored, self._restored = self._restored, []
        for item, catch_up in restored:
            if catch_up in item.catching_up:
                self._take_past(item, catch_up, Missed([], (), True))

    # --- what was read because the item may tell older values ------------------------------------

    def _begin_ahead(self, item: MonitoredVariable, monitor: Monitor, present: Present) -> None:
        for ahead in item.catching_up:
            if isinstance(ahead, Ahead) and ahead.present.asked == present.asked:
                ahead.monitors[monitor] = None
                self._tell(monitor, self._read(item, ahead.present))
                return
        ahead = Ahead(present)
        ahead.monitors[monitor] = None
        item.catching_up.append(ahead)
        self._tell(monitor, self._read(item, present))
        if item.last is not None and item.last[2].arrived >= present.asked:
            self._tell_caught_up(item, ahead, item.last)

    def _read(self, item: MonitoredVariable, present: Present) -> Notification:
        change = notifications.generic(item.handle, present.value)
        return (*change, Origin(self._namespaces, present.asked))

    @_command
    def _judge(self, item: MonitoredVariable, ahead: Ahead) -> None:
        """Read the variable again, unless a newer value has come meanwhile."""
        if ahead in item.catching_up:
            self._source.read(item.variable)

    @_command
    def was_read(self, variable: str, present: Present) -> None:
        """The answer to the source's ``read``."""
        item = self._items.get(variable)
        if item is None or present.link is not self._link:
            return
        for ahead in item.catching_up:
            if not isinstance(ahead, Ahead) or not ahead.asking:
                continue
            if ahead.renew(present):
                for monitor in ahead.monitors:
                    self._tell(monitor, self._read(item, present))
            if ahead.doubt:  # more came
                self._source.read(variable)
            else:
                ahead.asking = False

    # --- what is recorded or published ----------------------------------------------------------

    @_command
    def record(self, series: Mapping[str, Any], take: Take) -> None:
        """From now on pass every value of the variables in *series*, with their keys, to *take*,
        which must not block.  Values that were passed with the same key are not passed again."""
        self._hand_over()
        unused: List[Tuple[int, int]] = []
        for item in [each for each in self._items.values() if take in each.takers]:
            if item.variable not in series:
                del item.takers[take]
            if not item.wanted:
                del self._items[item.variable]
                self._let_go(item, unused)
        made: List[MonitoredVariable] = []
        for name, under in series.items():
            known = self._items.get(name)
            if known is None:
                known = self._items[name] = MonitoredVariable(name)
                made.append(known)
            if known.takers.get(take) is under:
                continue
            known.takers[take] = under
            if self._link is None:
                known.update = self._not_connected(known)
                self._recorded[take].append((under, self._loss(known)))
            elif known.update is not None:
                self._recorded[take].append((under, known.update))
        if self._link is not None:
            if made:
                self._create(made)
            if unused:
                self._source.delete(self._link, unused)

    def _record(self, item: MonitoredVariable, update: Notification) -> None:
        for take, under in item.takers.items():
            self._recorded[take].append((under, update))

    def _loss(self, item: MonitoredVariable) -> Notification:
        """Record that the value of *item* is unknown from now on."""
        now = utc_ticks()
        value = DataValue(None, BAD_NOT_CONNECTED, now, now)
        return (*notifications.generic(item.handle, value), Origin(self._namespaces))

    def _hand_over(self) -> None:
        if self._recorded:
            recorded, self._recorded = self._recorded, defaultdict(list)
            for take, entries in recorded.items():
                take(entries)

    # --- items ----------------------------------------------------------------------------------

    def _let_go(self, item: MonitoredVariable, unused: List[Tuple[int, int]]) -> None:
        self._by_handle.pop(item.handle, None)
        self._active.discard(item.variable)
        self._refused.pop(item.variable, None)
        if item.item_id is not None:
            unused.append((item.subscription, item.item_id))

    @_command
    def change(self, configured: int, retry_s: float, remade: Names, moved: Names) -> None:
        """The configuration has changed: create the items of the variables *remade* again; forget
        the values of those that *moved* to another node."""
        self._configured, self._retry_s = configured, retry_s
        items = [self._items[name] for name in remade if name in self._items]
        unused: List[Tuple[int, int]] = []
        for item in items:
            self._let_go(item, unused)
            # Changes before the new item begins are missed.
            item.overflowed = self._link is not None and item.last is not None
            if item.variable in moved:
                item.last = None
                item.overflowed = False
                item.update = None if self._link is not None else self._not_connected(item)
        if self._link is None:
            return
        if items:
            self._create(items, keep_updates=True)
            self._source.delete(self._link, unused)
        self._recount(self._link)

    @_command
    def renew(self, variable: str, last: Optional[Notification], lost: bool) -> None:
        """Create the item of *variable* again, if *last* is still its last value, which may be out
        of date; *lost* if a change is known to be missing."""
        item = self._items.get(variable)
        if item is None or self._link is None or (last is not None and item.last != last):
            return
        unused: List[Tuple[int, int]] = []
        self._let_go(item, unused)
        item.outdated = time.monotonic()
        item.overflowed = item.overflowed or lost
        if item.last is not None and last is not None:
            layout, row, origin = item.last
            value = layout.data_value(row)
            if not status_codes.is_bad(value.status):
                value = value._replace(status=LAST_USABLE)
                item.update = (*notifications.generic(item.handle, value), origin)
                self._fan_out(item, item.update)
                if item.takers:
                    self._record(item, item.update)
        self._create([item], keep_updates=True)
        self._source.delete(self._link, unused)

    @_command
    def listen(
        self, outbox: Outbox, dialect: str = values_to_json.TYPED, counts: bool = True
    ) -> None:
        """Send *outbox*, in *dialect*, the present state of the server and its changes, and with
        *counts* those of the number of failed variables."""
        self._listeners[outbox] = (Subject(), dialect, counts)
        self._tell_listeners([outbox])

    def _tell_listeners(self, outboxes: Sequence[Outbox]) -> None:
        if self._status is None:
            return
        health = self.health()
        for outbox in outboxes:
            subject, dialect, counts = self._listeners[outbox]
            told = health if counts else None
            text = messages.server_status(self.name, *self._status, told, dialect)
            self._gathered[outbox].append((subject, text_frame(text), None))

    @_command
    def leave(self, outbox: Outbox) -> None:
        """Stop sending the state to *outbox*."""
        self._listeners.pop(outbox, None)

    @_command
    def status(
        self, state: str, since: str, reason: Optional[str], endpoint: Optional[str] = None
    ) -> None:
        """The server is ``connected``, ``connecting`` or ``disconnected`` *since* then; of a
        redundant set, the one at *endpoint*."""
        self._status = (state, since, reason, endpoint)
        self._tell_listeners(list(self._listeners))
        # A client that did not ask may have no right to see every counted variable.
        frame = text_frame(messages.server_status(self.name, *self._status))
        told: Set[Outbox] = set(self._listeners)
        for item in self._items.values():
            for group in item.groups.values():
                if group.dialect == values_to_json.TYPED:
                    for monitor in group.monitors:
                        if monitor.outbox not in told:
                            told.add(monitor.outbox)
                            self._gathered[monitor.outbox].append((Subject(), frame, None))
            for outbox, extras in item.extras.items():
                if (
                    outbox not in told
                    and next(iter(extras.monitors)).dialect == values_to_json.TYPED
                ):
                    told.add(outbox)
                    self._gathered[outbox].append((Subject(), frame, None))
            for catch_up in item.catching_up:
                for monitor in catch_up.monitors:
                    if monitor.dialect == values_to_json.TYPED and monitor.outbox not in told:
                        told.add(monitor.outbox)
                        self._gathered[monitor.outbox].append((Subject(), frame, None))
        if state == "connected":
            self._ask_restored()

    def _recount(self, link: Any) -> None:
        if link is not self._link or link is None:
            return
        failed = self.health().failed
        if failed:
            self._retry_later()
        if len(failed) == self._failed:
            return
        if len(failed) > self._failed:
            name = next(iter(failed))
            log.warning(
                "%s: %d of %d variables fail and are tried again every %g s; %s: %s",
                self.name,
                len(failed),
                self._configured,
                self._retry_s,
                name,
                failed[name][1],
            )
        self._failed = len(failed)
        self._tell_listeners([outbox for outbox, told in self._listeners.items() if told[2]])

    def _retry_later(self) -> None:
        if not self._retrying:
            self._retrying = True
            due = time.monotonic() + self._retry_s
            heapq.heappush(self._timer, (due, next(self._order), None))

    @_command
    def opened(self, link: Any, ready: Callable[[], None]) -> None:
        """A new generation: create every item on it, then call *ready*, which must not block."""
        self._link = link
        self._namespaces = self._source.namespaces(link)
        self._by_handle.clear()
        items = list(self._items.values())
        if not items:
            ready()
            return
        self._create(items)
        self._first_batch = (items[-1].handle, ready)
        self._restore()

    def _create(
        self,
        items: Sequence[MonitoredVariable],
        line: Optional[Outbox] = None,
        keep_updates: bool = False,
    ) -> None:
        """Create *items*; with *keep_updates* a new monitor gets their last values until the plant
        has answered."""
        for item in items:
            item.handle = next(self._handles)
            item.item_id = None
            if not keep_updates:
                item.update = None
            self._active.discard(item.variable)
            self._by_handle[item.handle] = item
        self._source.create(self._link, [(item.variable, item.handle) for item in items], line)

    def monitored(self) -> List[Tuple[str, int]]:
        """Variables and handles of the items; on the relay's thread."""
        return [(item.variable, handle) for handle, item in self._by_handle.items()]

    @_command
    def created(self, link: Any, results: Sequence[Created]) -> None:
        """The answer to the source's ``create``."""
        if link is not self._link:
            return
        unused: List[Tuple[int, int]] = []
        failed = 0
        for created in results:
            item = self._by_handle.get(created.handle)
            if item is None:  # all monitors had stopped before the answer came
                if created.item_id is not None:
                    unused.append((created.subscription, created.item_id))
            elif created.item_id is not None:
                item.item_id, item.subscription = created.item_id, created.subscription
                self._active.add(item.variable)
                self._refused.pop(item.variable, None)
            else:
                failed += 1
                del self._by_handle[created.handle]
                if item.item_id is not None:  # it is left out
                    unused.append((item.subscription, item.item_id))
                    item.item_id = None
                    self._active.discard(item.variable)
                self._refused[item.variable] = created.status, created.reason
                before = item.update
                value = DataValue(None, status_codes.code(created.status))
                origin = Origin(self._namespaces, reason=created.reason)
                item.update = (*notifications.generic(item.handle, value), origin)
                if before is None or before[0].data_value(before[1]) != value:
                    self._fan_out(item, item.update)
                    if item.takers:
                        self._record(item, item.update)
        if unused:
            self._source.delete(link, unused)
        if failed or self._failed:
            self._recount(link)
        if self._first_batch is not None:
            last_handle, ready = self._first_batch
            if any(created.handle == last_handle for created in results):
                self._first_batch = None
                ready()

    @_command
    def lost(self, link: Any, reason: str) -> None:
        """The generation *link* has ended: send this to every monitor."""
        if link is not self._link:
            return
        self._link = None
        self._first_batch = None
        self._reason = reason
        self._by_handle.clear()
        now = time.monotonic()
        self._active.clear()
        self._refused.clear()
        self._failed = 0
        for item in self._items.values():
            item.item_id = None
            item.overflowed = False
            item.outdated = now  # values of this generation do not count for the next
            item.update = self._not_connected(item)
            self._fan_out(item, item.update, at_once=True)
            if item.takers:
                self._record(item, self._loss(item))
        self._dismiss_restored()

    def _not_connected(self, item: MonitoredVariable) -> Notification:
        value, namespaces = DataValue(None), self._namespaces
        if item.last is not None:
            layout, row, origin = item.last
            value, namespaces = layout.data_value(row), origin.namespaces
        change = notifications.generic(item.handle, value._replace(status=BAD_NOT_CONNECTED))
        return (*change, Origin(namespaces, reason=self._reason))

    def _publish(self, link: Any, body: Any, arrived: float, done: Callable[[], None]) -> None:
        try:
            if link is not self._link:
                return
            origin = Origin(self._namespaces, arrived)
            by_handle = self._by_handle
            fan_out: Callable[[MonitoredVariable, Notification], None] = self._fan_out
            if self._late or (
                0 < len(self._greedy) < len(self._numbers) and time.monotonic() - arrived > BEHIND_S
            ):
                fan_out = self._fan_out_behind
            changes = self._source.decode(link, body)
            self.values += len(changes)
            for layout, row in changes:
                item = by_handle.get(row[0])
                if item is None:
                    continue
                item.last = item.update = update = (layout, row, origin)
                if item.overflowed:
                    # Only for present monitors; a later one has missed nothing.
                    item.overflowed = False
                    update = overflowed(update)
                if item.takers:
                    self._record(item, update)
                fan_out(item, update)
        finally:
            done()

    @_command
    def refresh(self, link: Any, values: Sequence[Tuple[int, DataValue]]) -> None:
        """Values of items, by their handles, that were read after :meth:`values_lost`."""
        if link is not self._link:
            return
        origin = Origin(self._namespaces, time.monotonic())
        for handle, value in values:
            item = self._by_handle.get(handle)
            if item is None or not item.overflowed:  # a change came since
                continue
            if item.last is not None:
                layout, row, _origin = item.last
                before = layout.data_value(row)
                if (before.value, before.status) == (value.value, value.status):
                    continue
            item.last = item.update = (*notifications.generic(handle, value), origin)
            item.overflowed = False
            update = overflowed(item.update)
            if item.takers:
                self._record(item, update)
            self._fan_out(item, update)

    @_command
    def values_lost(self, link: Any, subscription: Optional[int] = None) -> None:
        """Values of this subscription of *link*, or of all, are lost: the next value of each
        variable has the Overflow bit."""
        if link is self._link:
            for item in self._items.values():
                # It may be an item whose creation is not reported yet.
                if subscription in (None, item.subscription) or item.item_id is None:
                    item.overflowed = True

    def _fan_out(
        self,
        item: MonitoredVariable,
        update: Notification,
        at_once: bool = False,
        some: Optional[Collection[Group]] = None,
    ) -> None:
        """Send the last value to all monitors of *item*, or of *some* of its groups."""
        if some is None and self._late:
            for group in item.groups.values():
                if group.late is not None:
                    self._tell_late(item, group)
        layout, row, origin = update
        gathered = self._gathered
        written, members = "", ""
        groups = item.groups.values() if some is None else some
        many, made = len(groups) > FEW_HANDLES, 0
        for group in groups:
            if group.dialect != written:
                written = group.dialect
                members = layout.members[written](row, origin)
            frame = text_frame(messages.update(group.prefix, members))
            if many:
                made += len(frame)
                if made > GATHER_BYTES:
                    self._queue()
                    gathered, made = self._gathered, 0
            self.updates += len(group.monitors)
            for monitor in group.monitors:
                if not monitor.min_interval:
                    gathered[monitor.outbox].append((monitor, frame, update))
                elif at_once:
                    monitor.held = None
                    monitor.due = 0.0
                    self._send(monitor, update, frame)
                else:
                    self._send_in_time(monitor, update, frame)
        if some is not None:
            return
        for extras in item.extras.values():
            self._note(extras, update, at_once)
        if item.catching_up:
            self._hold(item, update)

    def _fan_out_behind(self, item: MonitoredVariable, update: Notification) -> None:
        """The same while the relay is behind: values that can wait do."""
        greedy = self._greedy
        some: List[Group] = []
        for group in item.groups.values():
            if not all(monitor.outbox in greedy for monitor in group.monitors):
                if group.late is not None:
                    self._tell_late(item, group)
                some.append(group)
                continue
            group.lost = group.late is not None
            group.late = update
            if not group.queued:
                group.queued = True
                self._late.append((item, group))
        if some:
            self._fan_out(item, update, some=some)
        for extras in item.extras.values():
            self._note(extras, update, False)
        if item.catching_up:
            self._hold(item, update)

    def _tell_late(self, item: MonitoredVariable, group: Group) -> None:
        """Send *group* its waiting value."""
        update, group.late = group.late, None
        assert update is not None
        if group.lost:
            update = overflowed(update)
        self._fan_out(item, update, some=(group,))

    def _tell_some_late(self) -> None:
        for number in range(1, min(TURN, len(self._late)) + 1):
            item, group = self._late.popleft()
            group.queued = False
            if group.late is not None:
                self._tell_late(item, group)
            if number % FEW_HANDLES == 0:
                self._queue()

    def _note(self, extras: Extras, update: Notification, at_once: bool) -> None:
        """Let *extras* get *update*, unless a later one comes first."""
        extras.number += 1
        extras.update = update
        extras.at_once = at_once
        if not extras.queued:
            extras.queued = True
            extras.left = list(extras.monitors)
            extras.left.reverse()
            self._turns.append(extras)

    def _take_turn(self) -> None:
        """Send the value to some monitors whose turn it is."""
        extras = self._turns.popleft()
        left, number, update = extras.left, extras.number, extras.update
        assert update is not None
        flagged = overflowed(update)
        made = 0
        for _ in range(min(TURN, len(left))):
            if made > GATHER_BYTES:
                break
            monitor = left.pop()
            told = extras.monitors.get(monitor)
            if told is None or told == number or not monitor.active:
                continue
            extras.monitors[monitor] = number
            self.updates += 1
            now = update if told == number - 1 else flagged
            in_time = monitor.min_interval and not extras.at_once
            frame = monitor.frame(update if in_time else now)
            made += len(frame)
            if in_time:
                self._send_in_time(monitor, update, frame)
                continue
            monitor.held = None
            self._send(monitor, now, frame)
        if not left:
            # Monitors that have not got the last value.
            left = [each for each, told in extras.monitors.items() if told != number]
            left.reverse()
            extras.left = left
        if left:
            self._turns.append(extras)
        else:
            extras.queued = False

    def _send(self, monitor: Monitor, update: Notification, frame: bytes) -> None:
        self._gathered[monitor.outbox].append((monitor, frame, update))
        if monitor.min_interval:
            monitor.due = time.monotonic() + monitor.min_interval

    def _tell(self, monitor: Monitor, update: Notification) -> None:
        """Send *update* to one monitor, when MinInterval allows it."""
        self.updates += 1
        if monitor.min_interval:
            self._send_in_time(monitor, update, monitor.frame(update))
        else:
            self._send(monitor, update, monitor.frame(update))

    def _send_in_time(self, monitor: Monitor, update: Notification, frame: bytes) -> None:
        if time.monotonic() >= monitor.due:
            self._send(monitor, update, frame)
            return
        monitor.held = update
        if not monitor.queued:
            monitor.queued = True
            heapq.heappush(self._timer, (monitor.due, next(self._order), monitor))

    def _expire(self) -> None:
        now = time.monotonic()
        while self._timer and self._timer[0][0] <= now:
            monitor = heapq.heappop(self._timer)[2]
            if monitor is None:
                self._retry()
                continue
            monitor.queued = False
            if monitor.held is None or not monitor.active:
                continue
            if monitor.due > now:  # an update was sent in between
                monitor.queued = True
                heapq.heappush(self._timer, (monitor.due, next(self._order), monitor))
                continue
            update, monitor.held = monitor.held, None
            self._send(monitor, update, monitor.frame(update))

    def _retry(self) -> None:
        self._retrying = False
        if self._link is None:
            return
        self._source.retry(self._link)
        failed = [item for item in self._items.values() if item.handle not in self._by_handle]
        if failed:
            self._create(failed, keep_updates=True)
