"""Make the wheels of opcws: the pure one, for any machine, and the compiled one of this machine.

    python3 scripts/wheels.py [--output dist]

The compiled one is only for this Python, system and processor, and needs a C compiler and Python's
headers; pip prefers it to the pure one if both are in the same folder and it fits.

(Windows: py scripts\\wheels.py)
"""

import sys

# Before the import, which an older Python cannot even parse.
if sys.version_info < (3, 8):
    sys.exit(
        "wheels.py: needs Python 3.8 or newer, this is %d.%d; install a newer one, and start this "
        "with it." % sys.version_info[:2]
    )

import argparse
import os
import subprocess
from typing import Sequence

import environment


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Make the wheels of opcws.")
    parser.add_argument("--output", metavar="FOLDER", default="dist", help="Where to (dist).")
    output = os.path.abspath(parser.parse_args(arguments).output)
    missing = environment.lacks()
    if missing:
        environment.fail("the compiled wheel cannot be made: " + missing)
    command = [environment.prepare("run"), "-m", "pip", "--disable-pip-version-check", "wheel"]
    command += ["--quiet", "--use-pep517", "--no-deps", "--wheel-dir", output]
    for compiled in ("0", "1"):
        with environment.copied() as copy:
            settings = {**os.environ, "OPCWS_COMPILED": compiled}
            if subprocess.call([*command, str(copy)], env=settings):
                environment.fail("a wheel cannot be made; pip's own words are above")
    for name in sorted(os.listdir(output)):
        if name.startswith("opcws-"):
            print(os.path.join(output, name))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
