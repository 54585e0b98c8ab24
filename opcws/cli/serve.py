"""``opcws serve``, ``reload``, ``stop`` and ``demo``."""

import contextlib
import dataclasses
import gc
import logging
import os
import shutil
import signal
import tempfile
import threading
from types import FrameType
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

import click

from .. import config
from ..access import accounts
from ..config.settings import Config, Log
from ..model.errors import ConfigError, ControlError, ListenError
from ..model.text import word
from ..operations import logs
from .common import (
    CANNOT_LISTEN,
    CONFIG_WRONG,
    config_option,
    leave,
    log_options,
    say,
    timeout_option,
    write_new,
)

#: Longest time in seconds that a change of the configuration may delay the end.
RELOAD_STOP_S = 1.0
#: How many new objects start Python's search for cycles; its default is 700.
COLLECT_AFTER = 20000


@click.command()
@config_option()
@log_options
def serve(
    path: str, log_level: Optional[str], log_file: Optional[str], log_format: Optional[str]
) -> None:
    """Serve the variables of FILE until Ctrl-C."""
    loaded = config.load(path)
    options = {"level": log_level, "file": log_file, "format": log_format}
    serve_file(loaded, _catch_signals(), lambda settings: _overridden(settings, options))


@click.command()
@config_option()
def reload(path: str) -> None:
    """Make a running opcws read FILE again, and show the changes."""
    from ..operations import reloader

    answer = _asked(path, "reload", reloader.PATIENCE_S + 10.0)
    if answer.get("problems"):
        leave(CONFIG_WRONG, *answer["problems"], "nothing has changed")
    say(answer.get("changes") or ["the configuration has no changes"])


@click.command()
@config_option()
@timeout_option(30.0, "How long to wait until opcws has stopped.")
def stop(path: str, timeout_s: float) -> None:
    """Stop the opcws that serves FILE, as Ctrl-C does.

    The command waits until that opcws has stopped.
    """
    answer = _asked(path, "stop", timeout_s)
    if answer.get("problems"):
        leave(CONFIG_WRONG, *answer["problems"])


def _asked(path: str, command: str, seconds: float) -> Mapping[str, Any]:
    """The answer of the opcws that serves *path* to *command*."""
    from ..operations import control_socket

    problems: Sequence[str] = ()
    try:
        state_dir = config.load(path).state_dir
    except ConfigError as error:
        problems = error.problems
        # The running opcws reports the same problem and logs it, unless only the file says where it
        # is.
        state_dir = os.path.join(os.path.dirname(os.path.abspath(path)), Config.state_dir)
    try:
        return control_socket.ask(state_dir, path, command, seconds)
    except ControlError as error:
        leave(CONFIG_WRONG, *(problems or [error.reason]))


@click.command()
@click.option(
    "--port",
    default=8081,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of opcws; 0 chooses a free one.",
)
@click.option(
    "--plant-port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Port of the simulated plant; by default a free one.",
)
@click.option("--plant-only", is_flag=True, help="Start the simulated plant without opcws.")
@click.option(
    "--broker",
    "with_broker",
    is_flag=True,
    help="Start Mosquitto too, and two more opcws that serve from it.",
)
@click.option(
    "--write-config",
    "write_config",
    metavar="FILE",
    help="Write a configuration for the plant to FILE, and start nothing.",
)
@log_options
def demo(
    port: int,
    plant_port: int,
    plant_only: bool,
    with_broker: bool,
    write_config: Optional[str],
    log_level: Optional[str],
    log_file: Optional[str],
    log_format: Optional[str],
) -> None:
    """Start a simulated plant and opcws in front of it."""
    from ..demo import Plant, broker, config_text

    if write_config is not None:
        plant_port = plant_port or 4840
        write_new(write_config, config_text("opc.tcp://127.0.0.1:%d" % plant_port, port))
        click.echo("wrote %s; now run, in two terminals:" % write_config)
        click.echo("  opcws demo --plant-only --plant-port %d" % plant_port)
        click.echo("  opcws serve --config %s" % word(write_config))
        return
    options = {"level": log_level, "file": log_file, "format": log_format}
    logs.setup(_overridden(Log(), options))
    plant = Plant(plant_port)
    stopping = _catch_signals()
    try:
        plant.start()
    except ListenError as error:
        leave(CANNOT_LISTEN, error.reason + " (--plant-port)")
    try:
        click.echo("Simulated plant: %s" % plant.endpoint)
        if plant_only:
            click.echo("Ctrl-C stops it.")
            _wait(stopping)
            return
        # The recorded values last only until the end of the demo.
        directory = tempfile.mkdtemp(prefix="opcws-demo-")
        mosquitto = broker.Broker(directory)
        texts = [config_text(plant.endpoint, port)]
        try:
            if with_broker:
                mosquitto.start()
                click.echo("Broker: %s (Mosquitto)" % mosquitto.url)
                texts[0] = broker.published(texts[0], mosquitto.url)
                texts += [
                    broker.edge_text(mosquitto.url, edge, port and port + number)
                    for number, edge in enumerate(broker.EDGES, 1)
                ]
            _show([config.loads(text, "<demo>", directory) for text in texts], stopping)
        finally:
            mosquitto.stop()
            shutil.rmtree(directory, ignore_errors=True)
    except ListenError as error:
        # There is no configuration with this setting.
        leave(CANNOT_LISTEN, error.reason.replace("listen.port", "--port"))
    finally:
        plant.stop()


def _overridden(settings: Log, options: Mapping[str, Optional[str]]) -> Log:
    """*settings*, overridden by the command line."""
    given: Dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    return dataclasses.replace(settings, **given)


def serve_file(
    loaded: Config,
    stopping: List[int],
    log_settings: Callable[[Log], Log],
    serves: Callable[[Sequence[str]], None] = lambda urls: None,
) -> None:
    """Serve the *loaded* configuration until *stopping* is filled, and call *serves* with the
    addresses once it can be reached.  *log_settings* changes the log settings of the
    configuration.  Raises :exc:`~opcws.model.errors.OpcwsError`."""
    from ..app import Server
    from ..model.deadline import Deadline
    from ..operations.control_socket import Control
    from ..operations.cpu_affinity import Affinity
    from ..operations.reloader import Reloader

    logs.setup(log_settings(loaded.log))
    for warning in [*loaded.warnings, *accounts.warnings(loaded)]:
        logging.getLogger("opcws").warning("%s", warning)
    hangups: List[int] = []
    assert loaded.path is not None  # it came from a file
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda number, _frame: hangups.append(number))
    with contextlib.ExitStack() as ending:
        affinity = Affinity(loaded.process.cpu_affinity)
        ending.callback(lambda: affinity.stop(Deadline(1.0)))
        affinity.start()
        server = Server(loaded)
        server.prepare_log = lambda settings: logs.prepared(log_settings(settings))
        reloader = Reloader(
            loaded, lambda changed: server.reload(changed).lines(), accounts.warnings
        )
        control_socket = Control(
            loaded.state_dir,
            loaded.path,
            {"reload": reloader.request},
            lambda: stopping.append(0),
        )
        # Before the server starts: a user may stop opcws as soon as it answers.
        control_socket.start()
        ending.callback(lambda: control_socket.stop(Deadline(RELOAD_STOP_S)))
        server.start()
        ending.callback(server.stop)
        _collect_seldom()
        reloader.start()
        ending.callback(lambda: reloader.stop(Deadline(RELOAD_STOP_S)))
        serves(server.urls)
        _wait(stopping, hangups, reloader.trigger)


def _show(configs: Sequence[Config], stopping: List[int]) -> None:
    """Serve all of *configs*, of the demo, until *stopping* is filled."""
    from ..app import Server
    from ..model.deadline import Deadline
    from ..operations.cpu_affinity import Affinity

    with contextlib.ExitStack() as ending:
        affinity = Affinity(configs[0].process.cpu_affinity)
        ending.callback(lambda: affinity.stop(Deadline(1.0)))
        affinity.start()
        for number, loaded in enumerate(configs):
            server = Server(loaded)
            server.start()
            ending.callback(server.stop)
            what = " (from the broker)" if number else ""
            click.echo("Open %s in a browser%s. Ctrl-C stops it." % (server.urls[0], what))
        _collect_seldom()
        _wait(stopping)


def _collect_seldom() -> None:
    """Let Python search for cycles less often, and not among the present objects, which stay.

    Relaying a value makes no cycles, but so many objects that each round would start a search: a
    tenth of the cost of an update to a thousand clients.  A client that has left leaves a few
    hundred objects in cycles, which may wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 10)


def _catch_signals() -> List[int]:
    """A list that the first SIGINT, SIGTERM, Ctrl-Break or ``opcws stop`` fills; a second signal
    ends the process at once.  It is a list, because a handler may run between any two steps of the
    main thread and must take no lock."""
    caught: List[int] = []

    def catch(number: int, _frame: Optional[FrameType]) -> None:
        if caught:
            os._exit(128 + number)
        caught.append(number)

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, catch)
    return caught


def _wait(
    stopping: List[int],
    hangups: Sequence[int] = (),
    hung_up: Optional[Callable[[], None]] = None,
) -> None:
    """Wait for a signal to stop, and do *hung_up* after *hangups*."""
    done = 0
    pause = threading.Event()
    while not stopping:
        if len(hangups) > done and hung_up is not None:
            done = len(hangups)
            hung_up()
        pause.wait(0.2)  # Windows cannot interrupt a wait without a timeout
