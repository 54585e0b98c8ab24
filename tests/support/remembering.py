"""A scripted opcws: it remembers the values that a test gives it, and every request."""

import contextlib
import json
import socket
import threading
from typing import Any, Dict, List, Optional, Sequence, Tuple

from wsproto import ConnectionType, WSConnection, events

from .waiting import PATIENCE

Body = Dict[str, Any]


def data_value(name: str, value: float, time: str, **more: Any) -> Body:
    return {
        "Variable": name,
        "Value": {"Type": 11, "Body": value},
        "SourceTimestamp": time,
        **more,
    }


class RememberingServer:
    """Serves one client after the other.  *contract* is the version that it claims; an *old* one
    does not know ``Since``.  *secret* are variables whose past the client may not know."""

    def __init__(
        self, contract: Optional[str] = "1.1", old: bool = False, secret: Sequence[str] = ()
    ) -> None:
        self._secret = secret
        self.asked: List[Body] = []  # the MONITORSTART requests
        self._contract = contract
        self._old = old
        self._past: Dict[str, List[Body]] = {}
        self._lock = threading.Lock()  # guards everything below, and the remembered values
        self._handles: List[Tuple[str, str]] = []
        self._peer: Optional[socket.socket] = None
        self._ws: Optional[WSConnection] = None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = "ws://127.0.0.1:%d/" % self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> "RememberingServer":
        return self

    def __exit__(self, *_raised: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # ends accept() on Linux
        self._listening.close()
        self.cut()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def change(self, body: Body) -> None:
        """A new value of the plant; a connected client gets it."""
        with self._lock:
            self._past.setdefault(body["Variable"], []).append(body)
            for handle, name in self._handles:
                if name == body["Variable"]:
                    self._send("MONITORUPDATE_MESSAGE", handle, body)

    def miss(self, body: Body) -> None:
        """A new value that the client does not get any more."""
        with self._lock:
            self._past.setdefault(body["Variable"], []).append(body)

    def cut(self) -> None:
        """End the connection without a close frame."""
        with self._lock:
            if self._peer is not None:
                with contextlib.suppress(OSError):
                    self._peer.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listening.accept()
                with peer, contextlib.suppress(OSError):
                    self._talk(peer)

    def _talk(self, peer: socket.socket) -> None:
        ws = WSConnection(ConnectionType.SERVER)
        with self._lock:
            self._peer, self._ws, self._handles = peer, ws, []
        for data in iter(lambda: peer.recv(65536), b""):
            with self._lock:
                ws.receive_data(data)
                for event in ws.events():
                    if isinstance(event, events.Request):
                        said = [] if self._contract is None else [self._contract.encode("ascii")]
                        headers = [(b"opcws-contract", each) for each in said]
                        accepted = events.AcceptConnection("json", extra_headers=headers)
                        peer.sendall(ws.send(accepted))
                    elif isinstance(event, events.TextMessage):
                        message = json.loads(event.data)
                        self._answer(message["Header"], message["Body"])
                    elif isinstance(event, events.CloseConnection):
                        peer.sendall(ws.send(event.response()))

    def _answer(self, header: Body, body: Body) -> None:
        if header["MessageType"] != "MONITORSTART_REQUEST":
            return
        self.asked.append(body)
        handle = header["ClientHandle"]
        if self._old and ("Since" in body or "Backfill" in body):
            refused = {"StatusCode": "BadAttributeIdInvalid", "Reason": "Body: unknown member"}
            self._send("MONITORSTART_RESPONSE", handle, {}, refused)
            return
        refused = {"StatusCode": "BadUserAccessDenied", "Reason": "no history"}
        secret = self._secret if "Since" in body else ()
        results = [
            {"Variable": name, **(refused if name in secret else {})} for name in body["Variables"]
        ]
        self._send("MONITORSTART_RESPONSE", handle, {"Results": results})
        for name in body["Variables"]:
            if name in secret:
                continue
            self._handles.append((handle, name))
            *past, present = self._past[name]
            for each in past if "Since" in body else ():
                if each["SourceTimestamp"].rstrip("Z") > body["Since"].rstrip("Z"):
                    told = {**each, "Historical": True}
                    self._send("MONITORUPDATE_MESSAGE", handle, told)
            self._send("MONITORUPDATE_MESSAGE", handle, present)

    def _send(self, kind: str, handle: str, body: Body, more: Optional[Body] = None) -> None:
        assert self._peer is not None and self._ws is not None
        header = {"MessageType": kind, "ClientHandle": handle, **(more or {})}
        message = json.dumps({"Header": header, "Body": body})
        self._peer.sendall(self._ws.send(events.TextMessage(message)))
