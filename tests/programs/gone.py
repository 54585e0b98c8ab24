"""A program with mistakes, each of which the type checker tells."""

from plant import Enumerations, Name, Plant


def mistakes(plant: Plant) -> None:
    plant.Boiler.Gone.read()  # wrong
    plant.Boiler.Temperature.write(20.0)  # wrong
    plant.Test.WriteOnly.read()  # wrong
    plant.Boiler.Setpoint.write("hot")  # wrong
    plant.Boiler.Setpoint.to("hot")  # wrong
    plant.Motor.Mode.write(7)  # wrong
    plant.Motor.Mode.write(Enumerations.Motor_Mode.Gone)  # wrong
    state: str = plant.Motor.State.read()  # wrong
    name: Name = "Boiler.Gone"  # wrong
    print(state, name, plant.Boiler.Temperature.read() + 1)
