"""An echo on the product's own listener, transport and connection classes.

A conformance suite such as Autobahn's fuzzing client tests with it exactly the code that ships::

    python -m tests.support.echo_server --port 9001
    wstest -m fuzzingclient -s tests/autobahn.json

``wstest`` is of the package autobahntestsuite, which needs Python 2.7.  With ``--tls`` the ``url``
in that file begins with ``wss:``.

It echoes text and binary messages of up to 32 MiB, in order; what a client does not take is
bounded as in the product, by ``limits.requests_in_flight`` and ``limits.outbox_bytes``.
"""

import argparse
import contextlib
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Sequence, Union

from cryptography.hazmat.primitives import serialization

from opcws.config.settings import TLS, Limits, Listen
from opcws.gateway.client import Client
from opcws.model.deadline import Deadline
from opcws.ws.application import Application
from opcws.ws.listener import Listener

from . import pki
from .byte_client import BINARY, frame

MAX_BYTES = 32 * 1024 * 1024
STOP_S = 3.0


class Echo(Application):
    """Answers every message with itself."""

    binary = True

    def open(self, client: Client, wants_status: bool) -> None:
        pass

    def handle(self, client: Client, message: Union[str, bytes]) -> None:
        if isinstance(message, str):
            client.reply(message)
        else:
            client.outbox.put_reply(frame(BINARY, message, masked=False))
            client.outbox.wake()

    def close(self, client: Client) -> None:
        pass


@contextlib.contextmanager
def echoing(
    port: int = 0,
    tls: Optional[TLS] = None,
    limits: Optional[Dict[str, Any]] = None,
    application: Optional[Application] = None,
    **listen: Any,
) -> Iterator[Listener]:
    """A running echo, or another *application*, with these ``listen`` settings; port 0 is any
    free one."""
    limited = Limits(**{"max_message_bytes": MAX_BYTES, **(limits or {})})
    settings = Listen(port=port, tls=tls, limits=limited, **listen)
    listener = Listener(settings, application or Echo())
    listener.open()
    listener.start()
    try:
        yield listener
    finally:
        listener.stop(Deadline(STOP_S))


def self_signed(directory: Path) -> TLS:
    """A certificate for localhost and its key, in *directory*."""
    made = pki.make("localhost").save(directory, "echo")
    path = directory / "echo.crt"
    path.write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
    return TLS(str(path), made.key_path)


def main(arguments: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser("python -m tests.support.echo_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 is any free one")
    parser.add_argument("--tls", action="store_true", help="with a certificate made for the run")
    given = parser.parse_args(arguments)
    with contextlib.ExitStack() as ending:
        tls = None
        if given.tls:
            tls = self_signed(Path(ending.enter_context(tempfile.TemporaryDirectory())))
        listener = ending.enter_context(echoing(given.port, tls))
        print("echoing on", listener.url.replace("http", "ws", 1), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
