"""The soak's judge sees what it is there to see, and a short soak passes."""

import subprocess
import sys
from typing import Any, Dict, List

import pytest

from .readme import ROOT
from .soak import COUNTERS, ENOUGH_SAMPLES, Judge, Sample, Tally, growth

OVERFLOW = {"Status": 0x480}
BAD = {"StatusCode": "BadNotConnected", "Status": 0x808A0000}


def update(value: Any, handle: str = "h", **members: Any) -> Dict[str, Any]:
    body = {"Variable": COUNTERS[0], "Value": {"Type": 7, "Body": value}, **members}
    return {"Header": {"ClientHandle": handle}, "Body": body}


def judged(*messages: Dict[str, Any]) -> Dict[str, int]:
    tally = Tally()
    judge = Judge(tally, "client")
    for message in messages:
        judge.take(message)
    counts = tally.counts()
    return {each: counts[each] for each in ("lost", "duplicated", "disordered") if counts[each]}


@pytest.mark.parametrize(
    "values, found",
    [
        ([5, 6, 7], {}),
        ([5, 8], {"lost": 2}),
        ([5, 5], {"duplicated": 1}),
        ([5, 4], {"disordered": 1}),
        (["5", "6", "9"], {"lost": 2}),
    ],
)
def test_a_gap_a_repetition_and_a_step_back_are_seen(
    values: List[Any], found: Dict[str, int]
) -> None:
    assert judged(*map(update, values)) == found


def test_what_was_announced_is_excused_once() -> None:
    assert judged(update(5), update(9, **OVERFLOW), update(10)) == {}
    assert judged(update(5), update(9, **OVERFLOW), update(12)) == {"lost": 2}
    assert judged(update(5), update(5, **BAD), update(1), update(2)) == {}
    assert judged(update(5), update(5, **BAD), update(1), update(3)) == {"lost": 1}


def test_a_monitor_that_falls_silent_is_behind_though_no_gap_shows() -> None:
    judge = Judge(Tally(), "client")
    for message in (update(5), update(6), update(9, "other")):
        judge.take(message)
    assert judge.behind("h", {COUNTERS[0]: 6}) == {}
    silent = judge.behind("h", {COUNTERS[0]: 7, COUNTERS[1]: 1})
    assert silent == {COUNTERS[0]: 6, COUNTERS[1]: None}


def test_who_reads_all_the_time_is_excused_and_counted() -> None:
    tally = Tally()
    judge = Judge(tally, "client", healthy=True)
    for message in (update(5), update(9, **OVERFLOW), update(9, **BAD), update(20), update(21)):
        judge.take(message)
    assert (tally.counts()["excuses"], tally.counts()["wrong"]) == (2, 0)


def test_each_monitor_is_judged_by_itself() -> None:
    assert judged(update(5), update(5, "other"), update(6), update(6, "other")) == {}


def test_memory_is_judged_behind_the_warm_up_and_never_by_a_few_samples() -> None:
    def samples(*sizes: float) -> List[Sample]:
        return [Sample(1, 1, mib, 0.0) for mib in sizes]

    assert growth(samples(*[50.0] * (ENOUGH_SAMPLES - 1))) is None
    assert growth(samples(10.0, 20.0, *[50.0] * 14)) == 0.0
    assert growth(samples(*map(float, range(20)))) == pytest.approx(12.0)


@pytest.mark.slow
def test_a_short_soak_passes_and_every_kind_of_client_took_part() -> None:
    ran = subprocess.run(
        [sys.executable, "scripts/soak.py", "--this-python", "--minutes", "0.15"],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stdout
    # It fails if anything took no part.
    assert ran.stdout.splitlines()[-1].startswith("passed: "), ran.stdout
