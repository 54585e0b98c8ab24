"""How what is said looks as bytes: OPC UA Binary (OPC 10000-6 5.2).

* The **codec** reads and writes the built-in types: bytes and a position on one side, the
  immutable data of ``model.data_types`` on the other.
* A **body** is what a request or a response holds behind its header; ``service_bodies`` has those
  of the services that are asked for often or for much.
* A **notification** is one change of a monitored item.  Most look alike, so ``notifications``
  unpacks a whole message of them in one go.  This, and the codec, is where a value's time goes.
* A **definition** says what the fields of a structure are.  ``standard_types`` has those of the
  standard, from the library's classes; ``server_types`` those that the server of one generation
  tells.  They are data: nothing that a server sends is ever executed.

Threads: ``server_types`` has a lock, because several may learn types at a time; all else is
functions without state, and may be called from any.  Values are decoded on the relay's thread,
answers to reads on the worker's.

May import: ``model`` and ``wire``; of ``opcua`` only the tables of the standard's types.
"""
