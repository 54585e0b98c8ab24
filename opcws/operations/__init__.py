"""For the operators of opcws: log, metrics, status, reload, service.

Words:

* A *status page* is one of ``/healthz``, ``/readyz``, ``/metrics`` and ``/status``
  (:mod:`.status_pages`); a *family* is a metric with its labels (:mod:`.metrics`).
* *Statistics* are the numbers of a listener or a plant for a status page.  Counting code uses plain
  ints, or a counter per thread (:mod:`.per_thread_counter`), and never waits for a reader.
* A *limit hit* is a client, or the operating system, that ran into a limit (:mod:`.limit_hits`).
* The *control socket* is how ``opcws reload`` and ``stop`` reach the opcws that runs
  (:mod:`.control_socket`).  A reload, a signal or a changed file is a *wish*; the :mod:`.reloader`
  handles one at a time.
* A *connection id* names a client in the log (:mod:`.connection_id`, :mod:`.logs`); a full log is
  *rotated* (:mod:`.log_rotation`), and lines that strangers can cause are bounded
  (:mod:`.log_limit`).
* A *service* is opcws as the machine starts it (:mod:`.services`): of Windows
  (:mod:`.windows_service`, its process :mod:`.service_process`, both by :mod:`.windows_api`) or of
  :mod:`.systemd`.

It also sets limits of the operating system: how many files may be open (:mod:`.open_files`), and on
which CPU opcws runs (:mod:`.cpu_affinity`); and it measures the process (:mod:`.windows_process`
where the library of Prometheus cannot).

Threads: any may count, log or request a status page.  ``serve`` starts and stops the three threads
of this room: ``opcws-control``, ``opcws-reload`` and ``opcws-cpu``; for a service of Windows there
is ``opcws-service`` too, which Windows calls.

May import :mod:`opcws.config`, :mod:`opcws.wire` and :mod:`opcws.model`; it gets the numbers of
listeners and plants as arguments.
"""
