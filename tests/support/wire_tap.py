"""A relay of bytes between opcws and a plant, for faults and proofs on the wire itself."""

import socket
import threading
from typing import Dict, List

from . import PATIENCE, wait_until


class Tap:
    """Listens on a port of its own and relays every connection to the plant on *port*.

    ``sent`` is everything that opcws sent, passed on or not.  Each key of ``rewrite`` that occurs
    in a message of the plant is replaced with its value, which has the same length.  A held tap
    swallows what opcws sends, like a plant that hangs.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held = threading.Event()
        self._sockets: List[socket.socket] = []
        self._threads: List[threading.Thread] = []
        self.sent = bytearray()
        self.rewrite: Dict[bytes, bytes] = {}
        self._start(self._accept)

    @property
    def endpoint(self) -> str:
        return "opc.tcp://127.0.0.1:%d" % self._listener.getsockname()[1]

    def hold(self) -> None:
        """Pass on nothing more from opcws."""
        self._held.set()

    def wait_sent(self, part: bytes) -> None:
        """Wait until opcws has sent *part*."""
        wait_until(lambda: part in self.sent, "opcws has sent %r" % part)

    def cut(self) -> None:
        """End every connection, and accept no new one."""
        for sock in [self._listener, *self._sockets]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # not connected any more
            sock.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _start(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, name="tap", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                ours = self._listener.accept()[0]
                plants = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
            except OSError:
                return
            plants.settimeout(None)
            self._sockets += [ours, plants]
            self._start(self._from_opcws, ours, plants)
            self._start(self._from_plant, plants, ours)

    def _from_opcws(self, ours: socket.socket, plants: socket.socket) -> None:
        try:
            while True:
                data = ours.recv(65536)
                if not data:
                    break
                self.sent += data
                if not self._held.is_set():
                    plants.sendall(data)
        except OSError:
            pass
        _end(plants)

    def _from_plant(self, plants: socket.socket, ours: socket.socket) -> None:
        stream = plants.makefile("rb")
        try:
            while True:
                head = stream.read(8)  # OPC 10000-6 7.1.2.2: type, chunk, size of the whole
                if len(head) < 8:
                    break
                message = head + stream.read(int.from_bytes(head[4:], "little") - 8)
                for old, new in self.rewrite.items():
                    message = message.replace(old, new)
                ours.sendall(message)
        except OSError:
            pass
        stream.close()
        _end(ours)


def _end(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # not connected any more
