"""X.509 certificates: read, told to people, and our own made.

Two kinds of certificate are ours: the **application instance certificate** (OPC 10000-6 6.2.2), by
which OPC UA servers know opcws, and the **listener's certificate** (``listen.tls``), by which
browsers and other clients do.  They have little in common but how they are read, judged by their
dates and made, which is here, below ``ua`` and everybody who shows certificates to people.

* An **identity** is a certificate with its private key, and the files that they came from.
* A **thumbprint** is the SHA-1 of a certificate's DER form: its name, not a proof.
* A **notice** is a sentence about what will end something that is good now.

* A **path** leads from a certificate over its issuers to a root; whether it is right by RFC 5280 is
  OpenSSL's word.

Whom to *trust* is another matter: that of an OPC UA server is in ``ua.channel.trust``, that of a
client that shows a certificate is left to ``ssl``.

Threads: any.  May import: ``model``.
"""
