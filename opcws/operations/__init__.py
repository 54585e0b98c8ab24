"""What the people who run opcws look at and turn: log, metrics, status, reload, service.

Words:

* A *status page* is one of ``/healthz``, ``/readyz``, ``/metrics`` and ``/status``
  (:mod:`.status_pages`); a *family* is a metric with its labels (:mod:`.metrics`).
* *Statistics* are what a listener or a plant tells when a status page is asked for.  Who counts
  keeps plain ints, or a counter per thread (:mod:`.per_thread_counter`), and never waits for one
  who looks.
* A *limit hit* is a client, or the operating system, that ran into a limit (:mod:`.limit_hits`).
* The *control socket* is how ``opcws reload`` and ``stop`` reach the opcws that runs
  (:mod:`.control_socket`).  What a reload, a signal or a changed file asks for is a *wish*; the
  :mod:`.reloader` grants them one at a time.
* A *connection id* names a client in the log (:mod:`.connection_id`, :mod:`.logs`); a log that is
  full is *rotated* (:mod:`.log_rotation`), and what strangers cause in it is bounded
  (:mod:`.log_limit`).
* A *service* is opcws as the machine starts it (:mod:`.services`): of Windows
  (:mod:`.windows_service`, its process :mod:`.service_process`, both by :mod:`.windows_api`) or of
  :mod:`.systemd`.

Beside these it turns what the operating system gives: how many files may be open
(:mod:`.open_files`), and on which CPU opcws runs (:mod:`.cpu_affinity`); and it tells what the
process takes (:mod:`.windows_process` where Prometheus' library does not).

Threads: any may count, log or ask for a status page.  Three are of this room, each started and
stopped by ``serve``: ``opcws-control``, ``opcws-reload`` and ``opcws-cpu``; as a service of Windows
``opcws-service``, too, which Windows calls and lets go.

May import :mod:`opcws.config`, :mod:`opcws.wire` and :mod:`opcws.model`; what it says of listeners
and plants it is handed.
"""
