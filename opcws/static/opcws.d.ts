/** Types of opcws.js, a client of opcws. */

/** The version of the contract that opcws.js speaks, MAJOR.MINOR. */
export const CONTRACT: string;

/** The built-in types of OPC 10000-6 5.1.2, by their id. */
export const TYPE_NAMES: readonly string[];

/** The base of all errors of this module. */
export class OpcwsError extends Error {}

/** opcws or the OPC UA server refused. */
export class StatusError extends OpcwsError {
  constructor(status: string, reason: string | undefined, operation: string,
              variable?: string | null);
  /** Name of an OPC UA status code, such as "BadTypeMismatch". */
  readonly status: string;
  /** A sentence that says what to change. */
  readonly reason: string;
  /** Such as "WRITE". */
  readonly operation: string;
  readonly variable: string | null;
}

/** The connection was lost, or closed, before there was an answer. */
export class ConnectionLostError extends OpcwsError {
  constructor(message: string, outcomeUnknown?: boolean);
  /** Whether it was a write, which may have been done. */
  readonly outcomeUnknown: boolean;
}

/** There was no answer in time. */
export class TimeoutError extends OpcwsError {
  constructor(message: string, outcomeUnknown?: boolean);
  readonly outcomeUnknown: boolean;
}

/** An AbortSignal ended it; its name is "AbortError". */
export class AbortedError extends OpcwsError {
  constructor(reason: unknown, outcomeUnknown?: boolean);
  readonly reason: unknown;
  readonly outcomeUnknown: boolean;
}

/** opcws refuses this client. */
export class RefusedError extends OpcwsError {
  constructor(httpStatus: number, message: string);
  /** 401 for a wrong credential or none, 403 for a role without rights. */
  readonly httpStatus: number;
  /** ms that the server asks to wait, if any. */
  retryAfter?: number;
}

/** A value as JavaScript has it: Int64 and UInt64 as bigint, DateTime as ISO 8601 text, ByteString
 * as base64, Variant and DataValue as DataValue, a structure as in PROTOCOL. */
export type Value =
  | null | boolean | number | bigint | string | DataValue | Value[] | { [member: string]: unknown };

/** What may be written: also a Date, bytes, typed arrays. */
export type Writable =
  | Value | Date | ArrayBuffer | ArrayBufferView | readonly Writable[]
  | { readonly [member: string]: unknown };

export type Severity = "good" | "uncertain" | "bad";

/** A value with its type, quality and times (OPC 10000-6 5.2.2.17). */
export class DataValue {
  constructor(body: { readonly [member: string]: unknown });
  readonly variable: string | null;
  readonly value: Value;
  /** Name of the built-in type; null without a value. */
  readonly type: string | null;
  /** Of a matrix, whose value is flat. */
  readonly dimensions: number[] | null;
  /** The status code as a number; null if nothing could be read at all. */
  readonly code: number | null;
  /** The name of the status code, "Good" for 0. */
  readonly symbol: string;
  readonly reason: string;
  /** ISO 8601 with up to seven digits of a second. */
  readonly sourceTimestamp: string | null;
  readonly serverTimestamp: string | null;
  /** Whether it is an update that was missed and comes late. */
  readonly historical: boolean;
  readonly severity: Severity;
  readonly good: boolean;
  /** Whether values before this one were left out, because this client was too slow. */
  readonly overflow: boolean;
  /** sourceTimestamp, or without one serverTimestamp, in milliseconds. */
  readonly time: Date | null;
}

/** The value as it is written in JSON. */
export function encoded(value: Writable): unknown;

/** The answer of /whoami: what opcws knows of this client. */
export interface Identity {
  /** The newest version of the contract that the server speaks, MAJOR.MINOR; older ones do not say
   * it.  A script in a browser cannot learn it from the WebSocket. */
  Contract?: string;
  Identity: string;
  Role: string;
  MayConnect: boolean;
  History: boolean;
  Endpoints: string[];
  /** The plant's, an IANA name, if its configuration has it. */
  TimeZone?: string;
  Login: ("token" | "password")[];
}

export interface HttpOptions {
  signal?: AbortSignal | null;
  fetch?: typeof fetch;
}

/** Rejects with RefusedError, ConnectionLostError or AbortedError. */
export function whoami(url?: string | null,
                       options?: HttpOptions & { token?: string | null }): Promise<Identity>;

/** A token for a user and a password, good for ExpiresIn seconds. */
export function login(url: string | null | undefined, user: string, password: string,
                      options?: HttpOptions,
): Promise<Identity & { AccessToken: string; ExpiresIn: number }>;

export interface ClientOptions {
  /** A function is called for every connection; its signal is aborted when that one is given up. */
  token?:
    | string | null
    | ((attempt: { readonly signal: AbortSignal }) => string | null | Promise<string | null>);
  /** ms for a request; 0 for no limit. */
  timeout?: number;
  /** ms for a connection, with its token. */
  connectTimeout?: number;
  /** ms of the first and of the longest pause between two tries; false for no second try. */
  reconnect?: false | { min?: number; max?: number };
  /** ms of silence after which the server is asked whether it is there; 0 for never. */
  heartbeat?: number;
  WebSocket?: unknown;
  fetch?: typeof fetch;
}

export interface RequestOptions {
  /** ms; 0 for no limit. */
  timeout?: number;
  signal?: AbortSignal | null;
}

export interface ReadOptions extends RequestOptions {
  /** ms: how old a monitored value may be to serve as the answer. */
  maxAge?: number;
}

export interface WriteOptions extends RequestOptions {
  /** Name of a built-in type; without it the variable's own. */
  type?: string;
  dimensions?: number[];
}

export interface HistoryOptions extends RequestOptions {
  start?: Date | string;
  end?: Date | string;
  /** Most values of one page. */
  maxValues?: number;
  bounds?: boolean;
  /** A name of OPC 10000-13, such as "Average". */
  aggregate?: string;
  /** ms that one aggregated value stands for. */
  interval?: number;
  continuationPoint?: string;
}

export interface HistoriesOptions extends RequestOptions {
  start: Date | string;
  /** Now, if left out. */
  end?: Date | string;
  /** Most values of each variable, from 2 to 10000; 1000 if left out. */
  maxPoints?: number;
}

/** The past of one of several variables. */
export interface VariableHistory {
  variable: string;
  values: DataValue[];
  /** Who keeps it: "plant", the OPC UA server; "own", opcws; "both". */
  source: string | null;
  /** "Good", or why the values may not be all. */
  symbol: string;
  reason: string;
  /** Why there is no history. */
  error: StatusError | null;
}

export interface HistoryPage {
  values: DataValue[];
  /** "Good", or why the values may not be all. */
  symbol: string;
  reason: string;
  next: ((options?: RequestOptions & { maxValues?: number }) => Promise<HistoryPage>) | null;
}

export interface MonitorOptions {
  /** ms: least time between two updates of a variable. */
  minInterval?: number;
  /** What changed after it comes first, if the server remembers it. */
  since?: Date | string | null;
  /** Whether what was missed comes when the connection to opcws is made again, if the server
   * remembers it; without it yes, but not where there is a minInterval. */
  resume?: boolean;
  /** Whether what was missed while the OPC UA server was not connected comes too. */
  backfill?: boolean;
  signal?: AbortSignal | null;
}

/** What VALUEINFO says of a variable; see schemas/VALUEINFO_RESPONSE.json. */
export interface Info {
  Variable: string;
  Type?: string;
  IsArray?: boolean;
  MetaData?: { [member: string]: unknown };
  NodeId?: string;
  Server?: string;
  Access?: "read" | "readwrite" | "write";
  Description?: string;
  EngineeringUnits?: { DisplayName?: string; Description?: string; UnitId?: number };
  EURange?: { Low: number; High: number };
  /** Alarm limits of the value, those that are set. */
  Limits?: { LowLow?: number; Low?: number; High?: number; HighHigh?: number };
  EnumStrings?: (string | null)[];
  EnumValues?: { Value: number; DisplayName: string; Description?: string }[];
  IndexRange?: string;
  Historizing?: boolean;
  /** Who keeps the history that can be read: "plant", the OPC UA server; "own", opcws; "both". */
  HistorySource?: string;
  MinimumSamplingInterval?: number;
  StatusCode?: string;
  Reason?: string;
}

/** How the connection to an OPC UA server is; see schemas/SERVERSTATUS_MESSAGE.json. */
export interface ServerStatus {
  Server: string;
  State: "connected" | "disconnected" | "connecting";
  Since: string;
  Reason?: string;
  Endpoint?: string;
  Configured?: number;
  Active?: number;
  Failed?: number;
}

export type State = "connecting" | "open" | "waiting" | "closed";

export interface StateEvent {
  state: State;
  /** Why it is not open. */
  error: Error | null;
  /** ms until the next try, while it is waiting. */
  retryIn: number | null;
}

/** A connection to opcws that is made again when it is lost. */
export class Client {
  constructor(url?: string | null, options?: ClientOptions);
  readonly url: string;
  readonly state: State;
  readonly error: Error | null;
  /** Name of an OPC UA server -> what was last said of it on this connection. */
  readonly servers: ReadonlyMap<string, ServerStatus>;
  /** When something was heard of the server last. */
  readonly heard: Date | null;
  on(event: "state", listener: (event: StateEvent) => void): () => void;
  on(event: "server", listener: (status: ServerStatus) => void): () => void;
  on(event: "error", listener: (error: OpcwsError) => void): () => void;
  opened(options?: RequestOptions): Promise<void>;
  close(): Promise<void>;
  reconnect(): void;
  list(options?: RequestOptions): Promise<string[]>;
  info(name: string, options?: RequestOptions): Promise<Info>;
  infoAll(names: readonly string[], options?: RequestOptions): Promise<Info[]>;
  read(name: string, options?: ReadOptions): Promise<DataValue>;
  readAll(names: readonly string[], options?: ReadOptions): Promise<DataValue[]>;
  write(name: string, value: Writable, options?: WriteOptions): Promise<string>;
  writeAll(
    writes: readonly {
      variable: string; value: Writable; type?: string; dimensions?: number[];
    }[],
    options?: RequestOptions,
  ): Promise<{ variable: string; symbol: string; error: StatusError | null }[]>;
  history(name: string, options?: HistoryOptions): Promise<HistoryPage>;
  historyOf(names: readonly string[], options: HistoriesOptions): Promise<VariableHistory[]>;
  historyAll(name: string, options?: HistoryOptions): AsyncGenerator<DataValue, void, undefined>;
  monitor(names: string | readonly string[], options?: MonitorOptions,
          callback?: (update: DataValue) => void): Monitor;
  monitor(names: string | readonly string[], callback: (update: DataValue) => void): Monitor;
  request(operation: string, body?: object,
          options?: RequestOptions & { handle?: string | number | null },
  ): Promise<any>;
}

/** Variables that are monitored; made by Client.monitor(). */
export class Monitor implements AsyncIterable<DataValue> {
  private constructor();
  readonly names: string[];
  /** Kept at the end; rejects if one variable was asked for and refused, or the client failed. */
  readonly done: Promise<void>;
  add(...names: string[]): void;
  remove(...names: string[]): void;
  /** Monitor exactly these from now on. */
  set(names: Iterable<string>): void;
  stop(): void;
  [Symbol.asyncIterator](): AsyncIterator<DataValue>;
}
