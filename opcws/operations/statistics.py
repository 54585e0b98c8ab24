"""How long service calls took, as values: between those who measure and ``/metrics``.  Pure."""

from typing import NamedTuple, Tuple


class Histogram(NamedTuple):
    """How many service calls took at most so long (``counts`` goes with :data:`DURATIONS_S` and
    has one more for those above all of them; not cumulative), and the seconds of all together."""

    counts: Tuple[int, ...]
    seconds: float


#: Upper limits of the buckets for service calls, in seconds.
DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
