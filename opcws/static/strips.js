// Computes what a chart draws: strips one above another, one for each unit and one for each variable
// whose values have names, and the axis of each.  Nothing here draws.

import { localized } from "./format.js";

const MOMENT_S = 0.0005;
const COLOURS = 8; // --line-1 ... in page.css
const DASHES = [
  [], [12, 4], [16, 4, 3, 4], [6, 3], [22, 6], [12, 3, 3, 3, 3, 3], [3, 3], [3, 8],
];
const MOST_NAMES = 8; // of an enumeration: more are shown only if they occur
export const LETTER = 7; // px
const BADGE = 13;
const LEAST = { head: 8, named: 20, numbers: 80, level: 16 }; // px of a strip's parts
export const TIMES = 30; // px below the last strip
export const MARGIN = 7; // px above and below what is drawn in a strip
export const RIGHT = 28; // px for the numbers of the curves

const looks = []; // by place, in the colours of the page

/** The look of the curve at this *place*: its number, and a combination of colour and dash that is
 * unique among 64.  The colours are those of *element*, or of the page. */
export function look(place, element = null) {
  const known = element ? [] : looks;
  known[place] = known[place] || {
    mark: String(place + 1),
    colour: getComputedStyle(element || document.documentElement)
      .getPropertyValue("--line-" + (place % COLOURS + 1)).trim(),
    dash: DASHES[(place + Math.floor(place / COLOURS)) % DASHES.length],
  };
  return known[place];
}

/** Forget the colours, because they have changed. */
export function forgetLooks() {
  looks.length = 0;
}

/** The index of the first of *times* after *time*. */
export function after(times, time) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The part of a series inside the range, and the nearest points on both sides: each time once, only
 * finite numbers, and a point just before a gap if the value holds until there. */
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

/** A curve with many points in each of *width* pixels, reduced to the first, the last, the least and
 * the greatest of each pixel, and the gaps. */
function thinned([times, values], { from, to }, width) {
  if (times.length < 4 * width) return [times, values];
  const found = [[], []];
  const keep = (...places) => places.sort((one, other) => one - other).forEach((n, place) => {
    if (place && n === places[place - 1]) return;
    found[0].push(times[n]);
    found[1].push(values[n]);
  });
  const columns = times.map((time) => Math.floor((time - from) / (to - from) * width));
  for (let first = 0; first < times.length;) {
    let [last, least, most] = [first, first, first];
    while (values[first] !== null && values[last + 1] !== null && columns[last + 1] === columns[first]) {
      last += 1;
      if (values[last] < values[least]) least = last;
      if (values[last] > values[most]) most = last;
    }
    keep(first, least, most, last);
    first = last + 1;
  }
  return found;
}

/** *series* as strips, *width* px wide: {key, title, curves, low, high, named}; each curve has its
 * points. */
export function stripsOf(series, range, width) {
  const strips = new Map();
  for (const one of series) {
    const key = (one.levels ? "=" + one.name : one.unit) || "";
    if (!strips.has(key)) {
      strips.set(key, { key, title: one.levels ? one.name : one.unit, levels: one.levels, curves: [] });
    }
    const points = inside(one, range);
    strips.get(key).curves.push({
      ...one, points: one.levels ? points : thinned(points, range, width),
    });
  }
  const all = Array.from(strips.values());
  for (const strip of all) {
    let [low, high] = [Infinity, -Infinity];
    if (strip.levels) place(strip);
    strip.curves.forEach(({ points }) => points[1].forEach((value) => {
      if (value === null) return;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }));
    [strip.low, strip.high] = strip.levels
      ? [-0.4, Math.max(1, strip.named.length) - 0.6] : strip.curves[0].axis || padded(low, high);
  }
  return all;
}

/** Put the values of an enumeration on levels, each with its name. */
function place(strip) {
  const names = new Map(strip.levels.map(({ value, name }) => [Number(value), name]));
  const shown = new Set(names.size > MOST_NAMES ? [] : names.keys());
  strip.curves.forEach(({ points }) => points[1].forEach((value) => {
    if (value !== null) shown.add(value);
  }));
  const order = Array.from(shown).sort((one, other) => one - other);
  const level = new Map(order.map((value, n) => [value, n]));
  strip.named = order.map((value) => names.get(value) || String(value));
  strip.curves.forEach(({ points }) => {
    points[1] = points[1].map((value) => (value === null ? null : level.get(value)));
  });
}

/** Give each strip its top and height, marks and labels, and the same *left*; returns the least
 * height (px) of all together. */
export function arrange(strips, width, height) {
  const most = Math.max(4, Math.floor((width * 0.36 - 18) / LETTER));
  let [least, numbers] = [TIMES, 0];
  strips.forEach((strip) => {
    strip.head = strip.title ? LEAST.named : LEAST.head;
    strip.body = strip.levels
      ? Math.max(1, Math.min(12, strip.named.length)) * LEAST.level + 2 * MARGIN : LEAST.numbers;
    numbers += strip.levels ? 0 : 1;
    least += strip.head + strip.body;
  });
  const more = Math.max(0, height - least) / (numbers || strips.length);
  let left = 0;
  strips.forEach((strip) => {
    if (!numbers || !strip.levels) strip.body = Math.floor(strip.body + more);
    const room = strip.body - 2 * MARGIN;
    if (strip.levels) {
      const each = Math.ceil(strip.named.length * 13 / room);
      strip.marks = strip.named.map((_name, n) => n).filter((n) => n % each === 0);
      strip.labels = strip.marks.map((n) => strip.named[n]);
    } else {
      let [step, first, count] = [0, 0, 0];
      for (let parts = Math.max(2, Math.min(8, room / 30)); count < 2; parts *= 1.5) {
        step = stepOf((strip.high - strip.low) / parts);
        first = Math.ceil(strip.low / step);
        count = Math.floor(strip.high / step) - first + 1;
      }
      strip.marks = Array.from({ length: count }, (_none, n) => Number(
        ((first + n) * step).toPrecision(15)));
      strip.labels = valueLabels(strip.marks, step);
    }
    strip.labels = strip.labels.map(
      (text) => (strip.levels && text.length > most ? text.slice(0, most - 1) + "…" : text));
    left = Math.max(left, ...strip.labels.map((text) => text.length));
  });
  strips.forEach((strip) => { strip.left = 18 + LETTER * Math.max(3, left); });
  return least;
}

/** The least of 1, 2, 5, 10 ... that is at least *size*. */
function stepOf(size) {
  const ten = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5].map((one) => Number((one * ten).toPrecision(3))).find((one) => one >= size) ||
    Number((10 * ten).toPrecision(3));
}

/** A scale from *low* to *high* with some room around.  It is never so narrow, compared with its
 * numbers, that their digits cannot express marks in between: the loop over them would not end. */
function padded(low, high) {
  if (low > high) return [0, 1];
  const size = Math.max(Math.abs(low), Math.abs(high));
  const room = high === low ? size * 0.05 || 1 : Math.max((high - low) * 0.08, size * 1e-10);
  return [low - room, high + room];
}

/** Labels for values that are *step* apart, with enough digits to differ. */
export function valueLabels(values, step) {
  let places = 0;
  while (places < 12 && Math.abs(step - Number(step.toFixed(places))) > step * 1e-6) places += 1;
  return values.map((value) => localized(
    Math.abs(value) < 1e9 ? value.toFixed(places) : Number(value.toPrecision(9))));
}

/** The places of the numbers of a strip's curves: behind their ends, without overlaps. */
export function endsOf(strip, { from, to }, width) {
  const share = (time) => (time - from) / (to - from);
  const room = strip.body - 2 * MARGIN;
  const ends = [];
  strip.curves.filter(({ mark }) => mark).forEach(({ mark, colour, points: [times, values] }) => {
    let last = after(times, to) - 1;
    while (last >= 0 && values[last] === null) last -= 1;
    if (last < 0) return;
    const end = last + 1 < times.length && values[last + 1] !== null ? to : times[last];
    if (end < from) return;
    ends.push({
      mark, colour, x: strip.left + share(end) * (width - strip.left - RIGHT) + 3,
      y: MARGIN + (strip.high - values[last]) / (strip.high - strip.low) * room - BADGE / 2,
    });
  });
  ends.sort((one, other) => one.y - other.y);
  const most = strip.body - BADGE;
  ends.forEach((one, n) => { if (n) one.y = Math.max(one.y, ends[n - 1].y + BADGE); });
  ends.reverse().forEach((one, n) => {
    one.y = Math.min(one.y, n ? ends[n - 1].y - BADGE : most);
  });
  return ends;
}
