"""The OPC UA side: plant servers, and all code that imports ``opcua``.

``plant.Plant`` is one OPC UA server as the gateway sees it.  It consists of a supervisor, which
keeps a connection alive, a worker, which makes the service calls, the monitored items, and the
gateway's relay, which gets every value.

* A **link** is one connection, from the TCP handshake to its end.  It is never repaired: any error
  ends it, and the supervisor makes a new one.
* A **generation** is the life of one link, and its number.  NodeIds, namespace indexes, data types
  and continuation points of one generation are not valid in the next.
* An **item** is a MonitoredItem on the server (OPC 10000-4 5.13): one per variable, however many
  clients monitor it.  The relay decides which items exist.
* The **worker** executes operations one after another: reads, writes and jobs, each in the **line**
  of its client.  The lines take turns.
* A **redundant set** is several equivalent servers; opcws uses one of them.

The rooms below, from the top: ``services`` (requests to a server), ``channel`` (the connection to
it), ``encoding`` (the messages as bytes).

Threads: ``opcws-ua-NAME-watch`` (the supervisor, and ``-member-N`` for each server of a redundant
set), ``-ops``, ``-slow-N`` and ``-own-N`` (the worker), ``-rx`` (the receiver of the present link),
``-bye`` (closes old links).  Methods for the gateway run on its threads and only queue; values are
decoded on ``opcws-relay-NAME``.  None of them ever waits for a client.

May import: the rooms below it, the gateway, the configuration, ``wire``, ``model``, ``operations``
and ``x509``; never ``ws``, the side of the clients.
"""
