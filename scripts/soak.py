"""Soak opcws: an hour, or as long as you like, of connects, monitors, writes, faults, slow clients
and garbage, against real processes.

    python3 scripts/soak.py --minutes 60        (Windows: py scripts\\soak.py --minutes 60)

Prints every minute the threads, sockets and memory of ``opcws serve`` and what its clients saw, and
at the end a verdict: no value lost or twice that was not announced, nothing left of any client.
The exit code is 1 if there is anything to look at.  Other options: --help.

With --failover it is two collectors, Mosquitto, edges and their clients, and a fault every minute:
kills, splits, a broker that goes away.  It prints after each for how long no value came.  Only on
Linux.
"""

import sys

# Before the imports, which an older Python 3 cannot even parse.
if sys.version_info < (3, 8):
    sys.exit(
        "soak.py: needs Python 3.8 or newer, this is %d.%d; install a newer one, and start this "
        "with it." % sys.version_info[:2]
    )

import os
from typing import List

import environment

#: Run in this Python, which has the packages of the tests.
HERE = "--this-python"
FAILOVER = "--failover"


def main(arguments: List[str]) -> None:
    os.chdir(str(environment.ROOT))
    if HERE in arguments:
        arguments.remove(HERE)
        python = sys.executable
    else:
        python = environment.prepare("test", "test")
    module = "tests.support.soak"
    if FAILOVER in arguments:
        arguments.remove(FAILOVER)
        module = "tests.support.failover"
    environment.become([python, "-m", module, *arguments])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
