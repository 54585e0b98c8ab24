// Searching and sorting the variables.  Nothing here knows the page.

import { unitOf } from "./format.js";

const { compare } = new Intl.Collator("en", { numeric: true });

/** A new array of *names* with Pump2 before Pump10. */
export const natural = (names) => Array.from(names).sort(compare);

/** Whether a variable matches every word of *text*: a word with * or ? must match the whole name,
 * any other one may be anywhere in what is known of the variable. */
export function finder(text) {
  const has = text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    if (!/[*?]/.test(word)) return (one) => one.words.includes(word);
    const escaped = word.replace(/[.+^${}()|[\]\\]/g, "\\$&");
    const whole = new RegExp(
      "^" + escaped.replace(/\*+/g, ".*").replace(/\?/g, ".") + "$", "isu");
    return (one) => whole.test(one.name);
  });
  return (one) => has.every((each) => each(one));
}

const QUALITIES = ["bad", "uncertain", "good"];

// The keys of {info, data} for sorting; null if unknown.
const KEYS = {
  unit: ({ info }) => unitOf(info) || null,
  value: ({ data }) => {
    const value = data ? data.value : null;
    if (typeof value === "boolean") return Number(value);
    return Number.isNaN(value) || typeof value === "object" ? null : value;
  },
  quality: ({ data }) => data && QUALITIES.indexOf(data.severity) + data.symbol,
  age: ({ data }) => (data && data.time ? -data.time : null),
};

/** Columns that can be compared only when the values are known. */
export const isLive = (column) => column !== "name" && column !== "unit";

/** *names*, which are in natural order, sorted by a column of the list; unknown ones come last.
 * *kept* (name -> key) holds the keys of the last call; they stay, so that rows keep their places
 * when values change. */
export function ordered(names, variables, { column, reverse, kept }) {
  if (column === "name") return reverse ? Array.from(names).reverse() : names;
  const keys = new Map(names.map((name) => [
    name, kept.has(name) ? kept.get(name) : KEYS[column](variables.get(name)),
  ]));
  const unknown = names.filter((name) => keys.get(name) === null);
  const known = names.filter((name) => keys.get(name) !== null);
  if (isLive(column)) known.forEach((name) => kept.set(name, keys.get(name)));
  const way = reverse ? -1 : 1;
  known.sort((one, other) => way * difference(keys.get(one), keys.get(other)));
  return known.concat(unknown);
}

/** Numbers come before text. */
function difference(one, other) {
  const text = (typeof one === "string") - (typeof other === "string");
  if (text) return text;
  if (typeof one === "string") return compare(one, other);
  return (one > other) - (one < other);
}
