"""Recorded messages of other programs; each file names its source."""

import json
from typing import Any, Dict

from .. import ROOT


def recorded(name: str) -> Dict[str, Any]:
    """The messages in the file *name*, by their descriptions."""
    path = ROOT / "tests" / "data" / "pubsub" / (name + ".json")
    found: Dict[str, Any] = json.loads(path.read_text("utf-8"))
    assert found.pop("source")
    return found
