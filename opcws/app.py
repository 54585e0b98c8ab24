"""Puts the running server together.

There is a plant for each OPC UA server, a listener for each address, and one gateway between them,
which the clients reach through :class:`~opcws.gateway.connected_clients.ConnectedClients`.

The order of the start lets nothing fail after others have seen it: audit log, open sockets,
recorder, publisher, plants, threads that accept.  The stop has one deadline: requests in flight are
answered, clients told, plants left, and last the publisher, the recorder and the audit log end,
because all before them may still give them something.  A change of the configuration first prepares
everything that may fail, then does what cannot fail; replaced parts end by themselves.
"""

import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from .access.authenticator import Authenticator, Grant
from .access.credentials import CredentialFile
from .config import roles
from .config.difference import Difference, compare, with_found
from .config.publishing import mqtt, published
from .config.recording import history_file, recordings, records
from .config.roles import Role
from .config.settings import Browse, Config, Edge, Listen, Log, Record, Variable
from .config.settings import Server as Settings
from .gateway.audit_log import UNAUDITED, AuditLog
from .gateway.client import Client
from .gateway.connected_clients import ConnectedClients
from .gateway.gateway import Gateway, Replies
from .gateway.histories import Histories
from .gateway.plant_interface import RunningPlant
from .model.deadline import Deadline
from .model.errors import ConfigError
from .operations import logs, open_files
from .operations.limit_hits import LimitHits
from .operations.page_texts import PageTexts
from .operations.per_thread_counter import PerThreadCounter
from .operations.status_pages import StatusPages
from .operations.view_files import ViewFiles
from .ua.plant import Plant
from .wire import contract
from .ws.application import Application
from .ws.http_message import Response
from .ws.listener import Listener
from .ws.processor_share import ProcessorShare
from .ws.reconfiguration import Reconfiguration

if TYPE_CHECKING:
    from .pubsub.publisher import Publisher
    from .recorder.recorder import Recorder

log = logging.getLogger(__name__)

#: Seconds within which everything ends, even if an OPC UA server hangs.
STOP_S = 4.5
#: Of these, for requests in flight to be answered, and then for clients to take their messages and
#: to answer the close frame.
ANSWERS_S = 1.0
CLIENTS_S = 1.5
#: Seconds for a change of the configuration that has begun to finish.
CHANGE_S = 0.5
#: Seconds after which a waiting thread checks whether the server stops.
LOOK_S = 0.1
#: Seconds for the last lines of the audit log: at most; and if no time is left.  The last values
#: are recorded in what remains before that.
AUDIT_S = 1.0
AUDIT_LEAST_S = 0.2
#: Seconds for the last messages to a broker, at most.
PUBLISHER_S = 0.7

#: Seconds between two checks of the connected clients' grants.
JUDGE_S = 2.0
#: Seconds between two checks of the bytes that wait for all clients.
RELIEVE_S = 0.25

#: Stack of each thread, in bytes: several times the need of messages.MAX_DEPTH levels of JSON, and
#: a small part of the system's default.
STACK_BYTES = 512 * 1024


def require_recorder(config: Config) -> None:
    """Load the modules for recording, if *config* records.  Raises
    :exc:`~opcws.model.errors.ConfigError` if they are missing."""
    if records(config):
        try:
            from .recorder import recorder  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                "record: this Python has no SQLite, so nothing can be recorded (%s); take a Python "
                "that has it, or take 'record' out of the configuration" % error
            ) from None


def require_publisher(config: Config) -> None:
    """Load the modules for publishing or for serving from a broker, if *config* does either.
    Raises :exc:`~opcws.model.errors.ConfigError` if they are missing."""
    served = [name for name, server in config.servers.items() if server.at_broker]
    if mqtt(config) is not None or served:
        try:
            from .pubsub import connection  # noqa: F401
        except ImportError as error:
            section = "servers." + served[0] if served else "publish"
            raise ConfigError(
                "%s: this Python has no MQTT, so there is no way to a broker (%s); install "
                "paho-mqtt, or take '%s' out of the configuration" % (section, error, section)
            ) from None


class _Served(ConnectedClients, Application):
    """The clients and the operators' reports, for the socket side."""

    def __init__(
        self,
        gateway: Gateway,
        status_pages: StatusPages,
        authenticator: Authenticator,
        view_files: ViewFiles,
    ) -> None:
        super().__init__(gateway)
        self.authenticator = authenticator
        self._status_pages = status_pages
        self._view_files = view_files

    def report(self, endpoint: str) -> Response:
        document = self._status_pages.document(endpoint)
        return Response(document.status, document.body, document.content_type)

    def views(self) -> ViewFiles:
        return self._view_files


class Server:
    """opcws with the configuration *config*.

    >>> server = Server(config)   # ConfigError: TLS files, no SQLite
    >>> server.start()            # ListenError
    >>> server.stop()
    """

    def __init__(self, config: Config) -> None:
        #: The configuration in use: the file's, and the variables found on the OPC UA servers.
        self.config = config
        self._declared = config
        self._found: Dict[str, Sequence[Variable]] = {}
        require_publisher(config)
        self.plants: Dict[str, RunningPlant] = {
            name: self._plant(server) for name, server in config.servers.items()
        }
        require_recorder(config)
        #: Records values; ``None`` until something is recorded.
        self.recorder: Optional["Recorder"] = None
        self._record(config)
        #: Sends values to a broker; ``None`` until something is published.
        self.publisher: Optional["Publisher"] = None
        self._publish(config)
        self.audit = UNAUDITED if config.audit is None else AuditLog(config.audit)
        self._credentials = CredentialFile(config.credentials)
        self.authenticator = Authenticator(
            roles.compile_roles(config.roles, config.variables), self._credentials
        )
        #: How often each limit was hit.
        self.limit_hits = LimitHits()
        self._processor_share = ProcessorShare()
        self._replies: Replies = PerThreadCounter()
        self.status_pages = StatusPages(
            lambda: list(self.plants.values()),
            lambda: list(self.listeners),
            self._replies.totals,
            self.limit_hits.snapshot,
            self.audit.status,
            lambda: self.recorder,
            lambda: None if mqtt(self.config) is None else self.publisher,
            lambda: [self._judging, *self.audit.threads],
        )
        self.clients = _Served(
            self._gateway(config),
            self.status_pages,
            self.authenticator,
            ViewFiles(os.path.join(config.state_dir, "views")),
        )
        self.clients.time_zone = config.time_zone
        self.clients.texts = PageTexts(os.path.join(config.state_dir, "texts"))
        #: Prepares the log of a new configuration.
        self.prepare_log: Callable[[Log], logs.Prepared] = logs.prepared
        self.listeners = [self._listener(listen) for listen in config.listen]
        # Guards changes of any of these, and setting _stopping.
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        # Threads that end parts which a change of the configuration has replaced.
        self._ending: List[threading.Thread] = []
        # A daemon, because a file system that hangs must not keep the process; stop() joins it.
        self._judging = threading.Thread(target=self._judge, name="opcws-access", daemon=True)

    def _gateway(self, config: Config) -> Gateway:
        return Gateway(config.variables, self.plants, self.audit, self._replies, self.recorder)

    def _plant(self, server: Settings) -> RunningPlant:
        if server.at_broker:
            from .pubsub.plant import Plant as AtBroker

            return AtBroker(server, self._take_found)
        return Plant(server, self._take_found, self._standing_by)

    def _standing_by(self) -> Optional[str]:
        """Why OPC UA servers must not be connected now, if another collector publishes."""
        publisher = self.publisher
        return None if publisher is None else publisher.standing_by

    def _record(self, config: Config) -> None:
        """Record what *config* says, from the present plants.  A recorder continues when nothing
        is recorded any more, because it owns its file."""
        wanted, section = recordings(config), config.record or Record()
        if self.recorder is not None:
            self.recorder.change(wanted.values(), section.keep_days, section.max_bytes)
        elif wanted:
            from .recorder.recorder import Recorder

            path = history_file(config.state_dir)
            self.recorder = Recorder(path, wanted.values(), section.keep_days, section.max_bytes)
        else:
            return
        series: Dict[str, Dict[str, Any]] = {name: {} for name in self.plants}
        for name, each in wanted.items():
            series[each.variable.server][name] = self.recorder.series(each.variable)
        for name, of_plant in series.items():
            self.plants[name].relay.record(of_plant, self.recorder.take)

    def _publish(self, config: Config) -> None:
        """Publish what *config* says, from the present plants."""
        wanted, section = published(config), mqtt(config)
        if self.publisher is None:
            if section is None:
                return
            from .pubsub.publisher import Publisher
            from .pubsub.requests import Serve

            serve = Serve(lambda: self.clients, lambda: self.audit, self._admit)
            self.publisher = Publisher(config.state_dir, self._value_info, serve)
        self.publisher.change(section, wanted.values())
        fields: Dict[str, Dict[str, Any]] = {name: {} for name in self.plants}
        for name, variable in wanted.items():
            fields[variable.server][name] = self.publisher.field(variable)
        for name, of_plant in fields.items():
            self.plants[name].relay.record(of_plant, self.publisher.take)

    def _value_info(self, variable: Variable) -> Mapping[str, Any]:
        """The VALUEINFO of *variable* for a role that may do everything."""
        plant = self.plants.get(variable.server)
        if plant is None:
            return {}
        info = dict(plant.info(variable))
        info["Access"] = roles.narrowed(variable.access, *plant.allows(variable)) or ""
        source = Histories(self.plants, self.recorder).told(variable)
        if source is not None:
            info["HistorySource"] = source
        return info

    def _admit(self, name: str, edge: Edge, told: str) -> Grant:
        return self.authenticator.by_edge(name, edge.role, edge.users, told)

    def _listener(self, listen: Listen) -> Listener:
        return Listener(listen, self.clients, self.limit_hits, self._processor_share)

    @property
    def gateway(self) -> Gateway:
        """The gateway of the present configuration."""
        return self.clients.gateway

    @property
    def urls(self) -> List[str]:
        """The URL of each listener for a browser."""
        return [listener.url for listener in self.listeners]

    # --- start and stop -------------------------------------------------------------------------

    def start(self) -> None:
        """Listen, then begin to connect to the OPC UA servers; returns at once.

        Raises :exc:`~opcws.model.errors.ListenError`, or :exc:`~opcws.model.errors.ConfigError` for
        an audit log that cannot be written, with nothing left running.
        """
        contract.prepare()
        threading.stack_size(STACK_BYTES)
        open_files.allow(open_files.needed(self.config.listen))
        try:
            self.audit.start()
            for listener in self.listeners:
                listener.open()
        except Exception:
            for listener in self.listeners:
                listener.stop(Deadline(1.0))
            self.audit.stop(Deadline(1.0))
            raise
        if self.recorder is not None:
            self.recorder.start()
        if self.publisher is not None:
            self.publisher.start()
        for plant in self.plants.values():
            plant.start()
        for listener in self.listeners:
            listener.start()
        self._judging.start()
        for listener in self.listeners:
            log.info("listening on %s", listener.url)

    def stop(self, seconds: float = STOP_S) -> None:
        """Accept no more, answer what is in flight, tell clients (1001), leave the OPC UA
        servers, end every thread within *seconds*."""
        self.status_pages.stop()
        deadline = Deadline(seconds)
        # A change in progress may finish, which takes a moment; but it may read a file on a disk
        # that hangs.
        changed = self._lock.acquire(timeout=deadline.bounded(CHANGE_S))
        self._stopping.set()
        if changed:
            self._lock.release()
        self.authenticator.stop()
        answers = Deadline(min(ANSWERS_S, seconds / 2))
        _in_parallel("listener", [listener.settle for listener in self.listeners], answers)
        clients = Deadline(deadline.bounded(CLIENTS_S))
        for plant in self.plants.values():
            plant.quit()
        _in_parallel("listener", [listener.stop for listener in self.listeners], clients)
        _in_parallel("plant", [plant.stop for plant in self.plants.values()], deadline)
        for thread in self._ending:
            thread.join(deadline.bounded(60.0))
        if self._judging.is_alive():
            self._judging.join(deadline.bounded(1.0))
        # After the plants: their last work may have results.
        if self.publisher is not None:
            self.publisher.stop(Deadline(deadline.bounded(PUBLISHER_S) or AUDIT_LEAST_S))
        if self.recorder is not None:
            self.recorder.stop(Deadline(max(deadline.bounded(STOP_S) - AUDIT_S, AUDIT_LEAST_S)))
        self.audit.stop(Deadline(deadline.bounded(AUDIT_S) or AUDIT_LEAST_S))
        log.info("stopped")

    # --- a change of the configuration, on any thread -------------------------------------------

    def reload(self, config: Config) -> Difference:
        """Serve *config* from now on: its unchanged parts continue undisturbed, changed ones are
        replaced.  Replaced parts end within :data:`STOP_S`.

        Raises :exc:`~opcws.model.errors.ConfigError` with every problem; then nothing has changed.
        """
        with self._lock:
            if self._stopping.is_set():
                raise ConfigError("opcws is stopping")
            difference = compare(self.config, with_found(config, self._found))
            added = {server.name: self._plant(server) for server in difference.added}
            open_files.allow(open_files.needed(config.listen))
            reconfiguration, log_to = self._prepare(difference)
            if self._stopping.is_set():  # the stop did not wait any longer
                reconfiguration.roll_back()
                if log_to is not None:
                    log_to.discard()
                raise ConfigError("opcws is stopping")
            if log_to is not None:
                log_to.install()
            self._declared = config
            for server in difference.removed:
                self._found.pop(server.name, None)
            self._take_over(difference, added)
            reconfiguration.commit()
            self.listeners = reconfiguration.listeners
            ends = [each.retire for each in reconfiguration.closed]
            self._end("listener", ends, ANSWERS_S + CLIENTS_S)
        # A next change finds these ended.
        for thread in self._ending:
            while thread.is_alive() and not self._stopping.is_set():
                thread.join(LOOK_S)
        return difference

    def _take_found(
        self, name: str, browse: Sequence[Browse], variables: Sequence[Variable]
    ) -> None:
        """Serve *variables*, the present result of *browse* on the server *name*, instead of those
        found before; on a thread of its plant."""
        with self._lock:
            server = self._declared.servers.get(name)
            if self._stopping.is_set() or server is None or server.browse != browse:
                return
            self._found[name] = variables
            difference = compare(self.config, with_found(self._declared, self._found))
            if difference.changed:
                self._take_over(difference, {})
        for line in difference.lines():
            log.info("found: %s", line)

    def _prepare(self, difference: Difference) -> Tuple[Reconfiguration, Optional[logs.Prepared]]:
        """Do everything that may fail.  Raises :exc:`~opcws.model.errors.ConfigError`."""
        problems: List[str] = []
        log_to: Optional[logs.Prepared] = None
        reconfiguration: Optional[Reconfiguration] = None
        for require in (require_recorder, require_publisher):
            try:
                require(difference.config)
            except ConfigError as error:
                problems += error.problems
        if "log" in difference.sections:
            try:
                log_to = self.prepare_log(difference.config.log)
            except ConfigError as error:
                problems += error.problems
        try:
            reconfiguration = Reconfiguration(self.listeners, difference.listen, self._listener)
        except ConfigError as error:
            problems += error.problems
        if problems or reconfiguration is None:
            if log_to is not None:
                log_to.discard()
            if reconfiguration is not None:
                reconfiguration.roll_back()
            raise ConfigError(problems)
        return reconfiguration, log_to

    def _take_over(self, difference: Difference, added: Mapping[str, RunningPlant]) -> None:
        """Replace one set of plants with the next; nothing here may fail or wait."""
        config = difference.config
        before = self.plants
        for change in difference.changed:
            before[change.new.name].change(change)
        for plant in added.values():
            plant.start()
        self.plants = {name: added.get(name) or before[name] for name in config.servers}
        recorder = self.recorder
        self._record(config)
        if recorder is None and self.recorder is not None:
            self.recorder.start()
        publisher = self.publisher
        self._publish(config)
        if publisher is None and self.publisher is not None:
            self.publisher.start()
        if self._credentials.path != config.credentials:
            self._credentials = CredentialFile(config.credentials)
        # Also if they are the same: they say what a role may do with each variable.
        self.authenticator.replace(
            roles.compile_roles(config.roles, config.variables), self._credentials
        )
        self.clients.change(self._gateway(config), self._role)
        self.clients.time_zone = config.time_zone
        self.config = config
        retired = [before[server.name].retire for server in difference.removed]
        anew = [before[change.new.name] for change in difference.changed if change.reconnect]
        self._end("plant", [*retired, *(plant.reconnect for plant in anew)], STOP_S)

    def _role(self, client: Client) -> Optional[Role]:
        """The present role of *client*; ``None`` if it may not stay connected."""
        if client.judge is not None:
            return client.judge()
        if client.grant is None:
            return client.role
        grant = self.authenticator.recheck(client.grant)
        if grant is None:
            return None
        client.grant = grant
        return grant.role

    def _end(self, what: str, ends: Sequence[Callable[[Deadline], None]], seconds: float) -> None:
        """End replaced parts on a thread of their own, within *seconds*."""
        self._ending = [thread for thread in self._ending if thread.is_alive()]
        self._ending += _begin(what, ends, Deadline(seconds))

    def relieve(self) -> None:
        """While too many bytes wait for all clients together, close the client with the most, the
        newest of equals; what the OPC UA servers send is never held back for that."""
        most = self.config.process.outbound_bytes
        connections = [each for listener in self.listeners for each in listener.connections()]
        total = sum([each.outbox.queued_bytes for each in connections])
        if total <= most:
            return
        waiting = [(each.outbox.queued_bytes, each.opened_at or 0.0, each) for each in connections]
        for size, _opened, connection in sorted(waiting, key=lambda each: each[:2], reverse=True):
            if total <= most:
                return
            connection.give_way()
            total -= size

    # --- opcws-access ---------------------------------------------------------------------------

    def _judge(self) -> None:
        """Close clients that have lost their rights (a token revoked or expired, a user gone), or
        for which too much waits."""
        due = Deadline(JUDGE_S)
        while not self._stopping.wait(RELIEVE_S):
            try:
                self.relieve()
            except Exception:
                log.exception("a defect while looking at what waits for clients")
            if not due.expired:
                continue
            due = Deadline(JUDGE_S)
            for listener in self.listeners:
                for connection in listener.connections():
                    try:
                        connection.recheck_access()
                    except Exception:
                        log.exception("%s: a defect while judging", connection.name)


def _in_parallel(
    what: str, stops: Sequence[Callable[[Deadline], None]], deadline: Deadline
) -> None:
    """Call each of *stops* with *deadline*, at the same time: one that hangs delays no other."""
    for thread in _begin(what, stops, deadline):
        thread.join(deadline.bounded(60.0) + 1.0)


def _begin(
    what: str, stops: Sequence[Callable[[Deadline], None]], deadline: Deadline
) -> List[threading.Thread]:
    threads = [
        threading.Thread(target=stop, args=(deadline,), name="opcws-stop-" + what, daemon=True)
        for stop in stops
    ]
    for thread in threads:
        thread.start()
    return threads
