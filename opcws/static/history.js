// The past of one variable: a range, raw or as an aggregate, as a chart and as a table.

import { Chart } from "./chart.js";
import { isPlottable, moment, quality, unitOf, exactText } from "./format.js";
import { look } from "./strips.js";
import { levelsOf, number } from "./curves.js";
import { fillTable } from "./trend.js";

const MOST = 50000; // values that are loaded
const PAGE = 5000;
const POINTS_OF_MORE = 10000; // values of a range that has more than are loaded
const ROWS = 500; // of the table
const POINTS = 300; // aggregated values that fit a chart
const STEPS_S = [0.1, 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800];

export class Past {
  /** *panel*: the form.  *page*: client, info(name), say(error). */
  constructor(panel, page) {
    this.panel = panel;
    this.page = page;
    this.by = (id) => panel.querySelector("#history-" + id);
    this.name = null;
    this.values = [];
    this.loading = null; // an AbortController
    this.chart = new Chart(this.by("chart"), {
      until: () => this.until(), onMove: () => this.chart.draw(), onReset: () => this.draw(true),
    });
    panel.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.loading) this.loading.abort();
      else this.load();
    });
    this.by("span").addEventListener("change", () => this.setTimes());
    this.by("aggregate").addEventListener("change", () => {
      this.by("step").hidden = !this.by("aggregate").value;
    });
    this.by("shown").addEventListener("click", () => {
      const { from, to } = this.chart.range;
      this.by("span").value = "";
      this.by("from").value = local(new Date(from * 1000));
      this.by("to").value = local(new Date(to * 1000 + 999));
      this.load();
    });
    this.by("save").addEventListener("click", () => this.save());
    this.setTimes();
  }

  select(name) {
    if (name === this.name) return;
    this.name = name;
    this.values = [];
    if (this.loading) this.loading.abort();
    this.say("");
    for (const id of ["chart", "more", "table"]) this.by(id).hidden = true;
    this.setTimes();
  }

  /** The present, or what was recorded last if the plant's clock is ahead (s). */
  until() {
    const [last] = this.values.slice(-1);
    return Math.max(Date.now() / 1000, (last && last.time / 1000) || 0);
  }

  setTimes() {
    const span = Number(this.by("span").value);
    this.by("times").hidden = Boolean(span);
    if (!span) return;
    const now = Date.now();
    this.by("from").value = local(new Date(now - span * 1000));
    this.by("to").value = local(new Date(now));
  }

  say(text, problem = false) {
    this.by("note").textContent = text;
    this.by("note").classList.toggle("problem", problem);
  }

  async load() {
    this.setTimes();
    const start = new Date(this.by("from").value);
    // "Last ..." goes up to this moment, not to its whole second.
    const end = this.by("span").value ? new Date() : new Date(this.by("to").value);
    const name = this.name;
    const client = this.page.client();
    if (Number.isNaN(start - end)) return this.say("Give both ends of the range.", true);
    if (start >= end) return this.say("The range ends before it begins.", true);
    if (!client) return this.say("There is no connection to opcws.", true);
    const options = { start, end, maxValues: PAGE, timeout: 60000 };
    const aggregate = this.by("aggregate").value;
    if (aggregate) {
      options.aggregate = aggregate;
      options.interval = 1000 * (Number(this.by("interval").value) || fitting(start, end));
    }
    const loading = new AbortController();
    this.loading = loading;
    this.by("load").textContent = "Stop";
    this.say("Loading …");
    const values = [];
    let stopped = "";
    try {
      let page = await client.history(name, { ...options, signal: loading.signal });
      for (;;) {
        for (const value of page.values) values.push(value);
        if (!page.next) break;
        if (values.length >= MOST) {
          stopped = ", the first of more; take a shorter range or an aggregate";
          const [whole] = aggregate ? [{ error: true }] : await client.historyOf([name], {
            start, end, maxPoints: POINTS_OF_MORE, timeout: 60000, signal: loading.signal,
          });
          if (!whole.error) {
            values.splice(0, values.length, ...whole.values);
            stopped = " of more than " + MOST + ", every peak and gap among them; " +
              "a shorter range has all";
          }
          break;
        }
        this.say("Loading … " + values.length + " values");
        page = await page.next({ timeout: 60000, signal: loading.signal });
      }
    } catch (error) {
      if (error.name !== "AbortError") {
        if (this.name === name) this.say(error.reason || error.message, true);
        return undefined;
      }
      stopped = ", then stopped";
    } finally {
      this.loading = null;
      this.by("load").textContent = "Load";
    }
    if (this.name !== name) return undefined;
    this.values = values;
    this.asked = { from: start / 1000, to: end / 1000, aggregate };
    this.say(values.length
      ? values.length + (values.length === 1 ? " value" : " values") + stopped +
        (values.length > ROWS ? ". The table has the newest " + ROWS + "." : "")
      : "There is nothing recorded in this range." + (stopped && " Stopped."));
    this.draw(true);
    return undefined;
  }

  draw(whole = false) {
    const info = this.page.info(this.name);
    const some = this.values.length > 0;
    const counted = this.asked && this.asked.aggregate === "Count";
    this.by("chart").hidden = !some || !(isPlottable(info) || counted);
    this.by("more").hidden = !some;
    this.by("table").hidden = !some;
    if (!some) return;
    const points = this.values.map((data) => [data.time / 1000, number(data)])
      .filter(([time, value]) => Number.isFinite(time) && value !== undefined);
    const { aggregate, from, to } = this.asked;
    const series = [{
      name: this.name, unit: counted ? "" : unitOf(info), ...look(0), mark: "",
      levels: aggregate ? null : levelsOf(info),
      stepped: !aggregate, dots: points.length < 60,
      times: points.map((point) => point[0]), values: points.map((point) => point[1]),
    }];
    // What was recorded last holds until the end, or until now.
    const until = Math.min(to, Date.now() / 1000);
    const [last, value] = points[points.length - 1] || [until];
    if (!aggregate && last < until) {
      series.push({ ...series[0], dots: false, times: [last, until], values: [value, value] });
    }
    const present = Math.min(to, this.until());
    this.chart.show(series, whole ? { from, to: present } : this.chart.range);
    this.chart.describe("History of " + this.name + ", " + this.values.length + " values from " +
      moment(new Date(from * 1000)) + " to " + moment(new Date(to * 1000)));
    fillTable(this.by("table").querySelector("tbody"),
      this.values.slice(-ROWS).reverse(), counted ? {} : info, (time) => moment(time, 3));
  }

  save() {
    const info = this.page.info(this.name);
    const lines = this.values.map((data) => [
      data.sourceTimestamp || data.serverTimestamp || "", data.value === null ? "" : exactText(data.value, {}),
      quality(data).text,
    ].map(field).join(","));
    const head = ["SourceTimestamp", this.name + (unitOf(info) ? " [" + unitOf(info) + "]" : ""),
      "Quality"].map(field).join(",");
    // The mark is how spreadsheets recognise UTF-8.
    const text = "\ufeff" + [head, ...lines].join("\r\n") + "\r\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = this.name.replace(/[^\w.-]+/g, "_") + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
}

/** An interval (s) that makes about as many values as a chart has room for. */
function fitting(start, end) {
  const wanted = (end - start) / 1000 / POINTS;
  return STEPS_S.find((step) => step >= wanted) || STEPS_S[STEPS_S.length - 1];
}

/** For <input type="datetime-local">. */
function local(time) {
  return moment(time).replace(" ", "T");
}

/** One field of a line of CSV (RFC 4180); what a spreadsheet would take for a formula is text. */
function field(text) {
  const plain = /^[=+@]|^-(?![\d.])/.test(text) ? "'" + text : text;
  return /[",\r\n]/.test(plain) ? '"' + plain.replace(/"/g, '""') + '"' : plain;
}
