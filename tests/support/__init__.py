"""Parts of the integration tests: a plant in a process of its own, opcws, a client."""

from .client import Client
from .plant_process import PlantProcess
from .ports import free_port
from .serving import (
    URI,
    connected,
    crowded,
    from_file,
    is_connected,
    raw_socket,
    serve,
    served,
    settings,
    wait_connected,
)
from .threads import no_threads_left, our_threads
from .waiting import PATIENCE, expect, freeze, slack_s, wait_until, whole_lines

__all__ = [
    "Client",
    "PATIENCE",
    "PlantProcess",
    "URI",
    "connected",
    "crowded",
    "expect",
    "free_port",
    "freeze",
    "from_file",
    "is_connected",
    "no_threads_left",
    "our_threads",
    "raw_socket",
    "serve",
    "served",
    "settings",
    "slack_s",
    "wait_connected",
    "wait_until",
    "whole_lines",
]
