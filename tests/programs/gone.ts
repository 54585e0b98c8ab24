// A program with mistakes, each of which the compiler tells.
import { Client } from "./opcws.js";
import { Motor_Mode, Plant } from "./plant.js";

export async function mistakes(plant: Plant): Promise<void> {
  await plant.read("Boiler.Gone"); // wrong
  await plant.write("Boiler.Temperature", 20); // wrong
  await plant.read("Test.WriteOnly"); // wrong
  await plant.write("Boiler.Setpoint", "hot"); // wrong
  await plant.writeAll([{ variable: "Boiler.Setpoint", value: "hot" }]); // wrong
  await plant.write("Motor.Mode", 7); // wrong
  await plant.write("Motor.Mode", Motor_Mode.Gone); // wrong
  const state: string = await plant.read("Motor.State"); // wrong
  const [temperature] = await plant.readAll(["Boiler.Temperature"]);
  const text: string | null = temperature.value; // wrong
  plant.monitor(["Boiler.Temperature", "Boiler.Gone"]); // wrong
  console.log(state, text, new Plant(new Client("ws://127.0.0.1/")));
}
