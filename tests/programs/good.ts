// A program on what "opcws client --lang ts" has made of the simulated plant.
import { Client, StatusError, TimeoutError } from "./opcws.js";
import { Motor_Mode, Plant, isOf } from "./plant.js";

declare const process: {
  argv: string[];
  stdin: { once(event: "data", listener: () => void): void; pause(): void };
};
const url = process.argv[2] as string;
const say = (...what: unknown[]): void => { console.log(what.join(" ")); };
const told = (): Promise<void> => new Promise((resolve) => { process.stdin.once("data", resolve); });

const client = new Client(url, { timeout: 60000, reconnect: { min: 50, max: 500 } });
const plant = new Plant(client);

async function main(): Promise<void> {
  const temperature: number = await plant.read("Boiler.Temperature");
  say("temperature", temperature > 0);
  await plant.write("Boiler.Setpoint", 75);
  say("setpoint", (await plant.read("Boiler.Setpoint")) === 75);
  await plant.write("Motor.Mode", Motor_Mode.Service);
  const mode: Motor_Mode = await plant.read("Motor.Mode");
  say("mode", mode === Motor_Mode.Service ? "Service" : mode);
  await plant.write("Types.Int64", BigInt("-9007199254740993"));
  say("int64", (await plant.read("Types.Int64")) + BigInt(1));
  await plant.write("Types.Double", NaN);
  say("nan", Number.isNaN(await plant.read("Types.Double")));
  const infinities: number[] | null = await plant.read("Types.Infinities");
  say("infinities", infinities !== null && infinities[0] === Infinity && infinities[1] === -Infinity);
  say("null", (await plant.read("Types.NullString")) === null);
  const [setpoint, bad] = await plant.readAll(["Boiler.Setpoint", "Types.Bad"]);
  const number: number | null = setpoint.value;
  say("list", setpoint.good, number === 75, bad.symbol);
  const written = await plant.writeAll([
    { variable: "Boiler.Setpoint", value: 80 },
    { variable: "Motor.Mode", value: Motor_Mode.Automatic },
  ]);
  say("written", written.every((each) => each.error === null));
  try {
    await plant.read("Types.Bad");
  } catch (error) {
    if (error instanceof StatusError) say("refused", error.status, error.reason !== "");
  }
  await plant.write("Types.LocalizedText", { Locale: "de", Text: "Kessel" });
  say("text", (await plant.read("Types.LocalizedText")).Text);
  let count = 0;
  for await (const past of plant.history("Test.Counter", { start: "2020-01-01", maxValues: 1 })) {
    if (typeof past.value === "number") count += 1;
    break;
  }
  say("history", count === 1);
  say("name", (await client.list()).includes("Boiler.Temperature"));

  try {
    await plant.read("Types.Any");
  } catch (error) {
    if (error instanceof StatusError) say("changed", error.status, error.reason.includes("Int32"));
  }
  const refused: string[] = [];
  const tried = async (write: Promise<string>): Promise<void> => {
    await write.catch((error) => { refused.push(error.message); });
  };
  await tried(plant.read("Types.Boolean").then((value) => plant.write("Types.Boolean", value)));
  await tried(plant.read("Types.BooleanArray").then((value) => plant.write("Types.BooleanArray", value)));
  await tried(plant.read("Types.SByte").then((value) => plant.write("Types.SByte", value)));
  await tried(plant.read("Types.SByteArray").then((value) => plant.write("Types.SByteArray", value)));
  await tried(plant.read("Types.Byte").then((value) => plant.write("Types.Byte", value)));
  await tried(plant.read("Types.ByteArray").then((value) => plant.write("Types.ByteArray", value)));
  await tried(plant.read("Types.Int16").then((value) => plant.write("Types.Int16", value)));
  await tried(plant.read("Types.Int16Array").then((value) => plant.write("Types.Int16Array", value)));
  await tried(plant.read("Types.UInt16").then((value) => plant.write("Types.UInt16", value)));
  await tried(plant.read("Types.UInt16Array").then((value) => plant.write("Types.UInt16Array", value)));
  await tried(plant.read("Types.Int32").then((value) => plant.write("Types.Int32", value)));
  await tried(plant.read("Types.Int32Array").then((value) => plant.write("Types.Int32Array", value)));
  await tried(plant.read("Types.UInt32").then((value) => plant.write("Types.UInt32", value)));
  await tried(plant.read("Types.UInt32Array").then((value) => plant.write("Types.UInt32Array", value)));
  await tried(plant.read("Types.Int64").then((value) => plant.write("Types.Int64", value)));
  await tried(plant.read("Types.Int64Array").then((value) => plant.write("Types.Int64Array", value)));
  await tried(plant.read("Types.UInt64").then((value) => plant.write("Types.UInt64", value)));
  await tried(plant.read("Types.UInt64Array").then((value) => plant.write("Types.UInt64Array", value)));
  await tried(plant.read("Types.Float").then((value) => plant.write("Types.Float", value)));
  await tried(plant.read("Types.FloatArray").then((value) => plant.write("Types.FloatArray", value)));
  await tried(plant.read("Types.Double").then((value) => plant.write("Types.Double", value)));
  await tried(plant.read("Types.DoubleArray").then((value) => plant.write("Types.DoubleArray", value)));
  await tried(plant.read("Types.String").then((value) => plant.write("Types.String", value)));
  await tried(plant.read("Types.StringArray").then((value) => plant.write("Types.StringArray", value)));
  await tried(plant.read("Types.DateTime").then((value) => plant.write("Types.DateTime", value)));
  await tried(plant.read("Types.DateTimeArray").then((value) => plant.write("Types.DateTimeArray", value)));
  await tried(plant.read("Types.Guid").then((value) => plant.write("Types.Guid", value)));
  await tried(plant.read("Types.GuidArray").then((value) => plant.write("Types.GuidArray", value)));
  await tried(plant.read("Types.ByteString").then((value) => plant.write("Types.ByteString", value)));
  await tried(plant.read("Types.ByteStringArray").then((value) => plant.write("Types.ByteStringArray", value)));
  await tried(plant.read("Types.XmlElement").then((value) => plant.write("Types.XmlElement", value)));
  await tried(plant.read("Types.XmlElementArray").then((value) => plant.write("Types.XmlElementArray", value)));
  await tried(plant.read("Types.NodeId").then((value) => plant.write("Types.NodeId", value)));
  await tried(plant.read("Types.NodeIdArray").then((value) => plant.write("Types.NodeIdArray", value)));
  await tried(plant.read("Types.ExpandedNodeId").then((value) => plant.write("Types.ExpandedNodeId", value)));
  await tried(plant.read("Types.ExpandedNodeIdArray").then((value) => plant.write("Types.ExpandedNodeIdArray", value)));
  await tried(plant.read("Types.StatusCode").then((value) => plant.write("Types.StatusCode", value)));
  await tried(plant.read("Types.StatusCodeArray").then((value) => plant.write("Types.StatusCodeArray", value)));
  await tried(plant.read("Types.QualifiedName").then((value) => plant.write("Types.QualifiedName", value)));
  await tried(plant.read("Types.QualifiedNameArray").then((value) => plant.write("Types.QualifiedNameArray", value)));
  await tried(plant.read("Types.LocalizedText").then((value) => plant.write("Types.LocalizedText", value)));
  await tried(plant.read("Types.LocalizedTextArray").then((value) => plant.write("Types.LocalizedTextArray", value)));
  await tried(plant.read("Types.ExtensionObject").then((value) => plant.write("Types.ExtensionObject", value)));
  await tried(plant.read("Types.ExtensionObjectArray").then((value) => plant.write("Types.ExtensionObjectArray", value)));
  await tried(plant.read("Types.NullString").then((value) => plant.write("Types.NullString", value)));
  await tried(plant.read("Types.NullArray").then((value) => plant.write("Types.NullArray", value)));
  await tried(plant.read("Types.EmptyArray").then((value) => plant.write("Types.EmptyArray", value)));
  await tried(plant.read("Types.Infinities").then((value) => plant.write("Types.Infinities", value)));
  await tried(plant.read("Types.EUInformation").then((value) => plant.write("Types.EUInformation", value)));
  await tried(plant.read("Types.UnknownStructure").then((value) => plant.write("Types.UnknownStructure", value)));
  say("back", "[" + refused.join() + "]");

  await client.write("Types.Null", BigInt("9223372036854775807"), { type: "Int64" });
  say("any", await plant.read("Types.Null"));

  say("freeze");
  await told();
  const hasty = new Client(url, { timeout: 500 });
  try {
    await new Plant(hasty).read("Boiler.Temperature");
  } catch (error) {
    if (error instanceof TimeoutError) say("deadline", "BadTimeout");
  }
  await hasty.close();
  say("thaw");
  await told();

  for await (const update of plant.monitor(["Test.Counter", "Boiler.Temperature"])) {
    if (isOf(update, "Test.Counter")) {
      const value: number | null = update.value;
      say("counter", update.symbol, value);
      if (value === 3) break;
    }
  }
  await client.close();
  process.stdin.pause();
}

main();
