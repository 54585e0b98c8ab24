"""Texts that are almost requests, by seeded changes of their JSON."""

import copy
import json
import random
from typing import Any, Callable, List, Tuple

STRANGE: List[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.0,
    -0.0,
    1.5,
    1e308,
    2**31,
    2**53 + 1,
    2**64,
    10**400,
    "",
    " ",
    "1",
    "NaN",
    "Infinity",
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "\U0001f600" * 50,
    "%s%n{0}",
    "x" * 5000,
    "9" * 5000,
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "i=99999999999",
    "nsu=;s=",
    "__class__",
    [],
    {},
    [[]],
    [None] * 3,
    {"": ""},
    {"Type": 12, "Body": []},
    {"Type": 24, "Body": {"Type": 24, "Body": {"Type": 24, "Body": None}}},
    {"Type": 23, "Body": {"Value": {"Type": 23, "Body": {"Value": {}}}}},
    {"Type": 25, "Body": {"InnerDiagnosticInfo": {"InnerDiagnosticInfo": {}}}},
]


class Mutator:
    """Makes texts that are almost requests; the same ones for the same *seed*."""

    def __init__(self, seed: int) -> None:
        print("seed", seed)
        self.chance = random.Random(seed)
        self._changes: List[Callable[[Any, Any], None]] = [
            self._drop,
            self._rename,
            self._retype,
            self._retype,
            self._swap,
            self._add,
            self._wrap,
            self._grow,
        ]

    def text(self, number: int, valid: bytes) -> str:
        """Almost *valid*; its ClientHandle, if it survives, is ``f`` and *number*."""
        try:
            message = json.loads(valid.decode("utf-8"))
            message["Header"]["ClientHandle"] = "f%06d" % number
        except (ValueError, KeyError, TypeError, RecursionError):
            return self._scratched(valid.decode("utf-8", "replace") or " ")
        kind = self.chance.randrange(10)
        if kind:
            for _ in range(self.chance.choice([1, 1, 1, 2, 3])):
                holder, key = self._place(message)
                self.chance.choice(self._changes)(holder, key)
        text = json.dumps(message, ensure_ascii=bool(self.chance.randrange(4)))
        # opcws would answer a larger one by closing the connection.
        text = text.encode("utf-8", "replace").decode("utf-8")[:200000]
        return self._scratched(text) if kind > 7 else text

    def _place(self, message: Any) -> Tuple[Any, Any]:
        """A random place in *message*: (object or array, key or index)."""
        places: List[Tuple[Any, Any]] = []
        left = [message]
        while left:
            each = left.pop()
            keys = list(each) if isinstance(each, dict) else list(range(len(each)))
            for key in keys:
                places.append((each, key))
                if isinstance(each[key], (dict, list)):
                    left.append(each[key])
        # An earlier change may have left it empty.
        return self.chance.choice(places) if places else ({"": 0}, "")

    def _strange(self) -> Any:
        return copy.deepcopy(self.chance.choice(STRANGE))

    def _drop(self, holder: Any, key: Any) -> None:
        del holder[key]

    def _rename(self, holder: Any, key: Any) -> None:
        if isinstance(holder, dict):
            names = [key.lower(), key + " ", key[1:], "ClientHandler", "Value", "\ud800"]
            holder[self.chance.choice(names)] = holder.pop(key)

    def _retype(self, holder: Any, key: Any) -> None:
        holder[key] = self._strange()

    def _swap(self, holder: Any, key: Any) -> None:
        other = self.chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        holder[key], holder[other] = holder[other], holder[key]

    def _add(self, holder: Any, key: Any) -> None:
        if isinstance(holder, dict):
            name = self.chance.choice(["Variable", "Variables", "Extra", "Type", ""])
            holder[name] = self._strange()
        else:
            holder.insert(key, self._strange())

    def _wrap(self, holder: Any, key: Any) -> None:
        value = holder[key]
        for _ in range(self.chance.choice([1, 2, 40, 150])):
            value = self.chance.choice([[value], {"Value": value}, {"Type": 24, "Body": value}])
        holder[key] = value

    def _grow(self, holder: Any, key: Any) -> None:
        value = holder[key]
        if isinstance(value, str):
            holder[key] = value * self.chance.choice([2, 300])
        elif isinstance(value, list):
            holder[key] = value * self.chance.choice([2, 50])

    def _scratched(self, text: str) -> str:
        """*text* with characters lost, inserted, or moved."""
        place = self.chance.randrange(len(text))
        kind = self.chance.randrange(5)
        if kind == 0:
            return text[:place]
        if kind == 1:
            return text[:place] + text[place + self.chance.randint(1, 9) :]
        if kind == 2:
            marks = ['"', "\\", "\\u", "{", "[", "}", ",", "\x00", "\u20ac", "NaN"]
            return text[:place] + self.chance.choice(marks) + text[place:]
        if kind == 3:
            return text + text
        return "[" * self.chance.choice([100, 5000, 100000]) + text
