"""MonitoredItemNotifications as rows (OPC 10000-4 7.25.2, encoded as OPC 10000-6 5.2).

Rules:

* What a notification is, its EncodingMask and the Variant's encoding byte say; the two that mean
  a :class:`~opcws.wire.notifications.Layout` are looked up together.  All else goes to the generic
  reader.
* A message whose notifications all look alike is unpacked in one go.  This is checked once per
  message, so a mixed one costs no more than its length.
* Nothing is read beyond the message: ``struct`` refuses.
"""

import struct
from itertools import repeat
from typing import Dict, List, Optional, Tuple

from ...wire.notifications import GENERIC, LAYOUTS, Change, Layout
from .codec import NUMBERS, Reader

#: Bits of a DataValue's EncodingMask (OPC 10000-6 5.2.2.17).
_VALUE, _SOURCE_TIMESTAMP, _SERVER_TIMESTAMP = 0x01, 0x04, 0x08


def _key(layout: Layout) -> bytes:
    mask = _VALUE
    mask |= _SOURCE_TIMESTAMP if layout.source else 0
    mask |= _SERVER_TIMESTAMP if layout.server else 0
    return bytes((mask, layout.type))


def _packing(layout: Layout) -> struct.Struct:
    times = "q" * (layout.source + layout.server)
    return struct.Struct("<I2x" + NUMBERS[layout.type].format[1:] + times)


#: The layout for an EncodingMask and the encoding byte of the Variant.
_KNOWN: Dict[bytes, Tuple[Layout, struct.Struct]] = {
    _key(layout): (layout, _packing(layout)) for layout in LAYOUTS
}


def read_changes(reader: Reader) -> List[Change]:
    """The array of MonitoredItemNotifications that is next.  Raises what :class:`Reader` does."""
    count = max(reader.length(), 0)
    reader.take_items(count)
    changes = _alike(reader, count)
    return _mixed(reader, count) if changes is None else changes


def _alike(reader: Reader, count: int) -> Optional[List[Change]]:
    """*count* notifications of one layout; ``None`` if they are not that."""
    data, start = reader.data, reader.position
    key = data[start + 4 : start + 6]
    known = _KNOWN.get(key)
    if known is None:
        return None
    layout, packing = known
    size = packing.size
    stop = start + size * count
    if (
        stop > len(data)
        or data[start + 4 : stop : size].count(key[0]) != count
        or data[start + 5 : stop : size].count(key[1]) != count
    ):
        return None
    reader.position = stop
    return list(zip(repeat(layout), packing.iter_unpack(memoryview(data)[start:stop])))


def _mixed(reader: Reader, count: int) -> List[Change]:
    data, position = reader.data, reader.position
    changes: List[Change] = []
    for _ in range(count):
        known = _KNOWN.get(data[position + 4 : position + 6])
        if known is not None:
            layout, packing = known
            changes.append((layout, packing.unpack_from(data, position)))
            position += packing.size
            continue
        reader.position = position
        handle = reader.uint32()
        changes.append((GENERIC, (handle, reader.data_value())))
        position = reader.position
    reader.position = position
    return changes
