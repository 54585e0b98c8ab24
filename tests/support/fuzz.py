"""Fuzzers of everything that processes a client's bytes, over one corpus.

::

    python -m tests.support.fuzz --layer http|frames|messages [--minutes N] [--seed N] [--keep DIR]

``http`` sends mutated opening handshakes to a listener with roles behind a trusted proxy,
``frames`` mutated frames to the echo server, ``messages`` mutated requests to a gateway in front of
a plant in this process, for one client that may do everything and one that may not.  The corpus is
``tests/corpus/LAYER``, one input per file; every finding is added to it, so that the tests, which
run each file and some mutations, would find it again.  A finding is written to DIR, printed with
its seed, and ends the run with exit code 1.

Whatever is sent, it must get a proper answer or a proper end within the patience of the tests; no
connection is reset, no defect is logged, no credential is sent or logged, no client gets the name
of a variable that it may not see, and every line of the audit log is JSON.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import logging
import random
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

from opcws.access import credentials
from opcws.access.credentials import Scrypt
from opcws.app import Server
from opcws.config import load, loads, roles
from opcws.config.settings import Config, Limits, Permissions
from opcws.demo import Plant
from opcws.gateway.client import Client
from opcws.gateway.outbox import PONGS, Outbox

from .. import ROOT, support
from . import PATIENCE, echo_server, rfc6455_reference
from .byte_client import CLOSE, PONG, ByteClient, no_more_threads_than, opening
from .mutated_requests import Mutator

CORPUS = ROOT / "tests" / "corpus"

#: Largest message to the echo server.
MAX_BYTES = 65536

#: A part of each credential, which therefore must not appear anywhere.
TOKEN = "Vw3hQ7xN2kR9sT4bY6mC8dF1gJ5lP0zA_aKeWuOiXyE"
PASSWORD = "Quecksilber-80"
BASIC = base64.b64encode(b"anna:" + PASSWORD.encode("ascii")).decode("ascii")
SECRETS = (TOKEN, PASSWORD, BASIC)
#: Possible statuses of an answer to any HTTP input.
STATUSES = (101, 200, 400, 401, 403, 404, 405, 408, 426, 429, 431, 501, 503)

#: Runs one input; an exception from it is a finding.
Target = Callable[[bytes], None]


def corpus(layer: str) -> List[bytes]:
    """The inputs of *layer*, the same order every time."""
    return [path.read_bytes() for path in sorted((CORPUS / layer).iterdir())]


class Defects(logging.Handler):
    """Keeps log records of defects, and those with a secret."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if record.levelno >= logging.ERROR or any(each in text for each in SECRETS):
            self.seen.append(text)

    def check(self) -> None:
        seen, self.seen = self.seen, []
        assert not seen, seen[0]


@contextlib.contextmanager
def defects() -> Iterator[Defects]:
    handler = Defects()
    log = logging.getLogger("opcws")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        log.setLevel(level)
        log.removeHandler(handler)


# --- targets ------------------------------------------------------------------------------------


@contextlib.contextmanager
def http() -> Iterator[Target]:
    """A listener; an input is everything that a client sends before it shuts down its side."""
    others = set(support.our_threads())
    with tempfile.TemporaryDirectory() as directory, defects() as found:
        server = Server(_with_roles(Path(directory)))
        server.start()

        def run(data: bytes) -> None:
            with ByteClient(server.listeners[0].addresses[0]) as peer:
                peer.send(data)
                peer.sock.shutdown(socket.SHUT_WR)
                answer = peer.rest()
            if answer:
                head, separator, body = answer.partition(b"\r\n\r\n")
                lines = head.decode("ascii").split("\r\n")
                assert separator and lines[0].startswith("HTTP/1.1 "), answer
                status = int(lines[0][9:12])
                headers = dict(line.split(": ", 1) for line in lines[1:])
                assert status in STATUSES, lines
                assert not any(each.encode("ascii") in answer for each in SECRETS), answer
                if status != 101 and not data.startswith(b"HEAD"):
                    assert len(body) == int(headers["Content-Length"]), answer
            else:
                # Only an incomplete request may stay without an answer.
                assert b"\r\n\r\n" not in data.replace(b"\n", b"\r\n"), "no answer"
            found.check()

        try:
            yield run
        finally:
            server.stop()
            no_more_threads_than(others)


def _with_roles(directory: Path) -> Config:
    """A configuration in *directory* with a token, and a user whose password is fast to check."""
    listen = {
        "handshake_timeout_s": PATIENCE,
        "trusted_proxies": ["127.0.0.1"],
        "limits": {"wrong_credentials": 0},
    }
    settings = support.settings("opc.tcp://127.0.0.1:%d" % support.free_port(), listen=listen)
    settings["roles"] = {
        "anonymous": {"read": ["Boiler.*"], "endpoints": ["healthz"]},
        "operator": {"read": ["*"], "write": ["*"], "endpoints": ["status", "metrics"]},
    }
    path = directory / "opcws.json"
    path.write_text(json.dumps(settings), "utf-8")
    loaded = load(path)
    made, salt = "2026-01-01T00:00:00Z", bytes(16)
    password = hashlib.scrypt(PASSWORD.encode("ascii"), salt=salt, n=2, r=8, p=1, dklen=32)
    known = credentials.Credentials(
        {"panel": credentials.Token("panel", "operator", credentials.token_hash(TOKEN), made)},
        {"anna": credentials.User("anna", "operator", Scrypt(2, 8, 1, salt, password), made)},
    )
    Path(loaded.credentials).write_bytes(credentials.written(known))
    return loaded


@contextlib.contextmanager
def frames() -> Iterator[Target]:
    """The echo server; an input is the client's bytes after its opening handshake."""
    limits, others = {"max_message_bytes": MAX_BYTES}, set(support.our_threads())
    with echo_server.echoing(limits=limits) as listener, defects() as found:
        chance = random.Random(0)

        def run(data: bytes) -> None:
            with ByteClient(listener.addresses[0]) as peer:
                peer.send(opening())
                assert peer.head()[0] == 101
                place = 0
                while place < len(data):
                    size = chance.choice([1, 2, 7, 100, len(data)])
                    peer.send(data[place : place + size])
                    place += size
                peer.sock.shutdown(socket.SHUT_WR)
                _compare(peer, rfc6455_reference.expected(data, MAX_BYTES))
            found.check()

        yield run
    no_more_threads_than(others)


def _compare(peer: ByteClient, expected: rfc6455_reference.Expected) -> None:
    """Check that the answers until the end of the stream are as *expected*."""
    echoes, pongs, code = [], [], None
    while True:
        answered = peer.receive()
        if answered is None:
            break
        if answered.opcode == CLOSE:
            payload = answered.payload
            payload[2:].decode("utf-8")
            code = answered.code if payload else rfc6455_reference.NO_CODE
            assert peer.rest() == b"", "something came behind the close frame"
            break
        if answered.opcode == PONG:
            pongs.append(answered.payload)
        else:
            echoes.append((answered.opcode, answered.payload))
    assert code in expected.codes, (code, expected.codes)
    assert echoes == expected.echoes
    # Of pings that came together the latest are answered, even after a message that is too large.
    if 1009 not in expected.codes and len(expected.pongs) <= PONGS:
        assert pongs == expected.pongs


@contextlib.contextmanager
def messages() -> Iterator[Target]:
    """A gateway in front of a plant; an input is the text of one message."""
    with Plant(clock_period_s=3600.0) as plant, tempfile.TemporaryDirectory() as directory:
        settings = support.settings(plant.endpoint)
        settings["audit"] = {"file": str(Path(directory) / "audit.jsonl"), "timeout_s": PATIENCE}
        server = Server(loads(json.dumps(settings)))
        server.start()
        try:
            support.wait_connected(server)
            some = Permissions(("Boiler.*",), ("Boiler.Setpoint",))
            narrow = roles.compile_role("narrow", some, server.config.variables)
            with defects() as found:
                clients = [Asking(server, found, role) for role in (roles.EVERYONE, narrow)]

                def run(data: bytes) -> None:
                    for client in clients:
                        client.run(data)

                yield run
        finally:
            server.stop()
        for file in Path(directory).iterdir():
            for line in file.read_bytes().splitlines():
                json.loads(line, parse_constant=_never)


class Asking:
    """One client of *server*'s gateway, with *role* and without a socket."""

    def __init__(self, server: Server, found: Defects, role: roles.Role) -> None:
        self._gateway = server.gateway
        self._hidden = [name for name in server.config.variables if not roles.visible(role, name)]
        self._found = found
        self._woken = threading.Event()
        self._outbox = Outbox(1000, 10**8, 10, self._woken.set)
        self._client = Client("fuzz", self._outbox, "typed", role, Limits())

    def run(self, data: bytes) -> None:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            return  # the frame layer rejects it
        assert self._outbox.reserve()
        self._gateway.handle(self._client, text)
        self._client.flush()
        deadline = time.monotonic() + PATIENCE
        answers: List[Dict[str, Any]] = []
        while not answers:
            assert self._woken.wait(deadline - time.monotonic()), "no answer"
            self._woken.clear()
            answers = self._answers()
        answers += self._answers()
        assert len(answers) == 1, answers
        header = answers[0]["Header"]
        assert header.get("StatusCode") != "BadInternalError", header
        assert ("StatusCode" in header) == ("Body" not in answers[0]), answers
        if "StatusCode" in header:
            assert header["Reason"]
        if "\\u" not in text:  # an answer repeats an escaped name unescaped
            told = json.dumps(answers)
            assert not [each for each in self._hidden if each in told and each not in text], told
        self._found.check()

    def _answers(self) -> List[Dict[str, Any]]:
        """The messages so far, without pushed ones."""
        found = []
        for frame in self._outbox.take(10**9):
            size = frame[1] & 0x7F
            message = json.loads(frame[{126: 4, 127: 10}.get(size, 2) :], parse_constant=_never)
            if not message["Header"]["MessageType"].endswith("_MESSAGE"):
                found.append(message)
            else:
                assert message["Body"].get("Variable") not in self._hidden, message
        return found


def _never(name: str) -> None:
    raise AssertionError("%s is no JSON" % name)


TARGETS: Dict[str, Callable[[], Any]] = {"http": http, "frames": frames, "messages": messages}


# --- mutations ----------------------------------------------------------------------------------

#: Pieces that are inserted at random places.
PIECES: Dict[str, List[bytes]] = {
    "http": [
        *(
            b"\r\n",
            b"\n",
            b"\r\n\r\n",
            b"\x00",
            b":",
            b" ",
            b"\t",
            b",",
            b";",
            b"%",
            b"%00",
            b"\xff",
        ),
        *(b"Host: a\r\n", b"Upgrade: websocket\r\n", b"Content-Length: 5\r\n", b"http://"),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"Expect: 100-continue\r\n",
            b"?scalars=",
            b"?status=",
        ),
        *(b"Origin: http://[::1\r\n", b"HTTP/1.0", b"HTTP/2.0", b"//", b"/../", b"[", b"]", b"@"),
        *(b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b"Sec-WebSocket-Protocol: json\r\n"),
        *(b"Authorization: Bearer x\r\n", b"Forwarded: for=1.2.3.4\r\n", b"X-Forwarded-For: a\r\n"),
        *(b"X-Forwarded-For: 192.0.2.7\r\n", b"X-Forwarded-Proto: https\r\n", b"Authorization: "),
        *(
            b"Bearer ",
            b"Basic ",
            b"?access_token=",
            b"opcws.token.",
            b"login.",
            b"/login",
            b"/whoami",
        ),
        *(each.encode("ascii") for each in SECRETS),
    ],
    "frames": [
        *(b"\x00", b"\xff", b"\x7f", b"\x80", b"\xed\xa0\x80", b"\xf4\x90", b"\xe2\x82\xac"),
        *(b"\x81\x80\x00\x00\x00\x00", b"\x89\x80\x00\x00\x00\x00", b"\x88\x82\x00\x00\x00\x00"),
        *(
            b"\x81\xfe\xff\xff",
            b"\x81\xff\x00\x00\x00\x01\x00\x00\x00\x00",
            b"\x03\xe8",
            b"\x01\x80",
        ),
    ],
}


def mutated(data: bytes, others: Sequence[bytes], pieces: Sequence[bytes], chance: Any) -> bytes:
    """*data* with some bytes changed, lost, doubled, inserted, or spliced with another input."""
    made = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        place = chance.randrange(len(made) + 1)
        end = min(len(made), place + chance.choice([1, 1, 2, 4, 16, 64]))
        kind = chance.randrange(7)
        if kind == 0 and place < len(made):
            made[place] = chance.randrange(256)
        elif kind == 1 and place < len(made):
            made[place] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del made[place:end]
        elif kind == 3:
            made[place:place] = made[place:end] * chance.choice([1, 2, 100])
        elif kind == 4:
            made[place:place] = chance.choice(pieces)
        elif kind == 5:
            made[place:end] = chance.choice(pieces)
        else:
            other = chance.choice(others)
            made[place:] = other[chance.randrange(len(other) + 1) :]
    return bytes(made[:200000])


def inputs(layer: str, seed: int) -> Iterator[bytes]:
    """The corpus of *layer*, then mutations without end; the same ones for the same *seed*."""
    known = corpus(layer)
    yield from known
    chance = random.Random(seed)
    mutator = Mutator(seed) if layer == "messages" else None
    number = 0
    while True:
        number += 1
        if mutator is not None:
            yield mutator.text(number, chance.choice(known)).encode("utf-8", "replace")
        else:
            yield mutated(chance.choice(known), known, PIECES[layer], chance)


def fuzz(layer: str, seed: int, go_on: Callable[[int], bool], keep: Optional[Path] = None) -> int:
    """Run inputs while *go_on* of their number holds; returns their number.

    Raises the exception of an input, which is written below *keep*.
    """
    count = 0
    with TARGETS[layer]() as run:
        for data in inputs(layer, seed):
            if not go_on(count):
                break
            try:
                run(data)
            except Exception:
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    path = keep / ("%s-%s" % (layer, hashlib.sha256(data).hexdigest()[:12]))
                    path.write_bytes(data)
                    print("finding: input %d of seed %d, in %s" % (count, seed, path))
                raise
            count += 1
    return count


def main(arguments: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser("python -m tests.support.fuzz")
    parser.add_argument("--layer", choices=sorted(TARGETS), required=True)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None, help="default: another one every time")
    parser.add_argument("--keep", type=Path, default=Path("findings"), help="where findings go")
    given = parser.parse_args(arguments)
    seed = random.randrange(10**9) if given.seed is None else given.seed
    logging.getLogger().addHandler(logging.NullHandler())
    print("%s, seed %d" % (given.layer, seed), flush=True)
    began = time.monotonic()
    count = fuzz(
        given.layer, seed, lambda _: time.monotonic() - began < 60 * given.minutes, given.keep
    )
    print("%d inputs in %.0f s, nothing found" % (count, time.monotonic() - began))


if __name__ == "__main__":
    sys.exit(main())
