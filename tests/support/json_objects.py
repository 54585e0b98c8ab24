"""The objects within a JSON document."""

from typing import Any, Dict, Iterator


def objects_in(part: Any) -> Iterator[Dict[str, Any]]:
    """*part*, parsed JSON, if it is an object, and every object within it."""
    if isinstance(part, dict):
        yield part
        for each in part.values():
            yield from objects_in(each)
    elif isinstance(part, list):
        for each in part:
            yield from objects_in(each)
