"""The id of a connection, as a type of its own.  Pure.

Threads of several kinds have something to log about a client: its own two, and those of a plant
that answer it.  Whichever it is, the id is among what the line is made of, and being of this type
it is found there (:mod:`opcws.operations.logs`); nobody has to remember to say it twice.
"""


class ConnectionId(str):
    """Such as ``opcws-ws-7``: unique in the process, the name of the connection's reader thread,
    and the ``Connection`` of ``/status``."""

    __slots__ = ()
