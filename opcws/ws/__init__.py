"""The socket side: the listeners and a connection for each client.

Only modules of this folder import ``simple_websocket`` and ``h11``.  Words:

* A **listener** is one address of the configuration (``listen``) with its sockets, its TLS and its
  connections.
* A **connection** is one accepted socket from its first byte to its end: TLS, one HTTP request, and
  then, if that is an **opening handshake** (RFC 6455 4.2), a WebSocket.  The peer of a WebSocket is
  a **client** and counts for the ``limits``.
* The **transport** is a connection's socket, plain or TLS; only one thread writes to it at a time.
* The **sender** takes messages from the client's **outbox** (of the gateway) and sends as much as
  the transport takes at once; the writer sends the rest.
* A **refusal** is a proper HTTP response instead of a WebSocket.

The order of a request: ``listener`` accepts, ``tls`` and ``http_message`` read a request for
``connection``, ``forwarded`` finds the client's address, ``connection_limits`` checks for room,
``host_check`` checks that the request is meant for this server, ``http_authentication`` identifies
the client; then ``opening_handshake`` or ``web_pages`` answers, compressed or not
(``content_coding``).  Messages come through ``frame_reader`` and go to the *application*, which is
the gateway.  ``processor_share`` slows down clients that cost too much.

Threads: ``opcws-accept-PORT`` accepts; ``opcws-ws-N`` reads and ``opcws-ws-N-out`` writes for one
connection; ``opcws-tls-PORT`` watches a listener's certificate.  Relays and the gateway enter only
through the outbox, which sends with a lock that is tried, never waited for.

It may import the gateway, access, operations, docs, x509, config, wire and model; never ``ua``.
"""
