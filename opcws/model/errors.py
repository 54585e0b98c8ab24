"""The error tree.  Every error has the OPC UA status code for the client.

    OpcwsError                      anything that opcws raises on purpose
     +- ConfigError                 the configuration is wrong (all problems at once)
     +- ListenError                 an address cannot be listened on
     +- ControlError                a running opcws cannot be reached by a command
     +- RequestError                the request as a message failed: ``Header.StatusCode``
     |   +- MalformedMessage        not JSON, or no valid header: answered with ``ERROR``
     |       +- TooDeep             deeper than the limit allows
     +- ServiceError                the request is good, its subject is not: ``Body.StatusCode``
     |   +- ValueRejected           the value cannot be what the variable is
     |   +- PlantError              the OPC UA side could not do it
     +- CodecError                  OPC UA binary that does not follow Part 6
         +- ExpandsTooFar           or that would become far more than it is

``status`` is the symbolic name of OPC 10000-4 7.39 (``"BadNotConnected"``), ``reason`` one
English sentence that says what to change.
"""

from typing import Any, Mapping, Optional, Sequence, Union


class OpcwsError(Exception):
    """Base of all errors of this package; ``str(error)`` is the reason."""

    status = "BadInternalError"

    def __init_subclass__(cls, status: Optional[str] = None) -> None:
        if status is not None:
            cls.status = status

    def __init__(self, reason: str, status: Optional[str] = None) -> None:
        super().__init__(reason)
        self.reason = reason
        if status is not None:
            self.status = status


class ConfigError(OpcwsError, status="BadConfigurationError"):
    """The configuration is wrong.  ``problems`` has one sentence per problem, each with file, line
    and path."""

    def __init__(self, problems: Union[str, Sequence[str]]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class ListenError(OpcwsError, status="BadCommunicationError"):
    """An address cannot be listened on."""


class ControlError(OpcwsError, status="BadCommunicationError"):
    """A running opcws cannot be reached by a command."""


class RequestError(OpcwsError, status="BadAttributeIdInvalid"):
    """The request as a message failed; answered with ``Header.StatusCode``."""


class MalformedMessage(RequestError, status="BadRequestHeaderInvalid"):
    """The message is not a request; answered with an ``ERROR`` message.

    ``handle`` is the value of the ``ClientHandle`` member if it is usable, ``handle_name`` the
    client's spelling of the member.  ``message`` is the message if it is an object with a
    ``Header``.
    """

    def __init__(
        self,
        reason: str,
        status: Optional[str] = None,
        handle: object = None,
        handle_name: str = "ClientHandle",
    ) -> None:
        super().__init__(reason, status)
        self.handle = handle
        self.handle_name = handle_name
        self.message: Mapping[str, Any] = {}


class TooDeep(MalformedMessage, status="BadDecodingError"):
    """Objects and arrays of the message are nested deeper than ``max_depth`` allows."""


class ServiceError(OpcwsError, status="BadUnexpectedError"):
    """The request is good, its subject is not; answered with ``Body.StatusCode``."""


class ValueRejected(ServiceError, status="BadTypeMismatch"):
    """The value does not fit the variable: ``BadTypeMismatch`` or ``BadOutOfRange``."""


class PlantError(ServiceError, status="BadCommunicationError"):
    """The OPC UA side could not do it; the default status says that the connection broke.

    ``beginning`` is the beginning of an answer that was too large.
    """

    beginning = b""


class CodecError(OpcwsError, status="BadDecodingError"):
    """Bytes that do not follow OPC 10000-6."""


class ExpandsTooFar(CodecError, status="BadEncodingLimitsExceeded"):
    """Few bytes that would take very much memory, or text."""
