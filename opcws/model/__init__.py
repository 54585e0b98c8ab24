"""Common types: all other rooms are based on them.

    data_types      values as immutable Python data: Variant, DataValue, NodeId, structures
    status_codes    names and numbers of the status codes, and a sentence for each that is Bad
    errors          the tree of errors, each with the status code that a client is told
    deadline        a moment until which something may take; made once, handed down
    socket_errors   what the error of a socket means, in the same words on any system
    atomic_file     a file that is written whole or not at all
    addresses       hosts, ports and networks, as text and compared
    text            text for a person at a terminal: harmless, and good to type

A *built-in type* is one of the 25 that OPC 10000-6 can encode; every other data type is encoded as
one of them.  A *Variant* is a value with its type, a *DataValue* has a status and timestamps too.
*Ticks* are 100 ns since 1601, the time of OPC UA.  A *status* is the number of 32 bits, a *symbol*
its name.

Pure, except :class:`~opcws.model.deadline.Deadline`, which reads the clock, and
:mod:`~opcws.model.atomic_file`, with which all rooms write files.  It starts no thread and takes no
lock; shared objects are immutable.  It imports nothing of opcws.
"""
