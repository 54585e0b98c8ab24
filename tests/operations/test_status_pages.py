"""What many who ask at once are given."""

import time
from typing import Any, Dict

import pytest

from opcws.operations.status_pages import _Kept


def test_a_document_is_kept_though_the_clock_steps_in_more_than_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``time.monotonic`` steps by 15.6 ms on Windows."""
    made = 0

    def make() -> Dict[str, Any]:
        nonlocal made
        made += 1
        until = time.perf_counter() + 0.1
        while time.perf_counter() < until:
            pass
        return {"Number": made}

    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    kept = _Kept(make)
    assert kept() == kept() == {"Number": 1}
