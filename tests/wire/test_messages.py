"""The envelope: text to Request, Response to text."""

import importlib.util
import json
import sys
from typing import Any, Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.model.errors import MalformedMessage
from opcws.wire import messages
from opcws.wire.contract import OPERATIONS
from opcws.wire.messages import Request
from opcws.wire.values_to_json import STRING, TYPED

from ..support.contract_problems import problems_of

ANY_TEXT = st.text(alphabet=st.characters(), max_size=40)  # lone surrogates too
HANDLES = st.one_of(ANY_TEXT, st.integers())
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), FINITE, ANY_TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)
    ),
    max_leaves=12,
)


def text(header: Any, **members: Any) -> str:
    return json.dumps({"Header": header, **members})


def good(operation: str = "READ", handle: Any = "7") -> Dict[str, Any]:
    return {"MessageType": operation + "_REQUEST", "ClientHandle": handle}


def malformed(message: str) -> MalformedMessage:
    with pytest.raises(MalformedMessage) as caught:
        messages.parse(message)
    return caught.value


def request(handle: Any = "7", name: str = "ClientHandle") -> Request:
    return Request("READ", handle, name, {}, {})


# --- text to Request ---------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_is_taken_apart(operation: str) -> None:
    parsed = messages.parse(text(good(operation, 7), Body={"Variable": "V"}))
    assert parsed.operation == operation
    assert parsed.message_type == operation + "_REQUEST"
    assert parsed.handle == 7 and parsed.handle_name == "ClientHandle"
    assert parsed.body == {"Variable": "V"}


@pytest.mark.parametrize("members", [{}, {"Body": ""}, {"Body": {}}])
def test_a_body_may_be_absent_or_empty(members: Dict[str, Any]) -> None:
    assert messages.parse(text(good("VALUELIST"), **members)).body == {}


def test_the_seeds_spelling_of_the_handle_is_taken_and_remembered() -> None:
    header = {"MessageType": "READ_REQUEST", "ClientHandler": "a"}
    parsed = messages.parse(text(header))
    assert (parsed.handle, parsed.handle_name) == ("a", "ClientHandler")


@pytest.mark.parametrize(
    ("spelt", "handle", "name"),
    [
        ('"ClientHandle": "a", "ClientHandler": "b"', "a", "ClientHandle"),
        ('"ClientHandler": 2.0, "ClientHandle": "a"', 2, "ClientHandler"),
    ],
)
def test_a_request_with_both_spellings_is_refused_with_the_handle_of_the_first(
    spelt: str, handle: Any, name: str
) -> None:
    problem = malformed('{"Header": {"MessageType": "READ_REQUEST", %s}}' % spelt)
    assert problem.status == "BadRequestHeaderInvalid"
    assert (problem.handle, problem.handle_name) == (handle, name)
    assert '"%s":%s' % (name, json.dumps(handle)) in messages.error(problem, "typed")


def test_of_two_spellings_one_that_is_null_counts_as_absent() -> None:
    header = {"MessageType": "READ_REQUEST", "ClientHandle": None, "ClientHandler": "a"}
    parsed = messages.parse(text(header))
    assert (parsed.handle, parsed.handle_name) == ("a", "ClientHandler")


@pytest.mark.parametrize("handle", ["7.5", "1e300", "1e999", "-1e256"])
def test_a_number_that_is_no_whole_one_or_too_long_is_no_handle(handle: str) -> None:
    header = '"MessageType": "READ_REQUEST", "ClientHandle": %s' % handle
    problem = malformed('{"Header": {%s}}' % header)
    assert "Header.ClientHandle: expected" in problem.reason and problem.handle is None


@pytest.mark.parametrize(
    "body",
    [
        '{"Variable": "a", "Variable": "a"}',
        '{"Variable": "a", "Value": {"Body": 1, "Body": null}}',
        '{"Writes": [{"Variable": "a", "Value": {"Body": {"x": 1, "\\u0078": 2}}}]}',
        '{"Variable": "%s", "x": [{"y": 1, "y": 1}]}' % ("a:" * 5000),
    ],
    ids=["member", "null", "escaped", "long"],
)
def test_a_member_given_twice_at_any_depth_is_malformed_json(body: str) -> None:
    header = '{"MessageType": "WRITE_REQUEST", "ClientHandle": 1}'
    problem = malformed('{"Header": %s, "Body": %s}' % (header, body))
    assert problem.status == "BadDecodingError" and "appears twice" in problem.reason


@pytest.mark.parametrize(
    "message", ["", "{", "hello", '{"a":1}x', "[" * 100000, '{"a":NaN}', '{"a":-Infinity}']
)
def test_what_is_not_json_is_a_decoding_error_without_a_handle(message: str) -> None:
    problem = malformed(message)
    assert problem.status == "BadDecodingError"
    assert problem.handle is None
    assert 0 < len(problem.reason) < 200


@pytest.mark.parametrize("message", ["[]", "null", "5", '"text"'])
def test_json_that_is_no_object_is_a_decoding_error(message: str) -> None:
    problem = malformed(message)
    assert problem.status == "BadDecodingError"
    assert problem.reason.startswith("expected a JSON object")


def test_a_member_given_twice_is_a_decoding_error_that_names_it() -> None:
    problem = malformed('{"Header":{},"Body":{"Variable":"a","Variable":"b"}}')
    assert problem.status == "BadDecodingError"
    assert '"Variable"' in problem.reason


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("{}", "Header is missing"),
        (text(5), "Header: expected an object"),
        (text({"MessageType": "READ_REQUEST"}), "Header.ClientHandle is missing"),
        (text(good(handle=1.5)), "Header.ClientHandle: expected a string or an integer"),
        (text(good(handle=True)), "Header.ClientHandle: expected a string or an integer"),
        (text(good(handle=None)), "Header.ClientHandle: expected a string or an integer"),
        (text(good(handle="x" * 257)), "at most 256 characters, got 257"),
        (text(good(handle=-(10**256))), "Header.ClientHandle: expected at most 256 digits"),
        (text({**good(), "ClientHandle": True, "ClientHandler": "8"}), "ClientHandle: expected a"),
    ],
)
def test_a_header_without_a_usable_handle_is_refused_and_the_reason_names_the_path(
    message: str, named: str
) -> None:
    problem = malformed(message)
    assert problem.status == "BadRequestHeaderInvalid"
    assert problem.handle is None
    assert named in problem.reason


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ({"ClientHandle": "7"}, "Header.MessageType is missing"),
        ({"ClientHandle": "7", "MessageType": 5}, "Header.MessageType: expected a string"),
        ({"ClientHandle": "7", "MessageType": "READ"}, 'got "READ"'),
        ({"ClientHandle": "7", "MessageType": "READ_RESPONSE"}, "READ_REQUEST"),
        (dict(good(), Extra=1), "Header.Extra: unknown member"),
    ],
)
def test_a_header_that_is_wrong_otherwise_is_refused_with_its_handle(
    header: Dict[str, Any], named: str
) -> None:
    problem = malformed(text(header))
    assert problem.status == "BadRequestHeaderInvalid"
    assert problem.handle == "7"
    assert named in problem.reason


@pytest.mark.parametrize("handle", ["x" * 256, 10**256 - 1, 1 - 10**256])
def test_a_handle_of_256_characters_or_digits_is_taken(handle: Any) -> None:
    assert messages.parse(text(good(handle=handle))).handle == handle


def test_a_python_that_takes_any_number_of_digits_gets_no_more_than_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would need the square of their number in time, in which nobody else is served."""
    monkeypatch.delattr(sys, "set_int_max_str_digits", raising=False)
    spec = importlib.util.spec_from_file_location("opcws.wire.anew", messages.__file__)
    assert spec is not None and spec.loader is not None
    anew = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(anew)
    digits = "1" * messages.MAX_DIGITS
    message = '{"Header":%s,"Body":{"MaxAge":%%s}}' % json.dumps(good())
    assert anew.parse(message % digits).body["MaxAge"] == int(digits)
    with pytest.raises(MalformedMessage, match="more than 4300 digits") as caught:
        anew.parse(message % (digits + "1"))
    assert caught.value.status == "BadDecodingError"


@given(st.one_of(ANY_TEXT, JSON.map(json.dumps)))
def test_any_text_is_a_request_or_a_malformed_message(message: str) -> None:
    try:
        messages.parse(message)
    except MalformedMessage as problem:
        assert problem.reason


# --- Response to text --------------------------------------------------------------------------


def sent(message: str) -> Any:
    """What *message* says, checked as every client would get it."""
    assert message.isascii()
    parsed = json.loads(message)
    problems = problems_of(parsed["Header"]["MessageType"], parsed)
    assert not problems, problems
    return parsed


@given(HANDLES.filter(lambda handle: not isinstance(handle, str) or len(handle) <= 256))
def test_any_handle_is_echoed_as_it_came(handle: Any) -> None:
    message = json.loads(messages.response(request(handle), TYPED, ""))
    assert message["Header"]["ClientHandle"] == handle
    assert type(message["Header"]["ClientHandle"]) is type(handle)


def test_in_the_string_dialect_an_integer_handle_is_a_string() -> None:
    assert sent(messages.response(request(7), STRING, ""))["Header"]["ClientHandle"] == "7"


def test_the_response_spells_the_handle_as_its_request_did() -> None:
    answer = sent(messages.response(request("a", "ClientHandler"), TYPED, ""))
    assert answer["Header"] == {"MessageType": "READ_RESPONSE", "ClientHandler": "a"}


def test_an_empty_body_is_an_object_or_an_empty_string() -> None:
    write = Request("WRITE", "1", "ClientHandle", {}, {})
    assert sent(messages.response(write, TYPED, ""))["Body"] == {}
    assert sent(messages.response(write, STRING, ""))["Body"] == ""


def test_a_failed_request_says_so_in_its_body() -> None:
    answer = sent(messages.failure(request(), TYPED, "BadTimeout", 'no "answer"\n'))
    assert answer["Header"] == {"MessageType": "READ_RESPONSE", "ClientHandle": "7"}
    assert answer["Body"] == {"StatusCode": "BadTimeout", "Reason": 'no "answer"\n'}


def test_a_request_that_failed_as_a_message_says_so_in_its_header_and_has_no_body() -> None:
    answer = sent(messages.refusal(request(), TYPED, "BadAttributeIdInvalid", "why"))
    assert "Body" not in answer
    assert answer["Header"]["StatusCode"] == "BadAttributeIdInvalid"
    assert answer["Header"]["Reason"] == "why"


@pytest.mark.parametrize(
    ("handle", "name"), [(None, "ClientHandle"), ("h", "ClientHandle"), ("h", "ClientHandler")]
)
def test_an_error_has_the_handle_where_there_was_one(handle: Any, name: str) -> None:
    answer = sent(messages.error(MalformedMessage("why", None, handle, name), TYPED))
    assert answer["Header"]["MessageType"] == "ERROR"
    assert answer["Header"]["StatusCode"] == "BadRequestHeaderInvalid"
    assert answer["Header"].get(name) == handle


def test_an_update_carries_handle_variable_and_value() -> None:
    prefix = messages.update_prefix(7, "Größe", TYPED)
    answer = sent(messages.update(prefix, '"Value":{"Type":11,"Body":1.5}'))
    assert answer["Header"] == {"MessageType": "MONITORUPDATE_MESSAGE", "ClientHandle": 7}
    assert answer["Body"] == {"Variable": "Größe", "Value": {"Type": 11, "Body": 1.5}}
    assert sent(messages.update(prefix, ""))["Body"] == {"Variable": "Größe"}


@pytest.mark.parametrize("reason", [None, "it was killed"])
def test_a_server_status_has_a_reason_where_there_is_one(reason: Any) -> None:
    since = "2026-11-22T10:00:00Z"
    body = sent(messages.server_status("plant", "disconnected", since, reason))["Body"]
    assert (body["Server"], body["State"], body["Since"]) == ("plant", "disconnected", since)
    assert body.get("Reason") == reason


@given(JSON)
def test_typed_json_text_reads_back_to_the_same(value: Any) -> None:
    assert json.loads(messages.json_text(value, TYPED)) == value


@given(JSON)
def test_in_the_string_dialect_every_scalar_is_a_string(value: Any) -> None:
    def check(read: Any) -> None:
        assert isinstance(read, (str, list, dict))
        if not isinstance(read, str):
            assert read, "an empty object or array is an empty string"
            for inner in read.values() if isinstance(read, dict) else read:
                check(inner)

    check(json.loads(messages.json_text(value, STRING)))


def test_numbers_that_json_lacks_become_strings() -> None:
    assert messages.json_text(float("nan"), TYPED) == '"NaN"'
    assert messages.json_text([float("inf"), float("-inf")], TYPED) == '["Infinity","-Infinity"]'
    assert messages.json_text([float("nan"), float("-inf")], STRING) == '["nan","-inf"]'


def test_a_reason_shows_a_value_in_a_few_characters() -> None:
    assert messages.describe({"a": 1}) == "an object"
    assert messages.describe([1]) == "an array"
    assert messages.describe(5) == "5"
    assert len(messages.describe("x" * 1000)) <= 60
