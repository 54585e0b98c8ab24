"""Times as a person types them."""

from datetime import datetime, timedelta, timezone

import pytest

from opcws.cli.names import UsageProblem
from opcws.cli.times import when
from opcws.wire.timestamps import parse_timestamp

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-11-22T11:00:00Z"),
        ("90s", "2026-11-22T10:58:30Z"),
        ("-15m", "2026-11-22T10:45:00Z"),
        ("2h ago", "2026-11-22T09:00:00Z"),
        ("1d", "2026-11-21T11:00:00Z"),
        ("2026-11-22T10:30:00Z", "2026-11-22T10:30:00Z"),
        ("2026-11-22 10:30+02:00", "2026-11-22T08:30:00Z"),
        ("20261122T103000Z", "2026-11-22T10:30:00Z"),
    ],
)
def test_times_may_be_typed_in_these_ways(text: str, expected: str) -> None:
    assert when(text, NOW) == expected


@pytest.mark.parametrize("text", ["2026-11-22T10:30", "2026-11-22 10:30:00", "20261122T1030"])
def test_a_time_without_a_zone_is_local(text: str) -> None:
    local = datetime(2026, 11, 22, 10, 30).astimezone(timezone.utc)
    assert parse_timestamp(when(text, NOW)) == parse_timestamp(local.strftime("%Y%m%dT%H%M%SZ"))


@pytest.mark.parametrize("text", ["", "soon", "99999999999d", "2026-13-01", "24:61", "-5"])
def test_what_is_no_time_is_told_with_examples(text: str) -> None:
    with pytest.raises(UsageProblem):
        when(text, NOW)
