// The past of some variables, the selected one and those in the trend: a range of raw or aggregated
// values, as a chart and as a table.

import { Chart, badge, sample } from "./chart.js";
import { levelsOf, number } from "./curves.js";
import {
  dataText, exactText, fieldTime, isPlottable, moment, quality, timeOfField, unitOf, zone,
} from "./format.js";
import { putName } from "./list.js";
import { pictured } from "./picture.js";
import { csv, merged, save } from "./saving.js";
import { after, look } from "./strips.js";
import { problemText, said, t } from "./texts.js";
import { fillTable } from "./trend.js";

const MOST = 50000; // values that are loaded
const PAGE = 5000;
const POINTS_OF_MORE = 10000; // values of a variable with more than MOST values
const ROWS = 500; // of the table
const POINTS = 300; // aggregated values in a chart
const TOGETHER = 4; // aggregates that are requested at a time
const PATIENCE_MS = 60000;
const STEPS_S = [0.1, 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800];

export class Past {
  /** *panel*: the form.  *page*: client(), info(name), curves() of the trend: [{name, place}], with
   * the selected variable first. */
  constructor(panel, page) {
    this.panel = panel;
    this.page = page;
    this.by = (id) => panel.querySelector("#history-" + id);
    this.name = null;
    this.loading = null; // an AbortController
    this.clear();
    this.chart = new Chart(this.by("chart"), {
      until: () => this.until(), onMove: () => this.chart.draw(), onReset: () => this.draw(true),
      onPoint: (time) => this.drawSeries(time),
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
      this.by("from").value = fieldTime(new Date(from * 1000));
      this.by("to").value = fieldTime(new Date(to * 1000 + 999));
      this.load();
    });
    this.by("save").addEventListener("click", () => this.saveTable());
    this.by("picture").addEventListener("click", () => this.savePicture());
    this.setTimes();
  }

  clear() {
    this.curves = []; // the loaded ones: {name, place, times (s), values, symbol, reason, error}
    this.hidden = new Set();
    this.asked = null; // {from, to, aggregate, called (its name in the form), interval, names}
  }

  select(name) {
    if (name === this.name) return;
    this.name = name;
    this.stop();
    this.clear();
    this.say("");
    for (const id of ["chart", "series", "more", "table"]) this.by(id).hidden = true;
    this.setTimes();
  }

  stop() {
    if (this.loading) this.loading.abort();
    this.loading = null;
    this.by("load").textContent = t("Load");
  }

  /** The trend has other variables: load theirs, if any are shown. */
  follow() {
    const names = this.page.curves().map(({ name }) => name).join("\n");
    if (!this.asked || !this.panel.offsetParent || names === this.asked.names) return;
    this.stop();
    this.load();
  }

  /** The present (s), or the last recorded time if the plant's clock is ahead. */
  until() {
    return this.curves.reduce(
      (most, { times }) => Math.max(most, times[times.length - 1] || 0), Date.now() / 1000);
  }

  setTimes() {
    const span = Number(this.by("span").value);
    this.by("times").hidden = Boolean(span);
    if (!span) return;
    const now = Date.now();
    this.by("from").value = fieldTime(new Date(now - span * 1000));
    this.by("to").value = fieldTime(new Date(now));
  }

  say(text, problem = false) {
    this.by("note").textContent = text;
    this.by("note").classList.toggle("problem", problem);
  }

  async load() {
    this.setTimes();
    const start = timeOfField(this.by("from").value);
    // "Last ..." ends at this moment, not at its whole second.
    const end = this.by("span").value ? new Date() : timeOfField(this.by("to").value);
    if (Number.isNaN(start - end)) return this.say(t("Give both ends of the range."), true);
    if (start >= end) return this.say(t("The range ends before it begins."), true);
    if (!this.page.client()) return this.say(t("There is no connection to opcws."), true);
    const [{ value: aggregate, text: called }] = this.by("aggregate").selectedOptions;
    const interval = aggregate
      ? 1000 * (Number(this.by("interval").value) || fitting(start, end)) : 0;
    const curves = this.page.curves();
    const names = curves.map(({ name }) => name);
    const loading = new AbortController();
    this.loading = loading;
    this.by("load").textContent = t("Stop");
    this.say(t("Loading …"));
    let found;
    try {
      found = await this.ask(names, { start, end, aggregate, interval, signal: loading.signal });
    } catch (error) {
      if (this.loading !== loading) return undefined;
      this.stop();
      return this.say(error.name === "AbortError" ? t("Stopped.") : error.reason ? said(error.reason) : problemText(error),
        error.name !== "AbortError");
    }
    if (this.loading !== loading) return undefined;
    this.stop();
    this.curves = found.map((one, n) => ({
      ...curves[n], ...one, times: one.values.map((data) => data.time / 1000),
    }));
    this.asked = {
      from: start / 1000, to: end / 1000, aggregate, called, interval, names: names.join("\n"),
    };
    this.tell();
    this.draw(true);
    return undefined;
  }

  /** The values of each of *names*, in their order. */
  async ask(names, { start, end, aggregate, interval, signal }) {
    const client = this.page.client();
    const options = { start, end, timeout: PATIENCE_MS, signal };
    const thinned = async (maxPoints) => (
      await client.historyOf(names, { ...options, maxPoints })
    ).map((one) => ({ ...one, thinned: maxPoints }));
    const most = Math.floor(MOST / names.length);
    if (!aggregate && names.length > 1) return thinned(Math.min(most, POINTS_OF_MORE));
    const found = names.map(() => ({ values: [], symbol: "Good", reason: "", error: null }));
    const query = { ...options, maxValues: PAGE, ...(aggregate ? { aggregate, interval } : {}) };
    const queue = found.slice();
    const count = () => {
      const loaded = found.reduce((sum, { values }) => sum + values.length, 0);
      if (loaded && !signal.aborted) this.say(t("Loading …") + " " + amount(loaded));
    };
    await Promise.all(names.slice(0, TOGETHER).map(async () => {
      while (queue.length) {
        const one = queue.shift();
        await pages(client, names[found.indexOf(one)], query, one, most, count);
      }
    }));
    const [first] = found;
    if (aggregate || !first.more || first.stopped) return found;
    const [whole] = await thinned(POINTS_OF_MORE);
    return whole.error ? found : [whole];
  }

  /** Show what was loaded, what is missing, and what may be incomplete. */
  tell() {
    const { curves } = this;
    const several = curves.length > 1;
    const failed = curves.filter(({ error }) => error);
    const count = curves.reduce((sum, { values }) => sum + values.length, 0);
    const some = (which, told) => curves.filter(which).map(told);
    const called = ({ name }) => (several ? name + ": " : "");
    const lines = [];
    if (failed.length < curves.length) {
      const rows = several ? merged(curves).length : count;
      const stopped = curves.some((one) => one.stopped);
      lines.push(count
        ? this.limits(several ? t("{values} of {count} variables", {
          values: amount(count), count: curves.length - failed.length,
        }) : amount(count)) + (stopped ? ", " + t("then stopped") : "") + (rows <= ROWS ? "" : ". " +
          (several ? t("The table has the newest {count} times.", { count: ROWS })
            : t("The table has the newest {count}.", { count: ROWS })))
        : t("There is nothing recorded in this range.") + (stopped ? " " + t("Stopped.") : ""));
    }
    lines.push(...some((one) => one.error, (one) => (
      called(one) + (one.error.reason ? said(one.error.reason) : problemText(one.error)))));
    lines.push(...some((one) => !one.error && one.symbol !== "Good", (one) => (
      called(one) + t("there may be more ({symbol}).", { symbol: one.symbol }) + " " + said(one.reason))));
    if (several && count) {
      const none = some((one) => !one.error && !one.values.length, ({ name }) => name);
      if (none.length) lines.push(t("Nothing recorded in this range: {names}", { names: none.join(", ") }));
    }
    this.say(lines.join("\n"), failed.length === curves.length);
  }

  /** The number of *values*, and why it is incomplete. */
  limits(values) {
    const { thinned, more } = this.curves.find((one) => one.thinned || one.more) || {};
    if (more) return t("{values}, the first of more; take a shorter range or an aggregate", { values });
    if (!thinned) return values;
    return this.curves.length > 1
      ? t("{values}, at most {count} of each, every peak and gap among them", { values, count: thinned })
      : t("{values} of more than {count}, every peak and gap among them; a shorter range has all",
        { values, count: MOST });
  }

  infoOf(name) {
    return aggregated(this.page.info(name), this.asked.aggregate);
  }

  /** The curves that a chart can show. */
  get plotted() {
    return this.curves.filter(
      ({ name, values }) => values.length && isPlottable(this.infoOf(name)));
  }

  draw(whole = false) {
    const some = this.curves.some(({ values }) => values.length);
    this.by("chart").hidden = this.by("series").hidden = !this.plotted.length;
    this.by("picture").hidden = this.by("shown").hidden = !this.plotted.length;
    this.by("more").hidden = !some;
    this.by("table").hidden = !some;
    if (!some) return;
    const { from, to } = this.asked;
    const present = Math.min(to, this.until());
    this.chart.show(this.series(this.panel), whole ? { from, to: present } : this.chart.range);
    this.drawSeries(null);
    this.drawTable();
  }

  /** The series for a chart, in the colours of *element*. */
  series(element) {
    const { aggregate, to } = this.asked;
    // The last recorded value holds until the end of the range, or until now.
    const until = Math.min(to, Date.now() / 1000);
    const shown = this.plotted.filter(({ name }) => !this.hidden.has(name));
    return [].concat(...shown.map(({ name, place, times, values }) => {
      const info = this.infoOf(name);
      const levels = levelsOf(info);
      const points = values.map((data, n) => [times[n], number(data)])
        .filter(([time, value]) => time && value !== undefined);
      const drawn = {
        name, levels, unit: unitOf(info), ...look(place, element),
        stepped: !aggregate || Boolean(levels),
        dots: points.filter((point) => point[1] !== null).length < 60,
        times: points.map((point) => point[0]), values: points.map((point) => point[1]),
      };
      const [last, value] = points[points.length - 1] || [until];
      if (aggregate || last >= until) return [drawn];
      const held = { ...drawn, dots: false, times: [last, until], values: [value, value] };
      return [{ ...drawn, mark: "" }, held];
    }));
  }

  /** Draw the legend with each curve's value at *time* (s), or with the last one (null). */
  drawSeries(time) {
    const list = this.by("series");
    const { plotted } = this;
    const style = JSON.stringify(plotted.map(({ name, place }) => [name, look(place)]));
    if (list.dataset.shape !== style) {
      list.dataset.shape = style;
      list.textContent = "";
      list.append(...plotted.map((curve) => this.entry(curve)));
    }
    const said = plotted.map(({ name, times, values }, n) => {
      let at = time === null ? values.length : after(times, time);
      // The last interval has only just begun.
      while (time === null && this.asked.aggregate && at > 1 && values[at - 1].value === null) at -= 1;
      const text = cellText(values[at - 1], this.infoOf(name));
      list.children[n].querySelector(".at").textContent = text;
      return name + " " + text;
    });
    const { from, to } = this.chart.range;
    const [begin, end, at] = [from, to, time].map((each) => moment(new Date(each * 1000)));
    this.chart.describe((time === null ? t("History from {begin} to {end}:", { begin, end })
      : t("History from {begin} to {end}, at {at}:", { begin, end, at })) + " " + said.join(", "));
  }

  entry({ name, place }) {
    const item = document.createElement("li");
    const swatch = document.createElement("span");
    swatch.append(badge(look(place)), sample(look(place)));
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.textContent = name;
    button.title = t("Show or hide the curve");
    button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
    button.addEventListener("click", () => {
      if (!this.hidden.delete(name)) this.hidden.add(name);
      button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
      this.draw();
    });
    const at = document.createElement("span");
    at.className = "at";
    item.append(swatch, button, at);
    return item;
  }

  drawTable() {
    const { curves } = this;
    const head = this.by("table").querySelector("thead tr");
    const body = this.by("table").querySelector("tbody");
    head.textContent = "";
    this.by("table").classList.toggle("several", curves.length > 1);
    if (curves.length === 1) {
      head.append(th(t("Time"), "time"), th(t("Value"), "value"), th(t("Quality"), ""));
      fillTable(body, curves[0].values.slice(-ROWS).reverse(), this.infoOf(curves[0].name),
        (time) => moment(time, 3));
      return;
    }
    head.append(th(t("Time"), "time"), ...this.columns.map(({ name }) => (
      th(titled(name, this.infoOf(name)), "value"))));
    body.textContent = "";
    body.append(...merged(this.columns).slice(-ROWS).reverse().map(({ time, cells }) => {
      const row = document.createElement("tr");
      row.append(td(time ? moment(new Date(time), 3) : "", "time"), ...cells.map((data, n) => {
        const some = data && data.value !== null;
        const info = this.infoOf(this.columns[n].name);
        const cell = td(some ? dataText(data, info) : "", "value");
        cell.dataset.name = this.columns[n].name;
        if (some) cell.title = exactText(data.value, info);
        if (data && !data.good) {
          const mark = document.createElement("span");
          mark.className = "quality " + quality(data).kind;
          mark.textContent = quality(data).text;
          mark.title = quality(data).title;
          cell.append(" ", mark);
        }
        return cell;
      }));
      return row;
    }));
  }

  /** The columns of a table of several variables. */
  get columns() {
    return this.curves.filter(({ error }) => !error);
  }

  get title() {
    const { aggregate, called } = this.asked;
    return (name) => titled(name + (aggregate ? " " + called : ""), this.infoOf(name));
  }

  /** The name of a file. */
  get called() {
    const [{ name }, ...others] = this.columns;
    return name.replace(/[^\w.-]+/g, "_") + (others.length ? "_and_" + others.length + "_more" : "");
  }

  saveTable() {
    save(new Blob([csv(this.columns, this.title)], { type: "text/csv" }), this.called + ".csv");
  }

  async savePicture() {
    const { aggregate, called, interval } = this.asked;
    const { range } = this.chart;
    const shown = this.plotted.filter(({ name }) => !this.hidden.has(name));
    const [from, to] = [range.from, range.to].map((time) => moment(new Date(time * 1000)));
    save(await pictured({
      title: shown.map(({ name }) => name).join(", "),
      about: t("{low} to {high}", { low: from, high: to }) + " (" + zone() + ")" + (aggregate
        ? ", " + t("{aggregate} of each {count} s", { aggregate: called, count: interval / 1000 }) : ""),
      names: shown.map(({ name }) => titled(name, this.infoOf(name))),
      looks: (element) => shown.map(({ place }) => look(place, element)),
      series: (element) => this.series(element),
      range,
    }), this.called + ".png");
  }
}

/** Load pages of *name* into *found* until it has *most* values or more. */
async function pages(client, name, options, found, most, onPage) {
  try {
    let page = await client.history(name, options);
    for (;;) {
      for (const value of page.values) found.values.push(value);
      if (page.reason) Object.assign(found, { symbol: page.symbol, reason: page.reason });
      found.more = Boolean(page.next) && found.values.length >= most;
      if (!page.next || found.more) return;
      onPage();
      page = await page.next({ timeout: options.timeout, signal: options.signal });
    }
  } catch (error) {
    if (error.name === "AbortError") found.stopped = true;
    else Object.assign(found, { error, values: [] });
  }
}

/** The info for values of an *aggregate* of a variable with *info*: its unit (OPC 10000-13 5.4.3),
 * and no names of values if it computes new ones. */
function aggregated(info, aggregate) {
  if (["", "Interpolative", "Minimum", "Maximum", "Start", "End"].includes(aggregate)) return info;
  const unit = unitOf(info);
  const own = { Count: "", DurationGood: "ms", Total: unit && unit + "·s" }[aggregate];
  return {
    Type: "Double", EngineeringUnits: { DisplayName: own === undefined ? unit : own },
    EURange: own === undefined ? info.EURange : undefined,
  };
}

function amount(count) {
  return count === 1 ? t("1 value") : t("{count} values", { count });
}

function titled(name, info) {
  return name + (unitOf(info) ? " [" + unitOf(info) + "]" : "");
}

function cellText(data, info) {
  if (!data) return "–";
  if (data.value === null) return quality(data).text;
  return dataText(data, info) + (unitOf(info) ? " " + unitOf(info) : "") +
    (data.good ? "" : " " + quality(data).text);
}

function th(text, name) {
  const cell = document.createElement("th");
  cell.scope = "col";
  cell.className = name;
  putName(cell, text);
  return cell;
}

function td(text, name) {
  const cell = document.createElement("td");
  cell.className = name;
  cell.textContent = text;
  return cell;
}

/** An interval (s) that gives about as many values as fit a chart. */
function fitting(start, end) {
  const wanted = (end - start) / 1000 / POINTS;
  return STEPS_S.find((step) => step >= wanted) || STEPS_S[STEPS_S.length - 1];
}
