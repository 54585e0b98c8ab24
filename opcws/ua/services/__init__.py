"""Calls to an OPC UA server: reads and writes, history, browsing, metadata, discovery.

* An **operation** is a read, a write or a job that waits for its turn.  ``fair_queue`` has a line
  for each client and chooses what goes into the next service call; ``worker`` makes the call and
  answers every operation exactly once.  ``answer_sizes`` says how much a read may ask for.
* A **job** is any other step that calls the server.  A long job (history, browsing, metadata) also
  waits in its line, for the order; then ``long_jobs`` does it, with separate threads for the jobs
  of clients and for those of opcws.
* A **continuation point** is what the server keeps in order to continue an answer: ``browse`` uses
  that of Browse at once; ``history`` keeps that of HistoryRead for the client, and uses it once or
  releases it.
* The **address space** is the server's nodes.  ``address_space`` asks about many of them, and
  accepts that the server may not answer; ``browse`` walks it; ``browsed_variables`` finds in it the
  variables of ``servers.NAME.browse``; ``metadata`` describes the variables.
* **Call statistics** are how long the services took and how they failed, for the metrics.

Threads: ``submit``, ``leave`` and the counts may be called from any; calls to the server are made
on ``opcws-ua-NAME-ops``, ``-slow-N`` and ``-own-N``, in commissioning on the main thread.  The
queue has no lock: the worker guards it.

May import: ``ua.channel`` and ``ua.encoding``, and what they may import.
"""
