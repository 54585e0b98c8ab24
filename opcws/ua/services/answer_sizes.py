"""How large the values of variables are, and so how many of them one Read may ask for.

Rules:

* The size of each variable's value is remembered when it is read or written, across connections;
  a small value counts as 0.
* A number, a time or any other scalar of a fixed size counts as small before it was read.
* Variables that may be large and were never read begin with few in a call; while they turn out to
  be small, each following call has more of them, but never more than are safe at a MiB each.
* A call that ended a connection, or whose answer was too large, has fewer of its variables the
  next time.

Threads: any; each entry is stored and looked up in one step, and an old one costs at most a call.
"""

from operator import attrgetter
from typing import Callable, Dict, Iterator, Mapping, Sequence, Tuple

from ...config.settings import Variable
from ...model.data_types import BOOLEAN, DATETIME, DOUBLE, GUID, STATUSCODE, ValueType
from ..encoding.service_bodies import SMALL_BYTES

#: How many bytes, about, one read may bring if values are large.
CALL_BYTES = 1024 * 1024
#: Of variables that may be large and were never read, the first call has 4, a later one at most 64.
FIRST_GUESS_BYTES, LAST_GUESS_BYTES = CALL_BYTES // 4, CALL_BYTES // 64

_FIXED = frozenset((*range(BOOLEAN, DOUBLE + 1), DATETIME, GUID, STATUSCODE))
_NAME = attrgetter("name")


class AnswerSizes:
    """*value_type* returns the type of a variable's values, as far as it is known."""

    def __init__(self, value_type: Callable[[Variable], ValueType]) -> None:
        self._value_type = value_type
        self._bytes: Dict[str, int] = {}
        self._guess = FIRST_GUESS_BYTES

    def of(self, variables: Sequence[Variable]) -> int:
        """About how many bytes the values of *variables* have, 0 if all are small."""
        try:
            return sum(map(self._bytes.__getitem__, map(_NAME, variables)))
        except KeyError:
            return sum(map(self._one, variables))

    def _one(self, variable: Variable) -> int:
        known = self._bytes.get(variable.name)
        if known is not None:
            return known
        if not self._is_fixed(variable):
            return self._guess
        self._bytes[variable.name] = 0
        return 0

    def _is_fixed(self, variable: Variable) -> bool:
        value_type = self._value_type(variable)
        return value_type.type in _FIXED and value_type.is_array is False

    def calls(self, variables: Sequence[Variable], most: int) -> Iterator[Tuple[int, int]]:
        """The begin and end of each read of *variables*, with at most *most* in each; the sizes
        are those known when the caller takes the next one."""
        start, end = 0, len(variables)
        while start < end:
            stop = min(start + most, end)
            if self.of(variables[start:stop]) > CALL_BYTES:
                last, stop, size = stop, start, 0
                while stop < last:
                    size += self._one(variables[stop])
                    if size > CALL_BYTES and stop > start:
                        break
                    stop += 1
            yield start, stop
            start = stop

    def learn(self, variables: Sequence[Variable], large: Mapping[int, int]) -> None:
        """A read brought *variables*; *large* has the sizes, in bytes, of the large ones by their
        indexes."""
        known = self._bytes
        try:
            if not large and not sum(map(known.__getitem__, map(_NAME, variables))):
                return
        except KeyError:
            pass
        guessed = [
            place
            for place, variable in enumerate(variables)
            if variable.name not in known and not self._is_fixed(variable)
        ]
        if guessed:
            largest = max(large.get(place, 0) for place in guessed)
            if largest > self._guess:
                self._guess = min(largest, CALL_BYTES)
            elif largest <= self._guess // 4:
                self._guess = max(self._guess // 4, LAST_GUESS_BYTES)
        known.update(dict.fromkeys(map(_NAME, variables), 0))
        for place, size in large.items():
            known[variables[place].name] = size

    def written(self, variable: Variable, size: int) -> None:
        """The next read of *variable* may bring *size* bytes."""
        if size > SMALL_BYTES:
            self._bytes[variable.name] = max(size, self._bytes.get(variable.name, 0))

    def ended(self, variables: Sequence[Variable], size: int) -> None:
        """A read of *variables* failed because it had *size* bytes or more."""
        share = size // len(variables)
        for variable in variables:
            if not self._is_fixed(variable):
                self._bytes[variable.name] = max(share, self._one(variable))

    def change(self, old: Mapping[str, Variable], new: Mapping[str, Variable]) -> None:
        """The configuration has changed."""
        for name in list(self._bytes):
            if name not in new or new[name] != old.get(name):
                self._bytes.pop(name, None)
