"""What the server sends: responses, messages unasked, and documents over HTTP.

Open are the message, its Header, its Body and each item of a list in the Body: a later minor
version may add members there.  What is within a member is closed.
"""

from typing import Any, Dict, NamedTuple

from .forms import Rules, flag, listed, only, record, ref, text, whole
from .requests import OPERATIONS
from .values import (
    BAD_NAME,
    DATA_VALUE_RULES,
    ENDPOINT,
    INDEX_RANGE,
    STATUS_RULES,
    TYPES,
    data_value_members,
    matching,
    reason,
    status_code,
    variable,
)


class Answer(NamedTuple):
    """A message from the server: the name of its header's definition, and its Body; the rules of
    the Body are those of the typed dialect, and ``None`` if there is none."""

    title: str
    description: str
    header: str
    body: Any


_HANDLE = (
    "String of at most 256 characters or whole number chosen by the client, echoed unchanged. (In "
    "the string dialect a number comes back as a string.)"
)


def _header(description: str, *types: str, **members: Rules) -> Rules:
    members = {
        "MessageType": {"description": "Which message it is.", **only(*types)},
        **members,
    }
    return record(description, members, ["MessageType"], open=True)


def _handles() -> Rules:
    return {
        "ClientHandle": {"description": _HANDLE, "type": ["string", "integer"]},
        "ClientHandler": {
            "description": "The other spelling of ClientHandle: as in the request.",
            "type": ["string", "integer"],
        },
    }


def _failure() -> Rules:
    return {
        "StatusCode": matching(
            "Symbolic name of a bad OPC UA status code: the request as a message failed, and there "
            "is no Body.",
            BAD_NAME,
        ),
        "Reason": reason(
            "Beside StatusCode: one English sentence that says what to change, with the JSON path."
        ),
    }


HEADERS: Dict[str, Rules] = {
    "ResponseHeader": {
        **_header(
            "What the message is, and whose.",
            *(name + "_RESPONSE" for name in OPERATIONS),
            **_handles(),
            **_failure(),
        ),
        "oneOf": [{"required": ["ClientHandle"]}, {"required": ["ClientHandler"]}],
        "dependencies": {"StatusCode": ["Reason"], "Reason": ["StatusCode"]},
    },
    "MonitorUpdateHeader": _header(
        "What the message is, and whose: ClientHandle is that of the MONITORSTART.",
        "MONITORUPDATE_MESSAGE",
        ClientHandle=_handles()["ClientHandle"],
    ),
    "ServerStatusHeader": _header("What the message is.", "SERVERSTATUS_MESSAGE"),
    "ErrorHeader": {
        **_header(
            "What the message is, and what is wrong; whose, if that can be told.",
            "ERROR",
            **_handles(),
            **_failure(),
        ),
        # Not beside the others: fastjsonschema 2.21, the last for Python 3.8, stumbles over it.
        "allOf": [{"not": {"required": ["ClientHandle", "ClientHandler"]}}],
    },
}
HEADERS["MonitorUpdateHeader"]["required"] += ["ClientHandle"]
HEADERS["ErrorHeader"]["required"] += ["StatusCode", "Reason"]


# --- Parts of a Body -----------------------------------------------------------------------------


def _fate() -> Rules:
    return {"StatusCode": status_code(), "Reason": reason()}


def _written() -> Rules:
    return {
        "Status": whole(
            "OPC UA status, all 32 bits, of a write that succeeded, but not plainly: GoodClamped, "
            "GoodCompletesAsynchronously; left out when 0 (Good).",
            1,
            2**32 - 1,
        ),
        "Symbol": matching(
            "Name of the status' code; left out when Status is 0.",
            "(Good|Uncertain)[A-Za-z0-9_]*",
        ),
        **_fate(),
    }


_TOGETHER: Rules = {"dependencies": {"StatusCode": ["Reason"], "Reason": ["StatusCode"]}}


def _history(item: str) -> Rules:
    return {
        "DataValues": listed("The values, in the order asked for.", ref(item)),
        "Status": whole(
            "OPC UA status, all 32 bits, of values that may not be all: "
            "GoodResultsMayBeIncomplete. Reason says what is missing. Left out when 0 (Good).",
            1,
            2**32 - 1,
        ),
        "Symbol": matching(
            "Name of the status' code; left out when Status is 0.",
            "(Good|Uncertain)[A-Za-z0-9_]*",
        ),
        "StatusCode": status_code(),
        "Reason": reason(),
    }


_HISTORY_RULES: Rules = {
    "dependencies": {
        "Status": ["DataValues", "Symbol", "Reason"],
        "Symbol": ["Status"],
        "StatusCode": ["Reason"],
        "Reason": {"anyOf": [{"required": ["StatusCode"]}, {"required": ["Status"]}]},
    },
}


def _history_source(description: str) -> Rules:
    return text(
        description + ": plant, the OPC UA server; own, the recorder of opcws; both; or what a "
        "later minor version adds.",
        minLength=1,
    )


def _item(description: str, members: Rules, **rules: Any) -> Rules:
    return record(
        description, {"Variable": variable(), **members}, ["Variable"], open=True, **rules
    )


DEFINITIONS: Dict[str, Rules] = {
    **HEADERS,
    "VariableValue": _item(
        "The DataValue of one variable.", data_value_members(), **DATA_VALUE_RULES
    ),
    "Result": _item("The fate of one item; without StatusCode it is good.", _fate(), **_TOGETHER),
    "WriteResult": _item(
        "The fate of one item; without StatusCode it is good.", _written(), **STATUS_RULES
    ),
    "HistoricalValue": record(
        "A DataValue of the history.", data_value_members(), open=True, **DATA_VALUE_RULES
    ),
    "History": _item(
        "The history of one variable for a chart, or why there is none.",
        {**_history("DataValue"), "HistorySource": _history_source("Who kept it")},
        oneOf=[{"required": ["DataValues"]}, {"required": ["StatusCode"]}],
        dependencies={**_HISTORY_RULES["dependencies"], "HistorySource": ["DataValues"]},
    ),
    "EngineeringUnits": record(
        "Unit of the value (OPC 10000-8 5.6.3.3).",
        {
            "DisplayName": text("Short name, such as °C."),
            "Description": text("Full name, such as degree Celsius."),
            "UnitId": whole("Number of the unit, for machines.", -(2**31), 2**31 - 1),
        },
    ),
    "Range": record(
        "Range of the value in normal operation (OPC 10000-8 5.6.2).",
        {"Low": ref("Double", "Lowest value."), "High": ref("Double", "Highest value.")},
        ["Low", "High"],
    ),
    "Limits": record(
        "Alarm limits of the value, by the names of LimitAlarmType (OPC 10000-9 5.8.18). They "
        "rise; one that is not set is left out.",
        {
            "LowLow": ref("Double", "Below it the value is very low."),
            "Low": ref("Double", "Below it the value is low."),
            "High": ref("Double", "Above it the value is high."),
            "HighHigh": ref("Double", "Above it the value is very high."),
        },
        minProperties=1,
    ),
    "EnumValue": record(
        "One value of an enumeration.",
        {
            "Value": whole("The number.", -(2**63), 2**63 - 1),
            "DisplayName": text("Its name."),
            "Description": text("What it means."),
        },
        ["Value", "DisplayName"],
    ),
    "VariableInfo": _item(
        "What is known about one variable.",
        {
            "Type": {
                "description": "Name of the OPC UA built-in type; absent if not known.",
                **only(*TYPES.values()),
            },
            "IsArray": flag("Whether the value is an array or matrix; absent if not known."),
            "MetaData": ref("MetaData", "Free object from the configuration."),
            "NodeId": ref("NodeOfVariable", "The node on the OPC UA server."),
            "Server": text("Configured name of the OPC UA server."),
            "Access": text(
                "What this client may: read, readwrite or write, or what a later minor version "
                "adds; absent if the OPC UA server lets opcws do nothing with it.",
                minLength=1,
            ),
            "Description": text("The node's description."),
            "EngineeringUnits": ref("EngineeringUnits", "Unit of the value (OPC 10000-8 5.6.3.3)."),
            "EURange": ref("Range", "Range of the value in normal operation (OPC 10000-8 5.6.2)."),
            "Limits": ref("Limits", "Alarm limits of the value, from the configuration."),
            "EnumStrings": listed(
                "Names of the values 0, 1, 2, ...",
                {"description": "A name.", "type": ["string", "null"]},
            ),
            "EnumValues": listed(
                "The values of an enumeration whose values are not 0, 1, 2, ..., instead of "
                "EnumStrings. Names of either may be written instead of numbers.",
                ref("EnumValue"),
            ),
            "IndexRange": matching(
                "The element or range of the node's array that the variable is (OPC 10000-4 7.27).",
                INDEX_RANGE,
            ),
            "Historizing": flag("Whether the OPC UA server is collecting history."),
            "HistorySource": _history_source(
                "Who keeps the history that HISTORICALREAD gives; absent if nobody does"
            ),
            "MinimumSamplingInterval": ref(
                "Double",
                "Milliseconds: how often the OPC UA server can sample; -1 if not known.",
            ),
            **_fate(),
        },
        **_TOGETHER,
    ),
}


def _body(description: str, members: Rules, required: Any = (), **rules: Any) -> Rules:
    return record(description, members, required, open=True, **rules)


def _listing(description: str, item: str, name: str, single: Rules, rules: Rules) -> Rules:
    listing = listed(
        "List form: one for each item of the request, in that order.",
        ref(item),
    )
    alone = {"if": {"required": [name]}, "then": {"properties": dict.fromkeys(single, False)}}
    rules = {**rules, "allOf": [*rules.get("allOf", ()), alone]}
    return _body(description, {**single, name: listing}, **rules)


_COUNT = 2**53 - 1

ANSWERS: Dict[str, Answer] = {
    "VALUELIST_RESPONSE": Answer(
        "Value list response",
        "The names of all variables visible to the client.",
        "ResponseHeader",
        _body(
            "The names.",
            {"Variables": listed("Configured names, sorted.", text("A name."))},
            ["Variables"],
        ),
    ),
    "VALUEINFO_RESPONSE": Answer(
        "Value info response",
        "What is known about the variables asked for.",
        "ResponseHeader",
        _body(
            "The entries.",
            {
                "Variables": listed(
                    "One entry per name asked for, in that order.", ref("VariableInfo")
                )
            },
            ["Variables"],
        ),
    ),
    "READ_RESPONSE": Answer(
        "Read response",
        "The DataValue of the one variable, or one DataValue per variable asked for.",
        "ResponseHeader",
        _listing(
            "A DataValue, or Values.",
            "VariableValue",
            "Values",
            data_value_members(),
            DATA_VALUE_RULES,
        ),
    ),
    "WRITE_RESPONSE": Answer(
        "Write response",
        "Whether the write, or each of the writes, took effect.",
        "ResponseHeader",
        _listing(
            "Empty if the write took effect as asked; Status and Symbol if it took effect "
            "otherwise; StatusCode if not; Results in the list form.",
            "WriteResult",
            "Results",
            _written(),
            STATUS_RULES,
        ),
    ),
    "HISTORICALREAD_RESPONSE": Answer(
        "Historical read response",
        "A page of the variable's history, or that of each variable asked for.",
        "ResponseHeader",
        _body(
            "The values, StatusCode, or Histories.",
            {
                **_history("HistoricalValue"),
                "ContinuationPoint": text(
                    "There is more: send it to get the next page. Opaque, of this connection.",
                    minLength=1,
                ),
                "Histories": listed(
                    "List form: one for each item of the request, in that order.",
                    ref("History"),
                ),
            },
            oneOf=[
                {"required": ["DataValues"]},
                {"required": ["StatusCode"]},
                {"required": ["Histories"]},
            ],
            dependencies={**_HISTORY_RULES["dependencies"], "ContinuationPoint": ["DataValues"]},
        ),
    ),
    "MONITORSTART_RESPONSE": Answer(
        "Monitor start response",
        "Whether monitoring starts; the values follow as MONITORUPDATE_MESSAGE.",
        "ResponseHeader",
        _listing(
            "Empty if monitoring starts; StatusCode if not; Results in the list form.",
            "Result",
            "Results",
            _fate(),
            _TOGETHER,
        ),
    ),
    "MONITORSTOP_RESPONSE": Answer(
        "Monitor stop response",
        "Whether there was such a monitor; no update for it is sent after this.",
        "ResponseHeader",
        _listing(
            "Empty if monitoring ended; StatusCode if not; Results in the list form.",
            "Result",
            "Results",
            _fate(),
            _TOGETHER,
        ),
    ),
    "MONITORUPDATE_MESSAGE": Answer(
        "Monitor update message",
        "The present value of a monitored variable, sent once at the start and at every change. "
        "The Overflow bit (0x480) in Status says that values were missed.",
        "MonitorUpdateHeader",
        _body(
            "The variable's name and DataValue.",
            {
                "Variable": variable(),
                **data_value_members(),
                "Historical": flag(
                    "true: a value of the past, which Since or Backfill asked for; the present "
                    "one follows. Absent otherwise."
                ),
            },
            ["Variable"],
            **DATA_VALUE_RULES,
        ),
    ),
    "SERVERSTATUS_MESSAGE": Answer(
        "Server status message",
        "The connection to an OPC UA server changed; sent unasked. A later minor version sends "
        "other types of messages only to a client that asks for them.",
        "ServerStatusHeader",
        _body(
            "Which server, and how it is.",
            {
                "Server": text("Configured name of the OPC UA server."),
                "State": text(
                    "How the connection is now: connected, disconnected or connecting, or what a "
                    "later minor version adds.",
                    minLength=1,
                ),
                "Since": ref("DateTime", "Since when, UTC."),
                "Reason": reason("Why, in one English sentence."),
                "Endpoint": matching(
                    "Of a redundant set: the address that is, or was last, connected.",
                    ENDPOINT,
                ),
                "Configured": whole("How many variables of the server are configured.", 0, _COUNT),
                "Active": whole("How many of them are monitored on the server now.", 0, _COUNT),
                "Failed": whole(
                    "How many of them the server refuses; /status says which, and why.", 0, _COUNT
                ),
            },
            ["Server", "State", "Since"],
        ),
    ),
    "ERROR": Answer(
        "Error message",
        "Answers a message of which no request could be made: not JSON, no valid header, or an "
        "unknown MessageType.",
        "ErrorHeader",
        None,
    ),
}
