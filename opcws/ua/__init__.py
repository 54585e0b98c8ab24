"""The OPC UA side: the plant servers, and everything that imports ``opcua``.

``plant.Plant`` is one OPC UA server as the gateway sees it.  It is put together from a supervisor,
which keeps a connection alive, a worker, which makes the service calls, the monitored items, and
the gateway's relay, to which every value goes.

* A **link** is one connection, from the TCP handshake to its end.  It is never repaired: what goes
  wrong kills it, and the supervisor makes a new one.
* A **generation** is the life of one link, and its number.  NodeIds, namespace indexes, data types
  and continuation points of one generation mean nothing in the next.
* An **item** is a MonitoredItem on the server (OPC 10000-4 5.13): one a variable, however many
  clients monitor it.  Which there should be, the relay says.
* The **worker** does operations one after another: reads, writes and jobs, each in the **line** of
  the client who asked.  The lines take turns.
* A **redundant set** is several servers that stand for each other; one is in use.

The rooms below, from the top: ``services`` (what is asked of a server), ``channel`` (how one talks
to it), ``encoding`` (how what is said looks as bytes).

Threads: ``opcws-ua-NAME-watch`` (the supervisor, and ``-member-N`` for each server of a redundant
set), ``-ops``, ``-slow-N`` and ``-own-N`` (the worker), ``-rx`` (the receiver of the present link),
``-bye`` (leaves politely).  What the gateway calls runs on its threads and only queues; what
decodes a value runs on ``opcws-relay-NAME``.  None of them ever waits for a client.

May import: the rooms below it, the gateway, the configuration, ``wire``, ``model``, ``operations``
and ``x509``; never ``ws``, which has the clients.
"""
