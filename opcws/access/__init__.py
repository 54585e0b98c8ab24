"""Who a client is, and which role that gives.

Words:

* A **credential** is what a client shows: a token, or a user and password, or a certificate that
  TLS has verified.  The file of credentials holds only hashes, which a server does not accept.
* An **account** is a token or a user in that file, as ``opcws token`` and ``opcws user`` edit it.
* A **role** is a name of the configuration (``roles``) with what it may read, write and see.
* A **grant** is what the authenticator gives for a credential: an identity, a role, and the account
  or certificate behind them, so that it can be checked again when roles or accounts change.
* A **lockout** is the time that an address must wait after too many wrong credentials.

Threads: connections' readers ask for grants, and compute passwords themselves, a few at a time;
``opcws-access`` checks the grants of connected clients; commands edit the file, and running servers
see it change.

It imports config and model; it knows no socket and no HTTP.
"""
