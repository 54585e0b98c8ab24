"""Aggregates of random values, compared with those that node-opcua computes of the same.

node-opcua-aggregates has nine of them.  Where it says something else than opcws, one of
:data:`DISAGREEMENTS` says why, and what the standard says (OPC 10000-13).  Its statuses have the
historian bits without the InfoType that gives them a meaning (OPC 10000-4 7.39.1); that is not
looked at.
"""

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import pytest

from opcws.history.aggregates import AggregateConfiguration, processed
from opcws.model import status_codes
from opcws.model.data_types import DOUBLE, EPOCH_S, TICKS_PER_SECOND, DataValue, Variant

from .. import ROOT

PROGRAM = ROOT / "tests" / "javascript" / "aggregates.js"
PACKAGE = ROOT / "tests" / "javascript" / "node_modules" / "node-opcua-aggregates"
PATIENCE = 120
TICKS_PER_MS = TICKS_PER_SECOND // 1000
INFO_TYPE = 0x400
UNCERTAIN = status_codes.code("Uncertain")
BAD = status_codes.code("Bad")

#: A raw value: ms since 1970, number, status.
Raw = Tuple[int, float, int]
#: A result: timestamp in ms since 1970, number, status without the InfoType.
Result = Tuple[int, Optional[float], int]


class Seen(NamedTuple):
    """An interval, as the reasons look at it."""

    case: Dict[str, Any]
    inside: Sequence[Raw]
    #: The raw value at its start; the last usable one before; the last before.
    there: Optional[Raw]
    usable: Optional[Raw]
    before: Optional[Raw]
    #: Whether it lies behind all values.
    behind: bool

    @property
    def uncertain_is_bad(self) -> bool:
        return bool(self.case["treat_uncertain_as_bad"])

    def has(self, status: int) -> bool:
        return any(each[2] == status for each in self.inside)


def repeated(seen: Seen, extreme: Callable[[List[float]], float]) -> bool:
    numbers = [number for _, number, status in seen.inside if not status]
    return bool(numbers) and numbers.count(extreme(numbers)) > 1


def none_good_but_at_the_start(seen: Seen) -> bool:
    return not any(each[2] == 0 and each != seen.there for each in seen.inside)


EXTREMES = ("Minimum", "Maximum")
GOOD_PARTS = ("DurationGood", "PercentGood")
PARTS = (*GOOD_PARTS, "DurationBad", "PercentBad")

#: What node-opcua does; of which aggregates; when.
DISAGREEMENTS: List[Tuple[str, Sequence[str], Callable[[Seen], bool]]] = [
    (
        "gives an Uncertain value at the start of the interval also where Uncertain is Bad; 3.1.8 "
        "interpolates there",
        ["Interpolative"],
        lambda seen: seen.uncertain_is_bad and seen.there is not None and seen.there[2] != BAD,
    ),
    (
        "does not see a Bad value at the start of the interval if the variable is stepped; 3.1.8 "
        "makes the status UncertainDataSubNormal where Bad values are skipped",
        ["Interpolative"],
        lambda seen: seen.case["stepped"] and seen.there is not None and seen.there[2] == BAD,
    ),
    (
        "lets an Uncertain value that is stepped from keep its status; 3.1.8 makes it "
        "UncertainDataSubNormal",
        ["Interpolative"],
        lambda seen: (
            seen.case["stepped"] and seen.usable is not None and seen.usable[2] == UNCERTAIN
        ),
    ),
    (
        "calls a value Good that is extrapolated by a slope, extrapolates so also what is stepped, "
        "and never from the first value; 3.1.8 has UncertainDataSubNormal always, and a slope from "
        "any two values unless the variable is stepped",
        ["Interpolative"],
        lambda seen: seen.behind and seen.case["use_sloped_extrapolation"],
    ),
    (
        "leaves the Calculated bit away if the first Good value lies at the start of the interval; "
        "5.4.3.10 if the least does, and no value is ignored",
        EXTREMES,
        lambda seen: seen.there is not None and not seen.there[2],
    ),
    (
        "never sets MultipleValues (5.4.3.10)",
        ["Minimum"],
        lambda seen: repeated(seen, min),
    ),
    (
        "never sets MultipleValues (5.4.3.11)",
        ["Maximum"],
        lambda seen: repeated(seen, max),
    ),
    (
        "takes every Uncertain value for a Bad one; 5.4.3.10 looks whether it is less than the "
        "least Good one, where Uncertain is not Bad",
        EXTREMES,
        lambda seen: not seen.uncertain_is_bad and seen.has(UNCERTAIN),
    ),
    (
        "has BadNoData for an interval without values amid the data; 5.4.3.21 counts 0, and by "
        "5.4.3.31 and 5.4.3.32 the value before says whether the time is Good",
        ["Count", *PARTS],
        lambda seen: not seen.inside,
    ),
    (
        "is not Bad of Uncertain values alone where they are Bad, and sets no bits where it is; "
        "5.4.3.2.1 counts them as Bad, and 5.4.3.21 sets Calculated always",
        ["Count"],
        lambda seen: not seen.has(0) and (seen.uncertain_is_bad or not seen.has(UNCERTAIN)),
    ),
    (
        "counts Uncertain time as Good where Uncertain is not Bad; 5.4.3.31 and its table for "
        "Historian 1 do not",
        GOOD_PARTS,
        lambda seen: (
            not seen.uncertain_is_bad
            and (seen.has(UNCERTAIN) or (seen.before is not None and seen.before[2] == UNCERTAIN))
        ),
    ),
    (
        "goes by the value before the interval for the time until the first one inside; the "
        "standard by the bound, Uncertain if a line leads from there to a Bad value (3.1.9)",
        GOOD_PARTS,
        lambda seen: (
            not seen.case["stepped"]
            and seen.there is None
            and bool(seen.inside)
            and seen.inside[0][2] != 0
        ),
    ),
    (
        "finds nothing Good, or -1, if no Good value lies behind the start of the interval; "
        "5.4.3.31 counts the time that those at or before its start last",
        GOOD_PARTS,
        none_good_but_at_the_start,
    ),
    (
        "calls the time behind an Uncertain value at the start of the interval Bad where Uncertain "
        "is not",
        ["DurationBad", "PercentBad"],
        lambda seen: (
            not seen.uncertain_is_bad and seen.there is not None and seen.there[2] == UNCERTAIN
        ),
    ),
]


def case(chance: random.Random) -> Dict[str, Any]:
    """Values at some of the seconds of 100 s, the last of them Good: node-opcua fails where none
    that is usable follows.  The intervals divide the range: it does not end the last one with it.
    """
    times = sorted(chance.sample(range(1, 100), chance.randint(3, 40)))
    statuses = [chance.choice([0, 0, 0, 0, 0, UNCERTAIN, BAD]) for _ in times[1:]] + [0]
    start = chance.choice([0, 5])
    return {
        "values": [
            (second * 1000, chance.randint(0, 9) * 10.0, status)
            for second, status in zip(times, statuses)
        ],
        "start": start * 1000,
        "end": (start + 100) * 1000,
        "interval": chance.choice([4, 5, 10, 20]) * 1000,
        "stepped": chance.random() < 0.5,
        "treat_uncertain_as_bad": chance.random() < 0.5,
        "use_sloped_extrapolation": chance.random() < 0.5,
        "percent_data_bad": 100,
        "percent_data_good": 100,
    }


def of_opcws(aggregate: str, given: Dict[str, Any]) -> List[Result]:
    def ticks(ms: int) -> int:
        return EPOCH_S * TICKS_PER_SECOND + ms * TICKS_PER_MS

    results = processed(
        aggregate,
        [
            DataValue(Variant(DOUBLE, number), status, ticks(ms))
            for ms, number, status in given["values"]
        ],
        ticks(given["start"]),
        ticks(given["end"]),
        given["interval"] * TICKS_PER_MS,
        given["stepped"],
        AggregateConfiguration(*[given[name] for name in AggregateConfiguration._fields]),
    )
    return [
        (
            (each.source_timestamp - ticks(0)) // TICKS_PER_MS,
            each.value and each.value.value,
            each.status & ~INFO_TYPE,
        )
        for each in results
    ]


def look_at(given: Dict[str, Any], start: int) -> Seen:
    values: List[Raw] = given["values"]
    bad = (BAD, UNCERTAIN) if given["treat_uncertain_as_bad"] else (BAD,)
    inside = [each for each in values if start <= each[0] < start + given["interval"]]
    before = [each for each in values if each[0] < start]
    usable = [each for each in before if each[2] not in bad]
    return Seen(
        given,
        inside,
        inside[0] if inside and inside[0][0] == start else None,
        usable[-1] if usable else None,
        before[-1] if before else None,
        start > values[-1][0],
    )


def same(ours: Result, theirs: Sequence[Any]) -> bool:
    number = theirs[1] if theirs[1] is None else pytest.approx(theirs[1])
    return ours == (theirs[0], number, theirs[2])


def test_node_opcua_says_the_same_or_there_is_a_reason(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not PACKAGE.exists():
        pytest.skip("not run: needs Node, and npm install in tests/javascript")
    version = subprocess.run([node, "--version"], capture_output=True, timeout=PATIENCE).stdout
    if int(version[1:].split(b".")[0]) < 20:
        pytest.skip("not run: needs Node 20 or newer")
    chance = random.Random(13)
    cases = [case(chance) for _ in range(300)]
    file = tmp_path / "cases.json"
    file.write_text(json.dumps(cases), encoding="utf-8")
    done = subprocess.run([node, str(PROGRAM), str(file)], capture_output=True, timeout=PATIENCE)
    assert done.stderr == b""

    unexplained = []
    met = set()
    agreed: Dict[str, int] = {}
    for given, results in zip(cases, json.loads(done.stdout)):
        for aggregate, theirs in results.items():
            ours = of_opcws(aggregate, given)
            assert len(ours) == len(theirs)
            for own, other in zip(ours, theirs):
                if same(own, other):
                    agreed[aggregate] = agreed.get(aggregate, 0) + 1
                    continue
                seen = look_at(given, other[0])
                reasons = {
                    what
                    for what, aggregates, applies in DISAGREEMENTS
                    if aggregate in aggregates and applies(seen)
                }
                met |= reasons
                if not reasons:
                    unexplained.append((aggregate, own, other, seen))
    assert not unexplained, "%d, the first: %s" % (len(unexplained), unexplained[0])
    assert {what for what, _, _ in DISAGREEMENTS} == met
    intervals = sum(100_000 // given["interval"] for given in cases)
    assert agreed["Average"] == intervals
    assert all(number > intervals / 2 for number in agreed.values()), agreed
