"""The pause before the next attempt to connect."""

from opcws.ua.backoff import LASTING_S, Backoff


def pauses(backoff: Backoff, count: int) -> "list[bool]":
    """Of the next *count* pauses, whether each is clearly longer than the shortest."""
    return [backoff.next() > 1.0 for _ in range(count)]


def test_the_pause_grows_while_each_connection_ends_soon_and_only_one_that_lasted_resets_it() -> (
    None
):
    backoff = Backoff(1000.0, 8000.0)
    assert pauses(backoff, 3) == [False, True, True]
    assert not backoff.lasted(LASTING_S - 0.1)
    assert backoff.next() >= 6.0
    assert backoff.lasted(LASTING_S)
    assert pauses(backoff, 2) == [False, True]


def test_the_pause_is_never_longer_than_the_longest() -> None:
    backoff = Backoff(500.0, 3000.0)
    assert max(backoff.next() for _ in range(20)) <= 3.0
