// Writing a value: enter it, confirm it, see the result.

import {
  boolText, choices, editable, exactText, isNumber, isUnsigned, localized, parsed, quality, qualityText, rangeText, unitOf,
  valueText,
} from "./format.js";
import { problemText, said, t } from "./texts.js";

const ARMED_MS = 500; // after the question: a faster person has not read it
const CHANGE_LENGTH = 60; // of a value that is shown next to its old one
const TIME = "2026-12-31T23:00:00Z"; // in the form for WRITE
const LISTED = 8; // most values of an enumeration in a message

export class Writing {
  /** *shade*: the element around the dialog.  *page*: client, info(name), data(name),
   * onWritten(text). */
  constructor(shade, page) {
    this.shade = shade;
    this.page = page;
    this.by = (id) => shade.querySelector("#writing-" + id);
    this.form = shade.querySelector("form");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.next();
    });
    this.by("cancel").addEventListener("click", () => this.back());
    shade.addEventListener("keydown", (event) => this.key(event));
    shade.addEventListener("click", (event) => {
      if (event.detail < 2 || !event.target.closest("button")) return;
      event.preventDefault(); // the second of a double click
      event.stopPropagation();
    }, true);
  }

  get open() {
    return !this.shade.hidden;
  }

  start(name) {
    this.name = name;
    this.info = this.page.info(name);
    this.back_to = document.activeElement;
    this.by("title").textContent = t("Write {name}", { name });
    this.by("field").textContent = "";
    this.field = this.makeField();
    this.field.id = "writing-value";
    this.field.setAttribute("aria-describedby", "writing-hint");
    this.by("field").appendChild(this.field);
    const range = usualRange(this.info);
    this.by("hint").textContent = [
      this.info.Type + (this.info.IsArray ? ", " + t("an array, as JSON") : ""),
      this.info.Type === "DateTime" ? t("such as {example}", { example: TIME }) : "",
      range ? t("usually {range}", { range: rangeText(...range) }) : "",
      unitOf(this.info),
    ].filter(Boolean).join(", ");
    document.body.classList.add("asking");
    this.shade.hidden = false;
    this.step("edit");
  }

  get connected() {
    const client = this.page.client();
    return Boolean(client) && client.state === "open";
  }

  /** The present value, or the state of the connection, has changed. */
  refresh() {
    if (!this.open) return;
    const data = this.page.data(this.name);
    const now = this.by("now");
    now.textContent = "";
    if (data && isReadable(this.info)) {
      const text = valueText(data.value, this.info);
      now.textContent =
        t("Now: {value}", { value: data.value === null ? text : withUnit(text, this.info) }) + "\u2003";
      const how = document.createElement("span");
      const is = this.connected ? quality(data) : { kind: "doubt", text: t("last known"), words: "" };
      how.className = "quality " + is.kind;
      how.textContent = qualityText(is);
      now.appendChild(how);
    }
    if (this.at !== "ask") return;
    say(this.by("changed"), changeText(this.asked, data, this.info));
    say(this.by("reason"), doubts(this.value, this.info, data, this.connected)
      .map((doubt) => doubt[0].toUpperCase() + doubt.slice(1) + ".").join(" "));
  }

  makeField() {
    const data = this.page.data(this.name);
    const now = data ? data.value : null;
    const offered = this.info.IsArray ? null : this.info.Type === "Boolean"
      ? [true, false].map((value) => ({ value, name: boolText(value) })) : choices(this.info);
    if (offered) {
      const field = document.createElement("select");
      if (!offered.some((choice) => String(choice.value) === String(now))) {
        field.appendChild(document.createElement("option")).textContent = t("choose …");
        field.firstChild.value = "";
      }
      offered.forEach((choice, place) => {
        const option = document.createElement("option");
        option.value = place;
        option.textContent = this.info.Type === "Boolean"
          ? choice.name : choice.name + " (" + choice.value + ")";
        option.selected = String(choice.value) === String(now);
        field.appendChild(option);
      });
      this.read = () => {
        if (!field.value) throw new Error(t("Choose a value."));
        return offered[Number(field.value)].value;
      };
      return field;
    }
    const long = this.info.IsArray || (now !== null && typeof now === "object");
    const field = document.createElement(long ? "textarea" : "input");
    if (long) field.rows = 5;
    // Other keypads lack the sign or the point.
    else field.inputMode = isUnsigned(this.info.Type) ? "numeric" : "text";
    field.autocomplete = "off";
    field.spellcheck = false;
    field.value = editable(now, this.info);
    this.read = () => parsed(field.value, this.info);
    return field;
  }

  step(step) {
    this.at = step;
    const asking = step !== "edit";
    const [next, cancel] = [this.by("next"), this.by("cancel")];
    this.by("edit").hidden = asking;
    this.by("question").hidden = !asking;
    for (const part of ["question", "changed", "reason"]) this.by(part).textContent = "";
    cancel.textContent = asking ? t("Back") : t("Cancel");
    next.textContent = asking ? t("Write") : t("Continue");
    cancel.disabled = false;
    next.disabled = asking;
    clearTimeout(this.arming);
    if (asking) {
      this.arming = setTimeout(() => { next.disabled = false; }, ARMED_MS);
      cancel.focus();
    } else {
      this.field.focus();
      if (this.field.select) this.field.select();
    }
    this.refresh();
  }

  next() {
    if (this.by("next").disabled) return;
    if (this.at === "ask") {
      this.write();
      return;
    }
    try {
      this.value = this.read();
    } catch (error) {
      this.by("reason").textContent = error.message;
      this.field.focus();
      return;
    }
    this.asked = this.page.data(this.name);
    this.step("ask");
    const strong = document.createElement("strong");
    // Not rounded as for reading.
    strong.textContent = withUnit(exactText(this.value, this.info), this.info);
    const [before, behind] = t("Write {value} to {name}?", { name: this.name }).split("{value}");
    this.by("question").append(before, strong, behind);
  }

  async write() {
    const { name, info, value } = this;
    const client = this.page.client();
    this.at = "write";
    this.by("next").disabled = this.by("cancel").disabled = true;
    this.by("reason").textContent = "";
    let symbol;
    try {
      if (!this.connected) throw new Error(t("There is no connection to opcws."));
      symbol = await client.write(name, value);
    } catch (error) {
      const reason = error.status
        ? t("Not written.") + " " + error.status + ": " + said(error.reason)
        : (error.outcomeUnknown ? t("It may have been written or not:") : t("Not written.")) +
          " " + problemText(error);
      if (!this.open) {
        this.page.onWritten(name + ": " + reason);
        return;
      }
      this.step("edit");
      this.by("reason").textContent = reason;
      return;
    }
    this.close();
    const told = { name, symbol, value: withUnit(exactText(value, info, 120), info) };
    const written = symbol === "Good" ? t("{name} was written: {value}.", told)
      : t("{name} was written: {value}, but the OPC UA server says {symbol}.", told);
    this.page.onWritten(written);
    this.page.onWritten(written + " " + await cameBack(client, name, info));
  }

  back() {
    if (this.at === "edit") this.close();
    else this.step("edit");
  }

  close() {
    clearTimeout(this.arming);
    this.shade.hidden = true;
    document.body.classList.remove("asking");
    if (this.back_to && this.back_to.focus) this.back_to.focus();
  }

  key(event) {
    if (event.key === "Escape" && !this.by("cancel").disabled) {
      event.stopPropagation();
      this.close();
    }
    if (isHeldEnter(event) && event.target.tagName !== "TEXTAREA") event.preventDefault();
    if (event.key !== "Tab") return;
    // The rest of the page cannot be reached while the dialog is open.
    const reachable = Array.from(this.form.querySelectorAll("input, select, textarea, button"))
      .filter((element) => element.offsetParent && !element.disabled);
    const edge = event.shiftKey ? reachable[0] : reachable[reachable.length - 1];
    if (document.activeElement === edge) {
      event.preventDefault();
      reachable[event.shiftKey ? reachable.length - 1 : 0].focus();
    }
  }
}

/** Whether it is a repetition because Enter is held down. */
export const isHeldEnter = (event) => event.key === "Enter" && event.repeat;

/** Reasons against writing *value*, while *data* is the present one; the command "opcws write" has
 * the same (cli/doubts.py). */
export function doubts(value, info, data, connected = true) {
  const found = [];
  const elements = [value].flat(Infinity).map(numberOf).filter((one) => one !== null);
  const range = usualRange(info);
  const beyond = range ? elements.filter((one) => !(one >= range[0] && one <= range[1])) : [];
  if (beyond.length) {
    const told = { numbers: some(beyond), range: withUnit(rangeText(...range), info) };
    found.push(beyond.length > 1 ? t("{numbers} are outside of the usual range, {range}", told)
      : t("{numbers} is outside of the usual range, {range}", told));
  }
  const listed = isNumber(info.Type) ? choices(info) : null;
  const strange = listed ? elements.filter(
    (one) => !listed.some((choice) => String(choice.value) === String(one))) : [];
  if (strange.length) {
    const values = listed.slice(0, LISTED)
      .map((choice) => choice.name + " (" + choice.value + ")").join(", ");
    const told = { numbers: some(strange), values: more(values, listed.length - LISTED) };
    found.push(strange.length > 1 ? t("{numbers} are not among the values {values}", told)
      : t("{numbers} is not among the values {values}", told));
  }
  if (isReadable(info)) {
    if (!data) found.push(t("the present value is not known"));
    else if (!connected) found.push(t("the present value is the last known one"));
    else if (!data.good) found.push(qualityDoubt(data));
  }
  return found;
}

function some(numbers) {
  return more(localized(numbers[0]), numbers.length - 1);
}

const more = (text, count) => (count > 0 ? t("{text} and {count} more", { text, count }) : text);

function qualityDoubt(data) {
  const words = said(data.reason) || said(data.symbol, "");
  const reason = words ? words + " (" + data.symbol + ")" : data.symbol;
  return data.severity === "bad" ? t("the present value is bad: {reason}", { reason })
    : t("the present value is uncertain: {reason}", { reason });
}

const isReadable = (info) => String(info.Access || "").startsWith("read");

/** [low, high] of a number; null if unknown: servers without a range leave both at 0. */
function usualRange(info) {
  if (!info.EURange || !isNumber(info.Type)) return null;
  const range = [info.EURange.Low, info.EURange.High].map(Number);
  return range[0] < range[1] ? range : null;
}

/** The input for an element as a number, or null if it is none, such as the name of one. */
function numberOf(one) {
  if (typeof one === "string" && /^-?\d+$/.test(one)) return BigInt(one);
  if (typeof one === "string" && (one === "NaN" || Number(one))) return Number(one);
  return typeof one === "number" || typeof one === "bigint" ? one : null;
}

/** A sentence about the change of the present value since *before*; empty if there is none. */
function changeText(before, now, info) {
  const [from, to] = [before, now].map((data) => (data ? valueText(data.value, info, 4000) : ""));
  if (from === to) return "";
  const told = Math.max(from.length, to.length) <= CHANGE_LENGTH && from && to;
  return told ? t("The present value changed from {from} to {to} while you were asked.", { from, to })
    : t("The present value changed while you were asked.");
}

/** A sentence with the value of *name* after the write. */
export async function cameBack(client, name, info) {
  if (!isReadable(info)) return t("Its value may not be read.");
  try {
    const data = await client.read(name);
    const told = { value: withUnit(exactText(data.value, info, 120), info), doubt: qualityDoubt(data) };
    return data.good ? t("It is {value} now.", told) : t("It is {value} now; {doubt}.", told);
  } catch (error) {
    return t("It could not be read back: {reason}.", { reason: problemText(error) });
  }
}

/** Set the text only if it is new, because screen readers read it out. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function withUnit(text, info) {
  return unitOf(info) ? text + " " + unitOf(info) : text;
}
