"""Entries of one variable as columns: in memory, in a block, in the journal.

Rules:

* An *entry* is a DataValue.  A run keeps the common parts of entries in arrays (both timestamps and
  a number of the run's built-in type), and the rare ones separately: a status that is not 0, and as
  text a value that is not such a number (:mod:`opcws.recorder.stored_values`).
* The time of an entry is its SourceTimestamp, or without one its ServerTimestamp.  Entries are in
  the order of their arrival, not of their times.
* In a block the bytes of a column are ordered by significance, and times are differences: bytes
  that change little are together, so zlib compresses them well.  In the journal columns are as in
  memory.
* Arrays have the byte order of the machine: the file is read only on the machine that wrote it.

Pure.
"""

import struct
import zlib
from array import array
from itertools import accumulate
from operator import sub
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ..model import data_types as dt
from ..model.data_types import DataValue, Variant
from . import stored_values

#: The typecode of the array of each built-in type that has a column.
TYPECODES: Dict[int, str] = {
    dt.BOOLEAN: "B",
    dt.SBYTE: "b",
    dt.BYTE: "B",
    dt.INT16: "h",
    dt.UINT16: "H",
    dt.INT32: "i",
    dt.UINT32: "I",
    dt.INT64: "q",
    dt.UINT64: "Q",
    dt.FLOAT: "f",
    dt.DOUBLE: "d",
    dt.DATETIME: "q",
}
if TYPE_CHECKING:
    Numbers = array[Any]
    Integers = array[int]

# Built-in type, and the numbers of entries, of statuses, of texts and of the texts' bytes.
_HEAD = struct.Struct("<BIIII")
#: About how many bytes an entry takes in memory, without its text.
ENTRY_BYTES = 28


class Columns(NamedTuple):
    """Entries for a chart, in the order of their arrival.

    ``times`` are ticks of 100 ns since 1601, ``statuses`` StatusCodes.  ``values`` is an array of
    numbers of the built-in ``type`` (a Boolean is 0 or 1), meaningless for an entry with a Bad
    status; or, if ``type`` is 0, a list of Variants, ``None`` for no value.  ``namespaces`` are
    those of the indexes in the Variants.
    """

    type: int
    times: "Integers"
    values: "Sequence[Any]"
    statuses: "Integers"
    namespaces: Sequence[str] = ()


class Run:
    """Some entries.  ``values`` is empty while ``type`` is 0, until the first number.  ``statuses``
    and ``texts`` have the rare parts by the index of the entry; an empty text means no value."""

    __slots__ = ("type", "sources", "servers", "values", "statuses", "texts")

    def __init__(self) -> None:
        self.type = 0
        self.sources: "Integers" = array("q")
        self.servers: "Integers" = array("q")
        self.values: "Numbers" = array("B")
        self.statuses: Dict[int, int] = {}
        self.texts: Dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def last_status(self) -> int:
        """The status of the last entry; 0 if there is none."""
        return self.statuses.get(len(self) - 1, 0)

    @property
    def text_bytes(self) -> int:
        return sum(map(len, self.texts.values()))

    @property
    def times(self) -> "Integers":
        if min(self.sources, default=1) > 0:
            return self.sources
        return array("q", [source or server for source, server in zip(self.sources, self.servers)])

    # --- one entry ------------------------------------------------------------------------------

    def add(self, value: DataValue, namespaces: Sequence[str]) -> None:
        """Add an entry with indexes into *namespaces*; its timestamps are not negative."""
        variant, status, source, server, source_pico, server_pico = value
        place = len(self)
        picoseconds = source_pico or server_pico
        if self._takes(variant) and not picoseconds:
            assert variant is not None
            self.values.append(variant.value)
        else:
            text = b""
            if picoseconds:
                bare = DataValue(variant, 0, 0, 0, source_pico, server_pico)
                text = stored_values.encode(bare, namespaces)
            elif variant is not None:
                text = stored_values.encode(variant, namespaces)
            self.texts[place] = text
            if self.type:
                self.values.append(0)
        if status:
            self.statuses[place] = status
        self.sources.append(source)
        self.servers.append(server)

    def _takes(self, variant: Optional[Variant]) -> bool:
        """Whether *variant* fits into the column; the first number decides the type of the
        column."""
        if variant is None or variant.is_array or variant.type not in TYPECODES:
            return False
        if not self.type:
            self._begin(variant.type)
        return self.type == variant.type

    def _begin(self, type_id: int) -> None:
        self.type = type_id
        self.values = array(TYPECODES[type_id], [0]) * len(self)

    # --- some entries ---------------------------------------------------------------------------

    def fitting(self, places: Sequence[int], most: int) -> int:
        """How many of the entries at *places* have texts of together at most *most* bytes; at least
        one."""
        for count, place in enumerate(places):
            most -= len(self.texts.get(place, b""))
            if count and most < 0:
                return count
        return len(places)

    def part(self, first: int, last: Optional[int] = None) -> "Run":
        """A copy of the entries from *first* to before *last*."""
        run = Run()
        run.type = self.type
        run.sources = self.sources[first:last]
        run.servers = self.servers[first:last]
        run.values = self.values[first:last]
        stop = first + len(run)
        if self.statuses:
            run.statuses = {
                place - first: status
                for place, status in self.statuses.items()
                if first <= place < stop
            }
        if self.texts:
            run.texts = {
                place - first: text for place, text in self.texts.items() if first <= place < stop
            }
        return run

    def extend(self, more: "Run") -> None:
        """Add the entries of *more*."""
        if self.type and more.type and self.type != more.type:
            namespaces: List[str] = []
            for value in more.data_values(range(len(more)), namespaces):
                self.add(value, namespaces)
            return
        before = len(self)
        if more.type and not self.type:
            self._begin(more.type)
        self.sources += more.sources
        self.servers += more.servers
        if self.type:
            values = more.values if more.type else array(self.values.typecode, [0]) * len(more)
            self.values += values
        for place, status in more.statuses.items():
            self.statuses[before + place] = status
        for place, text in more.texts.items():
            self.texts[before + place] = text

    def data_values(self, places: Iterable[int], namespaces: List[str]) -> List[DataValue]:
        """The entries at *places*; missing namespaces are added to *namespaces*."""
        statuses, texts = self.statuses, self.texts
        sources, servers, type_id = self.sources, self.servers, self.type
        values: Sequence[Any] = self.values
        if type_id == dt.BOOLEAN:
            values = list(map(bool, values))
        found = []
        for place in places:
            source_pico = server_pico = 0
            text = texts.get(place)
            if text is None:
                variant: Optional[Variant] = Variant(type_id, values[place])
            elif not text:
                variant = None
            else:
                variant = stored_values.decode(text, namespaces)
                if isinstance(variant, DataValue):
                    variant, _, _, _, source_pico, server_pico = variant
            status = statuses.get(place, 0)
            found.append(
                DataValue(variant, status, sources[place], servers[place], source_pico, server_pico)
            )
        return found

    def columns(self, places: Sequence[int]) -> Columns:
        """The entries at the rising *places*."""
        everything = len(places) == len(self)
        times = self.times
        statuses: "Integers" = array("I", [0]) * len(self)
        for place, status in self.statuses.items():
            statuses[place] = status
        if not everything:
            times = array("q", [times[place] for place in places])
            statuses = array("I", [statuses[place] for place in places])
        if self.type and not any(
            text or not self.statuses.get(place, 0) & 0x80000000
            for place, text in self.texts.items()
        ):
            numbers = self.values
            if not everything:
                numbers = array(numbers.typecode, [numbers[place] for place in places])
            return Columns(self.type, times, numbers, statuses)
        namespaces: List[str] = []
        variants = [value.value for value in self.data_values(places, namespaces)]
        return Columns(0, times, variants, statuses, namespaces)

    # --- as bytes -------------------------------------------------------------------------------

    def journal(self, first: int) -> bytes:
        """The entries from *first* on as bytes, quickly; :func:`from_journal` reads them."""
        for rare in (self.statuses, self.texts):
            if rare and next(reversed(rare)) >= first:
                part = self.part(first)
                columns = part.sources, part.servers, part.values
                return b"".join((part._head(), *columns, *part._rare()))
        sources = self.sources[first:]
        head = _HEAD.pack(self.type, len(sources), 0, 0, 0)
        return b"".join((head, sources, self.servers[first:], self.values[first:]))

    def block(self) -> bytes:
        """The entries in few bytes; :func:`from_block` reads them."""
        sources, servers = self.sources, self.servers
        steps = array("q", map(sub, sources, array("q", [0]) + sources[:-1]))
        delays = array("q", map(sub, servers, sources))
        columns = map(_by_significance, (steps, delays, self.values))
        return zlib.compress(b"".join((self._head(), *columns, *self._rare())), 1)

    def _head(self) -> bytes:
        texts = self.texts
        return _HEAD.pack(self.type, len(self), len(self.statuses), len(texts), self.text_bytes)

    def _rare(self) -> Tuple[bytes, ...]:
        """The rare parts of the entries."""
        if not (self.statuses or self.texts):
            return ()
        return (
            array("I", self.statuses).tobytes(),
            array("I", self.statuses.values()).tobytes(),
            array("I", self.texts).tobytes(),
            array("I", map(len, self.texts.values())).tobytes(),
            *self.texts.values(),
        )


def from_journal(data: bytes, position: int, into: Optional[Run]) -> int:
    """Add the entries at *position* of *data* to a run, or skip them; returns the position after
    them."""
    type_id, count, statuses, texts, length = _HEAD.unpack_from(data, position)
    start = position + _HEAD.size
    sources = start + 8 * count
    servers = sources + 8 * count
    values = servers + (array(TYPECODES[type_id]).itemsize * count if type_id else 0)
    end = int(values + 8 * statuses + 8 * texts + length)
    if into is None:
        return end
    if type_id and type_id == into.type and not (statuses or texts):
        # The common case.
        into.sources.frombytes(data[start:sources])
        into.servers.frombytes(data[sources:servers])
        into.values.frombytes(data[servers:values])
        return end
    run, columns, end = _read(data, position)
    run.sources, run.servers, run.values = columns
    into.extend(run)
    return end


def from_block(data: bytes) -> Run:
    """The run of a block.  Raises :exc:`zlib.error` if its bytes are damaged."""
    run, columns, _end = _read(zlib.decompress(data), 0)
    steps, delays, run.values = map(_in_order, columns)
    run.sources = array("q", accumulate(steps))
    run.servers = array("q", map(int.__add__, run.sources, delays))
    return run


def _read(data: bytes, position: int) -> "Tuple[Run, List[Numbers], int]":
    view = memoryview(data)
    run = Run()
    run.type, count, statuses, texts, _length = _HEAD.unpack_from(data, position)
    position += _HEAD.size

    def column(typecode: str, size: int) -> "Numbers":
        nonlocal position
        numbers: "Numbers" = array(typecode)
        end = position + size * numbers.itemsize
        numbers.frombytes(view[position:end])
        position = end
        return numbers

    columns = [column("q", count), column("q", count)]
    columns.append(column(TYPECODES[run.type], count) if run.type else array("B"))
    if statuses:
        run.statuses = dict(zip(column("I", statuses), column("I", statuses)))
    if texts:
        places, lengths = column("I", texts), column("I", texts)
        for place, length in zip(places, lengths):
            run.texts[place] = data[position : position + length]
            position += length
    return run, columns, position


def _by_significance(numbers: "Numbers") -> bytes:
    """The lowest byte of each number, then the next one of each, and so on."""
    data, width = numbers.tobytes(), numbers.itemsize
    return b"".join([data[byte::width] for byte in range(width)])


def _in_order(numbers: "Numbers") -> "Numbers":
    """The contrary."""
    data, width, count = numbers.tobytes(), numbers.itemsize, len(numbers)
    ordered = bytearray(len(data))
    for byte in range(width):
        ordered[byte::width] = data[byte * count : (byte + 1) * count]
    result: "Numbers" = array(numbers.typecode)
    result.frombytes(ordered)
    return result
