"""The document at ``/metrics``, in Prometheus' text format.

The one table of metrics is ``metrics.csv``, beside this file; that in ``docs/pages/metrics.rst`` is
made from it.  Names follow Prometheus' conventions: base units, ``_total`` for counts.  Labels have
few values: never one per client or variable, and no text from a client.

The numbers are read on request; counting code never calls this module.  (A counter of
``prometheus_client`` takes a lock at each step; opcws counts in plain ints.)

Threads: any.
"""

import csv
import sys
from itertools import accumulate
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Tuple, Union

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
from .windows_process import WindowsProcess

#: Version of the format; additions of newer versions are not used.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

COUNTER = "counter"
GAUGE = "gauge"
HISTOGRAM = "histogram"


class Family(NamedTuple):
    """A metric: *source* is the name of its number in :class:`Numbers`, *text* one English
    sentence."""

    name: str
    source: str
    labels: Tuple[str, ...]
    text: str

    @property
    def kind(self) -> str:
        """By the conventions for names."""
        if self.name.endswith("_total"):
            return COUNTER
        return HISTOGRAM if self.name.endswith("_duration_seconds") else GAUGE

    @property
    def owner(self) -> str:
        """The label for the owner of the number; ``""`` for the process."""
        return self.labels[0] if self.labels[:1] in (("listener",), ("server",)) else ""


with open(Path(__file__).with_name("metrics.csv"), encoding="utf-8", newline="") as _table:
    FAMILIES = tuple(
        Family(row["name"], row["source"], tuple(row["labels"].split()), row["text"])
        for row in csv.DictReader(_table)
    )

Number = Union[float, Histogram]


class Numbers(NamedTuple):
    """The numbers of one listener or OPC UA server (*owner* is the label, *name* its value) or of
    the process, by source.  A mapping has a number for each value of the other label, or for each
    tuple of values of the others; ``None`` means no number."""

    owner: str
    name: str
    of: Mapping[str, Union[Number, Mapping[Any, Number], None]]


class Metrics:
    """The document, made of the numbers of *read* and, on Linux and Windows, those of the
    process."""

    def __init__(self, read: Callable[[], Iterable[Numbers]]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(read))
        if sys.platform == "win32":
            self._registry.register(WindowsProcess())
        else:
            ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def text(self) -> bytes:
        """In :data:`CONTENT_TYPE`."""
        return generate_latest(self._registry)


class _Collector(Collector):
    def __init__(self, read: Callable[[], Iterable[Numbers]]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """For the registry, which checks for duplicate names."""
        return map(_family, FAMILIES)

    def collect(self) -> Iterable[Metric]:
        read = list(self._read())
        for family in FAMILIES:
            metric = _family(family)
            for owner, name, numbers in read:
                if owner == family.owner:
                    _add(metric, (name,) if owner else (), numbers.get(family.source))
            yield metric


def _add(metric: Any, labels: Tuple[str, ...], number: Any) -> None:
    if isinstance(number, Mapping):
        for values, each in sorted(number.items()):
            _add(metric, (*labels, *((values,) if isinstance(values, str) else values)), each)
    elif isinstance(number, Histogram):
        metric.add_metric(labels, _buckets(number), number.seconds)
    elif number is not None:
        metric.add_metric(labels, number)


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
