"""What ``/metrics`` says, in Prometheus' text format.

:data:`FAMILIES` is the one table of metrics; the one in ``docs/pages/metrics.rst`` is made from it.
Names follow Prometheus' conventions: base units, ``_total`` for counts.  Labels take few values:
never one per client or per variable, and nothing that a client makes up.

The numbers are asked for when somebody looks; nothing here is ever called by those who count.
(A counter of ``prometheus_client`` takes a lock at each step; theirs are plain ints.)

Threads: any.
"""

from itertools import accumulate
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple, Union

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from .statistics import DURATIONS_S, Histogram

#: Of the text that is served; what newer versions add to the format is not used.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

COUNTER = "counter"
GAUGE = "gauge"
HISTOGRAM = "histogram"


class Family(NamedTuple):
    """A metric with its labels; *text* is one English sentence."""

    name: str
    kind: str
    labels: Tuple[str, ...]
    text: str


_LISTENER = ("listener",)
_SERVER = ("server",)

FAMILIES = (
    Family(
        "opcws_build_info",
        GAUGE,
        ("version", "contract", "python"),
        "Always 1; the labels say what runs.",
    ),
    Family("opcws_start_time_seconds", GAUGE, (), "When opcws started, since 1970-01-01 UTC."),
    Family("opcws_threads", GAUGE, (), "Threads of the process."),
    Family("opcws_connections_open", GAUGE, _LISTENER, "WebSocket clients that are connected."),
    Family(
        "opcws_connections_handshaking",
        GAUGE,
        _LISTENER,
        "Connections that are no WebSocket yet, or only ask for a page.",
    ),
    Family("opcws_connections_accepted_total", COUNTER, _LISTENER, "TCP connections taken."),
    Family("opcws_connections_opened_total", COUNTER, _LISTENER, "Opening handshakes that worked."),
    Family(
        "opcws_connections_refused_total",
        COUNTER,
        ("listener", "reason"),
        "Connections refused, by the HTTP status in a word, or no_tls.",
    ),
    Family(
        "opcws_requests_total",
        COUNTER,
        ("type", "status"),
        "Requests answered, by MessageType without _REQUEST and StatusCode of the response; ERROR "
        "is what was no request.",
    ),
    Family("opcws_requests_in_flight", GAUGE, _LISTENER, "Requests whose response is not sent."),
    Family("opcws_monitors", GAUGE, _LISTENER, "Monitors of all clients."),
    Family("opcws_received_messages_total", COUNTER, _LISTENER, "Messages from clients."),
    Family(
        "opcws_received_bytes_total",
        COUNTER,
        _LISTENER,
        "Bytes from clients, without what TLS adds.",
    ),
    Family("opcws_sent_frames_total", COUNTER, _LISTENER, "Frames to clients: responses, updates."),
    Family(
        "opcws_updates_collapsed_total",
        COUNTER,
        _LISTENER,
        "Updates that gave way to a later one because the client reads too slowly.",
    ),
    Family(
        "opcws_messages_dropped_total",
        COUNTER,
        _LISTENER,
        "Responses and updates that waited for a client when its connection ended.",
    ),
    Family("opcws_queued_messages", GAUGE, _LISTENER, "Messages that wait for clients."),
    Family("opcws_queued_messages_max", GAUGE, _LISTENER, "The same, of the client with most."),
    Family("opcws_queued_bytes", GAUGE, _LISTENER, "Bytes that wait for clients."),
    Family("opcws_queued_bytes_max", GAUGE, _LISTENER, "The same, of the client with most."),
    Family(
        "opcws_limits_hit_total",
        COUNTER,
        ("limit",),
        "How often a limit of listen or listen.limits was hit.",
    ),
    Family("opcws_audit_working", GAUGE, (), "1 if the audit log can be written, or 0."),
    Family("opcws_audit_lines_total", COUNTER, (), "Lines written to the audit log."),
    Family("opcws_audit_lines_waiting", GAUGE, (), "Lines that are not written yet."),
    Family("opcws_audit_lines_lost_total", COUNTER, (), "Lines that never will be."),
    Family("opcws_plant_connected", GAUGE, _SERVER, "1 if the OPC UA server is connected, or 0."),
    Family("opcws_plant_required", GAUGE, _SERVER, "1 if /readyz asks for it, or 0."),
    Family(
        "opcws_plant_last_connected_timestamp_seconds",
        GAUGE,
        _SERVER,
        "When its connection last came up, since 1970-01-01 UTC.",
    ),
    Family("opcws_plant_connections_total", COUNTER, _SERVER, "How often its connection came up."),
    Family(
        "opcws_plant_connection_failures_total", COUNTER, _SERVER, "Attempts to connect in vain."
    ),
    Family(
        "opcws_plant_service_level",
        GAUGE,
        ("server", "endpoint"),
        "ServiceLevel of each server of a redundant set that can be reached.",
    ),
    Family(
        "opcws_plant_published_age_seconds",
        GAUGE,
        _SERVER,
        "Time since the OPC UA server last published, while it is connected.",
    ),
    Family("opcws_variables_configured", GAUGE, _SERVER, "Variables in the configuration."),
    Family("opcws_variables_active", GAUGE, _SERVER, "Variables monitored on the OPC UA server."),
    Family("opcws_variables_failed", GAUGE, _SERVER, "Variables that the OPC UA server refuses."),
    Family("opcws_values_received_total", COUNTER, _SERVER, "Values published to opcws."),
    Family(
        "opcws_updates_total",
        COUNTER,
        _SERVER,
        "Updates to monitors: one for each value, or loss of the connection, and monitor.",
    ),
    Family("opcws_relay_queue", GAUGE, _SERVER, "What waits to be relayed to clients."),
    Family("opcws_operations_queue", GAUGE, _SERVER, "Operations that wait for the OPC UA server."),
    Family(
        "opcws_service_duration_seconds",
        HISTOGRAM,
        ("server", "service"),
        "How long service calls took; a call may have many nodes.",
    ),
    Family(
        "opcws_service_failures_total",
        COUNTER,
        ("server", "service", "status"),
        "Service calls that failed as a whole, by status.",
    ),
)

#: By the name of the family, the values of its labels and the number of each sample.
Samples = Mapping[str, Sequence[Tuple[Tuple[str, ...], Union[float, Histogram]]]]


class Metrics:
    """The document, made of what *read* tells and of what the process takes (on Linux)."""

    def __init__(self, read: Callable[[], Samples]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Ours(read))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def text(self) -> bytes:
        """In :data:`CONTENT_TYPE`."""
        return generate_latest(self._registry)


class _Ours(Collector):
    def __init__(self, read: Callable[[], Samples]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """For the registry, which looks for names that are there twice."""
        return [_family(family) for family in FAMILIES]

    def collect(self) -> Iterable[Metric]:
        samples = self._read()
        made: List[Metric] = []
        for family in FAMILIES:
            metric = _family(family)
            for labels, number in samples.get(family.name, ()):
                if isinstance(number, Histogram):
                    metric.add_metric(labels, _buckets(number), number.seconds)
                else:
                    metric.add_metric(labels, number)
            made.append(metric)
        return made


_MAKE: Dict[str, Callable[..., Metric]] = {
    COUNTER: CounterMetricFamily,
    GAUGE: GaugeMetricFamily,
    HISTOGRAM: HistogramMetricFamily,
}
_BOUNDS = [*map(floatToGoString, DURATIONS_S), "+Inf"]


def _family(family: Family) -> Any:
    return _MAKE[family.kind](family.name, family.text, labels=family.labels)


def _buckets(histogram: Histogram) -> List[Tuple[str, float]]:
    return list(zip(_BOUNDS, accumulate(histogram.counts)))


def metrics_table_rst() -> str:
    """The table of metrics as reStructuredText, as the documentation has it."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - Metric",
        "     - Kind",
        "     - Labels",
        "     - What it tells",
    ]
    for family in FAMILIES:
        labels = ", ".join("``%s``" % label for label in family.labels)
        lines += [
            "   * - ``%s``" % family.name,
            "     - %s" % family.kind,
            "     -%s" % (labels and " " + labels),
            "     - %s" % family.text,
        ]
    return "\n".join(lines) + "\n"
