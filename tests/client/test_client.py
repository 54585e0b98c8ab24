"""The client's addresses, credentials and values, without a network."""

import base64
import math
from datetime import datetime, timedelta, timezone
from typing import Any, Dict

import pytest

from opcws.client import AddressError, moment, time_text
from opcws.client.address import credential, parse, tls_context
from opcws.client.values import from_json, to_json


@pytest.mark.parametrize(
    ("given", "secure", "host", "port", "target"),
    [
        ("ws://127.0.0.1:8081/", False, "127.0.0.1", 8081, "/?scalars=typed"),
        ("plant-gw", False, "plant-gw", 8081, "/?scalars=typed"),
        ("plant-gw:9000", False, "plant-gw", 9000, "/?scalars=typed"),
        ("wss://gw.example", True, "gw.example", 443, "/?scalars=typed"),
        ("http://gw.example/opc/ws", False, "gw.example", 80, "/opc/ws?scalars=typed"),
        ("https://[::1]:8443/a b", True, "::1", 8443, "/a%20b?scalars=typed"),
        ("[::1]:8081", False, "::1", 8081, "/?scalars=typed"),
        (" ws://h/?scalars=string&status=1#x ", False, "h", 80, "/?status=1&scalars=typed"),
    ],
)
def test_an_address_may_be_written_in_these_ways(
    given: str, secure: bool, host: str, port: int, target: str
) -> None:
    address = parse(given)
    assert address[:4] == (secure, host, port, target)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("opc.tcp://plant:4840", "is an OPC UA server"),
        ("ftp://plant", "ftp:// is not known"),
        ("ws://", "the host is missing"),
        ("", "the host is missing"),
        ("ws://h:99999/", "out of range"),
        ("ws://h:port/", "port"),
        ("h:0", "port 0"),
        ("ws://" + "x" * 70 + ".example/", "is no host name"),
        ("ws://[::1/", "ws://HOST:8081/"),
    ],
)
def test_an_address_that_is_none_is_told_with_how_to_write_one(given: str, says: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse(given)
    assert says in caught.value.reason


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(AddressError) as caught:
        parse("ws://anna:Quecksilber@h/")
    assert "Quecksilber" not in caught.value.reason


def test_the_host_header_has_the_port_where_it_is_not_the_usual_one() -> None:
    assert parse("ws://[::1]:8081/").host_header == "[::1]:8081"
    assert parse("wss://h:443/").host_header == "h"
    assert parse("ws://h:443/").host_header == "h:443"


def test_credentials_become_the_header_of_their_standard() -> None:
    assert credential("abc\n") == [(b"Authorization", b"Bearer abc")]
    ((name, value),) = credential(None, "änna", "pä:ss")
    assert base64.b64decode(value.split()[1]).decode("utf-8") == "änna:pä:ss"
    assert credential() == []


@pytest.mark.parametrize(
    "wrong", [("a", "b", "c"), ("",), ("a b",), ("a\r\nX: y",), ("tökén",), (None, "a:b", "c")]
)
def test_credentials_that_cannot_be_sent_are_refused_and_not_repeated(wrong: Any) -> None:
    with pytest.raises(AddressError) as caught:
        credential(*wrong)
    assert "tökén" not in caught.value.reason and "X: y" not in caught.value.reason


def test_files_that_cannot_be_used_for_tls_are_named(tmp_path: Any) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for arguments, says in (
        ((str(tmp_path / "none.pem"), None, None, True), "there is no file"),
        ((str(empty), None, None, True), "no certificates in PEM"),
        ((None, str(empty), None, True), "cannot be used"),
        ((None, None, str(empty), True), "a key without its certificate"),
    ):
        with pytest.raises(AddressError, match=says):
            tls_context(*arguments)


# --- values -----------------------------------------------------------------------------------


def value_of(type_id: int, body: Any) -> Any:
    return from_json("V", {"Value": {"Type": type_id, "Body": body}}).value


def test_values_have_the_types_of_python() -> None:
    assert value_of(8, "-9223372036854775808") == -(2**63)
    assert value_of(9, ["18446744073709551615"]) == [2**64 - 1]
    assert math.isnan(value_of(11, "NaN"))
    assert value_of(10, ["Infinity", "-Infinity", 1]) == [math.inf, -math.inf, 1.0]
    assert value_of(15, "AP8=") == b"\x00\xff"
    assert value_of(12, None) is None
    assert value_of(21, {"Locale": "de", "Text": "Kessel"}) == {"Locale": "de", "Text": "Kessel"}


def test_what_is_written_is_what_json_can_hold() -> None:
    assert to_json([math.nan, math.inf, -math.inf, 1.5]) == ["NaN", "Infinity", "-Infinity", 1.5]
    assert to_json({"a": b"\x00\xff"}) == {"a": "AP8="}
    when = datetime(2026, 11, 22, 11, 0, 0, 500000, timezone(timedelta(hours=1)))
    assert to_json(when) == "2026-11-22T10:00:00.500000Z"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({}, (0, "Good", "good")),
        ({"Status": 1083179008, "Symbol": "UncertainLastUsableValue"}, None),
        ({"Status": 0x480, "Symbol": "Good"}, (0x480, "Good", "good")),
        (
            {"StatusCode": "BadNodeIdUnknown", "Reason": "no"},
            (0x80340000, "BadNodeIdUnknown", "bad"),
        ),
        (
            {"StatusCode": "BadFromTheFuture", "Reason": "no"},
            (0x80000000, "BadFromTheFuture", "bad"),
        ),
    ],
)
def test_quality_is_told_by_number_name_and_severity(
    message: Dict[str, Any], expected: Any
) -> None:
    value = from_json("V", message)
    if expected is None:
        assert value.uncertain and not value.good and not value.bad
        return
    assert (value.status, value.symbol) == expected[:2]
    assert value.good == (expected[2] == "good") and value.bad == (expected[2] == "bad")
    assert value.overflow == (value.status == 0x480)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-11-22T10:00:00Z", 0),
        ("2026-11-22T10:00:00.5Z", 500000),
        ("2026-11-22T10:00:00.1234567Z", 123456),
    ],
)
def test_times_of_the_wire_become_datetimes_in_utc(text: str, microsecond: int) -> None:
    found = moment(text)
    assert found == datetime(2026, 11, 22, 10, 0, 0, microsecond, timezone.utc)
    assert moment(None) is None
    assert moment("0001-01-01T00:00:00Z") is not None
    assert found is not None and moment(time_text(found)) == found
