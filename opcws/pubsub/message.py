"""A message as it goes to a broker.  Pure."""

from typing import NamedTuple

#: The end of a JSON object that tells that it is late, and of one that tells that messages before
#: it are missing.
_LATE, _LOST = b',"Late":true}', b',"Lost":true}'


class Message(NamedTuple):
    """What is published: to which topic, whether the broker keeps it for those who come later
    (``retain``), and for how many seconds it keeps it for those who are away (0: for ever).

    ``kind`` is the MessageType, empty for a value alone; ``marks`` tells that it is an object that
    says itself that it is late; ``passing``, that it is of no use later; ``token`` is that of the
    store where it waits.
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

    def delayed(self) -> "Message":
        """The same message, which could not go when it was made."""
        if self.late:
            return self
        payload = self.payload[:-1] + _LATE if self.marks else self.payload
        return self._replace(payload=payload, retain=False, late=True)

    def behind_a_loss(self) -> "Message":
        """The same message, before which others of its topic are missing."""
        return self._replace(payload=self.payload[:-1] + _LOST) if self.marks else self
