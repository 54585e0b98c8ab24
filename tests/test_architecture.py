"""What the house is built like: which room may know which, how large it may grow."""

import ast
import re
from pathlib import Path
from typing import Dict, Iterator, List, Set, Tuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "opcws"

#: Rooms from the top of the house to the ground.  A module imports from floors below its own;
#: on its own floor too, where that floor is open or its own family is, but never in a circle.
FLOORS: List[Set[str]] = [
    {"__main__"},
    {
        *("cli", "cli_common", "cli_keys"),
        *("cli_browse", "cli_client", "cli_docs", "cli_doctor", "cli_output"),
    },
    {
        *("app", "check", "certs", "listencert", "accounts", "reloader"),
        *("clientcommands", "watching", "display", "doctor"),
        *("browsing", "discovering", "initial", "writing"),
    },
    {
        *("ws", "ua", "demo", "asneg", "asnegnodes", "asnegxml", "logs", "operations", "metrics"),
        *("control", "client"),
    },
    {
        *("gateway", "session", "plants", "relay", "source", "outbox", "counters", "openfiles"),
        "affinity",
        *("audit", "auditfile", "gatekeeper", "credentials", "tally", "monitor", "sessions"),
    },
    {
        *("messages", "frames", "values", "written", "scalars", "contract", "access", "bodies"),
        *("rows", "shapes", "figures", "connectionid", "docs"),
        *(
            "config",
            "configcheck",
            "configroles",
            "settings",
            "settings_listen",
            "settings_plant",
            "settings_roles",
            "fielddefs",
            "yamlfile",
            "asnegxml",
            "asnegnodes",
            "ranges",
        ),
        *("fields", "fielddefs", "settings", "settings_listen", "settings_plant", "settings_roles"),
        "reload",
        *("addresses", "forwarded", "lockout", "terminal"),
        *("found", "yamledit", "configwrite", "sheets", "rotation"),
    },
    {"errors", "datatypes", "deadline", "statuscodes"},
]
OPEN_FLOORS = {4, 5, 6}
FAMILIES: List[Set[str]] = [
    {"asneg", "asnegnodes", "asnegxml"},
    {
        *("cli", "cli_common", "cli_keys"),
        *("cli_browse", "cli_client", "cli_docs", "cli_doctor", "cli_output"),
    },
    {"browsing", "discovering", "initial", "writing"},
    {"operations", "metrics"},
    {"clientcommands", "watching", "display"},
    {"doctor", "app", "check", "listencert", "accounts"},
]
#: Third-party packages and the only rooms that may know them.
OWNERS: Dict[str, Set[str]] = {
    "opcua": {"ua", "demo"},
    "cryptography": {"ua"},
    "simple_websocket": {"ws"},
    "wsproto": {"client"},
    "h11": {"ws"},
    "click": {
        *("cli", "cli_common", "cli_keys"),
        *("cli_browse", "cli_client", "cli_docs", "cli_doctor", "cli_output"),
    },
    "prometheus_client": {"metrics"},
    "yaml": {"yamlfile", "yamledit"},
    "jsonschema": {"contract", "configcheck"},
    "fastjsonschema": {"contract", "configcheck"},
}
PURE = FLOORS[5] | FLOORS[6] - {"deadline"}
IMPURE = {"socket", "select", "ssl", "threading", "time", "asyncio", "queue"}
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = sorted([*MODULES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")])


def room(path: Path) -> str:
    """The module's or subpackage's name directly below ``opcws``."""
    return path.relative_to(PACKAGE).parts[0].replace(".py", "")


def imports(path: Path) -> Iterator[Tuple[int, str]]:
    """Line and dotted name of everything that *path* imports, also inside functions."""
    parts = ("opcws", *path.relative_to(PACKAGE).with_suffix("").parts)
    package = parts if path.name == "__init__.py" else parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for name in node.names:
                yield node.lineno, "%s.%s" % (module, name.name)


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def floor(name: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if name in rooms)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_module_has_its_place_in_the_house(path: Path) -> None:
    assert (
        path.name == "__init__.py"
        and path.parent == PACKAGE
        or any(room(path) in rooms for rooms in FLOORS)
    ), "%s belongs to no floor: give it one in FLOORS" % named(path)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_imports_run_downwards_only(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        assert not list(imports(path)), "importing opcws must cost nothing"
        return
    here = room(path)
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] != "opcws" or len(parts) < 2 or parts[1] in (here, "__version__"):
            continue
        down = floor(parts[1]) - floor(here)
        related = any({here, parts[1]} <= family for family in FAMILIES)
        assert down > 0 or (down == 0 and (related or floor(here) in OPEN_FLOORS)), (
            "%s:%d: %s must not import %s" % (named(path), line, here, name)
        )


def test_no_modules_import_one_another_in_a_circle() -> None:
    names = {dotted(path): path for path in MODULES}
    below: Dict[str, Set[str]] = {
        name: {
            known
            for _, target in imports(path)
            for known in (target, target.rpartition(".")[0])
            if known in names and known != name and names[known].name != "__init__.py"
        }
        for name, path in names.items()
    }
    while below:
        ground = {name for name, targets in below.items() if not targets}
        assert ground, "these import one another in a circle: %s" % sorted(below)
        below = {name: targets - ground for name, targets in below.items() if name not in ground}


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_each_library_is_known_to_its_owner_only(path: Path) -> None:
    for line, name in imports(path):
        owners = OWNERS.get(name.split(".")[0])
        assert owners is None or room(path) in owners, "%s:%d: only %s may import %s" % (
            named(path),
            line,
            ", ".join(sorted(owners)),
            name,
        )


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in PURE], ids=named)
def test_the_pure_core_knows_neither_socket_nor_thread_nor_clock(path: Path) -> None:
    for line, name in imports(path):
        assert name.split(".")[0] not in IMPURE, "%s:%d imports %s" % (named(path), line, name)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_no_module_outgrows_six_hundred_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nothing_sleeps_to_wait(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            assert "sleep" not in [name.name for name in node.names]
        if isinstance(node, ast.Attribute) and node.attr == "sleep":
            raise AssertionError("%s:%d sleeps" % (named(path), node.lineno))


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_no_path_of_one_machine_is_in_the_sources(path: Path) -> None:
    homes = "home root work tmp Users opt srv mnt".split()
    found = re.search(
        r"""(?<![\w.:/<])/(?:%s)/\w|\b[A-Za-z]:\\\\?(?:Users|Windows|Temp)""" % "|".join(homes),
        path.read_text(encoding="utf-8"),
    )
    assert not found, "%s has %r" % (named(path), found)
