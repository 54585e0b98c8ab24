"""Limits on connections: handshakes at once, clients at once, both also per address, and wrong
credentials.

Rules:

* A connection in its handshake does not count as a client.  When there are too many of them, the
  oldest one of the address that has the most is ended: silent sockets shut out only their own
  address, and one machine's flood does not end another one's handshake.
* A client is counted after its opening handshake was read, so that a refusal is a proper answer,
  over TLS too, and pages, ``/healthz`` and ``/metrics`` are available when all places are taken.
* Only a request with a credential waits here, until enough other credentials of its address have
  been checked; nothing is sent or logged while the lock is held.
* A credential that a foreign page makes its visitor's browser send is counted apart from the
  visitor's own: such a page cannot lock out its visitors.

Threads: ``arrived`` is called by the accept thread, the others by connections' readers.
"""

import math
import threading
import time
from typing import Any, Callable, Dict, Optional, TypeVar

from ..access.lockout import Lockout
from ..config.settings import Limits
from ..model.addresses import counted_as, within
from ..model.deadline import Deadline
from ..operations.limit_hits import LimitHits
from .http_message import Refused, Request, refuse

#: Seconds after which a refused client may try again.
RETRY_S = 10

_Found = TypeVar("_Found")


class ConnectionLimits:
    """The counts of one listener.  Limits are given at each call, because they may change."""

    def __init__(self, limit_hits: LimitHits) -> None:
        self._limit_hits = limit_hits
        # Guards everything below, for a few operations on the tables; notified when a credential
        # was checked.
        self._lock = threading.Condition()
        # Connections in their handshake by address, oldest first.
        self._handshakes: Dict[str, Dict[Any, None]] = {}
        self._address_of: Dict[Any, str] = {}
        # The address of each client that has a place, and how many each address has.
        self._clients: Dict[Any, str] = {}
        self._places: Dict[str, int] = {}
        self._lockout = Lockout()

    def arrived(self, connection: Any, host: str, limits: Limits) -> Optional[Any]:
        """*connection* begins its handshake.  Returns the connection to end for it, if any."""
        address = counted_as(host)
        with self._lock:
            self._handshakes.setdefault(address, {})[connection] = None
            self._address_of[connection] = address
            if len(self._address_of) <= limits.max_handshakes:
                return None
            victim = self._oldest()
        self._limit_hits.hit("max_handshakes")
        return victim

    def give_way(self) -> Optional[Any]:
        """The connection to end because there is no room for another one."""
        with self._lock:
            return self._oldest()

    def admit(self, connection: Any, host: str, limits: Limits) -> None:
        """Count *connection*, from *host*, as a client.

        Raises :exc:`~opcws.ws.http_message.Refused` with 503 or 429.
        """
        address = counted_as(host)
        bound = limits.max_connections_per_address
        if within(host, limits.exempt_addresses):
            bound = 0
        with self._lock:
            if len(self._clients) >= limits.max_connections:
                limit = "max_connections"
            elif bound and self._places.get(address, 0) >= bound:
                limit = "max_connections_per_address"
            else:
                self._leave_handshakes(connection)
                self._clients[connection] = address
                self._places[address] = self._places.get(address, 0) + 1
                return
        wait = ("Retry-After", str(RETRY_S))
        if limit == "max_connections":
            raise refuse(503, "too many connections; try again later", wait, limit=limit)
        raise refuse(429, "too many connections from your address; close some", wait, limit=limit)

    def ended(self, connection: Any) -> None:
        """*connection* has ended, in its handshake or later."""
        with self._lock:
            self._leave_handshakes(connection)
            address = self._clients.pop(connection, None)
            if address is not None:
                self._places[address] -= 1
                if not self._places[address]:
                    del self._places[address]

    def attempt(
        self,
        host: str,
        request: Request,
        from_elsewhere: bool,
        limits: Limits,
        deadline: Deadline,
        answer: Callable[[], _Found],
    ) -> _Found:
        """What *answer* returns or raises for *request* from *host*; *from_elsewhere* says that a
        foreign page may have caused it.  Refuses it while *host* must wait because of wrong
        credentials; remembers whether this one is wrong.

        Raises :exc:`~opcws.ws.http_message.Refused` with 429, or 503 at *deadline*.
        """
        if not presents_credentials(request):
            return answer()
        address = counted_as(host) + (" elsewhere" if from_elsewhere else "")
        with self._lock:
            turn = self._lockout.attempt(address, time.monotonic(), limits)
            while turn.in_line:
                if deadline.expired:
                    wait = ("Retry-After", str(RETRY_S))
                    raise refuse(503, "too many credentials at once; try again later", wait)
                self._lock.wait(deadline.remaining())
                turn = self._lockout.attempt(address, time.monotonic(), limits)
        if turn.wait:
            raise refuse(
                429,
                "too many wrong credentials from your address; wait",
                ("Retry-After", "%d" % math.ceil(turn.wait)),
                limit="wrong_credentials",
            )
        wrong = False
        try:
            return answer()
        except Refused as refused:
            wrong = refused.response.status == 401
            raise
        finally:
            with self._lock:
                if wrong:
                    self._lockout.wrong(address, time.monotonic(), limits, turn)
                else:
                    self._lockout.right(address, time.monotonic(), turn)
                self._lock.notify_all()

    # --- under the lock -------------------------------------------------------------------------

    def _oldest(self) -> Optional[Any]:
        if not self._handshakes:
            return None
        heaviest = max(self._handshakes.values(), key=len)
        victim = next(iter(heaviest))
        self._leave_handshakes(victim)
        return victim

    def _leave_handshakes(self, connection: Any) -> None:
        address = self._address_of.pop(connection, None)
        if address is not None:
            waiting = self._handshakes[address]
            del waiting[connection]
            if not waiting:
                del self._handshakes[address]


def presents_credentials(request: Request) -> bool:
    """Whether *request* has a credential that could be guessed: a password or a token."""
    protocols = request.header("sec-websocket-protocol") or ""
    return (
        request.header("authorization") is not None
        or "access_token" in request.query
        or "opcws.token." in protocols
    )
