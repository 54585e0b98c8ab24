"""What is asked of an OPC UA server: reads and writes, history, browsing, metadata, discovery.

* An **operation** is a read, a write or a job that waits for its turn.  ``fair_queue`` has a line
  for each client and says what the next service call is made of; ``worker`` makes the call and
  answers every operation exactly once.  ``answer_sizes`` says how much a read may ask for.
* A **job** is any other step that calls the server.  A long one (history, browsing, metadata)
  passes through its line too, for the order, and is then done by ``long_jobs``: those of clients by
  others than our own.
* A **continuation point** is what the server keeps so that it can go on where an answer stopped:
  of Browse, followed at once in ``browse``; of HistoryRead, kept for the client by ``history``,
  used once or released.
* The **address space** is the server's nodes.  ``address_space`` asks about many of them and
  takes no answer for an answer; ``browse`` walks it; ``browsed_variables`` finds in it what
  ``servers.NAME.browse`` means; ``metadata`` describes the variables.
* **Call statistics** are how long the services took and how they failed, for the metrics.

Threads: ``submit``, ``leave`` and what tells of counts may be called from any; calls to the server
are made on ``opcws-ua-NAME-ops``, ``-slow-N`` and ``-own-N``, in commissioning on the main
thread.  The queue has no lock: the worker guards it.

May import: ``ua.channel`` and ``ua.encoding``, and what those may.
"""
