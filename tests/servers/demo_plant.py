"""The simulated plant alone, as a process that can be killed."""

import argparse
import logging
import os
import signal
import stat
import sys
import threading
from typing import Optional, Sequence

from opcws.demo import Plant
from opcws.model.errors import ListenError


def _stop_with_parent(stop: threading.Event) -> None:
    """Set *stop* when the pipe that is our standard input closes: its other end is gone."""
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass
    stop.set()


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the plant alone, until a signal or, if standard input is a pipe, until it closes."""
    parser = argparse.ArgumentParser(prog="demo_plant", description="A simulated plant.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=4840, help="0 takes a free one")
    parser.add_argument(
        "--namespace",
        action="append",
        default=[],
        metavar="URI",
        help="register this namespace before the plant's own (repeatable)",
    )
    options = parser.parse_args(argv)
    logging.getLogger("opcua").setLevel(logging.ERROR)
    stop = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: stop.set())
    # Only a pipe: a service's standard input is at its end from the start.
    if sys.stdin is not None and stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(
            target=_stop_with_parent, args=(stop,), name="opcws-demo-stdin", daemon=True
        ).start()
    plant = Plant(options.port, options.host, options.namespace)
    try:
        plant.start()
    except ListenError as error:
        print("demo_plant: %s" % error, file=sys.stderr)
        return 3
    print("ready %s" % plant.endpoint, flush=True)
    # In steps: on Windows a wait without a limit cannot be interrupted.
    while not stop.wait(0.5):
        pass
    plant.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
