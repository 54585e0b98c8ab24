"""X.509 certificates: reads and describes them, and makes our own.

We have two kinds of certificate: OPC UA servers recognize opcws by its **application instance
certificate** (OPC 10000-6 6.2.2), browsers and other clients by the **listener's certificate**
(``listen.tls``).  They share only how they are read, checked for their dates and made, which is
here, below ``ua`` and every module that shows certificates to people.

* An **identity** is a certificate with its private key, and the files that they came from.
* A **thumbprint** is the SHA-1 of a certificate's DER form: its name, not a proof.
* A **notice** is a sentence about something that works now and will stop working.
* A **path** leads from a certificate over its issuers to a root; OpenSSL decides whether it is
  valid by RFC 5280.

Which certificates to *trust* is decided elsewhere: those of OPC UA servers in ``ua.channel.trust``,
those of clients by ``ssl``.

Threads: any.  May import: ``model``.
"""
