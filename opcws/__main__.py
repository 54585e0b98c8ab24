"""``opcws``, and ``python -m opcws``: first the checks that work even in a broken installation."""

import os
import sys

# Windows error codes for a DLL that cannot be loaded, or whose own DLLs cannot: it is missing
# (126), lacks a function (127), fails to start (1114), or is for another kind of machine (193).
_DLL_ERRORS = (126, 127, 193, 1114)

_AGAIN = "python -m pip install --upgrade --force-reinstall opcws"


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
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) and getattr(error, "winerror", None) not in _DLL_ERRORS:
            raise
        package = _package(error)
        if package == "opcws":
            raise
        sys.stderr.write("opcws: %s\n" % _sentence(error, package))
        return 1
    except KeyboardInterrupt:  # before the command has begun
        return 130


def _sentence(error, package):  # type: (Exception, str) -> str
    if isinstance(error, ModuleNotFoundError) and error.name == package:
        return (
            "the package %s is missing, without which it does not run; install opcws again: %s"
            % (package, _AGAIN)
        )
    text = "%s cannot be loaded: %s; install opcws again, and with it the releases that this " % (
        _release(package),
        " ".join(str(error).split()).rstrip("."),
    )
    text += "Python %d.%d can load: " % sys.version_info[:2] + _AGAIN
    if sys.platform == "win32":
        page = os.path.join(os.path.dirname(__file__), "docs", "pages", "windows-versions.rst")
        text += "; %s says which Python and which updates this Windows needs" % page
    return text


def _package(error):  # type: (Exception) -> str
    """The package, by its name in Python, whose file could not be imported."""
    path = str(getattr(error, "path", None) or "")
    for folder in sorted(sys.path, key=len, reverse=True):
        if folder and path.startswith(folder):
            parts = path[len(folder) :].replace("\\", "/").strip("/").split("/")
            return parts[0].split(".")[0]
    name = getattr(error, "name", None)
    if name:
        return str(name).split(".")[0]
    # The package loads the DLL by hand: it is the last module in the traceback that is not part of
    # Python.
    package, step = "opcws", error.__traceback__
    while step is not None:
        name = step.tb_frame.f_globals.get("__name__", "").split(".")[0]
        package = package if name in ("importlib", "ctypes", "") else name
        step = step.tb_next
    return package


def _release(package):  # type: (str) -> str
    """What pip calls *package*, and its version."""
    from importlib import metadata

    for each in metadata.distributions():
        for file in each.files or ():
            if file.parts[0].split(".")[0] == package:
                return "%s %s" % (each.metadata["Name"], each.version)
    return package


if __name__ == "__main__":
    sys.exit(main())
