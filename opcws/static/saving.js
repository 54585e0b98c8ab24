// Loaded values as a CSV file.

import { exactText, zone, zoned } from "./format.js";
import { t } from "./texts.js";

// Spreadsheets calculate texts that begin so, even -2+3; plain numbers are safe.
const FORMULA = /^(?!-\d+(\.\d*)?(e[+-]?\d+)?$|-Infinity$)[=+\-@\t\r]/i;

/** The values of *curves*, [{values}], by time: [{time, source, cells}], with times as text, the
 * source's if it has one, and a cell for each curve. */
export function merged(curves) {
  const rows = new Map();
  curves.forEach(({ values }, column) => {
    const counted = new Map();
    for (const data of values) {
      const time = data.sourceTimestamp || data.serverTimestamp || "";
      const stamp = time.replace(/(\.\d+)?Z$/, (_all, digits = ".") => digits.padEnd(8, "0"));
      const number = (counted.get(stamp) || 0) + 1; // among those with this time
      counted.set(stamp, number);
      const key = stamp + " " + number;
      if (!rows.has(key)) rows.set(key, { time, stamp, source: "", cells: curves.map(() => null) });
      const row = rows.get(key);
      row.source = row.source || data.sourceTimestamp || "";
      row.cells[column] = data;
    }
  });
  return Array.from(rows.values()).sort(
    (one, other) => (one.stamp < other.stamp ? -1 : Number(one.stamp > other.stamp)));
}

/** A table of *curves*, [{name, values}]; *title*(name) is the head of the values. */
export function csv(curves, title) {
  const head = [t("Time") + " (" + zone() + ")", "SourceTimestamp",
    ...[].concat(...curves.map(({ name }) => [title(name), t("{name} quality", { name })]))];
  const rows = merged(curves).map(({ time, source, cells }) => [
    time && zoned(time), source, ...[].concat(...cells.map((data) => (data
      ? [exact(data.value), data.symbol] : ["", ""]))),
  ]);
  // The byte order mark tells spreadsheets that it is UTF-8.
  return "\ufeff" + [head, ...rows].map((row) => row.map(field).join(",") + "\r\n").join("");
}

function exact(value) {
  if (value === null) return "";
  if (typeof value !== "object") return String(value);
  return exactText(value, {}, Infinity);
}

/** A field of a line of CSV (RFC 4180); formulas become text. */
export function field(text) {
  const plain = FORMULA.test(text) ? "'" + text : text;
  return /[",\r\n]/.test(plain) ? '"' + plain.replace(/"/g, '""') + '"' : plain;
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
