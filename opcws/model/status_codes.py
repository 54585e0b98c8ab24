"""The status codes of OPC UA: numbers, names, and a sentence for users.

A StatusCode (OPC 10000-4 7.39) has 32 bits: the upper 16 say what happened and have a symbolic
name (OPC 10000-6 annex A.2), the lower 16 carry flags such as *Overflow*.  The two top bits are
the severity: Good, Uncertain or Bad.  All functions here look at the upper half only, so a code
may come with or without flags.  The table is ``status_codes.csv``, beside this file.
"""

import csv
from pathlib import Path
from typing import Dict

#: Flags of a Good value whose monitored item lost older values (OPC 10000-4 7.39.1: InfoType
#: DataValue and the Overflow bit).
OVERFLOW = 0x480

#: Number of each symbolic name.
CODES: Dict[str, int] = {}
#: The sentence for each Bad code.
REASONS: Dict[str, str] = {}
# Editions before 1.05 misspell BadSemaphoreFileMissing.  A client may send both spellings; of two
# names for one number opcws uses the first in the table.
_NAMES: Dict[int, str] = {}

with open(Path(__file__).with_name("status_codes.csv"), encoding="utf-8", newline="") as _table:
    for _row in csv.DictReader(_table):
        CODES[_row["name"]] = int(_row["code"], 16)
        _NAMES.setdefault(CODES[_row["name"]], _row["name"])
        if _row["reason"]:
            REASONS[_row["name"]] = _row["reason"]


def name(status: int) -> str:
    """The symbolic name of *status*; ``"Good"``, ``"Uncertain"`` or ``"Bad"`` for a code that
    the standard's table does not have."""
    found = _NAMES.get(status & 0xFFFF0000)
    if found is not None:
        return found
    return "Bad" if is_bad(status) else "Uncertain" if is_uncertain(status) else "Good"


def code(name: str) -> int:
    """The number of a symbolic *name*.  Raises :exc:`KeyError` for a name that is not one."""
    return CODES[name]


def reason(status: int) -> str:
    """One English sentence about a Bad *status*, without capital letter and full stop."""
    found = _NAMES.get(status & 0xFFFF0000)
    if found is None:
        return "the OPC UA server answered with the unknown status code 0x%08X" % status
    return REASONS.get(found, "the OPC UA server answered " + found)


def is_good(status: int) -> bool:
    return status & 0xC0000000 == 0


def is_uncertain(status: int) -> bool:
    return status & 0xC0000000 == 0x40000000


def is_bad(status: int) -> bool:
    """The severity is Bad; the reserved fourth severity counts as Bad too."""
    return status & 0x80000000 != 0
