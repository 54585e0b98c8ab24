"""Values from the server (PROTOCOL section 3), in the typed dialect.

:func:`contract.forms.in_strings` makes the string dialect from it; ``STRING_DIALECT`` has the
definitions with other differences than scalars as strings.
"""

from typing import Dict

from .forms import Rules, decimal, listed, one_of, only, record, ref, text, whole

#: The built-in types (OPC 10000-6 5.1.2) by id.
TYPES = dict(
    enumerate(
        "Boolean SByte Byte Int16 UInt16 Int32 UInt32 Int64 UInt64 Float Double String DateTime "
        "Guid ByteString XmlElement NodeId ExpandedNodeId StatusCode QualifiedName LocalizedText "
        "ExtensionObject DataValue Variant DiagnosticInfo".split(),
        1,
    )
)

# --- Patterns, without anchors, for every regular expression engine ------------------------------

_DAY = {31: "(0[1-9]|[12][0-9]|3[01])", 30: "(0[1-9]|[12][0-9]|30)", 28: "(0[1-9]|1[0-9]|2[0-8])"}
#: The part of a date after the year, with "%s" between its parts.
_IN_ANY_YEAR = "|".join(
    "%s%%s%s" % (months, _DAY[days])
    for months, days in (("(0[13578]|1[02])", 31), ("(0[469]|11)", 30), ("02", 28))
)
_YEAR = "(160[1-9]|16[1-9][0-9]|1[7-9][0-9]{2}|[2-9][0-9]{3})"
_LEAP_YEAR = "(([2468][048]|[3579][26])00|(1[6-9]|[2-9][0-9])(0[48]|[2468][048]|[13579][26]))"


def date(separator: str) -> str:
    """Every date from 1601 to 9999."""
    ordinary = _IN_ANY_YEAR.replace("%s", separator)
    return "(%s%s(%s)|%s%s02%s29)" % (_YEAR, separator, ordinary, _LEAP_YEAR, separator, separator)


HOUR, MINUTE = "([01][0-9]|2[0-3])", "[0-5][0-9]"
SECOND = r"[0-5][0-9](\.[0-9]{1,7})?"
UTC_TIME = "(0001-01-01T00:00:00|%sT%s:%s:%s)Z" % (date("-"), HOUR, MINUTE, SECOND)


def _clock(hour: str, minute: str, fraction: str) -> str:
    second = minute + "(%s)?" % fraction
    return "%s(:%s(:%s)?|%s(%s)?)" % (hour, minute, second, minute, second)


_OFFSET = "([Zz]|[+-]%s(:?%s)?)" % (HOUR, MINUTE)
#: A time from a client, as opcws.wire.timestamps reads it, except offsets that lead across the
#: beginning of 1601.
TIME = "((%s|%s)([Tt ]%s%s?)?|0001(-01-01|0101)([Tt ]%s%s?)?)" % (
    date("-"),
    date(""),
    _clock(HOUR, MINUTE, "[.,][0-9]{1,7}0*"),
    _OFFSET,
    _clock("00", "00", "[.,]0+"),
    _OFFSET,
)
GUID = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
BASE64 = "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
UINT16, UINT32 = decimal(0, 2**16 - 1)[1:-1], decimal(0, 2**32 - 1)[1:-1]
NAMESPACE = "(nsu=([^;%%]|%%25|%%3B)+;|ns=%s;)?" % decimal(1, 2**16 - 1)[1:-1]
IDENTIFIER = r"(i=%s|s=[\s\S]*|g=%s|b=%s)" % (UINT32, GUID, BASE64)
NODE_ID = NAMESPACE + IDENTIFIER
EXPANDED_NODE_ID = "(svr=%s;)?%s" % (decimal(1, 2**32 - 1)[1:-1], NODE_ID)
#: As in config.schema.json.
ENDPOINT = (
    r"[Oo][Pp][Cc]\.[Tt][Cc][Pp]://([^\s/?#@:\[\]]+|\[[0-9A-Fa-f:.]+(%[^\s/?#@\[\]]+)?\])"
    r":[0-9]+(/[^\s?#]*)?"
)
#: Only the server checks that ranges rise.
INDEX_RANGE = "[0-9]{1,10}(:[0-9]{1,10})?(,[0-9]{1,10}(:[0-9]{1,10})?)*"
STATUS_NAME = "(Good|Uncertain|Bad)[A-Za-z0-9_]*"
BAD_NAME = "Bad[A-Za-z0-9_]*"


def matching(description: str, pattern: str) -> Rules:
    return text(description, pattern="^%s$" % pattern)


# --- Rules of several members --------------------------------------------------------------------


def status_code(description: str = "") -> Rules:
    return matching(
        description
        or "Name of a bad OPC UA status code. The names may include new ones. Reason is always "
        "present with it.",
        BAD_NAME,
    )


def reason(description: str = "") -> Rules:
    return text(
        description
        or (
            "One English sentence that says what is wrong or what to change. Its wording may "
            "change."
        ),
        minLength=1,
    )


def variable() -> Rules:
    return text("Configured name of the variable.")


#: The rules between the members of a status.
STATUS_RULES: Rules = {
    "dependencies": {
        "Status": ["Symbol"],
        "Symbol": ["Status"],
        "StatusCode": ["Reason"],
        "Reason": ["StatusCode"],
    },
}
_BAD = {"properties": {"Symbol": {"type": "string", "pattern": "^%s$" % BAD_NAME}}}
#: A DataValue has a StatusCode if, and only if, its status is bad; a StatusCode without a status
#: says why there is no DataValue.
DATA_VALUE_RULES: Rules = {
    **STATUS_RULES,
    "allOf": [
        {"if": {"required": ["Symbol"], **_BAD}, "then": {"required": ["StatusCode"]}},
        {"if": {"required": ["Symbol", "StatusCode"]}, "then": _BAD},
        {
            "if": {"required": ["StatusCode"]},
            "then": {
                "anyOf": [
                    {"required": ["Status"]},
                    {
                        "properties": {
                            "Value": False,
                            "SourceTimestamp": False,
                            "SourcePicoseconds": False,
                            "ServerTimestamp": False,
                            "ServerPicoseconds": False,
                        }
                    },
                ]
            },
        },
    ],
}


def data_value_members() -> Rules:
    times: Rules = {}
    for name, what in (
        ("Source", "When the source took the value, UTC."),
        ("Server", "When the OPC UA server had the value, UTC."),
    ):
        times[name + "Timestamp"] = ref("DateTime", what)
        times[name + "Picoseconds"] = whole(
            "Fraction of %sTimestamp in units of 10 ps." % name, 1, 65535
        )
    return {
        "Value": ref("Variant", "The value. Left out when null."),
        "Status": whole("OPC UA status, all 32 bits. Left out when 0 (Good).", 1, 2**32 - 1),
        "Symbol": matching("Name of the status code. Left out when Status is 0.", STATUS_NAME),
        **times,
        "StatusCode": status_code(),
        "Reason": reason(),
    }


# --- The types -----------------------------------------------------------------------------------

_RANGES = {
    "SByte": (-(2**7), 2**7 - 1),
    "Byte": (0, 2**8 - 1),
    "Int16": (-(2**15), 2**15 - 1),
    "UInt16": (0, 2**16 - 1),
    "Int32": (-(2**31), 2**31 - 1),
    "UInt32": (0, 2**32 - 1),
}
#: The texts for a Float or Double that JSON has no number for.
SPECIAL = only("NaN", "Infinity", "-Infinity")
#: The largest ones, in as few digits as they are written with.
_FLOAT_MAX, _DOUBLE_MAX = 3.4028235e38, 1.7976931348623157e308
_NUMBER_IN_STRINGS = r"(nan|-?inf|-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)"


def _float(name: str, most: float) -> Rules:
    return one_of(
        '%s: a number, or "NaN", "Infinity", "-Infinity".' % name,
        {"type": "number", "minimum": -most, "maximum": most},
        SPECIAL,
    )


def _or_null(rules: Rules) -> Rules:
    return {**rules, "type": [rules["type"], "null"]}


SCALARS: Dict[str, Rules] = {
    "Boolean": {"description": "Boolean.", "type": "boolean"},
    **{
        name: whole("%s: a whole number." % name, low, high)
        for name, (low, high) in _RANGES.items()
    },
    "Int64": text("Int64: a decimal string.", pattern=decimal(-(2**63), 2**63 - 1)),
    "UInt64": text("UInt64: a decimal string.", pattern=decimal(0, 2**64 - 1)),
    "Float": _float("Float", _FLOAT_MAX),
    "Double": _float("Double", _DOUBLE_MAX),
    "String": _or_null(text("String.")),
    "DateTime": matching(
        "DateTime: ISO 8601, UTC, at most 7 fractional digits. 0001-01-01T00:00:00Z is no time.",
        UTC_TIME,
    ),
    "Guid": matching("Guid.", GUID),
    "ByteString": _or_null(matching("ByteString: base64.", BASE64)),
    "XmlElement": _or_null(text("XmlElement.")),
    "NodeId": matching("NodeId: nsu=<uri>;s=<name>, or i=<number> alone for namespace 0.", NODE_ID),
    "ExpandedNodeId": matching(
        "ExpandedNodeId: like a NodeId, with svr=<index>; in front if the node is on another "
        "server.",
        EXPANDED_NODE_ID,
    ),
    "StatusCode": record(
        "StatusCode.",
        {
            "Code": whole("All 32 bits.", 0, 2**32 - 1),
            "Symbol": matching("Name of the code.", STATUS_NAME),
        },
        ["Code", "Symbol"],
    ),
    "QualifiedName": record(
        "QualifiedName.",
        {
            "Name": text("The name. Left out when null."),
            "Uri": one_of(
                "URI of the namespace, or its index if the URI is not known. Left out for "
                "namespace 0.",
                {"type": "string", "minLength": 1},
                {"type": "integer", "minimum": 1, "maximum": 65535},
            ),
        },
    ),
    "LocalizedText": record(
        "LocalizedText.",
        {
            "Locale": text("Language, such as en or de-CH. Left out when null."),
            "Text": text("The text. Left out when null."),
        },
    ),
    "ExtensionObject": {
        **_or_null(
            record(
                "ExtensionObject. Body has the fields of the structure, or the encoded structure "
                "if there is Encoding.",
                {
                    "TypeId": ref("ExpandedNodeId", "Type of the structure."),
                    "Encoding": {
                        "description": "1: Body is base64 of OPC UA Binary; 2: Body is XML.",
                        **only(1, 2),
                    },
                    "Body": one_of(
                        "The fields by name, or a text in the given Encoding.",
                        ref("Fields"),
                        {"type": "string"},
                    ),
                },
                ["TypeId"],
            )
        ),
        "if": {"required": ["Encoding"]},
        "then": {"required": ["Body"], "properties": {"Body": {"type": "string"}}},
        "else": {"properties": {"Body": ref("Fields")}},
    },
    "DataValue": record(
        "A value with status and timestamps (OPC 10000-6 5.4.2.18); members that are null or "
        "zero are left out.",
        data_value_members(),
        **DATA_VALUE_RULES,
    ),
    "Variant": {},  # below
    "DiagnosticInfo": record(
        "DiagnosticInfo (OPC 10000-6 5.4.2.13).",
        {
            **{
                name: whole("Index of the text.", -(2**31), 2**31 - 1)
                for name in ("SymbolicId", "NamespaceUri", "LocalizedText", "Locale")
            },
            "AdditionalInfo": text("Further text of the server."),
            "InnerStatusCode": whole("Status code of an inner operation.", 0, 2**32 - 1),
            "InnerDiagnosticInfo": ref("DiagnosticInfo", "DiagnosticInfo of the inner operation."),
        },
    ),
}


def _variant() -> Rules:
    """A type and the rules that it determines for Body."""
    choices = []
    for number, name in TYPES.items():
        null = {"type": "null"}
        item = {"anyOf": [ref(name), null]} if name == "Variant" else ref(name)
        body = {"anyOf": [ref(name), {"type": "array", "items": item}, null]}
        choices.append(
            {
                "if": {"properties": {"Type": only(number)}},
                "then": {"properties": {"Body": body}},
            }
        )
    return record(
        "A value with its type (OPC 10000-6 5.4.2.17).",
        {
            "Type": whole("OPC UA built-in type.", 1, 25),
            "Body": {
                "description": "The value in the JSON form of its type; a list for an array, a "
                "flat list for a matrix; null for a null array and for a null "
                "value with a type."
            },
            "Dimensions": listed(
                "Lengths of a matrix' dimensions, the outermost first.",
                whole("Length of one dimension.", 0, 2**31 - 1),
                minItems=1,
            ),
        },
        ["Type", "Body"],
        allOf=choices,
    )


SCALARS["Variant"] = _variant()

#: Every part of a value by its name, which is also its title.
DEFINITIONS: Dict[str, Rules] = {
    **SCALARS,
    "Fields": {
        "description": "The fields of a structure by name, each in the JSON form of its type; a "
        "matrix is a list of lists. A union has SwitchField and its one field.",
        "type": "object",
    },
    "MetaData": {
        "description": "An object from the configuration with any content.",
        "type": "object",
    },
    "NodeOfVariable": matching(
        "A node: nsu=<uri>;s=<name>, or i=<number> alone for namespace 0.", NODE_ID
    ),
}

#: The same in the string dialect, if more differs than scalars as strings.
STRING_DIALECT: Dict[str, Rules] = {
    "Float": text(
        "Float: a decimal string, or nan, inf, -inf.", pattern="^%s$" % _NUMBER_IN_STRINGS
    ),
    "Double": text(
        "Double: a decimal string, or nan, inf, -inf.", pattern="^%s$" % _NUMBER_IN_STRINGS
    ),
    **{
        name: record(
            name + " in the string dialect.",
            {
                "IdType": {
                    "description": "0: number, 1: string, 2: Guid, 3: base64.",
                    **only(*"0123"),
                },
                "Id": text("The identifier."),
                "Namespace": text(
                    "Index of the namespace, or its URI if the index is not known.", minLength=1
                ),
                **more,
            },
            ["IdType", "Id", "Namespace"],
        )
        for name, more in (
            ("NodeId", {}),
            (
                "ExpandedNodeId",
                {"ServerUri": text("Index of another server.", pattern=decimal(1, 2**32 - 1))},
            ),
        )
    },
    "QualifiedName": record(
        "QualifiedName in the string dialect.",
        {
            "Name": text("The name."),
            "Uri": text("Index of the namespace, left out for 0.", pattern=decimal(1, 65535)),
            "NamespaceIndex": text("Index of the namespace.", pattern=decimal(0, 65535)),
        },
        ["Name", "NamespaceIndex"],
    ),
    "LocalizedText": record(
        "LocalizedText in the string dialect.",
        {"Locale": text("Language, such as en or de-CH."), "Text": text("The text.")},
        ["Locale", "Text"],
    ),
    "Fields": ref("Object", DEFINITIONS["Fields"]["description"]),
    "MetaData": ref("Object", DEFINITIONS["MetaData"]["description"]),
    "NodeOfVariable": one_of(
        "A node, as in the typed dialect (opcws writes this one), or as an object.",
        matching("nsu=<uri>;s=<name>, or i=<number> alone for namespace 0.", NODE_ID),
        ref("NodeId"),
    ),
    "Object": {
        "description": "An object in which every scalar is a string.",
        "type": ["object", "string"],
        "minProperties": 1,
        "maxLength": 0,
        "additionalProperties": ref("Anything"),
    },
    "Anything": one_of(
        "JSON in which every scalar, and every empty object or list, is a string.",
        {"type": "string"},
        ref("Object"),
        {"type": "array", "minItems": 1, "items": ref("Anything")},
    ),
}
