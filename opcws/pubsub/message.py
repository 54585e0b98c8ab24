"""A message as it goes to a broker, and as it comes from one.  Pure."""

from typing import Mapping, NamedTuple, Tuple

#: The end of a JSON object that tells that it is late, and of one that tells that messages before
#: it are missing.
_LATE, _LOST = b',"Late":true}', b',"Lost":true}'


class Message(NamedTuple):
    """What is published: to which topic, whether the broker keeps it for those who come later
    (``retain``), and for how many seconds it keeps it for those who are away (0: for ever).

    ``kind`` is the MessageType, empty for a value alone; ``marks`` tells that it is an object that
    says itself that it is late; ``passing``, that it is of no use later; ``token`` is that of the
    store where it waits.  ``reply_to`` is the topic at which an answer is waited for,
    ``correlation`` what tells which answer it is, ``told`` the other user properties (MQTT 5 4.10).
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
        """The same message, which could not go when it was made."""
        if self.late:
            return self
        payload = self.payload[:-1] + _LATE if self.marks else self.payload
        return self._replace(payload=payload, retain=False, late=True)

    def behind_a_loss(self) -> "Message":
        """The same message, before which others of its topic are missing."""
        return self._replace(payload=self.payload[:-1] + _LOST) if self.marks else self


class Incoming(NamedTuple):
    """A message that came; ``kept`` if the broker had kept it, the rest as in :class:`Message`."""

    topic: str
    payload: bytes
    kept: bool
    expiry_s: int = 0
    reply_to: str = ""
    correlation: bytes = b""
    told: Mapping[str, str] = {}
