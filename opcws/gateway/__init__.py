"""From a request to its reply, and from a value to every client that monitors it.

    gateway             one method per request type: names + access + plants + relay -> reply
    client              one connected client: its role, limits, monitors and continuation points
    connected_clients   all of them, and the gateway that answers them now
    relay               the monitored variables of one plant: last value, encode once, fan out
    monitor             what client and relay know of one monitor
    outbox              what waits to be sent to one client; bounded
    histories           of whom history is read, two as one, and aggregates computed here
    charts              the histories of several variables in one answer
    past                what a monitor missed, told before the live values
    audit_log           every write on record; audit_file is the file of it
    plant_interface     what is asked of a plant, as types
    value_source        where the relay's values come from, as types

A *client* is one connection and its user (a session of OPC UA is between ``ua`` and a server).  A
*plant* is one OPC UA server; ``plant_interface`` has its methods, ``ua`` implements them.  A
*monitor* sends one client the values of one variable under one ClientHandle.  The *relay* of a
plant has one monitored item per variable, however many monitors there are; those that get the same
bytes are a *group*.  An *outbox* never drops a reply; if a client is too slow for its updates, it
keeps the latest of each monitor.  A *generation* (a *link*) is one life of the connection to a
server: it is replaced, never repaired, and monitors outlive it.

Threads: requests come on each connection's reader (``opcws-ws-N``), which never waits for OPC UA;
answers come on the plant's threads; each relay has its own (``opcws-relay-NAME``), the only one
that touches its tables, and so has the audit log (``opcws-audit``).  A change of the configuration
replaces the Gateway.

The Gateway gets plants and decoders, so it knows neither ``ua`` nor ``ws``; it may import
``history``, ``access``, ``operations``, ``config``, ``wire`` and ``model``.

A new message type is a name in ``contract.OPERATIONS`` with its form in ``scripts/contract``, and a
method in :class:`~opcws.gateway.gateway.Gateway`; if it needs something new from a plant, also a
method in ``plant_interface`` and ``ua/plant``.
"""
