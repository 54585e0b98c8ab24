"""The commands: parse, call, print; no logic.

Exit codes: see :mod:`opcws.cli.common`.
"""

import dataclasses
import gc
import logging
import os
import signal
import sys
import threading
import warnings
from types import FrameType
from typing import Callable, List, Mapping, Optional, Sequence

import click

from .. import __version__
from ..access import accounts
from ..config import load as config
from ..model.errors import ConfigError, ControlError, ListenError, OpcwsError
from ..model.text import clean, word
from ..operations import logs
from . import browse, client, docs, doctor, keys
from .common import (
    CANNOT_LISTEN,
    CONFIG_WRONG,
    INTERRUPTED,
    UNREACHABLE,
    config_option,
    counted,
    is_about_output,
    leave,
    leave_output,
    load,
    log_options,
)

#: Seconds that a change of the configuration may delay the end.
RELOAD_STOP_S = 1.0
#: Objects beyond those given back before Python looks for cycles; its own number is 700.
COLLECT_AFTER = 20000

__all__ = ["CANNOT_LISTEN", "CONFIG_WRONG", "INTERRUPTED", "UNREACHABLE", "main"]


class _Commands(click.Group):
    """Each command ends alike, whatever ends it: Ctrl-C, at a question for a password too, a full
    disk, a reader that has enough; and none with a traceback for what a person can mend."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            result: object = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
            return result
        except (click.Abort, KeyboardInterrupt):
            leave(INTERRUPTED, "stopped")
        except OSError as error:
            if not is_about_output(error):
                raise
            leave_output(error)
        except ConfigError as error:
            leave(CONFIG_WRONG, *error.problems)
        except OpcwsError as error:
            leave(CONFIG_WRONG, error.reason)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="opcws")
def main() -> None:
    """Named variables of OPC UA servers over WebSocket, as JSON."""
    for stream in (sys.stdout, sys.stderr):
        # A name in letters that this console lacks must not end the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # cryptography says so at every start on an old Python; nobody at the plant can act on it.
    warnings.filterwarnings("ignore", "Python 3.* is no longer supported")


@main.command()
@config_option
@log_options
def serve(
    path: str, log_level: Optional[str], log_file: Optional[str], log_format: Optional[str]
) -> None:
    """Serve the variables of FILE until Ctrl-C."""
    loaded = load(path)
    options = {"level": log_level, "file": log_file, "format": log_format}
    _set_up_logs(loaded.log, options)
    for warning in [*loaded.warnings, *accounts.warnings(loaded)]:
        logging.getLogger("opcws").warning("%s", warning)
    _serve(loaded, options=options)


@main.command()
@config_option
def reload(path: str) -> None:
    """Have the opcws that serves FILE read it again, and tell what changed."""
    from ..operations import control, reloader

    problems: Sequence[str] = ()
    try:
        state_dir = config.load(path).state_dir
    except ConfigError as error:
        problems = error.problems
        # Who serves it says the same, and logs it; unless only the file knew how to reach it.
        state_dir = os.path.join(os.path.dirname(os.path.abspath(path)), config.Config.state_dir)
    try:
        answer = control.ask(state_dir, path, "reload", reloader.PATIENCE_S + 10.0)
    except ControlError as error:
        leave(CONFIG_WRONG, *(problems or [error.reason]))
    if answer.get("problems"):
        leave(CONFIG_WRONG, *answer["problems"], "nothing has changed")
    for change in answer.get("changes", ()):
        click.echo(change)
    if not answer.get("changes"):
        click.echo("nothing is different")


@main.command()
@config_option
@click.option("--offline", is_flag=True, help="Check the file only, connect to nothing.")
def check(path: str, offline: bool) -> None:
    """Check FILE, and connect to see whether each variable is there."""
    loaded = load(path)
    for warning in [*loaded.warnings, *accounts.warnings(loaded)]:
        click.echo("warning: " + warning, err=True)
    _check_certificates(loaded)
    if offline:
        click.echo(
            "%s is good: %s, %s"
            % (
                path,
                counted(len(loaded.servers), "server"),
                counted(len(loaded.variables), "variable"),
            )
        )
        return
    from ..commissioning.check import check as run

    logging.getLogger("opcua").setLevel(logging.CRITICAL)
    logging.getLogger("opcws").setLevel(logging.CRITICAL)
    findings = run(loaded)
    for finding in findings:
        mark = "ok " if finding.good else "BAD"
        click.echo(
            "%s  %s"
            % (click.style(mark, fg="green" if finding.good else "red"), clean(finding.text))
        )
    bad = sum(not finding.good for finding in findings)
    if bad:
        click.echo("%s of %d to look at" % (counted(bad, "line"), len(findings)), err=True)
        sys.exit(UNREACHABLE)


@main.command()
@click.option(
    "--port",
    default=8081,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of opcws; 0 takes a free one.",
)
@click.option(
    "--plant-port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Port of the simulated plant; by default a free one.",
)
@click.option("--plant-only", is_flag=True, help="Start the simulated plant without opcws.")
@click.option(
    "--write-config",
    "write_config",
    metavar="FILE",
    help="Write a configuration for the plant to FILE and leave.",
)
@log_options
def demo(
    port: int,
    plant_port: int,
    plant_only: bool,
    write_config: Optional[str],
    log_level: Optional[str],
    log_file: Optional[str],
    log_format: Optional[str],
) -> None:
    """Start a simulated boiler house and opcws in front of it, until Ctrl-C."""
    from ..demo import Plant, config_text

    if write_config is not None:
        endpoint = "opc.tcp://127.0.0.1:%d" % (plant_port or 4840)
        try:
            with open(write_config, "x", encoding="utf-8") as file:
                file.write(config_text(endpoint, port))
        except FileExistsError:
            leave(CONFIG_WRONG, "%s exists; remove it or name another file" % write_config)
        except OSError as error:
            leave(CONFIG_WRONG, "cannot write %s: %s" % (write_config, error.strerror))
        click.echo("wrote %s; now run, in two terminals:" % write_config)
        click.echo("  opcws demo --plant-only --plant-port %d" % (plant_port or 4840))
        click.echo("  opcws serve --config %s" % word(write_config))
        return
    _set_up_logs(config.Log(), {"level": log_level, "file": log_file, "format": log_format})
    plant = Plant(plant_port)
    stopping = _catch_signals()
    try:
        plant.start()
    except ListenError as error:
        leave(CANNOT_LISTEN, str(error) + " (--plant-port)")
    try:
        click.echo("Simulated plant: %s" % plant.endpoint)
        if plant_only:
            click.echo("Ctrl-C stops it.")
            _wait(stopping)
        else:
            loaded = config.loads(config_text(plant.endpoint, port), "<demo>")
            _serve(loaded, stopping, announce=True)
    finally:
        plant.stop()


@main.command("import-asneg")
@click.argument("model", metavar="OpcUaWebServerModel.xml", type=click.Path())
@click.option("--output", metavar="FILE", help="Write there instead of to the terminal.")
def import_asneg(model: str, output: Optional[str]) -> None:
    """Turn the configuration of an ASNeG OPC UA Web Server into one of ours."""
    from ..commissioning import asneg

    try:
        imported = asneg.import_model(model)
    except ConfigError as error:
        leave(CONFIG_WRONG, *error.problems)
    for warning in imported.warnings:
        click.echo("warning: " + warning, err=True)
    if output is None:
        click.echo(imported.text, nl=False)
        return
    try:
        with open(output, "x", encoding="utf-8") as file:
            file.write(imported.text)
    except FileExistsError:
        leave(CONFIG_WRONG, "%s exists; remove it or name another file" % output)
    except OSError as error:
        leave(CONFIG_WRONG, "cannot write %s: %s" % (output, error.strerror))
    click.echo("wrote %s; try: opcws check --config %s" % (output, word(output)), err=True)


for _command in (
    *(browse.browse, browse.discover, browse.init, browse.config),
    *(keys.cert, keys.token, keys.user),
    *client.COMMANDS,
    doctor.doctor,
    docs.docs,
):
    main.add_command(_command)


# --- what the commands share -------------------------------------------------------------------


def _check_certificates(loaded: config.Config) -> None:
    """Say what there is to say of what clients see; leave if a listener could not use it."""
    from ..commissioning import tls_certificates

    try:
        for notice in tls_certificates.notices(loaded):
            click.echo("warning: " + notice, err=True)
    except ConfigError as error:
        leave(CONFIG_WRONG, *error.problems)


def _set_up_logs(settings: config.Log, options: Mapping[str, Optional[str]]) -> None:
    try:
        logs.setup(_overridden(settings, options))
    except ConfigError as error:
        leave(CONFIG_WRONG, *error.problems)


def _overridden(settings: config.Log, options: Mapping[str, Optional[str]]) -> config.Log:
    """*settings*, but what the command line says goes before."""
    given = {name: value for name, value in options.items() if value is not None}
    return dataclasses.replace(settings, **given)  # type: ignore[arg-type]


def _serve(
    loaded: config.Config,
    stopping: Optional[List[int]] = None,
    announce: bool = False,
    options: Mapping[str, Optional[str]] = {},
) -> None:
    from ..app import Server
    from ..model.deadline import Deadline
    from ..operations.affinity import Affinity
    from ..operations.control import Control
    from ..operations.reloader import Reloader

    if stopping is None:
        stopping = _catch_signals()
    hangups = [] if loaded.path is None else _catch_hangups()
    affinity = Affinity(loaded.process.cpu_affinity)
    try:
        affinity.start()
        server = Server(loaded)
        server.start()
    except ConfigError as error:
        affinity.stop(Deadline(1.0))
        leave(CONFIG_WRONG, *error.problems)
    except ListenError as error:
        affinity.stop(Deadline(1.0))
        # The demo has no configuration to set it in.
        leave(
            CANNOT_LISTEN, str(error).replace("listen.port", "--port") if announce else str(error)
        )
    _collect_seldom()
    server.prepare_log = lambda settings: logs.prepared(_overridden(settings, options))
    reloader: Optional[Reloader] = None
    control: Optional[Control] = None
    try:
        if loaded.path is not None:
            reloader = Reloader(
                loaded, lambda changed: server.reload(changed).lines(), accounts.warnings
            )
            control = Control(loaded.state_dir, loaded.path, {"reload": reloader.request})
            reloader.start()
            control.start()
        if announce:
            for url in server.urls:
                click.echo("Open %s in a browser. Ctrl-C stops it." % url)
        _wait(stopping, hangups, None if reloader is None else reloader.trigger)
    finally:
        deadline = Deadline(RELOAD_STOP_S)
        if reloader is not None:
            reloader.stop(deadline)
        if control is not None:
            control.stop(deadline)
        server.stop()
        affinity.stop(Deadline(1.0))


def _collect_seldom() -> None:
    """Have Python look for cycles less often, and not among what is there now and stays.

    What relays a value makes no cycles, but more objects at a time than the look is due after: of
    an update to each of a thousand clients it was a tenth of the cost.  A client that has gone
    leaves some, a few hundred objects, which may wait for the next look.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 10)


def _catch_signals() -> List[int]:
    """A list that is filled by the first SIGINT, SIGTERM or Ctrl-Break; a second one leaves at
    once.  A list, because a handler may run between any two steps of the main thread and must
    take no lock."""
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


def _catch_hangups() -> List[int]:
    """A list that is filled by SIGHUP, where there is one."""
    caught: List[int] = []
    number = getattr(signal, "SIGHUP", None)
    if number is not None:
        signal.signal(number, lambda number, _frame: caught.append(number))
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
        pause.wait(0.2)  # on Windows a wait without end could not be interrupted
