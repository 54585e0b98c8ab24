// The list of variables.  However many there are, only the rows in sight exist, and only their
// variables are monitored.

import { ageText, isNumber, parted, quality, unitOf, valueText } from "./format.js";

const AHEAD = 8; // rows above and below what is in sight
const SETTLED_MS = 120; // of scrolling, before other variables are monitored
const FLASH_MS = 60;
const NARROW = 800; // px: below, a row has two lines
const LONG = 14; // characters of a value that are written smaller where there is little room
const RARE_MS = 2000; // between two changes that are pointed out: what changes all the time is not

export class List {
  /** *grid*: the element that scrolls, with .head and .space; *row*: the template.  *variables*: name ->
   * {name, info, data}.  *onSelect*(name), *onSight*(names in sight), *onCompact*(whether
   * there is no room for the head), *onStar*(name), *isStarred*(name). */
  constructor(grid, row, variables, {
    onSelect, onSight, onCompact = () => {}, onStar = () => {}, isStarred = () => false,
  }) {
    this.grid = grid;
    this.head = grid.querySelector(".head");
    this.space = grid.querySelector(".space");
    this.template = row;
    this.variables = variables;
    this.onSelect = onSelect;
    this.onSight = onSight;
    this.onCompact = onCompact;
    this.onStar = onStar;
    this.isStarred = isStarred;
    this.names = [];
    this.active = -1; // where the keyboard is
    this.selected = null;
    this.rows = new Map(); // index -> row
    this.spare = [];
    this.inSight = "";
    this.height = 0;
    grid.addEventListener("scroll", () => this.drawSoon(), { passive: true });
    grid.addEventListener("keydown", (event) => this.key(event));
    grid.addEventListener("focus", () => {
      // In sight: a click gives the focus, too, and the row may not move away below it.
      if (this.active < 0) this.move(Math.ceil(this.grid.scrollTop / this.height));
    });
    this.space.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (!row) return;
      this.move(Number(row.dataset.index));
      if (event.target.closest(".star")) {
        this.grid.focus({ preventScroll: true });
        this.onStar(this.names[this.active]);
        return;
      }
      this.onSelect(this.names[this.active], "pointer");
    });
    new ResizeObserver(() => this.measure()).observe(grid);
  }

  measure() {
    const compact = this.grid.clientWidth < NARROW;
    this.grid.classList.toggle("compact", compact);
    this.onCompact(compact);
    const height = parseFloat(getComputedStyle(this.grid).getPropertyValue("--row"));
    if (height !== this.height) {
      this.height = height;
      this.rows.forEach((row) => row.element.remove());
      this.rows.clear();
      this.spare = [];
    }
    this.show(this.names);
  }

  /** Show these, in this order. */
  show(names) {
    const active = this.names[this.active];
    this.names = names;
    this.active = active === undefined ? -1 : names.indexOf(active);
    this.grid.setAttribute("aria-rowcount", names.length + 1);
    this.space.style.height = names.length * this.height + "px";
    this.rows.forEach((row, index) => {
      if (names[index] !== row.name) this.drop(index, row);
    });
    this.draw();
  }

  select(name) {
    this.selected = name;
    const index = this.names.indexOf(name);
    if (index >= 0) this.active = index;
    this.markAll();
    this.point();
  }

  /** The height (px) in which rows are seen: the head stays in front of them. */
  get room() {
    return this.grid.clientHeight - this.head.offsetHeight;
  }

  drawSoon() {
    if (this.soon) return;
    this.soon = requestAnimationFrame(() => {
      this.soon = 0;
      this.draw();
    });
  }

  draw() {
    if (!this.height) return;
    const top = this.grid.scrollTop;
    const seen = Math.ceil(this.room / this.height) + 1;
    const first = Math.max(0, Math.floor(top / this.height) - AHEAD);
    const last = Math.min(this.names.length, Math.floor(top / this.height) + seen + AHEAD);
    this.rows.forEach((row, index) => {
      if (index < first || index >= last) this.drop(index, row);
    });
    const fresh = document.createDocumentFragment();
    for (let index = first; index < last; index += 1) {
      if (!this.rows.has(index)) this.place(index, fresh);
    }
    this.space.appendChild(fresh);
    this.point();
    const names = this.names.slice(first, last);
    const sight = names.join("\n");
    clearTimeout(this.settling); // of what is out of sight again
    if (sight === this.inSight) return;
    this.settling = setTimeout(() => {
      this.inSight = sight;
      this.onSight(names);
    }, this.inSight ? SETTLED_MS : 0);
  }

  drop(index, row) {
    this.rows.delete(index);
    row.name = null;
    row.element.hidden = true;
    delete row.element.dataset.variable;
    row.element.removeAttribute("id");
    this.spare.push(row);
  }

  place(index, fresh) {
    const row = this.spare.pop() || this.make(fresh);
    row.name = this.names[index];
    row.element.hidden = false;
    row.element.id = "row-" + index;
    row.element.dataset.index = index;
    row.element.dataset.variable = row.name;
    row.element.setAttribute("aria-rowindex", index + 2);
    row.element.classList.toggle("odd", index % 2 === 1);
    row.element.style.transform = "translateY(" + index * this.height + "px)";
    [row.cells.first.textContent, row.cells.last.textContent] = parted(row.name);
    row.cells.name.title = row.name;
    row.cells.value.textContent = "";
    row.cells.value.classList.remove("changed");
    this.rows.set(index, row);
    this.mark(row);
    this.fill(row);
  }

  make(fresh) {
    const element = this.template.content.firstElementChild.cloneNode(true);
    const cells = {};
    for (const part of ["name", "first", "last", "note", "value", "unit", "quality", "age", "star"]) {
      cells[part] = element.querySelector("." + part);
    }
    fresh.appendChild(element);
    return { element, cells, name: null };
  }

  mark(row) {
    row.element.setAttribute("aria-selected", String(row.name === this.selected));
    row.cells.star.setAttribute("aria-pressed", String(this.isStarred(row.name)));
  }

  markAll() {
    this.rows.forEach((row) => this.mark(row));
  }

  /** Something of *name* is new: its value, or what is known of it. */
  update(name) {
    this.rows.forEach((row) => { if (row.name === name) this.fill(row); });
  }

  updateAll(names) {
    this.rows.forEach((row) => { if (names.has(row.name)) this.fill(row); });
  }

  fill({ name, cells }) {
    const one = this.variables.get(name);
    if (!one) return;
    const { info, data } = one;
    put(cells.note, info.Description || "");
    put(cells.unit, unitOf(info));
    if (!data) {
      put(cells.value, "");
      put(cells.quality, "");
      cells.quality.className = "quality";
      put(cells.age, "");
      return;
    }
    const text = valueText(data.value, info);
    if (cells.value.textContent !== text) {
      if (cells.value.textContent) flash(one, cells.value);
      cells.value.textContent = text;
      cells.value.title = text.length > 12 ? text : "";
      cells.value.classList.toggle("long", text.length > LONG);
      cells.value.classList.toggle("text", text.length > LONG && (info.IsArray || !isNumber(info.Type)));
    }
    const { kind, text: words } = quality(data);
    put(cells.quality, words);
    cells.quality.className = "quality " + kind;
    cells.quality.title = data.reason;
    cells.age.title = data.sourceTimestamp || "";
    this.fillAge(cells, data);
  }

  fillAge(cells, data) {
    put(cells.age, data && data.time ? ageText(data.time) : "");
  }

  drawAges() {
    this.rows.forEach((row) => {
      this.fillAge(row.cells, (this.variables.get(row.name) || {}).data);
    });
  }

  // --- the keyboard

  key(event) {
    const page = Math.max(1, Math.floor(this.room / this.height) - 1);
    const step = {
      ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
    }[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey || event.target !== this.grid) return;
    if (step !== undefined) {
      this.move(this.active + step);
    } else if ((event.key === "Enter" || event.key === " ") && this.names[this.active]) {
      this.onSelect(this.names[this.active], "keyboard");
    } else if (event.key === "f" && this.names[this.active]) {
      this.onStar(this.names[this.active]);
    } else {
      return;
    }
    event.preventDefault();
  }

  move(index) {
    if (!this.names.length) return;
    this.active = Math.max(0, Math.min(this.names.length - 1, index));
    const top = this.active * this.height;
    const { scrollTop } = this.grid;
    if (top < scrollTop) this.grid.scrollTop = top;
    if (top + this.height > scrollTop + this.room) {
      this.grid.scrollTop = top + this.height - this.room;
    }
    this.draw();
  }

  /** Tell eyes and screen readers where the keyboard is. */
  point() {
    this.rows.forEach((row, index) => {
      row.element.classList.toggle("active", index === this.active);
    });
    const id = this.rows.has(this.active) ? "row-" + this.active : "";
    if (id) this.grid.setAttribute("aria-activedescendant", id);
    else this.grid.removeAttribute("aria-activedescendant");
  }
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function flash(one, cell) {
  const now = Date.now();
  const rare = now - (one.changed || 0) > RARE_MS;
  one.changed = now;
  if (!rare) return;
  cell.classList.add("changed");
  setTimeout(() => cell.classList.remove("changed"), FLASH_MS);
}
