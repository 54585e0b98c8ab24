// A program on what "opcws client --lang csharp" has made of the simulated plant.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Opcws;
using Opcws.Enumerations;

static class Program
{
    static void Say(params object[] what)
    {
        Console.WriteLine(string.Join(" ", what.Select(Text)));
        Console.Out.Flush();
    }

    static string Text(object what)
    {
        return what is bool ? ((bool)what ? "true" : "false") : Convert.ToString(what, CultureInfo.InvariantCulture);
    }

    static void Main(string[] arguments)
    {
        Refuse(new string('[', 1000000));
        Refuse(string.Concat(System.Linq.Enumerable.Repeat("{\"a\":", 1000000)));
        Run(arguments[0]).GetAwaiter().GetResult();
    }

    // A server may send this: a stack that overflows would end the program.
    static void Refuse(string deep)
    {
        try
        {
            Json.Parse(deep);
        }
        catch (FormatException problem)
        {
            if (problem.Message == "no JSON at character " + deep.Length) throw;
        }
    }

    static async Task Run(string url)
    {
        var options = new ClientOptions
        {
            Timeout = TimeSpan.FromSeconds(60),
            RetryMin = TimeSpan.FromSeconds(0.05),
            RetryMax = TimeSpan.FromSeconds(0.5),
        };
        using (var plant = new Plant(url, options))
        {
            double temperature = await plant.Boiler.Temperature.ReadAsync();
            Say("temperature", temperature > 0);
            await plant.Boiler.Setpoint.WriteAsync(75);
            Say("setpoint", plant.Boiler.Setpoint.Read() == 75);
            await plant.Motor.Mode.WriteAsync(Motor_Mode.Service);
            Motor_Mode mode = await plant.Motor.Mode.ReadAsync();
            Say("mode", mode);
            await plant.Types.Int64.WriteAsync(-9007199254740993L);
            Say("int64", await plant.Types.Int64.ReadAsync() + 1);
            await plant.Types.Double.WriteAsync(double.NaN);
            Say("nan", double.IsNaN(await plant.Types.Double.ReadAsync()));
            double[] infinities = await plant.Types.Infinities.ReadAsync();
            Say("infinities", double.IsPositiveInfinity(infinities[0]) && double.IsNegativeInfinity(infinities[1]));
            Say("null", await plant.Types.NullString.ReadAsync() == null);
            DataValues found = await plant.ReadAsync(plant.Boiler.Setpoint, plant.Types.Bad);
            DataValue<double> setpoint = found.Of(plant.Boiler.Setpoint);
            Say("list", setpoint.Good, setpoint.Value == 75, found[1].Symbol);
            List<VariableException> wrong = await plant.WriteAsync(
                plant.Boiler.Setpoint.To(80), plant.Motor.Mode.To(Motor_Mode.Automatic));
            Say("written", wrong.All(each => each == null));
            try
            {
                await plant.Types.Bad.ReadAsync();
            }
            catch (VariableException problem)
            {
                Say("refused", problem.Status, problem.Reason.Length > 0);
            }
            await plant.Types.LocalizedText.WriteAsync(new LocalizedText { Locale = "de", Text = "Kessel" });
            Say("text", (await plant.Types.LocalizedText.ReadAsync()).Text);
            var past = await plant.Test.Counter.HistoryAsync(new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc), null, 1);
            Say("history", past.Count == 1 && past[0].HasValue);
            Say("name", (await plant.Client.NamesAsync()).Contains(plant.Boiler.Temperature.Name));

            try
            {
                await plant.Types.Any.ReadAsync();
            }
            catch (VariableException problem)
            {
                Say("changed", problem.Status, problem.Reason.Contains("Int32"));
            }
            var types = plant.Types;
            List<VariableException> back = await plant.WriteAsync(
                types.Boolean.To(await types.Boolean.ReadAsync()),
                types.BooleanArray.To(await types.BooleanArray.ReadAsync()),
                types.SByte.To(await types.SByte.ReadAsync()),
                types.SByteArray.To(await types.SByteArray.ReadAsync()),
                types.Byte.To(await types.Byte.ReadAsync()),
                types.ByteArray.To(await types.ByteArray.ReadAsync()),
                types.Int16.To(await types.Int16.ReadAsync()),
                types.Int16Array.To(await types.Int16Array.ReadAsync()),
                types.UInt16.To(await types.UInt16.ReadAsync()),
                types.UInt16Array.To(await types.UInt16Array.ReadAsync()),
                types.Int32.To(await types.Int32.ReadAsync()),
                types.Int32Array.To(await types.Int32Array.ReadAsync()),
                types.UInt32.To(await types.UInt32.ReadAsync()),
                types.UInt32Array.To(await types.UInt32Array.ReadAsync()),
                types.Int64.To(await types.Int64.ReadAsync()),
                types.Int64Array.To(await types.Int64Array.ReadAsync()),
                types.UInt64.To(await types.UInt64.ReadAsync()),
                types.UInt64Array.To(await types.UInt64Array.ReadAsync()),
                types.Float.To(await types.Float.ReadAsync()),
                types.FloatArray.To(await types.FloatArray.ReadAsync()),
                types.Double.To(await types.Double.ReadAsync()),
                types.DoubleArray.To(await types.DoubleArray.ReadAsync()),
                types.String.To(await types.String.ReadAsync()),
                types.StringArray.To(await types.StringArray.ReadAsync()),
                types.DateTime.To(await types.DateTime.ReadAsync()),
                types.DateTimeArray.To(await types.DateTimeArray.ReadAsync()),
                types.Guid.To(await types.Guid.ReadAsync()),
                types.GuidArray.To(await types.GuidArray.ReadAsync()),
                types.ByteString.To(await types.ByteString.ReadAsync()),
                types.ByteStringArray.To(await types.ByteStringArray.ReadAsync()),
                types.XmlElement.To(await types.XmlElement.ReadAsync()),
                types.XmlElementArray.To(await types.XmlElementArray.ReadAsync()),
                types.NodeId.To(await types.NodeId.ReadAsync()),
                types.NodeIdArray.To(await types.NodeIdArray.ReadAsync()),
                types.ExpandedNodeId.To(await types.ExpandedNodeId.ReadAsync()),
                types.ExpandedNodeIdArray.To(await types.ExpandedNodeIdArray.ReadAsync()),
                types.StatusCode.To(await types.StatusCode.ReadAsync()),
                types.StatusCodeArray.To(await types.StatusCodeArray.ReadAsync()),
                types.QualifiedName.To(await types.QualifiedName.ReadAsync()),
                types.QualifiedNameArray.To(await types.QualifiedNameArray.ReadAsync()),
                types.LocalizedText.To(await types.LocalizedText.ReadAsync()),
                types.LocalizedTextArray.To(await types.LocalizedTextArray.ReadAsync()),
                types.ExtensionObject.To(await types.ExtensionObject.ReadAsync()),
                types.ExtensionObjectArray.To(await types.ExtensionObjectArray.ReadAsync()),
                types.NullString.To(await types.NullString.ReadAsync()),
                types.NullArray.To(await types.NullArray.ReadAsync()),
                types.EmptyArray.To(await types.EmptyArray.ReadAsync()),
                types.Infinities.To(await types.Infinities.ReadAsync()),
                types.EUInformation.To(await types.EUInformation.ReadAsync()),
                types.UnknownStructure.To(await types.UnknownStructure.ReadAsync()),
                types.VariantArray.To(await types.VariantArray.ReadAsync()),
                types.DataValue.To(await types.DataValue.ReadAsync()));
            Say("back", "[" + string.Join("; ", back.Where(each => each != null)) + "]");

            await plant.Types.Null.WriteAsync(new Variant("Int64", long.MaxValue));
            Say("any", await plant.Types.Null.ReadAsync());

            Say("freeze");
            Console.ReadLine();
            options.Timeout = TimeSpan.FromSeconds(0.5);
            using (var hasty = new Plant(url, options))
            {
                try
                {
                    await hasty.Boiler.Temperature.ReadAsync();
                }
                catch (NoAnswerException problem)
                {
                    Say("deadline", problem.Status);
                }
            }
            options.Timeout = TimeSpan.FromSeconds(60);
            Say("thaw");
            Console.ReadLine();

            var three = new ManualResetEvent(false);
            using (plant.Test.Counter.Monitor(update =>
            {
                Say("counter", update.Symbol, update.HasValue ? update.Value.ToString() : "");
                if (update.HasValue && update.Value == 3) three.Set();
            }))
            {
                three.WaitOne();
            }
        }
    }
}
