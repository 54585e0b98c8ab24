"""``python -m opcws`` is the command ``opcws``."""

import sys


def main() -> int:
    """Run the command line; returns its exit code."""
    try:
        from opcws.cli import main as command

        return command() or 0
    except KeyboardInterrupt:  # before the command has begun
        return 130


if __name__ == "__main__":
    sys.exit(main())
