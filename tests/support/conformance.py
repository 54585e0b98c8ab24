"""Reads the conformance pack, ``schemas/examples/``."""

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

from .. import ROOT

PACK = ROOT / "schemas" / "examples"

#: Identifies a message of the pack: its file, its group in it, its description.
Name = Tuple[str, str, str]


class Case(NamedTuple):
    """A message of the pack, the file of its schema, and whether it is valid."""

    name: Name
    schema: Path
    data: Any
    valid: bool


class Malformed(NamedTuple):
    """A text of the pack, and the members of its answer besides ``Reason``."""

    name: Name
    text: str
    answer: Dict[str, Any]


def files(folder: str) -> List[str]:
    """The files in *folder*, ``"."``, ``"optional"`` or ``"malformed"``, relative to the pack."""
    return [path.relative_to(PACK).as_posix() for path in sorted((PACK / folder).glob("*.json"))]


def groups(file: str) -> Iterator[Tuple[Path, Dict[str, Any]]]:
    """The groups in *file*, each with the path of its schema."""
    path = PACK / file
    for group in json.loads(path.read_text(encoding="utf-8")):
        yield (path.parent / group["schema"]["$ref"]).resolve(), group


def cases(*folders: str) -> List[Case]:
    """The messages in *folders*, by default those that all validators judge alike and the optional
    ones."""
    return [
        Case((file, group["description"], test["description"]), schema, test["data"], test["valid"])
        for folder in folders or (".", "optional")
        for file in files(folder)
        for schema, group in groups(file)
        for test in group["tests"]
    ]


def malformed() -> List[Malformed]:
    return [
        Malformed((file, group["description"], test["description"]), test["text"], test["answer"])
        for file in files("malformed")
        for _schema, group in groups(file)
        for test in group["tests"]
    ]
