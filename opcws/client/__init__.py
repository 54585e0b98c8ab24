"""A client for opcws, for programs and for the commands ``opcws read``, ``watch`` and so on.

>>> from opcws.client import Client
>>> with Client("ws://127.0.0.1:8081/") as client:
...     print(client.read("Boiler.Temperature").value)
...     client.write("Boiler.Setpoint", 75)
...     for value in client.monitor(["Boiler.Temperature"]):
...         print(value.source_timestamp, value.value, value.symbol)

It is synchronous and has no threads.  Use one :class:`Client` per thread.  Words:

* An **address** is the URL of opcws, checked before anything is connected.
* The **WebSocket** is one connection to it; a client makes the next one when it is needed.
* A **request** is sent once and has one answer within ``timeout_s``.  If the answer to a write is
  missing, the caller must find out whether the write took effect.
* A **monitor** is an iterator over the values of some variables; it connects again by itself.
* A **plant** is a module that ``opcws client --lang python`` writes: the variables of one opcws as
  types, based on :mod:`opcws.client.typed`.
* A **value** has a status, times and a type; an **error** has a status and one sentence.

It imports only the model from opcws, so that it could be a package of its own.
"""

from .address import DEFAULT_URL
from .client import Client, History, Monitor
from .errors import (
    AddressError,
    Busy,
    ClientError,
    ConnectError,
    ConnectionLost,
    NoAnswer,
    NotAllowed,
    NotTrusted,
    RequestRefused,
    VariableError,
)
from .values import Value, moment, time_text
from .websocket import CONTRACT

__all__ = [
    "CONTRACT",
    "DEFAULT_URL",
    "AddressError",
    "Busy",
    "Client",
    "ClientError",
    "ConnectError",
    "ConnectionLost",
    "History",
    "Monitor",
    "NoAnswer",
    "NotAllowed",
    "NotTrusted",
    "RequestRefused",
    "Value",
    "VariableError",
    "moment",
    "time_text",
]
