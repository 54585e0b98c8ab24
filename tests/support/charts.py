"""Finds the curves of a chart of the page by the pixels of its canvas."""

from typing import Any, Dict, List

import pytest

from .page import Page

_SCRIPT = """
const [curves, ready] = arguments;
Promise.all([import("/chart.js"), import("/strips.js")]).then(async ([{ Chart }, { look }]) => {
  const element = document.createElement("div");
  element.className = "chart";
  element.style.cssText = "width: 600px; height: 300px; position: fixed; top: 0; background: white";
  document.body.append(element);
  const chart = new Chart(element, { onMove() {}, onReset() {} });
  await chart.ready;
  chart.show(curves.map((curve, n) => (
    { ...look(curve.dashed ? 1 : 0), name: "c" + n, unit: "", stepped: true, ...curve })),
  { from: 0, to: 100 });
  await new Promise((drawn) => { requestAnimationFrame(() => requestAnimationFrame(drawn)); });
  const found = curves.map(() => new Set());
  for (const canvas of element.querySelectorAll("canvas")) {
    const { width, height } = canvas;
    const [over, whole] = [canvas.parentElement.querySelector(".u-over"), canvas].map(
      (part) => part.getBoundingClientRect());
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const at = (x) => Math.round(
      (x * whole.width / width - over.left + whole.left) / over.width * 1000) / 10;
    curves.forEach(({ colour }, n) => {
      const ink = [1, 3, 5].map((digit) => parseInt(colour.slice(digit, digit + 2), 16));
      for (let pixel = 0; pixel < data.length; pixel += 4) {
        const differs = (part, k) => Math.abs(data[pixel + k] - part) >= 90;
        if (data[pixel + 3] <= 100 || ink.some(differs)) continue;
        found[n].add(at(pixel / 4 % width));
      }
    });
  }
  element.remove();
  ready(window.uPlot ? found.map((times) => Array.from(times)) : null);
});
"""


def inked(page: Page, *curves: Dict[str, Any]) -> List[List[float]]:
    """The times (s), from 0 to 100, at which each of *curves* is drawn.  They have ``colour``,
    ``times`` and ``values``, and may be ``dashed`` or of a ``unit``."""
    found: List[List[float]] = page.browser.execute_async_script(_SCRIPT, curves)
    if found is None:
        pytest.skip("not run: needs uPlot")
    return found


def is_inked(times: List[float], at: float) -> bool:
    return any(abs(time - at) < 0.2 for time in times)
