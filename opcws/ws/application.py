"""The interface between a connection and the application that it serves."""

from typing import Any, Optional

from ..access.authenticator import Authenticator
from ..gateway.client import Client
from ..operations.page_texts import PageTexts
from ..operations.view_files import ViewFiles
from . import http_message
from .http_message import Response


class Application:
    """What a connection serves; its methods run on the connection's reader thread."""

    #: Whether :meth:`handle` takes binary messages, as ``bytes``; if not, they close with 1003.
    binary = False
    #: Checks credentials and roles.
    authenticator = Authenticator()
    #: Texts of the page in other languages.
    texts = PageTexts("")
    #: Time zone of the plant, an IANA name; ``None`` if not configured.
    time_zone: Optional[str] = None

    def open(self, client: Client, wants_status: bool) -> None:
        """The client is connected."""
        raise NotImplementedError

    def handle(self, client: Client, message: Any) -> None:
        """Answer one message (a ``str`` if it is text), now or later, with exactly one reply."""
        raise NotImplementedError

    def close(self, client: Client) -> None:
        """The client has gone."""
        raise NotImplementedError

    def report(self, endpoint: str) -> Response:
        """The document at one of :data:`opcws.config.roles.ENDPOINTS`."""
        raise http_message.refuse(404, "nothing is here")

    def views(self) -> ViewFiles:
        """The shared views of the page."""
        raise http_message.refuse(404, "nothing is here")
