"""Mosquitto, a real MQTT broker, as a process of a test; and a subscriber that keeps messages."""

import contextlib
import json
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Optional

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from .ports import free_port
from .recipes import needed
from .waiting import PATIENCE, wait_until


class Mosquitto:
    """Mosquitto on a loopback port, with additional *lines* of configuration."""

    def __init__(self, directory: Path, *lines: str, anonymous: bool = True) -> None:
        self._program = needed("mosquitto", "/usr/sbin/mosquitto")
        self.port = free_port()
        self._file = directory / ("mosquitto-%d.conf" % self.port)
        text = ["listener %d 127.0.0.1" % self.port, "user root", "log_dest stderr"]
        text += ["allow_anonymous %s" % str(anonymous).lower(), *lines]
        self._file.write_text("\n".join(text) + "\n", "utf-8")
        self._log = directory / ("mosquitto-%d.log" % self.port)
        self._process: Optional["subprocess.Popen[bytes]"] = None
        self.start()

    @property
    def url(self) -> str:
        return "mqtt://127.0.0.1:%d" % self.port

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [self._program, "-c", str(self._file)]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._process = process
        wait_until(lambda: process.poll() is not None or self._answers(), "Mosquitto answers")
        assert process.poll() is None, self.log

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Kill it, so that it cannot disconnect anybody."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)
        self._process = None

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8")

    def __enter__(self) -> "Mosquitto":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._process is not None:
            self.kill()


class Received(NamedTuple):
    """A message as a subscriber got it."""

    topic: str
    text: str
    retained: bool
    properties: Any

    @property
    def data(self) -> Any:
        return json.loads(self.text)


class Subscriber:
    """A client that has subscribed to *topic*; it reconnects when the broker is back."""

    def __init__(
        self,
        port: int,
        topic: str = "#",
        protocol: int = paho.MQTTv5,
        prepare: Callable[[paho.Client], None] = lambda _client: None,
    ) -> None:
        self.received: List[Received] = []
        #: Number of times that it subscribed.
        self.connections = 0
        self._topic = topic
        self._subscribed = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)  # type: ignore[arg-type]
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        self.client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]
        prepare(self.client)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(PATIENCE)

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(self._topic, 1)

    def _on_subscribe(self, *_: Any) -> None:
        self.connections += 1
        self._subscribed.set()

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.received.append(
            Received(
                message.topic,
                message.payload.decode("utf-8"),
                message.retain,
                getattr(message, "properties", None),
            )
        )

    def wait_for(self, true: Callable[[Received], Any], what: str) -> Received:
        """The first message for which *true* holds."""

        def found() -> Optional[Received]:
            return next((each for each in list(self.received) if true(each)), None)

        found_one: Received = wait_until(found, what)
        return found_one

    def __enter__(self) -> "Subscriber":
        return self

    def __exit__(self, *_: Any) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def mqtt_3_only(first: bytes) -> Optional[bytes]:
    """The answer to MQTT 5 of a broker that knows only MQTT 3.1.1 (MQTT 3.1.1 3.1.2.2)."""
    level = first[first.index(b"MQTT") + 4]
    return b"\x20\x02\x00\x01" if level == 5 else None


class Gate:
    """Stands between a client and the broker on *port*: it can be shut, and can get stuck;
    *refuses* returns its own answer to the first packet, if any."""

    def __init__(
        self,
        port: int,
        refuses: Callable[[bytes], Optional[bytes]] = lambda _first: None,
        host: str = "127.0.0.1",
    ) -> None:
        self._broker = port
        self._refuses = refuses
        self._listening = socket.create_server((host, 0))
        self.port: int = self._listening.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._flows = threading.Event()
        self._flows.set()
        self._ended = False
        # Guards the list.
        self._lock = threading.Lock()
        self._sockets: List[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return "mqtt://127.0.0.1:%d" % self.port

    def shut(self) -> None:
        """Cut the connections, and accept no new ones."""
        self._open.clear()
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def let_through(self) -> None:
        self._open.set()

    def stick(self) -> None:
        """Stop passing on, but cut nothing."""
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    def _accept(self) -> None:
        while True:
            try:
                client = self._listening.accept()[0]
            except OSError:
                return
            if self._ended or not self._open.is_set():
                client.close()
                continue
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            first = client.recv(65536)
            answer = self._refuses(first)
            if answer is not None:
                client.sendall(answer)
                return
            broker = socket.create_connection(("127.0.0.1", self._broker))
            with broker:
                with self._lock:
                    self._sockets += [client, broker]
                broker.sendall(first)
                back = threading.Thread(target=self._pump, args=(broker, client))
                back.start()
                self._pump(client, broker)
                back.join()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while self._flows.wait():
                data = source.recv(65536)
                if not data:
                    break
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended = True
        self._flows.set()
        self.shut()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(PATIENCE)
