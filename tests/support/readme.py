"""README.rst and the pages that it leads to, as the tests read them: sections and examples."""

import re
import textwrap
from pathlib import Path
from typing import Iterator, List, Sequence

from opcws.docs.blocks import Block, Code, Items, Terms

ROOT = Path(__file__).resolve().parents[2]

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


def codes(page: Sequence[Block]) -> Iterator[Code]:
    """Every code on *page*, in its order."""
    for block in page:
        if isinstance(block, Code):
            yield block
        elif isinstance(block, Items):
            for item in block.items:
                yield from codes(item)
        elif isinstance(block, Terms):
            for _term, body in block.items:
                yield from codes(body)
