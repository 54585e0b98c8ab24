"""The host's clock, in OPC UA's ticks."""

import time

from .data_types import EPOCH_S, TICKS_PER_SECOND


def utc_ticks() -> int:
    """Now, in ticks of 100 ns since 1601-01-01 UTC (OPC 10000-6 5.2.2.5)."""
    return EPOCH_S * TICKS_PER_SECOND + time.time_ns() // 100
