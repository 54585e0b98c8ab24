// Curves of some variables: what they have been since somebody looked, and before that what opcws or
// the OPC UA server has recorded, while it goes on.

import { boolText, choices, unitOf } from "./format.js";
import { after, look } from "./strips.js";

const KEPT_S = 3600; // of what was seen; what is older is asked for when it is to be shown
const KEPT = 40000; // points of one variable
const ROWS = 200; // of the table of changes
const POINTS = 2000; // asked for of the past of one variable
const SETTLED_MS = 250; // after somebody moved
const COARSE = 6; // ranges of its size that what is loaded may have, and still be fine enough
const TOGETHER_MS = 50; // what is missed of several variables at a time is asked for at once
const AGAIN_MS = 3000; // after the past could not be had
const PASSING = ["BadRequestTimeout", "BadServerTooBusy", "BadTimeout", "BadTooManyOperations", "TimeoutError"];
const SILENT_S = 20; // a connection that nothing is heard of for so long is asked, and answers
const AHEAD_S = 600; // a plant's clock may be; what is farther ahead is no time

/** One variable's points, times in seconds since 1970, rising. */
export class Line {
  constructor(name, place) {
    this.name = name;
    this.place = place; // of its colour, dash and number
    this.times = [];
    this.values = [];
    this.changes = []; // DataValues, newest last
    this.lost = null; // since when (by this device's clock) nothing is known
    this.away = false; // then: whether its OPC UA server was away, too
    this.unseen = new Map(); // time of a gap that the page made -> whether the server was away
    this.missing = -Infinity; // the time behind which more may be recorded, or null
    this.asking = false; // it is asked for that
    this.begin = Infinity; // from when on the points are all there are
    this.older = null; // what was before, of a range: {from, to, thinned, times, values}
    this.ahead = new Set(); // what history told and may come live yet
  }

  add(data) {
    if (this.ahead.delete(mark(data)) && this.lost === null) return;
    this.changes.push(data);
    if (this.changes.length > ROWS) this.changes.shift();
    const now = Date.now() / 1000;
    if (data.symbol === "BadNotConnected") { // it has the time of the last value
      this.lose(now, true);
      return;
    }
    const value = number(data);
    const { last } = this;
    const before = this.values[this.values.length - 1];
    if (value === undefined || (value === null && before === null && this.lost === null)) return;
    let time = timeOf(data, now);
    // What is no longer known, or again, may have the time of the last value.
    const turns = this.lost !== null || value === null || before === null;
    if (turns && time <= Math.max(last, this.lost || 0)) time = now;
    // A plant's clock that goes wrong must not turn the line back.
    time = Math.max(last, time);
    if (this.lost !== null && this.times.length) {
      const gap = Math.max(last, Math.min(this.lost, time));
      if (gap < time && before !== null) {
        this.times.push(gap);
        this.values.push(null);
        this.unseen.set(gap, this.away);
      }
    }
    if (this.away) this.older = null; // perhaps it could not be had
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

  /** The connection to opcws, or to the OPC UA server if that is *away*, was there *last* (s). */
  lose(last, away = false) {
    this.away = this.away || away;
    if (this.lost !== null) return;
    this.lost = this.times.length ? last : -Infinity;
    if (this.missing === null) this.missing = this.last;
  }

  /** Put in what was recorded; some of it may have been seen, too.  What is *whole* has its own
   * gaps, and that the page was away is none; so it is if there is something in between, unless
   * the OPC UA server was away: then its history begins again with its first value. */
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

  /** Whether of that range there may be more than is known here. */
  lacks({ from, to }) {
    const { begin, older } = this;
    if (begin === Infinity || from >= begin) return false;
    return !older || from < older.from || Math.min(to, begin) > older.to ||
      (older.thinned && older.to - older.from > COARSE * (to - from));
  }

  /** What was recorded *from* a time *to* another (s), before what is here. */
  keep(from, to, past) {
    const points = past.map((data) => [data.time ? data.time / 1000 : NaN, number(data)])
      .filter(([time, value]) => time <= to && value !== undefined);
    const [times, values] = [0, 1].map((part) => points.map((point) => point[part]));
    this.older = { from, to, thinned: past.length > POINTS / 4, times, values };
  }

  /** The points of a chart that begins *from* a time, also those of before *begin*. */
  points(from) {
    const { begin, older } = this;
    const first = older ? after(older.times, begin) : 0;
    // A value that has held since before *begin* may have been recorded only when it came.
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

  /** For a chart that begins *from* a time; the present value goes up to *now* (s), or as long as
   * it was known. */
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

/** [{value, name}] of what has few values with names; null for what is counted or measured. */
export function levelsOf(info) {
  return choices(info) || (info.Type !== "Boolean" ? null
    : [false, true].map((value) => ({ value: Number(value), name: boolText(value) })));
}

/** *all*, by time; those of the same time as they are. */
function inOrder(all, timeOf) {
  return all.sort((one, other) => timeOf(one) - timeOf(other));
}

/** When (s) it changed: at the time of the source, if that is one. */
function timeOf(data, now) {
  return data.time && data.time / 1000 < now + AHEAD_S ? data.time / 1000 : now;
}

/** What tells a change from others. */
function mark(data) {
  return [data.sourceTimestamp || data.serverTimestamp, data.symbol, String(data.value)].join();
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

export class Curves {
  /** *page*: client, me, info(name), isThere(name), onUpdate(data), onPast(): more of the past is known,
   * onBusy(whether it is asked for). */
  constructor(page) {
    this.page = page;
    this.lines = new Map();
    this.monitor = null;
    this.filling = 0; // a timer
    this.seeking = 0; // another
  }

  /** A new connection: what is monitored is declared anew, what was seen stays. */
  connect(client) {
    // What is missed while there is no connection is asked for as a chart needs it.
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

  /** From now on those of *names*. */
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

  /** The names of those that exist: opcws refuses others for good, and some may come later. */
  get there() {
    return Array.from(this.lines.keys()).filter(this.page.isThere);
  }

  watch() {
    if (this.monitor) this.monitor.set(this.there);
  }

  clear() {
    this.lines.clear();
  }

  /** Nobody looks any more. */
  end() {
    clearTimeout(this.filling);
    clearTimeout(this.seeking);
    this.lines.clear();
    if (this.monitor) this.monitor.stop();
  }

  /** What a chart that begins *from* a time draws of *name*. */
  series(name, from) {
    return this.lines.get(name).series(this.page.info(name), this.known(), from);
  }

  freePlace() {
    const taken = new Set(Array.from(this.lines.values(), (line) => line.place));
    let place = 0;
    while (taken.has(place)) place += 1;
    return place;
  }

  /** Up to when (s) what is shown is known: now, or when something was heard last. */
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

  /** Nothing comes any more, until the connection is made again. */
  lose() {
    this.lines.forEach((line) => line.lose(this.known()));
  }

  /** Ask for what was missed, once it is known that there may be something. */
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
        // Of a server that is away it is asked again when that is back.
        if (error && (lines[n].lost !== null || this.again(error))) return;
        lines[n].begin = Math.min(lines[n].begin, ...starts);
        lines[n].fill(values, ["own", "both"].includes(source) && symbol === "Good");
      });
      this.page.onPast();
    } catch (error) {
      // A trend without its past is still one; the tab History says what is wrong.
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

  /** Whether what failed with *error* may be known a little later; then it is asked for again. */
  again(error) {
    const may = PASSING.includes(error.status || error.name);
    if (may) setTimeout(() => this.fill(), AGAIN_MS);
    return may;
  }

  /** Ask for what a chart of this range lacks, for all *lines* at once, when nobody moves it. */
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
      // As with the last hour.  Where the connection was lost it is asked again on the next.
      if (this.page.client().state === "open") lines.forEach((line) => line.keep(start, end, []));
    } finally {
      this.seeking = 0;
      this.page.onBusy(false);
      this.page.onPast();
    }
  }
}
