// The trend: what some variables have been since the page looked, and before that what the OPC UA
// server remembers, while it goes on.

import { Chart, after, colour } from "./chart.js";
import { clock, isPlottable, quality, unitOf, valueText } from "./format.js";

const KEPT_S = 3600; // the longest span of the page
const KEPT = 40000; // points of one variable
const MOST = 6; // variables, as there are colours
const DRAW_MS = 200;
const ROWS = 200; // of the table of changes
const REMEMBERED = 5000; // values asked for of the past

/** One variable's points, times in seconds since 1970, rising. */
class Line {
  constructor(name, place) {
    this.name = name;
    this.place = place; // of its colour
    this.times = [];
    this.values = [];
    this.changes = []; // DataValues, newest last
    this.filled = false; // with what was before
  }

  add(data) {
    this.changes.push(data);
    if (this.changes.length > ROWS) this.changes.shift();
    const value = number(data);
    if (value === undefined) return;
    const last = this.times.length ? this.times[this.times.length - 1] : -Infinity;
    // A plant's clock that goes wrong must not turn the line back.
    const time = Math.max(last, data.time ? data.time / 1000 : Date.now() / 1000);
    this.times.push(time);
    this.values.push(value);
    if (this.times.length > KEPT || this.times[0] < time - 2 * KEPT_S) {
      const old = Math.max(after(this.times, time - KEPT_S) - 1, this.times.length - KEPT);
      this.times.splice(0, old);
      this.values.splice(0, old);
    }
  }

  /** Put what was before in front. */
  fill(past) {
    const first = this.times.length ? this.times[0] : Infinity;
    const fit = past.filter((data) => data.time && data.time / 1000 < first);
    const points = fit.map(number);
    const good = points.map((value) => value !== undefined);
    this.times.unshift(...fit.map((data) => data.time / 1000).filter((_time, n) => good[n]));
    this.values.unshift(...points.filter((_value, n) => good[n]));
    const oldest = this.changes.length ? this.changes[0].time : Infinity;
    this.changes.unshift(...fit.filter((data) => data.time < oldest).slice(-ROWS));
    this.changes.splice(0, this.changes.length - ROWS);
  }

  /** For the chart, with the present value up to *now* (s; null if it may be another by now). */
  series(info, now) {
    const times = this.times.slice();
    const values = this.values.slice();
    if (times.length && now !== null && now > times[times.length - 1]) {
      times.push(now);
      values.push(values[values.length - 1]);
    }
    const unit = unitOf(info) || (info.Type === "Boolean" || info.EnumStrings ? "state" : "");
    return { name: this.name, unit, colour: colour(this.place), stepped: true, times, values };
  }
}

/** What a chart shows of a value: null is a gap, undefined nothing at all. */
export function number(data) {
  if (data.severity === "bad" || data.value === null) return null;
  if (typeof data.value === "boolean") return data.value ? 1 : 0;
  if (typeof data.value === "bigint") return Number(data.value);
  if (typeof data.value !== "number") return undefined;
  // What is beyond has no place beside anything, and no axis has marks for it.
  return Math.abs(data.value) < 1e30 ? data.value : null;
}

export class Trend {
  /** *panel*: the element.  *page*: what it needs of the rest: variables, client, me, connected,
   * onSelect(name), onPins(). */
  constructor(panel, page) {
    this.page = page;
    this.panel = panel;
    this.by = (id) => panel.querySelector("#trend-" + id);
    this.lines = new Map();
    this.pins = [];
    this.selected = null;
    this.monitor = null;
    this.live = true;
    this.pointed = null; // the time under the pointer
    this.chart = new Chart(this.by("chart"), {
      onMove: () => this.setLive(false),
      onReset: () => this.setLive(true),
      onPoint: (time) => {
        this.pointed = time;
        this.drawSeries();
      },
    });
    this.by("span").addEventListener("change", () => this.setLive(true));
    this.by("live").addEventListener("click", () => this.setLive(!this.live));
    this.by("table").addEventListener("toggle", () => this.drawTable());
    panel.addEventListener("click", (event) => {
      const move = event.target.closest("[data-move]");
      const act = move && {
        left: () => this.chart.move(-0.5), right: () => this.chart.move(0.5),
        in: () => this.chart.zoom(0.5), out: () => this.chart.zoom(2),
      }[move.dataset.move];
      if (act) act();
    });
    setInterval(() => { if (this.live) this.draw(); }, DRAW_MS);
  }

  get names() {
    const all = this.selected === null ? [] : [this.selected];
    return all.concat(this.pins.filter((name) => name !== this.selected));
  }

  /** A new connection: what is monitored is declared anew, what was seen stays. */
  connect(client) {
    this.monitor = client.monitor([], {}, (data) => {
      const line = this.lines.get(data.variable);
      if (line) line.add(data);
      this.page.onUpdate(data);
    });
    this.watch();
  }

  select(name) {
    this.selected = name;
    this.watch();
  }

  isPinned(name) {
    return this.pins.includes(name);
  }

  /** Keep *name*, or no longer; false if there are as many as fit. */
  pin(name, keep) {
    if (!keep) this.pins = this.pins.filter((one) => one !== name);
    else if (this.pins.length >= MOST) return false;
    else if (!this.isPinned(name)) this.pins = this.pins.concat(name);
    this.watch();
    return true;
  }

  clear() {
    this.lines.clear();
    this.pins = [];
    this.selected = null;
  }

  watch() {
    const names = this.names;
    this.lines.forEach((_line, name) => {
      if (!names.includes(name)) this.lines.delete(name);
    });
    names.forEach((name) => {
      if (!this.lines.has(name)) this.lines.set(name, new Line(name, this.freePlace()));
      this.fill(this.lines.get(name));
    });
    if (this.monitor) this.monitor.set(names);
    this.draw();
  }

  freePlace() {
    const taken = new Set(Array.from(this.lines.values(), (line) => line.place));
    let place = 0;
    while (taken.has(place)) place += 1;
    return place;
  }

  /** Ask for what was before, once it is known that there may be something. */
  async fill(line) {
    const { client, me, info } = this.page;
    const known = info(line.name);
    if (line.filled || !client() || !me().History || !known.Historizing) return;
    line.filled = true;
    try {
      // Backwards: of more than fits the newest.
      const { values } = await client().history(line.name, {
        start: new Date(), end: new Date(Date.now() - KEPT_S * 1000), maxValues: REMEMBERED,
      });
      line.fill(values.reverse());
      this.draw();
    } catch (error) {
      // A trend without its past is still one; the tab History says what is wrong.
    }
  }

  setLive(live) {
    if (live === this.live && !live) return;
    this.live = live;
    this.by("live").setAttribute("aria-pressed", String(live));
    this.by("live").textContent = live ? "Live" : "Back to live";
    this.draw();
  }

  draw() {
    if (!this.panel.offsetParent) return;
    const now = Date.now() / 1000;
    const { connected } = this.page;
    const shown = this.names.filter((name) => isPlottable(this.page.info(name)));
    const series = shown.map((name) => this.lines.get(name).series(
      this.page.info(name), connected(name) ? now : null));
    // The plant's clock may be ahead of this device's.
    const latest = series.reduce(
      (most, one) => Math.max(most, one.times[one.times.length - 1] || 0), now);
    const range = this.live
      ? { from: latest - Number(this.by("span").value), to: latest } : this.chart.range;
    this.by("chart").hidden = !shown.length;
    this.chart.show(series, range);
    const plottable = this.selected === null || shown.includes(this.selected);
    const info = this.selected === null ? {} : this.page.info(this.selected);
    this.by("note").hidden = plottable || !info.Type;
    this.by("note").textContent = this.selected + " is no number that a chart could show (" +
      info.Type + (info.IsArray ? ", an array" : "") + "); its changes are below.";
    if (!plottable && info.Type && this.opened !== this.selected) {
      this.opened = this.selected;
      this.by("table").open = true;
    }
    this.drawSeries();
    this.drawTable();
  }

  drawSeries() {
    const list = this.by("series");
    const names = this.names.filter((name) => isPlottable(this.page.info(name)));
    const shape = names.map((name) => name + (this.isPinned(name) ? "1" : "0")).join("\n");
    if (list.dataset.shape !== shape) {
      list.dataset.shape = shape;
      list.textContent = "";
      names.forEach((name) => list.appendChild(this.chip(name)));
    }
    const said = [];
    Array.from(list.children).forEach((item, n) => {
      const line = this.lines.get(names[n]);
      const info = this.page.info(names[n]);
      const place = this.pointed === null
        ? line.times.length - 1 : after(line.times, this.pointed) - 1;
      const value = line.values[place];
      const words = value === undefined || value === null ? "–"
        : (info.Type === "Boolean" ? String(Boolean(value)) : valueText(value, info)) +
          (unitOf(info) ? " " + unitOf(info) : "");
      item.querySelector(".swatch").style.background = colour(line.place);
      item.querySelector(".at").textContent = words;
      said.push(names[n] + " " + words);
    });
    this.by("chart").dataset.points = names.map(
      (name) => this.lines.get(name).times.length).join(" ");
    const at = this.pointed === null ? "" : " at " + clock(new Date(this.pointed * 1000));
    this.chart.describe("Trend" + at + ": " + said.join(", "));
  }

  chip(name) {
    const item = document.createElement("li");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.textContent = name;
    button.addEventListener("click", () => this.page.onSelect(name));
    const at = document.createElement("span");
    at.className = "at";
    item.append(swatch, button, at);
    if (this.isPinned(name)) {
      const away = document.createElement("button");
      away.type = "button";
      away.className = "icon small";
      away.textContent = "✕";
      away.setAttribute("aria-label", "Take " + name + " out of the trend");
      away.addEventListener("click", () => {
        this.pin(name, false);
        this.page.onPins();
      });
      item.appendChild(away);
    }
    return item;
  }

  drawTable() {
    if (!this.by("table").open || this.selected === null) return;
    const { changes } = this.lines.get(this.selected);
    const newest = changes[changes.length - 1];
    if (this.tabled === newest) return;
    this.tabled = newest;
    fillTable(this.by("table").querySelector("tbody"), changes.slice().reverse(),
      this.page.info(this.selected), (time) => clock(time, 3));
  }
}

/** Rows of time, value and quality. */
export function fillTable(body, values, info, timeText) {
  const rows = document.createDocumentFragment();
  for (const data of values) {
    const row = document.createElement("tr");
    const { kind, text } = quality(data);
    for (const [content, name] of [
      [data.time ? timeText(data.time) : "", "time"],
      [valueText(data.value, info), "value"], [text, "quality " + kind],
    ]) {
      const cell = document.createElement("td");
      cell.className = name;
      cell.textContent = content;
      row.appendChild(cell);
    }
    rows.appendChild(row);
  }
  body.textContent = "";
  body.appendChild(rows);
}
