"""The texts of the page in other languages than English: those that come with opcws, and those of a
plant, which are files such as ``texts/fr.json`` below ``state_dir``.

A file is one JSON object, from the English text to the translation.  A plant's text overrides one
of opcws; a text that neither has stays English.  A wrong file is ignored, with one warning.

Threads: any; nothing is kept, because a file may change at any time.
"""

import json
import logging
import os
import re
from pathlib import Path
from typing import Dict, List, Set

log = logging.getLogger(__name__)

_STATIC = Path(__file__).resolve().parent.parent / "static"
#: A BCP 47 language code, the name of a file.
_CODE = re.compile("[a-z]{2,3}")
#: Largest file in bytes: several times the size of all texts of the page.
MOST_BYTES = 1024 * 1024


class PageTexts:
    """The texts of the plant are in *directory*, which need not exist."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._told: Set[str] = set()

    def languages(self) -> List[str]:
        """The codes of the languages with texts, English first."""
        found = {each.name.split(".")[1] for each in _STATIC.glob("texts.*.json")}
        try:
            names = [os.path.splitext(each) for each in os.listdir(self._directory)]
        except OSError:  # there are none
            names = []
        found.update(
            code
            for code, end in names
            if end == ".json" and _CODE.fullmatch(code) and self._of_plant(code)
        )
        return ["en", *sorted(found - {"en"})]

    def table(self, code: str) -> Dict[str, str]:
        """From the English text to the text in the language *code*; empty if there are none."""
        if not _CODE.fullmatch(code):
            return {}
        own = _STATIC / ("texts.%s.json" % code)
        known = json.loads(own.read_text(encoding="utf-8")) if own.exists() else {}
        return {**known, **self._of_plant(code)}

    def _of_plant(self, code: str) -> Dict[str, str]:
        path = os.path.join(self._directory, code + ".json")
        try:
            with open(path, "rb") as file:
                text = file.read(MOST_BYTES + 1)
            found = json.loads(text.decode("utf-8-sig"))
            if not isinstance(found, dict) or not all(
                isinstance(each, str) for each in found.values()
            ):
                raise ValueError("expected one object, from English texts to others")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            if path not in self._told:
                self._told.add(path)
                log.warning("%s is left out: %s", path, error)
            return {}
        return found
