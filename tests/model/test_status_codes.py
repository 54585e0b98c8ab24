"""Status codes: the table against the OPC UA library's, and the sentences for people."""

import pytest
from opcua.ua.status_codes import StatusCodes

from opcws.model import status_codes

LIBRARY = {name: code for name, code in vars(StatusCodes).items() if not name.startswith("_")}


def test_every_status_code_of_the_library_has_the_same_number_and_name():
    assert len(LIBRARY) == 247
    for name, code in LIBRARY.items():
        assert status_codes.code(name) == code
        assert status_codes.name(code) == name


def test_every_name_leads_to_its_code_and_back_except_the_second_spelling():
    strays = {n for n, code in status_codes.CODES.items() if status_codes.name(code) != n}
    assert strays == {"BadSemaphoreFileMissing"}


def test_the_severity_in_a_name_is_the_severity_in_its_number():
    for name, code in status_codes.CODES.items():
        assert code & 0xFFFF == 0
        assert status_codes.is_good(code) == name.startswith("Good")
        assert status_codes.is_uncertain(code) == name.startswith("Uncertain")
        assert status_codes.is_bad(code) == name.startswith("Bad")


@pytest.mark.parametrize(
    "status, name",
    [
        (0, "Good"),
        (status_codes.OVERFLOW, "Good"),
        (0x40900000, "UncertainLastUsableValue"),
        (0x40900480, "UncertainLastUsableValue"),
        (0x808A0480, "BadNotConnected"),
        (0x03FF0000, "Good"),
        (0x43FF0000, "Uncertain"),
        (0x83FF0000, "Bad"),
        (0xC0000000, "Bad"),
    ],
)
def test_a_status_is_named_by_its_upper_half_and_an_unknown_one_by_its_severity(status, name):
    assert status_codes.name(status) == name


def test_a_name_that_is_no_status_code_has_no_number():
    with pytest.raises(KeyError):
        status_codes.code("BadHairDay")


def test_reasons_belong_to_bad_codes_of_the_table():
    for name in status_codes.REASONS:
        assert status_codes.is_bad(status_codes.code(name))


def test_every_bad_code_has_one_short_sentence():
    for code in status_codes.CODES.values():
        if status_codes.is_bad(code):
            reason = status_codes.reason(code)
            assert 10 < len(reason) < 120
            name = status_codes.name(code)
            assert name == "Bad" or name not in reason, "it only repeats the name"
            assert "\n" not in reason
            assert not reason.endswith(".")


def test_a_code_is_told_in_words_where_its_name_says_little():
    told = "the state machine that the value belongs to is not active at present"
    assert status_codes.reason(0x80BF0000) == told


def test_a_certificate_that_the_opcua_server_refuses_is_that_of_opcws():
    for name, reason in status_codes.REASONS.items():
        if name.startswith("BadCertificate"):
            assert "certificate of opcws" in reason or "opcws's certificate" in reason


def test_an_unknown_code_is_told_by_number():
    assert status_codes.reason(0x83FF0001).endswith("unknown status code 0x83FF0001")
    assert status_codes.reason(0x80000000) == status_codes.REASONS["Bad"]
