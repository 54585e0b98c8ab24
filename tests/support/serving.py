"""opcws in this process, in front of the simulated plant."""

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import Any, Dict, Iterator, List

from opcws.app import Server
from opcws.config import load, loads
from opcws.demo import variables
from opcws.operations import open_files
from opcws.ua.supervisor import Supervisor

from .threads import no_threads_left
from .waiting import PATIENCE, wait_until

URI = "urn:demo:plant"

#: Settings of a plant server in tests, in which nothing is given up for being slow.
PATIENT = {"connect_timeout_ms": PATIENCE * 1000, "request_timeout_ms": PATIENCE * 1000}


def settings(endpoint: str, **changes: Any) -> Dict[str, Any]:
    """A configuration for the demo plant at *endpoint*, fast enough for tests; a test of a
    request's timeout sets its own.

    *changes*: ``listen`` and ``server`` are merged into their sections, ``variables`` replace
    the demo's, ``more_servers`` are added.
    """
    listed: Dict[str, Any] = {}
    for variable in variables():
        entry: Dict[str, Any] = {"node": variable.node}
        if variable.access != "read":
            entry["access"] = variable.access
        listed[variable.name] = entry
    server = {
        "endpoint": endpoint,
        "publishing_interval_ms": 50,
        "sampling_interval_ms": 0,
        "queue_size": 1000,
        **PATIENT,
        "heartbeat_interval_ms": 1000,
        "reconnect_min_ms": 100,
        "reconnect_max_ms": 500,
        "variables": changes.get("variables", listed),
    }
    server.update(changes.get("server", {}))
    listen = {"host": "127.0.0.1", "port": 0, "close_timeout_s": 1}
    listen.update(changes.get("listen", {}))
    more = {name: {**PATIENT, **each} for name, each in changes.get("more_servers", {}).items()}
    return {"listen": listen, "servers": {"plant": server, **more}}


def serve(endpoint: str, **changes: Any) -> Server:
    """opcws in this process in front of the demo plant at *endpoint*, started."""
    server = Server(loads(json.dumps(settings(endpoint, **changes))))
    server.start()
    return server


def from_file(directory: Path, settings: Dict[str, Any]) -> Server:
    """opcws with a file of *settings* in *directory*, started."""
    path = directory / "opcws.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    server = Server(load(path))
    server.start()
    return server


@contextlib.contextmanager
def connected(server: Server) -> Iterator[Server]:
    """*server*, connected, and stopped at the end; other servers may run beside it."""
    try:
        wait_connected(server)
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def served(endpoint: str, **changes: Any) -> Iterator[Server]:
    """opcws as by ``serve``, connected, and stopped at the end."""
    with connected(serve(endpoint, **changes)) as server:
        yield server
    no_threads_left()


def wait_connected(server: Server) -> None:
    for plant in server.plants.values():
        wait_until(lambda each=plant.supervisor: is_connected(each), "%s connected" % plant.name)


def is_connected(supervisor: Supervisor) -> bool:
    """Whether it is connected and has reported that, which happens a moment later."""
    told = supervisor.state == "connected" and supervisor.settled.is_set()
    return supervisor.connected and told


@contextlib.contextmanager
def crowded() -> Iterator[None]:
    """Use up all descriptors that ``select`` can wait for, as a thousand clients would."""
    open_files.allow(2048)
    taken: List[int] = []
    try:
        while not taken or taken[-1] < 1024:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)


def raw_socket(server: Server) -> socket.socket:
    """A TCP connection to the first listener."""
    return socket.create_connection(server.listeners[0].addresses[0], timeout=PATIENCE)
