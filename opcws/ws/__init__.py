"""The socket side: listeners, and a connection for each client that comes to one.

Below here is all that imports ``simple_websocket`` and ``h11``.  Words:

* A **listener** is one address of the configuration (``listen``) with its sockets, its TLS and its
  connections.
* A **connection** is one accepted socket from its first byte to its end: TLS, one request of HTTP,
  and then, if that is an **opening handshake** (RFC 6455 4.2), a WebSocket.  Once it is one, its
  peer is a **client** with one of the places that ``limits`` gives.
* The **transport** is a connection's socket, plain or TLS; only one thread writes to it at a time.
* The **sender** takes from the client's **outbox** (of the gateway) and gives to the transport as
  much as that takes at once; the rest is the writer's.
* A **refusal** is a proper answer of HTTP instead of a WebSocket.

The way in: ``listener`` accepts, ``connection`` has ``tls`` and ``http_message`` read a request,
``forwarded`` tells from where it came, ``connection_limits`` whether there is room,
``host_check`` whether this server is meant, ``http_authentication`` from whom; then
``opening_handshake`` or ``web_pages`` answers, in the form that ``content_coding`` finds.  Messages
come through ``frame_reader`` and go to the *application*, which is the gateway.
``processor_share`` slows down who costs too much.

Threads: ``opcws-accept-PORT`` accepts; ``opcws-ws-N`` reads and ``opcws-ws-N-out`` writes for one
connection; ``opcws-tls-PORT`` looks at a listener's certificate.  Relays and the gateway enter
through the outbox only, which sends with a lock that is tried, never waited for.

It may import the gateway, access, operations, docs, x509, config, wire and model; never ``ua``.
"""
