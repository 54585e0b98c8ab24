"""What everything speaks of: the ground that all other rooms stand on.

    data_types      values as immutable Python data: Variant, DataValue, NodeId, structures
    status_codes    names and numbers of the status codes, and a sentence for each that is Bad
    errors          the tree of errors, each with the status code that a client is told
    deadline        a moment until which something may take; made once, handed down
    socket_errors   what the error of a socket means, in the same words on any system
    atomic_file     a file that is written whole or not at all
    addresses       hosts, ports and networks, as text and compared
    text            text for a person at a terminal: harmless, and good to type

A *built-in type* is one of the 25 that OPC 10000-6 can encode; every other data type is one of
them underneath.  A *Variant* is a value that knows its type, a *DataValue* one with status and
timestamps.  *Ticks* are 100 ns since 1601, the time of OPC UA.  A *status* is the number of 32
bits, a *symbol* its name.

Pure but for :class:`~opcws.model.deadline.Deadline`, which is the clock itself, and
:mod:`~opcws.model.atomic_file`, which all who write files stand on.  No thread is
started and no lock taken here; all that is shared is immutable.  It imports nothing of opcws.
"""
