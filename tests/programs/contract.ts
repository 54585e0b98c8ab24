// A client on the types that json-schema-to-typescript makes of schemas/typed.schema.json, and on
// nothing else: it reads, writes and monitors.
import type {
  ClientMessage, DataValue, FailedResponse, MonitorStartListRequest, MonitorStartListResponse,
  MonitorUpdateMessage, ReadListRequest, ReadListResponse, ReadRequest, ReadResponse, ServerMessage,
  Variant, WriteListRequest, WriteListResponse, WriteRequest, WriteResponse,
} from "./contract.js";

declare const process: { argv: string[] };
const say = (...what: unknown[]): void => { console.log(what.join(" ")); };

// --- The client -----------------------------------------------------------------------------------

type Kind = ServerMessage["Header"]["MessageType"];

/** Tells a message from the others by its type; a response that failed is none of them. */
function is<K extends Kind>(
  message: ServerMessage, kind: K,
): message is Extract<ServerMessage, { Header: { MessageType: K } }> {
  return message.Header.MessageType === kind && !failed(message);
}

function failed(message: ServerMessage): message is FailedResponse {
  return message.Header.MessageType.endsWith("_RESPONSE") && "StatusCode" in message.Header;
}

const socket = new WebSocket(process.argv[2] as string, "json");
const waiting = new Map<string, (answer: ServerMessage) => void>();
const updates: ((update: MonitorUpdateMessage) => void)[] = [];
let count = 0;

const handle = (): string => { count += 1; return String(count); };

function ask(request: ReadRequest): Promise<ReadResponse>;
function ask(request: ReadListRequest): Promise<ReadListResponse>;
function ask(request: WriteRequest): Promise<WriteResponse>;
function ask(request: WriteListRequest): Promise<WriteListResponse>;
function ask(request: MonitorStartListRequest): Promise<MonitorStartListResponse>;
function ask(request: ClientMessage): Promise<ServerMessage> {
  return new Promise((resolve, reject) => {
    waiting.set(request.Header.ClientHandle, (answer) => {
      if (failed(answer)) reject(new Error(answer.Header.StatusCode + ": " + answer.Header.Reason));
      else resolve(answer);
    });
    socket.send(JSON.stringify(request));
  });
}

socket.onmessage = (event): void => {
  const message: ServerMessage = JSON.parse(event.data);
  if (is(message, "MONITORUPDATE_MESSAGE")) {
    updates.forEach((each) => { each(message); });
  } else if (is(message, "SERVERSTATUS_MESSAGE")) {
    const state: string = message.Body.State;
    if (!state) throw new Error("no state");
  } else if (message.Header.ClientHandle !== undefined) {
    waiting.get(message.Header.ClientHandle)?.(message);
    waiting.delete(message.Header.ClientHandle);
  }
};

/** A value as JavaScript has it. */
function plain(value: Variant): unknown {
  switch (value.Type) {
    case 8: case 9: // Int64 and UInt64
      return typeof value.Body === "string" ? BigInt(value.Body) : value.Body;
    case 10: case 11: // Float and Double
      return typeof value.Body === "string" ? Number(value.Body) : value.Body;
    case 21: // LocalizedText
      return Array.isArray(value.Body) ? value.Body.map((each) => each.Text) : value.Body?.Text;
    default:
      return value.Body;
  }
}

// --- The story ------------------------------------------------------------------------------------

const bad = (value: DataValue): string => value.StatusCode ?? "good";

async function main(): Promise<void> {
  const read = await ask({
    Header: { MessageType: "READ_REQUEST", ClientHandle: handle() },
    Body: { Variable: "Types.Int64" },
  });
  say("read", bad(read.Body), typeof (read.Body.Value && plain(read.Body.Value)));

  const values = await ask({
    Header: { MessageType: "READ_REQUEST", ClientHandle: handle() },
    Body: { Variables: ["Types.Infinities", "Types.Bad", "No.Such"], MaxAge: 0 },
  });
  say("list", ...values.Body.Values.map((each) => each.Variable + "=" + bad(each)));
  const infinities = values.Body.Values[0]?.Value;
  if (infinities?.Type === 11 && Array.isArray(infinities.Body)) {
    say("infinities", ...infinities.Body.map(Number));
  }

  const written = await ask({
    Header: { MessageType: "WRITE_REQUEST", ClientHandle: handle() },
    Body: {
      Writes: [
        { Variable: "Boiler.Setpoint", Value: 75 },
        { Variable: "Types.Int64", Value: { Type: 8, Body: "-9007199254740993" } },
        { Variable: "Types.LocalizedText", Value: { Value: { Type: 21, Body: { Locale: "de", Text: "Kessel" } } } },
        { Variable: "Types.Int16", Value: { Type: 4, Body: 100000 } },
      ],
    },
  });
  say("written", ...written.Body.Results.map((each) => each.StatusCode ?? "good"));
  const back = await ask({
    Header: { MessageType: "READ_REQUEST", ClientHandle: handle() },
    Body: { Variables: ["Types.Int64", "Types.LocalizedText"] },
  });
  say("back", ...back.Body.Values.map((each) => each.Value && plain(each.Value)));

  const monitor = handle();
  const updated = new Promise<void>((resolve) => {
    updates.push(({ Header, Body }) => {
      const setpoint = Body.Variable === "Boiler.Setpoint" && Body.Value && plain(Body.Value);
      if (Header.ClientHandle === monitor && setpoint === 80) resolve();
    });
  });
  const started = await ask({
    Header: { MessageType: "MONITORSTART_REQUEST", ClientHandle: monitor },
    Body: { Variables: ["Boiler.Setpoint"] },
  });
  say("monitor", started.Body.Results.length);
  await ask({
    Header: { MessageType: "WRITE_REQUEST", ClientHandle: handle() },
    Body: { Variable: "Boiler.Setpoint", Value: { Body: 80, Type: 11 } },
  });
  await updated;
  say("updated");
  socket.close();
}

socket.onopen = (): void => { void main(); };

// --- What is no message ---------------------------------------------------------------------------

const Header = { MessageType: "READ_REQUEST", ClientHandle: "1" } as const;
// @ts-expect-error: both forms at once
export const both: ReadRequest = { Header, Body: { Variable: "a", Variables: ["a"] } };
export const wrong: ClientMessage[] = [
  // @ts-expect-error: what is absent is not null
  { Header, Body: { Variable: "a", MaxAge: null } },
  // @ts-expect-error: a legacy spelling
  { Header: { MessageType: "READ_REQUEST", ClientHandler: "1" }, Body: { Variable: "a" } },
  // @ts-expect-error: the Body of another message
  { Header, Body: { Writes: [] } },
  // @ts-expect-error: the Body of another Type
  { Header: { MessageType: "WRITE_REQUEST", ClientHandle: "1" }, Body: { Variable: "a", Value: { Type: 1, Body: 5 } } },
  { Header, Body: { Variable: "a" } },
];
