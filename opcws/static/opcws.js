/**
 * A client of opcws: named variables of OPC UA servers, over one WebSocket.
 *
 * One ES module without dependencies, for pages and for Node 18 or newer.  It was written for
 * browsers of 2021 too.  opcws serves it at /opcws.js, its types are in opcws.d.ts.
 *
 *   import { Client } from "http://127.0.0.1:8081/opcws.js";
 *   const plant = new Client("ws://127.0.0.1:8081/");
 *   const level = await plant.read("Boiler.Level");
 *   for await (const update of plant.monitor("Boiler.Temperature")) console.log(update.value);
 *
 * How it works.  A Client has one connection at a time and makes a new one when it is lost, after
 * a pause that doubles from try to try and is spread at random, so that a thousand pages do not
 * come back in the same moment.  What should be monitored is declared: a Monitor has a set of
 * names, and what the server monitors is brought into line with it, on every connection anew, from
 * the last update of each variable on, so that what changed meanwhile comes too, if the server
 * remembers it.  A request that was sent and not answered when a connection is lost fails; one that
 * was not sent yet waits for the next connection, no longer than its time.  Nothing is sent twice.
 *
 * Values are what JavaScript has for them: Int64 and UInt64 are BigInt, NaN and the infinities are
 * numbers.  A DateTime is text, because it has more digits than a Date.
 */

const NAMES_AT_A_TIME = 1000; // in one request: a message has a greatest size
const STEADY_MS = 5000; // a connection that lasted this long begins the pauses anew
const AGAIN_MS = 1000; // after a start or a stop of monitors that was refused as a whole
const CLOSING_MS = 3000; // for the server's part of the closing handshake
const QUEUE = 1000; // updates that may wait for a slow "for await"
const POINTS = 1000; // of each variable of historyOf()
const POINTS_AT_A_TIME = 20000; // in one answer: a message has a greatest size
const SAME_TIME = 100; // updates of one time that are told apart when they come again

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z$/;
const EARLIEST = "1601-01-01T00:00:00Z"; // of OPC UA, which means that there is none
const OVERFLOW = 0x480; // OPC 10000-4 7.39: InfoType DataValue, and the Overflow bit

/** The version of the contract that is spoken here, MAJOR.MINOR; whoami() says the server's. */
export const CONTRACT = "1.1";

/** The built-in types of OPC 10000-6 5.1.2, by their id. */
export const TYPE_NAMES = [
  "Null", "Boolean", "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64",
  "Float", "Double", "String", "DateTime", "Guid", "ByteString", "XmlElement", "NodeId",
  "ExpandedNodeId", "StatusCode", "QualifiedName", "LocalizedText", "ExtensionObject", "DataValue",
  "Variant",
];

// --- errors ------------------------------------------------------------------------------------

/** What every error of this module is. */
export class OpcwsError extends Error {
  constructor(message) {
    super(message);
    this.name = "OpcwsError";
  }
}

/** opcws or the OPC UA server refused: `status` is the name of an OPC UA status code. */
export class StatusError extends OpcwsError {
  constructor(status, reason, operation, variable = null) {
    super((variable === null ? "" : variable + ": ") + status + (reason ? ": " + reason : ""));
    this.name = "StatusError";
    this.status = status;
    this.reason = reason || "";
    this.operation = operation;
    this.variable = variable;
  }
}

/** The connection was lost, or closed, before there was an answer. */
export class ConnectionLostError extends OpcwsError {
  constructor(message, outcomeUnknown = false) {
    super(message);
    this.name = "ConnectionLostError";
    this.outcomeUnknown = outcomeUnknown; // a write that may have been done
  }
}

/** There was no answer in time. */
export class TimeoutError extends OpcwsError {
  constructor(message, outcomeUnknown = false) {
    super(message);
    this.name = "TimeoutError";
    this.outcomeUnknown = outcomeUnknown;
  }
}

/** An AbortSignal ended it; `reason` is the signal's. */
export class AbortedError extends OpcwsError {
  constructor(reason, outcomeUnknown = false) {
    super("aborted");
    this.name = "AbortError";
    this.reason = reason;
    this.outcomeUnknown = outcomeUnknown;
  }
}

/** opcws lets this client not in: 401 for a wrong credential or none, 403 for a role without
 * rights. */
export class RefusedError extends OpcwsError {
  constructor(httpStatus, message) {
    super(message);
    this.name = "RefusedError";
    this.httpStatus = httpStatus;
  }
}

// --- values ------------------------------------------------------------------------------------

/** A value with its type, quality and times (OPC 10000-6 5.2.2.17). */
export class DataValue {
  constructor(body) {
    const variant = body.Value;
    this.variable = body.Variable === undefined ? null : body.Variable;
    this.type = variant ? TYPE_NAMES[variant.Type] || String(variant.Type) : null;
    this.value = variant ? decoded(variant.Type, variant.Body) : null;
    this.dimensions = (variant && variant.Dimensions) || null;
    // What could not be read at all has a name and no number.
    this.code = body.Status === undefined && body.StatusCode ? null : body.Status || 0;
    this.symbol = body.StatusCode || body.Symbol || "Good";
    this.reason = body.Reason || "";
    this.sourceTimestamp = body.SourceTimestamp || null;
    this.serverTimestamp = body.ServerTimestamp || null;
    this.historical = body.Historical === true; // of the past: it was missed, and comes late
  }

  /** "good", "uncertain" or "bad". */
  get severity() {
    if (this.code === null) return "bad";
    return ["good", "uncertain", "bad", "bad"][this.code >>> 30];
  }

  get good() {
    return this.severity === "good";
  }

  /** Whether values before this one were left out, because this client was too slow. */
  get overflow() {
    return this.code !== null && (this.code & OVERFLOW) === OVERFLOW;
  }

  /** The time of the source, or if it told none that of the server, as a Date, which has
   * milliseconds; null if there is neither. */
  get time() {
    const text = this.sourceTimestamp || this.serverTimestamp;
    return text === null ? null : new Date(text);
  }
}

function decoded(type, body) {
  if (body === null || body === undefined) return null;
  if (Array.isArray(body)) return body.map((element) => decoded(type, element));
  switch (type) {
    case 8:
    case 9:
      return BigInt(body);
    case 10:
    case 11:
      return Number(body); // "NaN" and the infinities are text
    case 23:
      return new DataValue(body);
    case 24:
      return new DataValue({ Value: body });
    default:
      return body;
  }
}

/** What JSON can say of a value: BigInt, NaN and the infinities as text, a Date in ISO 8601, bytes
 * in base64, a DataValue and a typed array as what they hold. */
export function encoded(value) {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof ArrayBuffer) return base64(new Uint8Array(value));
  if (value instanceof Uint8Array) return base64(value);
  if (value instanceof DataValue) {
    const variant = { Type: value.type, Body: encoded(value.value) };
    if (value.dimensions) variant.Dimensions = value.dimensions;
    const body = { Value: variant };
    if (value.code) body.Status = value.code;
    if (value.sourceTimestamp) body.SourceTimestamp = value.sourceTimestamp;
    return body;
  }
  if (Array.isArray(value)) return value.map(encoded);
  if (ArrayBuffer.isView(value)) return Array.from(value, encoded);
  const made = {};
  for (const name of Object.keys(value)) made[name] = encoded(value[name]);
  return made;
}

function base64(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) {
    text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return btoa(text);
}

function written(value, options) {
  const body = encoded(value);
  if (!options || (!options.type && !options.dimensions)) return body;
  const variant = { Body: body };
  if (options.type) variant.Type = options.type;
  if (options.dimensions) variant.Dimensions = options.dimensions;
  return variant;
}

// --- who we are --------------------------------------------------------------------------------

/** What opcws at `url` says of whoever shows `token`: Contract, Identity, Role, MayConnect,
 * History, Endpoints, Login.  Rejects with RefusedError, or ConnectionLostError if nobody answers. */
export function whoami(url, options = {}) {
  const headers = options.token ? { Authorization: "Bearer " + options.token } : {};
  return askHttp(url, "whoami", "GET", headers, options);
}

/** Log in with a user and a password: as whoami(), and AccessToken and ExpiresIn (s). */
export function login(url, user, password, options = {}) {
  const bytes = new TextEncoder().encode(user + ":" + password);
  return askHttp(url, "login", "POST", { Authorization: "Basic " + base64(bytes) }, options);
}

async function askHttp(url, name, method, headers, options) {
  const fetcher = options.fetch || ((...request) => globalThis.fetch(...request));
  const address = new URL(name, webSocketUrl(url));
  address.protocol = address.protocol === "wss:" ? "https:" : "http:";
  address.search = "";
  let response;
  let text;
  try {
    response = await fetcher(address.href, {
      method, headers, cache: "no-store", signal: options.signal,
    });
    text = (await response.text()).trim();
  } catch (error) {
    if (options.signal && options.signal.aborted) throw new AbortedError(options.signal.reason);
    throw new ConnectionLostError("no answer from " + address.href + ": " + error.message);
  }
  if (!response.ok) {
    // A proxy in between says it in HTML, which is no sentence for people.
    const said = /^text\/plain/.test(response.headers.get("Content-Type")) && text;
    const problem = new RefusedError(response.status, said ||
      (response.status + " " + response.statusText).trim() + " from " + address.href);
    problem.retryAfter = Number(response.headers.get("Retry-After")) * 1000 || 0;
    throw problem;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new OpcwsError("what answers at " + address.href + " is not opcws: " + error.message);
  }
}

/** The URL of the WebSocket; without `url` that of the page's own server. */
function webSocketUrl(url) {
  const page = (globalThis.location && globalThis.location.href) || "";
  if (!url && !page.startsWith("http")) throw new OpcwsError("give the URL of opcws");
  const address = new URL(url || "ws", page.startsWith("http") ? page : undefined);
  address.protocol = { "http:": "ws:", "https:": "wss:" }[address.protocol] || address.protocol;
  address.hash = "";
  return address.href;
}

// --- the client --------------------------------------------------------------------------------

/**
 * A connection to opcws that is made again when it is lost.
 *
 * Events, for on(): "state" ({state, error, retryIn}) with the states "connecting", "open",
 * "waiting" (for the next try) and "closed"; "server" with the body of each SERVERSTATUS_MESSAGE;
 * "error" with an OpcwsError that no request takes.
 */
export class Client {
  /**
   * `url` as ws://host:port/, wss:// or http(s)://; without it that of the page's own server.
   *
   * `options`, with times in ms: `token` (text, or a function that gives one or a promise of one,
   * called for every connection with {signal}, which is aborted when that one is given up),
   * `timeout` of a request (10000; 0 for none), `connectTimeout` (10000) of a whole try to connect,
   * the token included, `reconnect` ({min: 500, max: 30000}, or false), `heartbeat` (10000; 0 for none): so
   * long a silence is answered with a question, and one and a half times that without an answer
   * ends the connection; `WebSocket` and `fetch`, where they are not global.
   */
  constructor(url, options = {}) {
    this.url = webSocketUrl(url);
    this.state = "closed";
    this.error = null; // why it is not open
    this.servers = new Map(); // name -> body of its last SERVERSTATUS_MESSAGE
    this._WebSocket = options.WebSocket || globalThis.WebSocket;
    if (!this._WebSocket) {
      throw new OpcwsError(
        "there is no WebSocket here; take Node 22, start Node 20.10 with " +
        "--experimental-websocket, or give one: new Client(url, {WebSocket})");
    }
    this._options = {
      timeout: 10000, connectTimeout: 10000, heartbeat: 10000, token: null, ...options,
    };
    this._pauses = options.reconnect === false
      ? null : { min: 500, max: 30000, ...options.reconnect };
    this._listeners = new Map();
    this._requests = new Map(); // what is not answered yet, in the order of asking
    this._monitors = new Map(); // handle -> Monitor
    this._numbers = 0;
    this._failures = 0;
    this._socket = null;
    this._timer = null; // of the next try, or of the present one
    this._try = null; // an AbortController, from the beginning of a try until it failed
    this._beat = null;
    this._heard = 0;
    this._ended = new Promise((resolve) => { this._end = resolve; });
    this._connect();
  }

  /** When something was heard of the server last, a Date; null if never. */
  get heard() {
    return this._heard ? new Date(this._heard) : null;
  }

  /** Call `listener` for every `event`; returns a function that ends that. */
  on(event, listener) {
    if (!this._listeners.has(event)) this._listeners.set(event, new Set());
    this._listeners.get(event).add(listener);
    return () => { this._listeners.get(event).delete(listener); };
  }

  /** A promise that the connection is open; rejects when the client is closed first. */
  opened(options = {}) {
    if (this.state === "open") return Promise.resolve();
    return this.request("VALUEINFO", { Variables: [] }, options).then(() => undefined);
  }

  /** End the connection, and every request and monitor; the promise is kept when it is done. */
  close() {
    this._close(null);
    return this._ended;
  }

  /** Try again now instead of at the end of the pause, and with the token as it is now. */
  reconnect() {
    if (this.state === "waiting") this._connect();
  }

  /** Names of the variables that this client may see, sorted. */
  async list(options) {
    return (await this.request("VALUELIST", {}, options)).Variables;
  }

  /** What is known of one variable, as VALUEINFO says it.  Rejects if there is none such. */
  async info(name, options) {
    const info = (await this.infoAll([name], options))[0];
    if (info.StatusCode) throw new StatusError(info.StatusCode, info.Reason, "VALUEINFO", name);
    return info;
  }

  /** As info(), of several; an unknown one has StatusCode and Reason in its place. */
  infoAll(names, options) {
    return this._inParts("VALUEINFO", names, (Variables) => ({ Variables }), "Variables", options);
  }

  /** The present value; `maxAge` (ms) lets a younger monitored one serve.  Rejects if there is
   * none; a value of bad quality is one. */
  async read(name, options = {}) {
    const body = await this.request("READ", reading({ Variable: name }, options), options);
    if (body.StatusCode && body.Status === undefined) throw statusError(body, "READ", name);
    return new DataValue({ Variable: name, ...body });
  }

  /** Several values, in the order of the names; what could not be read is a bad one. */
  async readAll(names, options = {}) {
    const make = (Variables) => reading({ Variables }, options);
    const found = await this._inParts("READ", names, make, "Values", options);
    return found.map((body) => new DataValue(body));
  }

  /** Write; `type` (name of a built-in type) and `dimensions` only where the variable's own will
   * not do. Resolves to "Good", or to how it was written otherwise than asked: "GoodClamped". */
  async write(name, value, options = {}) {
    const body = { Variable: name, Value: written(value, options) };
    const answer = await this.request("WRITE", body, options);
    if (answer.StatusCode) throw statusError(answer, "WRITE", name);
    return answer.Symbol || "Good";
  }

  /** Write several, [{variable, value, type, dimensions}]; says of each {variable, symbol,
   * error}, where `error` is null or a StatusError. */
  async writeAll(writes, options) {
    const make = (part) => ({
      Writes: part.map((one) => ({ Variable: one.variable, Value: written(one.value, one) })),
    });
    const results = await this._inParts("WRITE", writes, make, "Results", options);
    return results.map((result) => ({
      variable: result.Variable,
      symbol: result.StatusCode || result.Symbol || "Good",
      error: result.StatusCode ? statusError(result, "WRITE", result.Variable) : null,
    }));
  }

  /**
   * One page of the past: {values, next}; `next` is null on the last page, or a function that
   * reads the next one.  `start` and `end` are Dates or ISO 8601; `maxValues`, `bounds`,
   * `aggregate` (a name of OPC 10000-13) and `interval` (ms).
   */
  async history(name, options = {}) {
    const body = { Variable: name };
    if (options.start) body.StartTime = encoded(options.start);
    if (options.end) body.EndTime = encoded(options.end);
    if (options.maxValues) body.MaxValues = options.maxValues;
    if (options.bounds) body.ReturnBounds = true;
    if (options.aggregate) body.Aggregate = options.aggregate;
    if (options.interval) body.ProcessingInterval = options.interval;
    if (options.continuationPoint) body.ContinuationPoint = options.continuationPoint;
    const answer = await this.request("HISTORICALREAD", body, options);
    if (answer.StatusCode) throw statusError(answer, "HISTORICALREAD", name);
    const point = answer.ContinuationPoint;
    return {
      values: answer.DataValues.map((value) => new DataValue({ Variable: name, ...value })),
      symbol: answer.Symbol || "Good",
      reason: answer.Reason || "",
      next: point === undefined ? null : (more = {}) => this.history(name, {
        maxValues: options.maxValues, timeout: options.timeout, signal: options.signal, ...more,
        continuationPoint: point,
      }),
    };
  }

  /**
   * The past of several variables as a chart needs it, in the order of the names: {variable,
   * values, source, symbol, reason, error} of each.  Where there are more than `maxPoints` (1000) values,
   * the first, the last, every extreme and every gap (a bad value) of them stay.  `start` and `end`
   * are Dates or ISO 8601; without `end` it goes up to now.  `source` is who keeps it: "plant",
   * "own" (opcws) or "both"; `error` a StatusError where there is no history.
   */
  async historyOf(names, options = {}) {
    const { maxPoints = POINTS } = options;
    const make = (Variables) => {
      const body = { Variables, MaxPoints: maxPoints };
      if (options.start) body.StartTime = encoded(options.start);
      if (options.end) body.EndTime = encoded(options.end);
      return body;
    };
    const most = Math.max(1, Math.floor(POINTS_AT_A_TIME / Math.max(1, maxPoints)));
    const found = await this._inParts("HISTORICALREAD", names, make, "Histories", options, most);
    return found.map((one) => ({
      variable: one.Variable,
      values: (one.DataValues || []).map(
        (value) => new DataValue({ Variable: one.Variable, ...value })),
      source: one.HistorySource || null,
      symbol: one.StatusCode || one.Symbol || "Good",
      reason: one.Reason || "",
      error: one.StatusCode ? statusError(one, "HISTORICALREAD", one.Variable) : null,
    }));
  }

  /** Every value of history(), page by page: for await (const value of historyAll(...)). */
  async* historyAll(name, options) {
    let page = await this.history(name, options);
    for (;;) {
      yield* page.values;
      if (!page.next) return;
      page = await page.next();
    }
  }

  /**
   * Monitor one variable or several; the present values come first.
   *
   * With `callback` every update is given to it, as a DataValue; without it the Monitor is to be
   * iterated over with "for await".  `minInterval` (ms) is the least time between two updates of
   * a variable.  `names` may be changed later: add(), remove(), set() of the Monitor.
   *
   * What the server remembers of the past comes first, in order, its updates with `historical`:
   * what changed after `since` (a Date or ISO 8601), and what was missed when the connection was
   * lost, if `resume` is not false; it is where there is a `minInterval`.  With `backfill` also
   * what was missed while the OPC UA server was not connected.
   */
  monitor(names, options, callback) {
    if (typeof options === "function") return this.monitor(names, {}, options);
    const monitor = new Monitor(this, "m" + (this._numbers += 1), names, options || {}, callback);
    if (this._finished) {
      monitor._finish(this.error || new ConnectionLostError("the client is closed"));
      return monitor;
    }
    this._monitors.set(monitor._handle, monitor);
    monitor._reconcile();
    return monitor;
  }

  /**
   * Any request of the protocol: its Body for the Body of the response.  Rejects with StatusError
   * if the message was refused as a whole, TimeoutError, AbortedError, ConnectionLostError.
   */
  request(operation, body = {}, options = {}) {
    const {
      timeout = this._options.timeout, signal = null, handle = null, bound = false,
    } = options || {};
    return new Promise((resolve, reject) => {
      if (signal && signal.aborted) throw new AbortedError(signal.reason);
      if (this._finished) {
        throw this.error || new ConnectionLostError("the client is closed");
      }
      // What is bound to a connection does not wait for the next.
      const entry = { operation, body, bound, sent: false };
      entry.handle = handle === null ? "r" + (this._numbers += 1) : handle;
      const key = operation + " " + entry.handle;
      if (this._requests.has(key)) {
        throw new OpcwsError("the handle " + entry.handle + " of a " + operation + " is in use");
      }
      const settle = (act, what) => {
        clearTimeout(entry.timer);
        if (signal) signal.removeEventListener("abort", entry.abort);
        this._requests.delete(key);
        act(what);
      };
      const unknown = () => entry.sent && operation === "WRITE";
      entry.resolve = (answer) => settle(resolve, answer);
      entry.reject = (error) => settle(reject, error);
      entry.lost = (why) => entry.reject(new ConnectionLostError(
        why + (unknown() ? "; whether the value was written is unknown" : ""), unknown()));
      entry.abort = () => entry.reject(new AbortedError(signal.reason, unknown()));
      if (signal) signal.addEventListener("abort", entry.abort);
      if (timeout) {
        entry.timer = setTimeout(() => entry.reject(new TimeoutError(
          operation + ": no answer within " + timeout + " ms" +
          (entry.sent ? "" : ", there is no connection"), unknown())), timeout);
      }
      this._requests.set(key, entry);
      if (this.state === "open") this._send(entry);
    });
  }

  // --- inside

  async _inParts(operation, all, make, member, options, most = NAMES_AT_A_TIME) {
    const found = [];
    for (let start = 0; start === 0 || start < all.length; start += most) {
      const part = all.slice(start, start + most);
      const answer = await this.request(operation, make(part), options);
      if (answer.StatusCode) throw statusError(answer, operation);
      found.push(...answer[member]);
    }
    return found;
  }

  _emit(event, ...what) {
    for (const listener of Array.from(this._listeners.get(event) || [])) run(listener, ...what);
  }

  _be(state, error = null, retryIn = null) {
    this.state = state;
    this.error = error;
    this._emit("state", { state, error, retryIn });
  }

  async _connect() {
    clearTimeout(this._timer);
    if (this._finished) return;
    const mine = new AbortController();
    this._try = mine;
    this._timer = setTimeout(() => {
      const why = "no connection within " + this._options.connectTimeout + " ms";
      if (this._socket) this._drop(this._socket, why);
      else this._failed(new ConnectionLostError(why));
    }, this._options.connectTimeout);
    this._be("connecting", this.error);
    let token = this._options.token;
    try {
      if (typeof token === "function") token = await token({ signal: mine.signal });
    } catch (error) {
      if (this._try === mine) this._failed(error);
      return;
    }
    if (this._try === mine) this._open(token);
  }

  _open(token) {
    const address = new URL(this.url);
    address.searchParams.set("status", "1");
    address.searchParams.set("scalars", "typed");
    const protocols = token ? ["json", "opcws.token." + token] : ["json"];
    let socket;
    try {
      socket = new this._WebSocket(address.href, protocols);
    } catch (error) {
      this._close(new OpcwsError("cannot connect to " + this.url + ": " + error.message));
      return;
    }
    this._socket = socket;
    let since = 0;
    socket.onopen = () => {
      if (this._socket !== socket) return;
      clearTimeout(this._timer);
      since = this._heard = Date.now();
      this._remembers = true; // until it is known of this server that it does not
      this._be("open");
      if (this._options.heartbeat) {
        this._beat = setInterval(() => this._check(socket), this._options.heartbeat / 2);
      }
      for (const entry of Array.from(this._requests.values())) this._send(entry);
      for (const monitor of Array.from(this._monitors.values())) monitor._reconcile();
    };
    socket.onmessage = (event) => {
      if (this._socket !== socket) return;
      this._heard = Date.now();
      this._receive(event.data);
    };
    // A close follows, which says more, except in Node 20 for what never opened.
    socket.onerror = () => { setTimeout(() => socket.onclose({}), 0); };
    socket.onclose = (event) => {
      if (this._socket !== socket) return;
      if (since && Date.now() - since > STEADY_MS) this._failures = 0;
      const why = since
        ? "the connection was lost" + (event.reason ? ": " + event.reason : "")
        : "no connection to " + this.url;
      this._lost(new ConnectionLostError(why), since ? null : { token });
    };
  }

  /** Give *socket* up without waiting for its closing handshake, which may take minutes. */
  _drop(socket, why) {
    if (this._socket !== socket) return;
    this._lost(new ConnectionLostError(why), null);
    socket.close();
  }

  /** A question after a silence, and an end to what does not answer it.  Only the answer counts,
   * not the time between two checks: a page in the background is called once a minute. */
  _check(socket) {
    const now = Date.now();
    const beat = this._requests.get("VALUEINFO beat");
    if (beat) {
      if (this._heard < beat.asked && now - beat.asked > 1.5 * this._options.heartbeat) {
        this._drop(socket, "the server was silent for " +
          Math.round((now - this._heard) / 1000) + " s");
      }
    } else if (now - this._heard >= this._options.heartbeat) {
      const asked = { handle: "beat", timeout: 0, bound: true };
      this.request("VALUEINFO", { Variables: [] }, asked).catch(() => {});
      this._requests.get("VALUEINFO beat").asked = now;
    }
  }

  /** No connection any more, or not yet: `shown` has the token of one that never opened. */
  async _lost(error, shown) {
    clearInterval(this._beat);
    this._socket = null;
    this.servers.clear();
    for (const monitor of this._monitors.values()) monitor._forget();
    for (const entry of Array.from(this._requests.values())) {
      if (entry.sent || entry.bound) entry.lost(error.message);
    }
    if (shown === null || !(globalThis.fetch || this._options.fetch)) {
      this._failed(error);
      return;
    }
    // A script cannot see why an opening handshake was refused, but it can ask.
    const mine = this._try;
    let problem = error;
    try {
      const me = await whoami(this.url, {
        ...shown, fetch: this._options.fetch, signal: mine.signal,
      });
      if (me.MayConnect === false) {
        problem = new RefusedError(me.Identity ? 403 : 401, me.Identity
          ? "the role " + me.Role + " of " + me.Identity + " grants no variables"
          : "show a credential to connect");
      } else if (me.Contract && parseInt(me.Contract, 10) !== parseInt(CONTRACT, 10)) {
        problem = new ConnectionLostError(error.message + "; the server speaks version " +
          me.Contract + " of the contract, and this opcws.js " + CONTRACT);
      }
    } catch (answer) {
      if (answer instanceof RefusedError) problem = answer;
    }
    if (this._try === mine) this._failed(problem);
  }

  /** After a failed try: wait for the next, unless it could not be a better one. */
  _failed(error) {
    if (this._finished) return;
    clearTimeout(this._timer);
    this._endTry();
    const hopeless = error instanceof RefusedError && [401, 403].includes(error.httpStatus);
    if (!this._pauses || hopeless) {
      this._close(error);
      return;
    }
    const { min, max } = this._pauses;
    const pause = Math.min(max, min * 2 ** Math.min(this._failures, 30));
    const retryIn = Math.max(
      pause * (0.5 + Math.random() / 2), (error && error.retryAfter) || 0);
    this._failures += 1;
    this._timer = setTimeout(() => this._connect(), retryIn);
    this._be("waiting", error, retryIn);
  }

  /** Whoever still works for the present try does it in vain from now on. */
  _endTry() {
    const mine = this._try;
    this._try = null;
    if (mine) mine.abort();
  }

  _close(error) {
    if (this._finished) return;
    this._finished = true;
    this._endTry();
    clearTimeout(this._timer);
    clearInterval(this._beat);
    const socket = this._socket;
    this._socket = null;
    const why = error || new ConnectionLostError("the client is closed");
    for (const entry of Array.from(this._requests.values())) {
      if (error) entry.reject(error);
      else entry.lost(why.message);
    }
    for (const monitor of Array.from(this._monitors.values())) monitor._finish(error);
    this._be("closed", error);
    if (!socket || socket.readyState === 3) {
      this._end();
      return;
    }
    const late = setTimeout(this._end, CLOSING_MS);
    socket.onclose = () => {
      clearTimeout(late);
      this._end();
    };
    socket.onmessage = socket.onopen = null;
    socket.close();
  }

  _send(entry) {
    // What is closing already takes nothing: that waits for the next connection.
    if (entry.sent || this._socket.readyState !== 1) return;
    entry.sent = true;
    const header = { MessageType: entry.operation + "_REQUEST", ClientHandle: entry.handle };
    let text;
    try {
      text = JSON.stringify({ Header: header, Body: entry.body });
    } catch (error) {
      entry.reject(new OpcwsError("cannot be written as JSON: " + error.message));
      return;
    }
    this._socket.send(text);
  }

  _receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch (error) {
      this._emit("error", new OpcwsError("what speaks here is not opcws: " + error.message));
      return;
    }
    const { Header, Body } = message || {};
    const type = Header && Header.MessageType;
    if (typeof type !== "string") {
      this._emit("error", new OpcwsError("what speaks here is not opcws: no MessageType"));
      return;
    }
    const handle = Header.ClientHandle;
    if (type === "MONITORUPDATE_MESSAGE") {
      const monitor = this._monitors.get(handle);
      if (monitor) monitor._update(Body);
    } else if (type === "SERVERSTATUS_MESSAGE") {
      this.servers.set(Body.Server, Body);
      this._emit("server", Body);
    } else if (type.endsWith("_RESPONSE")) {
      const operation = type.slice(0, -"_RESPONSE".length);
      const entry = this._requests.get(operation + " " + handle);
      if (!entry) return; // too late
      if (Header.StatusCode) entry.reject(statusError(Header, operation, entry.body.Variable));
      else entry.resolve(Body || {});
    } else if (type === "ERROR") {
      const error = statusError(Header, "");
      const theirs = Array.from(this._requests.values()).filter(
        (entry) => entry.sent && entry.handle === handle);
      theirs.forEach((entry) => entry.reject(error));
      if (!theirs.length) this._emit("error", error);
    }
  }
}

function reading(body, options) {
  return options.maxAge ? { ...body, MaxAge: options.maxAge } : body;
}

function statusError(body, operation, variable) {
  return new StatusError(body.StatusCode, body.Reason, operation, variable);
}

/** When a value was, in ISO 8601 without the "Z", so that a later one is the greater text; "" if
 * that is not known. */
function timeOf(body) {
  const time = body.SourceTimestamp || body.ServerTimestamp || "";
  return TIME.test(time) && time > EARLIEST ? time.slice(0, -1) : "";
}

/** 100 ns before *time*, a text of timeOf(). */
function justBefore(time) {
  const [second, digits = ""] = time.split(".");
  const ticks = Number(digits.padEnd(7, "0"));
  return ticks ? second + "." + String(ticks - 1).padStart(7, "0") + "Z"
    : new Date(Date.parse(second + "Z") - 1).toISOString().replace("Z", "9999Z");
}

function alike(one, other) {
  return timeOf(one) === timeOf(other) && one.Status === other.Status &&
    JSON.stringify(one.Value) === JSON.stringify(other.Value);
}

/** Run what somebody else wrote: what it throws is for the console, not for us. */
function run(call, ...what) {
  try {
    call(...what);
  } catch (error) {
    Promise.reject(error);
  }
}

/**
 * Variables that are monitored until stop(), the end of a "for await" over it, or close() of the
 * client.  `done` is a promise of its end, and rejects if one variable was asked for and refused,
 * or the client failed for good.
 */
export class Monitor {
  constructor(client, handle, names, options, callback) {
    this.done = new Promise((resolve, reject) => {
      this._resolve = resolve;
      this._reject = reject;
    });
    this.done.catch(() => {}); // who iterates is told there
    this._client = client;
    this._handle = handle;
    this._single = typeof names === "string";
    this._wanted = new Set(this._single ? [names] : names);
    this._started = new Set(); // on this connection
    this._refused = new Set(); // on this connection, or asked for again
    this._busy = false;
    this._minInterval = options.minInterval || 0;
    this._since = options.since ? encoded(options.since) : null;
    this._backfill = Boolean(options.backfill);
    this._resume = options.resume === undefined ? !options.minInterval : Boolean(options.resume);
    this._known = new Map(); // name -> up to where it is known, see _isNews()
    this._callback = callback || null;
    this._queue = [];
    this._waiting = []; // {resolve, reject} of each next() without an update
    this._ended = false;
    this._error = null;
    const signal = options.signal;
    this._unlisten = () => {};
    if (signal) {
      const abort = () => this._finish(new AbortedError(signal.reason));
      if (signal.aborted) Promise.resolve().then(abort);
      else signal.addEventListener("abort", abort);
      this._unlisten = () => signal.removeEventListener("abort", abort);
    }
  }

  /** The names, as an array. */
  get names() {
    return Array.from(this._wanted);
  }

  add(...names) {
    this.set([...this._wanted, ...names]);
  }

  remove(...names) {
    this.set(this.names.filter((name) => !names.includes(name)));
  }

  /** Monitor exactly these from now on. */
  set(names) {
    if (this._ended) return;
    this._wanted = new Set(names);
    for (const names of [this._refused, this._known]) {
      for (const name of Array.from(names.keys())) if (!this._wanted.has(name)) names.delete(name);
    }
    this._reconcile();
  }

  stop() {
    this._finish(null);
  }

  [Symbol.asyncIterator]() {
    return {
      next: () => this._next(),
      return: () => {
        this.stop();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  _next() {
    if (this._queue.length) {
      return Promise.resolve({ done: false, value: this._queue.shift() });
    }
    if (this._ended) {
      const error = this._error;
      this._error = null;
      return error ? Promise.reject(error) : Promise.resolve({ done: true, value: undefined });
    }
    return new Promise((resolve, reject) => { this._waiting.push({ resolve, reject }); });
  }

  _update(body) {
    if (!this._wanted.has(body.Variable) || this._ended || !this._isNews(body)) return;
    const value = new DataValue(body);
    if (this._callback) {
      run(this._callback, value);
    } else if (this._waiting.length) {
      this._waiting.shift().resolve({ done: false, value });
    } else {
      this._queue.push(value);
      if (this._queue.length > QUEUE) {
        this._queue.shift();
        const first = this._queue[0];
        if (first.code !== null) first.code = (first.code | OVERFLOW) >>> 0;
      }
    }
  }

  /** Keep in mind up to where a variable is known; false if *body* was known before the connection
   * was lost: the past comes again from the last update on, whose time several may have. */
  _isNews(body) {
    const time = timeOf(body);
    let known = this._known.get(body.Variable);
    if (!time || !(known || body.Value)) return true;
    if (!known) this._known.set(body.Variable, known = { time: "", same: [], heard: 0, age: 0 });
    if (body.Historical) {
      if (time < known.time || known.same.some((one) => alike(one, body))) return false;
    }
    if (body.Value && time !== known.time) { // a gap is told by another clock
      known.time = time;
      known.same = [];
    }
    if (known.same.length <= SAME_TIME) known.same.push(body);
    known.heard = Date.now();
    return true;
  }

  /** The connection is gone, and with it what was monitored on it. */
  _forget() {
    this._started.clear();
    this._refused.clear();
    const now = Date.now();
    this._known.forEach((known) => {
      if (known.heard) known.age = now - known.heard;
      known.heard = 0;
    });
  }

  /** Bring what the server monitors into line with what is wanted, one step at a time. */
  async _reconcile() {
    const client = this._client;
    while (!this._busy && client.state === "open") {
      const surplus = Array.from(this._started).filter((name) => !this._wanted.has(name));
      const missing = this._ended ? [] : Array.from(this._wanted).filter(
        (name) => !this._started.has(name) && !this._refused.has(name));
      if (!surplus.length && !missing.length) return;
      this._busy = true;
      const { part, since } = surplus.length
        ? { part: surplus.slice(0, NAMES_AT_A_TIME) } : this._alike(missing);
      try {
        if (surplus.length) await this._stop(part);
        else await this._start(part, since);
      } catch (error) {
        if (error instanceof StatusError && error.status !== "BadTooManyOperations") {
          // As a whole, for good: nothing of it is asked again.
          part.forEach((name) => this._started.delete(name));
          if (!surplus.length) {
            this._take(part.map((name) => (
              { Variable: name, StatusCode: error.status, Reason: error.reason })));
          }
        } else if (!(error instanceof ConnectionLostError)) {
          client._emit("error", error);
        }
        if (client.state === "open") await new Promise((go) => { setTimeout(go, AGAIN_MS); });
      } finally {
        this._busy = false;
      }
    }
  }

  async _stop(names) {
    const asked = { handle: this._handle, bound: true };
    await this._client.request("MONITORSTOP", { Variables: names }, asked);
    names.forEach((name) => this._started.delete(name));
  }

  /** Which of *names* are started in one request, and since when: what changed last long before
   * the others not with these, of which much would come again that is known. */
  _alike(names) {
    const fresh = names.filter((name) => !this._known.has(name));
    if (fresh.length) return { part: fresh.slice(0, NAMES_AT_A_TIME), since: this._since };
    if (!this._resume) return { part: names.slice(0, NAMES_AT_A_TIME), since: null };
    const all = names.map((name) => this._known.get(name));
    const { time, same } = all.reduce((first, one) => (one.time < first.time ? one : first));
    const later = (known) => Date.parse(known.time + "Z") - Date.parse(time + "Z");
    const part = names.filter((_name, n) => later(all[n]) <= all[n].age + 1000);
    return {
      part: part.slice(0, NAMES_AT_A_TIME),
      since: same.length > SAME_TIME ? time + "Z" : justBefore(time),
    };
  }

  async _start(names, since) {
    const client = this._client;
    const body = { Variables: names };
    if (this._minInterval) body.MinInterval = this._minInterval;
    if (client._remembers && since) body.Since = since;
    if (client._remembers && this._backfill) body.Backfill = true;
    const resumed = Boolean(body.Since) && this._known.has(names[0]);
    let refused = new Set();
    try {
      const asked = { handle: this._handle, bound: true };
      const { Results } = await client.request("MONITORSTART", body, asked);
      const isRefused = ({ StatusCode }) => StatusCode && StatusCode !== "BadEntryExists";
      if (resumed) refused = new Set(Results.filter(isRefused).map((result) => result.Variable));
      this._take(Results.filter((result) => !refused.has(result.Variable)));
    } catch (error) {
      const isOld = error.status === "BadAttributeIdInvalid" && (body.Since || body.Backfill);
      if (!isOld) throw error;
      client._remembers = false;
      refused = new Set(names);
      if (!resumed || body.Backfill) client._emit("error", error); // somebody asked for it
    }
    // Who may not know the past may monitor.
    if (refused.size) await this._start(Array.from(refused), null);
  }

  /** What became of each name that was to be monitored. */
  _take(results) {
    for (const result of results) {
      if (!result.StatusCode || result.StatusCode === "BadEntryExists") {
        this._started.add(result.Variable);
      } else if (this._single) {
        this._finish(statusError(result, "MONITORSTART", result.Variable));
      } else if (this._wanted.has(result.Variable)) {
        this._refused.add(result.Variable);
        this._update(result);
      }
    }
  }

  _finish(error) {
    if (this._ended) return;
    this._ended = true;
    this._unlisten();
    this._wanted = new Set();
    this._error = error;
    for (const { resolve, reject } of this._waiting.splice(0)) {
      if (this._error) reject(this._error); // one is told, to the others it is the end
      else resolve({ done: true, value: undefined });
      this._error = null;
    }
    if (error) this._reject(error);
    else this._resolve();
    const client = this._client;
    client._monitors.delete(this._handle);
    this._reconcile();
  }
}
