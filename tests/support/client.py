"""A client that is not ours, websocket-client: every received message is checked against the
contract before a test sees it.
"""

import json
import time
from typing import Any, Callable, Dict, List, Optional

import websocket

from .contract_problems import problems_of
from .waiting import PATIENCE


class Client:
    """A WebSocket client that keeps pushed messages apart from answers."""

    def __init__(self, url: str, query: str = "", **options: Any) -> None:
        options.setdefault("timeout", PATIENCE)
        options.setdefault("subprotocols", ["json"])
        self.ws = websocket.create_connection(url.replace("http", "ws", 1) + query, **options)
        self.pushed: List[Dict[str, Any]] = []
        self._answered: List[Dict[str, Any]] = []
        self._handle = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self.ws.close(timeout=PATIENCE)

    def vanish(self) -> None:
        """Leave without a closing handshake."""
        self.ws.shutdown()

    def send(self, operation: str, body: Any = None, handle: Any = None) -> Any:
        """Send a request; returns its ClientHandle."""
        if handle is None:
            self._handle += 1
            handle = "h%d" % self._handle
        message: Dict[str, Any] = {
            "Header": {"MessageType": operation + "_REQUEST", "ClientHandle": handle}
        }
        if body is not None:
            message["Body"] = body
        self.ws.send(json.dumps(message))
        return handle

    def receive(self) -> Dict[str, Any]:
        """The next message of any kind, checked against the contract."""
        text = self.ws.recv()
        assert text, "the connection was closed"
        message: Dict[str, Any] = json.loads(text, parse_constant=_no_constant)
        problems = problems_of(message["Header"]["MessageType"], message)
        assert not problems, "%s: %s" % (text, problems)
        return message

    def _sort(self, message: Dict[str, Any]) -> None:
        pushed = message["Header"]["MessageType"].endswith("_MESSAGE")
        (self.pushed if pushed else self._answered).append(message)

    def answer(self) -> Dict[str, Any]:
        """The next response or ERROR; pushed messages before it are kept."""
        while not self._answered:
            self._sort(self.receive())
        return self._answered.pop(0)

    def request(self, operation: str, body: Any = None, handle: Any = None) -> Dict[str, Any]:
        """Send a request and return its whole response."""
        handle = self.send(operation, body, handle)
        answer = self.answer()
        assert answer["Header"]["MessageType"] == operation + "_RESPONSE", answer
        return answer

    def body(self, operation: str, body: Any = None, handle: Any = None) -> Any:
        """Send a request and return the Body of its response."""
        answer = self.request(operation, body, handle)
        assert "StatusCode" not in answer["Header"], answer
        return answer["Body"]

    def status(self, operation: str, body: Any = None, handle: Any = None) -> Optional[str]:
        """Send a request and return the ``StatusCode`` of its response's Body, if any."""
        status: Optional[str] = self.body(operation, body, handle).get("StatusCode")
        return status

    def raw(self, text: Any) -> Dict[str, Any]:
        """Send *text* unchanged and return the next response or ERROR."""
        self.ws.send(text)
        return self.answer()

    def push(self) -> Dict[str, Any]:
        """The next pushed message; answers before it are kept."""
        while not self.pushed:
            self._sort(self.receive())
        return self.pushed.pop(0)

    def update(self, handle: Any = None, variable: Optional[str] = None) -> Dict[str, Any]:
        """The Body of the next MONITORUPDATE of *handle* and *variable*; others are dropped."""
        while True:
            message = self.push()
            header, body = message["Header"], message["Body"]
            if header["MessageType"] != "MONITORUPDATE_MESSAGE":
                continue
            if handle is not None and header["ClientHandle"] != handle:
                continue
            if variable is None or body["Variable"] == variable:
                found: Dict[str, Any] = body
                return found

    def update_where(self, true: Callable[[Dict[str, Any]], Any], **which: Any) -> Dict[str, Any]:
        """The first update for which *true* holds."""
        deadline = time.monotonic() + PATIENCE
        while True:
            body = self.update(**which)
            if true(body):
                return body
            assert time.monotonic() < deadline, "no such update within %g s" % PATIENCE

    def write(self, variable: str, value: Any) -> None:
        answer = self.body("WRITE", {"Variable": variable, "Value": value})
        assert answer in ({}, ""), answer


def _no_constant(name: str) -> None:
    raise AssertionError("%s is no JSON" % name)
