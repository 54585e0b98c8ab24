"""The connection to an OPC UA server: from TCP to session and subscription.

* **Framing** divides messages into chunks and joins them (OPC 10000-6 6.7, 7.1): that of the
  library, with a receiver that ends at any error.
* The **secure channel** signs and encrypts the chunks by a **security policy**; it is renewed
  while it is used, so keys are kept by token.
* The **session** has the endpoint, the trusted certificate and the user.
* The **link** is all of that for one generation, with ``call``, by which every service call goes.
  An **answer** receives its response.
* The **subscriptions** hold the items of the link, as many as needed: publish requests,
  acknowledgements, missing messages, the items.  Each has an **order** of its own.

Threads: the supervisor opens and closes a link; any thread may use ``call``, ``send``, ``fail`` and
``kill``.  ``opcws-ua-NAME-rx`` receives, passes every answer to its waiting thread, and never
blocks: it decodes no value and takes no lock that a sender could hold in ``sendall``.

May import: ``ua.encoding``, the configuration, ``model``, ``x509``.  Only this room uses internals
of the ``opcua`` library; therefore its version is pinned.
"""
