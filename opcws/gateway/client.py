"""One connected client, as the gateway knows it."""

import threading
import time
from typing import Callable, Dict, List, NamedTuple, Optional

from ..access.authenticator import Grant
from ..config.roles import Role
from ..config.settings import Limits
from ..model.errors import RequestError
from ..operations.limit_hits import LimitHits
from ..wire.frames import text_frame
from .monitor import Monitors
from .outbox import LargeReply, Outbox
from .past import Pasts
from .plant_interface import ContinuationPoint, HistoryQuery, HistorySource, Wake
from .relay import Relay

#: A response with more bytes is not made before it is sent.
LARGE_REPLY = 65536


class HeldPoint(NamedTuple):
    """A continuation point of a client, with its request and its source."""

    query: HistoryQuery
    point: ContinuationPoint
    source: HistorySource


class Client:
    """One connected client, as the gateway knows it.

    *name* is the name of the connection in the log; *peer* the client's ``address:port``;
    *identity* its user, token or certificate, empty without a credential.  *dialect* is
    ``values_to_json.TYPED`` or ``values_to_json.STRING``.  *limits* are those of the listener;
    those of the *role* override them.  *limit_hits* counts for the whole server.  Only the
    connection's reader thread uses its tables; :meth:`reply` may be called from any.
    """

    def __init__(
        self,
        name: str,
        outbox: Outbox,
        dialect: str,
        role: Role,
        limits: Limits,
        peer: str = "",
        identity: str = "",
        limit_hits: Optional[LimitHits] = None,
    ) -> None:
        self.name = name
        self.peer = peer
        self.identity = identity
        #: The grant with the role, if the client has shown a credential.
        self.grant: Optional[Grant] = None
        #: Tells the role of now, ``None`` if there is none any more, where no grant does.
        self.judge: Optional[Callable[[], Optional[Role]]] = None
        self.outbox = outbox
        self.dialect = dialect
        self._listener_limits = limits
        self.role = role
        self.limits = role.limited(limits)
        #: Whether it wants the state of the OPC UA servers, and which servers send it, with the
        #: numbers of their variables or without.
        self.wants_status = False
        self.listens: Dict[Relay, bool] = {}
        self.limit_hits = limit_hits or LimitHits()
        self.monitors = Monitors()
        self.continuation_points: Dict[str, HeldPoint] = {}
        #: The past values that its monitors are about to get.
        self.pasts = Pasts(self, self.limits.backfill_values)
        # Guards continuation_points, which history threads fill and the reader empties; removing
        # and replacing monitors, to which only the reader adds; and what depends on the role.
        self.lock = threading.Lock()
        #: No more work is done for this client.
        self.closed = False
        #: Begin the closing handshake, with this close code and reason; from any thread.
        self.disconnect: Callable[[int, str], None] = lambda code, reason: None
        self._allowance = max(1.0, float(self.limits.requests_per_second))
        self._counted = time.monotonic()

    def take_role(self, role: Role) -> None:
        """Take *role* from now on."""
        self.role = role
        self.limits = role.limited(self._listener_limits)

    @property
    def gone(self) -> bool:
        """Whether it has left, or is being closed; its requests are not executed any more."""
        return self.closed or self.outbox.finished

    def reply(self, text: str) -> None:
        self.outbox.put_reply(text_frame(text))
        self.outbox.wake()

    def reply_soon(self, text: str) -> Wake:
        """:meth:`reply`, but without sending: the returned function sends.  A thread with several
        replies calls it once, after the last."""
        self.outbox.put_reply(text_frame(text))
        return self.outbox.wake

    def flush(self) -> None:
        """Send the replies of :meth:`reply_soon`."""
        self.outbox.wake()

    def reply_listed(self, items: List[str], make: Callable[[], str]) -> None:
        """Reply with the response that *make* makes of *items*, its texts.  A variable that the
        client named several times is in memory only once until it is sent.  Raises
        :exc:`~opcws.model.errors.RequestError` if the response is larger than may wait for a
        client."""
        most = self.limits.outbox_bytes
        size = sum(map(len, items)) + len(items)
        if size > most:
            self.limit_hits.hit("outbox_bytes")
            raise RequestError(
                "the response would have more than the %d bytes that may wait for a client; ask "
                "for fewer variables at a time, or for limits.outbox_bytes to be raised" % most,
                "BadResponseTooLarge",
            )
        if size < LARGE_REPLY:
            self.reply(make())
        else:
            self.reply_large(size, make)

    def reply_large(self, size: int, make: Callable[[], str]) -> None:
        """Reply with the *size* characters, about, that *make* makes when they are sent."""
        self.outbox.put_reply(LargeReply(size, lambda: text_frame(make())))
        self.outbox.wake()

    def within_rate(self) -> bool:
        """Whether one more request is within ``limits.requests_per_second`` (0: no limit),
        with bursts of one second's worth."""
        rate = self.limits.requests_per_second
        if not rate:
            return True
        now = time.monotonic()
        burst = max(1.0, float(rate))
        self._allowance = min(burst, self._allowance + (now - self._counted) * rate)
        self._counted = now
        if self._allowance < 1.0:
            self.limit_hits.hit("requests_per_second")
            return False
        self._allowance -= 1.0
        return True
