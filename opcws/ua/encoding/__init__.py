"""Messages as bytes: OPC UA Binary (OPC 10000-6 5.2).

* The **codec** reads and writes the built-in types: bytes and a position on one side, the
  immutable data of ``model.data_types`` on the other.
* A **body** is the part of a request or a response after its header; ``service_bodies`` has those
  of frequent or large services.
* A **notification** is one change of a monitored item.  Most have the same layout, so
  ``notifications`` unpacks a whole message of them at once.  Most of the time for a value is spent
  here and in the codec.
* A **definition** lists the fields of a structure.  ``standard_types`` has those of the standard,
  from the library's classes; ``server_types`` those from the server of one generation.  They are
  data: nothing that a server sends is ever executed.

Threads: ``server_types`` has a lock, because several may learn types at the same time; everything
else is functions without state, for any thread.  Values are decoded on the relay's thread, answers
to reads on the worker's.

May import: ``model`` and ``wire``; of ``opcua`` only the tables of the standard's types.
"""
