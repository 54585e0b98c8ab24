"""Accessibility problems that axe-core finds in a browser's page."""

from typing import Any, List

import pytest

from . import readme

_AXE = readme.ROOT / "tests" / "javascript" / "node_modules" / "axe-core" / "axe.min.js"

needed = pytest.mark.skipif(
    not _AXE.exists(), reason="not run: needs axe-core (npm install in tests/javascript)"
)


def judged(browser: Any) -> List[str]:
    """Each violated rule of WCAG or of good practice, and where."""
    browser.execute_script(_AXE.read_text(encoding="utf-8"))
    found: List[str] = browser.execute_async_script(
        "const ready = arguments[0];"
        "axe.run({resultTypes: ['violations']}).then((found) => ready(found.violations.map("
        "  (each) => each.id + ': ' + each.help + ': ' + each.nodes.map("
        "    (node) => node.target.join(' ')).join(', '))), (error) => ready([String(error)]));"
    )
    return found
