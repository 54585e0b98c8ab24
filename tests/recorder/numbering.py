"""A process that records numbers until it is killed, and tells each when it has handed it over.

python -m tests.recorder.numbering FILE FIRST
"""

import itertools
import sys
import threading
from pathlib import Path

from opcws.recorder import writer

from . import SECOND, T0, Running, row

# So that it may be killed in the middle of a block, too.
writer.BLOCK, writer.JOURNAL_ROWS = 64, 2
with Running(Path(sys.argv[1])) as running:
    pause = threading.Event()
    for number in itertools.count(int(sys.argv[2])):
        running.take([row(float(number), T0 + number * SECOND)])
        print(number, flush=True)
        pause.wait(0.001)
