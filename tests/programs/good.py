"""A program on what ``opcws client --lang python`` has made of the simulated plant."""

import math
import sys
from typing import List, Optional

from plant import NAMES, Enumerations, Name, Plant

from opcws.client import Client, NoAnswer, VariableError

Mode = Enumerations.Motor_Mode
url = sys.argv[1]


def say(what: str, *values: object) -> None:
    print(what, *(str(v).lower() if isinstance(v, bool) else v for v in values), flush=True)


with Plant(Client(url, timeout_s=60)) as plant:
    temperature: float = plant.Boiler.Temperature.read()
    say("temperature", temperature > 0)
    plant.Boiler.Setpoint.write(75)
    say("setpoint", plant.Boiler.Setpoint.read() == 75)
    plant.Motor.Mode.write(Mode.Service)
    mode: Enumerations.Motor_Mode = plant.Motor.Mode.read()
    say("mode", mode.name)
    plant.Types.Int64.write(-9007199254740993)
    say("int64", plant.Types.Int64.read() + 1)
    plant.Types.Double.write(math.nan)
    say("nan", math.isnan(plant.Types.Double.read()))
    infinities: Optional[List[float]] = plant.Types.Infinities.read()
    say("infinities", infinities is not None and infinities[:2] == [math.inf, -math.inf])
    say("null", plant.Types.NullString.read() is None)
    setpoint, bad = plant.read_many([plant.Boiler.Setpoint, plant.Types.Bad])
    say("list", setpoint.good, setpoint.value == 75, bad.symbol)
    writes = [plant.Boiler.Setpoint.to(80.0), plant.Motor.Mode.to(Mode.Automatic)]
    say("written", [each is None for each in plant.write_many(writes)] == [True, True])
    try:
        plant.Types.Bad.read()
    except VariableError as error:
        say("refused", error.status, bool(error.reason))
    plant.Types.LocalizedText.write({"Locale": "de", "Text": "Kessel"})
    say("text", plant.Types.LocalizedText.read().get("Text"))
    past = list(plant.Test.Counter.history("2020-01-01T00:00:00Z", max_values=1))
    say("history", len(past) == 1 and past[0].value is not None)
    name: Name = "Boiler.Temperature"
    say("name", plant.client.read(name).good and name in NAMES)

    say("freeze")
    input()
    with Plant(Client(url, timeout_s=0.5)) as hasty:
        try:
            hasty.Boiler.Temperature.read()
        except NoAnswer as no_answer:
            say("deadline", no_answer.status)
    say("thaw")
    input()

    with plant.monitor([plant.Test.Counter]) as monitor:
        for update in monitor:
            say("counter", update.symbol, update.value)
            if update.value == 3:
                break
