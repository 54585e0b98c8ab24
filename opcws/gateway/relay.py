"""Monitored variables of one OPC UA server: last value, monitors, encode once, fan out.

Rules:

* The relay's own thread is the only one that touches its tables; everybody else sends it a
  command.  So the fan-out takes no lock but that of each client's outbox.
* One monitored item per variable on the OPC UA server, however many monitors: the first start
  creates it, the last stop deletes it.
* What should be monitored is declared here and survives connections.  For every new generation
  of the link all items are created anew; what an older generation still delivers is ignored.
* A value becomes JSON and a frame once per distinct (ClientHandle, dialect); everyone in that
  group gets the same bytes.  No object is made of it on the way (:mod:`opcws.wire.notifications`).
* What a command brings to a client is gathered and handed over in one piece, and sent from here
  if nothing waits before it; so a client costs one ``send`` per round, however many updates the
  round brought.
* One client's monitors are its own cost: of those beside the first of a variable, if it has very
  many, some are told after each round, a client at a time (:class:`opcws.gateway.monitor.Extras`).
  While the relay is behind, a value that concerns none but clients with very many monitors waits
  until there is time, and the latest takes its place, with Overflow.
* A monitor that wants what it missed is told that first; what is live waits for it meanwhile
  (:class:`opcws.gateway.monitor.CatchUp`).  One that was told what was read, since the item may
  still tell what was before a write, joins the others at the first value that is not older
  (:class:`opcws.gateway.monitor.Ahead`).
* What is recorded or published has its item whether anybody monitors it or not; every value of it,
  and every loss, is handed to who takes it once, in order.
* Nothing here blocks: outboxes are bounded, sockets are written without waiting.

Threads: the methods under "any thread" only queue a command or read one attribute, and so do the
commands (:func:`_command`) for whoever calls them; the rest runs on ``opcws-relay-NAME``.
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

#: Commands performed at most before the clients that they concern are woken.
ROUND = 64
#: Monitors of one client told at most before the next commands, where it has very many of one
#: variable.
TURN = 256
#: Seconds of one wait: MinInterval may be longer than a system's lock can wait.
LONGEST_WAIT_S = 3600.0
#: Monitors of one client from which on it has very many; and seconds that a message from the plant
#: has waited here when the relay is behind.
MANY_MONITORS = 1000
BEHIND_S = 0.2
#: Bytes of frames made of one value at most before they are put into the outboxes, which bound
#: them.  Of a value that few handles monitor no more comes than of the message that brought it.
GATHER_BYTES = 4 * 1024 * 1024
FEW_HANDLES = 16

Names = FrozenSet[str]
BAD_NOT_CONNECTED = status_codes.code("BadNotConnected")
LAST_USABLE = status_codes.code("UncertainLastUsableValue")

#: A value of one variable, and under what its taker has it.
Recorded = Tuple[Any, Notification]
Take = Callable[[List[Recorded]], None]

_Method = TypeVar("_Method", bound=Callable[..., None])


def _command(method: _Method) -> _Method:
    """*method* may be called by any thread, and is performed later, on the relay's."""

    @wraps(method)
    def send(relay: "Relay", *args: Any, **named: Any) -> None:
        relay._commands.put(partial(method, relay, *args, **named))

    return cast(_Method, send)


class Relay:
    """The relay of the OPC UA server *name* with *configured* variables.  One that the server
    refuses is asked for again every *retry_s* seconds."""

    def __init__(
        self, name: str, source: Source, configured: int = 0, retry_s: float = 30.0
    ) -> None:
        self.name = name
        self._source = source
        self._configured = configured
        self._retry_s = retry_s
        self._retrying = False
        # Variables that are monitored now, and those that are refused, with status and reason.
        # Changed by the relay's thread, read by any, each in one step.
        self._active: Set[str] = set()
        self._refused: Dict[str, Tuple[str, str]] = {}
        self._failed = 0
        # The commands, in order; bounded by what sends them: requests in flight, and publish
        # bodies, of which the link holds back the next while too many wait here.
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
        # The updates that the present command has for each client, and the clients for which
        # those of earlier commands are queued.
        self._gathered: DefaultDict[Outbox, List[Update]] = defaultdict(list)
        self._queued: Set[Outbox] = set()
        self._timer: List[Tuple[float, int, Optional[Monitor]]] = []
        # Entries of the timer whose monitor has ended, at most.
        self._stale = 0
        self._order = itertools.count()
        # Those that have somebody to tell, in the order of their turns.
        self._turns: Deque[Extras] = deque()
        # Monitors by client, and the clients that have very many.
        self._numbers: Dict[Outbox, int] = {}
        self._greedy: Set[Outbox] = set()
        # Groups whose value waits until there is time.
        self._late: Deque[Tuple[MonitoredVariable, Group]] = deque()
        # Monitors that are told what they miss while there is no link; those that began while there
        # is none, with the time since when they missed something; all that wait until the server
        # can be asked.
        self._backfilled: Dict[Monitor, None] = {}
        self._awaited: Dict[Monitor, int] = {}
        self._restored: List[Tuple[MonitoredVariable, CatchUp]] = []
        # What the present command has for each of those that take every value.
        self._recorded: DefaultDict[Take, List[Recorded]] = defaultdict(list)
        self._listeners: Dict[Outbox, Tuple[Subject, str, bool]] = {}
        self._status: Optional[Tuple[str, str, Optional[str], Optional[str]]] = None
        #: Values that came from the plant, and how many updates of monitors they made; those
        #: that MinInterval holds back or a full outbox collapses are counted too.
        self.values = 0
        self.updates = 0

    # --- any thread -----------------------------------------------------------------------------

    def start(self) -> None:
        # A daemon, so that a thread stuck in a defect cannot keep the process; stop() joins it.
        self._own_thread.start()

    def stop(self, timeout: float) -> None:
        """End the thread; bounded by *timeout* seconds."""
        self._commands.put(None)
        self._own_thread.join(timeout)

    @property
    def threads(self) -> List[threading.Thread]:
        """Those that must live."""
        return [self._own_thread]

    @property
    def backlog(self) -> int:
        """Commands that wait."""
        return self._commands.qsize()

    def catch_up(self, timeout: float) -> None:
        """Wait until every command sent so far has been performed, at most *timeout* seconds."""
        reached = threading.Event()
        self._commands.put(reached.set)
        reached.wait(timeout)

    def published(self, link: Any, body: Any, done: Callable[[], None]) -> None:
        """A publish body came in on *link*; *done* is called when it has been relayed."""
        # The time is that of its arrival: a write that is answered while the body waits here
        # makes its values old ones.
        self._commands.put(partial(self._publish, link, body, time.monotonic(), done))

    def recount(self, link: Any) -> None:
        """What the source says of failures on *link* may have changed."""
        self._commands.put(partial(self._recount, link))

    def health(self) -> messages.Health:
        """How the variables are now."""
        link = self._link
        failed: Dict[str, Tuple[str, str]] = {}
        if link is not None:
            failed.update(self._source.failures(link))
            failed.update(dict(self._refused))
            # Whatever is said of a variable whose values come, it works.
            for name in failed.keys() & self._active.copy():
                del failed[name]
        return messages.Health(self._configured, len(self._active), failed)

    def latest(self, variable: str, max_age: float, behind: float = 0.0) -> Optional[DataValue]:
        """The last monitored value, if it came at most *max_age* seconds ago, and later than the
        moment *behind*, when the node was written through us."""
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
        """What the item of *variable* told last, if it is there and has told anything."""
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
            command = None  # it must keep no client in memory while this thread waits
            self._perform(self._expire)
            if self._turns:
                self._perform(self._take_turn)
            if self._late:
                self._perform(self._tell_some_late)
            self._deliver()

    def _queue(self) -> None:
        """Put what was gathered into the outboxes, which bound it; more will be gathered."""
        if self._gathered:
            gathered, self._gathered = self._gathered, defaultdict(list)
            self._queued.update(gathered)
            for outbox, updates in gathered.items():
                outbox.put_updates(updates)
        if self._recorded:
            self._hand_over()

    def _deliver(self) -> None:
        """Send what was gathered, and what was queued before it; then have it recorded, so that
        nobody is told by history before he is told live."""
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
        """Start *monitor*: the present value at once, then every change.  It is *present* if the
        item may still tell older ones."""
        if not monitor.active:
            return  # it was ended, by another thread, before it began
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
        """From now on *monitor* is told every change of *item*."""
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
        """Stop *monitors*; whoever calls has withdrawn them from their outbox already."""
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
            # A monitor in the timer would keep its client in memory until it is due.
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
        """The contrary of :meth:`_join`: whether *monitor* was told the changes of *item*."""
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
        """Have the past of *catch_up* read."""
        self._hand_over()  # so that it ends where what is held begins
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
        """Tell those of *catch_up* what they missed, and then what was held."""
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
        self._queue()  # what was gathered comes before it
        for monitor in catch_up.monitors:
            assert monitor.past is not None
            monitor.past.put(monitor, missed)
            self._queued.add(monitor.outbox)

    def _tell_caught_up(
        self, item: MonitoredVariable, catch_up: CatchUp, update: Notification
    ) -> None:
        """Tell those of *catch_up* of *update*; when nothing of the past can come any more they
        are as all others."""
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
        """Whether *monitor* was still to be told what it missed."""
        for catch_up in item.catching_up:
            if monitor not in catch_up.monitors:
                continue
            del catch_up.monitors[monitor]
            if not catch_up.monitors:
                item.catching_up.remove(catch_up)
                catch_up.forget()
            elif catch_up.asked is monitor and not catch_up.found:
                self._ask(item, catch_up)  # its client may have left, and nobody be told
            return True
        return False

    def _hold(self, item: MonitoredVariable, update: Notification) -> None:
        """*update* is live: those that are still to be told what they missed are told later."""
        for catch_up in list(item.catching_up):
            if catch_up.found:
                self._tell_caught_up(item, catch_up, update)
            else:
                catch_up.hold(update)

    def _restore(self) -> None:
        """There is a link again, on which items are being created: those that want it are told
        first what they missed since the last value."""
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
        """Read the pasts of those that waited for the server."""
        restored, self._restored = self._restored, []
        for item, catch_up in restored:
            if catch_up in item.catching_up:
                self._ask(item, catch_up)

    def _dismiss_restored(self) -> None:
        """The link was lost before anything could be asked for."""
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
        """Have the variable read again, unless what came meanwhile is not older."""
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
        """Hand every value of the variables in *series*, with what stands there, to *take*, which
        must not block; and of no others.  What was handed over under the same is not again."""
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
        """From now on nobody knows what *item* is."""
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
        """The configuration has changed: ask the source for the items of the variables *remade*
        anew; of those among them that *moved* to another node nothing is known any more."""
        self._configured, self._retry_s = configured, retry_s
        items = [self._items[name] for name in remade if name in self._items]
        unused: List[Tuple[int, int]] = []
        for item in items:
            self._let_go(item, unused)
            # What changes before the new item begins is not seen.
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
        """Have the item of *variable* made anew, if *last* is still what it told last: nobody
        knows whether that is so any more; *lost* if it is known that a change is missing."""
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
        """Tell *outbox* in *dialect* of every change of the server's state and, with *counts*, of
        the number of variables that fail, and the present one."""
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
        """Forget *outbox* as a listener."""
        self._listeners.pop(outbox, None)

    @_command
    def status(
        self, state: str, since: str, reason: Optional[str], endpoint: Optional[str] = None
    ) -> None:
        """The server is ``connected``, ``connecting`` or ``disconnected`` *since* then; of a
        redundant set, the one at *endpoint*."""
        self._status = (state, since, reason, endpoint)
        self._tell_listeners(list(self._listeners))
        # Who did not ask may not be allowed to see every variable that would be counted.
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
        """A new generation: create every item on it, then call *ready* (which must not block)."""
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
        """Have *items* created; *keep_updates* if a new monitor is told what was known of them
        until the plant has answered."""
        for item in items:
            item.handle = next(self._handles)
            item.item_id = None
            if not keep_updates:
                item.update = None
            self._active.discard(item.variable)
            self._by_handle[item.handle] = item
        self._source.create(self._link, [(item.variable, item.handle) for item in items], line)

    def monitored(self) -> List[Tuple[str, int]]:
        """Variables and handles of the items; on the relay's thread, as what it calls is."""
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
            if item is None:  # everyone had stopped before the answer came
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
        """The generation *link* is dead: tell every monitor."""
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
            item.outdated = now  # what this generation brought is no value of the next
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
                    # For those that are there; who comes later has lost nothing.
                    item.overflowed = False
                    update = overflowed(update)
                if item.takers:
                    self._record(item, update)
                fan_out(item, update)
        finally:
            done()

    @_command
    def refresh(self, link: Any, values: Sequence[Tuple[int, DataValue]]) -> None:
        """What items, by their handles, were just read to have, after :meth:`values_lost`."""
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
        """Values that *link* had to deliver by this subscription, or by any, are lost: the next
        of each of its variables says so."""
        if link is self._link:
            for item in self._items.values():
                # It may be one whose creation is still to be told.
                if subscription in (None, item.subscription) or item.item_id is None:
                    item.overflowed = True

    def _fan_out(
        self,
        item: MonitoredVariable,
        update: Notification,
        at_once: bool = False,
        some: Optional[Collection[Group]] = None,
    ) -> None:
        """Tell all monitors of *item*, or of *some* of its groups."""
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
        """The same while the relay is behind: what can wait does."""
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
        """Tell *group* the value that waited for it."""
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
        """Have *extras* told of *update*, unless another comes before."""
        extras.number += 1
        extras.update = update
        extras.at_once = at_once
        if not extras.queued:
            extras.queued = True
            extras.left = list(extras.monitors)
            extras.left.reverse()
            self._turns.append(extras)

    def _take_turn(self) -> None:
        """Tell some of those whose turn it is."""
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
            # Those that were told before the last value came.
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
        """Tell one monitor of *update*, when it may be told."""
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
            if monitor.due > now:  # an update went out in between
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
