// A program with mistakes, each of which the compiler tells.
using System;
using System.Threading.Tasks;
using Opcws;
using Opcws.Enumerations;

static class Program
{
    static async Task Mistakes(Plant plant)
    {
        await plant.Boiler.Gone.ReadAsync(); // wrong
        await plant.Boiler.Temperature.WriteAsync(20); // wrong
        await plant.Test.WriteOnly.ReadAsync(); // wrong
        await plant.Boiler.Setpoint.WriteAsync("hot"); // wrong
        plant.Boiler.Setpoint.To("hot"); // wrong
        await plant.Motor.Mode.WriteAsync(7); // wrong
        await plant.Motor.Mode.WriteAsync(Motor_Mode.Gone); // wrong
        string state = await plant.Motor.State.ReadAsync(); // wrong
        Console.WriteLine(state);
    }

    static void Main()
    {
        Mistakes(new Plant("ws://127.0.0.1/")).Wait();
    }
}
