"""A flood of refusals is no flood of log lines."""

from opcws.operations.log_limit import LogLimit

from ..support import wait_until


def test_the_first_lines_of_an_address_are_logged_and_the_others_counted() -> None:
    limit = LogLimit(lines=3, seconds=1000)
    told = [limit.suffix("192.0.2.1", "refused") for _ in range(100)]
    assert told == ["", "", ""] + [None] * 97
    assert limit.suffix("192.0.2.2", "refused") == "", "another address has lines of its own"
    assert limit.suffix("192.0.2.1", "left") == "", "and so has another kind"


def test_how_many_were_not_logged_is_told_with_the_next_one() -> None:
    limit = LogLimit(lines=1, seconds=0.05)
    assert limit.suffix("192.0.2.1", "refused") == ""
    silent = 0

    def next_line() -> str:
        nonlocal silent
        more = limit.suffix("192.0.2.1", "refused")
        silent += more is None
        return more or ""

    assert wait_until(next_line, "the next line") == " (%d more like it not logged)" % silent


def test_many_addresses_together_have_a_bound_too() -> None:
    limit = LogLimit(lines=3, seconds=1000, total=50)
    told = [limit.suffix("2001:db8:0:%x::/64" % number, "refused") for number in range(5000)]
    assert told.count("") == 50
    assert len(limit._windows) <= 2000
