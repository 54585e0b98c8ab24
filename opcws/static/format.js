// Values, qualities and times as text for people.  Nothing here knows the page.

import { locale, said, t } from "./texts.js";

const SIGNS = new Intl.NumberFormat(locale).formatToParts(1.5);
/** The decimal separator: a comma or a point. */
export const POINT = SIGNS.some(({ type, value }) => type === "decimal" && value === ",") ? "," : ".";
const BETWEEN = POINT === "," ? "; " : ", "; // values of a list

/** A number, or a text with one, in the notation of the page's language. */
export const localized = (number) => String(number).replace(".", POINT);

export const boolText = (value) => (value ? t("true") : t("false"));

const NUMBERS = new Set([
  "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double",
]);
const WHOLE = new Set(["SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64"]);

export const isNumber = (type) => NUMBERS.has(type);
export const isWhole = (type) => WHOLE.has(type);
export const isUnsigned = (type) => /^(Byte|UInt\d+)$/.test(type);

/** Whether a trend can show the variable. */
export function isPlottable(info) {
  return !info.IsArray && (isNumber(info.Type) || info.Type === "Boolean");
}

export function unitOf(info) {
  return (info.EngineeringUnits && info.EngineeringUnits.DisplayName) || "";
}

/** The parts of *name*, each including the point after it. */
export function nameParts(name) {
  return name.match(/[^./]+[./]*|[./]+/g) || [];
}

/** The common beginnings of several *names*, after which they differ. */
export function forks(names) {
  const next = new Map(); // beginning -> the part behind it
  const found = new Set();
  for (const name of names) {
    let start = "";
    for (const part of nameParts(name)) {
      const known = next.get(start);
      if (known === undefined) next.set(start, part);
      else if (known !== part) found.add(start);
      start += part;
    }
  }
  return found;
}

/** *name* in about *most* characters: it first loses the parts that all names share after the
 * *forked* beginnings, and its end last. */
export function shortName(name, forked, most) {
  let start = "";
  const pieces = nameParts(name).map((text) => {
    const tells = forked.has(start);
    start += text;
    return { text, tells };
  });
  const last = pieces.length - 1;
  const joined = () => pieces.map(({ text }) => text).join("").replace(/[./]*…+/g, "…");
  for (const idle of [(n) => n < last, () => true]) {
    for (let n = 0; n <= last && joined().length > most; n += 1) {
      if (idle(n) && !pieces[n].tells) pieces[n].text = "…";
    }
  }
  while (joined().length > most) {
    const long = pieces.reduce((one, other) => (other.text.length > one.text.length ? other : one));
    if (long.text.length <= 4) break;
    const plain = long.text.replace("…", "");
    const half = Math.ceil(plain.length / 2);
    long.text = plain.slice(0, half - 1) + "…" + plain.slice(half);
  }
  return joined();
}

/** [{value, name}] of an enumeration; null if it is none. */
export function choices(info) {
  if (info.EnumValues && info.EnumValues.length) {
    return info.EnumValues.map((one) => ({ value: one.Value, name: one.DisplayName }));
  }
  if (info.EnumStrings && info.EnumStrings.length) {
    return info.EnumStrings.map((name, value) => ({ value, name: name || String(value) }));
  }
  return null;
}

function chosen(info, value) {
  if (typeof value !== "number" && typeof value !== "bigint") return null;
  const known = choices(info);
  const one = known && known.find((choice) => String(choice.value) === String(value));
  return one ? one.name : null;
}

/** Decimal places that show a ten-thousandth of the range; null without a range. */
export function decimals(info) {
  const range = info.EURange;
  const span = range ? range.High - range.Low : 0;
  if (!(span > 0) || info.Type === undefined || isWhole(info.Type)) return null;
  return Math.max(0, Math.min(6, Math.ceil(-Math.log10(span / 10000) - 1e-9)));
}

function numberText(value, places) {
  if (!Number.isFinite(value)) return { NaN: t("not a number") }[value] || (value > 0 ? "∞" : "−∞");
  if (Number.isInteger(value) && Math.abs(value) < 1e15 && places === null) return String(value);
  if (places !== null && Math.abs(value) < 1e9) return value.toFixed(places).replace(ZERO, "$1");
  return String(Number(value.toPrecision(7)));
}

const ZERO = /^-(0\.?0*)$/;
const TOLD = 3; // least digits of a number that is rounded without an exponent

/** *text* for *number*; if it is longer than *most*, as many digits as fit.  The least is one digit
 * and the exponent, such as -1e-300. */
function rounded(text, number, most) {
  if (text.length <= most) return text;
  if (!Number.isFinite(number)) return String(number);
  const whole = number.toFixed(0).length;
  if (whole <= most) {
    const plain = number.toFixed(Math.max(0, Math.min(20, most - whole - 1)));
    const told = plain.replace(/^[-0.]*|\./g, "").length;
    if (told >= TOLD || Number(plain) === number) return plain;
  }
  for (let digits = 14; digits > 0; digits -= 1) {
    const short = number.toExponential(digits);
    if (short.length <= most) return short;
  }
  return number.toExponential(0);
}

/** Any value in one line, in at most *most* characters; a number loses digits rather than being
 * cut. */
export function valueText(value, info = {}, most = 120) {
  if (value === null || value === undefined) return t("none");
  const name = chosen(info, value);
  if (name !== null) {
    const number = " (" + value + ")";
    return cut(name, Math.max(1, most - number.length)) + number;
  }
  if (value === "") return t("(empty)");
  if (typeof value === "number") {
    return localized(rounded(numberText(value, decimals(info)), value, most));
  }
  if (typeof value === "bigint") return localized(rounded(String(value), Number(value), most));
  if (info.Type === "DateTime" && isTime(value)) return cut(momentWithin(new Date(value), most), most);
  return typeof value === "string" ? cut(value, most) : inLine(value, most);
}

/** The value of *data* in one line, with at most *most* characters. */
export function dataText(data, info = {}, most = 120) {
  if (data.value === null && data.severity === "bad") return "–";
  return valueText(data.dimensions ? rows(data.value, data.dimensions) : data.value, info, most);
}

/** The flat *list* as nested lists with these *dimensions*. */
export function rows(list, dimensions) {
  const [_first, ...inner] = dimensions;
  if (!inner.length || !Array.isArray(list)) return list;
  const size = inner.reduce((product, one) => product * one, 1);
  return Array.from({ length: size ? list.length / size : 0 },
    (_none, n) => rows(list.slice(n * size, (n + 1) * size), inner));
}

/** The value with every digit, in at most *most* characters. */
export function exactText(value, info = {}, most = 4000) {
  if (value !== null && typeof value === "object") return cut(jsonText(value), most);
  if (typeof value === "number" && chosen(info, value) === null) return localized(value);
  if (info.Type === "DateTime" && typeof value === "string") return exactMoment(value);
  return valueText(value, { ...info, Type: undefined }, most);
}

function cut(text, most) {
  return text.length > most ? text.slice(0, Math.max(0, most - 1)) + "…" : text;
}

/** A part of a value; texts and nested values in at most *most* characters. */
function inLine(value, most) {
  if (value === null || value === undefined) return t("none");
  if (typeof value === "number") return localized(numberText(value, null));
  if (typeof value === "boolean") return boolText(value);
  if (typeof value === "string") return cut(JSON.stringify(value.slice(0, most)), most);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return listed("[", value, "]", most, inLine);
  const { name, text, members } = parts(value);
  if (text !== null) return cut(text, most);
  return listed((name && name + " ") + "{", Object.keys(members), "}", most,
    (key, room) => key + ": " + inLine(members[key], room - key.length - 2));
}

/** As many of *all* as fit, in brackets; "…" stands for the others. */
function listed(open, all, close, most, textOf) {
  let text = open;
  for (let n = 0; n < all.length; n += 1) {
    const left = most - text.length - close.length - (n ? 2 : 0);
    const rest = n < all.length - 1 ? 3 : 0; // ", …"
    const one = textOf(all[n], left - rest);
    if (one.length > left - rest) return text + (n ? BETWEEN : "") + "…" + close;
    text += (n ? BETWEEN : "") + one;
  }
  return text + close;
}

/** A value that is an object in JSON, for people: {name, text, members}; text is for values that
 * are no structures. */
export function parts(value) {
  const none = { name: "", text: null, members: {} };
  if (value.severity !== undefined) return { ...none, members: { [value.type]: value.value } };
  const keys = Object.keys(value);
  const only = (...known) => keys.length > 0 && keys.every((key) => known.includes(key));
  if (only("Locale", "Text")) return { ...none, text: value.Text || t("(empty)") };
  if (only("Name", "Uri", "NamespaceIndex")) return { ...none, text: String(value.Name) };
  if (only("Code", "Symbol")) return { ...none, text: value.Symbol || String(value.Code) };
  if (!only("TypeId", "Encoding", "Body")) return { ...none, members: value };
  const name = typeName(value.TypeId);
  const { Body } = value;
  if (Body === null || Body === undefined) return { ...none, name, text: name || t("none") };
  if (typeof Body === "object" && !Array.isArray(Body)) return { ...none, name, members: Body };
  return { ...none, name, text: t("{name} of an unknown form", { name: name || t("structure") }) };
}

/** The name in a node id such as "nsu=urn:machine;s=Vector". */
function typeName(id) {
  const found = /(?:^|;)s=(.*)$/.exec(String(id));
  return found ? found[1].replace(/^"|"$/g, "") : "";
}

/** JSON, with BigInt as a number. */
export function jsonText(value) {
  if (value === null || value === undefined) return "null";
  if (typeof value === "bigint" || typeof value === "number") return String(value);
  if (Array.isArray(value)) return "[" + value.map(jsonText).join(", ") + "]";
  if (typeof value === "object") {
    const plain = value.severity === undefined ? value : { Type: value.type, Body: value.value };
    return "{" + Object.keys(plain).map(
      (name) => JSON.stringify(name) + ": " + jsonText(plain[name])).join(", ") + "}";
  }
  return JSON.stringify(value);
}

const LIMITS = [ // the worst first; {mark} tells them apart without a colour
  ["HighHigh", 1, "bad", "▲▲"], ["LowLow", -1, "bad", "▼▼"],
  ["High", 1, "doubt", "▲"], ["Low", -1, "doubt", "▼"],
];

/** The limit that *value* violates: {kind: "doubt" | "bad", mark, text}; null if none.  A value
 * equal to its limit does not violate it. */
export function limitOf(value, info) {
  if (typeof value !== "number" && typeof value !== "bigint") return null;
  const limits = info.Limits || {};
  const range = info.EURange || {};
  const beyond = (limit, sign) => typeof limit === "number" && (sign > 0 ? value > limit : value < limit);
  const found = (at) => {
    const [name, sign, kind, mark] = LIMITS[at];
    return beyond(limits[name], sign) && {
      kind, mark, text: (sign > 0 ? t("above {limit}", { limit: limitText(name, limits[name]) })
        : t("below {limit}", { limit: limitText(name, limits[name]) })),
    };
  };
  return found(0) || found(1) || outside(value, range, beyond) || found(2) || found(3) || null;
}

function outside(value, range, beyond) {
  if (!(range.Low < range.High)) return null; // servers without a range write 0 to 0
  const high = beyond(range.High, 1);
  return (high || beyond(range.Low, -1)) && {
    kind: "bad", mark: high ? "▲▲" : "▼▼",
    text: high ? t("above the range {range}", { range: rangeText(range.Low, range.High) })
      : t("below the range {range}", { range: rangeText(range.Low, range.High) }),
  };
}

export function rangeText(low, high) {
  return t("{low} to {high}", { low: localized(low), high: localized(high) });
}

export const limitText = (name, limit) => name + " " + localized(limit);

const OLD = new Set([
  "BadNotConnected", "BadNoCommunication", "BadCommunicationError", "BadConnectionClosed",
  "BadServerNotConnected", "BadWaitingForInitialData", "BadOutOfService",
]);

/** Whether *data* is an old value, because the plant, or the source behind it, is not connected. */
export function isStale(data) {
  return OLD.has(data.symbol) || /^Uncertain(NoCommunication)?LastUsable/.test(data.symbol);
}

/** Which clock the time is from, and the time with every digit. */
export function timeTitle(data) {
  if (!data.time) return "";
  const time = exactMoment(data.sourceTimestamp || data.serverTimestamp);
  return data.sourceTimestamp ? t("The source's timestamp: {time}", { time })
    : t("The server's timestamp, as the source has none: {time}", { time });
}

/** {kind: "good" | "doubt" | "bad" | "old", text, words, title}; it is old if not *live*.  *words*
 * explain the symbol in *text* in the language of the page; "" if it has no explanation. */
export function quality(data, live = true) {
  if (!live) {
    return { kind: "old", text: t("last known"), words: "",
      title: t("There is no connection to opcws.  The last quality was {quality}.",
        { quality: data.symbol }) };
  }
  const kind = { good: "good", uncertain: "doubt", bad: "bad" }[data.severity];
  const past = isStale(data) && data.value !== null ? t("The value is the last known one.") + "  " : "";
  const [text, words] = data.symbol === "Good" ? [t("Good"), ""] : [data.symbol, said(data.symbol, "")];
  return { kind, text, words, title: past + [words, said(data.reason)].filter(Boolean).join(": ") };
}

/** The quality in one line. */
export const qualityText = ({ text, words }) => (words ? text + " – " + words : text);

/** The age of *time* (a Date), as text. */
export function ageText(time, now = Date.now()) {
  const seconds = (now - time) / 1000;
  if (Number.isNaN(seconds)) return "";
  if (seconds < 1) return t("now"); // also if the source's clock is ahead
  if (seconds < 100) return Math.floor(seconds) + " s";
  if (seconds < 6000) return Math.floor(seconds / 60) + " min";
  if (seconds < 172800) return Math.floor(seconds / 3600) + " h";
  return Math.floor(seconds / 86400) + " d";
}

/** The chosen time zone, an IANA name; undefined for this device's. */
export let otherZone;
let numbers; // formats the parts of a time in it
let writers; // formats of the locale, by their options

/** Use the time zone *name* from now on; returns whether this browser knows it. */
export function setZone(name) {
  try {
    numbers = new Intl.DateTimeFormat("en-US", {
      timeZone: name, hourCycle: "h23", ...SHORT_DAY, year: "numeric", ...fine(0),
    });
  } catch (error) {
    return false;
  }
  writers = new Map();
  otherZone = name;
  return true;
}

const TWO = "2-digit";
const CLOCK = { hour: TWO, minute: TWO };
const SHORT_DAY = { year: TWO, month: TWO, day: TWO };
const ZONE = { timeZoneName: "short" };
// Dates have the name of the month if the locale has one: 11/12/2026 is ambiguous.
const NAMED = new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).formatToParts(0)
  .some(({ type, value }) => type === "month" && /\p{L}/u.test(value));
const DAY = { year: "numeric", month: NAMED ? "short" : TWO, day: TWO };

/** The locale's format for these parts of a time. */
function writer(options) {
  const key = JSON.stringify(options);
  if (!writers.has(key)) {
    writers.set(key, new Intl.DateTimeFormat(locale, { timeZone: otherZone, ...options }));
  }
  return writers.get(key);
}

/** To the minute if *places* is null, to the second if it is 0. */
const fine = (places) => ({
  ...CLOCK, ...(places === null ? {} : { second: TWO }),
  ...(places ? { fractionalSecondDigits: places } : {}),
});

setZone();

/** {year, month, day, hour, minute, second} */
function partsOf(time) {
  return Object.fromEntries(numbers.formatToParts(time).map(({ type, value }) => [type, value]));
}

/** The time of day, with *places* decimal places of the second; null: without seconds. */
export const clock = (time, places = 0) => writer(fine(places)).format(time);

/** The date. */
export const day = (time) => writer(DAY).format(time);

/** Whether *time* is the start of a day. */
export const isMidnight = (time) => (
  fieldTime(time).endsWith("T00:00:00") && time.getMilliseconds() === 0);

/** The name of the time zone at *time*, such as UTC or CET. */
export function zoneText(time) {
  return writer(ZONE).formatToParts(time).find(({ type }) => type === "timeZoneName").value;
}

/** Time of day and time zone. */
export const clockOf = (time) => writer({ ...fine(0), ...ZONE }).format(time);

/** Date, time of day and time zone. */
export const moment = (time, places = 0) => writer({ ...DAY, ...fine(places), ...ZONE }).format(time);

/** As much of date and time as fits *most* characters. */
function momentWithin(time, most) {
  const all = [
    { ...DAY, ...fine(0), ...ZONE }, { ...DAY, ...fine(0) }, { ...SHORT_DAY, ...CLOCK }, SHORT_DAY,
  ].map((options) => writer(options).format(time));
  return all.find((text) => text.length <= most) || all.pop();
}

const isTime = (text) => typeof text === "string" && !Number.isNaN(Date.parse(text));

/** A time of OPC UA, with all its digits. */
function exactMoment(text) {
  if (!isTime(text)) return text;
  const [, digits] = /\.(\d+)/.exec(text) || [];
  return writer({ ...DAY, ...fine(digits ? 3 : 0), ...ZONE }).formatToParts(new Date(text))
    .map(({ type, value }) => (type === "fractionalSecond" ? digits : value)).join("");
}

/** The value for <input type="datetime-local">. */
export function fieldTime(time) {
  const { year, month, day: date, hour, minute, second } = partsOf(time);
  return year.padStart(4, "0") + "-" + month + "-" + date + "T" + hour + ":" + minute + ":" + second;
}

/** The time in such a field; of two times with the same text, the first. */
export function timeOfField(text) {
  const told = Date.parse(text + "Z");
  if (Number.isNaN(told)) return new Date(NaN);
  const [most, least] = [-1, 1].map((way) => ahead(new Date(told + way * 86400e3)))
    .sort((one, other) => other - one);
  const first = new Date(told - most);
  return ahead(first) === most ? first : new Date(told - least);
}

/** How far (ms) the zone is ahead of UTC at *time*. */
function ahead(time) {
  return Date.parse(fieldTime(time) + "Z") - Math.floor(time / 1000) * 1000;
}

/** The name of the time zone of all shown times. */
export function zone() {
  return numbers.resolvedOptions().timeZone;
}

/** A time of OPC UA as ISO 8601 with the offset of that zone, and all its digits. */
export function zoned(text) {
  const time = new Date(text);
  const [digits] = /\.\d+/.exec(text) || [""];
  const offset = ahead(time) / 60000;
  const size = Math.abs(offset);
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  return fieldTime(time) + digits + (offset < 0 ? "-" : "+") + two(size / 60) + ":" + two(size % 60);
}

/** The input of a person, as a value of the type in *info*.  Throws an Error that says what is
 * wrong. */
export function parsed(text, info) {
  const trimmed = text.trim();
  if (info.IsArray || !(isNumber(info.Type) || info.Type === "String")) {
    if (info.Type !== undefined && !info.IsArray && !STRUCTURED.has(info.Type)) return trimmed;
    try {
      return JSON.parse(quoted(trimmed));
    } catch (error) {
      throw new Error(t("Write it as JSON, such as {example}: {reason}", {
        example: info.IsArray ? "[1, 2, 3]" : '"text"', reason: error.message,
      }));
    }
  }
  if (info.Type === "String") return text;
  if (isWhole(info.Type)) {
    if (!/^[+-]?\d+$/.test(trimmed)) throw new Error(t("Write a whole number, without a point."));
    return BigInt(trimmed.replace("+", ""));
  }
  const special = { nan: NaN, infinity: Infinity, "-infinity": -Infinity }[trimmed.toLowerCase()];
  if (special !== undefined) return special;
  if (!/^[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?$/i.test(trimmed)) {
    throw new Error(t("Write a number, such as {example}", { example: localized(1.5) }));
  }
  // It may have the other language's decimal separator, or a thousands separator.
  if (/^[+-]?[1-9]\d{0,2}[.,]\d{3}$/.test(trimmed) && !trimmed.includes(POINT)) {
    const [whole, part] = trimmed.split(/[.,]/);
    throw new Error(t("{number} may be {one} or {other}: write one of them.", {
      number: trimmed, one: whole + POINT + part, other: whole + part,
    }));
  }
  return Number(trimmed.replace(",", "."));
}

const STRUCTURED = new Set([
  "StatusCode", "QualifiedName", "LocalizedText", "ExtensionObject", "DataValue", "Variant",
]);

/** JSON in which integers that a double cannot hold are texts, which opcws accepts too. */
function quoted(text) {
  return text.replace(/"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g,
    (part) => (part[0] === '"' ? part : '"' + part + '"'));
}

/** The text for the field in which a value is edited. */
export function editable(value, info) {
  if (value === null || value === undefined) return "";
  if (info.IsArray || typeof value === "object") return jsonText(value);
  return typeof value === "number" ? localized(value) : String(value);
}
