"""Messages from clients: the requests, closed everywhere.

The rules of each member are those of a given one; :func:`with_nulls` adds that an optional member
may be null, which counts as absent.

The server checks times and values in a request only after it knows that the client may see the
variable (rows 5 to 9 of the failures in PROTOCOL).  So some parts are written twice: as the server
checks them at first, and as they are published (:func:`judged_later`).
"""

from typing import Any, Dict, NamedTuple

from .forms import Rules, listed, only, record, ref, text
from .values import TIME, matching

#: The names of the requests without ``_REQUEST``.
OPERATIONS = (
    *("VALUELIST", "VALUEINFO", "READ", "WRITE", "HISTORICALREAD", "MONITORSTART", "MONITORSTOP"),
)

#: Most items of a list in a request.
MAX_ITEMS = 100_000
#: Longest ClientHandle, in characters or digits.
MAX_HANDLE = 256


class Request(NamedTuple):
    """A request and the rules of its Body; *body_required*: it may not be omitted."""

    title: str
    description: str
    body: Rules
    body_required: bool = True


def judged_later(at_first: Rules, published: Rules) -> Rules:
    return {"at_first": at_first, "published": published}


def chosen(rules: Any, which: str) -> Any:
    """*rules* in which *which* part of each pair replaces the pair."""
    if isinstance(rules, list):
        return [chosen(each, which) for each in rules]
    if not isinstance(rules, dict):
        return rules
    if set(rules) == {"at_first", "published"}:
        return chosen(rules[which], which)
    return {name: chosen(each, which) for name, each in rules.items()}


# --- Null for what is absent ---------------------------------------------------------------------


def or_null(rules: Rules) -> Rules:
    if "type" in rules:
        types = rules["type"] if isinstance(rules["type"], list) else [rules["type"]]
        return {**rules, "type": [*types, "null"]}
    if "anyOf" in rules:
        return {**rules, "anyOf": [*rules["anyOf"], {"type": "null"}]}
    return rules


def with_nulls(rules: Rules) -> Rules:
    """The *rules* of a Header or Body, whose optional members may also be null."""
    made = dict(rules)
    members = rules["properties"]
    given = {name: {"type": each["type"]} for name, each in members.items() if "type" in each}
    required = rules.get("required", ())
    made["properties"] = {
        name: each if name in required else or_null(each) for name, each in members.items()
    }
    if "oneOf" in rules:
        names = [each["required"][0] for each in rules["oneOf"]]
        made["oneOf"] = [
            {
                "required": [name],
                "properties": {
                    each: given[name] if each == name else {"type": "null"} for each in names
                },
            }
            for name in names
        ]
    if "dependencies" in rules:
        made["dependencies"] = {
            name: {
                "anyOf": [
                    {
                        "required": others,
                        "properties": {other: given.get(other, {}) for other in others},
                    },
                    {"properties": {name: {"type": "null"}}},
                ]
            }
            for name, others in rules["dependencies"].items()
        }
    return made


# --- Parts ---------------------------------------------------------------------------------------


def _handle(description: str) -> Rules:
    rules = {"description": description, "type": ["string", "integer"], "maxLength": MAX_HANDLE}
    bounds = {"exclusiveMinimum": -(10.0**MAX_HANDLE), "exclusiveMaximum": 10.0**MAX_HANDLE}
    return judged_later(rules, {**rules, **bounds})


def header(*types: str) -> Rules:
    return record(
        "Type and ClientHandle of the message.",
        {
            "MessageType": {"description": "Type of the message.", **only(*types)},
            "ClientHandle": _handle(
                "Chosen by the client: a string of at most 256 characters or a whole number of "
                "at most 256 digits. The response has the same."
            ),
            "ClientHandler": _handle(
                "Other spelling of ClientHandle. The response then uses it too."
            ),
        },
        ["MessageType"],
        oneOf=[{"required": ["ClientHandle"]}, {"required": ["ClientHandler"]}],
    )


HEADER = header(*(name + "_REQUEST" for name in OPERATIONS))


def _names() -> Rules:
    return listed(
        "Names of the variables. The response has the same order and length.",
        text("Configured name of a variable."),
        maxItems=MAX_ITEMS,
    )


def _variable(description: str = "Name of the one variable.") -> Rules:
    return text(description)


_EITHER: Rules = {"oneOf": [{"required": ["Variable"]}, {"required": ["Variables"]}]}


def _milliseconds(description: str, most: int, digits: int) -> Rules:
    return {
        "description": description,
        "type": ["number", "string"],
        "minimum": 0,
        "maximum": most,
        "pattern": r"^[0-9]{1,%d}(\.[0-9]{1,9})?$" % digits,
    }


def _whole(description: str, most: int, digits: int) -> Rules:
    return {
        "description": description,
        "type": ["integer", "string"],
        "minimum": 0,
        "maximum": most,
        "pattern": "^[0-9]{1,%d}$" % digits,
    }


def _time(description: str) -> Rules:
    rules = {"description": description, "type": "string", "maxLength": 64}
    return judged_later(rules, {**rules, "allOf": [ref("Time")]})


def _flag(description: str) -> Rules:
    return {
        "description": description,
        "type": ["boolean", "string"],
        "pattern": "^(true|false)$",
    }


def _given(name: str) -> Rules:
    return {
        "required": [name],
        "properties": {name: {"type": "string", "minLength": 1}},
    }


# --- Values --------------------------------------------------------------------------------------


def _nullable(rules: Rules) -> Rules:
    types = rules["type"] if isinstance(rules["type"], list) else [rules["type"]]
    return {**rules, "type": [*types, "null"]}


_VARIANT = record(
    "A value with its type. Anything but a JSON object is the Body alone, with the type of the "
    "variable.",
    {
        "Type": {
            "description": 'OPC UA built-in type as id, numeric string or name: 11, "11" or '
            '"Double". Without it, the type of the variable.',
            "type": ["integer", "string", "null"],
            "maxLength": 64,
        },
        "Body": {
            "description": "The value in the JSON form of its type; a list for an array, a flat "
            "list for a matrix. opcws checks it against the type; this schema "
            "does not."
        },
        "Dimensions": _nullable(
            listed(
                "Lengths of a matrix' dimensions, the outermost first.",
                _whole("Length of one dimension.", 2**32 - 1, 10),
                maxItems=100,
            )
        ),
    },
    ["Body"],
)

_DATA_VALUE = record(
    "A value with status and timestamps. opcws writes those that are given.",
    {
        "Value": ref("WrittenVariant", "The value, with or without its type."),
        "Status": _nullable(_whole("OPC UA status, all 32 bits.", 2**32 - 1, 10)),
        "Symbol": _nullable(text("Name of the status. Ignored: Status decides.")),
        "SourceTimestamp": _nullable(
            text("When the source took the value, ISO 8601; UTC without an offset.")
        ),
        "SourcePicoseconds": _nullable(
            _whole("Fraction of SourceTimestamp in units of 10 ps.", 9999, 4)
        ),
        "ServerTimestamp": _nullable(
            text("When the server got the value, ISO 8601; UTC without an offset.")
        ),
        "ServerPicoseconds": _nullable(
            _whole("Fraction of ServerTimestamp in units of 10 ps.", 9999, 4)
        ),
        "StatusCode": _nullable(text("Name of a bad status. Ignored: Status decides.")),
        "Reason": _nullable(text("What a bad status means. Ignored.")),
    },
    ["Value"],
    dependencies={
        "Symbol": ["Status"],
        "StatusCode": ["Status"],
        "SourcePicoseconds": ["SourceTimestamp"],
        "ServerPicoseconds": ["ServerTimestamp"],
    },
)

_ABOUT_VALUE = (
    'What to write: a DataValue, {"Type", "Body"} with Type optional, or just the scalar or list. '
    "A value that is a JSON object itself goes into Body."
)

DEFINITIONS: Dict[str, Rules] = {
    "RequestHeader": HEADER,
    "Time": _nullable(
        matching(
            "A time: ISO 8601, basic or extended, from 1601 to 9999, at most 7 fractional digits; "
            'UTC without an offset. 0001-01-01T00:00:00Z, "" and null are no time.',
            "(%s)?" % TIME,
        )
    ),
    "Write": record(
        "One of several writes.",
        {
            "Variable": text("Configured name of the variable."),
            "Value": ref("WrittenValue", "What to write to it."),
        },
        ["Variable", "Value"],
    ),
    "WrittenValue": judged_later(
        {
            "if": {"type": "object", "required": ["Value"]},
            "then": ref("WrittenDataValue"),
            "else": ref("WrittenVariant"),
        },
        {
            "description": _ABOUT_VALUE,
            "if": {"type": "object"},
            "then": {"anyOf": [ref("WrittenVariant"), ref("WrittenDataValue")]},
        },
    ),
    "WrittenVariant": judged_later(
        {key: rule for key, rule in _VARIANT.items() if key != "type"}, _VARIANT
    ),
    "WrittenDataValue": judged_later(
        {
            **_DATA_VALUE,
            "properties": {
                **_DATA_VALUE["properties"],
                "Value": {"type": "object", "allOf": [ref("WrittenVariant")]},
            },
        },
        _DATA_VALUE,
    ),
}


# --- The requests --------------------------------------------------------------------------------

REQUESTS: Dict[str, Request] = {
    "VALUELIST_REQUEST": Request(
        "Value list request",
        "Asks for the names of all variables that the client may see.",
        {
            **record("Empty: an empty object, an empty string, null, or left out.", {}),
            "type": ["object", "string"],
            "maxLength": 0,
        },
        body_required=False,
    ),
    "VALUEINFO_REQUEST": Request(
        "Value info request",
        "Asks for type, access, description, unit and so on of variables.",
        record("Which variables.", {"Variables": _names()}, ["Variables"]),
    ),
    "READ_REQUEST": Request(
        "Read request",
        "Asks for the present value of one variable, or of several.",
        record(
            "Which variable or variables.",
            {
                "Variable": _variable("Name of the one variable. The response is its DataValue."),
                "Variables": _names(),
                "MaxAge": _milliseconds(
                    "Milliseconds. opcws may answer with a monitored value that is younger than "
                    "this. With 0, the default, it reads from the OPC UA server.",
                    10**15,
                    15,
                ),
            },
            **_EITHER,
        ),
    ),
    "WRITE_REQUEST": Request(
        "Write request",
        "Writes one variable, or several.",
        record(
            "What to write where.",
            {
                "Variable": _variable(),
                "Value": ref("WrittenValue", "What to write to it."),
                "SourceTimestamp": {
                    "description": "Accepted and ignored. The one in Value counts."
                },
                "Writes": listed(
                    "The writes. The response has the same order and length.",
                    ref("Write"),
                    maxItems=MAX_ITEMS,
                ),
            },
            oneOf=[{"required": ["Variable"]}, {"required": ["Writes"]}],
            dependencies={
                "Variable": ["Value"],
                "Value": ["Variable"],
                "SourceTimestamp": ["Variable"],
            },
        ),
    ),
    "HISTORICALREAD_REQUEST": Request(
        "Historical read request",
        "Asks for the history of one variable, raw or aggregated, page by page, with at least "
        "one of StartTime, EndTime and ContinuationPoint; or for the history of several "
        "variables, reduced for a chart, in one response.",
        record(
            "Which variable or variables, and which part of the history.",
            {
                "Variable": text("Configured name of the variable."),
                "Variables": _names(),
                "StartTime": _time(
                    "Start of the period. If it is later than EndTime, the newest values come "
                    'first. ISO 8601, basic or extended; UTC without an offset. null or "" '
                    "counts as absent."
                ),
                "EndTime": _time(
                    "End of the period; without it, the newest value. ISO 8601, basic or "
                    'extended; UTC without an offset. null or "" counts as absent.'
                ),
                "MaxPoints": {
                    "description": "Most values of each variable of a list, from 2 to 10000. If "
                    "a variable has more, opcws leaves some out, but not the "
                    "first, the last, an extreme or a gap.",
                    "type": ["integer", "string"],
                    "minimum": 2,
                    "maximum": 10_000,
                    "pattern": "^([2-9]|[1-9][0-9]{1,3}|10000)$",
                },
                "MaxValues": _whole(
                    "Most values in one response. With 0, the default, the server decides.",
                    2**32 - 1,
                    10,
                ),
                "ReturnBounds": _flag(
                    "Whether to return the values at both ends of the period too."
                ),
                "Aggregate": text(
                    "Name of an aggregate of OPC 10000-13, such as Average, Minimum, Maximum, "
                    "Count or Interpolative."
                ),
                "ProcessingInterval": _milliseconds(
                    "Length of the interval that one aggregated value stands for, in milliseconds.",
                    10**15,
                    15,
                ),
                "ContinuationPoint": text(
                    "Opaque text from an earlier response on this connection, to get the "
                    "next page.",
                    minLength=1,
                ),
            },
            **_EITHER,
            anyOf=[_given("StartTime"), _given("EndTime"), _given("ContinuationPoint")],
            dependencies={
                "Variables": ["StartTime", "MaxPoints"],
                "MaxPoints": ["Variables"],
                **dict.fromkeys(
                    [
                        *("MaxValues", "ReturnBounds", "Aggregate", "ProcessingInterval"),
                        "ContinuationPoint",
                    ],
                    ["Variable"],
                ),
            },
        ),
    ),
    "MONITORSTART_REQUEST": Request(
        "Monitor start request",
        "Starts monitoring one variable, or several, under the header's ClientHandle.",
        record(
            "Which variable or variables.",
            {
                "Variable": _variable(),
                "Variables": _names(),
                "MinInterval": _milliseconds(
                    "Shortest time between two updates in milliseconds. The latest value wins.",
                    2**32 - 1,
                    9,
                ),
                "Since": _time(
                    "opcws first sends every known change since this time, in order, and then "
                    "the present value. ISO 8601, basic or extended; UTC without an offset. null "
                    'or "" counts as absent.'
                ),
                "Backfill": _flag(
                    "Whether opcws, after a reconnect to the OPC UA server, sends the known "
                    "changes from the time without a connection."
                ),
            },
            **_EITHER,
        ),
    ),
    "MONITORSTOP_REQUEST": Request(
        "Monitor stop request",
        "Ends the monitors of the header's ClientHandle and the variable or variables.",
        record(
            "Which variable or variables.",
            {"Variable": _variable(), "Variables": _names()},
            **_EITHER,
        ),
    ),
}
