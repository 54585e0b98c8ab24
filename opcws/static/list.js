// The list of variables.  However many there are, only visible rows exist, and only their variables
// are monitored.

import {
  ageText, dataText, exactText, forks, isStale, limitOf, nameParts, quality, shortName, timeTitle,
  unitOf,
} from "./format.js";
import { Ruler } from "./ruler.js";
import { locale, t } from "./texts.js";
import { worst } from "./tree.js";

const AHEAD = 8; // rows above and below the visible ones
const SETTLED_MS = 120; // without scrolling, before other variables are monitored
const FLASH_MS = 60;
const NARROW = 800; // px; narrower lists have rows of two lines
const DEEP = 6; // levels of a tree with an indentation of their own
const LEAST = 10; // characters for a value, however long its quality is
const MARK_PX = 16; // before a quality
const NOTE_PX = 64; // least room for a description
const RARE_MS = 2000; // least time between two flashes: constant changes do not flash

export class List {
  /** *grid*: the element that scrolls, with .head and .space; *row*: the template.  *variables*: name ->
   * {name, info, data}.  *onSelect*(name), *onSight*(visible names), *onCompact*(whether
   * there is no room for the head), *onFold*(folder), *onStar*(name), *isStarred*(name). */
  constructor(grid, row, variables, {
    onSelect, onSight, onCompact = () => {}, onFold = () => {}, onStar = () => {}, isStarred = () => false,
  }) {
    this.grid = grid;
    this.head = grid.querySelector(".head");
    this.space = grid.querySelector(".space");
    this.template = row;
    this.variables = variables;
    this.onSelect = onSelect;
    this.onSight = onSight;
    this.onCompact = onCompact;
    this.onFold = onFold;
    this.onStar = onStar;
    this.isStarred = isStarred;
    this.names = [];
    this.tree = null;
    this.active = -1; // index of the row that keys act on
    this.selected = null;
    this.rows = new Map(); // index -> row
    this.spare = [];
    this.inSight = "";
    this.height = 0;
    this.live = true; // whether there is a connection to opcws
    this.forked = null; // see forks(); computed when needed
    grid.addEventListener("scroll", () => this.drawSoon(), { passive: true });
    grid.addEventListener("keydown", (event) => this.key(event));
    grid.addEventListener("focus", () => {
      // A visible row: a click sets the focus, too, and must not move the row away.
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
      this.open("pointer");
    });
    new ResizeObserver(() => this.measure()).observe(grid);
  }

  measure() {
    this.compact = this.grid.clientWidth < NARROW;
    this.grid.classList.toggle("compact", this.compact);
    this.onCompact(this.compact);
    this.rule();
    const height = parseFloat(getComputedStyle(this.grid).getPropertyValue("--row"));
    if (height !== this.height) {
      this.height = height;
      this.rows.forEach((row) => row.element.remove());
      this.rows.clear();
      this.spare = [];
    }
    this.rows.forEach((row) => {
      this.describe(row);
      this.fill(row);
    });
    this.show(this.names, this.tree);
  }

  /** Measure the room, once for all rows. */
  rule() {
    const probe = this.make(this.space).element;
    const part = (name) => probe.querySelector("." + name);
    const width = (element) => element.getBoundingClientRect().width;
    const inner = (element) => {
      const { paddingLeft, paddingRight } = getComputedStyle(element);
      return width(element) - parseFloat(paddingLeft) - parseFloat(paddingRight);
    };
    const value = part("value");
    this.nameRoom = width(part("name"));
    this.nameRuler = new Ruler(part("name"));
    this.qualityRuler = new Ruler(part("quality"));
    // In rows of two lines, value and quality share a line.
    const gap = parseFloat(getComputedStyle(probe).columnGap) || 0;
    const between = width(value) - inner(value) + 3 * gap + MARK_PX;
    this.valueRoom = this.compact ? inner(probe) - width(part("unit")) - between : inner(value);
    this.valueDigit = new Ruler(value).width("0");
    value.classList.add("long");
    this.smallDigit = new Ruler(value).width("0");
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.indent = rem * parseFloat(getComputedStyle(probe).getPropertyValue("--indent"));
    probe.remove();
  }

  /** Show *names* in this order; as a tree if *tree* has the places of its rows, see Tree.rows(). */
  show(names, tree = null) {
    this.grid.setAttribute("role", tree ? "treegrid" : "grid");
    if (tree || this.tree) this.inSight = null; // the contents of folders may have changed
    this.tree = tree;
    const active = this.names[this.active];
    this.names = names;
    this.forked = null;
    this.active = active === undefined ? -1 : names.indexOf(active);
    this.grid.setAttribute("aria-rowcount", names.length + 1);
    this.space.style.height = names.length * this.height + "px";
    this.rows.forEach((row, index) => {
      if (names[index] !== row.name) this.drop(index, row);
      else this.describe(row);
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

  /** The height (px) for rows below the head, which does not scroll. */
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
    clearTimeout(this.settling); // its rows are not visible any more
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
    delete row.element.dataset.folder;
    row.element.removeAttribute("id");
    this.spare.push(row);
  }

  place(index, fresh) {
    const row = this.spare.pop() || this.make(fresh);
    row.name = this.names[index];
    row.element.hidden = false;
    row.element.id = "row-" + index;
    row.element.dataset.index = index;
    row.element.setAttribute("aria-rowindex", index + 2);
    row.element.classList.toggle("odd", index % 2 === 1);
    row.element.style.transform = "translateY(" + index * this.height + "px)";
    row.cells.value.textContent = "";
    row.cells.quality.title = "";
    row.cells.value.classList.remove("changed");
    this.rows.set(index, row);
    this.describe(row);
    this.mark(row);
    this.fill(row);
  }

  /** Write the name of *row* and, in a tree, its place. */
  describe(row) {
    const { name, element, cells } = row;
    const { label, level, folder, open } = this.placeOf(name);
    const title = folder ? folder.path : name;
    element.dataset[folder ? "folder" : "variable"] = title;
    cells.name.title = title;
    element.classList.toggle("folder", Boolean(folder));
    row.level = level ? Math.min(level, DEEP) : 0;
    element.style.setProperty("--level", row.level);
    this.write(row, label);
    set(element, "aria-level", level);
    set(element, "aria-expanded", folder ? open : undefined);
  }

  /** See Tree.rows(). */
  placeOf(name) {
    return (this.tree && this.tree.get(name)) || { label: name, folder: null };
  }

  folder(name) {
    return this.placeOf(name).folder;
  }

  /** Open the row that keys act on, or fold it if it is a folder. */
  open(how) {
    const name = this.names[this.active];
    const folder = this.folder(name);
    if (folder) this.onFold(folder);
    else this.onSelect(name, how);
  }

  make(fresh) {
    const element = this.template.content.firstElementChild.cloneNode(true);
    const cells = {};
    for (const part of ["name", "note", "value", "unit", "quality", "age", "star"]) {
      cells[part] = element.querySelector("." + part);
    }
    fresh.appendChild(element);
    return { element, cells, name: null };
  }

  /** Write the name in one line or two, so that it differs from the others. */
  write({ level, element, cells }, label) {
    const room = this.nameRoom - level * this.indent;
    const lines = (text) => this.nameRuler.lines(nameParts(text), room);
    const count = lines(label);
    if (count > 2 && !this.forked) {
      this.forked = forks(this.names.map((name) => this.placeOf(name).label));
    }
    let text = label;
    for (let most = label.length - 1; most > 8 && lines(text) > 2; most -= 1) {
      text = shortName(label, this.forked, most);
    }
    set(cells.name, "aria-label", text === label ? undefined : cells.name.title);
    element.classList.toggle("two", count > 1);
    putName(cells.name, text);
  }

  mark(row) {
    row.element.setAttribute("aria-selected", String(row.name === this.selected));
    row.cells.star.setAttribute("aria-pressed", String(this.isStarred(row.name)));
  }

  markAll() {
    this.rows.forEach((row) => this.mark(row));
  }

  /** The value or the info of *name* has changed. */
  update(name) {
    this.rows.forEach((row) => { if (row.name === name) this.fill(row); });
  }

  updateAll(names) {
    this.rows.forEach((row) => { if (names.has(row.name)) this.fill(row); });
  }

  updateFolders() {
    this.rows.forEach((row) => { if (this.folder(row.name)) this.fill(row); });
  }

  fillFolder(folder, { element, cells }) {
    const { kind, text, title } = worst(folder);
    put(cells.note, t("{count} variables", { count: folder.all.length.toLocaleString(locale) }));
    for (const cell of [cells.value, cells.unit, cells.age]) {
      put(cell, "");
      cell.title = "";
    }
    put(cells.quality, text);
    cells.quality.className = "quality " + kind;
    cells.quality.title = title;
    element.classList.remove("old");
    markLimit(cells.value, null);
  }

  fill(row) {
    const { name, element, cells } = row;
    const folder = this.folder(name);
    if (folder) {
      this.fillFolder(folder, row);
      return;
    }
    const one = this.variables.get(name);
    if (!one) return;
    const { info, data } = one;
    put(cells.unit, unitOf(info));
    cells.unit.title = unitOf(info);
    if (!data) {
      put(cells.note, info.Description || "");
      put(cells.value, "");
      put(cells.quality, "");
      markLimit(cells.value, null);
      element.classList.remove("old");
      cells.quality.className = "quality";
      put(cells.age, "");
      return;
    }
    const { kind, text: symbol, words, title } = quality(data, this.live);
    const old = !this.live || isStale(data);
    const limit = old ? null : limitOf(data.value, info);
    putQuality(cells.quality, symbol, words);
    cells.quality.className = "quality " + kind;
    cells.quality.title = title;
    element.classList.toggle("old", old);
    this.fillValue(one, row, limit, symbol);
    cells.age.title = timeTitle(data);
    this.fillAge(cells, data);
  }

  fillValue(one, { level, cells }, limit, symbol) {
    const { value } = cells;
    const marked = limit ? limit.mark.length + 1 : 0;
    let room = this.valueRoom;
    if (this.compact) room -= this.qualityRuler.width(symbol) + level * this.indent;
    const chars = Math.max(LEAST, Math.floor(room / this.valueDigit)) - marked;
    const small = Math.max(chars, Math.floor(room / this.smallDigit) - marked);
    const text = dataText(one.data, one.info, small);
    if (value.textContent !== text) {
      if (value.textContent) flash(one, value);
      value.textContent = text;
    }
    value.title = (limit ? limit.text + ": " : "") + exactText(one.data.value, one.info, 400);
    const long = text.length > chars;
    value.classList.toggle("long", long);
    const left = room - (text.length + marked) * (long ? this.smallDigit : this.valueDigit);
    put(cells.note, (!this.compact || left > NOTE_PX) && one.info.Description || "");
    markLimit(value, limit);
  }

  fillAge(cells, data) {
    put(cells.age, data && data.time ? ageText(data.time) : "");
  }

  /** Set whether opcws is connected: if not, all values are old. */
  setLive(live) {
    if (live === this.live) return;
    this.live = live;
    this.rows.forEach((row) => this.fill(row));
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
      this.open("keyboard");
    } else if (event.key === "f" && this.names[this.active]) {
      if (!this.folder(this.names[this.active])) this.onStar(this.names[this.active]);
    } else if (this.tree && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      this.turn(event.key === "ArrowRight");
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Unfold or fold a folder; if it is that already, go to its first row, or to its parent. */
  turn(unfold) {
    const { level, folder, open } = this.tree.get(this.names[this.active]) || {};
    if (folder && open !== unfold) {
      this.onFold(folder);
    } else if (folder && unfold) {
      this.move(this.active + 1);
    } else if (level > 1 && !unfold) {
      let index = this.active;
      while (this.tree.get(this.names[index]).level >= level) index -= 1;
      this.move(index);
    }
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

  /** Show, also to screen readers, which row keys act on. */
  point() {
    this.rows.forEach((row, index) => {
      row.element.classList.toggle("active", index === this.active);
    });
    const id = this.rows.has(this.active) ? "row-" + this.active : "";
    if (id) this.grid.setAttribute("aria-activedescendant", id);
    else this.grid.removeAttribute("aria-activedescendant");
  }
}

/** Write *name* in *element*, with line breaks only after points. */
export function putName(element, name) {
  element.textContent = "";
  for (const part of nameParts(name)) element.append(part, document.createElement("wbr"));
}

/** Colour *element* and put the mark of *limit*, if any, before its text. */
export function markLimit(element, limit) {
  for (const kind of ["doubt", "bad"]) {
    element.classList.toggle(kind, Boolean(limit) && limit.kind === kind);
  }
  element.dataset.mark = limit ? limit.mark : "";
}

/** Write *symbol*, and its meaning below if there is room. */
function putQuality(element, symbol, words) {
  if (element.textContent === symbol + words) return;
  element.textContent = symbol;
  if (!words) return;
  const line = document.createElement("span");
  line.className = "words";
  line.textContent = words;
  element.append(line);
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function set(element, attribute, value) {
  if (value === undefined) element.removeAttribute(attribute);
  else element.setAttribute(attribute, value);
}

function flash(one, cell) {
  const now = Date.now();
  const rare = now - (one.changed || 0) > RARE_MS;
  one.changed = now;
  if (!rare) return;
  cell.classList.add("changed");
  setTimeout(() => cell.classList.remove("changed"), FLASH_MS);
}
