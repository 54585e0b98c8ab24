"""Test opcws in an environment of its own.

    python3 scripts/test.py                             linter, type check, the quick tests
    python3 scripts/test.py --slow                      all tests: soak, faults, fuzz, both forms
    python3 scripts/test.py --coverage                  the quick ones, and how much code they ran
    python3 scripts/test.py tests/test_x.py -k y        only pytest, with these arguments
    python3 scripts/test.py --compiled [...]            the integration tests on the compiled form
    python3 scripts/test.py --all-pythons [...]         pytest on every Python 3.8 to 3.13 here

(Windows: py scripts\\test.py)
"""

import sys

# Before the import, which an older Python cannot even parse.
if sys.version_info < (3, 8):
    sys.exit(
        "test.py: needs Python 3.8 or newer, this is %d.%d; install a newer one, and start this "
        "with it." % sys.version_info[:2]
    )

import checks

if __name__ == "__main__":
    try:
        sys.exit(checks.main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
