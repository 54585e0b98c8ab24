"""What can go wrong for a client.

    ClientError                  anything that this package raises on purpose
     +- AddressError             the address, or a file that goes with it, cannot be used
     +- ConnectError             opcws cannot be reached, or what is there is not opcws
     |   +- NotTrusted           its certificate is not good
     |   +- NotAllowed           it wants a credential, or the one shown is wrong or too little
     |   +- Busy                 it takes no more connections for now (429, 503)
     +- ConnectionLost           the connection broke
     +- NoAnswer                 no answer in time
     +- RequestRefused           the request as a message was refused (``Header.StatusCode``)
     +- VariableError            the request was good, its variable or value is not

Like every error of opcws they have ``status``, a symbolic name of OPC 10000-4 7.39, and
``reason``, one English sentence.
"""

from typing import Optional

from ..model.errors import OpcwsError


class ClientError(OpcwsError, status="BadUnexpectedError"):
    """Base of all errors of :mod:`opcws.client`."""


class AddressError(ClientError, status="BadTcpEndpointUrlInvalid"):
    """The address, or a file that goes with it, cannot be used."""


class ConnectError(ClientError, status="BadCommunicationError"):
    """opcws cannot be reached, or what is there is not opcws."""


class NotTrusted(ConnectError, status="BadCertificateUntrusted"):
    """TLS failed: a certificate is missing, unknown, expired or for another host.

    ``lacks`` says what would help: ``"authority"``, a file with the authority; ``"certificate"``, a
    certificate of the client; ``""`` for neither.
    """

    def __init__(self, reason: str, lacks: str = "") -> None:
        super().__init__(reason)
        self.lacks = lacks


class NotAllowed(ConnectError, status="BadUserAccessDenied"):
    """``http_status`` is 401 (no credential, or a wrong one) or 403 (a right one that does not
    suffice)."""

    def __init__(self, reason: str, http_status: int) -> None:
        super().__init__(reason)
        self.http_status = http_status


class Busy(ConnectError, status="BadTcpServerTooBusy"):
    """opcws accepts no more connections for ``retry_after_s`` seconds."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class ConnectionLost(ClientError, status="BadConnectionClosed"):
    """The connection broke; ``close_code`` is that of RFC 6455 7.4, if there was one."""

    def __init__(self, reason: str, close_code: Optional[int] = None) -> None:
        super().__init__(reason)
        self.close_code = close_code


class NoAnswer(ClientError, status="BadTimeout"):
    """No answer in time."""


class RequestRefused(ClientError):
    """opcws refused the whole request."""


class VariableError(ClientError):
    """The request was good, but *variable* or the value is not; ``status`` and ``reason`` come from
    opcws or the OPC UA server."""

    def __init__(self, variable: str, status: str, reason: str) -> None:
        super().__init__(reason, status)
        self.variable = variable
