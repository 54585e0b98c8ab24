// A chart of values over time, in strips: uPlot draws it if it is packaged, otherwise simple lines
// do.
// Moving and zooming are here, so that they work alike for both: drag or the arrow keys move, the
// wheel, two fingers, + and - zoom, a double click or Home goes back.

import { clock, day, isMidnight, otherZone, zoneText } from "./format.js";
import { Ruler } from "./ruler.js";
import { LETTER, MARGIN, RIGHT, TIMES, arrange, endsOf, stripsOf } from "./strips.js";
import { t } from "./texts.js";

export { valueLabels } from "./strips.js";

const SHORTEST = 0.5; // s, the least range of a chart
const LONGEST = 10 * 366 * 86400;
const STILL_MS = 500; // longest time without drawing while values come

let library = null;

/** Load uPlot, once; a promise of it, or of null if it is not packaged. */
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

/** Show at the chart in *element* whether it is loading history. */
export function showBusy(element, busy) {
  element.setAttribute("aria-busy", String(busy));
  element.dataset.busy = t("Loading …");
}

/** The number of a curve, in a frame of the curve's colour. */
export function badge({ mark, colour }) {
  const made = document.createElement("span");
  made.className = "mark";
  made.textContent = mark;
  made.style.borderColor = colour;
  return made;
}

/** A piece of a curve, for a legend. */
export function sample({ colour, dash }) {
  const svg = node("svg", { class: "swatch", width: 30, height: 6, "aria-hidden": true });
  svg.appendChild(node("path", {
    d: "M0 3H30", stroke: colour, "stroke-width": 2.4, "stroke-dasharray": dash.join(" "),
  }));
  return svg;
}

/** Choose *span* (s), or nothing, in *list*, the choice of ranges. */
export function chooseSpan(list, span) {
  if (list.options.length < 2) list.append(document.getElementById("spans").content.cloneNode(true));
  list.value = span;
  if (span && list.selectedIndex < 0) list.add(new Option(span + " s", span, true, true));
}

export class Chart {
  /**
   * A chart in *element*.  *until*() returns the end (s since 1970) of what can be shown.
   * *onMove*({from, to}) is called when a person moved or zoomed, and must draw; *onReset*() to go
   * back; *onPoint*(time or null) when the pointer moves.
   */
  constructor(element, { until, onMove, onReset, onPoint }) {
    this.element = element;
    this.until = until || (() => Infinity);
    this.onMove = onMove;
    this.onReset = onReset;
    this.onPoint = onPoint || (() => {});
    this.series = [];
    this.range = { from: 0, to: 1 };
    this.size = { width: 0, height: 0 }; // kept, because asking for it would cost a layout
    this.drawn = 0; // time of the last drawing (ms)
    this.Drawing = null;
    this.strips = [];
    this.cursor = document.createElement("div");
    this.cursor.className = "cursor";
    this.cursor.hidden = true;
    this.zone = document.createElement("div");
    this.zone.className = "zone";
    element.append(this.cursor, this.zone);
    element.tabIndex = 0;
    element.setAttribute("role", "img");
    this.listen();
    this.ready = uplot().then((library) => {
      this.Drawing = library ? Fine : Simple;
      element.dataset.drawnBy = library ? "uplot" : "opcws";
      const measure = () => {
        this.size = { width: element.clientWidth, height: element.clientHeight };
        this.draw();
      };
      new ResizeObserver(measure).observe(element);
      measure();
    });
  }

  /** Draw *series*: [{name, unit, levels ([{value, name}] if they are named), colour, dash, mark,
   * stepped, dots, times (s, rising), values (number or null)}]. */
  show(series, range) {
    this.series = series;
    this.range = range;
    this.draw();
  }

  /** Set the text for screen readers. */
  describe(text) {
    this.element.setAttribute("aria-label", text);
  }

  draw() {
    const { element, range, size } = this;
    const { width } = size;
    if (!this.Drawing || !width) return;
    this.drawn = Date.now();
    const strips = stripsOf(this.series, range, width);
    const least = arrange(strips, width, size.height) + "px";
    if (element.style.minHeight !== least) {
      element.style.minHeight = least;
      size.height = element.clientHeight;
      arrange(strips, width, size.height);
    }
    Object.assign(element.dataset, range);
    this.zone.textContent = zoneText(new Date(range.to * 1000));
    while (this.strips.length > strips.length) this.strips.pop().remove();
    strips.forEach((strip, n) => {
      if (n === this.strips.length) this.strips.push(new Strip(element, this.Drawing));
      this.strips[n].draw(strip, range, width, n === strips.length - 1);
    });
  }

  /** Whether the chart must move by a pixel, or was not drawn for STILL_MS. */
  get isDue() {
    const pixel = 1000 * this.span / (this.size.width || 1);
    return Date.now() - this.drawn >= Math.min(pixel, STILL_MS);
  }

  /** Draw again, because colours have changed. */
  restyle() {
    this.strips.forEach((strip) => strip.drawing.restyle());
    this.draw();
  }

  remove() {
    this.strips.forEach((strip) => strip.remove());
    this.element.remove();
  }

  // --- moving and zooming

  move(share) {
    const { from, to } = this.range;
    this.go(from + share * (to - from), to + share * (to - from));
  }

  get span() {
    return this.range.to - this.range.from;
  }

  /** Zoom around *place* (0 to 1) in the range; a range that ends with the present keeps its end. */
  zoom(factor, place = this.until() - this.range.to < 0.02 * this.span ? 1 : 0.5) {
    const { from, to } = this.range;
    const span = Math.max(SHORTEST, Math.min(LONGEST, (to - from) * factor));
    const fixed = from + place * (to - from);
    this.go(fixed - place * span, fixed + (1 - place) * span);
  }

  /** Show this range; it is moved back if it ends in the future. */
  go(from, to) {
    const over = Math.max(0, to - this.until());
    this.range = { from: from - over, to: to - over };
    this.onMove(this.range);
  }

  /** The pointer is at *time*, or nowhere (null). */
  point(time) {
    this.mark(time);
    this.onPoint(time);
  }

  /** Draw a line through all strips at *time*, or none (null). */
  mark(time) {
    const { from, to } = this.range;
    this.cursor.hidden = time === null || time < from || time > to;
    if (this.cursor.hidden) return;
    const { left, width } = this.plot();
    const own = left - this.element.getBoundingClientRect().left;
    this.cursor.style.left = own + (time - from) / (to - from) * width + "px";
  }

  /** Place of *x* (px, of the window) in the range: 0 to 1 if it is inside. */
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
      this.point(share >= 0 && share <= 1 ? from + share * (to - from) : null);
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
        const size = Math.max(SHORTEST, Math.min(LONGEST, span * apart(before) / apart(now)));
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
    element.addEventListener("pointerleave", () => this.point(null));
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

/** Labels for *times*, as fine as *step* (s) needs; the first moment of a day gets its date. */
function timeLabels(times, step) {
  return times.map((seconds) => {
    const time = new Date(seconds * 1000);
    return step >= 86400 || (step >= 1 && isMidnight(time)) ? day(time) : clock(time, placesOf(step));
  });
}

const placesOf = (step) => (step >= 60 ? null : step >= 1 ? 0 : step >= 0.1 ? 1 : 2);

/** Possible distances between marks of time, in s. */
const STEPS = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
  ...[1, 2, 3, 6, 12, 24, 48, 7 * 24, 14 * 24, 30 * 24, 90 * 24, 365 * 24].map((h) => h * 3600),
];

/** A part of a chart with its own axis: a title, the numbers of the curves, and the drawing. */
class Strip {
  constructor(parent, Drawing) {
    this.element = document.createElement("div");
    this.element.className = "strip";
    this.title = document.createElement("div");
    this.title.className = "title";
    this.ends = document.createElement("div");
    this.ends.className = "ends";
    this.element.append(this.title, this.ends);
    parent.append(this.element);
    this.drawing = new Drawing(this.element);
  }

  remove() {
    this.element.remove();
    this.drawing.remove();
  }

  draw(strip, range, width, last) {
    this.title.style.height = strip.head + "px";
    this.element.dataset.labels = strip.labels.join("|");
    const ends = endsOf(strip, range, width);
    const shape = [strip.title, ...ends.map(({ mark, colour }) => mark + colour)].join();
    if (this.shape !== shape) {
      this.shape = shape;
      this.title.textContent = strip.title || "";
      this.ends.textContent = "";
      this.ends.append(...ends.map(badge));
    }
    ends.forEach((end, n) => {
      this.ends.children[n].style.transform =
        "translate(" + Math.round(end.x) + "px, " + Math.round(end.y) + "px)";
    });
    this.drawing.draw(strip, range, width, strip.body + (last ? TIMES : 0), last);
  }
}

// --- uPlot

const BETWEEN = 6; // px between labels of time
const NULL_EXPAND = 2; // of uPlot's join()

class Fine {
  constructor(element) {
    this.element = element;
    this.ruler = new Ruler(element.firstChild);
    this.plot = null;
    this.shape = "";
  }

  restyle() {
    this.shape = "";
  }

  remove() {
    if (this.plot) this.plot.destroy();
  }

  draw(strip, range, width, height, last) {
    this.strip = strip;
    const shape = JSON.stringify([last, strip.left, ...strip.curves.map(
      (one) => [one.name, one.colour, one.dash, one.stepped, one.dots])]);
    const parts = strip.curves.map(({ points }) => points);
    // A series without a value at another one's time is drawn through; null is a gap, also at the
    // times of others.
    const data = window.uPlot.join(parts, parts.map(() => [0, NULL_EXPAND]));
    if (shape !== this.shape) {
      this.make(range, data, width, height, last);
      this.shape = shape;
      return;
    }
    if (this.plot.width !== width || this.plot.height !== height) {
      this.plot.setSize({ width, height });
    }
    this.plot.batch(() => {
      this.plot.setData(data, false);
      this.plot.setScale("x", { min: range.from, max: range.to });
      this.plot.setScale("y", { min: strip.low, max: strip.high });
    });
  }

  /** Distances between marks of time that leave room for their labels. */
  steps(from, to, room) {
    const end = new Date(to * 1000);
    const date = this.ruler.width(day(end));
    const least = day(new Date(from * 1000)) === day(end) ? 0 : date;
    const clocks = new Map([null, 0, 1, 2].map(
      (places) => [places, this.ruler.width(clock(end, places))]));
    return STEPS.filter((step) => step / (to - from) * room > BETWEEN +
      Math.max(least, step < 86400 ? clocks.get(placesOf(step)) : date));
  }

  /** *labels* at these *times*; those that the edge would cut off are empty. */
  whole(labels, times, { width, scales: { x: { min, max } } }) {
    const room = width - this.strip.left - RIGHT;
    return labels.map((label, n) => (
      (times[n] - min) / (max - min) * room + this.ruler.width(label) / 2 < room + RIGHT ? label : ""));
  }

  make(range, data, width, height, last) {
    this.remove();
    const style = getComputedStyle(this.element);
    const ink = style.getPropertyValue("--soft").trim();
    const grid = { stroke: style.getPropertyValue("--line").trim(), width: 1 };
    const font = "12px " + getComputedStyle(document.body).fontFamily;
    const { stepped, linear } = window.uPlot.paths;
    const axes = [{
      stroke: ink, grid, ticks: last ? grid : { show: false }, font,
      space: width < 420 ? 56 : 80, size: last ? TIMES - MARGIN : 0,
      incrs: (_plot, _axis, from, to, room) => this.steps(from, to, room),
      values: (plot, splits, _axis, _space, step) => (
        last ? this.whole(timeLabels(splits, step), splits, plot) : splits.map(() => "")),
    }, {
      scale: "y", stroke: ink, grid, ticks: grid, font, size: this.strip.left,
      splits: () => this.strip.marks, values: () => this.strip.labels,
    }];
    this.plot = new window.uPlot({
      ...(otherZone
        ? { tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), otherZone) } : {}),
      width, height, axes, padding: [MARGIN, RIGHT, MARGIN, 0],
      scales: {
        x: { time: true, auto: false, min: range.from, max: range.to },
        y: { auto: false, range: () => [this.strip.low, this.strip.high] },
      },
      legend: { show: false }, cursor: { show: false },
      series: [{}, ...this.strip.curves.map((one) => ({
        label: one.name, scale: "y", stroke: one.colour, width: 1.8, dash: one.dash,
        paths: one.stepped ? stepped({ align: 1 }) : linear(),
        points: { show: Boolean(one.dots), size: 5, fill: one.colour },
      }))],
    }, data, this.element);
  }
}

// --- without uPlot

const SVG = "http://www.w3.org/2000/svg";

class Simple {
  constructor(element) {
    this.element = element;
  }

  restyle() {}

  remove() {}

  draw(strip, range, width, height, last) {
    const { left, low, high } = strip;
    const [w, h] = [Math.max(1, width - left - RIGHT), strip.body - 2 * MARGIN];
    const svg = node("svg", { width, height });
    const x = (time) => left + (time - range.from) / (range.to - range.from) * w;
    const y = (value) => MARGIN + (high - value) / (high - low) * h;
    svg.appendChild(node("rect", { class: "plot", x: left, y: MARGIN, width: w, height: h }));
    strip.marks.forEach((value, n) => {
      svg.appendChild(node("line", {
        class: "grid", x1: left, x2: left + w, y1: y(value), y2: y(value),
      }));
      svg.appendChild(node("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" },
        strip.labels[n]));
    });
    const marks = last ? [0, 0.25, 0.5, 0.75, 1] : [];
    const times = marks.map((part) => range.from + part * (range.to - range.from));
    const labels = timeLabels(times, (range.to - range.from) / 4);
    const crowded = Math.max(...labels.map(({ length }) => length)) * LETTER * times.length > w;
    times.forEach((time, place) => {
      if (place % 2 && crowded) return;
      const anchor = place === 0 ? "start" : place === 4 ? "end" : "middle";
      svg.appendChild(node("text", { x: x(time), y: height - 8, "text-anchor": anchor },
        labels[place]));
    });
    strip.curves.forEach(({ points, stepped, colour, dash }) => {
      svg.appendChild(node("path", {
        d: line(points, x, y, stepped, [left, left + w]), stroke: colour,
        "stroke-dasharray": (dash || []).join(" "),
      }));
    });
    if (this.svg) this.svg.remove();
    this.svg = svg;
    this.element.appendChild(svg);
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
