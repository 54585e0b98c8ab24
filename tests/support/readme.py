"""README.rst and the pages that it leads to, as the tests read them: sections and examples."""

import re
import textwrap
from typing import Any, List

from docutils import core, nodes

from .. import ROOT

PAGES = ROOT / "opcws" / "docs" / "pages"

README = (ROOT / "README.rst").read_text(encoding="utf-8")

#: All of it, one behind the other.
TEXT = "\n\n".join([README, *(p.read_text(encoding="utf-8") for p in sorted(PAGES.glob("*.rst")))])


def code(language: str) -> List[str]:
    """Every code block in *language*, without its indentation."""
    blocks = re.findall(
        r"^( *)\.\. code-block:: %s\n\n((?:\1 +\S.*\n|\n)+)" % language, TEXT, re.MULTILINE
    )
    return [textwrap.dedent(block).strip() + "\n" for _indentation, block in blocks]


def section(title: str) -> str:
    """What stands below *title* until the next title of any rank."""
    found = re.search(
        r"^%s\n([=~-])\1+\n(.*?)(?=^\S[^\n]*\n([=~-])\3{3,}\n|\Z)" % re.escape(title),
        TEXT,
        re.MULTILINE | re.DOTALL,
    )
    assert found, "neither README.rst nor a page has a section %r" % title
    return found.group(2)


def tree(source: str) -> Any:
    """The reStructuredText *source* as docutils reads it; it must find nothing wrong."""
    settings = {"report_level": 1, "halt_level": 2, "syntax_highlight": "none"}
    return core.publish_doctree(
        source, settings_overrides={**settings, "doctitle_xform": False, "_disable_config": True}
    )


def codes(source: str) -> List[str]:
    """Every code in the reStructuredText *source*, in its order."""
    return [node.astext() for node in tree(source).findall(nodes.literal_block)]
