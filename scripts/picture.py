"""A picture of bench.py's results: curves over a logarithmic axis, side by side, as SVG.

Pure.  All panels have the same vertical scale, so that they can be compared.  Colours are given
twice: as attributes, for a light picture everywhere, and as a style sheet for readers who prefer
dark.
"""

import math
from typing import Iterator, List, NamedTuple, Sequence, Tuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 330
#: Where curves are drawn: from the left edge of a panel, from the top, and how large.
LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 62, 58, 300, 186
#: Room between a curve's ends and its panel's edges.
INSET = 24

_DARK = """
@media (prefers-color-scheme: dark) {
  .card { fill: #182126 } .axis { stroke: #9bacb6 } .grid { stroke: #2a373e }
  .text { fill: #e6edf0 } .soft { fill: #9bacb6 }
  .curve { stroke: #5cc4d6 } .point { fill: #5cc4d6 }
}
"""


class Panel(NamedTuple):
    """*points* are pairs of a count of *unit* (horizontal axis) and CPU microseconds."""

    title: str
    unit: str
    points: Sequence[Tuple[int, float]]


def svg(title: str, panels: Sequence[Panel], caption: str) -> str:
    """A document of two *panels*, each with at least one point."""
    top, ticks = scale(max(cost for panel in panels for _count, cost in panel.points))
    parts: List[str] = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" '
        'role="img" font-family="system-ui, Segoe UI, Roboto, DejaVu Sans, sans-serif" '
        'font-size="13">'.format(WIDTH, HEIGHT),
        "<title>%s</title>" % escape(title),
        "<style>%s</style>" % _DARK,
        '<rect class="card" width="%d" height="%d" rx="10" fill="#ffffff"/>' % (WIDTH, HEIGHT),
    ]
    for number, panel in enumerate(panels):
        parts.append('<g transform="translate(%d 0)">' % (number * WIDTH // 2))
        parts += _panel(panel, top, ticks)
        parts.append("</g>")
    parts += [_text(WIDTH / 2, HEIGHT - 14, caption, "soft", 'font-size="12"'), "</svg>"]
    return "\n".join(parts) + "\n"


def scale(largest: float) -> Tuple[float, List[float]]:
    """The end of an axis that starts at 0 and has room for *largest*, and its marks."""
    step = 10.0 ** math.floor(math.log10(largest))
    step = next(each for each in (step / 5, step / 2, step, step * 2) if each * 5 >= largest)
    number = math.floor(largest / step) + 1
    return number * step, [each * step for each in range(number + 1)]


def _panel(panel: Panel, top: float, ticks: Sequence[float]) -> Iterator[str]:
    right, bottom = LEFT + PLOT_WIDTH, TOP + PLOT_HEIGHT
    middle = LEFT + PLOT_WIDTH / 2
    counts = [count for count, _cost in panel.points]
    places = [(_across(count, counts), bottom - PLOT_HEIGHT * c / top) for count, c in panel.points]
    yield _text(middle, 28, panel.title, "text", 'font-weight="600"')
    for tick in ticks:
        y = bottom - PLOT_HEIGHT * tick / top
        yield _line("grid", "#dde4e8", LEFT, y, right, y)
        yield _text(LEFT - 8, y + 4, "%g" % tick, "soft", anchor="end")
    yield _line("axis", "#566772", LEFT, bottom, right, bottom)
    for count, (x, _y) in zip(counts, places):
        yield _line("axis", "#566772", x, bottom, x, bottom + 5)
        yield _text(x, bottom + 20, "{:,}".format(count), "soft")
    yield _text(middle, bottom + 42, panel.unit + " (log scale)", "text")
    turned = 'transform="rotate(-90 16 %d)"' % (TOP + PLOT_HEIGHT // 2)
    yield _text(16, TOP + PLOT_HEIGHT // 2, "CPU µs per update", "text", turned)
    way = " ".join("%.1f,%.1f" % place for place in places)
    yield '<polyline class="curve" points="%s" fill="none" stroke="#0b6e7f" %s/>' % (
        way,
        'stroke-width="2.5" stroke-linejoin="round"',
    )
    before = places[:1] + places[:-1]
    for (count, cost), (x, y), (_x, y_before) in zip(panel.points, places, before):
        yield '<circle class="point" cx="%.1f" cy="%.1f" r="4.5" fill="#0b6e7f">' % (x, y)
        words = "{:,} {}: {:.2f} µs per update".format(count, panel.unit, cost)
        yield "<title>%s</title></circle>" % escape(words)
        # Beside a curve that falls steeply to this point, not on it.
        yield _text(x + (16 if y - y_before > 40 else 0), y - 11, "%.1f" % cost, "text")


def _across(count: int, counts: Sequence[int]) -> float:
    """Horizontal place of *count* between the least and the largest of *counts*."""
    first, last = math.log10(min(counts)), math.log10(max(counts))
    part = (math.log10(count) - first) / (last - first) if last > first else 0.5
    return LEFT + INSET + (PLOT_WIDTH - 2 * INSET) * part


def _line(kind: str, colour: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return '<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>' % (
        *(kind, x1, y1, x2, y2, colour),
    )


def _text(x: float, y: float, words: str, kind: str, more: str = "", anchor: str = "middle") -> str:
    return '<text class="%s" x="%.1f" y="%.1f" text-anchor="%s" fill="%s" %s>%s</text>' % (
        *(kind, x, y, anchor, "#16232b" if kind == "text" else "#566772", more, escape(words)),
    )
