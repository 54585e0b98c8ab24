"""How often threads that wait for Python's interpreter lock (GIL) request it.

Each waiting thread wakes up after :func:`sys.getswitchinterval` to request the lock from its
holder.  With Python's 5 ms, a thousand clients that begin to monitor at the same time leave a CPU
no time for anything else, for seconds.  So the interval grows with the number of threads, which
bounds the wake-ups of all of them together.

Threads: any.
"""

import sys
import threading

#: Most wake-ups of all threads per second, and bounds of the interval in seconds: few threads keep
#: Python's own, and nobody waits noticeably for a thread that only calculates.
WAKES_PER_S = 20000
LEAST_S, MOST_S = 0.005, 0.1


def adapt() -> None:
    """Set the interval for the present number of threads."""
    sys.setswitchinterval(min(MOST_S, max(LEAST_S, threading.active_count() / WAKES_PER_S)))
