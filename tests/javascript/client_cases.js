// What opcws.js must do, against a real opcws in front of the simulated plant.  The same cases run
// in Node and in a browser; tests/integration/clients/test_javascript_client.py starts both.
//
// A case gets {opcws, url, guarded: {url, token, user, password}, hasty, nowhere}; *hasty* takes few
// requests a second.

const PATIENCE = 20000;

function text(thing) {
  return JSON.stringify(thing, (_key, part) => {
    if (typeof part === "bigint") return part + "n";
    return typeof part === "number" && !Number.isFinite(part) ? String(part) : part;
  });
}

function equal(found, expected, what = "") {
  if (text(found) !== text(expected)) {
    throw new Error(what + " expected " + text(expected) + ", got " + text(found));
  }
}

function check(true_, what) {
  if (!true_) throw new Error("not so: " + what);
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

function within(promise, what) {
  let timer;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("not in time: " + what)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A promise of the first event for which *true_* holds. */
function next(client, event, true_) {
  return within(new Promise((resolve) => {
    const off = client.on(event, (what) => {
      if (!true_(what)) return;
      off();
      resolve(what);
    });
  }), event);
}

/** A client for one case, closed at its end. */
async function using(t, options, body, url = t.url) {
  const client = new t.opcws.Client(url, { timeout: PATIENCE, ...options });
  try {
    return await body(client);
  } finally {
    await within(client.close(), "close");
  }
}

/** Real WebSockets that can be cut, or made deaf. */
function faulty() {
  const sockets = [];
  class Faulty extends globalThis.WebSocket {
    constructor(...given) {
      super(...given);
      sockets.push(this);
    }
    deafen() {
      this.onmessage = () => {};
    }
  }
  return { WebSocket: Faulty, sockets, cut: () => sockets[sockets.length - 1].close() };
}

const QUICK = { reconnect: { min: 5, max: 50 } };

/** A server that is written down: it remembers `past` (name -> bodies, the last one is the present
 * value), `asked` are the MONITORSTARTs, `old` knows no Since, nobody may know the past of what is
 * `secret`. */
function remembering(past, old = false, secret = []) {
  const asked = [];
  let now = null;
  class Scripted {
    constructor() {
      this.readyState = 0;
      this.monitors = [];
      now = this;
      setTimeout(() => {
        this.readyState = 1;
        this.onopen();
      }, 0);
    }
    close() {
      this.readyState = 3;
      setTimeout(() => this.onclose({}), 0);
    }
    tell(type, header, Body) {
      const Header = { ...header, MessageType: type };
      const data = JSON.stringify({ Header, Body });
      setTimeout(() => { if (this.onmessage) this.onmessage({ data }); }, 0);
    }
    send(sent) {
      const { Header, Body } = JSON.parse(sent);
      const { MessageType, ClientHandle } = Header;
      const type = MessageType.replace("_REQUEST", "_RESPONSE");
      if (MessageType !== "MONITORSTART_REQUEST") {
        this.tell(type, { ClientHandle }, {});
        return;
      }
      asked.push(Body);
      if (old && (Body.Since || Body.Backfill)) {
        this.tell(type, { ClientHandle, StatusCode: "BadAttributeIdInvalid", Reason: "Since" });
        return;
      }
      const refused = { StatusCode: "BadUserAccessDenied", Reason: "no history" };
      const isRefused = (Variable) => Body.Since && secret.includes(Variable);
      const Results = Body.Variables.map(
        (Variable) => ({ Variable, ...(isRefused(Variable) ? refused : {}) }));
      this.tell(type, { ClientHandle }, { Results });
      for (const Variable of Body.Variables.filter((name) => !isRefused(name))) {
        this.monitors.push([ClientHandle, Variable]);
        past[Variable].forEach((body, n, all) => {
          const last = n === all.length - 1;
          const isLater = (since) => body.SourceTimestamp.slice(0, -1) > since.slice(0, -1);
          if (!last && !(Body.Since && isLater(Body.Since))) return;
          this.tell("MONITORUPDATE_MESSAGE", { ClientHandle },
            { Variable, ...body, ...(last ? {} : { Historical: true }) });
        });
      }
    }
  }
  return {
    asked, WebSocket: Scripted, cut: () => now.close(),
    /** What the plant says now. */
    change(Variable, body) {
      past[Variable].push(body);
      for (const [ClientHandle, name] of now.monitors) {
        if (name === Variable) {
          now.tell("MONITORUPDATE_MESSAGE", { ClientHandle }, { Variable, ...body });
        }
      }
    },
  };
}

/** A client of `server`, and `take(count)`: what its monitor of `names` says next, in short. */
function resuming(t, server, names, options, body) {
  const { WebSocket } = server;
  return using(t, { ...QUICK, WebSocket, fetch: null }, (client) => {
    const iterator = client.monitor(names, options)[Symbol.asyncIterator]();
    const take = async (count) => {
      const told = [];
      while (told.length < count) {
        const { value } = await within(iterator.next(), count + " updates, after " + told);
        told.push(value.variable + value.value + (value.historical ? " past" : "") +
          (value.good ? "" : " " + value.symbol));
      }
      return told;
    };
    return body(take, client);
  });
}

/** A DataValue of the wire at so many seconds. */
function dataValue(value, second, more = {}) {
  const time = new Date(Date.UTC(2026, 10, 22, 10)).getTime() + second * 1000;
  const SourceTimestamp = new Date(time).toISOString().replace(/\.?0*Z$/, "Z");
  return { Value: { Type: 6, Body: value }, SourceTimestamp, ...more };
}

export const cases = {
  "lists, describes and reads variables": (t) => using(t, {}, async (client) => {
    const names = await client.list();
    check(names.includes("Boiler.Temperature"), "the name is listed");
    const info = await client.info("Boiler.Temperature");
    equal([info.Type, info.EngineeringUnits.DisplayName], ["Double", "°C"]);
    const value = await client.read("Types.Double");
    check(value instanceof t.opcws.DataValue, "a DataValue");
    equal([value.variable, value.type, value.value], ["Types.Double", "Double", 0.1]);
    equal([value.good, value.severity, value.symbol, value.code], [true, "good", "Good", 0]);
    check(Math.abs(Date.now() - value.time) < 3600000, "the source's time");
  }),

  "more names than go into one request are asked for in several": (t) => using(
    t, {}, async (client) => {
      const names = Array.from({ length: 2500 }, (_none, n) => n % 2 ? "Types.Int16" : "no" + n);
      const values = await client.readAll(names);
      equal(values.length, 2500);
      equal(values.map((value) => value.variable), names);
      equal([values[2401].value, values[2400].symbol], [-32768, "BadNodeIdUnknown"]);
      equal((await client.infoAll(names)).length, 2500);
      equal(await client.readAll([]), []);
    }),

  "64-bit integers are BigInt, there and back": (t) => using(t, {}, async (client) => {
    equal((await client.read("Types.Int64Big")).value, 4611686018427387904n);
    const before = await client.read("Types.Int64Array");
    equal(before.value, [9007199254740993n, -9223372036854775808n]);
    await client.write("Types.UInt64", 18446744073709551614n);
    equal((await client.read("Types.UInt64")).value, 18446744073709551614n);
    await client.write("Types.Int64Array", [before.value[1], -1n]);
    equal((await client.read("Types.Int64Array")).value, [-9223372036854775808n, -1n]);
    await client.write("Types.Int64Array", before.value);
  }),

  "numbers that JSON lacks come as numbers, there and back": (t) => using(t, {}, async (client) => {
    check(Number.isNaN((await client.read("Types.NaN")).value), "NaN");
    const values = (await client.read("Types.Infinities")).value;
    check(values[0] === Infinity && values[1] === -Infinity, "the infinities");
    await client.write("Types.Infinities", [-Infinity, NaN, 1.5]);
    const back = (await client.read("Types.Infinities")).value;
    check(back[0] === -Infinity && Number.isNaN(back[1]) && back[2] === 1.5, "back again");
    await client.write("Types.Infinities", values);
  }),

  "dates, bytes, typed arrays, matrices and DataValues can be written": (t) => using(
    t, {}, async (client) => {
      const moment = new Date(1700000000123);
      await client.write("Types.DateTime", moment);
      equal((await client.read("Types.DateTime")).value, "2023-11-14T22:13:20.123Z");
      await client.write("Types.ByteString", new Uint8Array([0, 255, 16]));
      equal((await client.read("Types.ByteString")).value, "AP8Q");
      await client.write("Types.DoubleArray", new Float64Array([1.5, NaN, 2]));
      check(Number.isNaN((await client.read("Types.DoubleArray")).value[1]), "NaN in a typed array");
      const matrix = await client.read("Types.Matrix");
      equal([matrix.dimensions, matrix.value], [[2, 3], [1, 2, 3, 4, 5, 6]]);
      await client.write("Types.Matrix", [6, 5, 4, 3, 2, 1], { dimensions: [2, 3] });
      equal((await client.read("Types.Matrix")).value, [6, 5, 4, 3, 2, 1]);
      await client.write("Types.Matrix", matrix);
      equal((await client.read("Types.Matrix")).value, matrix.value);
      await client.write("Types.Any", 12, { type: "Byte" });
      const any = await client.read("Types.Any");
      equal([any.type, any.value], ["Byte", 12]);
    }),

  "variants and DataValues inside a value are DataValues": (t) => using(t, {}, async (client) => {
    const variants = (await client.read("Types.VariantArray")).value;
    equal(variants.map((one) => [one.type, one.value]), [["Int32", 7], ["String", "seven"]]);
    const inner = (await client.read("Types.DataValue")).value;
    check(inner instanceof t.opcws.DataValue, "a DataValue");
    equal([inner.type, inner.value], ["Double", 4.5]);
    equal((await client.read("Types.Null")).value, null);
  }),

  "quality is told in words and numbers": (t) => using(t, {}, async (client) => {
    const bad = await client.read("Types.Bad");
    equal([bad.severity, bad.symbol, bad.good], ["bad", "BadSensorFailure", false]);
    check(bad.reason && bad.code > 0x80000000, "reason and number");
    const doubtful = await client.read("Types.Uncertain");
    equal([doubtful.severity, doubtful.symbol, doubtful.value],
      ["uncertain", "UncertainLastUsableValue", 20.5]);
    const late = new t.opcws.DataValue({ Value: { Type: 6, Body: 1 }, Status: 0x480 });
    equal([late.overflow, late.good, late.symbol], [true, true, "Good"]);
  }),

  "what is refused has status, reason and variable": (t) => using(t, {}, async (client) => {
    const { StatusError, OpcwsError } = t.opcws;
    const unknown = await failure(client.read("no such"));
    check(unknown instanceof StatusError && unknown instanceof OpcwsError, "a StatusError");
    equal([unknown.status, unknown.variable, unknown.operation],
      ["BadNodeIdUnknown", "no such", "READ"]);
    check(unknown.reason.includes("VALUELIST") && unknown.message.includes("no such"), "reason");
    equal((await failure(client.write("Boiler.Setpoint", "hot"))).status, "BadTypeMismatch");
    equal((await failure(client.write("Boiler.Temperature", 1))).status, "BadNotWritable");
    equal((await failure(client.read("Test.WriteOnly"))).status, "BadNotReadable");
    equal((await failure(client.info("no such"))).status, "BadNodeIdUnknown");
    equal((await failure(client.request("READ", { Variables: 7 }))).status,
      "BadAttributeIdInvalid");
    equal((await failure(client.request("NONSENSE", {}))).status, "BadRequestHeaderInvalid");
    const results = await client.writeAll([
      { variable: "Types.Int16", value: 99 }, { variable: "Types.Byte", value: 256 }]);
    equal(results[0], { variable: "Types.Int16", symbol: "Good", error: null });
    equal([results[1].variable, results[1].error.status], ["Types.Byte", "BadOutOfRange"]);
    await client.write("Types.Int16", -32768);
  }),

  "history comes page by page, and as aggregates": (t) => using(t, {}, async (client) => {
    const start = new Date(Date.now() - 3600000);
    const first = await client.history("Test.Counter", { start, maxValues: 3 });
    equal([first.values.length, typeof first.next], [3, "function"]);
    const second = await first.next();
    // Two values may be of the same millisecond, which is all that a Date tells.
    check(second.values[0].time >= first.values[2].time, "the next page is later");
    check(second.values[0].sourceTimestamp !== first.values[2].sourceTimestamp, "it goes on");
    const times = [];
    for await (const value of client.historyAll("Test.Counter", { start, maxValues: 4 })) {
      times.push(value.sourceTimestamp);
    }
    check(times.length >= 8, "several pages: " + times.length);
    equal(times, Array.from(new Set(times)).sort(), "each once and in order");
    const end = new Date();
    const counted = await client.history("Test.Counter", {
      start, end, aggregate: "Count", interval: end - start });
    equal(counted.values[0].value, times.length);
    equal((await failure(client.history("Types.Double", { start }))).name, "StatusError");
  }),

  "the past of several variables comes as a chart needs it": (t) => using(t, {}, async (client) => {
    const start = new Date();
    for (const value of [5, 9, 3, 4, 4, 1, 7, 2, 6, 8]) await client.write("Test.Counter", value);
    const names = ["Test.Counter", "Types.Double", "Boiler.Temperature", "no such"];
    const [counter, none, temperature, unknown] = await client.historyOf(
      names, { start, maxPoints: 6 });
    equal([counter.variable, counter.source, counter.symbol, counter.error],
      ["Test.Counter", "plant", "Good", null]);
    const values = counter.values.map((value) => value.value);
    check(values.length <= 6 && values.includes(9) && values.includes(1), "extremes: " + values);
    equal([values[0], values[values.length - 1]], [5, 8]);
    check(counter.values[0] instanceof t.opcws.DataValue, "DataValues");
    equal([none.values.length, none.error.status], [0, "BadHistoryOperationUnsupported"]);
    equal([unknown.error.status, unknown.error.variable], ["BadNodeIdUnknown", "no such"]);
    equal(temperature.error, null);
    const many = await client.historyOf(Array(25).fill("Test.Counter"), { start });
    equal(many.map((one) => one.values.length), Array(25).fill(10), "several requests");
    equal(await client.historyOf([], { start }), []);
    const error = await failure(client.historyOf(["Test.Counter"]));
    check(error.message.includes("StartTime"), error.message);
  }),

  "a monitor is iterated over and ended by break": (t) => using(t, {}, async (client) => {
    await client.write("Types.Byte", 1);
    const seen = [];
    const monitor = client.monitor("Types.Byte");
    for await (const update of monitor) {
      seen.push(update.value);
      if (seen.length === 3) break;
      await client.write("Types.Byte", seen.length + 1);
    }
    equal(seen, [1, 2, 3]);
    await within(monitor.done, "the end");
    equal((await failure(client.request("MONITORSTOP", { Variable: "Types.Byte" })
      .then((body) => { if (body.StatusCode) throw body; }))).StatusCode, "BadNoEntryExists");
  }),

  "a monitor with a callback changes its names while it runs": (t) => using(
    t, {}, async (client) => {
      const seen = new Map();
      let arrived = () => {};
      const monitor = client.monitor(["Types.SByte", "no such"], (update) => {
        seen.set(update.variable, update);
        arrived();
      });
      const all = (...names) => within(new Promise((resolve) => {
        arrived = () => { if (names.every((name) => seen.has(name))) resolve(); };
        arrived();
      }), String(names));
      await all("Types.SByte", "no such");
      equal([seen.get("no such").symbol, seen.get("no such").severity], ["BadNodeIdUnknown", "bad"]);
      monitor.add("Types.UInt16", "Types.Guid");
      monitor.remove("Types.SByte");
      await all("Types.UInt16", "Types.Guid");
      seen.clear();
      for (let turn = 0; turn < 20; turn += 1) monitor.set(["Types.Float", "Types.String"]);
      monitor.set(["Types.SByte"]);
      monitor.set(["Types.Float"]);
      await all("Types.Float");
      await client.write("Types.SByte", 3);
      seen.clear();
      await client.write("Types.Float", 0.5);
      await all("Types.Float");
      equal(Array.from(seen.keys()), ["Types.Float"]);
      monitor.stop();
      equal(monitor.names, []);
      await client.writeAll([
        { variable: "Types.SByte", value: -128 }, { variable: "Types.Float", value: 0.1 }]);
    }),

  "a monitor of one unknown variable fails with its status": (t) => using(
    t, {}, async (client) => {
      const iterator = client.monitor("no such")[Symbol.asyncIterator]();
      equal((await failure(iterator.next())).status, "BadNodeIdUnknown");
      equal((await iterator.next()).done, true);
      equal((await failure(client.monitor("no such", () => {}).done)).status, "BadNodeIdUnknown");
    }),

  "a signal ends a monitor and a request": (t) => using(t, {}, async (client) => {
    const controller = new AbortController();
    const iterator = client.monitor("Boiler.Level", { signal: controller.signal })[
      Symbol.asyncIterator]();
    check((await iterator.next()).value.good, "a value");
    const left = (async () => { for (;;) await iterator.next(); })();
    controller.abort();
    equal((await failure(left)).name, "AbortError");
    equal((await failure(client.list({ signal: controller.signal }))).name, "AbortError");
    const second = new AbortController();
    const asked = client.request("VALUELIST", {}, { signal: second.signal });
    second.abort();
    const error = await failure(asked);
    check(error instanceof t.opcws.AbortedError && !error.outcomeUnknown, "an AbortedError");
  }),

  "a signal is not listened to any longer than needed": (t) => using(t, {}, async (client) => {
    const { signal } = new AbortController();
    const listeners = new Set();
    for (const [name, change] of [["add", "add"], ["remove", "delete"]]) {
      signal[name + "EventListener"] = (_type, listener) => { listeners[change](listener); };
    }
    const monitor = client.monitor("Types.Byte", { signal });
    const asked = client.list({ signal });
    equal(listeners.size, 2);
    await asked;
    monitor.stop();
    equal(listeners.size, 0);
  }),

  "each next() of an iteration is answered": (t) => using(t, {}, async (client) => {
    await client.write("Types.Byte", 1);
    const monitor = client.monitor("Types.Byte");
    const iterator = monitor[Symbol.asyncIterator]();
    const both = [iterator.next(), iterator.next()];
    equal((await within(both[0], "the first")).value.value, 1);
    await client.write("Types.Byte", 2);
    equal((await within(both[1], "the second")).value.value, 2);
    const left = [iterator.next(), iterator.next()];
    monitor.stop();
    equal((await within(Promise.all(left), "the end")).map((one) => one.done), [true, true]);
  }),

  "what is refused for now only is asked again": (t) => using(t, {}, async (client) => {
    const exhaust = async () => {
      const many = Array.from({ length: 40 }, () => client.list().catch((error) => error.status));
      check((await Promise.all(many)).includes("BadTooManyOperations"), "it is hasty");
    };
    await exhaust();
    const one = client.monitor("Types.SByte");
    const iterator = one[Symbol.asyncIterator]();
    equal((await within(iterator.next(), "the value")).value.value, -128);
    let arrived;
    const some = new Promise((resolve) => { arrived = resolve; });
    const several = client.monitor(["Types.Byte", "Types.Int16"], arrived);
    await within(some, "values");
    await exhaust();
    several.remove("Types.Byte");
    // Until the server has nothing of that name and handle, as a second start finds out.
    const again = { Variable: "Types.Byte" };
    await within((async () => {
      for (;;) {
        const body = await client.request("MONITORSTART", again, { handle: several._handle })
          .catch((error) => ({ StatusCode: error.status }));
        if (!body.StatusCode) return;
        await new Promise((go) => { setTimeout(go, 400); }); // not to take what the stop needs
      }
    })(), "stopped");
  }, t.hasty),

  "what is iterated over too slowly loses the oldest and says so": (t) => using(
    t, {}, async (client) => {
      const monitor = client.monitor("Types.UInt32");
      const iterator = monitor[Symbol.asyncIterator]();
      await iterator.next();
      for (let value = 0; value < 1100; value += 1) {
        monitor._update({ Variable: "Types.UInt32", Value: { Type: 7, Body: value } });
      }
      const first = (await iterator.next()).value;
      equal([first.value, first.overflow], [100, true]);
      equal((await iterator.next()).value.overflow, false);
    }),

  "a lost connection is made again and the monitors go on": (t) => {
    const fault = faulty();
    return using(t, { ...QUICK, WebSocket: fault.WebSocket }, async (client) => {
      await client.write("Test.Counter", 1);
      const seen = [];
      let arrived = () => {};
      client.monitor(["Test.Counter", "Types.Boolean"], (update) => {
        seen.push(update.variable + update.value);
        arrived();
      });
      const waitFor = (what) => within(new Promise((resolve) => {
        arrived = () => { if (seen.includes(what)) resolve(); };
        arrived();
      }), what);
      await waitFor("Test.Counter1");
      for (const round of [2, 3]) {
        const lost = next(client, "state", (event) => event.state === "waiting");
        const back = next(client, "state", (event) => event.state === "open");
        fault.cut();
        const event = await lost;
        check(event.error instanceof t.opcws.ConnectionLostError, "why");
        check(event.retryIn > 0 && event.retryIn <= 50, "when: " + event.retryIn);
        await back;
        seen.length = 0;
        await client.write("Test.Counter", round);
        await waitFor("Test.Counter" + round);
        await waitFor("Types.Booleantrue");
      }
      equal(fault.sockets.length, 3);
    });
  },

  "what was missed comes in order and marked, before what is live": (t) => {
    const past = { a: [dataValue(1, 1)], b: [dataValue(1, 2)] };
    const server = remembering(past);
    return resuming(t, server, ["a", "b"], {}, async (take) => {
      equal(await take(2), ["a1", "b1"]);
      server.change("a", dataValue(2, 5));
      equal(await take(1), ["a2"]);
      past.a.push(dataValue(3, 6), dataValue(4, 7));
      server.cut();
      equal((await take(3)).sort(), ["a3 past", "a4", "b1"], "b, which did not change, is good again");
      server.change("a", dataValue(5, 8));
      equal(await take(1), ["a5"]);
      const asked = server.asked.map((body) => [body.Variables.join(), body.Since]);
      equal(asked[0], ["a,b", undefined]);
      equal(asked.slice(1).sort(), [
        ["a", "2026-11-22T10:00:04.9999999Z"], ["b", "2026-11-22T10:00:01.9999999Z"]]);
    });
  },

  "what changed in the plant while there was no connection comes, each once": (t) => {
    const fault = faulty();
    const slow = { reconnect: { min: 60000 }, WebSocket: fault.WebSocket };
    return using(t, slow, (client) => using(t, {}, async (writer) => {
      await writer.write("Test.Counter", 1);
      const iterator = client.monitor("Test.Counter")[Symbol.asyncIterator]();
      const take = async () => (await within(iterator.next(), "an update")).value;
      equal((await take()).value, 1);
      for (const first of [2, 5]) {
        const lost = next(client, "state", (event) => event.state === "waiting");
        fault.cut();
        await lost;
        for (const value of [first, first + 1, first + 2]) {
          await writer.write("Test.Counter", value);
        }
        client.reconnect();
        const told = [await take(), await take(), await take()];
        equal(told.map((update) => update.value), [first, first + 1, first + 2]);
        equal(told.map((update) => update.historical), [true, true, false]);
        check(!told.some((update) => update.overflow), "all of them");
      }
      const lost = next(client, "state", (event) => event.state === "waiting");
      fault.cut();
      await lost;
      client.reconnect();
      const still = await take();
      equal([still.value, still.historical], [7, false], "nothing changed: it is still so");
      await writer.write("Test.Counter", 8);
      equal((await take()).value, 8);
    }));
  },

  "of values of one time those that had not come are told, and the others not": (t) => {
    const past = { a: [dataValue(1, 0.5)] };
    const server = remembering(past);
    return resuming(t, server, "a", {}, async (take) => {
      await take(1);
      server.change("a", dataValue(2, 0.5));
      await take(1);
      const bad = { Status: 0x80000000, Symbol: "Bad", StatusCode: "Bad", Reason: "no" };
      past.a.push(dataValue(3, 0.5), dataValue(2, 0.5, bad), dataValue(4, 0.5));
      for (const round of [1, 2]) {
        server.cut();
        equal(await take(round === 1 ? 3 : 1),
          round === 1 ? ["a3 past", "a2 past Bad", "a4"] : ["a4"]);
      }
      equal(server.asked.map((body) => body.Since), [undefined,
        "2026-11-22T10:00:00.4999999Z", "2026-11-22T10:00:00.4999999Z"]);
    });
  },

  "a gap in what was recorded is told once, and hides nothing": (t) => {
    const past = { a: [dataValue(1, 1)] };
    const server = remembering(past);
    const gap = (second) => ({ ...dataValue(0, second, { Status: 0x808A0000,
      Symbol: "BadNotConnected", StatusCode: "BadNotConnected" }), Value: undefined });
    return resuming(t, server, "a", {}, async (take) => {
      await take(1);
      past.a.push(gap(1.5), dataValue(2, 2));
      server.cut();
      equal(await take(2), ["anull past BadNotConnected", "a2"]);
      server.change("a", gap(40)); // by the clock of opcws, which is ahead of the plant
      equal(await take(1), ["anull BadNotConnected"]);
      past.a.push(dataValue(3, 3), dataValue(4, 4));
      server.cut();
      equal(await take(2), ["a3 past", "a4"]);
    });
  },

  "variables are asked for since their own last update, in few requests": (t) => {
    const names = Array.from({ length: 60 }, (_none, n) => "v" + n);
    const past = { fresh: [dataValue(1, 1)] };
    names.forEach((name, n) => { past[name] = [dataValue(0, -40000 * n - 3)]; });
    const server = remembering(past);
    return resuming(t, server, [...names, "fresh"], {}, async (take, client) => {
      await take(61);
      past.fresh.push(dataValue(2, 2), dataValue(3, 3));
      for (const [name, known] of client._monitors.values().next().value._known) {
        if (name !== "fresh") known.heard -= 60 * 40000000; // as if it had come long ago
      }
      server.cut();
      const told = await take(62);
      equal(told.filter((one) => one.startsWith("fresh")), ["fresh2 past", "fresh3"]);
      check(server.asked.length < 6, "a few requests: " + server.asked.length);
      equal(server.asked[server.asked.length - 1],
        { Variables: ["fresh"], Since: "2026-11-22T10:00:00.9999999Z" });
    });
  },

  "a server that is too old is asked as ever, once on each connection": (t) => {
    const past = { a: [dataValue(1, 1)], b: [dataValue(1, 40)] };
    const server = remembering(past, true);
    const options = { since: new Date(0), backfill: true };
    return resuming(t, server, ["a", "b"], options, async (take, client) => {
      const errors = [];
      client.on("error", (error) => errors.push(error.status));
      equal(await take(2), ["a1", "b1"]);
      past.a.push(dataValue(2, 2));
      server.cut();
      equal((await take(2)).sort(), ["a2", "b1"]);
      equal(server.asked.filter((body) => body.Since || body.Backfill).length, 2);
      equal(errors, ["BadAttributeIdInvalid", "BadAttributeIdInvalid"], "who asked for it is told");
    });
  },

  "a monitor begins with what changed since a time": (t) => {
    const server = remembering({ a: [1, 2, 3, 4].map((n) => dataValue(n, n)) });
    const options = { since: new Date(Date.UTC(2026, 10, 22, 10, 0, 2)), backfill: true };
    return resuming(t, server, "a", options, async (take) => {
      equal(await take(2), ["a3 past", "a4"]);
      equal(server.asked, [
        { Variables: ["a"], Since: "2026-11-22T10:00:02.000Z", Backfill: true }]);
    });
  },

  "who may not know the past goes on without it": (t) => {
    const past = { a: [dataValue(1, 1)], b: [dataValue(1, 1)] };
    const server = remembering(past, false, ["a"]);
    return resuming(t, server, ["a", "b"], {}, async (take, client) => {
      await take(2);
      for (const name of ["a", "b"]) past[name].push(dataValue(2, 2), dataValue(3, 3));
      server.cut();
      equal((await take(3)).sort(), ["a3", "b2 past", "b3"]);
      const asking = client.monitor("a", { since: new Date(0) });
      equal((await failure(asking.done)).reason, "no history", "who asks for it is told");
    });
  },

  "who may not read history goes on monitoring": (t) => {
    const fault = faulty();
    const options = { ...QUICK, WebSocket: fault.WebSocket, token: t.guarded.token };
    return using(t, options, async (client) => {
      const iterator = client.monitor("Boiler.Setpoint")[Symbol.asyncIterator]();
      const take = async () => (await within(iterator.next(), "an update")).value;
      const before = await take();
      fault.cut();
      const after = await take();
      equal([after.value, after.good, after.historical], [before.value, true, false]);
      equal(fault.sockets.length, 2);
    }, t.guarded.url);
  },

  "who wants the latest alone gets no past": async (t) => {
    for (const options of [{ resume: false }, { minInterval: 5 }]) {
      const past = { a: [dataValue(1, 1)] };
      const server = remembering(past);
      await resuming(t, server, "a", options, async (take) => {
        await take(1);
        past.a.push(dataValue(2, 2), dataValue(3, 3));
        server.cut();
        equal(await take(1), ["a3"]);
        check(!server.asked.some((body) => body.Since), "no Since");
      });
    }
  },

  "values of a plant without a clock are taken as ever": (t) => {
    const past = { a: [{ ...dataValue(1, 0), SourceTimestamp: "1601-01-01T00:00:00Z" }] };
    const server = remembering(past);
    return resuming(t, server, "a", {}, async (take) => {
      await take(1);
      server.cut();
      equal(await take(1), ["a1"]);
      check(!server.asked.some((body) => body.Since), "no Since");
    });
  },

  "pauses double up to the longest and are spread": async (t) => {
    const client = new t.opcws.Client(t.nowhere, { reconnect: { min: 8, max: 40 }, fetch: null });
    const pauses = [];
    const closed = new Promise((resolve) => {
      client.on("state", (event) => {
        if (event.state === "waiting") pauses.push(event.retryIn);
        if (pauses.length === 6) resolve();
      });
    });
    await within(closed, "six tries");
    await client.close();
    [8, 16, 32, 40, 40, 40].forEach((most, n) => {
      check(pauses[n] >= most / 2 && pauses[n] <= most, pauses[n] + " of " + most);
    });
    check(new Set(pauses).size === 6, "spread: " + pauses);
  },

  "requests in flight fail when the connection is lost, a write with a warning": (t) => {
    const fault = faulty();
    return using(t, { ...QUICK, WebSocket: fault.WebSocket }, async (client) => {
      await client.opened();
      fault.sockets[0].deafen();
      const asked = [client.read("Types.Byte"), client.write("Types.Boolean", true)].map(failure);
      fault.cut();
      const [read, write] = await Promise.all(asked);
      equal([read.name, read.outcomeUnknown], ["ConnectionLostError", false]);
      equal([write.name, write.outcomeUnknown], ["ConnectionLostError", true]);
      check(write.message.includes("unknown"), write.message);
      equal((await client.read("Types.Double")).value, 0.1, "the next one waits for a connection");
    });
  },

  "what is asked while a connection closes is asked on the next one": (t) => {
    const fault = faulty();
    return using(t, { ...QUICK, WebSocket: fault.WebSocket }, async (client) => {
      await client.opened();
      fault.cut();
      equal(client.state, "open", "the end of it is not known yet");
      await client.write("Types.Boolean", true);
      equal((await client.read("Types.Double")).value, 0.1);
      equal(fault.sockets.length, 2);
    });
  },

  "a monitor that is stopped while a connection closes is not started on the next": (t) => {
    const fault = faulty();
    return using(t, { ...QUICK, WebSocket: fault.WebSocket }, async (client) => {
      await client.opened();
      fault.cut();
      const monitor = client.monitor(["Types.Byte"], () => {});
      monitor.stop();
      await client.read("Types.Double");
      equal(fault.sockets.length, 2);
      const left = await client.request("MONITORSTOP", { Variable: "Types.Byte" });
      equal(left.StatusCode, "BadNoEntryExists");
    });
  },

  "a handle that is in use is not taken twice": (t) => using(t, {}, async (client) => {
    const first = client.request("VALUELIST", {}, { handle: "mine" });
    const second = await failure(client.request("VALUELIST", {}, { handle: "mine" }));
    check(second instanceof t.opcws.OpcwsError && second.message.includes("mine"), second.message);
    check((await first).Variables.length, "the first is answered");
  }),

  "what is no message of opcws is an error and no more": (t) => {
    const fault = faulty();
    return using(t, { WebSocket: fault.WebSocket }, async (client) => {
      await client.opened();
      const errors = [];
      client.on("error", (error) => errors.push(error.message));
      for (const data of ["<html>", "null", "[]", "{\"Header\":{}}"]) {
        fault.sockets[0].onmessage({ data });
      }
      equal(errors.length, 4);
      check(errors.every((message) => message.includes("not opcws")), String(errors));
      equal((await client.read("Types.Double")).value, 0.1);
    });
  },

  "no answer in time is a TimeoutError, and a late answer harms nobody": (t) => {
    const fault = faulty();
    return using(t, { WebSocket: fault.WebSocket }, async (client) => {
      await client.opened();
      const { onmessage } = fault.sockets[0];
      const held = [];
      fault.sockets[0].onmessage = (event) => held.push(event);
      const error = await failure(client.write("Types.Boolean", true, { timeout: 60 }));
      equal([error.name, error.outcomeUnknown], ["TimeoutError", true]);
      fault.sockets[0].onmessage = onmessage;
      held.forEach((event) => fault.sockets[0].onmessage(event));
      equal((await client.read("Types.Double")).value, 0.1);
    });
  },

  "without a connection a request ends after its time": async (t) => {
    const client = new t.opcws.Client(t.nowhere, { fetch: null });
    const error = await failure(client.read("Types.Byte", { timeout: 60 }));
    equal(error.name, "TimeoutError");
    check(error.message.includes("no connection"), error.message);
    await client.close();
  },

  "a token that does not come is waited for as long as a connection, and no longer": async (t) => {
    const signals = [];
    const token = ({ signal }) => {
      signals.push(signal);
      return signals.length === 1 ? new Promise(() => {}) : null;
    };
    const client = new t.opcws.Client(t.url, { ...QUICK, connectTimeout: 500, token });
    const { error } = await next(client, "state", (event) => event.state === "waiting");
    check(error instanceof t.opcws.ConnectionLostError, "why");
    check(signals[0].aborted, "whoever makes the token is told");
    await within(client.opened({ timeout: 0 }), "the next one");
    await within(client.close(), "close");
  },

  "why it was refused is asked no longer than a connection may take": async (t) => {
    const signals = [];
    const fetch = (_url, { signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const client = new t.opcws.Client(t.nowhere, { ...QUICK, connectTimeout: 300, fetch });
    await next(client, "state", () => signals.length > 1);
    check(signals[0].aborted, "the first question is over");
    await within(client.close(), "close");
    check(signals.every((signal) => signal.aborted), "and so are the others");
  },

  "a server that falls silent is given up": (t) => {
    const fault = faulty();
    const options = { ...QUICK, WebSocket: fault.WebSocket, heartbeat: 500 };
    return using(t, options, async (client) => {
      await client.opened();
      await within(new Promise((resolve) => {
        const asked = client.request;
        client.request = (...given) => {
          if (given[2] && given[2].handle === "beat") resolve();
          return asked.apply(client, given);
        };
      }), "a question");
      equal([client.state, fault.sockets.length], ["open", 1], "an answer is enough");
      const lost = next(client, "state", (event) => event.state === "waiting");
      fault.sockets[0].deafen();
      check((await lost).error.message.includes("silent"), "why");
      equal((await client.read("Types.Double")).value, 0.1, "on the next one");
    });
  },

  "reconnect: false means one connection": async (t) => {
    const fault = faulty();
    const client = new t.opcws.Client(t.url, { WebSocket: fault.WebSocket, reconnect: false });
    await client.opened();
    const iterator = client.monitor("Types.Byte")[Symbol.asyncIterator]();
    await iterator.next();
    const left = (async () => { for (;;) await iterator.next(); })();
    fault.cut();
    equal((await failure(left)).name, "ConnectionLostError");
    equal([client.state, client.error.name], ["closed", "ConnectionLostError"]);
    equal((await failure(client.list())).name, "ConnectionLostError");
    await client.close();
  },

  "close ends requests, monitors and iterations": async (t) => {
    const client = new t.opcws.Client(t.url);
    const monitor = client.monitor("Types.Byte");
    const values = [];
    const iteration = (async () => { for await (const one of monitor) values.push(one.value); })();
    await client.opened();
    const asked = failure(client.read("Boiler.Level"));
    await within(client.close(), "close");
    equal((await asked).name, "ConnectionLostError");
    await within(iteration, "the iteration");
    await within(monitor.done, "the monitor");
    equal(client.state, "closed");
    equal((await failure(client.monitor("Types.Byte").done)).name, "ConnectionLostError");
    await client.close();
  },

  "it is told how the connection to each OPC UA server is": async (t) => {
    const client = new t.opcws.Client(t.url);
    const status = await next(client, "server", (one) => one.State === "connected");
    equal(status.Server, "plant");
    equal(client.servers.get("plant").State, "connected");
    await client.close();
  },

  "a token, as text or from a function, opens a guarded server": async (t) => {
    for (const token of [t.guarded.token, async () => t.guarded.token]) {
      const guarded = { token };
      await using(t, guarded, async (client) => {
        equal(await client.list(), ["Boiler.Level", "Boiler.Setpoint", "Boiler.Temperature"]);
        equal((await failure(client.write("Boiler.Setpoint", 1))).status, "BadUserAccessDenied");
      }, t.guarded.url);
    }
    const me = await t.opcws.whoami(t.guarded.url, { token: t.guarded.token });
    equal([me.Identity, me.Role, me.MayConnect], ["token panel", "viewer", true]);
  },

  "the server says which version of the contract it speaks": async (t) => {
    const me = await t.opcws.whoami(t.guarded.url, { token: t.guarded.token });
    equal(me.Contract, t.opcws.CONTRACT);
  },

  "that the server speaks another major version is told where no connection opens": async (t) => {
    const newer = async () => new Response('{"Contract": "2.3", "MayConnect": true}');
    const client = new t.opcws.Client(t.nowhere, { reconnect: false, fetch: newer });
    const { error } = await next(client, "state", (event) => event.state === "closed");
    check(error.message.includes("speaks version 2.3 of the contract"), error.message);
  },

  "what a proxy says in HTML is no reason for people": async (t) => {
    const answering = (status, type, text) => ({
      fetch: async () => new Response(text, {
        status, statusText: "Bad Gateway", headers: { "Content-Type": type } }),
    });
    const html = "<html><h1>502</h1></html>";
    const refused = await failure(t.opcws.whoami(t.url, answering(502, "text/html", html)));
    equal([refused.name, refused.httpStatus], ["RefusedError", 502]);
    check(/^502 Bad Gateway from http:.*whoami$/.test(refused.message), refused.message);
    const other = await failure(t.opcws.whoami(t.url, answering(200, "text/html", html)));
    check(other instanceof t.opcws.OpcwsError && other.message.includes("is not opcws"), other);
  },

  "a user and a password make a token": async (t) => {
    const { user, password, url } = t.guarded;
    const { AccessToken } = await t.opcws.login(url, user, password);
    await using(t, { token: AccessToken }, async (client) => {
      equal((await client.list()).length, 3);
    }, url);
    const error = await failure(t.opcws.login(url, user, "not mine"));
    equal([error.name, error.httpStatus], ["RefusedError", 401]);
  },

  "a wrong credential, or none, ends the client with the server's words": async (t) => {
    for (const token of ["wrong", null]) {
      const client = new t.opcws.Client(t.guarded.url, { token });
      const error = await failure(client.list());
      equal([error.name, error.httpStatus], ["RefusedError", 401], String(token));
      equal(client.state, "closed");
    }
    const client = new t.opcws.Client(t.guarded.url, {
      token: () => Promise.reject(new t.opcws.RefusedError(403, "not today")) });
    equal((await failure(client.list())).message, "not today");
  },

  "what a listener throws does not stop the client": (t) => using(t, {}, async (client) => {
    const thrown = within(t.uncaught(), "the error is reported");
    client.on("server", () => { throw new Error("mine"); });
    equal((await client.read("Types.Double")).value, 0.1);
    check(String((await thrown)).includes("mine"), "it is the console's business");
  }),
};

/** Run the cases one after the other; {name: "" or what was wrong}. */
export async function run(t) {
  const results = {};
  for (const [name, test] of Object.entries(cases)) {
    try {
      await within(test(t), name);
      results[name] = "";
    } catch (error) {
      results[name] = String((error && error.stack) || error);
    }
  }
  return results;
}
