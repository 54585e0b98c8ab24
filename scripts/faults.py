"""Runs the fault table against a real server and prints it as reStructuredText for
opcws/docs/pages/faults.rst.

    python scripts/faults.py [--only TEXT] [--output FILE]

Needs the packages of the tests.  Progress goes to standard error; the exit code is 1 if opcws did
not survive a fault.
"""

import argparse
import logging
import sys
from pathlib import Path
from typing import List, Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.faults import FAULTS, Outcome, Stage  # noqa: E402

HEADER = (
    "Fault",
    "What the clients saw",
    "Noticed after",
    "Recovered after",
    "More threads, memory after",
)


def saw(outcome: Outcome) -> str:
    """One cell: what monitors, a READ and listeners of the server's state got."""
    parts: List[str] = []
    if outcome.updates:
        parts.append("updates %s" % ", ".join("``%s``" % each for each in outcome.updates))
    else:
        parts.append("every value, in order")
    if outcome.answer is not None and outcome.answer[1] != "Good":
        parts.append("%s ``%s``" % outcome.answer)
    if outcome.states:
        parts.append("SERVERSTATUS %s" % ", ".join(outcome.states))
    return "; ".join(parts)


def seconds(value: Optional[float]) -> str:
    return "\\-" if value is None else "%.1f s" % value


def row(name: str, outcome: Outcome) -> Sequence[str]:
    return (
        name,
        saw(outcome),
        seconds(outcome.noticed_s),
        seconds(outcome.recovered_s),
        "%d, %.0f MiB" % (outcome.threads, outcome.kib / 1024.0),
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """A ``list-table``."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 30 40 10 10 10", ""]
    for cells in [HEADER, *rows]:
        for number, cell in enumerate(cells):
            lines.append("   %s - %s" % ("*" if number == 0 else " ", cell))
    return "\n".join(lines) + "\n"


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Print the fault table.")
    parser.add_argument("--only", default="", metavar="TEXT", help="faults whose name has it")
    parser.add_argument("--output", metavar="FILE", help="write there, not to standard output")
    options = parser.parse_args(arguments)
    # The table shows the results of the faults.
    logging.disable(logging.CRITICAL)
    rows: List[Sequence[str]] = []
    failed = 0
    stage = Stage()
    try:
        for fault in FAULTS:
            if options.only not in fault.name:
                continue
            try:
                rows.append(row(fault.name, stage.run(fault)))
            except AssertionError as error:
                failed += 1
                rows.append((fault.name, "**failed**: %s" % error, "", "", ""))
            print("%s: %s" % (fault.name, ", ".join(rows[-1][1:])), file=sys.stderr, flush=True)
    finally:
        stage.close()
    text = table(rows)
    if options.output:
        Path(options.output).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
