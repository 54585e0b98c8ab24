"""The FIFO of operations, without an OPC UA server."""

import threading
import weakref

from opcws.config import loads
from opcws.ua.services.fair_queue import Job
from opcws.ua.services.worker import Worker

from ...support import PATIENCE, wait_until


class Client:
    """Whoever asked for an operation."""


def test_who_asked_for_the_last_operation_is_not_kept_until_the_next() -> None:
    server = loads('{"servers": {"plant": {"endpoint": "opc.tcp://h:1"}}}').servers["plant"]
    unused = lambda *_arguments: None  # noqa: E731
    worker = Worker(server, lambda: None, *[unused] * 4)  # type: ignore[arg-type]
    worker.start()
    try:
        client, answered = Client(), threading.Event()
        kept = weakref.ref(client)
        worker.submit(Job(unused, lambda _problem, _client=client: answered.set()))
        del client
        assert answered.wait(PATIENCE)
        wait_until(lambda: kept() is None, "the client is forgotten")
    finally:
        worker.stop(PATIENCE)
