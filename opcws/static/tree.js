// Variables as a tree: points and slashes in their names separate its folders.  Nothing here knows
// the page.

import { locale, t } from "./texts.js";

const BREAK = /[^./]([./]+)(?=[^./])/g;

export class Tree {
  constructor() {
    this.opened = new Set(); // paths of folders that a person opened
    this.shut = new Set(); // paths that a person closed during a search
    this.grow([], false);
  }

  /** Make the tree of *names*, in their order; it is unfolded during a search. */
  grow(names, searching) {
    this.searching = searching;
    this.root = folderOf("", null);
    this.homes = new Map(); // name -> folder
    this.counted = []; // folders with known values below
    for (const name of names) {
      let folder = this.root;
      folder.all.push(name);
      for (const found of name.matchAll(BREAK)) {
        const path = name.slice(0, found.index + 1);
        if (!folder.folders.has(path)) folder.folders.set(path, folderOf(path, folder));
        folder = folder.folders.get(path);
        folder.all.push(name);
      }
      folder.names.push(name);
      this.homes.set(name, folder);
    }
  }

  /** The visible rows, key -> {label, level, folder, open}: variables by name, folders by a key that
   * is not a possible name. */
  rows() {
    const rows = new Map();
    const visit = (parent, level) => {
      const whole = (path) => path.slice(parent.path.length);
      const plain = (path) => whole(path).replace(parent.path ? /^[./]+/ : "", "");
      const folders = Array.from(parent.folders.values(), unfolded);
      const paths = new Map(); // label -> all paths with it, such as a.b and a..b
      const ends = folders.map(({ path, all }) => (all.length === 1 ? all[0] : path));
      for (const path of ends.concat(parent.names)) {
        paths.set(plain(path), (paths.get(plain(path)) || new Set()).add(path));
      }
      const label = (path) => (paths.get(plain(path)).size > 1 ? whole(path) : plain(path));
      for (const folder of folders) {
        if (folder.all.length === 1) {
          rows.set(folder.all[0], { label: label(folder.all[0]), level, folder: null });
          continue;
        }
        const open = this.isOpen(folder);
        rows.set("\0" + folder.path, { label: label(folder.path), level, folder, open });
        if (open) visit(folder, level + 1);
      }
      for (const name of parent.names) rows.set(name, { label: label(name), level, folder: null });
    };
    visit(this.root, 1);
    return rows;
  }

  isOpen(folder) {
    return this.searching ? !this.shut.has(folder.path) : this.opened.has(folder.path);
  }

  toggle(folder) {
    const changed = this.searching ? this.shut : this.opened;
    if (!changed.delete(folder.path)) changed.add(folder.path);
  }

  /** Unfold the folders around *name*. */
  reveal(name) {
    for (let folder = this.homes.get(name); folder; folder = folder.parent) {
      this.opened.add(folder.path);
      this.shut.delete(folder.path);
    }
  }

  /** Names below *folders*, at most *most*: all of the small ones, and a share of the others. */
  below(folders, most) {
    const found = new Set();
    const order = Array.from(folders).sort((one, other) => one.all.length - other.all.length);
    order.forEach((folder, place) => {
      let share = Math.floor((most - found.size) / (order.length - place));
      for (const name of folder.all) {
        if (share <= 0) break;
        if (!found.has(name)) share -= 1;
        found.add(name);
      }
    });
    return found;
  }

  /** Count the qualities of *names*, those with known values, in every folder. */
  rollUp(names, variables) {
    for (const folder of this.counted) folder.known = null;
    this.counted = [];
    for (const name of names) {
      const { data } = variables.get(name) || {};
      for (let folder = data && this.homes.get(name); folder; folder = folder.parent) {
        if (!folder.known) {
          folder.known = { good: 0, uncertain: 0, bad: 0 };
          this.counted.push(folder);
        }
        folder.known[data.severity] += 1;
      }
    }
  }
}

/** The folder itself, or the first below it that contains more than a single folder. */
function unfolded(folder) {
  let found = folder;
  while (!found.names.length && found.folders.size === 1) found = found.folders.values().next().value;
  return found;
}

/** *all*: names of all variables below, *names*: those directly in it. */
function folderOf(path, parent) {
  return { path, parent, folders: new Map(), names: [], all: [], known: null };
}

/** {kind, text, title} of the worst known quality below *folder*. */
export function worst({ all, known }) {
  const { good, uncertain, bad } = known || { good: 0, uncertain: 0, bad: 0 };
  const sum = good + uncertain + bad;
  const [some, of] = [sum, all.length].map((count) => count.toLocaleString(locale));
  const texts = {
    bad: bad && t("{count} bad", { count: bad }),
    uncertain: uncertain && t("{count} uncertain", { count: uncertain }),
    good: good && t("{count} good", { count: good }),
  };
  const title = t("{count} of {all} are known: {texts}", {
    count: some, all: of, texts: Object.values(texts).filter(Boolean).join(", "),
  });
  if (bad) return { kind: "bad", text: texts.bad, title };
  if (uncertain) return { kind: "doubt", text: texts.uncertain, title };
  if (!sum) return { kind: "", text: "", title: "" };
  return { kind: "good", title, text: sum < all.length ? t("{count} of {all} good", { count: some, all: of }) : t("Good") };
}
