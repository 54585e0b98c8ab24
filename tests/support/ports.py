"""Free ports."""

import contextlib
import itertools
import os
import socket
import zlib
from typing import Sequence


def _ports() -> Sequence[int]:
    """Below the ports that this system assigns to sockets without one: a free port stays free until
    it is used, also by a server that was killed and comes back."""
    lowest = 32768
    with contextlib.suppress(OSError), open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        lowest = int(file.read().split()[0])
    end = min(max(lowest, 16000), 32768)
    return range(end - 12000, end)


PORTS = _ports()
_turns = itertools.count()


def free_port() -> int:
    """A free port; another one each time, in each process of a test run."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    each = len(PORTS) // processes
    for _ in PORTS:
        place = (zlib.crc32(run.encode("ascii")) + next(_turns)) % each
        port = PORTS[place * processes + mine]
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port is taken")
