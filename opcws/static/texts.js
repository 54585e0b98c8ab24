// The texts of the page in the language of whoever looks.  The English text is what a table of
// another language (texts.de.json) has a text for; what a table lacks stays English.

import { remembered } from "./memory.js";

const LANGUAGES = ["en", "de"]; // what comes with opcws; a plant may add others
const ATTRIBUTES = ["aria-label", "data-short", "placeholder", "title"];

export let language = "en";
export let languages = LANGUAGES;
/** Whose numbers and times: the browser's first, such as de-CH, or one of the language that was
 * chosen here. */
export let locale = "en";
let table = {};
let sentences = []; // a pattern and its text, of each text with %s

/** *key* in the language of the page, with {name} replaced by what *parts* have of that name. */
export function t(key, parts = {}) {
  return (table[key] || key).replace(/\{(\w+)\}/g,
    (whole, name) => (parts[name] === undefined ? whole : parts[name]));
}

/** What opcws, or the standard, says as *text*; *other* where the table has nothing for it.  %s in a
 * text of the table is whatever opcws has in that place, which may be such a text again. */
export function said(text, other = text) {
  if (table[text]) return table[text];
  for (const [pattern, key] of sentences) {
    const [, ...parts] = pattern.exec(text) || [];
    if (parts.length) return table[key].replace(/%s/g, () => said(parts.shift()));
  }
  return other;
}

/** What an *error* of opcws.js says; at least of which kind it is. */
export function problemText(error) {
  if (error.status) return error.message.replace(error.reason, () => said(error.reason));
  return said(error.name, said(error.message));
}

/** Take the language that was chosen here, or else the first of the browser's that there is a table
 * of, and put it into what index.html has. */
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

/** What *code* is called in its own language. */
export function nameOf(code) {
  try {
    return new Intl.DisplayNames([code], { type: "language" }).of(code);
  } catch (error) {
    return code;
  }
}
