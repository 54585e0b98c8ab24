// The page at /: identity, connection, list, and the selected variable.

import { Client, DataValue, RefusedError, login, whoami } from "./opcws.js";
import { remember, remembered } from "./memory.js";
import { language, languages, locale, nameOf, problemText, said, t } from "./texts.js";
import { finder, isLive, natural, ordered } from "./find.js";
import {
  ageText, clockOf, dataText, exactText, isStale, limitOf, limitText, moment, parts, quality, qualityText, rangeText,
  rows, timeTitle,
  setZone, unitOf, zoneText,
} from "./format.js";
import { List, markLimit } from "./list.js";
import { Ruler } from "./ruler.js";
import { Past } from "./history.js";
import { forgetLooks } from "./strips.js";
import { Tree } from "./tree.js";
import { Trend } from "./trend.js";
import { Views } from "./views.js";
import { Writing, isHeldEnter } from "./write.js";

const UPDATE_MS = 250; // least time between two updates of a variable in the list
const TOGETHER_MS = 100; // changes within this time are drawn together
const INFO_AT_A_TIME = 500;
const INFO_AGAIN_MS = 1000; // info from the OPC UA server comes some time after its connection
const INFO_TRIES = 8;
const NOTICE_MS = 6000;
const BELOW_MS = 2000; // least time between two updates of a variable below a folder
const BELOW_AT_MOST = 2000; // variables of all visible folders
const READ_AT_MOST = 2000; // variables that are read to sort by their values
const READ_MAX_AGE_MS = 5000;
const TYPING_MS = 300;
const PILLS = 3; // most plants that are shown one by one
const WIDE = window.matchMedia("(min-width: 64rem)");

const byId = (id) => document.getElementById(id);
const variables = new Map(); // name -> {name, info, data, words}
const changed = new Set(); // names to draw in the next frame
let names = []; // all, in natural order
let matches = []; // those that match the search
let favourites = new Set();
const order = { column: "name", reverse: false, told: "", kept: new Map() };
let typing = 0;
let client = null;
let me = { Identity: "", Role: "", MayConnect: false, History: false, Login: [] };
let seen = null; // the Monitor of the list
let below = null; // the Monitor of variables below the folders of the tree
let selected = null;
let seenOnce = false; // whether there was a connection with the present identity

// --- identity

let token = stored("token");

function stored(key) {
  try {
    return sessionStorage.getItem(key);
  } catch (error) {
    return null;
  }
}

function keep(text) {
  token = text;
  try {
    if (text) sessionStorage.setItem("token", text);
    else sessionStorage.removeItem("token");
  } catch (error) {
    // Without storage it must be entered again after a reload.
  }
}

/** Called before each connection, because a script cannot read why a WebSocket was refused. */
async function identify({ signal }) {
  const shown = token;
  me = await whoami(undefined, { token: shown, signal });
  useZone();
  byId("identity").textContent = me.Identity && me.Identity + ", " + me.Role;
  byId("enter").hidden = Boolean(shown) || !me.Login.length || !me.MayConnect;
  byId("leave").hidden = !shown;
  byId("login-user").hidden = !me.Login.includes("password");
  if (!me.MayConnect) {
    throw new RefusedError(shown ? 403 : 401, shown
      ? t("The role {role} of {name} grants no variables.", { role: me.Role, name: me.Identity }) : "");
  }
  showLogin(false);
  return shown;
}

/** Send an HTTP request to opcws; {body, tag}.  Throws an Error that may have an httpStatus. */
async function request(method, path, body, headers = {}) {
  const more = token ? { Authorization: "Bearer " + token } : {};
  const response = await fetch(path, { method, body, headers: { ...headers, ...more } });
  const text = await response.text();
  if (response.ok) return { body: text, tag: response.headers.get("ETag") };
  throw Object.assign(new Error(text.trim()), { httpStatus: response.status });
}

/** Show or hide the login form; *alone*, without the rest of the page, if a person asked for it. */
function showLogin(show, reason = "", alone = false) {
  byId("login-reason").textContent = said(reason);
  if (byId("login").hidden === !show) return;
  byId("login").hidden = !show;
  document.body.classList.toggle("entering", show && alone);
  byId("main").hidden = show && !names.length;
  if (show) byId(byId("login-user").hidden ? "token" : "user").focus();
}

async function logIn(event) {
  event.preventDefault();
  const [user, given] = ["user", "token"].map((id) => byId(id).value.trim());
  byId("login-reason").textContent = "";
  try {
    if (user) {
      keep((await login(undefined, user, byId("password").value)).AccessToken);
    } else {
      if (!/^[\w.~-]+$/.test(given)) throw new Error(t("Give a user and a password, or a token."));
      await whoami(undefined, { token: given });
      keep(given);
    }
  } catch (error) {
    byId("login-reason").textContent = problemText(error);
    return;
  }
  byId("login").reset();
  showLogin(false);
  again();
}

/** Start again with another identity: nothing of the former one stays. */
function again(reason = "") {
  if (client) client.close();
  variables.clear();
  order.kept.clear();
  names = [];
  seenOnce = false;
  trend.clear();
  views.clear();
  if (writing.open) writing.close();
  closeDetail();
  search();
  byId("main").hidden = false;
  connect(reason);
}

// --- the connection

function connect(reason = "") {
  const mine = new Client(undefined, {
    token: identify, reconnect: { min: 500, max: 8000 }, timeout: 15000,
  });
  client = mine;
  mine.on("state", (event) => { if (client === mine) stateChanged(event, reason); });
  mine.on("server", (status) => { if (client === mine) serverChanged(status); });
  mine.on("error", (error) => notice(problemText(error), true));
  seen = mine.monitor([], { minInterval: UPDATE_MS }, update);
  below = mine.monitor([], { minInterval: BELOW_MS }, update);
  watchAnew();
  trend.connect(mine);
  views.connect(mine);
  stateChanged({ state: mine.state, error: null }, reason);
}

function stateChanged({ state, error }, reason) {
  document.body.classList.toggle("stale", state !== "open");
  list.setLive(state === "open");
  if (selected !== null) drawReading();
  byId("write").disabled = state !== "open";
  writing.refresh();
  if (state !== "open") {
    trend.lose();
    views.lose();
  }
  if (state === "open") {
    seenOnce = true;
    tell("good", t("opcws connected"));
    notice("");
    told.clear();
    loadNames();
  } else if (state === "closed") {
    refused(error, reason);
  } else if (seenOnce) {
    tell("bad", t("Connection lost, reconnecting …"));
    notice(t("No connection to opcws: the values are the last known ones."), true);
  } else {
    tell("waiting", t("Connecting …"));
    if (error) notice(t("No connection to opcws yet: {reason}", { reason: problemText(error) }), true);
  }
  drawServers();
}

/** The client has given up: a credential is missing or wrong. */
function refused(error, reason) {
  if (!(error instanceof RefusedError)) return;
  notice("");
  if (error.httpStatus === 401 && token) {
    keep(null); // perhaps the page works without one
    again(error.message);
    return;
  }
  tell("waiting", error.httpStatus === 403 ? t("Not allowed") : t("Log in, please"));
  if (error.httpStatus === 403) notice(error.message, true);
  if (error.httpStatus === 401) showLogin(true, error.message || reason);
}

let asking = null; // the Client that is loading the variables
let askAgain = false;

/** Load the names of the variables and their info; that of known variables only if *anew*. */
async function loadNames(anew = true) {
  const mine = client;
  if (asking === mine) {
    askAgain = askAgain || anew;
    return;
  }
  asking = mine;
  try {
    const found = await mine.list();
    if (client !== mine) return;
    const known = new Set(found);
    const same = found.length === names.length && names.every((name) => known.has(name));
    for (const name of Array.from(variables.keys())) if (!known.has(name)) variables.delete(name);
    for (const name of found) {
      if (!variables.has(name)) {
        variables.set(name, { name, info: {}, data: null, words: name.toLowerCase() });
      }
    }
    if (!same) {
      names = natural(found);
      trend.watch();
      views.watch();
    }
    search();
    if (selected !== null && !known.has(selected)) {
      notice(t("{name} is not there any more.", { name: selected }), true);
      closeDetail();
    }
    fromAddress();
    await loadInfo(anew ? names : names.filter((name) => !infoOf(name).Variable));
  } catch (error) {
    if (error.status) notice(t("The list of variables: {reason}", { reason: said(error.reason) }), true);
  } finally {
    if (asking === mine) asking = null;
  }
  if (askAgain && client === mine && mine.state === "open") {
    askAgain = false;
    loadNames();
  }
}

/** Load the info of variables, the visible ones first. */
async function loadInfo(wanted, tries = 0) {
  const mine = client;
  const sight = new Set(seen.names);
  const order = wanted.filter((name) => sight.has(name)).concat(
    wanted.filter((name) => !sight.has(name)));
  for (let start = 0; start < order.length; start += INFO_AT_A_TIME) {
    const part = await mine.infoAll(order.slice(start, start + INFO_AT_A_TIME));
    if (client !== mine) return;
    for (const info of part) {
      const one = variables.get(info.Variable);
      if (one && !info.StatusCode) {
        one.info = info;
        one.words = [one.name, info.Description, unitOf(info), info.Server].join(" ").toLowerCase();
      }
    }
    list.updateAll(new Set(part.map((info) => info.Variable)));
    if (part.some((info) => info.Variable === selected)) drawDetail();
  }
  fillPlants();
  if (byId("search").value || byId("plant").value) search();
  trend.watch();
  views.learn();
  // The type comes first; every variable with a server has Historizing.
  const isWhole = ({ Type, Historizing }) => Type && Historizing !== undefined;
  const missing = order.filter((name) => variables.has(name) && !isWhole(variables.get(name).info));
  if (!missing.length || tries >= INFO_TRIES) return;
  setTimeout(() => {
    if (client === mine && mine.state === "open") {
      loadInfo(missing, tries + 1).catch(() => {}); // the end of the connection ends it, too
    }
  }, INFO_AGAIN_MS * 2 ** Math.min(tries, 4));
}

const told = new Set(); // the OPC UA servers that reported their state on this connection

/** A server reports its state at first, when it changes, and when its variables change. */
function serverChanged(status) {
  drawServers();
  if (told.has(status.Server)) loadNames(status.State === "connected");
  told.add(status.Server);
}

function update(data) {
  const one = variables.get(data.variable);
  if (!one) return;
  one.data = data;
  if (!changed.size) setTimeout(() => requestAnimationFrame(drawChanged), TOGETHER_MS);
  changed.add(data.variable);
}

function drawChanged() {
  list.updateAll(changed);
  drawFolders();
  if (changed.has(selected)) drawReading();
  if (changed.has(writing.name)) writing.refresh();
  changed.clear();
}

// --- states

function tell(kind, text) {
  byId("connection").className = "state " + kind;
  byId("connection").textContent = text;
}

let noticeTimer = 0;

/** Show a message above everything; a *problem* stays until it is solved. */
function notice(text, problem = false) {
  clearTimeout(noticeTimer);
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
  byId("notice").classList.toggle("good-news", !problem);
  if (text && !problem) {
    noticeTimer = setTimeout(() => {
      notice("");
      drawServers();
    }, NOTICE_MS);
  }
}

const KINDS = { connected: "good", connecting: "waiting", disconnected: "bad" };
const STATES = {
  connected: t("connected"), connecting: t("connecting"), disconnected: t("disconnected"),
};
let expanded = false;

function drawServers() {
  const all = client && client.state === "open"
    ? Array.from(client.servers.values()).sort((a, b) => (a.Server < b.Server ? -1 : 1)) : [];
  const pills = all.map((status) => {
    const pill = document.createElement("span");
    pill.className = "state " + (KINDS[status.State] || "waiting");
    pill.textContent = status.Server + " " + (STATES[status.State] || status.State);
    pill.title = t("since {time}", { time: moment(new Date(status.Since)) }) +
      (status.Failed ? "; " + t("refused variables: {count}", { count: status.Failed }) : "");
    pill.dataset.server = status.Server;
    return pill;
  });
  const away = all.filter((status) => status.State !== "connected");
  byId("servers").textContent = "";
  if (all.length > PILLS) {
    const sum = document.createElement("button");
    sum.type = "button";
    sum.className = "state " + (away.length ? "bad" : "good");
    sum.textContent = away.length
      ? t("{count} of {all} plants not connected", { count: away.length, all: all.length })
      : t("{count} plants connected", { count: all.length });
    sum.setAttribute("aria-expanded", String(expanded));
    sum.addEventListener("click", () => {
      expanded = !expanded;
      drawServers();
    });
    byId("servers").append(sum, ...(expanded ? pills : []));
  } else {
    byId("servers").append(...pills);
  }
  if (!client || client.state !== "open") return;
  const reasons = away.filter((status) => status.State === "disconnected")
    .map((status) => status.Server + ": " + (said(status.Reason) || t("not connected")));
  if (reasons.length) notice(reasons.join("; "), true);
  else if (!byId("notice").classList.contains("good-news")) notice("");
}

// --- the list

const list = new List(byId("list"), byId("row"), variables, {
  onSelect: (name, how) => select(name, how),
  onSight: watch,
  onCompact: (compact) => {
    byId("sort").hidden = !compact;
    byId("variables").classList.toggle("narrow", compact);
  },
  onFold: (folder) => {
    tree.toggle(folder);
    showTree();
  },
  onStar: star,
  isStarred: (name) => favourites.has(name),
});

const tree = new Tree();

function showTree() {
  const rows = tree.rows();
  list.show(Array.from(rows.keys()), rows);
}

function watchAnew() {
  list.inSight = null;
  list.draw();
}

/** Monitor the visible variables, and those below visible folders. */
function watch(listed) {
  if (!seen) return;
  const sight = views.open ? [] : listed;
  const folders = sight.map((key) => list.folder(key)).filter(Boolean);
  const shown = new Set(sight.filter((key) => !list.folder(key)));
  seen.set(Array.from(shown));
  below.set(Array.from(tree.below(folders, BELOW_AT_MOST)).filter((name) => !shown.has(name)));
  drawFolders();
}

function drawFolders() {
  if (!list.tree) return;
  tree.rollUp(seen.names.concat(below.names), variables);
  list.updateFolders();
}

function search() {
  const has = finder(byId("search").value);
  const plant = byId("plant").value;
  const alone = isPressed("favourites");
  matches = names.filter((name) => {
    const one = variables.get(name);
    return (!plant || one.info.Server === plant) && (!alone || favourites.has(name)) && has(one);
  });
  const sorted = ordered(matches, variables, order);
  if (isPressed("tree")) {
    tree.grow(sorted, matches.length < names.length);
    showTree();
  } else {
    list.show(sorted);
  }
  const [count, all] = [matches, names].map(({ length }) => length.toLocaleString(locale));
  byId("count").textContent = matches.length !== names.length
    ? t("{count} of {all} variables", { count, all })
    : names.length === 1 ? t("1 variable") : t("{count} variables", { count });
  byId("nothing").hidden = matches.length > 0 || !client || client.state !== "open";
  byId("nothing").textContent = !names.length ? t("No variables are configured.")
    : alone && !favourites.size ? t("No favourites yet: press the star of a variable.")
      : t("No variable matches.");
}

/** As search(), but by a person, who may have sorted by values that are not known yet. */
function searchAnew() {
  tree.shut.clear();
  search();
  clearTimeout(typing);
  typing = setTimeout(() => learn(false), TYPING_MS);
}

function sortBy(column, reverse) {
  Object.assign(order, { column, reverse, told: "" });
  order.kept.clear();
  clearTimeout(typing);
  search();
  drawOrder();
  learn(true);
}

const monitored = () => new Set([...seen.names, ...below.names, ...trend.names]);

/** Read values to sort by; if not *anew*, only unknown ones.  Later changes do not move rows while a
 * person is looking. */
async function learn(anew) {
  const mine = client;
  if (!isLive(order.column) || !mine || mine.state !== "open") return;
  const known = monitored();
  const wanted = matches.slice(0, READ_AT_MOST).filter(
    (name) => !variables.get(name).data || (anew && !known.has(name)));
  try {
    const read = await mine.readAll(wanted, { maxAge: READ_MAX_AGE_MS });
    const newer = monitored(); // these have newer values
    for (const data of client === mine ? read : []) {
      const one = variables.get(data.variable);
      if (one && (!one.data || !newer.has(data.variable))) one.data = data;
    }
  } catch (error) {
    if (error.status) notice(t("The values to sort by: {reason}", { reason: problemText(error) }));
  }
  if (client !== mine || !isLive(order.column)) return;
  if (anew) order.kept.clear();
  const count = matches.filter((name) => variables.get(name).data).length;
  const time = clockOf(new Date());
  order.told = count < matches.length
    ? t("Sorted by the values of {time}, of {count} of {all} variables; the others come last", {
      time, count: count.toLocaleString(locale), all: matches.length.toLocaleString(locale),
    }) : t("Sorted by the values of {time}", { time });
  search();
  drawOrder();
}

function drawOrder() {
  for (const button of byId("list").querySelectorAll("[data-sort]")) {
    const { sort } = button.dataset;
    if (sort === order.column) {
      button.parentNode.setAttribute("aria-sort", order.reverse ? "descending" : "ascending");
    } else {
      button.parentNode.removeAttribute("aria-sort");
    }
    button.title = sort === order.column && order.told || (isLive(sort)
      ? t("Sort by the values of now, of {count} variables at most", {
        count: READ_AT_MOST.toLocaleString(locale),
      }) : t("Sort"));
  }
  byId("sort").value = order.column + (order.reverse ? "-" : "");
  byId("sort").title = order.told;
}

/** The first press sorts, the second reverses, the third restores the natural order. */
function headPressed(column) {
  if (column !== order.column) sortBy(column, false);
  else if (!order.reverse) sortBy(column, true);
  else sortBy("name", false);
}

// --- favourites

function loadFavourites() {
  try {
    favourites = new Set(JSON.parse(remembered("favourites")) || []);
  } catch (error) {
    favourites = new Set(); // the stored text is not ours
  }
}

function star(name) {
  if (!favourites.delete(name)) favourites.add(name);
  remember("favourites", JSON.stringify(Array.from(favourites)));
  drawFavourites();
}

function drawFavourites() {
  list.markAll();
  byId("star").setAttribute("aria-pressed", String(favourites.has(selected)));
  if (isPressed("favourites")) search();
}

const isPressed = (id) => byId(id).getAttribute("aria-pressed") === "true";

function toggle(id) {
  byId(id).setAttribute("aria-pressed", String(!isPressed(id)));
  searchAnew();
}

/** Offer a choice of plants, if there are several. */
function fillPlants() {
  const plants = Array.from(new Set(names.map((name) => variables.get(name).info.Server)))
    .filter(Boolean).sort();
  const field = byId("plant");
  field.hidden = plants.length < 2;
  if (field.dataset.plants === plants.join("\n")) return;
  field.dataset.plants = plants.join("\n");
  const chosen = field.value;
  field.textContent = "";
  for (const plant of ["", ...plants]) {
    const option = document.createElement("option");
    option.value = plant;
    option.textContent = plant || t("All plants");
    field.appendChild(option);
  }
  field.value = plants.includes(chosen) ? chosen : "";
}

// --- the selected variable

const infoOf = (name) => (variables.get(name) || { info: {} }).info;
const clientNow = () => client;
const isThere = (name) => !names.length || variables.has(name); // if the names are known

const trend = new Trend(byId("trend"), {
  client: clientNow, me: () => me, info: infoOf, isThere,
  onSelect: (name) => select(name), onUpdate: update, onPins: pinsChanged,
});
const past = new Past(byId("history"), {
  client: clientNow, info: infoOf,
  curves: () => trend.names.map((name) => ({ name, place: trend.curves.lines.get(name).place })),
});
const views = new Views(byId("views"), {
  client: clientNow, me: () => me, info: infoOf, isThere, names: () => names,
  data: (name) => (isThere(name) ? (variables.get(name) || {}).data : new DataValue({
    Status: 0x80340000, Symbol: "BadNodeIdUnknown", Reason: t("{name} is not there any more.", { name }),
  })),
  onUpdate: update, notice, request,
});
const writing = new Writing(byId("shade"), {
  client: clientNow, info: infoOf, data: (name) => (variables.get(name) || {}).data,
  onWritten: (text) => notice(text, clientNow().state !== "open"),
});

function select(name, how = "") {
  if (how && location.hash !== "#" + encodeURIComponent(name)) {
    location.hash = encodeURIComponent(name); // so that "back" closes it, and it can be linked
  }
  const first = selected === null;
  selected = name;
  if (list.tree && !list.tree.has(name)) {
    tree.reveal(name);
    showTree();
  }
  list.select(name);
  byId("detail").hidden = false;
  byId("main").classList.remove("closed");
  if (first) tab("trend");
  trend.select(name);
  past.select(name);
  drawDetail();
  if (how === "keyboard" || (how && !WIDE.matches)) byId("detail-name").focus();
}

function closeDetail() {
  if (selected === null) return;
  selected = null;
  trend.select(null);
  list.select(null);
  byId("detail").hidden = true;
  byId("main").classList.add("closed");
  byId("list").focus({ preventScroll: true });
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
}

function fromAddress() {
  const viewing = views.isOne(location.hash);
  if (viewing !== views.open) watchAnew();
  views.route(location.hash);
  byId("to-variables").setAttribute("aria-current", viewing ? "false" : "page");
  byId("to-views").setAttribute("aria-current", viewing ? "page" : "false");
  if (viewing) return;
  document.title = "opcws";
  let name = "";
  try {
    name = decodeURIComponent(location.hash.slice(1));
  } catch (error) {
    return;
  }
  if (!name) closeDetail();
  else if (variables.has(name) && name !== selected) select(name);
}

function drawDetail() {
  if (selected === null) return;
  const info = infoOf(selected);
  breakable(byId("detail-name"), selected);
  byId("detail-note").textContent = info.Description || "";
  drawActions();
  drawReading();
  drawFacts(info);
}

/** Write *name* with line breaks only after points. */
function breakable(element, name) {
  if (element.textContent === name) return;
  element.textContent = "";
  for (const part of name.match(/[^./_]*[./_]*/g)) {
    element.append(part, document.createElement("wbr"));
  }
}

function pinsChanged() {
  drawActions();
  past.follow();
}

function drawActions() {
  if (selected === null) return;
  byId("write").hidden = !String(infoOf(selected).Access || "").includes("write");
  byId("star").setAttribute("aria-pressed", String(favourites.has(selected)));
  const kept = trend.isPinned(selected);
  byId("pin").setAttribute("aria-pressed", String(kept));
  byId("pin").textContent = kept ? t("Kept in trend") : t("Keep in trend");
}

const MOST_PARTS = 200; // of a structure or a matrix
const SUMMARY = 60; // characters of a value whose parts are shown, too
let sizes = []; // font sizes of the reading, the largest first: {name, digit: px}
let readingRoom = 0; // px

/** Measure the room for the reading in each font size. */
function measureReading() {
  const value = byId("detail-value");
  const shown = value.className;
  readingRoom = byId("detail-head").clientWidth;
  sizes = ["", "long", "longer"].map((name) => {
    value.className = name;
    return { name, digit: new Ruler(value).width("0") };
  });
  value.className = shown;
  if (selected !== null) drawReading();
}

new ResizeObserver(measureReading).observe(byId("detail-head"));

function drawReading() {
  const { data, info } = variables.get(selected) || { info: {} };
  const live = Boolean(client) && client.state === "open";
  const old = Boolean(data) && (!live || isStale(data));
  const limit = data && !old ? limitOf(data.value, info) : null;
  const marked = limit ? limit.mark.length + 1 : 0;
  const told = data ? quality(data, live) : { kind: "", text: "", title: "" };
  const value = byId("detail-value");
  const isText = Boolean(data) && !["number", "bigint", "boolean"].includes(typeof data.value);
  const rooms = sizes.map(({ digit }) => Math.floor(readingRoom / digit) - marked);
  const hasParts = drawParts(data);
  const most = hasParts ? SUMMARY : isText ? 400 : Math.max(7, ...rooms);
  const text = data ? dataText(data, info, most) : "";
  const size = sizes.find((_size, n) => text.length <= rooms[n]) || { name: "longer" };
  value.textContent = text;
  value.title = !data ? ""
    : data.value && data.value.Locale ? t("In the language {code}", { code: data.value.Locale })
      : exactText(data.value, info);
  value.className = hasParts ? "longer" : size.name;
  byId("detail").classList.toggle("old", old);
  markLimit(value, limit);
  byId("detail-limit").hidden = !limit;
  byId("detail-limit").textContent = limit ? limit.text : "";
  byId("detail-unit").textContent = data && data.value !== null ? unitOf(info) : "";
  byId("detail-quality").textContent = qualityText(told);
  byId("detail-quality").className = "quality " + told.kind;
  byId("detail-quality").title = told.title;
  byId("detail-reason").textContent = data && data.severity === "bad" ? said(data.reason) : "";
  if (data && !byId("facts").hidden) {
    // Only these change, so that text that a person has selected stays selected.
    if (!byId("facts-exact") || !byId("facts-time")) drawFacts(info);
    byId("facts-exact").textContent = exactText(data.value, info);
    byId("facts-time").textContent = timeTitle(data) || t("none");
  }
  drawTime();
}

/** Show the fields of a structure as a list, or a matrix as a table; returns whether it is either. */
function drawParts(data) {
  const place = byId("detail-parts");
  const value = data && data.value;
  const made = !value || typeof value !== "object" ? null
    : data.dimensions && data.dimensions.length === 2 ? grid(rows(value, data.dimensions))
      : Array.isArray(value) || parts(value).text === null ? fields(value, { left: MOST_PARTS })
        : null;
  place.hidden = !made;
  place.textContent = "";
  if (made) place.append(made);
  return Boolean(made);
}

function grid(lines) {
  const table = document.createElement("table");
  let left = MOST_PARTS;
  for (const line of lines) {
    if (left <= 0) break;
    const row = table.insertRow();
    for (const one of line.slice(0, left)) {
      const cell = row.insertCell();
      cell.className = "value";
      cell.textContent = dataText({ value: one }, {}, 20);
      cell.title = exactText(one);
    }
    left -= line.length;
  }
  if (left < 0) table.createCaption().textContent = t("The first {count} values", { count: MOST_PARTS });
  return table;
}

/** A list of the members of *value*, with nested lists. */
function fields(value, most) {
  const list = document.createElement("ul");
  const members = Array.isArray(value) ? value : parts(value).members;
  for (const key of Object.keys(members)) {
    const item = document.createElement("li");
    list.append(item);
    if (most.left <= 0) {
      item.textContent = "…";
      break;
    }
    most.left -= 1;
    const one = members[key];
    const open = one !== null && typeof one === "object" &&
      (Array.isArray(one) || parts(one).text === null);
    const name = document.createElement("span");
    name.className = "soft";
    name.textContent = key + ": ";
    item.append(name, open ? (parts(one).name || "") : dataText({ value: one }, {}, 400));
    if (open) item.append(fields(one, most));
  }
  return list;
}

function drawTime() {
  const { data } = variables.get(selected) || {};
  const age = data && data.time ? ageText(data.time) : "";
  byId("detail-time").textContent = age && (age === t("now") ? age : t("{age} ago", { age })) +
    ", " + moment(data.time, 3);
  byId("detail-time").title = data ? timeTitle(data) : "";
}

const RECORDED_BY = { // by HistorySource
  plant: t("recorded by the OPC UA server"), own: t("recorded by opcws"),
  both: t("recorded by the OPC UA server and by opcws"),
};

function drawFacts(info) {
  const { data } = variables.get(selected) || {};
  const access = { read: t("read"), readwrite: t("read and write"), write: t("write") }[info.Access];
  const facts = [
    [t("OPC UA server"), info.Server], [t("Node"), info.NodeId],
    [t("Type"), info.Type && info.Type + (info.IsArray ? ", " + t("an array") : "")],
    [t("Element"), info.IndexRange], [t("You may"), access || (info.Type ? t("nothing") : "")],
    [t("Unit"), info.EngineeringUnits &&
      [unitOf(info), info.EngineeringUnits.Description].filter(Boolean).join(", ")],
    [t("Range"), info.EURange && rangeText(info.EURange.Low, info.EURange.High)],
    [t("History"), RECORDED_BY[info.HistorySource] || info.HistorySource ||
      (info.Historizing === undefined ? "" : info.Historizing ? t("recorded") : t("none"))],
    [t("Sampled"), info.MinimumSamplingInterval > 0
      ? t("every {count} ms at most", { count: info.MinimumSamplingInterval }) : ""],
    [t("Limits"), info.Limits &&
      Object.keys(info.Limits).map((name) => limitText(name, info.Limits[name])).join(", ")],
    [t("Exact value"), data && exactText(data.value, info), "facts-exact"],
    [t("Time"), data && (timeTitle(data) || t("none")), "facts-time"],
    ...Object.entries(info.MetaData || {}).map(
      ([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  ];
  byId("facts-list").textContent = "";
  for (const [term, text, id] of facts) {
    if (!text) continue;
    const [dt, dd] = ["dt", "dd"].map((kind) => document.createElement(kind));
    dt.textContent = term;
    dd.textContent = text;
    if (id) dd.id = id;
    byId("facts-list").append(dt, dd);
  }
}

const TABS = ["trend", "history", "facts"];

function tab(shown) {
  for (const name of TABS) {
    byId(name).hidden = name !== shown;
    byId("tab-" + name).setAttribute("aria-selected", String(name === shown));
    byId("tab-" + name).tabIndex = name === shown ? 0 : -1;
  }
  if (shown === "facts") drawFacts(infoOf(selected));
  if (shown === "trend") trend.draw();
  if (shown === "history") {
    past.chart.draw();
    past.follow();
  }
}

TABS.forEach((name, place) => {
  byId("tab-" + name).addEventListener("click", () => tab(name));
  byId("tab-" + name).addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const other = TABS[(place + step + TABS.length) % TABS.length];
    tab(other);
    byId("tab-" + other).focus();
  });
});

// --- light and dark

const SCHEMES = window.matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : SCHEMES.matches;
}

function restyle() {
  forgetLooks();
  byId("theme").setAttribute("aria-label", isDark() ? t("Change to light") : t("Change to dark"));
  trend.chart.restyle();
  trend.draw();
  views.restyle();
  past.chart.restyle();
  if (past.name) past.draw();
}

byId("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  remember("theme", document.documentElement.dataset.theme);
  restyle();
});
if (SCHEMES.addEventListener) SCHEMES.addEventListener("change", restyle);

// --- the language and the time zone

/** Fill a choice with *choices*, value -> text. */
function offer(id, choices, chosen) {
  byId(id).textContent = "";
  Object.keys(choices).forEach((value) => {
    byId(id).append(new Option(choices[value], value, false, value === chosen));
  });
}

offer("language", Object.fromEntries(languages.map((code) => [code, nameOf(code)])), language);
byId("language").addEventListener("change", () => {
  remember("language", byId("language").value);
  location.reload();
});

/** Use the chosen time zone, if it exists. */
function useZone() {
  setZone();
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zones = { device: t("This device ({zone})", { zone: own }) };
  if (me.TimeZone && setZone(me.TimeZone)) zones.plant = t("Plant ({zone})", { zone: me.TimeZone });
  zones.UTC = "UTC";
  const chosen = zones[remembered("zone")] ? remembered("zone") : "device";
  setZone({ device: undefined, plant: me.TimeZone, UTC: "UTC" }[chosen]);
  offer("zone", zones, chosen);
  document.querySelectorAll(".zone-name").forEach((element) => {
    element.textContent = zoneText(new Date());
  });
}

byId("zone").addEventListener("change", () => {
  remember("zone", byId("zone").value);
  useZone();
  past.setTimes();
  trend.tabled = null;
  restyle();
  list.measure();
  drawDetail();
  drawServers();
});

// --- everything else

byId("search").addEventListener("input", searchAnew);
byId("search").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") {
    byId("list").focus();
    event.preventDefault();
  }
});
byId("plant").addEventListener("change", searchAnew);
byId("favourites").addEventListener("click", () => toggle("favourites"));
byId("tree").addEventListener("click", () => {
  toggle("tree");
  remember("tree", isPressed("tree"));
});
byId("star").addEventListener("click", () => star(selected));
byId("sort").addEventListener("change", () => {
  const [column, reverse] = byId("sort").value.split("-");
  sortBy(column, reverse !== undefined);
});
byId("list").querySelectorAll("[data-sort]").forEach((button) => {
  button.addEventListener("click", () => headPressed(button.dataset.sort));
});
window.addEventListener("storage", (event) => {
  if (event.key !== "favourites") return;
  loadFavourites(); // another tab has changed them
  drawFavourites();
});
byId("login").addEventListener("submit", logIn);
byId("enter").addEventListener("click", () => showLogin(byId("login").hidden, "", true));
byId("leave").addEventListener("click", () => {
  keep(null);
  if (views.open) history.replaceState(null, "", "#/views");
  again();
});
byId("detail-close").addEventListener("click", closeDetail);
byId("write").addEventListener("click", () => writing.start(selected));
byId("write").addEventListener("keydown", (event) => {
  if (isHeldEnter(event)) event.preventDefault(); // the same press has just written
});
byId("pin").addEventListener("click", () => {
  if (!trend.pin(selected, !trend.isPinned(selected))) {
    notice(t("The trend is full; take a variable out of it first."));
  }
  pinsChanged();
});
document.addEventListener("keydown", (event) => {
  if (writing.open || views.open) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "/" && !typing) {
    byId("search").focus();
    event.preventDefault();
  } else if (event.key === "Escape" && selected !== null && !typing) {
    closeDetail();
  }
});
window.addEventListener("hashchange", fromAddress);
window.addEventListener("online", () => client.reconnect());
document.addEventListener("visibilitychange", () => { if (!document.hidden) client.reconnect(); });
setInterval(() => {
  list.drawAges();
  if (selected !== null) drawTime();
}, 1000);
useZone();
restyle();
loadFavourites();
byId("tree").setAttribute("aria-pressed", String(remembered("tree") === "true"));
drawOrder();
connect();
