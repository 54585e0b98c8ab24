"""How often threads that wait for Python's interpreter lock (GIL) ask for it.

Each thread that waits wakes up after :func:`sys.getswitchinterval` to ask whoever holds the lock
for it.  With the 5 ms of Python, a thousand clients that begin to monitor at a time leave a CPU no
time for anything else, for seconds.  So the interval grows with the number of threads, and the
wake-ups of all together are bounded.

Threads: any.
"""

import sys
import threading

#: Wake-ups of all threads in a second, at most; and bounds of the interval (s): few threads have
#: Python's own, and nobody waits noticeably for a thread that only calculates.
WAKES_PER_S = 20000
LEAST_S, MOST_S = 0.005, 0.1


def adapt() -> None:
    """Set the interval for the threads that there are now."""
    sys.setswitchinterval(min(MOST_S, max(LEAST_S, threading.active_count() / WAKES_PER_S)))
