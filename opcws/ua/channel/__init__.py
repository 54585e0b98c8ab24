"""How one talks to an OPC UA server: from the TCP connection to session and subscription.

* **Framing** is the cutting of messages into chunks (OPC 10000-6 6.7, 7.1) and putting them
  together: the library's, with a receiver that ends when anything is wrong.
* The **secure channel** signs and encrypts the chunks by a **security policy**; it is renewed
  while it is used, so keys are kept by token.
* The **session** lies in it: which endpoint, whose certificate is trusted, which user.
* The **link** is all of that for one generation, with ``call``, by which every service call goes.
  An **answer** is where its response arrives.
* The **subscriptions** are those of the link, as many as hold its items: publish requests,
  acknowledgements, what is missing, the items.  Each has an **order** of its own.

Threads: a link is opened and closed on the supervisor's; ``call``, ``send``, ``fail`` and ``kill``
may be used by any.
``opcws-ua-NAME-rx`` receives, hands every answer to who waits, and never blocks: it decodes no
value and takes no lock that a sender could hold in ``sendall``.

May import: ``ua.encoding``, the configuration, ``model``, ``x509``.  Here the internals of the
``opcua`` library are used, which is why its version is pinned; nowhere else.
"""
