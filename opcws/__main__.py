"""``opcws``, and ``python -m opcws``: what even a broken installation can say comes first."""

import sys


def main():  # type: () -> int  # Python 2 parses this far, too
    """Run the command line; returns its exit code."""
    # Before the imports, which an older Python could not even parse.
    if sys.version_info < (3, 8):
        sys.stderr.write(
            "opcws: needs Python 3.8 or newer, this is %d.%d; install a newer one, and opcws into "
            "it\n" % sys.version_info[:2]
        )
        return 1
    try:
        from opcws.cli.main import main as command

        return command() or 0
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "opcws":
            raise
        sys.stderr.write(
            "opcws: the package %s is missing, without which it does not run; install opcws "
            "again: python -m pip install --upgrade --force-reinstall opcws\n" % error.name
        )
        return 1
    except KeyboardInterrupt:  # before the command has begun
        return 130


if __name__ == "__main__":
    sys.exit(main())
