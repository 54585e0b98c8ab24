"""What the house is built like: which room may know which, how large it may grow."""

import ast
import functools
import re
from pathlib import Path
from typing import Dict, Iterable, Iterator, Set, Tuple

from . import ROOT

PACKAGE = ROOT / "opcws"

#: The rooms, from the roof to the ground.  A module imports from its own room and from lines
#: below; rooms on one line never meet.  Each room's own words are in its ``__init__.py``.
ROOMS = """
__main__
cli
commissioning
app
ws demo client recorder pubsub ua
ua.services
ua.channel
ua.encoding
gateway
history
access
operations docs x509
config
wire
model
""".split("\n")[1:-1]
LINES: Dict[str, int] = {name: line for line, names in enumerate(ROOMS) for name in names.split()}
#: Third-party packages and the only rooms that may know them.
OWNERS: Dict[str, Set[str]] = {
    "opcua": {"ua", "ua.services", "ua.channel", "ua.encoding", "demo"},
    "cryptography": {"x509", "ua.channel", "ua.services"},
    "OpenSSL": {"x509"},
    "simple_websocket": {"ws"},
    "h11": {"ws"},
    "wsproto": {"client", "ws"},
    "click": {"cli"},
    "rich": {"cli"},
    "docutils": {"docs"},
    "prometheus_client": {"operations"},
    "sqlite3": {"recorder"},
    "paho": {"pubsub"},
    "yaml": {"config", "commissioning"},
    "defusedxml": {"commissioning"},
    "jsonschema": {"wire", "config"},
    "fastjsonschema": {"wire", "config"},
}
#: Rooms that know neither socket nor thread nor clock; a deadline is the clock itself, and a file
#: that is being read on Windows is waited for.
PURE = {"history", "model", "wire"}
IMPURE = {"socket", "select", "ssl", "threading", "time", "asyncio", "queue"}
EXCEPTIONS = {
    (PACKAGE / "model" / "clock.py", "time"),
    (PACKAGE / "model" / "deadline.py", "time"),
    (PACKAGE / "model" / "atomic_file.py", "threading"),
}
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = sorted(
    path
    for path in [*MODULES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")]
    if "node_modules" not in path.parts
)


def room_of(name: str) -> str:
    """The room of a dotted name below ``opcws``: the deepest that there is."""
    parts = name.split(".")[1:]
    for depth in (2, 1):
        if ".".join(parts[:depth]) in LINES:
            return ".".join(parts[:depth])
    raise AssertionError("%s is in no room: DESIGN section 2 has them, ROOMS lists them" % name)


def room(path: Path) -> str:
    return room_of(dotted(path))


@functools.lru_cache(maxsize=None)
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[Tuple[int, str]]:
    """Line and dotted name of everything that *path* imports, also inside functions."""
    parts = ("opcws", *path.relative_to(PACKAGE).with_suffix("").parts)
    package = parts if path.name == "__init__.py" else parts[:-1]
    for node in ast.walk(parsed(path)):
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


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_directly_below_the_package_lie_only_the_rooms() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    assert modules == {"__init__", "__main__", "app"}
    folders = {path.parent for path in MODULES} - {PACKAGE}
    assert {room(folder / "__init__.py") for folder in folders} == set(LINES) - {"__main__", "app"}


def none(breaches: Iterable[str]) -> None:
    """Each says the file, the line and what is wrong with it."""
    found = list(breaches)
    assert not found, "\n" + "\n".join(found)


def each_import() -> Iterator[Tuple[Path, str, str]]:
    """The path of a module, what it imports, and where that stands."""
    for path in MODULES:
        for line, name in imports(path):
            yield path, name, "%s:%d" % (named(path), line)


def test_importing_opcws_costs_nothing() -> None:
    assert not list(imports(PACKAGE / "__init__.py"))


def test_imports_run_downwards_only() -> None:
    none(
        "%s: %s must not import %s" % (place, room(path), name)
        for path, name, place in each_import()
        if name.split(".")[0] == "opcws"
        and name != "opcws.__version__"
        and room_of(name) != room(path)
        and LINES[room_of(name)] <= LINES[room(path)]
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


def test_each_library_is_known_to_its_owner_only() -> None:
    none(
        "%s: only %s may import %s" % (place, ", ".join(sorted(OWNERS[name.split(".")[0]])), name)
        for path, name, place in each_import()
        if room(path) not in OWNERS.get(name.split(".")[0], {room(path)})
    )


def test_a_pure_room_knows_neither_socket_nor_thread_nor_clock() -> None:
    none(
        "%s imports %s" % (place, name)
        for path, name, place in each_import()
        if room(path) in PURE and name.split(".")[0] in IMPURE and (path, name) not in EXCEPTIONS
    )


def sleeps(path: Path) -> Iterator[int]:
    """The lines of *path* that have a ``sleep``."""
    for node in ast.walk(parsed(path)):
        imported = isinstance(node, ast.ImportFrom) and node.module == "time"
        if imported and "sleep" in [name.name for name in node.names]:
            yield node.lineno
        if isinstance(node, ast.Attribute) and node.attr == "sleep":
            yield node.lineno


def test_nothing_sleeps_to_wait() -> None:
    none("%s:%d sleeps" % (named(path), line) for path in SOURCES for line in sleeps(path))


def test_no_path_of_one_machine_is_in_the_sources() -> None:
    homes = "home root work tmp Users opt srv mnt".split()
    of_one_machine = re.compile(
        r"""(?<![\w.:/<])/(?:%s)/\w|\b[A-Za-z]:\\\\?(?:Users|Windows|Temp)""" % "|".join(homes)
    )
    none(
        "%s has %r" % (named(path), found.group())
        for path in SOURCES
        for found in of_one_machine.finditer(path.read_text(encoding="utf-8"))
    )
