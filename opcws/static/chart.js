// A chart of values over time: drawn by uPlot where it is packaged, as simple lines otherwise.
// Moving and zooming are here, so that both do it alike: drag or the arrow keys move, the wheel,
// two fingers, + and - zoom, a double click or Home goes back.

import { clock, day } from "./format.js";

const SHORTEST = 0.5; // s that a chart shows at least
const LONGEST = 10 * 366 * 86400;
const COLOURS = 6; // --line-1 ... in page.css

let library = null;

/** Load uPlot, once; a promise of it, or of null where it is not packaged. */
function uplot() {
  library = library || new Promise((resolve) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = "uplot.css";
    const script = document.createElement("script");
    script.src = "uplot.js";
    script.onload = () => resolve(window.uPlot || null);
    script.onerror = () => resolve(null);
    document.head.append(style, script);
  });
  return library;
}

/** The colour of the series in this place. */
export function colour(place) {
  const style = getComputedStyle(document.documentElement);
  return style.getPropertyValue("--line-" + (place % COLOURS + 1)).trim();
}

export class Chart {
  /**
   * In *element*.  *onMove*({from, to}) when a person moved or zoomed, in seconds since 1970;
   * *onReset*() when one wants to go back; *onPoint*(time or null) where the pointer is.
   */
  constructor(element, { onMove, onReset, onPoint }) {
    this.element = element;
    this.onMove = onMove;
    this.onReset = onReset;
    this.onPoint = onPoint || (() => {});
    this.series = [];
    this.range = { from: 0, to: 1 };
    this.drawing = null;
    this.simple = false;
    element.tabIndex = 0;
    element.setAttribute("role", "img");
    this.listen();
    this.ready = uplot().then((library) => {
      this.simple = !library;
      this.drawing = library ? new Fine(library, this) : new Simple(this);
      element.dataset.drawnBy = library ? "uplot" : "opcws";
      new ResizeObserver(() => this.draw()).observe(element);
      this.draw();
    });
  }

  /** *series*: [{name, unit, colour, stepped, times (s, rising), values (number or null)}]. */
  show(series, range) {
    this.series = series;
    this.range = range;
    this.draw();
  }

  /** What a screen reader says of it. */
  describe(text) {
    this.element.setAttribute("aria-label", text);
  }

  draw() {
    const width = this.element.clientWidth;
    const height = this.element.clientHeight;
    if (this.drawing && width) this.drawing.draw(this.series, this.range, width, height);
  }

  /** Colours have changed. */
  restyle() {
    if (this.drawing) this.drawing.restyle();
    this.draw();
  }

  // --- moving and zooming

  move(share) {
    const { from, to } = this.range;
    this.go(from + share * (to - from), to + share * (to - from));
  }

  zoom(factor, place = 0.5) {
    const { from, to } = this.range;
    const span = Math.max(SHORTEST, Math.min(LONGEST, (to - from) * factor));
    const fixed = from + place * (to - from);
    this.go(fixed - place * span, fixed + (1 - place) * span);
  }

  go(from, to) {
    this.range = { from, to };
    this.draw();
    this.onMove(this.range);
  }

  /** Where *x* (px, of the window) is in the range, 0 to 1 inside of it. */
  share(x) {
    const { left, width } = this.plot();
    return width ? (x - left) / width : 0;
  }

  plot() {
    const own = this.element.querySelector(".u-over, .plot");
    return (own || this.element).getBoundingClientRect();
  }

  listen() {
    const { element } = this;
    const fingers = new Map(); // pointer -> x
    let grip = null;
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.move(event.deltaX / 600);
      else this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.share(event.clientX));
    }, { passive: false });
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      fingers.set(event.pointerId, event.clientX);
      element.setPointerCapture(event.pointerId);
      grip = { ...this.range, fingers: new Map(fingers) };
    });
    element.addEventListener("pointermove", (event) => {
      const share = this.share(event.clientX);
      const { from, to } = this.range;
      this.onPoint(share >= 0 && share <= 1 ? from + share * (to - from) : null);
      if (!grip || !fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, event.clientX);
      const width = this.plot().width || 1;
      const span = grip.to - grip.from;
      const [now, before] = [fingers, grip.fingers].map((map) => Array.from(map.values()));
      if (now.length === 1) {
        const moved = (before[0] - now[0]) / width * span;
        if (Math.abs(now[0] - before[0]) > 2) this.go(grip.from + moved, grip.to + moved);
      } else {
        const apart = (xs) => Math.max(20, Math.abs(xs[0] - xs[1]));
        const middle = (xs) => this.share((xs[0] + xs[1]) / 2);
        const size = Math.max(SHORTEST, span * apart(before) / apart(now));
        const fixed = grip.from + middle(before) * span;
        this.go(fixed - middle(now) * size, fixed + (1 - middle(now)) * size);
      }
    });
    const release = (event) => {
      fingers.delete(event.pointerId);
      grip = fingers.size ? { ...this.range, fingers: new Map(fingers) } : null;
    };
    element.addEventListener("pointerup", release);
    element.addEventListener("pointercancel", release);
    element.addEventListener("pointerleave", () => this.onPoint(null));
    element.addEventListener("dblclick", () => this.onReset());
    element.addEventListener("keydown", (event) => {
      const act = {
        ArrowLeft: () => this.move(-0.2), ArrowRight: () => this.move(0.2),
        "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2),
        Home: () => this.onReset(),
      }[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      act();
      event.preventDefault();
    });
  }
}

const MOMENT_S = 0.0005;

/** What of a series is inside the range, and the nearest on both sides: each time once, no number
 * but finite ones, and a point just before a gap if the value holds until there. */
function inside({ times, values, stepped }, { from, to }) {
  const first = Math.max(0, after(times, from) - 1);
  const last = Math.min(times.length, after(times, to) + 1);
  const found = [[], []];
  const add = (time, value) => {
    found[0].push(time);
    found[1].push(value);
  };
  for (let n = first; n < last; n += 1) {
    const value = Number.isFinite(values[n]) ? values[n] : null;
    const time = times[n];
    if (found[0][found[0].length - 1] === time) found.forEach((part) => part.pop());
    const before = found[0].length - 1;
    if (stepped && value === null && before >= 0 && found[1][before] !== null &&
        time - MOMENT_S > found[0][before]) add(time - MOMENT_S, found[1][before]);
    add(time, value);
  }
  return found;
}

/** The place of the first time behind *time*. */
export function after(times, time) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Labels for points of time, as fine as *step* (s) asks for; a day's first moment is its date. */
function timeLabels(times, step) {
  return times.map((seconds) => {
    const time = new Date(seconds * 1000);
    if (step >= 86400 || (step >= 1 && time - new Date(time).setHours(0, 0, 0, 0) < 1)) {
      return day(time);
    }
    return clock(time, step >= 60 ? null : step >= 1 ? 0 : step >= 0.1 ? 1 : 2);
  });
}

/** Labels for values that are *step* apart, with the digits that tell them apart. */
export function valueLabels(values, step) {
  let places = 0;
  while (places < 12 && Math.abs(step - Number(step.toFixed(places))) > step * 1e-6) places += 1;
  return values.map((value) => (
    Math.abs(value) < 1e9 ? value.toFixed(places) : String(Number(value.toPrecision(9)))));
}

/** Distances between marks of time, in s. */
const STEPS = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
  ...[1, 2, 3, 6, 12, 24, 48, 7 * 24, 14 * 24, 30 * 24, 90 * 24, 365 * 24].map((h) => h * 3600),
];

// --- uPlot

const NULL_EXPAND = 2; // of uPlot's join()

class Fine {
  constructor(UPlot, chart) {
    this.UPlot = UPlot;
    this.chart = chart;
    this.plot = null;
    this.shape = "";
  }

  restyle() {
    this.shape = "";
  }

  draw(series, range, width, height) {
    const shape = JSON.stringify(series.map(
      (one) => [one.name, one.unit, one.colour, one.stepped, one.dots]));
    const parts = series.map((one) => inside(one, range));
    // What a series has no value for at the time of another is bridged; null is a gap, also at the
    // times of others.
    const modes = parts.map(() => [0, NULL_EXPAND]);
    const data = parts.length ? this.UPlot.join(parts, modes) : [[range.from, range.to]];
    if (shape !== this.shape || !this.plot) {
      this.make(series, range, data, width, height);
      this.shape = shape;
      return;
    }
    if (this.plot.width !== width) this.plot.setSize({ width, height });
    this.plot.batch(() => {
      this.plot.setData(data, false);
      // The scales of the values follow from a new one of the time.
      this.plot.setScale("x", { min: range.from, max: range.to });
    });
  }

  make(series, range, data, width, height) {
    if (this.plot) this.plot.destroy();
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--soft").trim();
    const grid = { stroke: style.getPropertyValue("--line").trim(), width: 1 };
    const font = "12px " + getComputedStyle(document.body).fontFamily;
    const units = Array.from(new Set(series.map((one) => one.unit)));
    const { stepped, linear } = this.UPlot.paths;
    const axes = [{
      stroke: ink, grid, ticks: grid, font,
      space: width < 420 ? 56 : 80, size: 34, incrs: STEPS,
      values: (_plot, splits, _axis, _space, step) => timeLabels(splits, step),
    }];
    const scales = { x: { time: true, auto: false, min: range.from, max: range.to } };
    units.forEach((unit, place) => {
      scales["y" + unit] = { range: (_plot, low, high) => padded(low, high) };
      if (place < 2) {
        axes.push({
          scale: "y" + unit, side: place ? 1 : 3, stroke: ink, font, ticks: grid,
          grid: place ? { show: false } : grid,
          label: unit || undefined, labelFont: font, labelSize: unit ? 18 : 0, labelGap: 0,
          values: (_plot, splits, _axis, _space, step) => valueLabels(splits, step),
          size: (_plot, values) => 18 + 7 * Math.max(2, ...(values || []).map((v) => v.length)),
        });
      }
    });
    this.plot = new this.UPlot({
      width, height, axes, scales, padding: [12, units.length > 1 ? 4 : 14, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
      series: [{}, ...series.map((one) => ({
        label: one.name, scale: "y" + one.unit, stroke: one.colour, width: 1.8,
        paths: one.stepped ? stepped({ align: 1 }) : linear(),
        points: { show: Boolean(one.dots), size: 5, fill: one.colour },
      }))],
    }, data, this.chart.element);
  }
}

/** A scale from *low* to *high* with a little room around.  Never so narrow, compared with its
 * numbers, that they lack the digits for marks in between: those would not come to an end. */
function padded(low, high) {
  if (low === null || low === undefined) return [0, 1];
  const size = Math.max(Math.abs(low), Math.abs(high));
  const room = high === low ? size * 0.05 || 1 : Math.max((high - low) * 0.08, size * 1e-10);
  return [low - room, high + room];
}

// --- without it

const SVG = "http://www.w3.org/2000/svg";

class Simple {
  constructor(chart) {
    this.chart = chart;
  }

  restyle() {}

  draw(series, range, width, height) {
    const [left, top, right, bottom] = [64, 12, 12, 28];
    const [w, h] = [Math.max(1, width - left - right), height - top - bottom];
    const svg = node("svg", { width, height });
    svg.appendChild(node("rect", { class: "plot", x: left, y: top, width: w, height: h }));
    const x = (time) => left + (time - range.from) / (range.to - range.from) * w;
    const marks = [0, 0.25, 0.5, 0.75, 1].map((part) => range.from + part * (range.to - range.from));
    const labels = timeLabels(marks, (range.to - range.from) / 4);
    marks.forEach((time, place) => {
      if (width < 420 && place % 2) return;
      const anchor = place === 0 ? "start" : place === 4 ? "end" : "middle";
      svg.appendChild(node("text", { x: x(time), y: height - 8, "text-anchor": anchor },
        labels[place]));
    });
    const units = Array.from(new Set(series.map((one) => one.unit)));
    units.forEach((unit, place) => {
      const mine = series.filter((one) => one.unit === unit).map((one) => inside(one, range));
      const all = [].concat(...mine.map((part) => part[1])).filter((v) => Number.isFinite(v));
      const [low, high] = padded(all.length ? all.reduce((a, b) => Math.min(a, b)) : null,
        all.length ? all.reduce((a, b) => Math.max(a, b)) : null);
      const y = (value) => top + (high - value) / (high - low) * h;
      if (!place) {
        [low, (low + high) / 2, high].forEach((value, n) => {
          svg.appendChild(node("text", { x: left - 6, y: y(value) + (n === 2 ? 10 : n ? 4 : 0),
            "text-anchor": "end" }, String(Number(value.toPrecision(4)))));
        });
        svg.appendChild(node("text", { x: left + 6, y: top + 14 }, unit));
      }
      series.filter((one) => one.unit === unit).forEach((one, n) => {
        const path = node("path", { d: line(mine[n], x, y, one.stepped, [left, left + w]) });
        path.setAttribute("stroke", one.colour);
        svg.appendChild(path);
      });
    });
    if (this.svg) this.svg.remove();
    this.svg = svg;
    this.chart.element.appendChild(svg);
  }
}

function line([times, values], x, y, stepped, [least, most]) {
  const at = (time) => Math.max(least, Math.min(most, x(time))).toFixed(1);
  let text = "";
  let pen = false;
  values.forEach((value, n) => {
    if (value === null || !Number.isFinite(value)) {
      if (pen && stepped) text += "H" + at(times[n]);
      pen = false;
      return;
    }
    if (!pen) text += "M" + at(times[n]) + " " + y(value).toFixed(1);
    else if (stepped) text += "H" + at(times[n]) + "V" + y(value).toFixed(1);
    else text += "L" + at(times[n]) + " " + y(value).toFixed(1);
    pen = true;
  });
  return text;
}

function node(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const key of Object.keys(attributes)) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  return made;
}
