"""simple-websocket after an opening handshake that was answered already.

On its own, it would make, parse and answer the request once more, which takes longer than
everything else when a client connects.
"""

from typing import Any, Callable

import simple_websocket
from wsproto.connection import Connection, ConnectionType


class WebSocket(simple_websocket.Server):
    """simple-websocket on *sock*, with stand-ins for its thread and its event."""

    def __init__(
        self,
        sock: Any,
        receive_bytes: int,
        max_message_size: int,
        thread_class: Callable[..., Any],
        event_class: Callable[[], Any],
    ) -> None:
        super().__init__(
            {"werkzeug.socket": sock},
            receive_bytes=receive_bytes,
            max_message_size=max_message_size,
            thread_class=thread_class,
            event_class=event_class,
        )

    def handshake(self) -> None:
        self.ws = Connection(ConnectionType.SERVER)
        self.connected = True
