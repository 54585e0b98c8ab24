"""A plant's variables as a TypeScript file, based on ``opcws.js``."""

from typing import Dict, Iterator, List, Sequence

from .client_names import Tag, enumeration_members, literal, text_line, tree

#: Reserved words of ECMAScript and TypeScript, and names that the file has already.
_RESERVED = {
    *"arguments await break case catch class const continue debugger default delete do".split(),
    *"else enum eval export extends false finally for function if implements import in".split(),
    *"instanceof interface let new null package private protected public return".split(),
    *"static super switch this throw true try typeof undefined var void while with".split(),
    *"yield any as bigint boolean infer keyof never number object readonly string symbol".split(),
    *"unique unknown exports require".split(),
    *"Array AsyncGenerator Omit Promise Symbol KINDS Client DataValue HistoryOptions".split(),
    *"Monitor MonitorOptions ReadOptions RequestOptions StatusError Value Writable".split(),
    *"LocalizedText Name Plant PlantMonitor QualifiedName ReadOnly ReadWrite Readable".split(),
    *"ReadableName StatusCode Structure TypedDataValue WritableName Written WriteOnly".split(),
    *"isOf problem typed variant".split(),
}
#: The TypeScript type of each built-in type.
_TYPES = {
    "Boolean": "boolean",
    **dict.fromkeys("SByte Byte Int16 UInt16 Int32 UInt32 Float Double".split(), "number"),
    **dict.fromkeys(("Int64", "UInt64"), "bigint"),
    **dict.fromkeys(("DateTime", "Guid", "NodeId", "ExpandedNodeId"), "string"),
    **dict.fromkeys(("String", "XmlElement", "ByteString"), "string | null"),
    "StatusCode": "StatusCode",
    "QualifiedName": "QualifiedName",
    "LocalizedText": "LocalizedText",
    "ExtensionObject": "Structure",
}
#: Interface for each access.
_RIGHTS = {
    "ReadOnly": ("read", "What this user may read and not write."),
    "ReadWrite": ("readwrite", "What this user may read and write."),
    "WriteOnly": ("write", "What this user may write and not read."),
}

_IMPORTS = """\
import { DataValue, StatusError } from "./opcws.js";
import type {
  Client, HistoryOptions, Monitor, MonitorOptions, ReadOptions, RequestOptions, Value,
} from "./opcws.js";

/** OPC 10000-4 7.39: the number and its name. */
export type StatusCode = { Code: number; Symbol?: string };
/** OPC 10000-3 8.3; without Uri it is a name of OPC UA itself. */
export type QualifiedName = { Name?: string | null; Uri?: string };
/** OPC 10000-3 8.5. */
export type LocalizedText = { Locale?: string | null; Text?: string | null };
/** An ExtensionObject: Body has the fields of a decoded one; with Encoding it is base64. */
export type Structure = { TypeId: string; Encoding?: number; Body?: unknown };
"""

_CODE = """\
export interface Readable extends ReadOnly, ReadWrite {}
export interface Writable extends ReadWrite, WriteOnly {}
export type ReadableName = keyof Readable;
export type WritableName = keyof Writable;
export type Name = ReadableName | WritableName;

/** A value with its quality and times; one of another type than this file says is
 * BadTypeMismatch. */
export interface TypedDataValue<N extends ReadableName>
  extends Omit<DataValue, "variable" | "value"> {
  readonly variable: N;
  readonly value: Readable[N] | null;
}

/** Whether `found`, one of several, is of the variable `name`; then its value has that type. */
export function isOf<N extends ReadableName>(
  found: TypedDataValue<ReadableName>, name: N,
): found is TypedDataValue<N> {
  return found.variable === name;
}

function problem(kind: string, found: DataValue): string {
  if (!kind) return "";
  if (found.value === null) {
    return /\\[\\]$|^(String|XmlElement|ByteString)$/.test(kind) ? "" : "has no value";
  }
  const actual = found.type + (Array.isArray(found.value) ? "[]" : "");
  return actual === kind ? "" : "is " + actual;
}

function typed<N extends ReadableName>(name: N, found: DataValue): TypedDataValue<N> {
  const why = problem(KINDS[name], found);
  if (why) {
    const bad = found.severity === "bad";
    found = new DataValue({
      Variable: name,
      SourceTimestamp: found.sourceTimestamp,
      ServerTimestamp: found.serverTimestamp,
      Historical: found.historical,
      Status: bad && found.code !== null ? found.code : undefined,
      StatusCode: bad ? found.symbol : "BadTypeMismatch",
      Reason: bad ? found.reason : name + " " + why + ", but this program was made for " +
        KINDS[name] + "; make its file anew with 'opcws client'",
    });
  }
  return found as unknown as TypedDataValue<N>;
}

/** Only in this form an object is sure to be the value, and no form of a value. */
function variant(name: WritableName, value: unknown): Value {
  return (KINDS[name] ? { Body: value } : value) as Value;
}

/** Variables that are monitored; see Monitor of opcws.js, which is `monitor`. */
export class PlantMonitor<N extends ReadableName> {
  readonly monitor: Monitor;

  constructor(monitor: Monitor) {
    this.monitor = monitor;
  }

  /** Monitor exactly these from now on. */
  set(names: readonly N[]): void {
    this.monitor.set(names);
  }

  stop(): void {
    this.monitor.stop();
  }

  async* [Symbol.asyncIterator](): AsyncGenerator<TypedDataValue<N>, void, undefined> {
    for await (const update of this.monitor) yield typed(update.variable as N, update);
  }
}

/** All variables, through `client`: new Plant(new Client(url)). */
export class Plant {
  readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }

  /** The present value.  Rejects with StatusError if it is bad or of another type, and as
   * Client.read does. */
  async read<N extends ReadableName>(name: N, options?: ReadOptions): Promise<Readable[N]> {
    const found = typed(name, await this.client.read(name, options));
    if (found.severity === "bad") {
      throw new StatusError(found.symbol, found.reason, "READ", name);
    }
    return found.value as Readable[N];
  }

  /** The present value with its quality, which may be bad, and its times. */
  async readDataValue<N extends ReadableName>(
    name: N, options?: ReadOptions,
  ): Promise<TypedDataValue<N>> {
    return typed(name, await this.client.read(name, options));
  }

  /** Several values in the order of the names; look at `severity` of each. */
  async readAll<L extends ReadableName[]>(
    names: readonly [...L], options?: ReadOptions,
  ): Promise<{ [I in keyof L]: TypedDataValue<L[I]> }> {
    const found = await this.client.readAll(names, options);
    return found.map((value, i) => typed(names[i]!, value)) as
      { [I in keyof L]: TypedDataValue<L[I]> };
  }

  /** Write; resolves to "Good", or to how it was written otherwise than asked: "GoodClamped". */
  write<N extends WritableName>(
    name: N, value: Writable[N], options?: RequestOptions,
  ): Promise<string> {
    return this.client.write(name, variant(name, value), options);
  }

  /** Write several; says of each whether it was written. */
  writeAll<L extends WritableName[]>(
    writes: readonly [...{ [I in keyof L]: Written<L[I]> }], options?: RequestOptions,
  ): Promise<{ variable: string; symbol: string; error: StatusError | null }[]> {
    const each = writes as unknown as readonly Written<WritableName>[];
    return this.client.writeAll(each.map(({ variable, value }) => (
      { variable, value: variant(variable, value) })), options);
  }

  /** The raw values of the past, page by page. */
  async* history<N extends ReadableName>(
    name: N, options: Omit<HistoryOptions, "aggregate" | "interval">,
  ): AsyncGenerator<TypedDataValue<N>, void, undefined> {
    for await (const value of this.client.historyAll(name, options)) yield typed(name, value);
  }

  /** Monitor one variable or several, as Client.monitor does; the present values come first. */
  monitor<N extends ReadableName>(
    names: N | readonly N[], options: MonitorOptions = {},
    callback?: (update: TypedDataValue<N>) => void,
  ): PlantMonitor<N> {
    return new PlantMonitor<N>(this.client.monitor(
      names, options,
      callback && ((update) => { callback(typed(update.variable as N, update)); })));
  }
}

/** A value for a variable. */
export type Written<N extends WritableName> = {
  readonly variable: N;
  readonly value: Writable[N];
};
"""


def typescript(tags: Sequence[Tag], head: Sequence[str]) -> str:
    """The text of the file; *head* are the lines that say how it was made."""
    branches = [each for each in tree(tags, (), _RESERVED).below() if each.tag is not None]
    words = {each.name: each.type_word for each in branches}
    lines = ["/**", " * The variables of a plant, with their types, for opcws.js.", " *"]
    lines += [*(" * " + _comment(line) for line in head), " */", "", *_IMPORTS.splitlines()]
    for tag in tags:
        if tag.names:
            lines += ["", *_enumeration(words[tag.name], tag)]
    for interface, (access, what) in _RIGHTS.items():
        lines += ["", "/** %s */" % what, "export interface %s {" % interface]
        for tag in tags:
            if tag.access == access:
                lines += _member(words, tag)
        lines += ["}"]
    lines += ["", *_CODE.splitlines()]
    lines += ["", "/** The type of each variable; empty where it is not known or any. */"]
    lines += ["const KINDS: { readonly [N in Name]: string } = {"]
    # In brackets, because "__proto__" would not become a member.
    lines += ["  [%s]: %s," % (literal(tag.name), literal(_kind(tag))) for tag in tags]
    return "\n".join([*lines, "};"]) + "\n"


def _comment(text: str) -> str:
    return text_line(text).replace("*/", "*\\/")


def _enumeration(word: str, tag: Tag) -> Iterator[str]:
    suffix = "n" if _TYPES[tag.type] == "bigint" else ""
    yield "/** Values of %s. */" % _comment(tag.name)
    yield "export const %s = {" % word
    for name, value in enumeration_members(tag, ("__proto__",)):
        yield "  %s: %d%s," % (name, value, suffix)
    yield "} as const;"
    yield "export type %s = (typeof %s)[keyof typeof %s];" % (word, word, word)


def _member(words: Dict[str, str], tag: Tag) -> List[str]:
    description = _comment(tag.description)
    remark = _comment(tag.remark())
    comment = ["  /** %s */" % remark]
    if description:
        comment = ["  /**", "   * " + description, "   *", "   * " + remark, "   */"]
    return [*comment, "  %s: %s;" % (literal(tag.name), _type(words, tag))]


def _type(words: Dict[str, str], tag: Tag) -> str:
    if not tag.known:
        return "Value"
    one = words[tag.name] if tag.names else _TYPES.get(tag.type, "Value")
    if tag.is_array:
        return "%s[] | null" % ("(%s)" % one if " " in one else one)
    return one


def _kind(tag: Tag) -> str:
    if not tag.known or tag.type not in _TYPES:
        return ""
    return tag.type + ("[]" if tag.is_array else "")
