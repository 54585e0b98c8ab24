"""What members of a request's Body mean.  Pure."""

from typing import Any, Mapping, Union

from ..model.data_types import DATAVALUE, EXTENSIONOBJECT, TYPE_NAMES, VARIANT
from ..model.errors import RequestError
from . import values_to_json

#: How a client may write the types that can contain a structure.
STRUCTURED = [
    spelling
    for type_id in (EXTENSIONOBJECT, DATAVALUE, VARIANT)
    for spelling in (type_id, str(type_id), TYPE_NAMES[type_id])
]


def number(value: Union[int, float, str]) -> float:
    """*value*, which the contract allows to be written as a string, as a float."""
    return float(value)


def ticks(body: Mapping[str, Any], member: str) -> int:
    """The time in *body*'s *member* in ticks of 100 ns since 1601; 0 if there is none.

    Raises :exc:`~opcws.model.errors.RequestError`.
    """
    text = body.get(member)
    if text is None or text == "":
        return 0
    try:
        return values_to_json.parse_timestamp(text)
    except ValueError as error:
        raise RequestError("Body.%s: %s" % (member, error)) from None


def says_type(value: Any) -> bool:
    """Whether the Value of a WRITE brings its Type along, and that is all there is to know of
    it: the fields of a structure are known only when the variable is."""
    if not isinstance(value, dict):
        return False
    inner = value.get("Value", value)
    if not isinstance(inner, dict) or "Type" not in inner:
        return False
    return inner["Type"] not in STRUCTURED
