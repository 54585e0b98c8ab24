"use strict";
// One WebSocket to the server that this page came from.  A variable is monitored once it has
// been in the table; only what changed is drawn, once per animation frame.

const MOST_ROWS = 500; // of matches that are shown
const UPDATE_MS = 250; // least time between two updates of a variable
const CHECK_MS = 10000; // a request goes out that often ...
const SILENCE_MS = 25000; // ... so that silence this long means a dead connection
const RETRY_MS = [500, 1000, 2000, 4000];

const byId = (id) => document.getElementById(id);
const variables = new Map(); // name -> {name, info, data, refused, row, cells}
const servers = new Map(); // name -> the body of its SERVERSTATUS_MESSAGE
let names = [];
let socket = null;
let asking = false; // who we are
let token = sessionStorage.getItem("token");
let failures = 0;
let heard = 0;
let monitored = new Set(); // of this connection
let infoTries = 0;
const changed = new Set();

// --- who we are: a script cannot read why a WebSocket was refused, so it is asked before

async function ask(path, method, authorization) {
  const headers = authorization ? { Authorization: authorization } : {};
  const response = await fetch(path, { method, headers, cache: "no-store" });
  if (!response.ok) throw Object.assign(new Error(await response.text()), { response });
  return response.json();
}

async function start() {
  if (asking) return;
  asking = true;
  const shown = token;
  try {
    const me = await ask("whoami", "GET", shown && "Bearer " + shown);
    if (shown !== token) { // changed meanwhile
      asking = false;
      start();
      return;
    }
    byId("identity").textContent = me.Identity && me.Identity + ", " + me.Role;
    byId("enter").hidden = Boolean(token) || !me.Login.length || !me.MayConnect;
    byId("leave").hidden = !token;
    byId("login-user").hidden = !me.Login.includes("password");
    byId("login").hidden = me.MayConnect || Boolean(token);
    asking = false;
    if (me.MayConnect) connect();
    else tell("connection", "waiting", token ? "Your role has no variables" : "Log in, please");
  } catch (error) {
    asking = false;
    if (error.response && error.response.status === 401 && shown) {
      if (shown === token) keep(null);
      byId("login-reason").textContent = error.message;
      again();
    } else {
      lost();
    }
  }
}

function keep(text) {
  token = text;
  if (text) sessionStorage.setItem("token", text);
  else sessionStorage.removeItem("token");
}

async function logIn(event) {
  event.preventDefault();
  const [user, given] = ["user", "token"].map((id) => byId(id).value.trim());
  byId("login-reason").textContent = "";
  try {
    if (user) {
      const bytes = new TextEncoder().encode(user + ":" + byId("password").value);
      const basic = "Basic " + btoa(String.fromCharCode(...bytes));
      keep((await ask("login", "POST", basic)).AccessToken);
    } else {
      if (!/^[\w.~-]+$/.test(given)) throw new Error("Give a user and a password, or a token.");
      await ask("whoami", "GET", "Bearer " + given);
      keep(given);
    }
  } catch (error) {
    byId("login-reason").textContent = error.message;
    return;
  }
  byId("login").reset();
  again();
}

function again() { // with another identity: nothing of the former one stays
  const old = socket;
  socket = null;
  if (old) old.close();
  variables.clear();
  names = [];
  search();
  start();
}

// --- the connection

function connect() {
  const address = new URL("ws?status=1&scalars=typed", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const mine = new WebSocket(address.href, token ? ["json", "opcws.token." + token] : "json");
  socket = mine;
  heard = Date.now();
  mine.onopen = () => {
    if (socket !== mine) return;
    failures = 0;
    monitored = new Set();
    infoTries = 0;
    tell("connection", "good", "Connected");
    document.body.classList.remove("stale");
    byId("notice").hidden = true;
    request("VALUELIST", "list", {});
  };
  mine.onmessage = (event) => {
    if (socket !== mine) return;
    heard = Date.now();
    receive(JSON.parse(event.data));
  };
  mine.onclose = () => { if (socket === mine) lost(); };
}

function lost() {
  socket = null;
  servers.clear();
  drawServers();
  document.body.classList.add("stale");
  tell("connection", "bad", "Connection lost, reconnecting …");
  notice("No connection to opcws: the values are the last known ones.");
  setTimeout(() => { if (!socket) start(); }, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
  failures += 1;
}

function request(type, handle, body) {
  if (!socket || socket.readyState !== WebSocket.OPEN) return;
  const header = { MessageType: type + "_REQUEST", ClientHandle: handle };
  socket.send(JSON.stringify({ Header: header, Body: body }));
}

function receive(message) {
  const type = message.Header.MessageType;
  const body = message.Body;
  if (message.Header.StatusCode) {
    notice(type + ": " + message.Header.Reason);
  } else if (type === "VALUELIST_RESPONSE") {
    names = body.Variables;
    for (const name of names) if (!variables.has(name)) variables.set(name, { name });
    search();
  } else if (type === "VALUEINFO_RESPONSE") {
    for (const info of body.Variables) describe(info);
    // What the OPC UA server knows of its variables arrives some time after its connection.
    if (body.Variables.some((info) => !info.Type && !info.StatusCode) && infoTries < 8) {
      setTimeout(askInfo, 500 * 2 ** infoTries);
      infoTries += 1;
    }
  } else if (type === "MONITORSTART_RESPONSE") {
    for (const result of body.Results) if (result.StatusCode) update(result);
  } else if (type === "MONITORUPDATE_MESSAGE") {
    update(body);
  } else if (type === "SERVERSTATUS_MESSAGE") {
    servers.set(body.Server, body);
    drawServers();
    if (body.State === "connected") {
      infoTries = 0;
      askInfo();
    }
  }
}

function askInfo() {
  const missing = shown().filter((one) => !one.info || !one.info.Type).map((one) => one.name);
  if (missing.length) request("VALUEINFO", "info", { Variables: missing });
}

// --- what is shown

function shown() {
  return names.map((name) => variables.get(name)).filter((one) => one.row && one.row.parentNode);
}

function search() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = names.filter((name) => {
    const info = variables.get(name).info || {};
    const text = [name, info.Description, unitOf(info), info.Server].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const rows = document.createDocumentFragment();
  const fresh = [];
  for (const name of matches.slice(0, MOST_ROWS)) {
    const one = variables.get(name);
    rows.appendChild(one.row || makeRow(one));
    if (!monitored.has(name)) fresh.push(name);
  }
  byId("rows").textContent = "";
  byId("rows").appendChild(rows);
  if (fresh.length && socket && socket.readyState === WebSocket.OPEN) {
    fresh.forEach((name) => monitored.add(name));
    request("MONITORSTART", "page", { Variables: fresh, MinInterval: UPDATE_MS });
    askInfo();
  }
  const all = matches.length === names.length;
  byId("count").textContent = (all ? "" : matches.length + " of ") + names.length + " variables" +
    (matches.length > MOST_ROWS ? ", the first " + MOST_ROWS + " shown" : "");
  byId("nothing").hidden = matches.length > 0;
  byId("nothing").textContent = names.length
    ? "No variable matches." : "No variables are configured.";
}

function makeRow(one) {
  one.row = byId("row").content.firstElementChild.cloneNode(true);
  one.cells = {};
  for (const part of ["name", "value", "unit", "quality", "age"]) {
    one.cells[part] = one.row.querySelector("." + part);
  }
  one.cells.note = one.row.querySelector("small");
  one.cells.name.textContent = one.name;
  one.row.dataset.variable = one.name;
  if (one.data) draw(one);
  return one.row;
}

function unitOf(info) {
  return info.EngineeringUnits ? info.EngineeringUnits.DisplayName : "";
}

function describe(info) {
  const one = variables.get(info.Variable);
  one.info = info;
  if (!one.row) return;
  one.cells.note.textContent = info.Description || "";
  one.cells.unit.textContent = unitOf(info);
  drawSoon(one);
}

function update(data) {
  const one = variables.get(data.Variable);
  one.data = data;
  drawSoon(one);
}

function drawSoon(one) {
  if (!changed.size) requestAnimationFrame(drawChanged);
  changed.add(one);
}

function drawChanged() {
  const ready = Array.from(changed).filter((one) => one.row && one.data);
  changed.clear();
  ready.forEach(draw);
}

function draw(one) {
  const data = one.data;
  const text = valueText(data.Value, one.info || {});
  const cell = one.cells.value;
  if (cell.textContent !== text) {
    if (cell.textContent) flash(cell);
    cell.textContent = text;
    cell.classList.toggle("long", text.length > 24);
  }
  cell.title = data.Value ? JSON.stringify(data.Value.Body) : "";
  const severity = data.StatusCode ? 2 : (data.Status || 0) >>> 30;
  one.cells.quality.className = "quality " + ["good", "doubt", "bad", "bad"][severity];
  one.cells.quality.textContent = data.StatusCode || (severity ? data.Symbol : "Good");
  one.cells.quality.title = data.Reason || "";
  one.cells.age.title = data.SourceTimestamp || "";
  drawAge(one);
}

function flash(cell) {
  cell.classList.add("changed");
  setTimeout(() => cell.classList.remove("changed"), 60);
}

function valueText(value, info) {
  if (!value || value.Body === null || value.Body === undefined) return "–";
  const body = value.Body;
  if (info.EnumStrings && info.EnumStrings[body]) return info.EnumStrings[body] + " (" + body + ")";
  if (body === "") return "(empty)";
  const text = typeof body === "string" ? body
    : JSON.stringify(body, (_key, part) => rounded(part)).replace(/,(?=\S)/g, ", ");
  return text.length > 120 ? text.slice(0, 119) + "…" : text;
}

function rounded(part) {
  return typeof part === "number" && !Number.isInteger(part) ? Number(part.toPrecision(7)) : part;
}

function drawAge(one) {
  const stamp = one.data && Date.parse(one.data.SourceTimestamp);
  const text = stamp ? ageText((Date.now() - stamp) / 1000) : "";
  if (one.cells.age.textContent !== text) one.cells.age.textContent = text;
}

function ageText(seconds) {
  if (seconds < 1) return "now"; // also if the source's clock is ahead
  if (seconds < 100) return Math.floor(seconds) + " s";
  if (seconds < 6000) return Math.floor(seconds / 60) + " min";
  if (seconds < 172800) return Math.floor(seconds / 3600) + " h";
  return Math.floor(seconds / 86400) + " d";
}

// --- states

function tell(id, kind, text) {
  byId(id).className = "state " + kind;
  byId(id).textContent = text;
}

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = false;
}

function drawServers() {
  const pills = document.createDocumentFragment();
  const reasons = [];
  for (const [name, status] of [...servers].sort()) {
    const kinds = { connected: "good", connecting: "waiting", disconnected: "bad" };
    const pill = document.createElement("span");
    pill.className = "state " + (kinds[status.State] || "waiting");
    pill.textContent = name + " " + status.State;
    pill.title = "since " + new Date(status.Since).toLocaleString();
    pill.dataset.server = name;
    pills.appendChild(pill);
    if (status.State === "disconnected") reasons.push(name + ": " + status.Reason);
  }
  byId("servers").textContent = "";
  byId("servers").appendChild(pills);
  if (reasons.length) notice(reasons.join("; "));
  else if (socket) byId("notice").hidden = true;
}

byId("search").addEventListener("input", search);
byId("login").addEventListener("submit", logIn);
byId("enter").addEventListener("click", () => { byId("login").hidden = false; });
byId("leave").addEventListener("click", () => { keep(null); again(); });
window.addEventListener("online", () => { if (!socket) start(); });
setInterval(() => {
  shown().forEach(drawAge);
}, 1000);
setInterval(() => {
  if (!socket) return;
  if (Date.now() - heard > SILENCE_MS) {
    const dead = socket; // its closing handshake may take minutes
    lost();
    dead.close();
  } else {
    request("VALUEINFO", "alive", { Variables: [] });
  }
}, CHECK_MS);
start();
