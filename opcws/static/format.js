// Values, qualities and times as text for people.  Nothing here knows the page.

const NUMBERS = new Set([
  "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double",
]);
const WHOLE = new Set(["SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64"]);

export const isNumber = (type) => NUMBERS.has(type);
export const isWhole = (type) => WHOLE.has(type);
export const isUnsigned = (type) => /^(Byte|UInt\d+)$/.test(type);

/** Whether a trend can show it. */
export function isPlottable(info) {
  return !info.IsArray && (isNumber(info.Type) || info.Type === "Boolean");
}

export function unitOf(info) {
  return (info.EngineeringUnits && info.EngineeringUnits.DisplayName) || "";
}

/** *name* as its beginning and an end of a few letters, from a point on if there is one. */
export function parted(name) {
  const most = 14;
  const points = Array.from(name.matchAll(/[./]/g), (found) => found.index);
  const place = points.find((index) => name.length - index <= most);
  const cut = place === undefined ? Math.max(0, name.length - 8) : place;
  return [name.slice(0, cut), name.slice(cut)];
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

/** Digits behind the point that say a ten-thousandth of the range; null without a range. */
export function decimals(info) {
  const range = info.EURange;
  const span = range ? range.High - range.Low : 0;
  if (!(span > 0) || info.Type === undefined || isWhole(info.Type)) return null;
  return Math.max(0, Math.min(6, Math.ceil(-Math.log10(span / 10000) - 1e-9)));
}

function numberText(value, places) {
  if (!Number.isFinite(value)) return { NaN: "not a number" }[value] || (value > 0 ? "∞" : "−∞");
  if (Number.isInteger(value) && places === null) return String(value);
  if (places !== null && Math.abs(value) < 1e9) return value.toFixed(places);
  return String(Number(value.toPrecision(7)));
}

/** Any value in one line, with at most *most* characters. */
export function valueText(value, info = {}, most = 120) {
  if (value === null || value === undefined) return "–";
  const name = chosen(info, value);
  if (name !== null) return name + " (" + value + ")";
  if (value === "") return "(empty)";
  if (typeof value === "number") return numberText(value, decimals(info));
  if (info.Type === "DateTime" && !Array.isArray(value)) {
    const time = new Date(value);
    if (!Number.isNaN(time.getTime())) return moment(time);
  }
  return cut(typeof value === "string" ? value : jsonText(value, true), most);
}

/** With every digit, and at most *most* characters. */
export function exactText(value, info = {}, most = 4000) {
  if (value !== null && typeof value === "object") return cut(jsonText(value), most);
  if (typeof value === "number" && chosen(info, value) === null) return String(value);
  return valueText(value, { ...info, Type: undefined }, most);
}

function cut(text, most) {
  return text.length > most ? text.slice(0, most - 1) + "…" : text;
}

/** As JSON, with BigInt as a number and, if *short*, numbers rounded for reading. */
export function jsonText(value, short = false) {
  if (value === null || value === undefined) return "null";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return short ? numberText(value, null) : String(value);
  if (Array.isArray(value)) return "[" + value.map((one) => jsonText(one, short)).join(", ") + "]";
  if (typeof value === "object") {
    const plain = value.severity === undefined ? value : { Type: value.type, Body: value.value };
    return "{" + Object.keys(plain).map(
      (name) => JSON.stringify(name) + ": " + jsonText(plain[name], short)).join(", ") + "}";
  }
  return JSON.stringify(value);
}

/** {kind: "good" | "doubt" | "bad", text} */
export function quality(data) {
  const kind = { good: "good", uncertain: "doubt", bad: "bad" }[data.severity];
  return { kind, text: data.severity === "good" && data.symbol === "Good" ? "Good" : data.symbol };
}

/** How long ago *time* (a Date) was. */
export function ageText(time, now = Date.now()) {
  const seconds = (now - time) / 1000;
  if (Number.isNaN(seconds)) return "";
  if (seconds < 1) return "now"; // also if the source's clock is ahead
  if (seconds < 100) return Math.floor(seconds) + " s";
  if (seconds < 6000) return Math.floor(seconds / 60) + " min";
  if (seconds < 172800) return Math.floor(seconds / 3600) + " h";
  return Math.floor(seconds / 86400) + " d";
}

const two = (number) => String(number).padStart(2, "0");

/** The time of the day, with *places* digits of a second; null for none. */
export function clock(time, places = 0) {
  const text = two(time.getHours()) + ":" + two(time.getMinutes());
  if (places === null) return text;
  const part = places ? "." + String(time.getMilliseconds()).padStart(3, "0").slice(0, places) : "";
  return text + ":" + two(time.getSeconds()) + part;
}

/** The local date, as 2026-11-22. */
export function day(time) {
  return time.getFullYear() + "-" + two(time.getMonth() + 1) + "-" + two(time.getDate());
}

/** Date and time of the day, local. */
export function moment(time, places = 0) {
  return day(time) + " " + clock(time, places);
}

/** What a person typed, as a value of the type that *info* has.  Throws an Error that says what
 * is wrong. */
export function parsed(text, info) {
  const trimmed = text.trim();
  if (info.IsArray || !(isNumber(info.Type) || info.Type === "String")) {
    if (info.Type !== undefined && !info.IsArray && !STRUCTURED.has(info.Type)) return trimmed;
    try {
      return JSON.parse(quoted(trimmed));
    } catch (error) {
      throw new Error("Write it as JSON, such as " + (info.IsArray ? "[1, 2, 3]" : '"text"') +
        ": " + error.message);
    }
  }
  if (info.Type === "String") return text;
  if (isWhole(info.Type)) {
    if (!/^[+-]?\d+$/.test(trimmed)) throw new Error("Write a whole number, without a point.");
    return BigInt(trimmed.replace("+", ""));
  }
  if (trimmed.includes(",")) throw new Error("Write a point, not a comma: 1.5");
  const special = { nan: NaN, infinity: Infinity, "-infinity": -Infinity }[trimmed.toLowerCase()];
  if (special !== undefined) return special;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) {
    throw new Error("Write a number, such as 1.5");
  }
  return Number(trimmed);
}

const STRUCTURED = new Set([
  "StatusCode", "QualifiedName", "LocalizedText", "ExtensionObject", "DataValue", "Variant",
]);

/** JSON with whole numbers that a double does not hold as text, which opcws takes as well. */
function quoted(text) {
  return text.replace(/"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g,
    (part) => (part[0] === '"' ? part : '"' + part + '"'));
}

/** What to put into the field where a value is changed. */
export function editable(value, info) {
  if (value === null || value === undefined) return "";
  if (info.IsArray || typeof value === "object") return jsonText(value);
  return String(value);
}
