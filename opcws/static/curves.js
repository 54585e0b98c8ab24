// Curves of some variables: the values seen since the page was opened, and before that those that
// opcws or the OPC UA server has recorded; they go on growing.

import { boolText, choices, unitOf } from "./format.js";
import { after, look } from "./strips.js";

const KEPT_S = 3600; // seen values that are kept; older ones are requested when they must be shown
const KEPT = 40000; // points of one variable
const ROWS = 200; // of the table of changes
const POINTS = 2000; // requested of the past of one variable
const SETTLED_MS = 250; // without a move, before requests
const COARSE = 6; // a loaded range may be so many times the shown one and still be fine enough
const TOGETHER_MS = 50; // missing values of several variables are requested together
const AGAIN_MS = 3000; // after a request for the past failed
const PASSING = ["BadRequestTimeout", "BadServerTooBusy", "BadTimeout", "BadTooManyOperations", "TimeoutError"];
const SILENT_S = 20; // a silent connection is asked earlier than that, and must answer
const AHEAD_S = 600; // a plant's clock may be so much ahead; later times are wrong

/** One variable's points, times in seconds since 1970, rising. */
export class Line {
  constructor(name, place) {
    this.name = name;
    this.place = place; // determines colour, dash and number
    this.times = [];
    this.values = [];
    this.changes = []; // DataValues, newest last
    this.lost = null; // since when (by this device's clock) the values are unknown
    this.away = false; // then: whether its OPC UA server was not connected, too
    this.unseen = new Map(); // time of a gap that the page made -> whether the server was away
    this.missing = -Infinity; // the time after which more may be recorded, or null
    this.asking = false; // whether a request for that is under way
    this.begin = Infinity; // from this time on the points are complete
    this.older = null; // an older range: {from, to, thinned, times, values}
    this.ahead = new Set(); // changes that history returned and that may still come live
  }

  add(data) {
    if (this.ahead.delete(mark(data)) && this.lost === null) return;
    this.changes.push(data);
    if (this.changes.length > ROWS) this.changes.shift();
    const now = Date.now() / 1000;
    if (data.symbol === "BadNotConnected") { // its time is that of the last value
      this.lose(now, true);
      return;
    }
    const value = number(data);
    const { last } = this;
    const before = this.values[this.values.length - 1];
    if (value === undefined || (value === null && before === null && this.lost === null)) return;
    let time = timeOf(data, now);
    // A value that becomes unknown, or known again, may have the time of the last value.
    const turns = this.lost !== null || value === null || before === null;
    if (turns && time <= Math.max(last, this.lost || 0)) time = now;
    // If a plant's clock is set back, the line must not run backwards.
    time = Math.max(last, time);
    if (this.lost !== null && this.times.length) {
      const gap = Math.max(last, Math.min(this.lost, time));
      if (gap < time && before !== null) {
        this.times.push(gap);
        this.values.push(null);
        this.unseen.set(gap, this.away);
      }
    }
    if (this.away) this.older = null; // perhaps loading it failed
    this.lost = null;
    this.away = false;
    this.times.push(time);
    this.values.push(value);
    if (this.times.length > KEPT || this.times[0] < time - 2 * KEPT_S) {
      const old = Math.max(after(this.times, time - KEPT_S) - 1, this.times.length - KEPT);
      this.times.splice(0, old);
      this.values.splice(0, old);
      this.begin = Math.max(Math.min(this.begin, time), this.times[0]);
    }
  }

  get last() {
    return this.times.length ? this.times[this.times.length - 1] : -Infinity;
  }

  /** The connection to opcws, or to the OPC UA server if *away*, ended at *last* (s). */
  lose(last, away = false) {
    this.away = this.away || away;
    if (this.lost !== null) return;
    this.lost = this.times.length ? last : -Infinity;
    if (this.missing === null) this.missing = this.last;
  }

  /** Insert recorded values; the page may have seen some of them.  A *whole* history has its own
   * gaps, so gaps that the page made are removed; otherwise those are removed that contain recorded
   * values, except while the OPC UA server was away: its history starts again with its first
   * value. */
  fill(past, whole) {
    const now = Date.now() / 1000;
    const start = after(this.times, this.missing);
    const missed = past.filter(({ time }) => time && time / 1000 > this.missing &&
      time / 1000 < now + AHEAD_S);
    const points = missed.map((data) => [data.time / 1000, number(data)])
      .filter(([_time, value]) => value !== undefined);
    const seen = this.times.slice(start).map((time, n) => [time, this.values[start + n]]);
    // A gap that the page made may begin at the last value's time.
    if (start && this.values[start - 1] === null && this.unseen.has(this.times[start - 1])) {
      seen.unshift([this.times.splice(start - 1)[0], this.values.splice(start - 1)[0]]);
    } else {
      this.times.splice(start);
      this.values.splice(start);
    }
    const rest = seen.filter(([time, value], n) => {
      if (value !== null || !this.unseen.has(time)) return true;
      const [next] = seen.slice(n).find((one) => one[1] !== null) || [Infinity];
      const known = whole || (!this.unseen.get(time) &&
        points.some(([when]) => when > time && when < next));
      if (known) this.unseen.delete(time);
      return !known;
    });
    for (const [time, value] of inOrder(points.concat(rest), ([when]) => when)) {
      const last = this.times.length - 1;
      const again = value === this.values[last] && (value === null || time === this.times[last]);
      if (!again) {
        this.times.push(time);
        this.values.push(value);
      }
    }
    const told = new Set(this.changes.map(mark));
    const news = missed.filter((data) => !told.has(mark(data)));
    this.ahead = new Set(news.map(mark));
    this.changes = inOrder(news.concat(this.changes), ({ time }) => time / 1000).slice(-ROWS);
    this.missing = this.lost === null ? null : this.last;
  }

  /** Whether there may be more in that range than is known here. */
  lacks({ from, to }) {
    const { begin, older } = this;
    if (begin === Infinity || from >= begin) return false;
    return !older || from < older.from || Math.min(to, begin) > older.to ||
      (older.thinned && older.to - older.from > COARSE * (to - from));
  }

  /** Keep *past*, recorded values *from* a time *to* another (s), before those here. */
  keep(from, to, past) {
    const points = past.map((data) => [data.time ? data.time / 1000 : NaN, number(data)])
      .filter(([time, value]) => time <= to && value !== undefined);
    const [times, values] = [0, 1].map((part) => points.map((point) => point[part]));
    this.older = { from, to, thinned: past.length > POINTS / 4, times, values };
  }

  /** The points of a chart that begins at *from*, also those before *begin*. */
  points(from) {
    const { begin, older } = this;
    const first = older ? after(older.times, begin) : 0;
    // A value that has been constant since before *begin* may have been recorded only at its change.
    const held = first && older.times[first - 1] <= this.times[0] && this.times[0] < begin;
    if (from >= begin || !first) {
      const nearest = Math.max(0, after(this.times, from) - 1);
      return [this.times.slice(nearest), this.values.slice(nearest)];
    }
    const [times, values] = [older.times.slice(0, first), older.values.slice(0, first)];
    const start = held ? 0 : after(this.times, begin);
    const add = (time, value) => {
      times.push(time);
      values.push(value);
    };
    if (older.to < (held ? this.times[0] : begin)) {
      add(Math.max(older.to, times[first - 1]), null);
    }
    if (start) add(begin, this.values[start - 1]);
    return [times.concat(this.times.slice(start)), values.concat(this.values.slice(start))];
  }

  /** The series of a chart that begins at *from*; the present value is drawn up to *now* (s), or
   * up to the end of the connection. */
  series(info, now, from) {
    const [times, values] = this.points(from);
    const until = this.lost === null ? now : this.lost;
    if (times.length && until > this.last) {
      times.push(until);
      values.push(values[values.length - 1]);
    }
    return { name: this.name, unit: unitOf(info), levels: levelsOf(info), ...look(this.place),
      stepped: true, times, values };
  }
}

/** [{value, name}] for values with names; null for numbers. */
export function levelsOf(info) {
  return choices(info) || (info.Type !== "Boolean" ? null
    : [false, true].map((value) => ({ value: Number(value), name: boolText(value) })));
}

/** Sort *all* by time; the order of equal times stays. */
function inOrder(all, timeOf) {
  return all.sort((one, other) => timeOf(one) - timeOf(other));
}

/** Time of the change (s): the source's if it is credible, else *now*. */
function timeOf(data, now) {
  return data.time && data.time / 1000 < now + AHEAD_S ? data.time / 1000 : now;
}

/** Identifies a change. */
function mark(data) {
  return [data.sourceTimestamp || data.serverTimestamp, data.symbol, String(data.value)].join();
}

/** The number for a chart; null is a gap, undefined means that charts cannot show the value. */
export function number(data) {
  if (data.severity === "bad" || data.value === null) return null;
  if (typeof data.value === "boolean") return data.value ? 1 : 0;
  if (typeof data.value === "bigint") return Number(data.value);
  if (typeof data.value !== "number") return undefined;
  // Larger numbers would flatten all others, and axes have no marks for them.
  return Math.abs(data.value) < 1e30 ? data.value : null;
}

export class Curves {
  /** *page*: client, me, info(name), isThere(name), onUpdate(data), onPast() when more of the past
   * is known, onBusy(whether a request for it is under way). */
  constructor(page) {
    this.page = page;
    this.lines = new Map();
    this.monitor = null;
    this.filling = 0; // a timer
    this.seeking = 0; // a timer
  }

  /** A new connection: monitor again; seen values stay. */
  connect(client) {
    // Missed values are requested when a chart needs them.
    this.monitor = client.monitor(this.there, { resume: false }, (data) => {
      const line = this.lines.get(data.variable);
      if (line) {
        line.add(data);
        if (line.missing !== null) this.fill();
      }
      this.page.onUpdate(data);
    });
    this.fill();
  }

  /** Show the curves of *names* from now on. */
  set(names) {
    this.lines.forEach((_line, name) => {
      if (!names.includes(name)) this.lines.delete(name);
    });
    names.forEach((name) => {
      if (!this.lines.has(name)) this.lines.set(name, new Line(name, this.freePlace()));
    });
    this.fill();
    this.watch();
  }

  /** The names that exist: opcws refuses others for good, and some may come later. */
  get there() {
    return Array.from(this.lines.keys()).filter(this.page.isThere);
  }

  watch() {
    if (this.monitor) this.monitor.set(this.there);
  }

  clear() {
    this.lines.clear();
  }

  /** Stop everything. */
  end() {
    clearTimeout(this.filling);
    clearTimeout(this.seeking);
    this.lines.clear();
    if (this.monitor) this.monitor.stop();
  }

  /** The series of *name* for a chart that begins at *from*. */
  series(name, from) {
    return this.lines.get(name).series(this.page.info(name), this.known(), from);
  }

  freePlace() {
    const taken = new Set(Array.from(this.lines.values(), (line) => line.place));
    let place = 0;
    while (taken.has(place)) place += 1;
    return place;
  }

  /** The time (s) up to which values are known: now, or the last sign of life. */
  known() {
    const client = this.page.client();
    const now = Date.now() / 1000;
    const heard = client && client.heard ? client.heard / 1000 : now;
    return client && client.state === "open" && now - heard < SILENT_S ? now : heard;
  }

  /** The present (s): the plant's clock may be ahead of this device's. */
  until() {
    return Array.from(this.lines.values()).reduce(
      (most, { last }) => Math.max(most, last), Date.now() / 1000);
  }

  /** No values come until there is a new connection. */
  lose() {
    this.lines.forEach((line) => line.lose(this.known()));
  }

  /** Request missed values soon. */
  fill() {
    this.filling = this.filling || setTimeout(() => this.askPast(), TOGETHER_MS);
  }

  async askPast() {
    this.filling = 0;
    const { client, me, info } = this.page;
    const lines = Array.from(this.lines.values()).filter((line) => line.missing !== null &&
      (line.lost === null || line.missing === -Infinity) && !line.asking &&
      info(line.name).HistorySource);
    if (!lines.length || !client() || !me().History) return;
    // The plant's clock may be ahead.
    const nows = lines.map((line) => Math.max(Date.now() / 1000, line.last));
    const starts = lines.map((line, n) => (
      line.missing === -Infinity ? nows[n] - KEPT_S : line.missing));
    lines.forEach((line) => { line.asking = true; });
    try {
      const found = await client().historyOf(lines.map((line) => line.name), {
        start: new Date(Math.min(...starts) * 1000), end: new Date(Math.max(...nows) * 1000 + 1),
        maxPoints: POINTS, timeout: 60000,
      });
      found.forEach(({ values, source, symbol, error }, n) => {
        // If the server is not connected, it is asked again when it is.
        if (error && (lines[n].lost !== null || this.again(error))) return;
        lines[n].begin = Math.min(lines[n].begin, ...starts);
        lines[n].fill(values, ["own", "both"].includes(source) && symbol === "Good");
      });
      this.page.onPast();
    } catch (error) {
      // The trend works without its past; the tab History shows the problem.
      if (error.status && !this.again(error)) {
        lines.forEach((line, n) => {
          line.missing = null;
          line.begin = Math.min(line.begin, nows[n]);
        });
      }
    } finally {
      lines.forEach((line) => { line.asking = false; });
    }
  }

  /** Whether *error* is temporary; then the request is repeated later. */
  again(error) {
    const may = PASSING.includes(error.status || error.name);
    if (may) setTimeout(() => this.fill(), AGAIN_MS);
    return may;
  }

  /** Request what a chart of this range lacks, for all *lines* together, after it stops moving. */
  seek(range, lines) {
    this.range = range;
    const wanted = lines.filter(
      (line) => this.page.info(line.name).HistorySource && line.lacks(range));
    const client = this.page.client();
    const can = wanted.length && client && client.state === "open" && this.page.me().History;
    if (can && !this.seeking) this.seeking = setTimeout(() => this.askOlder(wanted), SETTLED_MS);
  }

  async askOlder(lines) {
    const { from, to } = this.range;
    const start = from - (to - from) / 2;
    const end = Math.min(to + (to - from) / 2, Math.max(...lines.map((line) => line.begin)));
    this.page.onBusy(true);
    try {
      const found = await this.page.client().historyOf(lines.map((line) => line.name), {
        start: new Date(start * 1000), end: new Date(end * 1000), maxPoints: POINTS,
        timeout: 60000,
      });
      found.forEach(({ values }, n) => lines[n].keep(start, end, values));
    } catch (error) {
      // As for the last hour.  After a lost connection the next one asks again.
      if (this.page.client().state === "open") lines.forEach((line) => line.keep(start, end, []));
    } finally {
      this.seeking = 0;
      this.page.onBusy(false);
      this.page.onPast();
    }
  }
}
