"""Index ranges: how they are written, and what may come back for one."""

import pytest

from opcws.model.data_types import BYTESTRING, INT32, STRING, Variant
from opcws.wire.index_range import parse_range, too_long


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("2", ((2, 2),)),
        ("0:3", ((0, 3),)),
        ("1:2,0", ((1, 2), (0, 0))),
        ("0:2147483647", ((0, 2**31 - 1),)),
    ],
)
def test_a_range_is_read_as_first_and_last_index_of_each_dimension(
    text: str, bounds: object
) -> None:
    assert parse_range(text) == bounds


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "such as"),
        ("3:1", "does not rise"),
        ("2:2", "index alone"),
        ("-1", "such as"),
        ("1:", "such as"),
        (":1", "such as"),
        ("1,", "such as"),
        ("1 : 2", "such as"),
        ("٣", "such as"),
        ("2147483648", "over"),
        ("9" * 5000, "such as"),
    ],
)
def test_what_is_no_range_is_told_so(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_range(text)


@pytest.mark.parametrize(
    ("value", "text", "longer"),
    [
        (Variant(INT32, [1], True), "2", False),
        (Variant(INT32, [1, 2], True), "2", True),
        (Variant(INT32, [1, 2], True), "0:3", False),  # the array ends there
        (Variant(INT32, [1, 2, 3, 4], True, (2, 2)), "0:1,0:1", False),
        (Variant(INT32, [1, 2, 3, 4], True, (2, 2)), "0:1,0", True),
        (Variant(INT32, None, True), "2", False),
        (Variant(INT32, 7), "2", False),
        (Variant(STRING, "abc"), "0:2", False),
        (Variant(STRING, "abcd"), "0:2", True),
        (Variant(BYTESTRING, b"ab"), "0", True),
        (None, "0", False),
    ],
)
def test_more_than_the_range_names_is_noticed(value: Variant, text: str, longer: bool) -> None:
    assert too_long(value, text) is longer
