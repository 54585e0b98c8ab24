"""What the server says over HTTP, and a line of its audit log.

Open at the top, as what the server sends on the socket is; what is within a member is closed.
"""

from typing import Dict, List, NamedTuple

from .forms import Rules, flag, listed, number, only, record, ref, text, whole
from .values import STATUS_NAME, matching

_COUNT = 2**53 - 1


class Document(NamedTuple):
    title: str
    rules: Rules


def _who() -> Rules:
    return {
        "Contract": matching(
            "Version of the contract, MAJOR.MINOR: the newest that the server speaks.",
            r"[0-9]{1,9}\.[0-9]{1,9}",
        ),
        "Identity": text("Who the client is; empty if it has shown no credential."),
        "Role": text("Name of its role."),
        "MayConnect": flag("Whether it may open a WebSocket."),
        "History": flag("Whether it may read history."),
        "Views": flag("Whether it may change the views that are for everybody."),
        "Endpoints": listed(
            "What it may see beyond what everybody may.", text("The name, such as status.")
        ),
        "Login": listed(
            "How one can log in here: token, password, or what a later version adds; empty where "
            "there are no roles.",
            text("One way."),
        ),
        "TimeZone": text("The plant's time zone, an IANA name, if the configuration has it."),
    }


#: What version 1.0 has, too.
_ALWAYS = [name for name in _who() if name not in ("Views", "TimeZone")]


def _token() -> Rules:
    return {
        "AccessToken": text("To be shown as Authorization: Bearer.", minLength=1),
        "ExpiresIn": whole("Seconds that it is good for.", 1, _COUNT),
    }


_HEAD: Rules = {
    "id": text("Of the write; an intent and its result have the same.", minLength=1),
    "connection": text("Name of the connection, as in the log and in /status."),
    "peer": text("Address and port of the client; of a flood the address alone."),
    "identity": text("Who the client is; empty if it has shown no credential."),
    "role": text("Name of its role."),
}
_OUTCOME: Rules = {
    "status": matching("Name of the status code of the outcome.", STATUS_NAME),
    "code": whole("The status code, all 32 bits.", 0, 2**32 - 1),
}


def _is(event: str, required: List[str]) -> Rules:
    """The rule for lines of the kind *event*."""
    return {
        "if": {"properties": {"event": only(*event.split())}},
        "then": {"required": required},
    }


_AUDIT = record(
    "A line of the audit log: a write, before it goes to the plant (intent) and after it (result), "
    "or a refused one; how many refused ones of one client have no line (flood); how many lines "
    "could not be written (lost). Open: a later version may add members.",
    {
        "time": ref("DateTime", "When the line was made, UTC."),
        "event": {
            "description": "What kind of line it is.",
            **only("intent", "result", "refused", "flood", "lost"),
        },
        **_HEAD,
        "server": text("Configured name of the OPC UA server."),
        "variable": text("Name of the variable, as configured or as the client gave it."),
        "node": text("Its node, as configured."),
        "old": ref("Variant", "The value that it had, if that is known."),
        "old_begins": text("The beginning of the JSON of a value that is too long."),
        "old_length": whole("Characters of that JSON.", 1, _COUNT),
        "new": {"description": "What the client wrote, as it wrote it."},
        "new_begins": text("The beginning of the JSON of a value that is too long."),
        "new_length": whole("Characters of that JSON.", 1, _COUNT),
        **_OUTCOME,
        "reason": text("Why it was refused or has failed.", minLength=1),
        "since": ref("DateTime", "Of a flood or of lost lines: since when, UTC."),
        "lines": whole("Of a flood or of lost lines: how many.", 1, _COUNT),
        "last_variable": text("Of a flood: the variable of the last one, as the client gave it."),
        "last_status": matching("Of a flood: why the last one was refused.", STATUS_NAME),
    },
    ["time", "event"],
    open=True,
    dependencies={
        "old_begins": ["old_length"],
        "old_length": ["old_begins"],
        "new_begins": ["new_length"],
        "new_length": ["new_begins"],
    },
    allOf=[
        _is("intent result refused", list(_HEAD)),
        _is("intent result", ["server", "variable", "node"]),
        _is("result refused", list(_OUTCOME)),
        _is("flood", ["since", "peer", "lines", "last_status"]),
        _is("lost", ["since", "lines"]),
    ],
)

_AXIS = record(
    "How an axis of a chart is laid.  Without Low and High it is that of the EURange.",
    {
        "Unit": text("The unit of the values on it; empty for those without one.", maxLength=64),
        "Low": number("The lowest value on it."),
        "High": number("The highest value on it."),
    },
    ["Unit"],
    dependencies={"Low": ["High"], "High": ["Low"]},
)

_PANEL = record(
    "One part of a view.",
    {
        "Kind": {
            "description": "A chart over time, or the present values as tiles.",
            **only("chart", "values"),
        },
        "Title": text("What stands above it.", maxLength=120),
        "Variables": listed(
            "Names of the variables in it, in their order.",
            text("The name.", minLength=1, maxLength=256),
            minItems=1,
            maxItems=16,
        ),
        "Hidden": listed(
            "Those whose curves are not drawn.",
            text("The name.", minLength=1, maxLength=256),
            maxItems=16,
        ),
        "Span": number("Seconds that the chart shows, if other than the view.", minimum=1),
        "Axes": listed("The axes that do not follow the values.", _AXIS, maxItems=16),
        "Width": whole("How wide it is, in twelfths of the page; 6 without it.", 1, 12),
        "Height": whole("How high it is, in rows; 2 without it.", 1, 12),
    },
    ["Kind", "Variables"],
)

_VIEW = record(
    "Charts and present values, arranged on the page. What can be exported there, imported, and "
    "kept at /views. Closed: an unknown member is refused.",
    {
        "Name": matching("Its name; capitals do not tell names apart.", r"[^\x00-\x1f\x7f]{1,64}"),
        "Span": number("Seconds up to now that its charts show; 300 without it.", minimum=1),
        "From": ref("DateTime", "The beginning of what they show instead of the last seconds."),
        "To": ref("DateTime", "The end of it."),
        "Panels": listed("Its parts, in the order of reading.", _PANEL, maxItems=50),
    },
    ["Name", "Panels"],
    dependencies={"From": ["To"], "To": ["From"]},
)

DOCUMENTS: Dict[str, Document] = {
    "whoami.schema": Document(
        "Answer of /whoami",
        record(
            "Who a client is, what it may, and which contract the server speaks. Open: a later "
            "version may add members.",
            _who(),
            _ALWAYS,
            open=True,
        ),
    ),
    "login.schema": Document(
        "Answer of /login",
        record(
            "What /whoami says of the user, and a token. Open: a later version may add members.",
            {**_who(), **_token()},
            [*_ALWAYS, *_token()],
            open=True,
        ),
    ),
    "view.schema": Document("View of the page", _VIEW),
    "audit.schema": Document("Line of the audit log", _AUDIT),
}
