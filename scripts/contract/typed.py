"""The contract for code generators: each form of a message is a type, in the typed dialect.

Two documents have the same names.  ``typed.schema.json`` has a type for each alternative: a failed
response and one with a Body are different types, and a Variant of each built-in type is a type of
its own, as languages with unions need it.  ``flat.schema.json`` has no unions: the Body of a
Variant is any JSON, and members that only some responses have are optional.

Everything that generated programs do not need is left out: other spellings, other forms of the
same value, null for absent members, and rules that are no types.  ``ClientHandle`` is a text, which
the client chooses and gets back.  Messages from clients are closed, those from the server are open:
a later minor version may add members.
"""

from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from . import answers, requests, values
from .forms import Rules, only, ref, text, whole

#: Title and description of the two documents, by whether it is the flat one.
ABOUT = {
    False: (
        "Message",
        "For code generators of languages with unions, such as TypeScript and Python: every "
        "message in the typed dialect, with one type for each form.",
    ),
    True: (
        "Messages without unions",
        "For code generators of languages without unions, such as Go, C# and Rust: every message "
        "in the typed dialect, with one type for each form. There is no type for all messages; "
        "each definition is one.",
    ),
}
#: The name of each type by that of its definition.  Other definitions are inserted where they are
#: used.  Names that a language has itself are avoided (``Result``).
NAMES = {
    **{
        name: name
        for name in (
            *("StatusCode", "QualifiedName", "LocalizedText", "ExtensionObject", "DataValue"),
            *("Variant", "DiagnosticInfo", "VariableValue", "VariableInfo", "WriteResult"),
            *("EngineeringUnits", "Range", "EnumValue"),
            *("Write", "WrittenValue", "WrittenVariant", "WrittenDataValue"),
        )
    },
    "Result": "VariableResult",
    "HistoricalValue": "DataValue",
    "History": "VariableHistory",
}
_WORDS = {
    "VALUELIST": "ValueList",
    "VALUEINFO": "ValueInfo",
    "READ": "Read",
    "WRITE": "Write",
    "HISTORICALREAD": "HistoricalRead",
    "MONITORSTART": "MonitorStart",
    "MONITORSTOP": "MonitorStop",
    "MONITORUPDATE": "MonitorUpdate",
    "SERVERSTATUS": "ServerStatus",
    "ERROR": "Error",
}
_SOURCE: Dict[str, Rules] = {
    **values.DEFINITIONS,
    **answers.DEFINITIONS,
    **requests.chosen(requests.DEFINITIONS, "published"),
}
#: The list form of a message has one of these in its Body.
_LISTS = ("Variables", "Writes", "Values", "Results", "Histories")
#: Allowed in the Body of a request, but ignored.
_IGNORED = ("SourceTimestamp",)
_RESPONSES = tuple(name + "_RESPONSE" for name in requests.OPERATIONS)


class Form(NamedTuple):
    """A form of a message: the *name* of its type, such as ReadListRequest, and the rules of its
    Body; ``None`` if it has none."""

    name: str
    message: str
    description: str
    body: Optional[Rules]


def camel(message: str, of_list: bool = False) -> str:
    """``READ_REQUEST`` as ``ReadRequest`` or ``ReadListRequest``.  An ERROR is an
    ``ErrorMessage``, because an ``Error`` is something else in most languages."""
    name, _, kind = message.partition("_")
    return _WORDS[name] + ("List" if of_list else "") + (kind.capitalize() or "Message")


def forms(message: str) -> List[Form]:
    """The forms of *message*: for one variable and for several, or the only one."""
    source: Any = {**requests.REQUESTS, **answers.ANSWERS}[message]
    body = requests.chosen(source.body, "published")
    if not body or not body["properties"]:
        return [Form(camel(message), message, source.description, None)]
    members = {
        name: rules
        for name, rules in body["properties"].items()
        if name not in _IGNORED or message not in requests.REQUESTS
    }
    (several,) = [name for name in _LISTS if name in members] or [""]
    if not several or len(members) == 1:
        return [Form(camel(message), message, source.description, {**body, "properties": members})]
    needs = body.get("dependencies", {})
    if message in requests.REQUESTS:
        of_one, of_several = (
            [name, *(each for each, others in needs.items() if others == [name])]
            for name in ("Variable", several)
        )
        required, listed = (
            [name, *(each for each in members if each in needs.get(name, ()))]
            for name in ("Variable", several)
        )
    else:
        of_one, of_several = [name for name in members if name != several], [several]
        required, listed = [], [several]
    return [
        Form(
            camel(message, of_list),
            message,
            source.description,
            {
                **body,
                "properties": {k: v for k, v in members.items() if k not in others},
                "required": needed,
            },
        )
        for of_list, others, needed in ((False, of_several, required), (True, of_one, listed))
    ]


class Types:
    """The types by their names in ``found``; *flat*: without unions."""

    def __init__(self, flat: bool) -> None:
        self.flat = flat
        self.found: Dict[str, Rules] = {}
        #: Definitions that replace others.
        self.instead = (
            {"WrittenValue": "WrittenDataValue"} if flat else {"WrittenVariant": "Variant"}
        )
        for name in NAMES:
            if name in _SOURCE and name not in self.instead and NAMES[name] not in self.found:
                self.found[NAMES[name]] = self.simple(_SOURCE[name], name in requests.DEFINITIONS)
        self.found["BuiltInType"] = {
            "description": "Name of an OPC UA built-in type (OPC 10000-6 5.1.2).",
            **only(*values.TYPES.values()),
        }
        self.found["VariableInfo"]["properties"]["Type"] = ref("BuiltInType")
        if flat:
            about = "Id of an OPC UA built-in type. Without it, the type of the variable."
            self.found["WrittenVariant"]["properties"]["Type"] = whole(about, 1, 25)
        messages = (*requests.REQUESTS, *answers.ANSWERS)
        made = [form for message in messages for form in forms(message)]
        for form in made:
            self.add(form)
        if not flat:
            self.add_unions(made)

    def simple(self, rules: Rules, closed: bool = False, member: bool = True) -> Rules:
        """*rules* as a type: the first one that they allow.  Only a *member* of an object has
        limits; elsewhere generators would make a class of them."""
        about = {"description": rules["description"]} if "description" in rules else {}
        inner = rules["allOf"][0] if "type" not in rules and "allOf" in rules else rules
        if "$ref" in inner:
            name = self.instead.get(inner["$ref"], inner["$ref"])
            if name in NAMES:
                return ref(NAMES[name], about.get("description", ""))
            return {**self.simple(_SOURCE[name], closed, member), **about}
        if "enum" in rules:
            special = rules == values.SPECIAL
            return ref("SpecialNumber") if special else {**about, **only(*rules["enum"])}
        kinds = rules.get("type", [])
        kind = kinds[0] if isinstance(kinds, list) and kinds else kinds
        made: Rules = {**about, "type": kind} if kind else about
        if kind == "integer" and member:
            made.update({key: rules[key] for key in ("minimum", "maximum") if key in rules})
        elif kind == "array":
            made["items"] = self.simple(rules.get("items", {}), closed, member=False)
        elif kind == "object" and "properties" in rules:
            members = rules["properties"]
            made["properties"] = {name: self.simple(members[name], closed) for name in members}
            made.update({"required": rules["required"]} if rules.get("required") else {})
            made.update({"additionalProperties": False} if closed else {})
        elif kind == "object":
            made["additionalProperties"] = True
        elif not kind and "anyOf" in rules and not self.flat:
            choices = (self.simple(each, closed, member=False) for each in rules["anyOf"])
            # Pydantic uses the first that fits; "NaN" fits a number, which it writes as null.
            made["anyOf"] = sorted(choices, key=lambda each: "$ref" not in each)
        return made

    def add(self, form: Form) -> None:
        """The types of a message, of its Header and of its Body."""
        message, of_client = form.message, form.message in requests.REQUESTS
        header = camel(message) + "Header"
        failed = message == "ERROR" or (
            None if message not in _RESPONSES or not self.flat else False
        )
        has_handle = {"SERVERSTATUS_MESSAGE": None, "ERROR": False}.get(message, True)
        self.found[header] = _header([message], has_handle, failed, of_client)
        members, required = {"Header": ref(header)}, ["Header"]
        if form.body is not None:
            body = self.simple(form.body, of_client)
            alike = [
                name
                for name in ("DataValue", "VariableValue")
                if list(self.found[name]["properties"]) == list(body["properties"])
            ]
            (name,) = alike or [form.name + "Body"]
            self.found.setdefault(name, body)
            members["Body"] = ref(name)
            if not (self.flat and message in _RESPONSES):
                required.append("Body")
        self.found[form.name] = _message(form.description, members, required, of_client)

    def add_unions(self, made: Sequence[Form]) -> None:
        self.found["SpecialNumber"] = {
            "description": "A Float or Double that JSON cannot write as a number.",
            **values.SPECIAL,
        }
        variants = dict(self.variants())
        self.found.update(variants)
        self.found["Variant"] = {
            "description": values.DEFINITIONS["Variant"]["description"],
            "oneOf": [ref(name) for name in variants],
        }
        plain = [{"type": kind} for kind in ("boolean", "number", "string")]
        self.found["WrittenValue"] = {
            "description": "What to write: a value of the variable's type, a value with its "
            "type, or a DataValue.",
            "anyOf": [
                *plain,
                {"type": "array", "items": {"anyOf": plain}},
                ref("Variant"),
                ref("WrittenDataValue"),
            ],
        }
        self.found["FailedResponseHeader"] = _header(_RESPONSES, True, True, False)
        self.found["FailedResponse"] = _message(
            "Response to a request that opcws refused as a whole.",
            {"Header": ref("FailedResponseHeader")},
            ["Header"],
            False,
        )
        # The list forms come first: of open types, only their members tell them from the others.
        ordered = sorted(made, key=lambda form: camel(form.message) == form.name)
        sent = [form.name for form in ordered if form.message in requests.REQUESTS]
        got = [form.name for form in ordered if form.name not in sent]
        for name, about, choices in (
            ("ClientMessage", "What a client sends.", sent),
            ("ServerMessage", "What the server sends.", [*got, "FailedResponse"]),
        ):
            self.found[name] = {"description": about, "anyOf": [ref(each) for each in choices]}

    def variants(self) -> Iterator[Tuple[str, Rules]]:
        """A Variant of each built-in type."""
        null = {"type": "null"}
        dimensions = values.DEFINITIONS["Variant"]["properties"]["Dimensions"]
        for number, name in values.TYPES.items():
            source = values.DEFINITIONS[name]
            scalar = self.simple(ref(name), member=False)
            choices = scalar.get("anyOf") or [{k: scalar[k] for k in scalar if k != "description"}]
            nullable = name == "Variant" or "null" in source.get("type", ())
            items = [*choices, null] if nullable else choices
            array = {"type": "array", "items": {"anyOf": items} if len(items) > 1 else items[0]}
            yield (
                name + "Variant",
                {
                    "description": "%s Or a list of them; a matrix is a flat list."
                    % source["description"],
                    "type": "object",
                    "properties": {
                        "Type": only(number),
                        "Body": {"anyOf": [*choices, array, null]},
                        "Dimensions": self.simple(dimensions),
                    },
                    "required": ["Type", "Body"],
                },
            )


def _header(
    messages: Sequence[str], has_handle: Optional[bool], failed: Optional[bool], closed: bool
) -> Rules:
    """*has_handle*: whether ClientHandle, *failed*: whether StatusCode and Reason must be there;
    ``None`` if they never are."""
    members: Rules = {"MessageType": {"description": "Type of the message.", **only(*messages)}}
    required = ["MessageType"]
    if has_handle is not None:
        members["ClientHandle"] = text("Chosen by the client. The response has the same.")
        required += ["ClientHandle"] if has_handle else []
    if failed is not None:
        said = answers.HEADERS["ErrorHeader"]["properties"]
        for name in ("StatusCode", "Reason"):
            members[name] = text(said[name]["description"])
            required += [name] if failed else []
    return _message("Type and ClientHandle of the message.", members, required, closed)


def _message(description: str, members: Rules, required: Sequence[str], closed: bool) -> Rules:
    return {
        "description": description,
        "type": "object",
        "properties": members,
        "required": list(required),
        **({"additionalProperties": False} if closed else {}),
    }


def definitions(flat: bool) -> Dict[str, Rules]:
    """The types by their names, which are also their titles."""
    found = Types(flat).found
    return {name: {"title": name, **found[name]} for name in sorted(found)}
