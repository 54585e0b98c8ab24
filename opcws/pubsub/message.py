"""Messages to a broker and from one.  Pure."""

from typing import Mapping, NamedTuple, Tuple

#: The end of a JSON object that is late, and of one before which messages are missing.
_LATE, _LOST = b',"Late":true}', b',"Lost":true}'


class Message(NamedTuple):
    """A message to publish: its topic, whether the broker retains it (``retain``), and for how many
    seconds the broker keeps it for absent subscribers (0: for ever).

    ``kind`` is the MessageType, empty for a value alone; ``marks`` says that the payload is an
    object that can be marked as late; ``passing``, that it is useless later; ``token`` is its token
    in the store.  ``reply_to`` is the topic for the answer, ``correlation`` identifies the answer,
    ``told`` are the other user properties (MQTT 5 4.10).
    """

    topic: str
    payload: bytes
    retain: bool = False
    expiry_s: int = 0
    kind: str = ""
    late: bool = False
    marks: bool = False
    passing: bool = False
    token: int = 0
    reply_to: str = ""
    correlation: bytes = b""
    told: Tuple[Tuple[str, str], ...] = ()

    def delayed(self) -> "Message":
        """The same message, marked as late."""
        if self.late:
            return self
        payload = self.payload[:-1] + _LATE if self.marks else self.payload
        return self._replace(payload=payload, retain=False, late=True)

    def behind_a_loss(self) -> "Message":
        """The same message, marked because earlier ones of its topic are missing."""
        return self._replace(payload=self.payload[:-1] + _LOST) if self.marks else self


class Incoming(NamedTuple):
    """A received message; ``kept`` if it was retained, the rest as in :class:`Message`."""

    topic: str
    payload: bytes
    kept: bool
    expiry_s: int = 0
    reply_to: str = ""
    correlation: bytes = b""
    told: Mapping[str, str] = {}
