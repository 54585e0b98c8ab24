// Writing a value: what it is to be, then whether that is meant, then what came of it.

import { choices, editable, exactText, isNumber, isUnsigned, parsed, unitOf, valueText } from "./format.js";

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
  }

  get open() {
    return !this.shade.hidden;
  }

  start(name) {
    this.name = name;
    this.info = this.page.info(name);
    this.back_to = document.activeElement;
    this.by("title").textContent = "Write " + name;
    this.showNow();
    this.by("field").textContent = "";
    this.field = this.makeField();
    this.field.id = "writing-value";
    this.field.setAttribute("aria-describedby", "writing-hint");
    this.by("field").appendChild(this.field);
    const range = this.info.EURange;
    this.by("hint").textContent = [
      this.info.Type + (this.info.IsArray ? ", an array, as JSON" : ""),
      range && isNumber(this.info.Type) ? "usually " + range.Low + " to " + range.High : "",
      unitOf(this.info),
    ].filter(Boolean).join(", ");
    document.body.classList.add("asking");
    this.shade.hidden = false;
    this.step("edit");
  }

  showNow() {
    const data = this.page.data(this.name);
    this.by("now").textContent = data
      ? "Now: " + valueText(data.value, this.info) + unit(this.info) +
        (data.severity === "good" ? "" : " (" + data.symbol + ")")
      : "";
  }

  makeField() {
    const data = this.page.data(this.name);
    const now = data ? data.value : null;
    const offered = this.info.IsArray ? null : this.info.Type === "Boolean"
      ? [{ value: true, name: "true" }, { value: false, name: "false" }] : choices(this.info);
    if (offered) {
      const field = document.createElement("select");
      offered.forEach((choice, place) => {
        const option = document.createElement("option");
        option.value = place;
        option.textContent = this.info.Type === "Boolean"
          ? choice.name : choice.name + " (" + choice.value + ")";
        option.selected = String(choice.value) === String(now);
        field.appendChild(option);
      });
      this.read = () => offered[Number(field.value)].value;
      return field;
    }
    const long = this.info.IsArray || (now !== null && typeof now === "object");
    const field = document.createElement(long ? "textarea" : "input");
    if (long) field.rows = 5;
    // Other keypads lack the sign, or the point.
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
    this.by("edit").hidden = asking;
    this.by("question").hidden = !asking;
    this.by("reason").textContent = "";
    this.by("cancel").textContent = asking ? "Back" : "Cancel";
    this.by("next").textContent = asking ? "Write" : "Continue";
    this.by("next").disabled = this.by("cancel").disabled = false;
    if (asking) {
      this.by("next").focus();
    } else {
      this.field.focus();
      if (this.field.select) this.field.select();
    }
  }

  next() {
    if (this.at === "edit") {
      try {
        this.value = this.read();
      } catch (error) {
        this.by("reason").textContent = error.message;
        this.field.focus();
        return;
      }
      this.ask();
    } else {
      this.write();
    }
  }

  ask() {
    const text = exactText(this.value, this.info) + unit(this.info); // not as rounded for reading
    const range = this.info.EURange;
    const beyond = range && isNumber(this.info.Type) && !this.info.IsArray &&
      !(this.value >= range.Low && this.value <= range.High);
    this.step("ask");
    this.showNow();
    const question = this.by("question");
    question.textContent = "Write ";
    const strong = document.createElement("strong");
    strong.textContent = text;
    question.append(strong, " to " + this.name + "?");
    if (beyond) {
      this.by("reason").textContent = "This is outside of the usual range, " + range.Low + " to " +
        range.High + unit(this.info) + ".";
    }
  }

  async write() {
    const client = this.page.client();
    const text = exactText(this.value, this.info, 120) + unit(this.info);
    this.by("next").disabled = this.by("cancel").disabled = true;
    this.by("reason").textContent = "";
    let symbol;
    try {
      if (!client || client.state !== "open") throw new Error("There is no connection to opcws.");
      symbol = await client.write(this.name, this.value);
    } catch (error) {
      this.step("edit");
      this.by("reason").textContent = error.status
        ? "Not written. " + error.status + ": " + error.reason
        : (error.outcomeUnknown ? "It may have been written or not: " : "Not written. ") +
          error.message;
      return;
    }
    this.close();
    const but = symbol === "Good" ? "" : ", but the OPC UA server says " + symbol;
    this.page.onWritten(this.name + " was written: " + text + but);
  }

  back() {
    if (this.at === "edit") this.close();
    else this.step("edit");
  }

  close() {
    this.shade.hidden = true;
    document.body.classList.remove("asking");
    if (this.back_to && this.back_to.focus) this.back_to.focus();
  }

  key(event) {
    if (event.key === "Escape" && !this.by("cancel").disabled) {
      event.stopPropagation();
      this.close();
    }
    if (event.key !== "Tab") return;
    // The rest of the page is out of reach meanwhile.
    const reachable = Array.from(this.form.querySelectorAll("input, select, textarea, button"))
      .filter((element) => element.offsetParent && !element.disabled);
    const edge = event.shiftKey ? reachable[0] : reachable[reachable.length - 1];
    if (document.activeElement === edge) {
      event.preventDefault();
      reachable[event.shiftKey ? reachable.length - 1 : 0].focus();
    }
  }
}

function unit(info) {
  return unitOf(info) ? " " + unitOf(info) : "";
}
