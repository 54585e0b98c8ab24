"""Addresses take turns."""

import threading
from typing import List

from opcws.access.turns import Turns
from opcws.model.deadline import Deadline

from ..support import PATIENCE, wait_until


def test_an_address_with_many_in_line_waits_longer_not_the_one_behind_them() -> None:
    turns = Turns(1)
    assert turns.take("first", Deadline(0))
    order: List[str] = []

    def wait(address: str) -> None:
        assert turns.take(address, Deadline(PATIENCE))
        order.append(address)
        turns.give_back()

    threads = []
    for address in [*["crowd"] * 20, "single", "other"]:
        before = _in_line(turns)
        threads.append(threading.Thread(target=wait, args=(address,)))
        threads[-1].start()
        wait_until(lambda: _in_line(turns) > before, "it is in line")  # noqa: B023
    turns.give_back()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(order) == 22
    assert set(order[:3]) == {"crowd", "single", "other"}
    assert turns.take("anybody", Deadline(0)), "the place is free again"


def test_who_gives_up_is_no_longer_in_line() -> None:
    turns = Turns(1)
    assert turns.take("a", Deadline(0))
    assert not turns.take("b", Deadline(0.05))
    assert not turns.take("b", Deadline(None), lambda: True)
    assert _in_line(turns) == 0
    turns.give_back()
    assert turns.take("b", Deadline(0))


def _in_line(turns: Turns) -> int:
    return sum(map(len, list(turns._lines.values())))
