"""Reads README.rst and the pages that it links to: sections and examples."""

import re
import textwrap
from typing import Any, List

from docutils import core, nodes

from .. import ROOT

PAGES = ROOT / "opcws" / "docs" / "pages"

README = (ROOT / "README.rst").read_text(encoding="utf-8")

#: The text of all of them.
TEXT = "\n\n".join([README, *(p.read_text(encoding="utf-8") for p in sorted(PAGES.glob("*.rst")))])


def code(language: str) -> List[str]:
    """Every code block in *language*, without its indentation."""
    blocks = re.findall(
        r"^( *)\.\. code-block:: %s\n\n((?:\1 +\S.*\n|\n)+)" % language, TEXT, re.MULTILINE
    )
    return [textwrap.dedent(block).strip() + "\n" for _indentation, block in blocks]


def section(title: str) -> str:
    """The text below *title* until the next title of any level."""
    found = re.search(
        r"^%s\n([=~-])\1+\n(.*?)(?=^\S[^\n]*\n([=~-])\3{3,}\n|\Z)" % re.escape(title),
        TEXT,
        re.MULTILINE | re.DOTALL,
    )
    assert found, "neither README.rst nor a page has a section %r" % title
    return found.group(2)


def tree(source: str) -> Any:
    """The reStructuredText *source*, parsed by docutils without any problem."""
    settings = {"report_level": 1, "halt_level": 2, "syntax_highlight": "none"}
    return core.publish_doctree(
        source, settings_overrides={**settings, "doctitle_xform": False, "_disable_config": True}
    )


def codes(source: str) -> List[str]:
    """Every code block in the reStructuredText *source*, in order."""
    return [node.astext() for node in tree(source).findall(nodes.literal_block)]
