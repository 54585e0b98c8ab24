"""How long a client may be slow.

The rule: while something waits for it, a client must take :data:`LEAST_BYTES`, or all there is,
in every ``listen.send_timeout_s``.  One that trickles is as bad as one that takes nothing: it
holds a full queue for hours.
"""

#: Bytes that a client must take per ``send_timeout_s`` while more waits for it: 4.4 kbit/s with
#: the default of 30 s, which every line worth the name has.
LEAST_BYTES = 16384


class Patience:
    """With a client for which something waits since *now* (s), when it had *taken* so many bytes.

    Bytes that the system has taken but the peer has not do not count where the system tells of
    them: large buffers would hide a client that reads slowly, and one that reads nothing.
    """

    def __init__(self, now: float, taken: int) -> None:
        self._since = now
        self._taken = taken

    def lost(self, now: float, taken: int, limit_s: float) -> bool:
        """Whether it took less than :data:`LEAST_BYTES` for *limit_s* seconds."""
        if taken - self._taken >= LEAST_BYTES:
            self._since, self._taken = now, taken
        return now - self._since > limit_s
