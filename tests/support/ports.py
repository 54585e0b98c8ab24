"""Ports that nobody listens on."""

import itertools
import os
import socket
import zlib

#: Below those that systems give to whoever asks for just any: what is free when it is looked at
#: is free when it is used, also by a server that was killed and comes back.
PORTS = range(20000, 32768)
_turns = itertools.count()


def free_port() -> int:
    """A port that nobody listens on; another one each time, in each process of one test run."""
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
