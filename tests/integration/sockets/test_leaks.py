"""A thousand clients connect, monitor and vanish: everything is where it was."""

import gc
import os
import threading
from typing import Iterator, List, Set

import pytest

from opcws.app import Server
from opcws.demo import Plant

from ... import support
from ...support import Client, wait_until
from ...support.byte_client import connection_threads
from ..messages.test_monitoring import items, product_threads

WARM_UP = 200
CYCLES = 1000
AT_ONCE = 4
#: What the allocator may keep back: a leak of a whole connection would take 60 MB.
MEMORY_BYTES = 6 * 1024 * 1024


@pytest.fixture
def server(in_process: Plant) -> Iterator[Server]:
    running = support.serve(in_process.endpoint)
    support.wait_connected(running)
    yield running
    running.stop()


def cycle(url: str, number: int) -> None:
    """One client: it connects, monitors, sees values, and leaves in one way or another."""
    client = Client(url, ("", "?status=1", "?scalars=string")[number % 3])
    client.body("MONITORSTART", {"Variables": ["Test.Counter", "Types.Double"]}, number)
    client.update()
    if number % 4 == 0:
        client.body("MONITORSTOP", {"Variable": "Test.Counter"}, number)
    if number % 2:
        client.vanish()
    else:
        client.close()


def cycles(url: str, count: int) -> None:
    failures: List[BaseException] = []
    numbers = iter(range(count))
    lock = threading.Lock()

    def run() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None or failures:
                return
            try:
                cycle(url, number)
            except BaseException as error:
                failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def open_files() -> Set[str]:
    """The open file descriptors of this process, with what they are."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(name + " " + os.readlink("/proc/self/fd/" + name))
        except OSError:
            pass  # the one with which the directory itself was read
    return found


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def settle(server: Server, plant: Plant) -> None:
    wait_until(lambda: not server.listeners[0].connections(), "every connection is gone")
    wait_until(lambda: not connection_threads(), "every thread of a connection has ended")
    wait_until(lambda: not items(plant), "every monitored item is deleted")
    gc.collect()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="reads Linux's /proc")
def test_after_a_thousand_clients_threads_memory_sockets_and_items_are_where_they_were(
    in_process: Plant, server: Server
) -> None:
    url = server.urls[0]
    cycles(url, WARM_UP)
    settle(server, in_process)
    threads, files, memory = product_threads(), open_files(), resident_bytes()

    cycles(url, CYCLES)
    settle(server, in_process)
    wait_until(lambda: product_threads() == threads, "the threads of the clients end")
    wait_until(lambda: len(open_files()) <= len(files), "every socket is closed")
    assert resident_bytes() - memory < MEMORY_BYTES
    relay = server.plants["plant"].relay
    assert not relay._items and not relay._by_handle
    assert not relay._listeners and not relay._timer
