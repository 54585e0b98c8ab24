// A view: an arrangement of charts and present values, in the form of schemas/view.schema.json.
// Nothing here draws.

import { isPlottable, unitOf } from "./format.js";
import { t } from "./texts.js";

export const SPAN_S = 300; // default range of charts
export const MOST = { panels: 50, variables: 16, seconds: 10 * 366 * 86400 };
const OFFERED = { tiles: 6, charts: 4, curves: 4 }; // at most, in the first view

/** *given*, parsed JSON, as a view.  Throws an Error that says what is wrong. */
export function viewOf(given) {
  const wrong = (what) => { throw new Error(t("This is no view: {reason}", { reason: what })); };
  if (!given || typeof given !== "object") wrong(t("expected an object with Name and Panels"));
  if (!isText(given.Name, 64) || !given.Name.trim()) wrong("Name: " + t("expected 1 to 64 characters"));
  if (/^\.\.?$/.test(given.Name)) wrong("Name: " + t("points alone are none")); // URLs treat them as steps
  if (!Array.isArray(given.Panels) || given.Panels.length > MOST.panels) {
    wrong("Panels: " + t("expected a list of at most {count}", { count: MOST.panels }));
  }
  const view = { Name: given.Name, Panels: given.Panels.map((panel, n) => {
    const where = "Panels[" + n + "].";
    if (!panel || !["chart", "values"].includes(panel.Kind)) {
      wrong(where + "Kind: " + t("expected chart or values"));
    }
    if (!isNames(panel.Variables) || !panel.Variables.length) {
      wrong(where + "Variables: " + t("expected 1 to {count} names", { count: MOST.variables }));
    }
    const made = { Kind: panel.Kind, Variables: Array.from(new Set(panel.Variables)) };
    if (isText(panel.Title, 120) && panel.Title) made.Title = panel.Title;
    if (isNames(panel.Hidden) && panel.Hidden.length) made.Hidden = panel.Hidden;
    if (panel.Span >= 1) made.Span = seconds(panel.Span);
    const axes = (Array.isArray(panel.Axes) ? panel.Axes : []).filter(
      (axis) => axis && isText(axis.Unit, 64)).map(({ Unit, Low, High }) => (
      Number.isFinite(Low) && Number.isFinite(High) && Low < High ? { Unit, Low, High } : { Unit }));
    if (axes.length) made.Axes = axes.slice(0, MOST.variables);
    made.Width = within(panel.Width, 6);
    made.Height = within(panel.Height, 2);
    return made;
  }) };
  const [from, to] = [given.From, given.To].map((time) => new Date(String(time)).getTime());
  if (FIRST <= from && from < to && to < LAST) {
    view.From = new Date(Math.max(from, to - MOST.seconds * 1000)).toISOString();
    view.To = new Date(to).toISOString();
  }
  view.Span = given.Span >= 1 ? seconds(given.Span) : SPAN_S;
  return view;
}

const [FIRST, LAST] = [Date.UTC(1601), Date.UTC(10000)]; // the first of OPC UA, the end of four digits
const seconds = (span) => Math.min(Number(span), MOST.seconds);
// Counted as in Python: a character beyond 16 bits counts once.
const isText = (text, most) => typeof text === "string" && Array.from(text).length <= most;
const isNames = (names) => Array.isArray(names) && names.length <= MOST.variables &&
  names.every((name) => isText(name, 256) && name);
const within = (size, other) => (
  Number.isInteger(size) ? Math.max(1, Math.min(12, size)) : other);

/** A view as a part of an address, and back. */
export function encoded(view) {
  const bytes = new TextEncoder().encode(JSON.stringify(view));
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

export function decoded(text) {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  return viewOf(JSON.parse(new TextDecoder().decode(bytes)));
}

/** A first view of the variables: some values, and a chart for each of the most common units. */
export function offered(names, infoOf) {
  const units = new Map();
  names.filter((name) => isPlottable(infoOf(name))).forEach((name) => {
    const unit = unitOf(infoOf(name));
    if (!units.has(unit)) units.set(unit, []);
    units.get(unit).push(name);
  });
  // Variables with a unit are measured values, and more interesting.
  const order = Array.from(units).sort(([one, ofOne], [other, ofOther]) => (
    Boolean(other) - Boolean(one) || ofOther.length - ofOne.length));
  const tiles = order.flatMap(([_unit, found]) => found.slice(0, 2)).slice(0, OFFERED.tiles);
  const charts = order.slice(0, OFFERED.charts);
  return {
    Name: t("Overview"), Span: SPAN_S,
    Panels: [
      ...(tiles.length ? [{ Kind: "values", Variables: tiles, Width: 12, Height: 1 }] : []),
      ...charts.map(([_unit, found]) => ({
        Kind: "chart", Variables: found.slice(0, OFFERED.curves), Width: 6, Height: 2,
      })),
    ],
  };
}

/** {least, mean, most, last} of a curve that holds its values, within {from, to}; null if it has
 * none. */
export function figures({ times, values }, { from, to }) {
  let [least, most, last] = [Infinity, -Infinity, null];
  let [sum, length] = [0, 0];
  times.forEach((time, n) => {
    const value = values[n];
    const end = Math.min(to, n + 1 < times.length ? times[n + 1] : time);
    if (time > to || (end < from && n + 1 < times.length)) return;
    last = value;
    if (value === null) return;
    least = Math.min(least, value);
    most = Math.max(most, value);
    const held = Math.max(0, end - Math.max(from, time));
    sum += held * value;
    length += held;
  });
  return least > most ? null : { least, most, last, mean: length ? sum / length : least };
}
