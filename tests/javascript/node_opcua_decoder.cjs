// What node-opcua's PubSub makes of fields in the reversible encoding.
// A line of its input is a DataValue as JSON; its answer is a line, [built-in type, value].

"use strict";
const path = require("path");
const expander = path.dirname(require.resolve("node-opcua-pubsub-expander"));
// There may be others for other packages.
const { opcuaJsonDecodeDataValue } = require(require.resolve("node-opcua-json", { paths: [expander] }));
const { DataType } = require("node-opcua");

function plain(dataType, value) {
    if (Buffer.isBuffer(value)) return value.toString("base64");
    if (dataType === DataType.Int64 || dataType === DataType.UInt64) {
        const [high, low] = value;
        if (Array.isArray(high)) return value.map((each) => plain(dataType, each));
        const bits = (BigInt(high) << 32n) | BigInt(low);
        return (dataType === DataType.Int64 ? BigInt.asIntN(64, bits) : bits).toString();
    }
    if (ArrayBuffer.isView(value)) return [...value];
    return Array.isArray(value) ? value.map((each) => plain(dataType, each)) : value;
}

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
    const { dataType, value } = opcuaJsonDecodeDataValue(JSON.parse(line)).value;
    console.log(JSON.stringify([dataType, plain(dataType, value)]));
});
