// The views: charts and present values, as a person arranged them, stored in this browser or on the
// server for everybody.  The address describes completely what is shown.

import { Chart, badge, chooseSpan, sample, showBusy } from "./chart.js";
import { Curves, levelsOf } from "./curves.js";
import {
  ageText, boolText, dataText, exactText, isPlottable, isStale, limitOf, localized, quality,
  qualityText, timeTitle, unitOf, valueText,
} from "./format.js";
import { markLimit, putName } from "./list.js";
import { after } from "./strips.js";
import { MOST, SPAN_S, decoded, encoded, figures, offered, viewOf } from "./view.js";
import { said, t } from "./texts.js";

const DRAW_MS = 600; // six charts at a higher rate would take a fifth of a core
const READ_MS = 500; // between two changes of figures: people read no faster
const FOUND = 30; // most variables that are offered at a time
const [LARGE, SMALL] = [9, 14]; // characters of a value that fit a tile
const SHARED = "#/views"; // and /NAME: a shared view
const WHOLE = "#/view/"; // and the view itself
const KIOSK = "?kiosk";

export class Views {
  /** *section*: the element.  *page*: client, me, info(name), names(), data(name), request(method,
   * path, body, headers), onUpdate(data), notice(text, problem). */
  constructor(section, page) {
    this.page = page;
    this.section = section;
    this.by = (id) => section.querySelector("#views-" + id);
    this.menu = section.querySelector(".menu");
    this.grid = this.by("grid");
    this.view = null;
    this.panels = [];
    this.range = null; // {from, to} (s) of all charts; null while they are live
    this.tag = null; // of the server's version; null if it is not from there
    this.saved = null; // the saved part of that version, see essence()
    this.shared = []; // names
    this.editing = false;
    this.listen();
    setInterval(() => this.draw(true), DRAW_MS);
  }

  get open() {
    return !this.section.hidden;
  }

  // --- the address

  isOne(hash) {
    return [SHARED, SHARED + KIOSK].includes(hash) || hash.startsWith(SHARED + "/") ||
      hash.startsWith(WHOLE);
  }

  /** Show the view in *hash*, once the variables are known. */
  async route(hash) {
    const mine = this.isOne(hash);
    this.section.hidden = !mine;
    document.body.classList.toggle("viewing", mine);
    if (!mine) this.leave();
    if (!mine || !this.page.names().length) return;
    const [path, kiosk] = hash.endsWith(KIOSK) ? [hash.slice(0, -KIOSK.length), true] : [hash, false];
    this.kiosk(kiosk);
    if (path === this.shown) return;
    this.shown = path;
    try {
      if (path.startsWith(WHOLE)) {
        this.show(decoded(path.slice(WHOLE.length)), null);
      } else if (path.startsWith(SHARED + "/")) {
        await this.load(decodeURIComponent(path.slice(SHARED.length + 1)));
      } else {
        await this.first();
      }
    } catch (error) {
      await this.first();
      this.say(t("The view cannot be shown: {reason}", { reason: said(error.message) }));
    }
    this.fillList();
    this.loadShared();
  }

  /** Show the first view: one of mine, a shared one, or the offered one. */
  async first() {
    const asked = this.asked = {};
    await this.loadShared();
    if (asked !== this.asked) return;
    for (const name of Object.keys(this.own())) {
      try {
        this.showOwn(name);
        return;
      } catch (error) {
        // It is no valid view, so it was stored by something else.
      }
    }
    if (this.shared.length) await this.load(this.shared[0]);
    else this.offer();
  }

  offer() {
    this.show(offered(this.page.names(), this.page.info), null);
    this.offering = !this.view.Panels.length;
  }

  /** The set of variables has changed. */
  watch() {
    this.panels.forEach((panel) => panel.curves.watch());
    this.draw();
  }

  /** The info of variables has changed. */
  learn() {
    if (!this.open || !this.offering || this.editing) return;
    const problem = this.by("problem").textContent;
    this.offer();
    this.say(problem);
  }

  leave() {
    this.kiosk(false);
    this.edit(false);
    clearTimeout(this.telling);
    this.asked = this.shown = null;
    this.panels.forEach((panel) => panel.remove());
    this.panels = [];
    this.view = null;
    this.by("tools").hidden = this.by("saving").hidden = this.by("nothing").hidden = true;
  }

  /** Put the view into the address; an unchanged shared one by its name. */
  tell() {
    const path = this.tag === null || this.changed
      ? WHOLE + encoded(this.view) : SHARED + "/" + encodeURIComponent(this.view.Name);
    this.shown = path;
    history.replaceState(null, "", path + (this.inKiosk ? KIOSK : ""));
  }

  // --- storing views

  own() {
    try {
      return JSON.parse(localStorage.getItem("views")) || {};
    } catch (error) {
      return {};
    }
  }

  keepOwn(views) {
    localStorage.setItem("views", JSON.stringify(views));
  }

  async loadShared() {
    try {
      const { body } = await this.page.request("GET", "views");
      this.shared = JSON.parse(body).Views;
    } catch (error) {
      this.shared = []; // an older server, or a role without views
    }
    this.fillList();
  }

  /** Show a shared view.  Returns false if another one was requested meanwhile. */
  async load(name) {
    const asked = this.asked = {};
    const path = "views/" + encodeURIComponent(name);
    const found = await this.page.request("GET", path).catch((error) => ({ error }));
    if (asked !== this.asked) return false;
    if (found.error) throw found.error;
    this.show(viewOf(JSON.parse(found.body)), found.tag);
    return true;
  }

  showOwn(name) {
    const own = this.own()[name];
    this.show(viewOf(own), null);
    this.kept = JSON.stringify(own);
  }

  fillList() {
    const list = this.by("list");
    const own = Object.keys(this.own()).sort();
    const unsaved = this.isUnsaved;
    const shape = JSON.stringify([own, this.shared, this.view && this.view.Name, this.tag, unsaved]);
    if (list.dataset.shape === shape) return;
    list.dataset.shape = shape;
    list.textContent = "";
    const add = (parent, value, text) => {
      const option = document.createElement("option");
      option.value = value;
      option.textContent = text;
      parent.appendChild(option);
    };
    const group = (label, names, kind) => {
      if (!names.length) return;
      const made = document.createElement("optgroup");
      made.label = label;
      names.forEach((name) => add(made, kind + name, name));
      list.appendChild(made);
    };
    group(t("For me"), own, "own:");
    group(t("For everybody"), this.shared, "all:");
    const now = this.view && (this.tag !== null ? "all:" : "own:") + this.view.Name;
    if (now && !Array.from(list.options).some((option) => option.value === now)) {
      add(list, now, this.view.Name);
    }
    list.value = now;
    if (unsaved) list.selectedOptions[0].text = t("{name} (not saved)", { name: this.view.Name });
  }

  /** Whether the view is stored only in the address. */
  get isUnsaved() {
    if (!this.view) return false;
    const { Name } = this.view;
    const [found] = Object.entries(this.own()).filter(([name]) => this.tag === null && name === Name);
    try {
      return essence(this.view) !== (found ? essence(found[1]) : this.saved);
    } catch (error) {
      return true; // the stored one is not valid
    }
  }

  async choose(value) {
    const name = value.slice(4);
    try {
      if (value.startsWith("own:")) this.showOwn(name);
      else if (!await this.load(name)) return;
      history.pushState(null, "", location.hash);
      this.tell();
    } catch (error) {
      this.say(t("The view cannot be loaded: {reason}", { reason: said(error.message) }));
    }
  }

  // --- drawing the view

  show(view, tag) {
    this.say("");
    this.edit(false);
    clearTimeout(this.telling);
    this.by("tools").hidden = false;
    this.by("saving").hidden = true;
    this.view = view;
    this.tag = tag;
    this.asked = this.kept = null;
    this.saved = tag === null ? null : essence(view);
    this.changed = this.offering = false;
    this.range = view.From
      ? { from: new Date(view.From) / 1000, to: new Date(view.To) / 1000 } : null;
    this.panels.forEach((panel) => panel.remove());
    this.panels = view.Panels.map((panel) => new Panel(this, panel));
    this.arrange();
    this.fillList();
    this.showTime();
    if (this.client) this.connect(this.client);
    this.by("nothing").hidden = view.Panels.length > 0;
    this.name(view.Name + " · ");
  }

  /** Name the view for the browser, and for screen readers when the head is hidden. */
  name(text) {
    document.title = this.by("title").textContent = text + "opcws";
  }

  /** Show what is wrong, until another view is shown. */
  say(problem) {
    this.by("problem").textContent = problem;
  }

  /** The view was changed. */
  touch() {
    this.changed = true;
    this.view.Panels = this.panels.map((panel) => panel.panel)
      .filter((panel) => panel.Variables.length);
    if (this.range && !this.isLive) {
      this.view.From = new Date(this.range.from * 1000).toISOString();
      this.view.To = new Date(this.range.to * 1000).toISOString();
    } else {
      delete this.view.From;
      delete this.view.To;
    }
    this.by("nothing").hidden = this.panels.length > 0;
    clearTimeout(this.telling); // a person may go on dragging for a while
    this.telling = setTimeout(() => {
      if (!this.view) return;
      this.tell();
      this.fillList();
    }, 200);
  }

  get isLive() {
    return this.range === null;
  }

  arrange() {
    this.panels.forEach((panel, n) => {
      if (this.grid.children[n] !== panel.element) {
        this.grid.insertBefore(panel.element, this.grid.children[n] || null);
      }
      panel.arrange();
    });
  }

  setRange(range) {
    this.range = range;
    this.showTime();
    this.touch();
    this.draw();
  }

  showTime() {
    chooseSpan(this.by("span"), this.view.Span);
    this.by("live").setAttribute("aria-pressed", String(this.isLive));
    this.by("live").textContent = this.isLive ? t("Live") : t("Back to live");
  }

  connect(client) {
    this.client = client;
    this.panels.forEach((panel) => panel.connect(client));
  }

  lose() {
    this.panels.forEach((panel) => panel.lose());
  }

  clear() {
    this.leave();
    this.shared = [];
    this.fillList();
    this.say("");
    this.name("");
  }

  /** Draw all charts, or only those that are *due*, see Chart.isDue. */
  draw(due = false) {
    if (!this.open || !this.view) return;
    this.panels.filter((panel) => !due || panel.isDue).forEach((panel) => panel.draw(due));
  }

  restyle() {
    this.panels.forEach((panel) => panel.restyle());
  }

  point(time) {
    this.pointed = time;
    this.panels.forEach((panel) => panel.point(time));
  }

  // --- changing it

  listen() {
    const on = (id, type, act) => this.by(id).addEventListener(type, act);
    on("list", "change", () => this.choose(this.by("list").value));
    on("span", "change", () => {
      this.view.Span = Number(this.by("span").value);
      this.setRange(null);
    });
    on("live", "click", () => {
      const now = Date.now() / 1000;
      this.setRange(this.isLive ? { from: now - this.view.Span, to: now } : null);
    });
    on("edit", "click", () => this.edit(!this.editing));
    on("new", "click", () => {
      this.show({ Name: t("New view"), Span: SPAN_S, Panels: [] }, null);
      this.edit(true);
      this.touch();
    });
    on("add-chart", "click", () => this.add("chart"));
    on("add-values", "click", () => this.add("values"));
    on("save", "click", () => this.ask());
    on("saving", "submit", (event) => {
      event.preventDefault();
      this.save();
    });
    on("cancel", "click", () => this.stopSaving());
    on("delete", "click", () => this.discard());
    on("export", "click", () => this.export());
    on("file", "change", () => this.import());
    on("copy", "click", () => this.copy());
    on("full", "click", () => this.kiosk(true, true));
    document.addEventListener("fullscreenchange", () => {
      if (!document.fullscreenElement && this.inKiosk) this.kiosk(false, true);
    });
    this.by("leave").addEventListener("click", () => this.kiosk(false, true));
    window.addEventListener("storage", (event) => {
      if (event.key === "views") this.fillList(); // another tab has changed them
    });
    const shut = (focus) => {
      this.menu.open = false;
      if (focus) this.menu.querySelector("summary").focus();
    };
    this.menu.addEventListener("click", (event) => {
      if (event.target.closest("button, input")) shut(this.menu.contains(document.activeElement));
    });
    document.addEventListener("click", (event) => {
      if (!this.menu.contains(event.target)) shut(false);
    });
    this.menu.addEventListener("focusout", ({ relatedTarget: next }) => {
      if (next && !this.menu.contains(next)) shut(false);
    });
    this.section.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      if (this.menu.open) shut(true);
      else if (!this.by("saving").hidden) this.stopSaving();
    });
  }

  edit(editing) {
    this.editing = editing;
    this.section.classList.toggle("editing", editing);
    this.by("edit").setAttribute("aria-pressed", String(editing));
    this.by("edit").textContent = editing ? t("Done") : t("Edit");
    this.by("adding").hidden = !editing;
    this.panels.forEach((panel) => panel.edit(editing));
  }

  add(kind) {
    if (this.panels.length >= MOST.panels) {
      this.say(t("A view has {count} parts at most.", { count: MOST.panels }));
      return;
    }
    const panel = new Panel(this, { Kind: kind, Variables: [], Width: 6, Height: kind === "chart" ? 2 : 1 });
    this.panels.push(panel);
    if (this.client) panel.connect(this.client);
    this.arrange();
    panel.edit(true);
    panel.pick(true);
    panel.element.scrollIntoView({ block: "nearest" });
    this.by("nothing").hidden = true;
  }

  remove(panel) {
    this.panels = this.panels.filter((one) => one !== panel);
    panel.remove();
    this.touch();
    this.by("edit").focus();
  }

  /** Move *panel* to the place of the one at *place*. */
  move(panel, place) {
    const others = this.panels.filter((one) => one !== panel);
    others.splice(Math.max(0, Math.min(others.length, place)), 0, panel);
    this.panels = others;
    const focused = document.activeElement;
    this.arrange();
    if (panel.element.contains(focused)) focused.focus(); // moving has removed the focus
    this.touch();
  }

  ask() {
    this.by("saving").hidden = false;
    this.by("name").value = this.view.Name;
    this.by("for-all").hidden = !this.page.me().Views;
    this.by("shared").checked = this.tag !== null && Boolean(this.page.me().Views);
    this.by("reason").textContent = "";
    this.by("name").focus();
    this.by("name").select();
  }

  stopSaving() {
    this.by("saving").hidden = true;
    this.by("save").focus();
  }

  async save() {
    const shown = this.view;
    const name = this.by("name").value.trim();
    const view = { ...shown, Name: name };
    const text = JSON.stringify(view);
    const button = this.by("saving").querySelector(".main");
    let tag = null;
    button.disabled = true;
    try {
      viewOf(view);
      if (this.by("shared").checked) {
        const same = this.tag !== null && name.toLowerCase() === shown.Name.toLowerCase();
        ({ tag } = await this.page.request("PUT", "views/" + encodeURIComponent(name), text,
          same ? { "If-Match": this.tag } : { "If-None-Match": "*" }));
      } else {
        const own = this.own();
        if (Object.keys(own).includes(name) && JSON.stringify(own[name]) !== this.kept &&
          !window.confirm(
            t("This browser has another view {name}, or it was changed in another tab. Replace it?", { name }))) {
          return;
        }
        this.keepOwn({ ...own, [name]: view });
        this.kept = text;
      }
    } catch (error) {
      this.by("reason").textContent = error.httpStatus === 412
        ? t("Somebody else has a view of this name, or has changed it: choose another name, or load it again.")
        : t("Not saved: {reason}", { reason: said(error.message) });
      return;
    } finally {
      button.disabled = false;
    }
    this.page.notice(tag === null ? t("The view {name} was saved, in this browser.", { name })
      : t("The view {name} was saved, for everybody.", { name }));
    if (this.view === shown) { // no other view was opened meanwhile
      this.tag = tag;
      this.view.Name = name;
      this.saved = tag === null ? null : essence(view);
      this.changed = JSON.stringify(this.view) !== text;
      this.name(name + " · ");
      this.stopSaving();
      this.tell();
    }
    await this.loadShared();
  }

  async discard() {
    const { Name } = this.view;
    if (!window.confirm(this.tag === null ? t("Delete the view {name}?", { name: Name })
      : t("Delete the view {name} for everybody?", { name: Name }))) return;
    try {
      if (this.tag === null) {
        const { [Name]: _gone, ...rest } = this.own();
        this.keepOwn(rest);
      } else {
        await this.page.request("DELETE", "views/" + encodeURIComponent(Name), null,
          { "If-Match": this.tag });
      }
    } catch (error) {
      this.say(t("Not deleted: {reason}", { reason: said(error.message) }));
      return;
    }
    this.shown = null;
    history.replaceState(null, "", SHARED);
    this.route(SHARED);
  }

  export() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(
      new Blob([JSON.stringify(this.view, null, 1) + "\n"], { type: "application/json" }));
    link.download = this.view.Name.replace(/[^\w.-]+/g, "_") + ".json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async import() {
    const [file] = this.by("file").files;
    this.by("file").value = "";
    if (!file) return;
    try {
      const text = await new Response(file).text();
      let parsed = null;
      try {
        parsed = JSON.parse(text);
      } catch (error) {
        throw new Error(t("This is no view: {reason}", { reason: t("it is no JSON.") }));
      }
      this.show(viewOf(parsed), null);
      this.touch();
    } catch (error) {
      this.say(file.name + ": " + error.message);
    }
  }

  async copy() {
    this.tell();
    try {
      await navigator.clipboard.writeText(location.href);
      this.page.notice(t("The link was copied."));
    } catch (error) {
      this.page.notice(t("The address of this page is the link; copy it from there."));
    }
  }

  /** Show only the panels; *asked* by a person, on the full screen. */
  kiosk(on, asked = false) {
    this.inKiosk = on;
    document.body.classList.toggle("kiosk", on);
    this.by("leave").hidden = this.by("title").hidden = !on;
    if (!asked) return;
    if (on) this.edit(false);
    this.tell();
    const root = document.documentElement;
    if (on && root.requestFullscreen) root.requestFullscreen().catch(() => {});
    if (!on && document.fullscreenElement) document.exitFullscreen().catch(() => {});
  }
}

/** The part of a *view* that is saved: all but the present range of its charts. */
const essence = (view) => JSON.stringify({ ...viewOf(view), From: undefined, To: undefined });

/** One part of a view. */
class Panel {
  constructor(views, panel) {
    this.views = views;
    this.page = views.page;
    this.panel = panel;
    this.hidden = new Set(panel.Hidden);
    this.element = document.getElementById("view-panel").content.firstElementChild.cloneNode(true);
    this.by = (part) => this.element.querySelector("." + part);
    this.element.dataset.kind = panel.Kind;
    this.body = this.by("body");
    this.curves = new Curves({ client: views.page.client, me: views.page.me, info: views.page.info,
      isThere: views.page.isThere,
      onUpdate: (data) => views.page.onUpdate(data), onPast: () => this.draw(),
      onBusy: (busy) => showBusy(this.body, busy) });
    this.pointed = null;
    this.told = 0; // when (ms) the figures were written
    if (panel.Kind === "chart") {
      this.chart = new Chart(this.body, {
        until: () => this.curves.until(), onMove: (range) => views.setRange(range),
        onReset: () => views.setRange(null),
        onPoint: (time) => views.point(time),
      });
    }
    this.listen();
    this.edit(views.editing);
    this.watch();
  }

  listen() {
    const acts = {
      earlier: () => this.views.move(this, this.place - 1),
      later: () => this.views.move(this, this.place + 1),
      narrower: () => this.resize("Width", -1), wider: () => this.resize("Width", 1),
      lower: () => this.resize("Height", -1), higher: () => this.resize("Height", 1),
      pick: () => this.pick(this.by("picker").hidden),
      remove: () => this.views.remove(this),
    };
    this.element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-act]");
      if (button) acts[button.dataset.act]();
    });
    this.by("title-field").addEventListener("input", () => {
      this.panel.Title = this.by("title-field").value.slice(0, 120);
      if (!this.panel.Title) delete this.panel.Title;
      this.title();
      this.views.touch();
    });
    this.by("find").addEventListener("input", () => this.find());
    this.by("panel-span").addEventListener("change", () => {
      this.panel.Span = Number(this.by("panel-span").value);
      if (!this.panel.Span) delete this.panel.Span;
      this.views.touch();
      this.draw();
    });
    this.element.querySelectorAll(".of-chart").forEach((part) => { part.hidden = !this.chart; });
    this.by("handle").addEventListener("pointerdown", (event) => this.drag(event));
  }

  get place() {
    return this.views.panels.indexOf(this);
  }

  resize(what, step) {
    const [least, most] = what === "Width" ? [2, 12] : [1, 12];
    this.panel[what] = Math.max(least, Math.min(most, this.panel[what] + step));
    this.views.arrange();
    this.views.touch();
  }

  /** Follow the pointer: swap with the panel below it. */
  drag(event) {
    if (event.button) return;
    event.preventDefault();
    this.element.classList.add("dragged");
    const move = (now) => {
      const [below] = document.elementsFromPoint(now.clientX, now.clientY)
        .map((element) => element.closest(".view-panel")).filter(Boolean);
      const other = this.views.panels.find((panel) => panel.element === below);
      if (other && other !== this && this.lands(other, now)) this.views.move(this, other.place);
    };
    const end = () => {
      this.element.classList.remove("dragged");
      for (const [type, act] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) {
        document.removeEventListener(type, act);
      }
    };
    for (const [type, act] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) {
      document.addEventListener(type, act);
    }
  }

  /** Whether the pointer would be over this panel after a swap with *other*: otherwise they would
   * swap again and again. */
  lands(other, { clientX: x, clientY: y }) {
    const { width, height } = this.element.getBoundingClientRect();
    const { left, right, top, bottom } = other.element.getBoundingClientRect();
    return other.place < this.place ? x < left + width && y < top + height
      : x > right - width && y > bottom - height;
  }

  arrange() {
    this.element.style.setProperty("--width", this.panel.Width);
    this.element.style.setProperty("--height", this.panel.Height);
    this.title();
  }

  title() {
    this.by("title").textContent = this.panel.Title || "";
    this.by("title").hidden = !this.panel.Title;
    this.element.setAttribute("aria-label", this.panel.Title || this.panel.Variables.join(", ") ||
      t("Empty"));
  }

  edit(editing) {
    this.by("panel-tools").hidden = !editing;
    this.by("title-field").value = this.panel.Title || "";
    if (!editing) this.pick(false);
  }

  // --- its variables

  pick(open) {
    this.by("picker").hidden = !open;
    this.by("pick").setAttribute("aria-expanded", String(open));
    if (!open) return;
    chooseSpan(this.by("panel-span"), this.panel.Span || "");
    this.find();
    this.drawAxes();
    this.by("find").focus();
  }

  /** Offer the settings of the axis of each unit. */
  drawAxes() {
    const units = new Set(this.chart ? this.panel.Variables.map((name) => this.page.info(name))
      .filter((info) => !levelsOf(info)).map(unitOf) : []);
    this.by("axes").textContent = "";
    units.forEach((unit) => {
      const set = (this.panel.Axes || []).find((axis) => axis.Unit === unit);
      const row = document.getElementById("view-axis").content.firstElementChild.cloneNode(true);
      const [how, low, high] = ["how", "low", "high"].map((part) => row.querySelector("." + part));
      row.querySelector(".what").textContent = unit ? t("The axis of {unit}", { unit }) : t("The axis without a unit");
      how.value = !set ? "values" : set.Low === undefined ? "range" : "fixed";
      low.value = set && set.Low !== undefined ? localized(set.Low) : "";
      high.value = set && set.High !== undefined ? localized(set.High) : "";
      const say = () => {
        low.hidden = high.hidden = how.value !== "fixed";
        const [from, to] = [low, high].map((field) => parseFloat(field.value.replace(",", ".")));
        const fixed = how.value === "fixed" && from < to;
        this.setAxis(unit, how.value === "range" ? { Unit: unit }
          : fixed ? { Unit: unit, Low: from, High: to } : null);
      };
      low.hidden = high.hidden = how.value !== "fixed";
      row.addEventListener("input", say);
      this.by("axes").append(row);
    });
  }

  setAxis(unit, axis) {
    const others = (this.panel.Axes || []).filter((one) => one.Unit !== unit);
    this.panel.Axes = axis ? others.concat(axis) : others;
    if (!this.panel.Axes.length) delete this.panel.Axes;
    this.views.touch();
    this.draw();
  }

  find() {
    const words = this.by("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = this.panel.Variables;
    const fits = (name) => !this.chart || isPlottable(this.page.info(name)) ||
      !this.page.info(name).Type;
    const found = this.page.names().filter((name) => !chosen.includes(name) && fits(name) &&
      words.every((word) => name.toLowerCase().includes(word)));
    const list = this.by("found");
    list.textContent = "";
    chosen.concat(found.slice(0, FOUND)).forEach((name) => {
      const item = document.createElement("li");
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = chosen.includes(name);
      box.addEventListener("change", () => this.take(name, box.checked));
      const text = document.createElement("span");
      text.className = "name";
      putName(text, name);
      label.append(box, text);
      item.append(label);
      list.append(item);
    });
    this.by("more").hidden = found.length <= FOUND;
    this.by("more").textContent = t("and {count} more: search", { count: found.length - FOUND });
  }

  take(name, taken) {
    const rest = this.panel.Variables.filter((one) => one !== name);
    this.panel.Variables = taken ? rest.concat(name).slice(-16) : rest;
    this.hide(name, false);
    this.watch();
    this.title();
    this.drawAxes();
    this.views.touch();
  }

  hide(name, hidden) {
    if (hidden) this.hidden.add(name);
    else this.hidden.delete(name);
    this.panel.Hidden = this.panel.Variables.filter((one) => this.hidden.has(one));
    if (!this.panel.Hidden.length) delete this.panel.Hidden;
  }

  watch() {
    this.curves.set(this.panel.Variables);
    const rows = this.by("legend");
    rows.textContent = "";
    this.rows = new Map(this.panel.Variables.map((name) => [name, this.row(name)]));
    this.rows.forEach((row) => rows.append(row.element));
    this.draw();
  }

  connect(client) {
    this.curves.connect(client);
  }

  lose() {
    this.curves.lose();
  }

  remove() {
    this.curves.end();
    this.element.remove();
  }

  // --- drawing

  row(name) {
    const element = document.getElementById(this.chart ? "view-curve" : "view-tile")
      .content.firstElementChild.cloneNode(true);
    const cells = {};
    element.querySelectorAll("[class]").forEach((cell) => { cells[cell.classList[0]] = cell; });
    putName(cells.name, name);
    cells.name.title = name;
    if (this.chart) {
      cells.toggle.addEventListener("click", () => {
        this.hide(name, !this.hidden.has(name));
        this.views.touch();
        this.draw();
      });
    } else {
      cells.name.href = "#" + encodeURIComponent(name);
    }
    return { element, cells };
  }

  point(time) {
    this.pointed = time;
    if (this.chart) this.chart.mark(time);
    this.draw();
  }

  /** The range of the charts: {from, to} (s). */
  get shown() {
    const latest = this.curves.until();
    const span = this.panel.Span || this.views.view.Span;
    return this.views.range || { from: latest - span, to: latest };
  }

  get isDue() {
    return !this.chart || this.chart.isDue;
  }

  draw(due = false) {
    if (!this.element.isConnected) return;
    if (this.chart) this.drawChart(due);
    else this.drawTiles();
  }

  drawChart(due) {
    const range = this.shown;
    const from = this.pointed === null ? range.from : Math.min(range.from, this.pointed);
    const all = this.panel.Variables.map((name) => this.curves.series(name, from));
    const seen = all.filter(({ name }) => !this.hidden.has(name) && isPlottable(this.page.info(name)));
    seen.forEach((one) => { one.axis = this.axis(one, seen); });
    this.chart.show(seen, range);
    this.curves.seek(range, seen.map(({ name }) => this.curves.lines.get(name)));
    this.body.dataset.points = all.map(({ times }) => times.length).join(" ");
    if (!due || Date.now() - this.told >= READ_MS) {
      this.told = Date.now();
      all.forEach((one) => this.drawRow(one, range));
    }
    this.chart.describe(all.map(({ name }) => name).join(", "));
  }

  /** [low, high] of the axis of *one*; undefined if it follows the values. */
  axis({ unit, levels }, seen) {
    const set = !levels && (this.panel.Axes || []).find((axis) => axis.Unit === unit);
    if (!set) return undefined;
    if (set.Low !== undefined) return [set.Low, set.High];
    const ranges = seen.filter((one) => one.unit === unit && !one.levels)
      .map(({ name }) => this.page.info(name).EURange).filter(Boolean);
    return ranges.length ? [Math.min(...ranges.map(({ Low }) => Low)),
      Math.max(...ranges.map(({ High }) => High))] : undefined;
  }

  drawRow(one, range) {
    const { cells } = this.rows.get(one.name);
    const info = this.page.info(one.name);
    const off = this.hidden.has(one.name);
    const look = JSON.stringify([one.colour, one.dash, one.mark]);
    if (cells.toggle.dataset.look !== look) {
      cells.toggle.dataset.look = look;
      cells["swatch-of"].textContent = "";
      cells["swatch-of"].append(badge(one), sample(one));
    }
    cells.toggle.setAttribute("aria-pressed", String(!off));
    cells.toggle.setAttribute("aria-label", one.mark + " " + one.name);
    const text = (value) => (value === undefined || value === null ? "–"
      : info.Type === "Boolean" ? boolText(value) : valueText(value, info));
    const place = after(one.times, this.pointed === null ? range.to : this.pointed) - 1;
    const found = one.levels ? null : figures(one, range);
    put(cells.now, text(one.values[place]));
    put(cells.unit, unitOf(info));
    for (const which of ["least", "mean", "most"]) put(cells[which], found ? text(found[which]) : "");
  }

  drawTiles() {
    const client = this.page.client();
    const live = Boolean(client) && client.state === "open";
    this.rows.forEach(({ element, cells }, name) => {
      const info = this.page.info(name);
      const data = this.page.data(name);
      const old = Boolean(data) && (!live || isStale(data));
      const limit = data && !old ? limitOf(data.value, info) : null;
      const is = data ? quality(data, live) : { kind: "", text: "", title: "" };
      put(cells.now, data ? dataText(data, info, SMALL - (limit ? limit.mark.length + 1 : 0)) : "–");
      cells.now.title = data ? exactText(data.value, info) : "";
      markLimit(cells.now, limit);
      put(cells.limit, limit ? limit.text : "");
      put(cells.unit, unitOf(info));
      put(cells.quality, qualityText(is));
      cells.quality.className = "quality " + is.kind;
      cells.quality.title = is.title;
      put(cells.age, data && data.time ? ageText(data.time) : "");
      cells.age.title = data ? timeTitle(data) : "";
      element.classList.toggle("old", old);
      element.classList.toggle("long", cells.now.textContent.length > LARGE);
    });
  }

  restyle() {
    if (this.chart) this.chart.restyle();
    this.draw();
  }
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
