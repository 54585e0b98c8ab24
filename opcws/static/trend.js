// The trend: the values of some variables since the page was opened, and before that those that
// opcws or the OPC UA server has recorded; it goes on growing.

import { Chart, badge, chooseSpan, sample, showBusy } from "./chart.js";
import { Curves } from "./curves.js";
import {
  boolText, clock, clockOf, dataText, exactText, isPlottable, quality, qualityText, timeTitle, unitOf,
  valueText,
} from "./format.js";
import { after, look } from "./strips.js";
import { t } from "./texts.js";
import { SPAN_S } from "./view.js";

const MOST = 12; // variables
const DRAW_MS = 200;

export class Trend {
  /** *panel*: the element.  *page*: client, me, info(name), onSelect(name), onPins(),
   * onUpdate(data). */
  constructor(panel, page) {
    this.page = page;
    this.panel = panel;
    this.by = (id) => panel.querySelector("#trend-" + id);
    this.curves = new Curves({
      ...page, onPast: () => this.draw(),
      onBusy: (busy) => showBusy(this.by("chart"), busy),
    });
    this.pins = [];
    this.selected = null;
    this.live = true;
    this.pointed = null; // the time under the pointer
    this.chart = new Chart(this.by("chart"), {
      until: () => this.curves.until(),
      onMove: () => {
        if (this.live) this.setLive(false);
        else this.drawSoon();
      },
      onReset: () => this.setLive(true),
      onPoint: (time) => {
        this.pointed = time;
        this.drawSeries();
      },
    });
    chooseSpan(this.by("span"), SPAN_S);
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
    setInterval(() => { if (this.live && this.chart.isDue) this.draw(); }, DRAW_MS);
  }

  get names() {
    const all = this.selected === null ? [] : [this.selected];
    return all.concat(this.pins.filter((name) => name !== this.selected));
  }

  connect(client) {
    this.curves.connect(client);
    this.watch();
  }

  lose() {
    this.curves.lose();
  }

  select(name) {
    this.selected = name;
    this.watch();
  }

  isPinned(name) {
    return this.pins.includes(name);
  }

  /** Put *name* into the trend, or remove it; false if the trend is full. */
  pin(name, keep) {
    if (!keep) this.pins = this.pins.filter((one) => one !== name);
    else if (this.pins.length >= MOST) return false;
    else if (!this.isPinned(name)) this.pins = this.pins.concat(name);
    this.watch();
    return true;
  }

  clear() {
    this.curves.clear();
    this.pins = [];
    this.selected = null;
  }

  watch() {
    this.curves.set(this.names);
    this.draw();
  }

  /** The lines that a chart can show. */
  shown() {
    return this.names.filter((name) => isPlottable(this.page.info(name)))
      .map((name) => this.curves.lines.get(name));
  }

  drawSoon() {
    this.drawing = this.drawing || requestAnimationFrame(() => {
      this.drawing = 0;
      this.draw();
    });
  }

  setLive(live) {
    if (live === this.live && !live) return;
    this.live = live;
    this.by("live").setAttribute("aria-pressed", String(live));
    this.by("live").textContent = live ? t("Live") : t("Back to live");
    this.draw();
  }

  draw() {
    if (!this.panel.offsetParent) return;
    const shown = this.shown();
    const latest = this.curves.until();
    const range = this.live
      ? { from: latest - Number(this.by("span").value), to: latest } : this.chart.range;
    const series = shown.map((line) => this.curves.series(line.name, range.from));
    this.by("chart").hidden = !shown.length;
    const { dataset } = this.by("chart");
    dataset.begins = series.map(({ times }) => times[0]).join(" ");
    dataset.ends = series.map(({ times }) => times[times.length - 1]).join(" ");
    this.chart.show(series, range);
    this.curves.seek(range, shown);
    const plottable = this.selected === null || shown.includes(this.curves.lines.get(this.selected));
    const info = this.selected === null ? {} : this.page.info(this.selected);
    this.by("note").hidden = plottable || !info.Type;
    this.by("note").textContent = t("{name} is no number that a chart could show ({type}); its changes are below.", {
      name: this.selected, type: info.Type + (info.IsArray ? ", " + t("an array") : ""),
    });
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
      const line = this.curves.lines.get(names[n]);
      const info = this.page.info(names[n]);
      const at = this.pointed === null ? Infinity : this.pointed;
      const [times, values] = at < line.begin ? line.points(at) : [line.times, line.values];
      const known = line.lost === null || at < Math.max(line.lost, line.last);
      const value = known ? values[after(times, at) - 1] : null;
      const words = value === undefined || value === null ? "–"
        : (info.Type === "Boolean" ? boolText(value) : valueText(value, info)) +
          (unitOf(info) ? " " + unitOf(info) : "");
      const style = look(line.place);
      const drawn = JSON.stringify(style);
      if (item.dataset.look !== drawn) {
        item.dataset.look = drawn;
        item.firstChild.textContent = "";
        item.firstChild.append(badge(style), sample(style));
      }
      item.querySelector(".at").textContent = words;
      said.push(names[n] + " " + words);
    });
    const counted = (count) => names.map(
      (name) => count(this.curves.lines.get(name).values)).join(" ");
    this.by("chart").dataset.points = counted((values) => values.length);
    this.by("chart").dataset.gaps = counted(
      (values) => values.reduce((sum, value) => sum + (value === null), 0));
    const values = said.join(", ");
    this.chart.describe(this.pointed === null ? t("Trend: {values}", { values })
      : t("Trend at {time}: {values}", { time: clockOf(new Date(this.pointed * 1000)), values }));
  }

  chip(name) {
    const item = document.createElement("li");
    const swatch = document.createElement("span"); // its content may change
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
      away.setAttribute("aria-label", t("Take {name} out of the trend", { name }));
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
    const { changes } = this.curves.lines.get(this.selected);
    const newest = changes[changes.length - 1];
    // When recorded values are inserted, changes is another array.
    if (this.tabled === changes && this.newest === newest) return;
    this.tabled = changes;
    this.newest = newest;
    fillTable(this.by("table").querySelector("tbody"), changes.slice().reverse(),
      this.page.info(this.selected), (time) => clock(time, 3));
  }
}

/** Rows of time, value and quality. */
export function fillTable(body, values, info, timeText) {
  const rows = document.createDocumentFragment();
  for (const data of values) {
    const row = document.createElement("tr");
    const is = quality(data);
    for (const [content, name, title] of [
      [data.time ? timeText(data.time) : "", "time", timeTitle(data)],
      [dataText(data, info), "value", exactText(data.value, info)],
      [qualityText(is), "quality " + is.kind, is.title],
    ]) {
      const cell = document.createElement("td");
      cell.className = name;
      cell.textContent = content;
      cell.title = title;
      row.appendChild(cell);
    }
    rows.appendChild(row);
  }
  body.textContent = "";
  body.appendChild(rows);
}
