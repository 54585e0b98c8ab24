"""The id of a connection, as a type of its own.  Pure.

Several threads log lines about a client: its own two, and those of a plant that answer it.  The id
is among the arguments of such a line, and :mod:`opcws.operations.logs` finds it there by its type,
so that no author has to add it twice.
"""


class ConnectionId(str):
    """Such as ``opcws-ws-7``: unique in the process, the name of the connection's reader thread,
    and the ``Connection`` of ``/status``."""

    __slots__ = ()
