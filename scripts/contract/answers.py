"""Messages from the server: responses and pushed messages.

The message, its Header, its Body and each item of a list in the Body are open: a later minor
version may add members there.  The rules within a member are closed.
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
    """A message from the server: the name of its header's definition, and the rules of its Body in
    the typed dialect; ``None`` if it has no Body."""

    title: str
    description: str
    header: str
    body: Any


_HANDLE = (
    "Chosen by the client: a string of at most 256 characters or a whole number. opcws returns "
    "it unchanged. (In the string dialect a number comes back as a string.)"
)


def _header(description: str, *types: str, **members: Rules) -> Rules:
    members = {
        "MessageType": {"description": "Type of the message.", **only(*types)},
        **members,
    }
    return record(description, members, ["MessageType"], open=True)


def _handles() -> Rules:
    return {
        "ClientHandle": {"description": _HANDLE, "type": ["string", "integer"]},
        "ClientHandler": {
            "description": "Other spelling of ClientHandle, if the request has it.",
            "type": ["string", "integer"],
        },
    }


def _failure() -> Rules:
    return {
        "StatusCode": matching(
            "Name of a bad OPC UA status code: opcws refused the whole message, and there is no "
            "Body.",
            BAD_NAME,
        ),
        "Reason": reason(
            "Only with StatusCode: one English sentence that says what to change, and at "
            "which JSON path."
        ),
    }


HEADERS: Dict[str, Rules] = {
    "ResponseHeader": {
        **_header(
            "Type and ClientHandle of the message.",
            *(name + "_RESPONSE" for name in OPERATIONS),
            **_handles(),
            **_failure(),
        ),
        "oneOf": [{"required": ["ClientHandle"]}, {"required": ["ClientHandler"]}],
        "dependencies": {"StatusCode": ["Reason"], "Reason": ["StatusCode"]},
    },
    "MonitorUpdateHeader": _header(
        "Type of the message, and the ClientHandle of the MONITORSTART.",
        "MONITORUPDATE_MESSAGE",
        ClientHandle=_handles()["ClientHandle"],
    ),
    "ServerStatusHeader": _header("Type of the message.", "SERVERSTATUS_MESSAGE"),
    "ErrorHeader": {
        **_header(
            "Type of the message, and what is wrong. With the client's ClientHandle, if the "
            "message had one.",
            "ERROR",
            **_handles(),
            **_failure(),
        ),
        # Not beside the others: fastjsonschema 2.21, the last for Python 3.8, fails on it.
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
            "OPC UA status, all 32 bits, of a write that succeeded, but not as asked: "
            "GoodClamped, GoodCompletesAsynchronously. Left out when 0 (Good).",
            1,
            2**32 - 1,
        ),
        "Symbol": matching(
            "Name of the status code. Left out when Status is 0.",
            "(Good|Uncertain)[A-Za-z0-9_]*",
        ),
        **_fate(),
    }


_TOGETHER: Rules = {"dependencies": {"StatusCode": ["Reason"], "Reason": ["StatusCode"]}}


def _history(item: str) -> Rules:
    return {
        "DataValues": listed("The values, in the requested order.", ref(item)),
        "Status": whole(
            "OPC UA status, all 32 bits, when values may be missing: GoodResultsMayBeIncomplete. "
            "Reason says which. Left out when 0 (Good).",
            1,
            2**32 - 1,
        ),
        "Symbol": matching(
            "Name of the status code. Left out when Status is 0.",
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
        description + ": plant (the OPC UA server), own (the recorder of opcws) or both. A later "
        "minor version may add others.",
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
    "Result": _item(
        "Result for one variable. Without StatusCode it succeeded.", _fate(), **_TOGETHER
    ),
    "WriteResult": _item(
        "Result for one variable. Without StatusCode it succeeded.", _written(), **STATUS_RULES
    ),
    "HistoricalValue": record(
        "A DataValue from the history.", data_value_members(), open=True, **DATA_VALUE_RULES
    ),
    "History": _item(
        "The history of one variable, reduced for a chart, or the reason why there is none.",
        {**_history("DataValue"), "HistorySource": _history_source("Source of the values")},
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
        "are in rising order. A limit that is not set is left out.",
        {
            "LowLow": ref("Double", "The value is very low below this limit."),
            "Low": ref("Double", "The value is low below this limit."),
            "High": ref("Double", "The value is high above this limit."),
            "HighHigh": ref("Double", "The value is very high above this limit."),
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
        "Type, access, description, unit and so on of one variable.",
        {
            "Type": {
                "description": "Name of the OPC UA built-in type. Absent if not known.",
                **only(*TYPES.values()),
            },
            "IsArray": flag("Whether the value is an array or matrix. Absent if not known."),
            "MetaData": ref("MetaData", "An object from the configuration with any content."),
            "NodeId": ref("NodeOfVariable", "The node on the OPC UA server."),
            "Server": text("Configured name of the OPC UA server."),
            "Access": text(
                "What this client may do: read, readwrite or write. A later minor version may "
                "add others. Absent if the OPC UA server lets opcws neither read nor write the "
                "variable.",
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
                "EnumStrings. Clients may write a name of EnumStrings or EnumValues instead of "
                "its number.",
                ref("EnumValue"),
            ),
            "IndexRange": matching(
                "Which element or range of the node's array the variable is (OPC 10000-4 7.27).",
                INDEX_RANGE,
            ),
            "Historizing": flag("Whether the OPC UA server is collecting history."),
            "HistorySource": _history_source(
                "Source of the history that HISTORICALREAD returns. Absent if there is no history"
            ),
            "MinimumSamplingInterval": ref(
                "Double",
                "Shortest sampling interval of the OPC UA server in milliseconds; -1 if not known.",
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
        "List form: one item for each item of the request, in the same order.",
        ref(item),
    )
    alone = {"if": {"required": [name]}, "then": {"properties": dict.fromkeys(single, False)}}
    rules = {**rules, "allOf": [*rules.get("allOf", ()), alone]}
    return _body(description, {**single, name: listing}, **rules)


_COUNT = 2**53 - 1

ANSWERS: Dict[str, Answer] = {
    "VALUELIST_RESPONSE": Answer(
        "Value list response",
        "The names of all variables that the client may see.",
        "ResponseHeader",
        _body(
            "The names.",
            {"Variables": listed("Configured names, sorted.", text("A name."))},
            ["Variables"],
        ),
    ),
    "VALUEINFO_RESPONSE": Answer(
        "Value info response",
        "Type, access, description, unit and so on of the requested variables.",
        "ResponseHeader",
        _body(
            "The entries.",
            {
                "Variables": listed(
                    "One entry for each requested name, in the same order.", ref("VariableInfo")
                )
            },
            ["Variables"],
        ),
    ),
    "READ_RESPONSE": Answer(
        "Read response",
        "The DataValue of the one variable, or one DataValue for each requested variable.",
        "ResponseHeader",
        _listing(
            "A DataValue, or Values in the list form.",
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
            "Empty if the write took effect as asked. With Status and Symbol if it took effect "
            "otherwise, with StatusCode if it failed, with Results in the list form.",
            "WriteResult",
            "Results",
            _written(),
            STATUS_RULES,
        ),
    ),
    "HISTORICALREAD_RESPONSE": Answer(
        "Historical read response",
        "A page of the history of one variable, or the history of each requested variable.",
        "ResponseHeader",
        _body(
            "The values, or StatusCode, or Histories in the list form.",
            {
                **_history("HistoricalValue"),
                "ContinuationPoint": text(
                    "Present if there are more values: send it to get the next page. It is "
                    "an opaque text and valid only on this connection.",
                    minLength=1,
                ),
                "Histories": listed(
                    "List form: one item for each item of the request, in the same order.",
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
            "Empty if monitoring starts. With StatusCode if it does not, with Results in the "
            "list form.",
            "Result",
            "Results",
            _fate(),
            _TOGETHER,
        ),
    ),
    "MONITORSTOP_RESPONSE": Answer(
        "Monitor stop response",
        "Whether there was such a monitor. After this response opcws sends no update for it.",
        "ResponseHeader",
        _listing(
            "Empty if monitoring ended. With StatusCode if it did not, with Results in the "
            "list form.",
            "Result",
            "Results",
            _fate(),
            _TOGETHER,
        ),
    ),
    "MONITORUPDATE_MESSAGE": Answer(
        "Monitor update message",
        "The present value of a monitored variable, sent once at the start and at every change. "
        "The Overflow bit (0x480) in Status means that the client missed values.",
        "MonitorUpdateHeader",
        _body(
            "The variable's name and DataValue.",
            {
                "Variable": variable(),
                **data_value_members(),
                "Historical": flag(
                    "true: a past value, which Since or Backfill asked for; the present value "
                    "follows. Absent otherwise."
                ),
            },
            ["Variable"],
            **DATA_VALUE_RULES,
        ),
    ),
    "SERVERSTATUS_MESSAGE": Answer(
        "Server status message",
        "The connection to an OPC UA server changed. opcws sends this message unasked; it sends "
        "other such messages of later minor versions only to a client that asks for them.",
        "ServerStatusHeader",
        _body(
            "The server and the state of its connection.",
            {
                "Server": text("Configured name of the OPC UA server."),
                "State": text(
                    "State of the connection: connected, disconnected or connecting. A later "
                    "minor version may add others.",
                    minLength=1,
                ),
                "Since": ref("DateTime", "Since when, UTC."),
                "Reason": reason("Reason of this state, in one English sentence."),
                "Endpoint": matching(
                    "Only for a redundant set: address of the server that is connected, or "
                    "was last.",
                    ENDPOINT,
                ),
                "Configured": whole("How many variables of the server are configured.", 0, _COUNT),
                "Active": whole("How many of them opcws monitors on the server now.", 0, _COUNT),
                "Failed": whole(
                    "How many of them the server refuses. /status says which and why.", 0, _COUNT
                ),
            },
            ["Server", "State", "Since"],
        ),
    ),
    "ERROR": Answer(
        "Error message",
        "Answers a message that is not a request: it is not JSON, or has no valid header, or an "
        "unknown MessageType.",
        "ErrorHeader",
        None,
    ),
}
