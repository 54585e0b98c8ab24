"""What a connection serves, told by what a connection calls."""

from typing import Any, Optional

from ..access.authenticator import Authenticator
from ..gateway.client import Client
from ..operations.page_texts import PageTexts
from ..operations.view_files import ViewFiles
from . import http_message
from .http_message import Response


class Application:
    """What a connection serves; the methods run on the connection's reader thread."""

    #: Whether :meth:`handle` takes binary messages, as ``bytes``; without it one closes with 1003.
    binary = False
    #: Judges who may do what.
    authenticator = Authenticator()
    #: Texts of the page in other languages.
    texts = PageTexts("")
    #: The plant's, an IANA name; ``None`` if nobody said.
    time_zone: Optional[str] = None

    def open(self, client: Client, wants_status: bool) -> None:
        """The client is connected."""
        raise NotImplementedError

    def handle(self, client: Client, message: Any) -> None:
        """Answer one message, a ``str`` if it is a text, now or later, with exactly one reply."""
        raise NotImplementedError

    def close(self, client: Client) -> None:
        """The client has gone."""
        raise NotImplementedError

    def report(self, endpoint: str) -> Response:
        """The document at one of :data:`opcws.config.roles.ENDPOINTS`."""
        raise http_message.refuse(404, "nothing is here")

    def views(self) -> ViewFiles:
        """The views of the page that are for everybody."""
        raise http_message.refuse(404, "nothing is here")
