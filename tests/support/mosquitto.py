"""Mosquitto, a real MQTT broker, as a process of a test; and a subscriber that keeps what comes."""

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
    """Mosquitto on a port of the loopback, with more *lines* of configuration."""

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
        """End it without a word to anybody."""
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
    """A client that has subscribed to *topic*; it comes back when the broker does."""

    def __init__(
        self,
        port: int,
        topic: str = "#",
        protocol: int = paho.MQTTv5,
        prepare: Callable[[paho.Client], None] = lambda _client: None,
    ) -> None:
        self.received: List[Received] = []
        self._topic = topic
        self._subscribed = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)  # type: ignore[arg-type]
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._on_message
        self.client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]
        prepare(self.client)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(PATIENCE)

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(self._topic, 1)

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
        """The first message that *true* is true of."""

        def found() -> Optional[Received]:
            return next((each for each in list(self.received) if true(each)), None)

        found_one: Received = wait_until(found, what)
        return found_one

    def __enter__(self) -> "Subscriber":
        return self

    def __exit__(self, *_: Any) -> None:
        self.client.disconnect()
        self.client.loop_stop()
