"""The commands: parse, call, print; no logic.

Exit codes: 0 good, 1 the configuration is wrong, 2 usage, 3 cannot listen, 4 (check) some OPC UA
server or node is unreachable.
"""

import dataclasses
import logging
import os
import signal
import sys
import threading
import warnings
from types import FrameType
from typing import List, Optional

import click

from . import __version__, accounts, asneg, cli_docs, cli_keys, config, logs
from .cli_common import (
    CANNOT_LISTEN,
    CONFIG_WRONG,
    UNREACHABLE,
    config_option,
    counted,
    leave,
    load,
    log_options,
)
from .errors import ConfigError, ListenError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="opcws")
def main() -> None:
    """Named variables of OPC UA servers over WebSocket, as JSON."""
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
    _set_up_logs(loaded.log, log_level, log_file, log_format)
    for warning in [*loaded.warnings, *accounts.warnings(loaded)]:
        logging.getLogger("opcws").warning("%s", warning)
    _serve(loaded)


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
    from .check import check as run

    logging.getLogger("opcua").setLevel(logging.CRITICAL)
    logging.getLogger("opcws").setLevel(logging.CRITICAL)
    findings = run(loaded)
    for finding in findings:
        mark = "ok " if finding.good else "BAD"
        click.echo(
            "%s  %s" % (click.style(mark, fg="green" if finding.good else "red"), finding.text)
        )
    bad = sum(not finding.good for finding in findings)
    if bad:
        click.echo("%s of %d to look at" % (counted(bad, "line"), len(findings)), err=True)
        sys.exit(UNREACHABLE)


@main.command()
@click.option("--port", default=8081, show_default=True, help="Port of opcws; 0 takes a free one.")
@click.option("--plant-port", default=0, help="Port of the simulated plant; by default a free one.")
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
    from .demo import Plant, config_text

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
        click.echo("  opcws serve --config %s" % write_config)
        return
    _set_up_logs(config.Log(), log_level, log_file, log_format)
    plant = Plant(plant_port)
    stopping = _catch_signals()
    try:
        plant.start()
    except ListenError as error:
        leave(CANNOT_LISTEN, str(error))
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
    click.echo("wrote %s; try: opcws check --config %s" % (output, output), err=True)


for _command in (cli_keys.cert, cli_keys.token, cli_keys.user, cli_docs.docs):
    main.add_command(_command)


# --- what the commands share -------------------------------------------------------------------


def _check_certificates(loaded: config.Config) -> None:
    """Say what there is to say of what clients see; leave if a listener could not use it."""
    from . import listencert

    try:
        for notice in listencert.notices(loaded):
            click.echo("warning: " + notice, err=True)
    except ConfigError as error:
        leave(CONFIG_WRONG, *error.problems)


def _set_up_logs(
    settings: config.Log, level: Optional[str], file: Optional[str], form: Optional[str]
) -> None:
    given = {"level": level, "file": file, "format": form}
    changed = {name: value for name, value in given.items() if value is not None}
    try:
        logs.setup(dataclasses.replace(settings, **changed))  # type: ignore[arg-type]
    except ConfigError as error:
        leave(CONFIG_WRONG, *error.problems)


def _serve(
    loaded: config.Config, stopping: Optional[List[int]] = None, announce: bool = False
) -> None:
    from .app import Server

    if stopping is None:
        stopping = _catch_signals()
    try:
        server = Server(loaded)
        server.start()
    except ConfigError as error:
        leave(CONFIG_WRONG, *error.problems)
    except ListenError as error:
        leave(CANNOT_LISTEN, str(error))
    try:
        if announce:
            for url in server.urls:
                click.echo("Open %s in a browser. Ctrl-C stops it." % url)
        _wait(stopping)
    finally:
        server.stop()


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


def _wait(stopping: List[int]) -> None:
    pause = threading.Event()
    while not stopping:
        pause.wait(0.2)  # on Windows a wait without end could not be interrupted
