"""Text to Request, Response to text: the envelope of PROTOCOL section 2.

Pure.  A request is parsed here up to its header (rows 1 to 3 of the failure table); the contract
and the gateway handle the body.  Responses are assembled as text around the parts that others made,
because most of them are one line.

All text written is ASCII: :func:`quote` escapes other characters, lone surrogates included, so that
any handle of a client can be echoed in valid UTF-8.
"""

import json
import re
import sys
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Dict, List, Mapping, NamedTuple, NoReturn, Optional, Tuple

from ..model.errors import MalformedMessage, RequestError, TooDeep
from .contract import OPERATIONS, without_nulls
from .values_to_json import STRING, TYPED, double_text

#: Longest ClientHandle, in characters or digits: every monitor stores it.
MAX_HANDLE = 256
#: Most digits of a whole number, as in Python since the releases of September 2022.
MAX_DIGITS = 4300
#: How deep objects and arrays of a request may be nested, which a thread's stack can hold; it is
#: enough for values_from_json.MAX_NESTING.
MAX_DEPTH = 200


_OPERATION_OF = {name + "_REQUEST": name for name in OPERATIONS}
_TOO_LONG = 10**MAX_HANDLE


class Request(NamedTuple):
    """A request whose header is good.

    ``handle`` is the one that the client chose, ``handle_name`` its spelling of the member,
    ``body`` the Body (``{}`` if absent or empty), ``message`` the whole message as parsed.
    """

    operation: str
    handle: Any
    handle_name: str
    body: Dict[str, Any]
    message: Dict[str, Any]

    @property
    def message_type(self) -> str:
        return self.operation + "_REQUEST"


def parse(text: str, max_depth: int = MAX_DEPTH) -> Request:
    """Parse a request.  Raises :exc:`~opcws.model.errors.MalformedMessage` for rows 1 to 3, but no
    other :exc:`~opcws.model.errors.RequestError`.  *max_depth* is at most :data:`MAX_DEPTH`."""
    if text.count("[") + text.count("{") > max_depth:
        _check_depth(text, max_depth)
    try:
        message = _decoded(text)
    except _Refused as refused:
        raise MalformedMessage(str(refused), "BadDecodingError") from None
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(
            "the message is not JSON: %s" % _short(error), "BadDecodingError"
        ) from None
    if not isinstance(message, dict):
        raise MalformedMessage(
            "expected a JSON object with Header and Body, got %s" % describe(message),
            "BadDecodingError",
        )
    header = message.get("Header")
    if not isinstance(header, dict):
        if "Header" not in message:
            raise MalformedMessage("Header is missing")
        raise MalformedMessage("Header: expected an object, got %s" % describe(header))
    handle, handle_name = header.get("ClientHandle"), "ClientHandle"
    message_type = header.get("MessageType")
    operation = _OPERATION_OF.get(message_type) if isinstance(message_type, str) else None
    try:
        if type(handle) is not str or len(handle) > MAX_HANDLE or "ClientHandler" in header:
            handle, handle_name = _handle(header)
        if operation is None or len(header) != 2:
            _refuse_header(header, handle, handle_name)
    except MalformedMessage as problem:
        problem.message = message
        raise
    body = message.get("Body", "")
    if body is None:
        body = message["Body"] = ""
    elif type(body) is dict and None in body.values():
        body = message["Body"] = without_nulls(str(message_type), body)
    return Request(
        operation,
        handle,
        handle_name,
        body if isinstance(body, dict) else {},
        message,
    )


def _check_depth(text: str, max_depth: int) -> None:
    """Refuse a *text* nested deeper than *max_depth* before the parser recurses into it: from 3.12
    on its own limit is about 10,000 levels, too many for a thread's stack of 1 MiB."""
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        if bracket in "]}":
            depth -= 1
            continue
        depth += 1
        if depth > max_depth:
            raise TooDeep("objects and arrays are nested more than %d levels deep" % max_depth)


# The last quote is optional, so that an unfinished string is scanned only once.
_STRINGS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKETS = re.compile(r"[\[\]{}]")


def _handle(header: Dict[str, Any]) -> Tuple[Any, str]:
    """The handle, and its spelling; a null one counts as absent and is removed."""
    names = [each for each in header if each in _HANDLES]
    for name in [each for each in names if header[each] is None][: 2 if len(names) == 2 else 0]:
        del header[name]
        names.remove(name)
    if not names:
        raise MalformedMessage("Header.ClientHandle is missing")
    handle = _one_handle(names[0], header[names[0]])
    if len(names) == 2:
        reason = "Header: give ClientHandle or ClientHandler, not both"
        raise MalformedMessage(reason, None, handle, names[0])
    return handle, names[0]


_HANDLES = ("ClientHandle", "ClientHandler")


def _one_handle(name: str, handle: Any) -> Any:
    if isinstance(handle, str):
        if len(handle) > MAX_HANDLE:
            raise MalformedMessage(
                "Header.%s: expected at most %d characters, got %d"
                % (name, MAX_HANDLE, len(handle))
            )
        return handle
    if isinstance(handle, float) and handle.is_integer():
        handle = int(handle)
    if not isinstance(handle, int) or isinstance(handle, bool):
        raise MalformedMessage(
            "Header.%s: expected a string or an integer, got %s" % (name, describe(handle))
        )
    if abs(handle) >= _TOO_LONG:
        raise MalformedMessage("Header.%s: expected at most %d digits" % (name, MAX_HANDLE))
    return handle


def _refuse_header(header: Dict[str, Any], handle: Any, handle_name: str) -> NoReturn:
    message_type = header.get("MessageType")
    if "MessageType" not in header:
        reason = "Header.MessageType is missing"
    elif not isinstance(message_type, str):
        reason = "Header.MessageType: expected a string, got %s" % describe(message_type)
    elif message_type not in _OPERATION_OF:
        reason = "Header.MessageType: expected one of %s, got %s" % (
            ", ".join(sorted(_OPERATION_OF)),
            describe(message_type),
        )
    else:
        unknown = sorted(set(header) - {"MessageType", handle_name})[0]
        reason = "Header.%s: unknown member, expected MessageType and ClientHandle" % _short(
            unknown
        )
    raise MalformedMessage(reason, None, handle, handle_name)


def describe(value: Any) -> str:
    """A JSON value in a few characters, for a reason text."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return _short(json.dumps(value))


def _short(thing: object) -> str:
    text = str(thing)
    return text if len(text) <= 60 else text[:57] + "..."


def _decoded(text: str) -> Any:
    """*text* as JSON.  Raises :exc:`ValueError`, possibly :exc:`_Refused`.

    Checking the members of every object for duplicates costs more than all the rest.  But each
    member has one colon: if the text has as many colons as the decoded objects have members, no
    member got lost, and no colon is in a string.
    """
    if len(text) <= _SHORT:
        try:
            message, end = _scan_once(text, 0)
        except (StopIteration, ValueError):
            pass
        else:
            if end == len(text) and text.count(":") == _members(message):
                return message
    return _DECODER.decode(text)


def _members(value: Any) -> int:
    """The number of members of the objects in *value*; too low if an object is in an array."""
    if type(value) is not dict:
        return 0
    count = len(value)
    for member in value.values():
        if type(member) is dict:
            count += _members(member)
    return count


class _Refused(ValueError):
    """The text is JSON, but opcws does not accept it."""


def _object(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen = set()
        for name, _value in pairs:
            if name in seen:
                raise _Refused("the member %s appears twice in one object" % _short(quote(name)))
            seen.add(name)
    return made


def _constant(name: str) -> NoReturn:
    raise ValueError('%s is not JSON; write it as the string "%s"' % (name, name))


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _Refused("a whole number has more than %d digits" % MAX_DIGITS)
    return int(digits)


#: Longest text, in characters, to be decoded the quick way first; twice would cost too much.
_SHORT = 4096
_TAKEN: Dict[str, Any] = {"parse_constant": _constant}
if not hasattr(sys, "set_int_max_str_digits"):
    # In this Python a million digits take seconds, in which other clients would wait.
    _TAKEN["parse_int"] = _integer
_scan_once = json.JSONDecoder(**_TAKEN).scan_once  # type: ignore[attr-defined]
_DECODER = json.JSONDecoder(object_pairs_hook=_object, **_TAKEN)


# --- responses ---------------------------------------------------------------------------------


def header(message_type: str, handle: Any, dialect: str, handle_name: str = "ClientHandle") -> str:
    """``{"Header":{...`` up to the place of StatusCode or Body; *handle* as it came."""
    if isinstance(handle, str):
        written = quote(handle)
    elif dialect == STRING:
        written = '"%d"' % handle
    else:
        written = str(handle)
    return '{"Header":{"MessageType":"%s","%s":%s' % (message_type, handle_name, written)


def response(request: Request, dialect: str, members: str) -> str:
    """The response whose Body has the *members* (JSON text without braces, may be empty)."""
    head = header(request.operation + "_RESPONSE", request.handle, dialect, request.handle_name)
    return "%s},%s}" % (head, _body(members, dialect))


def failure(request: Request, dialect: str, status: str, reason: str) -> str:
    """The response for a valid request that failed: ``Body.StatusCode``."""
    return response(request, dialect, status_members(status, reason))


def refusal(request: Request, dialect: str, status: str, reason: str) -> str:
    """The response for a request that failed as a message: ``Header.StatusCode``, no Body."""
    head = header(request.operation + "_RESPONSE", request.handle, dialect, request.handle_name)
    return "%s,%s}}" % (head, status_members(status, reason))


def error(problem: RequestError, dialect: str) -> str:
    """The ERROR message for a message that is no valid request."""
    handle = problem.handle if isinstance(problem, MalformedMessage) else None
    members = status_members(problem.status, problem.reason)
    if handle is None:
        return '{"Header":{"MessageType":"ERROR",%s}}' % members
    assert isinstance(problem, MalformedMessage)
    return "%s,%s}}" % (header("ERROR", handle, dialect, problem.handle_name), members)


def status_members(status: str, reason: str) -> str:
    return '"StatusCode":"%s","Reason":%s' % (status, quote(reason))


def update_prefix(handle: Any, variable: str, dialect: str) -> str:
    """A MONITORUPDATE_MESSAGE up to the comma before the DataValue's members."""
    return '%s},"Body":{"Variable":%s' % (
        header("MONITORUPDATE_MESSAGE", handle, dialect),
        quote(variable),
    )


def update(prefix: str, members: str) -> str:
    """The MONITORUPDATE_MESSAGE of an :func:`update_prefix`."""
    return "%s,%s}}" % (prefix, members) if members else prefix + "}}"


#: How many failed variables ``/status`` names.
MAX_FAILURES = 100


class Health(NamedTuple):
    """The state of the variables of one OPC UA server: how many are configured, how many of them
    are monitored now, and which the server refuses, with status and reason."""

    configured: int
    active: int
    failed: Mapping[str, Tuple[str, str]]

    def members(self, with_reasons: bool = False) -> Dict[str, Any]:
        """The members of SERVERSTATUS_MESSAGE and, *with_reasons*, of ``/status``."""
        members: Dict[str, Any] = {
            "Configured": self.configured,
            "Active": self.active,
            "Failed": len(self.failed),
        }
        if with_reasons and self.failed:
            members["Failures"] = [
                {"Variable": name, "StatusCode": status, "Reason": reason}
                for name, (status, reason) in sorted(self.failed.items())[:MAX_FAILURES]
            ]
        return members


def server_status(
    server: str,
    state: str,
    since: str,
    reason: Optional[str],
    endpoint: Optional[str] = None,
    health: Optional[Health] = None,
    dialect: str = TYPED,
) -> str:
    """A SERVERSTATUS_MESSAGE; *since* is an ISO 8601 time, *endpoint* the one of several in use."""
    members = '"Server":%s,"State":"%s","Since":"%s"' % (quote(server), state, since)
    if reason is not None:
        members += ',"Reason":' + quote(reason)
    if endpoint is not None:
        members += ',"Endpoint":' + quote(endpoint)
    if health is not None:
        form = ',"%s":"%d"' if dialect == STRING else ',"%s":%d'
        members += "".join([form % member for member in health.members().items()])
    return '{"Header":{"MessageType":"SERVERSTATUS_MESSAGE"},"Body":{%s}}' % members


def _body(members: str, dialect: str) -> str:
    if members:
        return '"Body":{%s}' % members
    return '"Body":""' if dialect == STRING else '"Body":{}'


def json_text(value: Any, dialect: str) -> str:
    """Any JSON value as text.  In the string dialect every scalar is a string, and null, an empty
    object and an empty array are ``""``.  Floats that JSON does not have become strings."""
    if isinstance(value, dict):
        if not value and dialect == STRING:
            return '""'
        return "{%s}" % ",".join(
            "%s:%s" % (quote(str(name)), json_text(member, dialect))
            for name, member in value.items()
        )
    if isinstance(value, (list, tuple)):
        return array_text([json_text(member, dialect) for member in value], dialect)
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return '""' if dialect == STRING else "null"
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float):
        return double_text(value, dialect)
    else:
        text = str(value)
    return '"%s"' % text if dialect == STRING else text


def array_text(items: List[str], dialect: str) -> str:
    """A JSON array of *items*, which are JSON texts."""
    return "[%s]" % ",".join(items) if items or dialect != STRING else '""'
