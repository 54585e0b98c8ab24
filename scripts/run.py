"""Try opcws: installs it into an environment of its own, compiled if there is a C compiler, and
runs ``opcws demo``.

    python3 scripts/run.py [arguments of "opcws demo"]

(Windows: py scripts\\run.py)
"""

import sys

# Before the import, which an older Python cannot even parse.
if sys.version_info < (3, 8):
    sys.exit(
        "run.py: needs Python 3.8 or newer, this is %d.%d; install a newer one, and start this "
        "with it." % sys.version_info[:2]
    )

import os
import shutil

import environment

if __name__ == "__main__":
    try:
        python = environment.prepare_fastest("run")
        # Not python -m opcws, which would find the checkout first if it is the current folder.
        command = shutil.which("opcws", path=os.path.dirname(python))
        environment.become([command or "opcws", "demo"] + sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
