    // --- errors ---------------------------------------------------------------------------------

    /// <summary>What every error here is.  Status is a name of OPC 10000-4 7.39, Reason a
    /// sentence.</summary>
    public class OpcwsException : Exception
    {
        public OpcwsException(string status, string reason) : base(status + ": " + reason)
        {
            Status = status;
            Reason = reason;
        }

        protected OpcwsException(string variable, string status, string reason)
            : base(variable + ": " + status + ": " + reason)
        {
            Status = status;
            Reason = reason;
        }

        public string Status { get; private set; }
        public string Reason { get; private set; }
    }

    /// <summary>A variable cannot be read or written, or its value is Bad.</summary>
    public class VariableException : OpcwsException
    {
        public VariableException(string variable, string status, string reason)
            : base(variable, status, reason)
        {
            Variable = variable;
        }

        public string Variable { get; private set; }
    }

    /// <summary>The connection was lost, or closed, before there was an answer.</summary>
    public class ConnectionLostException : OpcwsException
    {
        public ConnectionLostException(string reason, bool outcomeUnknown = false)
            : base("BadConnectionClosed", reason)
        {
            OutcomeUnknown = outcomeUnknown;
        }

        /// <summary>Whether it was a write, which may have been done.</summary>
        public bool OutcomeUnknown { get; private set; }
    }

    /// <summary>There was no answer in time.</summary>
    public class NoAnswerException : OpcwsException
    {
        public NoAnswerException(string reason, bool outcomeUnknown = false)
            : base("BadTimeout", reason)
        {
            OutcomeUnknown = outcomeUnknown;
        }

        /// <summary>Whether it was a write, which may have been done.</summary>
        public bool OutcomeUnknown { get; private set; }
    }

    /// <summary>opcws does not let this client in; it is not tried again.</summary>
    public class NotAllowedException : OpcwsException
    {
        public NotAllowedException(string reason) : base("BadUserAccessDenied", reason)
        {
        }
    }

    // --- values ---------------------------------------------------------------------------------

    /// <summary>OPC 10000-4 7.39: the number and its name.</summary>
    public sealed class StatusCode
    {
        public uint Code { get; set; }
        public string Symbol { get; set; }
    }

    /// <summary>OPC 10000-3 8.3; without Uri it is a name of OPC UA itself.</summary>
    public sealed class QualifiedName
    {
        public string Name { get; set; }
        public string Uri { get; set; }
    }

    /// <summary>OPC 10000-3 8.5.</summary>
    public sealed class LocalizedText
    {
        public string Locale { get; set; }
        public string Text { get; set; }
    }

    /// <summary>An ExtensionObject: Body has the fields of a decoded one (a dictionary); with
    /// Encoding it is base64 of what could not be decoded.</summary>
    public sealed class Structure
    {
        public string TypeId { get; set; }
        public int? Encoding { get; set; }
        public object Body { get; set; }
    }

    /// <summary>A value for a variable of any type, with the name of a built-in type, such as
    /// "Double".</summary>
    public sealed class Variant
    {
        public Variant(string type, object value)
        {
            Type = type;
            Value = value;
        }

        public string Type { get; private set; }
        public object Value { get; private set; }
    }

    /// <summary>A value with its quality and times (OPC 10000-4 7.11).</summary>
    public abstract class DataValue
    {
        /// <summary>The variable's.</summary>
        public string Name { get; internal set; }

        /// <summary>OPC 10000-4 7.39.</summary>
        public uint Status { get; internal set; }

        /// <summary>The name of the status, "Good" for 0.</summary>
        public string Symbol { get; internal set; }

        /// <summary>A sentence where the value is Bad.</summary>
        public string Reason { get; internal set; }

        /// <summary>In UTC, to 100 ns.</summary>
        public DateTime? SourceTimestamp { get; internal set; }

        /// <summary>In UTC, to 100 ns.</summary>
        public DateTime? ServerTimestamp { get; internal set; }

        public bool Good { get { return Status >> 30 == 0; } }
        public bool Uncertain { get { return Status >> 30 == 1; } }
        public bool Bad { get { return Status >> 30 > 1; } }

        /// <summary>Values before this one were missed.</summary>
        public bool Overflow
        {
            get { return (Status & 0x480) == 0x480; }
            internal set { if (value) Status |= 0x480; }
        }

        /// <summary>The value, or null.</summary>
        public abstract object Object { get; }
    }

    /// <summary>A value of a type.</summary>
    public sealed class DataValue<T> : DataValue
    {
        /// <summary>Whether there is a Value; a null String is one.</summary>
        public bool HasValue { get; internal set; }

        public T Value { get; internal set; }

        public override object Object { get { return HasValue ? (object)Value : null; } }
    }

    /// <summary>Values of several variables, in their order.</summary>
    public sealed class DataValues : List<DataValue>
    {
        /// <summary>That of a variable, with its type.</summary>
        public DataValue<T> Of<T>(Readable<T> variable)
        {
            foreach (DataValue each in this)
                if (each.Name == variable.Name) return (DataValue<T>)each;
            throw new ArgumentException(variable.Name + " was not asked for");
        }
    }

    /// <summary>A value for a variable: To() of the variable makes it.</summary>
    public sealed class Write
    {
        internal Write(string name, object body)
        {
            Name = name;
            Body = body;
        }

        public string Name { get; private set; }
        internal object Body { get; private set; }
    }

    // --- types ----------------------------------------------------------------------------------

    /// <summary>The type of a variable; Type is the name of the built-in type, empty for any.
    /// </summary>
    public sealed class Kind<T>
    {
        internal Kind(string type, bool isArray, bool nullable, Func<object, T> decode,
                      Func<T, object> encode)
        {
            Type = type;
            IsArray = isArray;
            Nullable = nullable;
            Decode = decode;
            Encode = encode;
        }

        public string Type { get; private set; }
        public bool IsArray { get; private set; }
        internal bool Nullable { get; private set; }
        internal Func<object, T> Decode { get; private set; }
        internal Func<T, object> Encode { get; private set; }

        public override string ToString()
        {
            return IsArray ? Type + "[]" : Type;
        }

        /// <summary>Why a value is not of this type, or null.</summary>
        string Problem(Dictionary<string, object> variant, object body)
        {
            if (Type.Length == 0 || (body == null && Nullable)) return null;
            if (body == null) return "has no value";
            int id = (int)Json.Number(variant, "Type");
            string name = id < Kinds.Names.Length ? Kinds.Names[id] : "of type " + id;
            bool isArray = body is List<object>;
            if (name == Type && isArray == IsArray) return null;
            return "is " + name + (isArray ? "[]" : "");
        }

        internal DataValue<T> Of(string name, Dictionary<string, object> body)
        {
            var made = new DataValue<T> { Name = name, Status = (uint)Json.Number(body, "Status") };
            made.Symbol = Json.Text(body, "StatusCode") ?? Json.Text(body, "Symbol") ?? "Good";
            made.Reason = Json.Text(body, "Reason") ?? "";
            made.SourceTimestamp = Kinds.Moment(Json.Text(body, "SourceTimestamp"));
            made.ServerTimestamp = Kinds.Moment(Json.Text(body, "ServerTimestamp"));
            // What could not be read at all has a name and no number.
            if (body.ContainsKey("StatusCode") && !made.Bad) made.Status |= 0x80000000;
            object variant, value = null;
            body.TryGetValue("Value", out variant);
            var inside = variant as Dictionary<string, object>;
            if (inside != null) inside.TryGetValue("Body", out value);
            string problem = Problem(inside, value);
            if (problem == null)
            {
                made.Value = Decode(value);
                made.HasValue = !made.Bad || value != null;
            }
            else if (!made.Bad)
            {
                made.Status = 0x80740000;
                made.Symbol = "BadTypeMismatch";
                made.Reason = name + " " + problem + ", but this program was made for " + this +
                    "; make its file anew with 'opcws client'";
            }
            return made;
        }
    }

    /// <summary>The built-in types (OPC 10000-6 5.1.2).</summary>
    public static class Kinds
    {
        internal static readonly string[] Names = (
            "Null Boolean SByte Byte Int16 UInt16 Int32 UInt32 Int64 UInt64 Float Double String " +
            "DateTime Guid ByteString XmlElement NodeId ExpandedNodeId StatusCode QualifiedName " +
            "LocalizedText ExtensionObject DataValue Variant DiagnosticInfo").Split(' ');

        static readonly CultureInfo Plain = CultureInfo.InvariantCulture;

        public static readonly Kind<bool> Boolean = One("Boolean", b => (bool)b, v => v);
        public static readonly Kind<sbyte> SByte = One("SByte", b => sbyte.Parse(Digits(b), Plain), v => Literal(v));
        public static readonly Kind<byte> Byte = One("Byte", b => byte.Parse(Digits(b), Plain), v => Literal(v));
        public static readonly Kind<short> Int16 = One("Int16", b => short.Parse(Digits(b), Plain), v => Literal(v));
        public static readonly Kind<ushort> UInt16 = One("UInt16", b => ushort.Parse(Digits(b), Plain), v => Literal(v));
        public static readonly Kind<int> Int32 = One("Int32", b => int.Parse(Digits(b), Plain), v => Literal(v));
        public static readonly Kind<uint> UInt32 = One("UInt32", b => uint.Parse(Digits(b), Plain), v => Literal(v));
        // Text on the wire: JSON numbers of most languages have fewer digits.
        public static readonly Kind<long> Int64 = One("Int64", b => long.Parse(Digits(b), Plain), v => v.ToString(Plain));
        public static readonly Kind<ulong> UInt64 = One("UInt64", b => ulong.Parse(Digits(b), Plain), v => v.ToString(Plain));
        public static readonly Kind<float> Float = One(
            "Float", b => (float)Real(b, true), v => Real(v, v.ToString("G9", Plain)));
        public static readonly Kind<double> Double = One(
            "Double", b => Real(b, false), v => Real(v, v.ToString("G17", Plain)));
        public static readonly Kind<string> String = Null("String", b => (string)b, v => v);
        public static readonly Kind<DateTime> DateTime = One("DateTime", b => Moment((string)b).Value, v => Moment(v));
        public static readonly Kind<Guid> Guid = One("Guid", b => System.Guid.Parse((string)b), v => v.ToString());
        public static readonly Kind<byte[]> ByteString = Null(
            "ByteString", b => Convert.FromBase64String((string)b), v => Convert.ToBase64String(v));
        public static readonly Kind<string> XmlElement = Null("XmlElement", b => (string)b, v => v);
        public static readonly Kind<string> NodeId = One("NodeId", b => (string)b, v => v);
        public static readonly Kind<string> ExpandedNodeId = One("ExpandedNodeId", b => (string)b, v => v);

        public static readonly Kind<StatusCode> StatusCode = One(
            "StatusCode",
            b => new StatusCode
            {
                Code = (uint)Json.Number(Members(b), "Code"),
                Symbol = Json.Text(Members(b), "Symbol"),
            },
            v => Json.Object("Code", Literal(v.Code)));

        public static readonly Kind<QualifiedName> QualifiedName = One(
            "QualifiedName",
            b => new QualifiedName { Name = Json.Text(Members(b), "Name"), Uri = Json.Text(Members(b), "Uri") },
            v => Json.Object("Name", v.Name, "Uri", v.Uri));

        public static readonly Kind<LocalizedText> LocalizedText = One(
            "LocalizedText",
            b => new LocalizedText
            {
                Locale = Json.Text(Members(b), "Locale"),
                Text = Json.Text(Members(b), "Text"),
            },
            v => Json.Object("Locale", v.Locale, "Text", v.Text));

        public static readonly Kind<Structure> Structure = One("ExtensionObject", ReadStructure, WriteStructure);

        /// <summary>Not known, or of any type: bool, long, double, string, a list, a dictionary;
        /// a Variant, if the type is to be told when it is written.</summary>
        public static readonly Kind<object> Any = new Kind<object>("", false, true, Plainly, v => v);

        /// <summary>Many; a matrix is the flat array.</summary>
        public static Kind<T[]> Array<T>(Kind<T> one)
        {
            return new Kind<T[]>(
                one.Type, true, true,
                body => body == null
                    ? null : ((List<object>)body).ConvertAll(b => b == null ? default(T) : one.Decode(b)).ToArray(),
                values => values == null
                    ? null : new List<object>(System.Array.ConvertAll(values, v => v == null ? null : one.Encode(v))));
        }

        /// <summary>Names of numbers.</summary>
        public static Kind<E> Enumeration<E, T>(Kind<T> one)
        {
            return new Kind<E>(
                one.Type, false, false,
                body => (E)Enum.ToObject(typeof(E), one.Decode(body)),
                value => one.Encode((T)Convert.ChangeType(value, typeof(T), Plain)));
        }

        static Kind<T> One<T>(string type, Func<object, T> decode, Func<T, object> encode)
        {
            return new Kind<T>(type, false, false, decode, encode);
        }

        static Kind<T> Null<T>(string type, Func<object, T> decode, Func<T, object> encode) where T : class
        {
            return new Kind<T>(
                type, false, true, b => b == null ? null : decode(b), v => v == null ? null : encode(v));
        }

        static string Digits(object body)
        {
            var number = body as JsonNumber;
            return number == null ? (string)body : number.Text;
        }

        static object Literal(IFormattable value)
        {
            return new JsonNumber(value.ToString(null, Plain));
        }

        static double Real(object body, bool isFloat)
        {
            string text = Digits(body);
            if (text == "NaN") return double.NaN;
            if (text == "Infinity") return double.PositiveInfinity;
            if (text == "-Infinity") return double.NegativeInfinity;
            return isFloat
                ? float.Parse(text, NumberStyles.Float, Plain) : double.Parse(text, NumberStyles.Float, Plain);
        }

        static object Real(double value, string text)
        {
            if (double.IsNaN(value)) return "NaN";
            if (double.IsInfinity(value)) return value > 0 ? "Infinity" : "-Infinity";
            return new JsonNumber(text);
        }

        internal static DateTime? Moment(string text)
        {
            if (string.IsNullOrEmpty(text)) return null;
            return System.DateTime.Parse(
                text, Plain, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal);
        }

        internal static string Moment(DateTime value)
        {
            return value.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", Plain);
        }

        static Dictionary<string, object> Members(object body)
        {
            return (Dictionary<string, object>)body;
        }

        static Structure ReadStructure(object body)
        {
            Dictionary<string, object> members = Members(body);
            object inside;
            members.TryGetValue("Body", out inside);
            var made = new Structure { TypeId = Json.Text(members, "TypeId"), Body = Plainly(inside) };
            if (members.ContainsKey("Encoding")) made.Encoding = (int)Json.Number(members, "Encoding");
            return made;
        }

        static object WriteStructure(Structure value)
        {
            var made = Json.Object("TypeId", value.TypeId, "Body", value.Body);
            if (value.Encoding != null) made["Encoding"] = Literal(value.Encoding.Value);
            return made;
        }

        /// <summary>JSON as C# has it.</summary>
        static object Plainly(object body)
        {
            var number = body as JsonNumber;
            var list = body as List<object>;
            var members = body as Dictionary<string, object>;
            if (number != null)
            {
                long whole;
                if (long.TryParse(number.Text, NumberStyles.AllowLeadingSign, Plain, out whole)) return whole;
                return double.Parse(number.Text, NumberStyles.Float, Plain);
            }
            if (list != null) return list.ConvertAll(Plainly);
            if (members == null) return body;
            var made = new Dictionary<string, object>();
            foreach (KeyValuePair<string, object> each in members) made[each.Key] = Plainly(each.Value);
            return made;
        }
    }

    // --- JSON (RFC 8259) ------------------------------------------------------------------------

    /// <summary>A number with all its digits.</summary>
    sealed class JsonNumber
    {
        internal readonly string Text;

        internal JsonNumber(string text)
        {
            Text = text;
        }
    }

    /// <summary>Reads and writes null, bool, JsonNumber, string, List and Dictionary.</summary>
    sealed class Json
    {
        /// <summary>How deep lists and objects may lie in one another.  opcws sends less, and a stack
        /// that overflows would end the program.</summary>
        const int Deepest = 500;

        readonly string text;
        int at;
        int depth;

        Json(string text)
        {
            this.text = text;
        }

        internal static Dictionary<string, object> Object(params object[] pairs)
        {
            var made = new Dictionary<string, object>();
            for (int i = 0; i < pairs.Length; i += 2)
                if (pairs[i + 1] != null) made[(string)pairs[i]] = pairs[i + 1];
            return made;
        }

        internal static string Text(Dictionary<string, object> members, string name)
        {
            object value;
            return members.TryGetValue(name, out value) ? value as string : null;
        }

        internal static double Number(Dictionary<string, object> members, string name)
        {
            object value;
            members.TryGetValue(name, out value);
            var number = value as JsonNumber;
            return number == null ? 0 : double.Parse(number.Text, NumberStyles.Float, CultureInfo.InvariantCulture);
        }

        internal static List<object> Items(Dictionary<string, object> members, string name)
        {
            object value;
            members.TryGetValue(name, out value);
            return value as List<object> ?? new List<object>();
        }

        /// <summary>Throws FormatException.</summary>
        internal static object Parse(string text)
        {
            var json = new Json(text);
            object value = json.Value();
            if (json.Next() != '\0' || json.at < text.Length) throw json.Wrong();
            return value;
        }

        FormatException Wrong()
        {
            return new FormatException("no JSON at character " + at);
        }

        /// <summary>The next character that is no blank, or 0 at the end.</summary>
        char Next()
        {
            while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0) at += 1;
            return at < text.Length ? text[at] : '\0';
        }

        void Deeper()
        {
            depth += 1;
            if (depth > Deepest) throw Wrong();
        }

        void Take(char expected)
        {
            if (Next() != expected) throw Wrong();
            at += 1;
        }

        object Value()
        {
            switch (Next())
            {
                case '{': return Members();
                case '[': return Elements();
                case '"': return Quoted();
                case 't': return Word("true", true);
                case 'f': return Word("false", false);
                case 'n': return Word("null", null);
            }
            int from = at;
            while (at < text.Length && "+-.0123456789eE".IndexOf(text[at]) >= 0) at += 1;
            if (at == from) throw Wrong();
            return new JsonNumber(text.Substring(from, at - from));
        }

        object Word(string word, object value)
        {
            if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0) throw Wrong();
            at += word.Length;
            return value;
        }

        Dictionary<string, object> Members()
        {
            var made = new Dictionary<string, object>();
            Take('{');
            Deeper();
            while (Next() != '}')
            {
                if (made.Count > 0) Take(',');
                Next();
                string name = Quoted();
                Take(':');
                made[name] = Value();
            }
            at += 1;
            depth -= 1;
            return made;
        }

        List<object> Elements()
        {
            var made = new List<object>();
            Take('[');
            Deeper();
            while (Next() != ']')
            {
                if (made.Count > 0) Take(',');
                made.Add(Value());
            }
            at += 1;
            depth -= 1;
            return made;
        }

        string Quoted()
        {
            var made = new StringBuilder();
            Take('"');
            while (true)
            {
                if (at >= text.Length) throw Wrong();
                char c = text[at++];
                if (c == '"') return made.ToString();
                if (c == '\\')
                {
                    if (at >= text.Length) throw Wrong();
                    c = text[at++];
                    if (c == 'u')
                    {
                        if (at + 4 > text.Length) throw Wrong();
                        c = (char)int.Parse(text.Substring(at, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                        at += 4;
                    }
                    else
                    {
                        int which = "bfnrt\"\\/".IndexOf(c);
                        if (which < 0) throw Wrong();
                        c = "\b\f\n\r\t\"\\/"[which];
                    }
                }
                made.Append(c);
            }
        }

        internal static void Append(StringBuilder to, object value)
        {
            var number = value as JsonNumber;
            var list = value as IList;
            var members = value as IDictionary;
            var string_ = value as string;
            if (value == null) to.Append("null");
            else if (value is bool) to.Append((bool)value ? "true" : "false");
            else if (number != null) to.Append(number.Text);
            else if (string_ != null) AppendText(to, string_);
            else if (members != null)
            {
                char before = '{';
                foreach (DictionaryEntry each in members)
                {
                    AppendText(to.Append(before), Convert.ToString(each.Key, CultureInfo.InvariantCulture));
                    Append(to.Append(':'), each.Value);
                    before = ',';
                }
                to.Append(before == '{' ? "{}" : "}");
            }
            else if (list != null)
            {
                char before = '[';
                foreach (object each in list)
                {
                    Append(to.Append(before), each);
                    before = ',';
                }
                to.Append(before == '[' ? "[]" : "]");
            }
            else if (value is double) Append(to, Kinds.Double.Encode((double)value));
            else if (value is float) Append(to, Kinds.Float.Encode((float)value));
            else if (value is long) AppendText(to, Convert.ToString(value, CultureInfo.InvariantCulture));
            else if (value is ulong) AppendText(to, Convert.ToString(value, CultureInfo.InvariantCulture));
            else if (value is DateTime) AppendText(to, Kinds.Moment((DateTime)value));
            else if (value is IConvertible) to.Append(Convert.ToString(value, CultureInfo.InvariantCulture));
            else AppendText(to, value.ToString());
        }

        static void AppendText(StringBuilder to, string value)
        {
            to.Append('"');
            foreach (char c in value)
            {
                // One half of a character is no text by itself; opcws is told that there is one.
                if (c < ' ' || c == '"' || c == '\\' || char.IsSurrogate(c))
                    to.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
                else to.Append(c);
            }
            to.Append('"');
        }
    }

    // --- variables ------------------------------------------------------------------------------

    /// <summary>Variables whose names begin alike.</summary>
    public class Group
    {
        internal readonly Client client;

        internal Group(Client client)
        {
            this.client = client;
        }
    }

    /// <summary>One variable; Name is what opcws calls it.</summary>
    public abstract class Variable : Group
    {
        internal Variable(Client client, string name) : base(client)
        {
            Name = name;
        }

        public string Name { get; private set; }
    }

    /// <summary>A variable that this user may read, of some type.</summary>
    public abstract class Readable : Variable
    {
        internal Readable(Client client, string name) : base(client, name)
        {
        }

        internal abstract DataValue Of(Dictionary<string, object> body);
    }

    /// <summary>A variable that this user may read.</summary>
    public class Readable<T> : Readable
    {
        internal readonly Kind<T> kind;

        internal Readable(Client client, string name, Kind<T> kind) : base(client, name)
        {
            this.kind = kind;
        }

        internal override DataValue Of(Dictionary<string, object> body)
        {
            return kind.Of(Name, body);
        }

        /// <summary>The present value.  Throws VariableException if it is Bad or of another type.
        /// </summary>
        public async Task<T> ReadAsync(CancellationToken cancel = default(CancellationToken))
        {
            DataValue<T> found = await ReadDataValueAsync(cancel).ConfigureAwait(false);
            if (found.Bad) throw new VariableException(Name, found.Symbol, found.Reason);
            return found.Value;
        }

        /// <summary>As ReadAsync, and waits for it.</summary>
        public T Read()
        {
            return ReadAsync().GetAwaiter().GetResult();
        }

        /// <summary>The present value with its quality, which may be Bad, and its times.</summary>
        public async Task<DataValue<T>> ReadDataValueAsync(CancellationToken cancel = default(CancellationToken))
        {
            DataValues found = await client.ReadAsync(new Readable[] { this }, cancel).ConfigureAwait(false);
            return (DataValue<T>)found[0];
        }

        /// <summary>The raw values of the past, at most maxValues if that is not 0; newest first
        /// if start is later than end.</summary>
        public async Task<List<DataValue<T>>> HistoryAsync(
            DateTime? start = null, DateTime? end = null, int maxValues = 0,
            CancellationToken cancel = default(CancellationToken))
        {
            var found = new List<DataValue<T>>();
            foreach (var each in await client.HistoryAsync(Name, start, end, maxValues, cancel).ConfigureAwait(false))
                found.Add(kind.Of(Name, each));
            return found;
        }

        /// <summary>Has the present value told, then each change, until what is returned is
        /// disposed of; one after the other, on a thread of the pool.</summary>
        public PlantMonitor Monitor(Action<DataValue<T>> updated, TimeSpan? minInterval = null)
        {
            return client.Monitor(value => updated((DataValue<T>)value), minInterval, new Readable[] { this });
        }
    }

    /// <summary>A variable that this user may write.</summary>
    public class Writable<T> : Variable
    {
        readonly Kind<T> kind;

        internal Writable(Client client, string name, Kind<T> kind) : base(client, name)
        {
            this.kind = kind;
        }

        /// <summary>Writes; gives "Good", or how it was written otherwise than asked:
        /// "GoodClamped".  Throws VariableException if it was not written.</summary>
        public Task<string> WriteAsync(T value, CancellationToken cancel = default(CancellationToken))
        {
            return client.WriteAsync(To(value), cancel);
        }

        /// <summary>As WriteAsync, and waits for it.</summary>
        public string Write(T value)
        {
            return WriteAsync(value).GetAwaiter().GetResult();
        }

        /// <summary>A value for this variable, for WriteAsync of the plant.</summary>
        public Write To(T value)
        {
            return new Write(Name, value == null ? null : kind.Encode(value));
        }
    }

    /// <summary>A variable that this user may read and write.</summary>
    public class ReadWritable<T> : Readable<T>
    {
        internal ReadWritable(Client client, string name, Kind<T> kind) : base(client, name, kind)
        {
        }

        /// <summary>Writes; gives "Good", or how it was written otherwise than asked:
        /// "GoodClamped".  Throws VariableException if it was not written.</summary>
        public Task<string> WriteAsync(T value, CancellationToken cancel = default(CancellationToken))
        {
            return client.WriteAsync(To(value), cancel);
        }

        /// <summary>As WriteAsync, and waits for it.</summary>
        public string Write(T value)
        {
            return WriteAsync(value).GetAwaiter().GetResult();
        }

        /// <summary>A value for this variable, for WriteAsync of the plant.</summary>
        public Write To(T value)
        {
            return new Write(Name, value == null ? null : kind.Encode(value));
        }
    }

    /// <summary>All variables of a plant, without their names.</summary>
    public class PlantBase : Group, IDisposable
    {
        internal PlantBase(Client client) : base(client)
        {
        }

        /// <summary>The connection.</summary>
        public Client Client { get { return client; } }

        /// <summary>The present values; look at Bad of each.</summary>
        public Task<DataValues> ReadAsync(params Readable[] variables)
        {
            return client.ReadAsync(variables, CancellationToken.None);
        }

        /// <summary>Writes, in that order; gives for each what was wrong, or null.</summary>
        public Task<List<VariableException>> WriteAsync(params Write[] writes)
        {
            return client.WriteAsync(writes, CancellationToken.None);
        }

        /// <summary>Has the present values told, then each change, until what is returned is
        /// disposed of; one after the other, on a thread of the pool.</summary>
        public PlantMonitor Monitor(Action<DataValue> updated, params Readable[] variables)
        {
            return client.Monitor(updated, null, variables);
        }

        /// <summary>Ends the connection.</summary>
        public void Dispose()
        {
            client.Dispose();
        }
    }

    // --- the connection -------------------------------------------------------------------------

    /// <summary>How a Client connects.</summary>
    public sealed class ClientOptions
    {
        public ClientOptions()
        {
            Timeout = TimeSpan.FromSeconds(10);
            Heartbeat = TimeSpan.FromSeconds(10);
            RetryMin = TimeSpan.FromSeconds(0.5);
            RetryMax = TimeSpan.FromSeconds(30);
        }

        /// <summary>A bearer token; or User and Password.</summary>
        public string Token { get; set; }
        public string User { get; set; }
        public string Password { get; set; }

        /// <summary>For connecting, and for each request.</summary>
        public TimeSpan Timeout { get; set; }

        /// <summary>After such a silence opcws is asked whether it is there; after another one and
        /// a half without an answer the connection is given up.</summary>
        public TimeSpan Heartbeat { get; set; }

        /// <summary>Between two attempts to connect, at first and at most.</summary>
        public TimeSpan RetryMin { get; set; }
        public TimeSpan RetryMax { get; set; }

        /// <summary>Called with the options of each new WebSocket: certificates, a proxy.</summary>
        public Action<ClientWebSocketOptions> Configure { get; set; }
    }

    /// <summary>
    /// A connection to opcws that is made again when it is lost; then monitors go on.  A request
    /// that was sent and not answered when the connection is lost fails; one that was not sent yet
    /// waits for the next connection, no longer than its time.  Nothing is sent twice.  Any thread
    /// may use it.
    /// </summary>
    public sealed class Client : IDisposable
    {
        const int NamesAtATime = 1000;

        sealed class Request
        {
            internal string Operation;
            internal byte[] Message;
            internal bool Sent;
            internal bool OfOneConnection;
            internal readonly TaskCompletionSource<Dictionary<string, object>> Answer =
                new TaskCompletionSource<Dictionary<string, object>>(TaskCreationOptions.RunContinuationsAsynchronously);

            internal bool Unknown { get { return Sent && Operation == "WRITE"; } }
        }

        readonly ClientOptions options;
        readonly Uri uri;
        readonly CancellationTokenSource ended = new CancellationTokenSource();
        readonly object guard = new object(); // of all below
        readonly Dictionary<string, Request> requests = new Dictionary<string, Request>();
        readonly Dictionary<string, PlantMonitor> monitors = new Dictionary<string, PlantMonitor>();
        readonly Random chance = new Random();
        ClientWebSocket socket; // null while there is no connection
        Task sending = Task.FromResult(true); // the last message that was given to the socket
        OpcwsException error = new ConnectionLostException("not connected yet");
        bool final; // it is not tried again
        int numbers;

        /// <summary>Begins to connect to url: ws://host:port/ or wss://.</summary>
        public Client(string url, ClientOptions options = null)
        {
            this.options = options ?? new ClientOptions();
            var address = new UriBuilder(url);
            string query = address.Query.TrimStart('?');
            address.Query = (query.Length > 0 ? query + "&" : "") + "scalars=typed";
            uri = address.Uri;
            if (uri.Scheme != "ws" && uri.Scheme != "wss")
                throw new ArgumentException("write the address of opcws like ws://host:8081/");
            Task.Run(() => RunAsync());
        }

        /// <summary>Whether there is a connection now.</summary>
        public bool Connected
        {
            get { lock (guard) return socket != null; }
        }

        /// <summary>Why there is no connection, or null.</summary>
        public OpcwsException Error
        {
            get { lock (guard) return socket == null ? error : null; }
        }

        /// <summary>A connection was made or lost, or could not be made.</summary>
        public event EventHandler StateChanged;

        /// <summary>Names of the variables that this user may see, sorted.</summary>
        public async Task<List<string>> NamesAsync(CancellationToken cancel = default(CancellationToken))
        {
            var body = await RequestAsync("VALUELIST", Json.Object(), cancel).ConfigureAwait(false);
            return Json.Items(body, "Variables").ConvertAll(each => (string)each);
        }

        /// <summary>Ends the connection; monitors end, requests fail.</summary>
        public void Dispose()
        {
            ClientWebSocket last;
            Task before;
            lock (guard)
            {
                if (ended.IsCancellationRequested) return;
                last = socket;
                before = sending;
                monitors.Clear();
            }
            Fail(new ConnectionLostException("the client is closed"), true);
            ended.Cancel();
            if (last == null) return;
            CloseAsync(last, before).Wait();
            // Whoever receives has the rest of the closing handshake, for a second.
            Task.Delay(1000).ContinueWith(_ => last.Abort());
        }

        // --- requests

        internal async Task<DataValues> ReadAsync(Readable[] variables, CancellationToken cancel)
        {
            var found = new DataValues();
            for (int start = 0; start < variables.Length; start += NamesAtATime)
            {
                var some = new ArraySegment<Readable>(variables, start, Math.Min(NamesAtATime, variables.Length - start));
                var names = new List<object>();
                foreach (Readable each in some) names.Add(each.Name);
                var body = await RequestAsync("READ", Json.Object("Variables", names), cancel).ConfigureAwait(false);
                List<object> values = Json.Items(body, "Values");
                for (int i = 0; i < values.Count; i++)
                    found.Add(variables[start + i].Of((Dictionary<string, object>)values[i]));
            }
            return found;
        }

        internal async Task<string> WriteAsync(Write write, CancellationToken cancel)
        {
            var asked = Json.Object("Variable", write.Name, "Value", Variant(write));
            var body = await RequestAsync("WRITE", asked, cancel).ConfigureAwait(false);
            VariableException problem = Problem(write.Name, body);
            if (problem != null) throw problem;
            return Json.Text(body, "Symbol") ?? "Good";
        }

        internal async Task<List<VariableException>> WriteAsync(Write[] writes, CancellationToken cancel)
        {
            var found = new List<VariableException>();
            for (int start = 0; start < writes.Length; start += NamesAtATime)
            {
                var some = new List<object>();
                for (int i = start; i < Math.Min(start + NamesAtATime, writes.Length); i++)
                    some.Add(Json.Object("Variable", writes[i].Name, "Value", Variant(writes[i])));
                var body = await RequestAsync("WRITE", Json.Object("Writes", some), cancel).ConfigureAwait(false);
                foreach (Dictionary<string, object> each in Json.Items(body, "Results"))
                    found.Add(Problem(Json.Text(each, "Variable"), each));
            }
            return found;
        }

        internal async Task<List<Dictionary<string, object>>> HistoryAsync(
            string name, DateTime? start, DateTime? end, int maxValues, CancellationToken cancel)
        {
            var found = new List<Dictionary<string, object>>();
            var asked = Json.Object("Variable", name);
            if (start != null) asked["StartTime"] = Kinds.Moment(start.Value);
            if (end != null) asked["EndTime"] = Kinds.Moment(end.Value);
            while (true)
            {
                if (maxValues > 0) asked["MaxValues"] = Kinds.Int32.Encode(maxValues - found.Count);
                var body = await RequestAsync("HISTORICALREAD", asked, cancel).ConfigureAwait(false);
                VariableException problem = Problem(name, body);
                if (problem != null) throw problem;
                foreach (Dictionary<string, object> each in Json.Items(body, "DataValues"))
                    if (maxValues == 0 || found.Count < maxValues) found.Add(each);
                string point = Json.Text(body, "ContinuationPoint");
                if (point == null || (maxValues > 0 && found.Count >= maxValues)) return found;
                asked["ContinuationPoint"] = point;
            }
        }

        internal PlantMonitor Monitor(Action<DataValue> updated, TimeSpan? minInterval, Readable[] variables)
        {
            PlantMonitor made;
            lock (guard)
            {
                if (final) throw error;
                made = new PlantMonitor(this, "m" + ++numbers, updated, minInterval, variables);
                monitors[made.Handle] = made;
                if (socket != null) made.Start(socket);
            }
            return made;
        }

        static object Variant(Write write)
        {
            var made = new Dictionary<string, object>();
            var typed = write.Body as Variant;
            if (typed != null) made["Type"] = typed.Type;
            made["Body"] = typed != null ? typed.Value : write.Body; // null too
            return made;
        }

        static VariableException Problem(string name, Dictionary<string, object> item)
        {
            string status = Json.Text(item, "StatusCode");
            return status == null ? null : new VariableException(name, status, Json.Text(item, "Reason"));
        }

        /// <summary>The Body of the answer.  Throws OpcwsException.</summary>
        internal async Task<Dictionary<string, object>> RequestAsync(
            string operation, Dictionary<string, object> body, CancellationToken cancel,
            string handle = null, ClientWebSocket only = null)
        {
            var request = new Request { Operation = operation, OfOneConnection = only != null };
            lock (guard)
            {
                if (final) throw error;
                if (only != null && socket != only) throw error;
                handle = handle ?? "r" + ++numbers;
                request.Message = Message(operation, body, handle);
                requests[handle] = request;
                Send(request);
            }
            using (var late = new CancellationTokenSource(options.Timeout))
            using (late.Token.Register(() => request.Answer.TrySetException(Late(request))))
            using (cancel.Register(() => request.Answer.TrySetCanceled()))
            {
                try
                {
                    return await request.Answer.Task.ConfigureAwait(false);
                }
                finally
                {
                    lock (guard) requests.Remove(handle);
                }
            }
        }

        NoAnswerException Late(Request request)
        {
            string why = "no answer to " + request.Operation + " within " + options.Timeout.TotalSeconds + " s";
            lock (guard)
            {
                if (!request.Sent) why += "; " + error.Reason;
                if (request.Unknown) why += "; whether the value was written is unknown";
                return new NoAnswerException(why, request.Unknown);
            }
        }

        static byte[] Message(string operation, Dictionary<string, object> body, string handle)
        {
            var header = Json.Object("MessageType", operation + "_REQUEST", "ClientHandle", handle);
            var text = new StringBuilder();
            Json.Append(text, Json.Object("Header", header, "Body", body));
            return Encoding.UTF8.GetBytes(text.ToString());
        }

        /// <summary>Give it to the socket, behind all before it.  The guard is held.</summary>
        void Send(Request request)
        {
            if (socket == null || request.Sent) return;
            request.Sent = true;
            sending = SendAsync(sending, socket, request.Message);
        }

        static async Task SendAsync(Task before, ClientWebSocket socket, byte[] message)
        {
            await before.ConfigureAwait(false);
            try
            {
                await socket.SendAsync(
                    new ArraySegment<byte>(message), WebSocketMessageType.Text, true, CancellationToken.None)
                    .ConfigureAwait(false);
            }
            catch (Exception)
            {
                socket.Abort(); // who receives tells why
            }
        }

        /// <summary>Send without an answer that anybody waits for.</summary>
        internal void Tell(string operation, Dictionary<string, object> body, string handle)
        {
            lock (guard)
            {
                if (socket != null) sending = SendAsync(sending, socket, Message(operation, body, handle));
            }
        }

        internal void Forget(PlantMonitor monitor)
        {
            lock (guard) monitors.Remove(monitor.Handle);
        }

        // --- one connection after the other

        async Task RunAsync()
        {
            int failures = 0;
            while (!ended.IsCancellationRequested)
            {
                DateTime begun = DateTime.UtcNow;
                OpcwsException why = await ConnectionAsync().ConfigureAwait(false);
                Fail(why, why is NotAllowedException);
                if (why is NotAllowedException || ended.IsCancellationRequested) return;
                if (DateTime.UtcNow - begun > TimeSpan.FromSeconds(5) + options.Timeout) failures = 0;
                double pause = options.RetryMin.TotalMilliseconds * Math.Pow(2, Math.Min(failures, 30));
                pause = Math.Min(pause, options.RetryMax.TotalMilliseconds);
                failures += 1;
                double spread;
                lock (guard) spread = 0.5 + chance.NextDouble() / 2;
                try
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(pause * spread), ended.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        }

        /// <summary>Connects and receives until the connection is lost; gives the reason.</summary>
        async Task<OpcwsException> ConnectionAsync()
        {
            using (var mine = new ClientWebSocket())
            {
                bool open = false;
                try
                {
                    await ConnectAsync(mine).ConfigureAwait(false);
                    Opened(mine);
                    open = true;
                    return await ReceiveAsync(mine).ConfigureAwait(false);
                }
                catch (Exception problem)
                {
                    var own = problem as OpcwsException;
                    if (own != null) return own;
                    return open
                        ? new ConnectionLostException("the connection was lost: " + Innermost(problem))
                        : Refused(problem);
                }
            }
        }

        async Task ConnectAsync(ClientWebSocket mine)
        {
            mine.Options.AddSubProtocol("json");
            if (options.Token != null)
                mine.Options.SetRequestHeader("Authorization", "Bearer " + options.Token);
            else if (options.User != null)
                mine.Options.SetRequestHeader("Authorization", "Basic " + Convert.ToBase64String(
                    Encoding.UTF8.GetBytes(options.User + ":" + options.Password)));
            if (options.Configure != null) options.Configure(mine.Options);
            using (var late = CancellationTokenSource.CreateLinkedTokenSource(ended.Token))
            {
                late.CancelAfter(options.Timeout);
                Task connecting = mine.ConnectAsync(uri, late.Token);
                // Some cannot be cancelled.
                Task limit = Task.Delay(options.Timeout, ended.Token);
                if (await Task.WhenAny(connecting, limit).ConfigureAwait(false) != connecting)
                {
                    Forget(connecting);
                    mine.Abort();
                    throw new ConnectionLostException("no connection to " + uri.GetLeftPart(UriPartial.Path) +
                        " within " + options.Timeout.TotalSeconds + " s");
                }
                await connecting.ConfigureAwait(false);
            }
        }

        /// <summary>Nobody waits for it any more, nor for its exception.</summary>
        static void Forget(Task task)
        {
            task.ContinueWith(t => t.Exception);
        }

        OpcwsException Refused(Exception problem)
        {
            string said = "";
            for (Exception each = problem; each != null; each = each.InnerException) said += each.Message + " ";
            string place = uri.GetLeftPart(UriPartial.Path);
            if (said.Contains("(401)") || said.Contains("'401'"))
                return new NotAllowedException(place + " wants a credential, or another one");
            if (said.Contains("(403)") || said.Contains("'403'"))
                return new NotAllowedException(place + " lets this user do nothing");
            return new ConnectionLostException("no connection to " + place + ": " + Innermost(problem));
        }

        static string Innermost(Exception problem)
        {
            return problem.GetBaseException().Message;
        }

        void Opened(ClientWebSocket mine)
        {
            lock (guard)
            {
                if (final) throw error;
                socket = mine;
                sending = Task.FromResult(true);
                foreach (Request each in requests.Values) Send(each);
                foreach (PlantMonitor each in monitors.Values) each.Start(mine);
            }
            Changed();
        }

        void Changed()
        {
            EventHandler handler = StateChanged;
            if (handler != null) Task.Run(() => handler(this, EventArgs.Empty));
        }

        /// <summary>The connection is gone, or there was none; for good if it is the last.</summary>
        void Fail(OpcwsException why, bool last)
        {
            var failed = new List<Request>();
            var told = new List<PlantMonitor>();
            lock (guard)
            {
                if (final) return;
                bool lost = socket != null;
                socket = null;
                error = why;
                final = last;
                foreach (Request each in requests.Values)
                    if (last || each.Sent || each.OfOneConnection) failed.Add(each);
                if (lost || last) told.AddRange(monitors.Values);
                if (last) monitors.Clear();
            }
            foreach (Request each in failed)
            {
                string unknown = each.Unknown ? "; whether the value was written is unknown" : "";
                var refused = why as NotAllowedException;
                each.Answer.TrySetException(
                    refused ?? (Exception)new ConnectionLostException(why.Reason + unknown, each.Unknown));
            }
            foreach (PlantMonitor each in told) each.Lost(why.Reason);
            Changed();
        }

        /// <summary>Receives until the end, and asks after a silence whether opcws is there.</summary>
        async Task<OpcwsException> ReceiveAsync(ClientWebSocket mine)
        {
            var buffer = new ArraySegment<byte>(new byte[65536]);
            var whole = new MemoryStream();
            TimeSpan patience = options.Heartbeat;
            while (true)
            {
                Task<WebSocketReceiveResult> receiving = mine.ReceiveAsync(buffer, CancellationToken.None);
                while (!receiving.IsCompleted)
                {
                    using (var heard = CancellationTokenSource.CreateLinkedTokenSource(ended.Token))
                    {
                        Task silence = Task.Delay(patience, heard.Token);
                        await Task.WhenAny(receiving, silence).ConfigureAwait(false);
                        heard.Cancel();
                    }
                    if (receiving.IsCompleted || ended.IsCancellationRequested) break;
                    if (patience != options.Heartbeat)
                    {
                        mine.Abort();
                        Forget(receiving);
                        return new ConnectionLostException("opcws was silent");
                    }
                    patience = TimeSpan.FromMilliseconds(1.5 * options.Heartbeat.TotalMilliseconds);
                    Tell("VALUEINFO", Json.Object("Variables", new List<object>()), "beat");
                }
                patience = options.Heartbeat;
                WebSocketReceiveResult part = await receiving.ConfigureAwait(false);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    Task before;
                    lock (guard) before = sending;
                    await CloseAsync(mine, before).ConfigureAwait(false);
                    return new ConnectionLostException("opcws closed the connection: " + part.CloseStatusDescription);
                }
                whole.Write(buffer.Array, 0, part.Count);
                if (!part.EndOfMessage) continue;
                string text = Encoding.UTF8.GetString(whole.GetBuffer(), 0, (int)whole.Length);
                whole.SetLength(0);
                try
                {
                    Take((Dictionary<string, object>)Json.Parse(text));
                }
                catch (Exception problem)
                {
                    mine.Abort();
                    return new ConnectionLostException("what speaks here is not opcws: " + problem.Message);
                }
            }
        }

        /// <summary>Says that it is over, behind all that was sent; takes a second at most.
        /// </summary>
        static async Task CloseAsync(ClientWebSocket mine, Task before)
        {
            try
            {
                Task limit = Task.Delay(1000);
                await Task.WhenAny(before, limit).ConfigureAwait(false);
                Task closing = mine.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);
                await Task.WhenAny(closing, limit).ConfigureAwait(false);
                if (!closing.IsCompleted) mine.Abort();
            }
            catch (Exception)
            {
                mine.Abort(); // it was over already
            }
        }

        void Take(Dictionary<string, object> message)
        {
            var header = (Dictionary<string, object>)message["Header"];
            object inside;
            message.TryGetValue("Body", out inside);
            var body = inside as Dictionary<string, object> ?? Json.Object();
            string type = Json.Text(header, "MessageType");
            string handle = Json.Text(header, "ClientHandle") ?? "";
            string status = Json.Text(header, "StatusCode");
            Request request;
            PlantMonitor monitor;
            lock (guard)
            {
                requests.TryGetValue(handle, out request);
                monitors.TryGetValue(handle, out monitor);
            }
            if (type == "MONITORUPDATE_MESSAGE")
            {
                if (monitor != null) monitor.Update(body);
            }
            else if (request != null && (type == request.Operation + "_RESPONSE" || type == "ERROR"))
            {
                if (status == null) request.Answer.TrySetResult(body);
                else request.Answer.TrySetException(new OpcwsException(status, Json.Text(header, "Reason")));
            }
        }

        /// <summary>Variables in portions that one message can have.</summary>
        internal static IEnumerable<List<object>> Portions(IEnumerable<string> names)
        {
            var some = new List<object>();
            foreach (string each in names)
            {
                some.Add(each);
                if (some.Count < NamesAtATime) continue;
                yield return some;
                some = new List<object>();
            }
            if (some.Count > 0) yield return some;
        }
    }

    /// <summary>Variables that are monitored until it is disposed of.  When the connection is lost
    /// each gets a value with BadNotConnected; when there is one again, fresh values.</summary>
    public sealed class PlantMonitor : IDisposable
    {
        const int MaxWaiting = 100000;

        readonly Client client;
        readonly Action<DataValue> updated;
        readonly TimeSpan? minInterval;
        readonly Dictionary<string, Readable> variables = new Dictionary<string, Readable>();
        readonly Queue<DataValue> waiting = new Queue<DataValue>(); // guards itself and the rest
        readonly HashSet<string> missed = new HashSet<string>();
        bool telling, ended;

        internal PlantMonitor(Client client, string handle, Action<DataValue> updated, TimeSpan? minInterval,
                         Readable[] variables)
        {
            this.client = client;
            Handle = handle;
            this.updated = updated;
            this.minInterval = minInterval;
            foreach (Readable each in variables) this.variables[each.Name] = each;
        }

        internal string Handle { get; private set; }

        /// <summary>What the callback throws; without a handler it is ignored.</summary>
        public event Action<Exception> Failed;

        /// <summary>Ends it.  A value that is being told is told to its end.</summary>
        public void Dispose()
        {
            lock (waiting)
            {
                if (ended) return;
                ended = true;
                waiting.Clear();
            }
            client.Forget(this);
            foreach (List<object> some in Client.Portions(variables.Keys))
                client.Tell("MONITORSTOP", Json.Object("Variables", some), Handle);
        }

        internal void Start(ClientWebSocket socket)
        {
            Task.Run(() => StartAsync(socket));
        }

        async Task StartAsync(ClientWebSocket socket)
        {
            foreach (List<object> some in Client.Portions(variables.Keys))
            {
                var asked = Json.Object("Variables", some);
                if (minInterval != null)
                    asked["MinInterval"] = Kinds.Double.Encode(minInterval.Value.TotalMilliseconds);
                while (true)
                {
                    var refused = new List<object>();
                    bool again = false;
                    try
                    {
                        // The handle of a monitor is that of its MONITORSTART.
                        var body = await client.RequestAsync("MONITORSTART", asked, CancellationToken.None, Handle, socket)
                            .ConfigureAwait(false);
                        refused = Json.Items(body, "Results").FindAll(each =>
                            ((Dictionary<string, object>)each).ContainsKey("StatusCode"));
                    }
                    catch (ConnectionLostException)
                    {
                        return; // the next connection begins anew
                    }
                    catch (OpcwsException problem)
                    {
                        again = problem is NoAnswerException || problem.Status == "BadTooManyOperations";
                        if (!again)
                            refused = some.ConvertAll<object>(name => Json.Object(
                                "Variable", name, "StatusCode", problem.Status, "Reason", problem.Reason));
                    }
                    foreach (Dictionary<string, object> each in refused)
                        if (Json.Text(each, "StatusCode") != "BadEntryExists") Update(each);
                    if (!again) break;
                    await Task.Delay(1000).ConfigureAwait(false);
                }
            }
        }

        internal void Lost(string reason)
        {
            foreach (string name in variables.Keys)
                Update(Json.Object("Variable", name, "StatusCode", "BadNotConnected", "Reason", reason));
        }

        internal void Update(Dictionary<string, object> body)
        {
            Readable variable;
            if (!variables.TryGetValue(Json.Text(body, "Variable"), out variable)) return;
            DataValue value = variable.Of(body);
            lock (waiting)
            {
                if (ended) return;
                waiting.Enqueue(value);
                if (waiting.Count > MaxWaiting) missed.Add(waiting.Dequeue().Name);
                if (telling) return;
                telling = true;
            }
            Task.Run(() => Tell());
        }

        void Tell()
        {
            while (true)
            {
                DataValue value;
                lock (waiting)
                {
                    if (waiting.Count == 0)
                    {
                        telling = false;
                        return;
                    }
                    value = waiting.Dequeue();
                    if (missed.Remove(value.Name)) value.Overflow = true;
                }
                try
                {
                    updated(value);
                }
                catch (Exception problem)
                {
                    Action<Exception> handler = Failed;
                    if (handler != null) handler(problem);
                }
            }
        }
    }
