"""A client for opcws, for programs and for the commands ``opcws read``, ``watch`` and so on.

>>> from opcws.client import Client
>>> with Client("ws://127.0.0.1:8081/") as client:
...     print(client.read("Boiler.Temperature").value)
...     client.write("Boiler.Setpoint", 75)
...     for value in client.monitor(["Boiler.Temperature"]):
...         print(value.source_timestamp, value.value, value.symbol)

It is synchronous and has no threads.  Use one :class:`Client` per thread.
"""

from .address import DEFAULT_URL
from .client import Client, Monitor
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

__all__ = [
    "DEFAULT_URL",
    "AddressError",
    "Busy",
    "Client",
    "ClientError",
    "ConnectError",
    "ConnectionLost",
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
