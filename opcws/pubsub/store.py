"""A queue in files for messages while the broker is not connected.

Rules:

* Messages leave in the order in which they came, and stay until the broker has confirmed them.  A
  stored message survives the end of the process; a power cut may lose what the system had not
  written.
* The files together are limited; beyond that the oldest file is dropped, with its messages.
* An incomplete record, after a power cut, ends its file.

A file contains records: length, checksum, then topic, expiry and payload.  The file ``position``
says how much of the oldest file is done.

Threads: one at a time; :class:`~opcws.pubsub.backlog.Backlog` takes care of that.
"""

import os
import struct
import zlib
from collections import deque
from typing import BinaryIO, Deque, Dict, Iterator, Optional, Set, Tuple

from .message import Message

#: Number of files that share the limit, and the least size of one.
FILES, LEAST_BYTES = 16, 65536
_HEAD = struct.Struct(">II")
_INNER = struct.Struct(">IHB")


class _Read:
    """A record that was read: its file, where the next begins, and whether it is done."""

    __slots__ = ("file", "end", "done")

    def __init__(self, file: int, end: int) -> None:
        self.file, self.end, self.done = file, end, False


class Store:
    """The messages in *directory*, which is created; *max_bytes* limits them.  Raises
    :exc:`OSError`, as its methods do."""

    def __init__(self, directory: str, max_bytes: int) -> None:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self._directory = directory
        self._max_bytes = max_bytes
        #: Number of messages that were dropped to make room, and the topics of new ones.
        self.dropped = 0
        self.lost_topics: Set[str] = set()
        #: Number of messages that were not read since the last :meth:`rewind`.
        self.waiting = 0
        # Sizes of the files by number; records that were read and are not done.
        self._sizes: Dict[int, int] = {}
        self._begun: Deque[_Read] = deque()
        self._tokens: Dict[int, _Read] = {}
        self._last_token = 0
        self._appended: Optional[BinaryIO] = None
        self._reading: Optional[Tuple[int, BinaryIO]] = None
        # Positions of the oldest message that is not done, and of the next to read.
        self._done_at: Tuple[int, int] = (0, 0)
        self._next_at: Tuple[int, int] = (0, 0)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        position = os.open(os.path.join(directory, "position"), flags, 0o600)
        self._position = os.fdopen(position, "r+b", buffering=0)
        self._load()

    def _path(self, number: int) -> str:
        return os.path.join(self._directory, "%012d.messages" % number)

    def _load(self) -> None:
        numbers = sorted(
            int(name[:12])
            for name in os.listdir(self._directory)
            if name.endswith(".messages") and name[:12].isdigit()
        )
        self._position.seek(0)
        said = self._position.read(100).split()
        at = (int(said[-2]), int(said[-1])) if len(said) >= 2 else (0, 0)
        for number in numbers:
            if number < at[0]:
                os.remove(self._path(number))
                continue
            start = at[1] if number == at[0] else 0
            with open(self._path(number), "rb") as file:
                ends = [end for _message, end in _records(file, start)]
            count = len(ends)
            end = ends[-1] if ends else min(start, os.path.getsize(self._path(number)))
            os.truncate(self._path(number), end)
            self._sizes[number] = end
            self.waiting += count
        first = min(self._sizes, default=at[0] + 1)
        self._done_at = self._next_at = (first, at[1] if first == at[0] else 0)

    @property
    def bytes(self) -> int:
        """Bytes on the disk."""
        return sum(self._sizes.values())

    @property
    def empty(self) -> bool:
        """Whether every message is done."""
        return not self.waiting and not self._begun

    def append(self, message: Message) -> None:
        """Store *message* after all others."""
        topic = message.topic.encode("utf-8")
        inner = _INNER.pack(message.expiry_s, len(topic), len(message.kind))
        body = inner + topic + message.kind.encode("ascii") + message.payload
        record = _HEAD.pack(len(body), zlib.crc32(body)) + body
        number = max(self._sizes, default=0)
        size = self._sizes.get(number, 0)
        if self._appended is None or size + len(record) > max(
            self._max_bytes // FILES, LEAST_BYTES
        ):
            number = max(number, self._done_at[0], self._next_at[0]) + 1
            if self._appended is not None:
                self._appended.close()
            self._appended = open(self._path(number), "ab", buffering=0)
            self._sizes[number] = size = 0
        written = self._appended.write(record)
        if written != len(record):  # the disk is full
            os.truncate(self._path(number), size)
            raise OSError(28, "no space left on the disk")
        self._sizes[number] = size + len(record)
        self.waiting += 1
        while self.bytes > self._max_bytes and len(self._sizes) > 1:
            self._drop(min(self._sizes))

    def _drop(self, number: int) -> None:
        """Drop the oldest file."""
        start = self._done_at[1] if self._done_at[0] == number else 0
        unread = self._next_at[1] if self._next_at[0] == number else start
        if self._next_at[0] > number:
            unread = self._sizes[number]
        with open(self._path(number), "rb") as file:
            for message, end in _records(file, start):
                self.dropped += 1
                self.lost_topics.add(message.topic)
                if end > unread:
                    self.waiting -= 1
        while self._begun and self._begun[0].file == number:
            self._begun.popleft().done = True
        if self._next_at[0] <= number:
            self._next_at = (number + 1, 0)
        self._finish(number + 1, 0)

    def read(self) -> Optional[Message]:
        """The next unread message, with a token."""
        while self.waiting:
            number, offset = self._next_at
            if number not in self._sizes:
                later = [each for each in self._sizes if each > number]
                if not later:
                    break
                self._next_at = (min(later), 0)
                continue
            if self._reading is None or self._reading[0] != number:
                self._close_reading()
                self._reading = number, open(self._path(number), "rb", buffering=0)
            for message, end in _records(self._reading[1], offset):
                self._next_at = (number, end)
                self.waiting -= 1
                begun = _Read(number, end)
                self._begun.append(begun)
                self._last_token += 1
                self._tokens[self._last_token] = begun
                return message._replace(token=self._last_token)
            self._next_at = (number + 1, 0)
        return None

    def done(self, token: int) -> None:
        """The message with *token* has reached the broker."""
        begun = self._tokens.pop(token, None)
        if begun is None:
            return
        begun.done = True
        at: Optional[_Read] = None
        while self._begun and self._begun[0].done:
            at = self._begun.popleft()
        if at is not None:
            self._finish(at.file, at.end)

    def rewind(self) -> None:
        """Messages that were read and are not done will be read again."""
        self.waiting += len(self._begun)
        self._begun.clear()
        self._tokens.clear()
        self._next_at = self._done_at

    def close(self) -> None:
        """Close the files."""
        self._close_reading()
        if self._appended is not None:
            self._appended.close()
            self._appended = None
        self._position.close()

    def _finish(self, number: int, offset: int) -> None:
        """Everything before *offset* in the file *number* is done."""
        last = max(self._sizes, default=0)
        if offset and offset >= self._sizes.get(number, 0) and (number < last or self.empty):
            number, offset = number + 1, 0
        self._done_at = (number, offset)
        self._position.seek(0)
        self._position.write(b"%020d %020d\n" % self._done_at)
        for old in [each for each in self._sizes if each < number]:
            if self._reading is not None and self._reading[0] == old:
                self._close_reading()
            if old == last and self._appended is not None:
                self._appended.close()
                self._appended = None
            os.remove(self._path(old))
            del self._sizes[old]
        if self._next_at < self._done_at:
            self._next_at = self._done_at

    def _close_reading(self) -> None:
        if self._reading is not None:
            self._reading[1].close()
            self._reading = None


def _records(file: BinaryIO, offset: int) -> Iterator[Tuple[Message, int]]:
    """The messages from *offset* on, each with the position of the next one."""
    file.seek(offset)
    while True:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        length, checksum = _HEAD.unpack(head)
        body = file.read(length)
        if len(body) < length or zlib.crc32(body) != checksum:
            return
        offset += _HEAD.size + length
        expiry_s, topic, kind = _INNER.unpack_from(body)
        middle = _INNER.size + topic
        yield (
            Message(
                body[_INNER.size : middle].decode("utf-8"),
                body[middle + kind :],
                False,
                expiry_s,
                body[middle : middle + kind].decode("ascii"),
                late=True,
            ),
            offset,
        )
