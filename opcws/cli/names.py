"""Names of variables on the command line, and messages about a variable that is wrong."""

import difflib
import fnmatch
import re
from typing import Dict, List, Optional, Sequence

from ..client import Client, ClientError
from ..model.text import clean
from .formatting import Info

_PATTERN = re.compile(r"[*?\[]")


class UsageProblem(ClientError):
    """The command cannot be executed; the reason says why.  ``usage`` is false if the variables are
    the cause, and not the command line."""

    def __init__(self, reason: str, usage: bool = True) -> None:
        super().__init__(reason)
        self.usage = usage


def wanted(client: Client, patterns: Sequence[str]) -> List[str]:
    """The names that *patterns* stand for, each once.  A name without ``*``, ``?`` and ``[``
    stays as it is, whether there is such a variable or not.

    Raises :exc:`UsageProblem` for a pattern that nothing matches.
    """
    known: Optional[List[str]] = None
    found: Dict[str, None] = {}
    for pattern in patterns:
        if not _PATTERN.search(pattern):
            found[pattern] = None
            continue
        if known is None:
            known = client.names()
        names = [pattern]
        if pattern not in known:
            names = [each for each in known if fnmatch.fnmatchcase(each, pattern)]
        if not names:
            raise UsageProblem(
                "no variable matches %s; 'opcws list' shows all %d; case matters"
                % (clean(pattern), len(known)),
                usage=False,
            )
        found.update(dict.fromkeys(names))
    return list(found)


def problem(client: Client, name: str, status: str, reason: str) -> str:
    """A variable's problem in a sentence; for an unknown name it suggests a similar one."""
    # The user did not write the request, so its JSON path would not help.
    reason = re.sub(r"\ABody\.[\w.\[\]]+: ", "", reason)
    if reason.startswith(name + " "):
        reason = reason[len(name) + 1 :]
    said = "%s (%s)" % (clean(reason), clean(status)) if reason else clean(status)
    text = "%s: %s" % (clean(name), said)
    if status == "BadHistoryOperationUnsupported":
        text += "; 'opcws info' shows which variables have a history"
        return text + ", 'opcws docs history' how to record one"
    if status != "BadNodeIdUnknown":
        return text
    try:
        names = client.names()
    except ClientError:
        return text
    if name not in names:
        close = difflib.get_close_matches(name, names, 2, 0.75)
        folded = [each for each in names if each.lower() == name.lower()]
        longer = [each for each in names if name.lower() in each.lower()][:2]
        hints = folded or close or longer
        text = "%s: no variable has that name" % clean(name)
        text += "; did you mean %s?" % " or ".join(map(clean, hints)) if hints else ""
        text += " 'opcws list' shows all" if hints else "; 'opcws list' shows all"
    return text


def infos_of(client: Client, names: Sequence[str]) -> Dict[str, Info]:
    return {info["Variable"]: info for info in client.info(names)} if names else {}
