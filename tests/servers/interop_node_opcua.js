// The interoperability server made of node-opcua; see tests/servers/interop.py.
// Usage: node interop_node_opcua.js FIRST-VALUES [NAMESPACE ...] PORT

"use strict";
const fs = require("fs");
const os = require("os");
const path = require("path");
const opcua = require("node-opcua");
const {
    Variant, DataType, VariantArrayType, StatusCodes, resolveNodeId, ExpandedNodeId, NodeIdType,
    coerceInt64, coerceUInt64, OPCUACertificateManager, Range,
} = opcua;

const URI = "urn:test:interop";
const HISTORY = 100;

const values = JSON.parse(process.argv[2]);
const namespaces = process.argv.slice(3, -1);
const port = Number(process.argv[process.argv.length - 1]);

function value(name, written, index) {
    switch (name) {
        case "Int64": return coerceInt64(written);
        case "UInt64": return coerceUInt64(written);
        case "DateTime": return new Date(written);
        case "ByteString": return Buffer.from(written, "base64");
        case "NodeId": return resolveNodeId("i=2258");
        case "ExpandedNodeId": return new ExpandedNodeId(NodeIdType.NUMERIC, 85, 0);
        case "StatusCode": return StatusCodes.BadNodeIdUnknown;
        case "QualifiedName": return { name: written.Name, namespaceIndex: index };
        case "LocalizedText": return { text: written.Text, locale: written.Locale };
        case "ExtensionObject": return new Range({ low: written.Body.Low, high: written.Body.High });
        default: return written;
    }
}

async function main() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "opcws-interop-"));
    const certificates = new OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: true });
    await certificates.initialize();
    const server = new opcua.OPCUAServer({
        port,
        hostname: "127.0.0.1",
        serverCertificateManager: certificates,
        securityModes: [opcua.MessageSecurityMode.None],
        securityPolicies: [opcua.SecurityPolicy.None],
    });
    await server.initialize();
    const space = server.engine.addressSpace;
    namespaces.forEach((uri) => space.registerNamespace(uri));
    const namespace = space.registerNamespace(URI);
    function add(name, dataType, variant, more) {
        const node = namespace.addVariable({
            browseName: name,
            nodeId: "s=" + name,
            organizedBy: space.rootFolder.objects,
            dataType,
            minimumSamplingInterval: 0,
            accessLevel: "CurrentRead | CurrentWrite | HistoryRead",
            userAccessLevel: "CurrentRead | CurrentWrite | HistoryRead",
            ...more,
        });
        node.setValueFromSource(variant);
        return node;
    }
    for (const [name, written] of Object.entries(values)) {
        const dataType = name === "ExtensionObject" ? "Range" : name;
        add("T." + name, dataType, new Variant({ dataType: DataType[name], arrayType: VariantArrayType.Scalar, value: value(name, written, namespace.index) }));
    }
    const array = { valueRank: 1 };
    add("A.Int32", "Int32", new Variant({ dataType: DataType.Int32, arrayType: VariantArrayType.Array, value: new Int32Array([1, 2, 3]) }), array);
    add("A.String", "String", new Variant({ dataType: DataType.String, arrayType: VariantArrayType.Array, value: ["a", "b", "ü"] }), array);
    add("M.Double", "Double", new Variant({
        dataType: DataType.Double, arrayType: VariantArrayType.Matrix, dimensions: [2, 3], value: new Float64Array([1, 2, 3, 4, 5, 6]),
    }), { valueRank: 2, arrayDimensions: [2, 3] });
    const history = add("History", "Double", new Variant({ dataType: DataType.Double, value: -1 }));
    space.installHistoricalDataNode(history, { maxOnlineValues: 1000 });
    const begin = Date.UTC(2026, 0, 1);
    for (let number = 0; number < HISTORY; number++) {
        history.setValueFromSource(
            new Variant({ dataType: DataType.Double, value: number }), StatusCodes.Good, new Date(begin + number * 1000));
    }
    await server.start();
    console.log("ready");
    process.stdin.resume();
    process.stdin.on("end", () => process.exit(0));
}

main().catch((error) => { console.error(error); process.exit(1); });
