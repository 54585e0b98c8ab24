"""Durations of service calls, for ``/metrics``.  Pure."""

from typing import NamedTuple, Tuple


class Histogram(NamedTuple):
    """Numbers of service calls by duration (``counts`` has one for each of :data:`DURATIONS_S`, and
    one more for longer calls; not cumulative), and their total seconds."""

    counts: Tuple[int, ...]
    seconds: float


#: Upper limits of the buckets for service calls, in seconds.
DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
