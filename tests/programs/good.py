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

    try:
        plant.Types.Any.read()
    except VariableError as error:
        say("changed", error.status, "Int32" in error.reason)
    types = plant.Types
    back = [
        types.Boolean.to(types.Boolean.read()),
        types.BooleanArray.to(types.BooleanArray.read()),
        types.SByte.to(types.SByte.read()),
        types.SByteArray.to(types.SByteArray.read()),
        types.Byte.to(types.Byte.read()),
        types.ByteArray.to(types.ByteArray.read()),
        types.Int16.to(types.Int16.read()),
        types.Int16Array.to(types.Int16Array.read()),
        types.UInt16.to(types.UInt16.read()),
        types.UInt16Array.to(types.UInt16Array.read()),
        types.Int32.to(types.Int32.read()),
        types.Int32Array.to(types.Int32Array.read()),
        types.UInt32.to(types.UInt32.read()),
        types.UInt32Array.to(types.UInt32Array.read()),
        types.Int64.to(types.Int64.read()),
        types.Int64Array.to(types.Int64Array.read()),
        types.UInt64.to(types.UInt64.read()),
        types.UInt64Array.to(types.UInt64Array.read()),
        types.Float.to(types.Float.read()),
        types.FloatArray.to(types.FloatArray.read()),
        types.Double.to(types.Double.read()),
        types.DoubleArray.to(types.DoubleArray.read()),
        types.String.to(types.String.read()),
        types.StringArray.to(types.StringArray.read()),
        types.DateTime.to(types.DateTime.read()),
        types.DateTimeArray.to(types.DateTimeArray.read()),
        types.Guid.to(types.Guid.read()),
        types.GuidArray.to(types.GuidArray.read()),
        types.ByteString.to(types.ByteString.read()),
        types.ByteStringArray.to(types.ByteStringArray.read()),
        types.XmlElement.to(types.XmlElement.read()),
        types.XmlElementArray.to(types.XmlElementArray.read()),
        types.NodeId.to(types.NodeId.read()),
        types.NodeIdArray.to(types.NodeIdArray.read()),
        types.ExpandedNodeId.to(types.ExpandedNodeId.read()),
        types.ExpandedNodeIdArray.to(types.ExpandedNodeIdArray.read()),
        types.StatusCode.to(types.StatusCode.read()),
        types.StatusCodeArray.to(types.StatusCodeArray.read()),
        types.QualifiedName.to(types.QualifiedName.read()),
        types.QualifiedNameArray.to(types.QualifiedNameArray.read()),
        types.LocalizedText.to(types.LocalizedText.read()),
        types.LocalizedTextArray.to(types.LocalizedTextArray.read()),
        types.ExtensionObject.to(types.ExtensionObject.read()),
        types.ExtensionObjectArray.to(types.ExtensionObjectArray.read()),
        types.NullString.to(types.NullString.read()),
        types.NullArray.to(types.NullArray.read()),
        types.EmptyArray.to(types.EmptyArray.read()),
        types.Infinities.to(types.Infinities.read()),
        types.EUInformation.to(types.EUInformation.read()),
        types.UnknownStructure.to(types.UnknownStructure.read()),
        types.VariantArray.to(types.VariantArray.read()),
        types.DataValue.to(types.DataValue.read()),
    ]
    say("back", [each for each in plant.write_many(back) if each is not None])

    plant.client.write("Types.Null", 2**63 - 1, "Int64")
    say("any", plant.Types.Null.read())

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
