// The texts of the page in its user's language.  The English text is the key in the table of another
// language (texts.de.json); a text without an entry stays English.

import { remembered } from "./memory.js";

const LANGUAGES = ["en", "de"]; // those of opcws; a plant may add others
const ATTRIBUTES = ["aria-label", "data-short", "placeholder", "title"];

export let language = "en";
export let languages = LANGUAGES;
/** The locale of numbers and times: the browser's first, such as de-CH, or that of the language that
 * was chosen here. */
export let locale = "en";
let table = {};
let sentences = []; // a pattern and its text, for each text with %s

/** *key* in the language of the page, with each {name} replaced by *parts*[name]. */
export function t(key, parts = {}) {
  return (table[key] || key).replace(/\{(\w+)\}/g,
    (whole, name) => (parts[name] === undefined ? whole : parts[name]));
}

/** The translation of *text* by opcws or the standard; *other* without an entry in the table.  %s in
 * a text of the table stands for any words, which may be such a text again. */
export function said(text, other = text) {
  if (table[text]) return table[text];
  for (const [pattern, key] of sentences) {
    const [, ...parts] = pattern.exec(text) || [];
    if (parts.length) return table[key].replace(/%s/g, () => said(parts.shift()));
  }
  return other;
}

/** The message of an *error* of opcws.js, or at least its kind. */
export function problemText(error) {
  if (error.status) return error.message.replace(error.reason, () => said(error.reason));
  return said(error.name, said(error.message));
}

/** Load the chosen language, or else the first of the browser's that has a table, and translate
 * index.html. */
export async function loadTexts() {
  languages = await fetched("texts.json") || LANGUAGES;
  const codes = navigator.languages.map(baseOf);
  const chosen = remembered("language");
  for (const code of [chosen || codes[0], ...codes, "en"]) {
    if (!languages.includes(code)) continue;
    const found = await fetched("texts." + code + ".json");
    if (!found && code !== "en") continue;
    table = found || {};
    sentences = Object.keys(table).filter((key) => /%s.|.%s/.test(key)).map((key) => [
      new RegExp("^" + key.split("%s").map(escaped).join("(.+?)") + "$"), key]);
    language = code;
    break;
  }
  locale = navigator.languages.find(
    (tag) => isLocale(tag) && (chosen !== language || baseOf(tag) === language)) || language;
  document.documentElement.lang = language;
  translate(document.body);
  document.querySelectorAll("template").forEach(({ content }) => translate(content));
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

const baseOf = (tag) => tag.split("-")[0].toLowerCase();

function isLocale(tag) {
  try {
    return Intl.getCanonicalLocales(tag).length > 0;
  } catch (error) {
    return false;
  }
}

async function fetched(name) {
  try {
    const response = await fetch(name);
    return response.ok ? await response.json() : null;
  } catch (error) {
    return null;
  }
}

function translate(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    if (parentElement && parentElement.closest("[translate=no]")) continue;
    const key = data.replace(/\s+/g, " ").trim();
    if (table[key]) walker.currentNode.data = data.replace(/\S(?:.*\S)?/s, () => table[key]);
  }
  for (const name of ATTRIBUTES) {
    root.querySelectorAll("[" + name + "]").forEach((element) => {
      element.setAttribute(name, t(element.getAttribute(name)));
    });
  }
}

/** The name of the language *code* in itself. */
export function nameOf(code) {
  try {
    return new Intl.DisplayNames([code], { type: "language" }).of(code);
  } catch (error) {
    return code;
  }
}
