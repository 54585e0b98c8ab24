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
