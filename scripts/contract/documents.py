"""Documents of the server over HTTP, and a line of its audit log.

They are open at the top, like messages of the server; the rules within a member are closed.
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
            "Newest version of the contract that the server speaks, MAJOR.MINOR.",
            r"[0-9]{1,9}\.[0-9]{1,9}",
        ),
        "Identity": text(
            "Name of the user, token or certificate. Empty if the client has shown no credential."
        ),
        "Role": text("Name of its role."),
        "MayConnect": flag("Whether the client may open a WebSocket."),
        "History": flag("Whether the client may read history."),
        "Views": flag("Whether the client may change the shared views."),
        "Endpoints": listed(
            "Which HTTP endpoints the client may request in addition to the public ones.",
            text("Name of an endpoint, such as status."),
        ),
        "Login": listed(
            "Ways to log in: token, password. A later version may add others. Empty if there are "
            "no roles.",
            text("One way."),
        ),
        "TimeZone": text("The plant's time zone, an IANA name, if the configuration has it."),
    }


#: Members that version 1.0 has, too.
_ALWAYS = [name for name in _who() if name not in ("Views", "TimeZone")]


def _token() -> Rules:
    return {
        "AccessToken": text("Token to send as Authorization: Bearer.", minLength=1),
        "ExpiresIn": whole("Number of seconds for which the token is valid.", 1, _COUNT),
    }


_HEAD: Rules = {
    "id": text("Id of the write. An intent and its result have the same.", minLength=1),
    "connection": text("Name of the connection, as in the log and in /status."),
    "peer": text("Address and port of the client; for a flood only the address."),
    "identity": text(
        "Name of the user, token or certificate. Empty if the client has shown no credential."
    ),
    "role": text("Name of its role."),
}
_OUTCOME: Rules = {
    "status": matching("Name of the status code of the result.", STATUS_NAME),
    "code": whole("The status code, all 32 bits.", 0, 2**32 - 1),
}


def _is(event: str, required: List[str]) -> Rules:
    """The rule for lines of the kind *event*."""
    return {
        "if": {"properties": {"event": only(*event.split())}},
        "then": {"required": required},
    }


_AUDIT = record(
    "A line of the audit log: a write before it goes to the plant (intent), its result, or a "
    "refused write; the number of refused writes of one client without a line of their own "
    "(flood); the number of lines that could not be written (lost). Open: a later version may "
    "add members.",
    {
        "time": ref("DateTime", "Time of the event, UTC."),
        "event": {
            "description": "Kind of the line.",
            **only("intent", "result", "refused", "flood", "lost"),
        },
        **_HEAD,
        "server": text("Configured name of the OPC UA server."),
        "variable": text("Name of the variable, as configured or as the client gave it."),
        "node": text("Configured node of the variable."),
        "old": ref("Variant", "The value before the write, if known."),
        "old_begins": text("Beginning of the JSON of a value that is too long for the line."),
        "old_length": whole("Length of that JSON in characters.", 1, _COUNT),
        "new": {"description": "The value as the client sent it."},
        "new_begins": text("Beginning of the JSON of a value that is too long for the line."),
        "new_length": whole("Length of that JSON in characters.", 1, _COUNT),
        **_OUTCOME,
        "reason": text("Why the write was refused or failed.", minLength=1),
        "since": ref("DateTime", "For a flood or lost lines: since when, UTC."),
        "lines": whole("For a flood or lost lines: how many.", 1, _COUNT),
        "last_variable": text("For a flood: variable of the last write, as the client gave it."),
        "last_status": matching("For a flood: why the last write was refused.", STATUS_NAME),
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
    "Range of an axis of a chart. Without Low and High it is the EURange.",
    {
        "Unit": text(
            "Unit of the values on the axis. Empty for values without a unit.", maxLength=64
        ),
        "Low": number("Lowest value on the axis."),
        "High": number("Highest value on the axis."),
    },
    ["Unit"],
    dependencies={"Low": ["High"], "High": ["Low"]},
)

_PANEL = record(
    "One part of a view.",
    {
        "Kind": {
            "description": "chart: curves over time. values: the present values as tiles.",
            **only("chart", "values"),
        },
        "Title": text("Heading of the part.", maxLength=120),
        "Variables": listed(
            "Names of the variables, in their order.",
            text("The name.", minLength=1, maxLength=256),
            minItems=1,
            maxItems=16,
        ),
        "Hidden": listed(
            "Names of the variables whose curves are hidden.",
            text("The name.", minLength=1, maxLength=256),
            maxItems=16,
        ),
        "Span": number(
            "Number of seconds that the chart shows, if it differs from the view.", minimum=1
        ),
        "Axes": listed(
            "Axes with a fixed range; the others follow the values.", _AXIS, maxItems=16
        ),
        "Width": whole("Width in twelfths of the page. Default: 6.", 1, 12),
        "Height": whole("Height in rows. Default: 2.", 1, 12),
    },
    ["Kind", "Variables"],
)

_VIEW = record(
    "Charts and present values, arranged on the page. The page exports and imports views, and "
    "opcws keeps shared ones at /views. Closed: opcws refuses unknown members.",
    {
        "Name": matching(
            "Name of the view. Names that differ only in capitals are the same.",
            r"[^\x00-\x1f\x7f]{1,64}",
        ),
        "Span": number(
            "Number of seconds, up to now, that the charts show. Default: 300.", minimum=1
        ),
        "From": ref(
            "DateTime", "Start of a fixed period that the charts show instead of the last seconds."
        ),
        "To": ref("DateTime", "End of that period."),
        "Panels": listed("Parts of the view, in reading order.", _PANEL, maxItems=50),
    },
    ["Name", "Panels"],
    dependencies={"From": ["To"], "To": ["From"]},
)

DOCUMENTS: Dict[str, Document] = {
    "whoami.schema": Document(
        "Answer of /whoami",
        record(
            "Name and rights of the client, and the version of the contract. Open: a later "
            "version may add members.",
            _who(),
            _ALWAYS,
            open=True,
        ),
    ),
    "login.schema": Document(
        "Answer of /login",
        record(
            "The answer of /whoami for the user, and a token. Open: a later version may add "
            "members.",
            {**_who(), **_token()},
            [*_ALWAYS, *_token()],
            open=True,
        ),
    ),
    "view.schema": Document("View of the page", _VIEW),
    "audit.schema": Document("Line of the audit log", _AUDIT),
}
