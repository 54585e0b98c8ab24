/**
 * A client of opcws: named variables of OPC UA servers, over one WebSocket.
 *
 * One ES module without dependencies, for pages and for Node 18 or newer; it runs in browsers of
 * 2021 too.  opcws serves it at /opcws.js; its types are in opcws.d.ts.
 *
 *   import { Client } from "http://127.0.0.1:8081/opcws.js";
 *   const plant = new Client("ws://127.0.0.1:8081/");
 *   const level = await plant.read("Boiler.Level");
 *   for await (const update of plant.monitor("Boiler.Temperature")) console.log(update.value);
 *
 * How it works.  A Client has one connection at a time and makes a new one when it is lost, after
 * a pause that doubles with each attempt and is partly random, so that a thousand pages do not
 * reconnect at the same moment.  Monitoring is declared: a Monitor has a set of names, and on every
 * new connection it makes the server monitor exactly these.  It asks for updates since the last one
 * of each variable, so that missed changes come too, if the server remembers them.  A request that
 * was sent but not answered when the connection is lost fails; one that was not sent yet waits for
 * the next connection, at most until its timeout.  Nothing is sent twice.
 *
 * Values are JavaScript's own: Int64 and UInt64 are BigInt, NaN and the infinities are numbers.  A
 * DateTime is text, because it has more digits than a Date.
 */

const NAMES_AT_A_TIME = 1000; // in one request, because the size of a message is limited
const STEADY_MS = 5000; // a connection that lasted this long resets the pauses
const AGAIN_MS = 1000; // after a MONITORSTART or MONITORSTOP was refused as a whole
const CLOSING_MS = 3000; // for the server's part of the closing handshake
const QUEUE = 1000; // updates that may wait for a slow "for await"
const POINTS = 1000; // of each variable of historyOf()
const POINTS_AT_A_TIME = 20000; // in one answer, because the size of a message is limited
const SAME_TIME = 100; // updates with the same time that are remembered, to recognise repeated ones

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z$/;
const EARLIEST = "1601-01-01T00:00:00Z"; // of OPC UA; it means that there is no time
const OVERFLOW = 0x480; // OPC 10000-4 7.39: InfoType DataValue, and the Overflow bit

/** The version of the contract of this module, MAJOR.MINOR; whoami() returns the server's. */
export const CONTRACT = "1.1";

/** The built-in types of OPC 10000-6 5.1.2, by their id. */
export const TYPE_NAMES = [
  "Null", "Boolean", "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64",
  "Float", "Double", "String", "DateTime", "Guid", "ByteString", "XmlElement", "NodeId",
  "ExpandedNodeId", "StatusCode", "QualifiedName", "LocalizedText", "ExtensionObject", "DataValue",
  "Variant",
];

// --- errors ------------------------------------------------------------------------------------

/** The base class of all errors of this module. */
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
    this.outcomeUnknown = outcomeUnknown; // whether it is a write that may have been executed
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

/** An AbortSignal ended the request; `reason` is the signal's. */
export class AbortedError extends OpcwsError {
  constructor(reason, outcomeUnknown = false) {
    super("aborted");
    this.name = "AbortError";
    this.reason = reason;
    this.outcomeUnknown = outcomeUnknown;
  }
}

/** opcws does not admit this client: 401 for a wrong or missing credential, 403 for a role without
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
    // A variable that could not be read has the name of a status code, but no number.
    this.code = body.Status === undefined && body.StatusCode ? null : body.Status || 0;
    this.symbol = body.StatusCode || body.Symbol || "Good";
    this.reason = body.Reason || "";
    this.sourceTimestamp = body.SourceTimestamp || null;
    this.serverTimestamp = body.ServerTimestamp || null;
    this.historical = body.Historical === true; // missed earlier, and comes late
  }

  /** "good", "uncertain" or "bad". */
  get severity() {
    if (this.code === null) return "bad";
    return ["good", "uncertain", "bad", "bad"][this.code >>> 30];
  }

  get good() {
    return this.severity === "good";
  }

  /** Whether values before this one were dropped, because this client was too slow. */
  get overflow() {
    return this.code !== null && (this.code & OVERFLOW) === OVERFLOW;
  }

  /** The source's time, or else the server's, as a Date, which has milliseconds; null if there is
   * neither. */
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
      return Number(body); // NaN and the infinities are texts
    case 23:
      return new DataValue(body);
    case 24:
      return new DataValue({ Value: body });
    default:
      return body;
  }
}

/** A value as JSON can express it: BigInt, NaN and the infinities as text, a Date in ISO 8601,
 * bytes in base64, the value of a DataValue, a typed array as an array. */
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

// --- identity ----------------------------------------------------------------------------------

/** What opcws at `url` grants for `token`: Contract, Identity, Role, MayConnect, History, Endpoints,
 * Login.  Rejects with RefusedError, or with ConnectionLostError without an answer. */
export function whoami(url, options = {}) {
  const headers = options.token ? { Authorization: "Bearer " + options.token } : {};
  return askHttp(url, "whoami", "GET", headers, options);
}

/** Log in with user and password; returns the same as whoami(), and AccessToken and ExpiresIn (s). */
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
    // A proxy in between answers in HTML, which is no message for people.
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
 * A connection to opcws that is made again after it is lost.
 *
 * Events, for on(): "state" ({state, error, retryIn}) with the states "connecting", "open",
 * "waiting" (for the next try) and "closed"; "server" with the body of each SERVERSTATUS_MESSAGE;
 * "error" with an OpcwsError that belongs to no request.
 */
export class Client {
  /**
   * `url` as ws://host:port/, wss:// or http(s)://; by default the page's own server.
   *
   * `options`, with times in ms: `token` (text, or a function that returns one or a promise of one;
   * it is called for every connection with {signal}, which is aborted when that attempt ends),
   * `timeout` of a request (10000; 0 for none), `connectTimeout` (10000) of a whole attempt to
   * connect, the token included, `reconnect` ({min: 500, max: 30000}, or false), `heartbeat` (10000;
   * 0 for none): after so long a silence the client asks the server, and without an answer within
   * one and a half times that it ends the connection; `WebSocket` and `fetch`, if they are not
   * global.
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
    this._requests = new Map(); // unanswered requests, the oldest first
    this._monitors = new Map(); // handle -> Monitor
    this._numbers = 0;
    this._failures = 0;
    this._socket = null;
    this._timer = null; // of the next attempt, or of the present one
    this._try = null; // the AbortController of an attempt, until it fails
    this._beat = null;
    this._heard = 0;
    this._ended = new Promise((resolve) => { this._end = resolve; });
    this._connect();
  }

  /** When the server was last heard, a Date; null if never. */
  get heard() {
    return this._heard ? new Date(this._heard) : null;
  }

  /** Call `listener` for every `event`; returns a function that removes it. */
  on(event, listener) {
    if (!this._listeners.has(event)) this._listeners.set(event, new Set());
    this._listeners.get(event).add(listener);
    return () => { this._listeners.get(event).delete(listener); };
  }

  /** A promise that resolves when the connection is open; rejects if the client is closed first. */
  opened(options = {}) {
    if (this.state === "open") return Promise.resolve();
    return this.request("VALUEINFO", { Variables: [] }, options).then(() => undefined);
  }

  /** End the connection, all requests and all monitors; returns a promise of the end. */
  close() {
    this._close(null);
    return this._ended;
  }

  /** Try again now instead of after the pause, with the present token. */
  reconnect() {
    if (this.state === "waiting") this._connect();
  }

  /** Names of the variables that this client may see, sorted. */
  async list(options) {
    return (await this.request("VALUELIST", {}, options)).Variables;
  }

  /** Properties of one variable, as in VALUEINFO.  Rejects if it does not exist. */
  async info(name, options) {
    const info = (await this.infoAll([name], options))[0];
    if (info.StatusCode) throw new StatusError(info.StatusCode, info.Reason, "VALUEINFO", name);
    return info;
  }

  /** As info(), of several; unknown ones have StatusCode and Reason instead. */
  infoAll(names, options) {
    return this._inParts("VALUEINFO", names, (Variables) => ({ Variables }), "Variables", options);
  }

  /** The present value; with `maxAge` (ms) a monitored value of at most that age is enough.
   * Rejects if there is no value; one of bad quality is a value. */
  async read(name, options = {}) {
    const body = await this.request("READ", reading({ Variable: name }, options), options);
    if (body.StatusCode && body.Status === undefined) throw statusError(body, "READ", name);
    return new DataValue({ Variable: name, ...body });
  }

  /** Several values, in the order of the names; unreadable ones are bad values. */
  async readAll(names, options = {}) {
    const make = (Variables) => reading({ Variables }, options);
    const found = await this._inParts("READ", names, make, "Values", options);
    return found.map((body) => new DataValue(body));
  }

  /** Write; `type` (name of a built-in type) and `dimensions` only if they differ from the
   * variable's. Resolves to "Good", or to a Good status with a remark, such as "GoodClamped". */
  async write(name, value, options = {}) {
    const body = { Variable: name, Value: written(value, options) };
    const answer = await this.request("WRITE", body, options);
    if (answer.StatusCode) throw statusError(answer, "WRITE", name);
    return answer.Symbol || "Good";
  }

  /** Write several, [{variable, value, type, dimensions}]; resolves to [{variable, symbol, error}],
   * where `error` is null or a StatusError. */
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
   * The past of several variables for a chart, in the order of the names: {variable, values, source,
   * symbol, reason, error} of each.  If there are more than `maxPoints` (1000) values, the first, the
   * last, every extreme and every gap (a bad value) are kept.  `start` and `end` are Dates or
   * ISO 8601; the default of `end` is now.  `source` says who recorded it: "plant", "own" (opcws) or
   * "both"; `error` is a StatusError if there is no history.
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
   * Every update is passed to `callback`, as a DataValue; without it iterate over the Monitor with
   * "for await".  `minInterval` (ms) is the least time between two updates of a variable.  `names`
   * may be changed later: add(), remove(), set() of the Monitor.
   *
   * Past changes that the server remembers come first, in order, as updates with `historical`: those
   * after `since` (a Date or ISO 8601), and those missed while the connection was lost, unless
   * `resume` is false (the default with `minInterval`).  With `backfill` also those missed while the
   * OPC UA server was not connected.
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
   * Any request of the protocol: takes its Body, returns the Body of the response.  Rejects with
   * StatusError if the message was refused as a whole, TimeoutError, AbortedError,
   * ConnectionLostError.
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
      // A bound request does not wait for the next connection.
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

  // --- private

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
      this._remembers = true; // until this server proves that it does not
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
    // A close event with the reason follows, except in Node 20 if the socket never opened.
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

  /** Give up *socket* without waiting for its closing handshake, which may take minutes. */
  _drop(socket, why) {
    if (this._socket !== socket) return;
    this._lost(new ConnectionLostError(why), null);
    socket.close();
  }

  /** Ask the server after a silence, and end the connection if it does not answer.  Only the answer
   * counts, not the time between two checks: a page in the background is called once a minute. */
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

  /** The connection was lost, or never opened: then `shown` has its token. */
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
    // A script cannot see why an opening handshake was refused, but whoami() tells.
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

  /** After a failed attempt: wait for the next one, unless that cannot succeed. */
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

  /** End the present attempt: work for it that is still under way has no effect. */
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
    // A closing socket sends nothing: the request waits for the next connection.
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
      if (!entry) return; // the answer is too late
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

/** The time of a value in ISO 8601 without the "Z", so that texts sort by time; "" if it is
 * unknown. */
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

/** Call a function of the user; its errors go to the console and do not disturb us. */
function run(call, ...what) {
  try {
    call(...what);
  } catch (error) {
    Promise.reject(error);
  }
}

/**
 * Variables that are monitored until stop(), the end of a "for await" over it, or close() of the
 * client.  `done` is a promise of its end; it rejects if its only variable was refused, or if the
 * client has failed for good.
 */
export class Monitor {
  constructor(client, handle, names, options, callback) {
    this.done = new Promise((resolve, reject) => {
      this._resolve = resolve;
      this._reject = reject;
    });
    this.done.catch(() => {}); // "for await" reports the error, too
    this._client = client;
    this._handle = handle;
    this._single = typeof names === "string";
    this._wanted = new Set(this._single ? [names] : names);
    this._started = new Set(); // on this connection
    this._refused = new Set(); // on this connection; not requested again
    this._busy = false;
    this._minInterval = options.minInterval || 0;
    this._since = options.since ? encoded(options.since) : null;
    this._backfill = Boolean(options.backfill);
    this._resume = options.resume === undefined ? !options.minInterval : Boolean(options.resume);
    this._known = new Map(); // name -> its last updates, see _isNews()
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

  /** Monitor exactly these variables from now on. */
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

  /** Remember the last updates of a variable; false if *body* is one of them: after a reconnection,
   * the past comes again from the last update on, and several may have its time. */
  _isNews(body) {
    const time = timeOf(body);
    let known = this._known.get(body.Variable);
    if (!time || !(known || body.Value)) return true;
    if (!known) this._known.set(body.Variable, known = { time: "", same: [], heard: 0, age: 0 });
    if (body.Historical) {
      if (time < known.time || known.same.some((one) => alike(one, body))) return false;
    }
    if (body.Value && time !== known.time) { // a gap has the time of another clock
      known.time = time;
      known.same = [];
    }
    if (known.same.length <= SAME_TIME) known.same.push(body);
    known.heard = Date.now();
    return true;
  }

  /** The connection is lost, and with it all monitoring. */
  _forget() {
    this._started.clear();
    this._refused.clear();
    const now = Date.now();
    this._known.forEach((known) => {
      if (known.heard) known.age = now - known.heard;
      known.heard = 0;
    });
  }

  /** Make the server monitor exactly the wanted names, one step at a time. */
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
          // The request was refused as a whole, for good: it is not repeated.
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

  /** Which of *names* to start in one request, and since when.  Variables whose last updates are far
   * apart go into different requests, or many known updates would come again. */
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
      if (!resumed || body.Backfill) client._emit("error", error); // the user asked for the past
    }
    // A role without the right to the past may still monitor.
    if (refused.size) await this._start(Array.from(refused), null);
  }

  /** Note the result for each name of a MONITORSTART. */
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
      if (this._error) reject(this._error); // the first gets the error, the others just end
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
