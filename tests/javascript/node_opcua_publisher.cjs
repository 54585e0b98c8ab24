// An OPC UA server made of node-opcua whose variables node-opcua's PubSub publishes, in each of the
// layouts that it has, as a publisher of that name.
// Usage: node node_opcua_publisher.cjs BROKER-URL
// A line of JSON on its input, {"name": ..., "dataType": ..., "value": ..., "status": ...}, sets a
// variable.

"use strict";
const opcua = require("node-opcua");
const pubsub = require("node-opcua-pubsub-expander");

const NETWORK = pubsub.JsonNetworkMessageContentMask;
const MESSAGE = pubsub.JsonDataSetMessageContentMask;
const FIELD = pubsub.DataSetFieldContentMask;
const HEADER = MESSAGE.SequenceNumber | MESSAGE.MetaDataVersion | MESSAGE.Timestamp | MESSAGE.Status;
const LAYOUTS = {
    variant: [NETWORK.DataSetMessageHeader | NETWORK.PublisherId, HEADER, FIELD.None],
    value: [
        NETWORK.DataSetMessageHeader | NETWORK.PublisherId,
        HEADER,
        FIELD.StatusCode | FIELD.SourceTimestamp | FIELD.ServerTimestamp,
    ],
    single: [NETWORK.SingleDataSetMessage, MESSAGE.None, FIELD.None],
    raw: [0, MESSAGE.None, FIELD.RawData],
};
const VALUES = {
    Level: ["Double", 1.5],
    Count: ["Int64", opcua.coerceInt64("-9007199254740993")],
    Name: ["String", "p\u00fcmp"],
    Running: ["Boolean", true],
    When: ["DateTime", new Date("2026-11-30T03:00:00.500Z")],
    Codes: ["UInt16", new Uint16Array([1, 2, 65535])],
    Text: ["LocalizedText", { text: "auf" }],
};

const variant = (dataType, value) => new opcua.Variant({
    dataType: opcua.DataType[dataType],
    arrayType: ArrayBuffer.isView(value) ? opcua.VariantArrayType.Array : opcua.VariantArrayType.Scalar,
    value,
});

function connection(url, name, [network, message, field]) {
    return {
        name,
        publisherId: { dataType: "String", value: name },
        address: { url },
        transportSettings: {},
        writerGroups: [{
            name: "group",
            enabled: true,
            publishingInterval: 200,
            messageSettings: { networkMessageContentMask: network },
            transportSettings: {},
            dataSetWriters: [{
                name: "writer",
                enabled: true,
                dataSetName: name,
                dataSetWriterId: 7,
                dataSetFieldContentMask: field,
                keyFrameCount: 1,
                messageSettings: { dataSetMessageContentMask: message },
                transportSettings: { queueName: "opcua/json/data/" + name + "/group/writer" },
            }],
        }],
    };
}

function dataSet(name, nodes) {
    return {
        name,
        dataSetMetaData: { name, fields: Object.keys(nodes).map((field) => ({ name: field })) },
        dataSetSource: {
            publishedData: Object.values(nodes).map((node) => ({
                attributeId: opcua.AttributeIds.Value,
                publishedVariable: node.nodeId,
                samplingIntervalHint: 100,
            })),
        },
    };
}

async function main(url) {
    const server = new opcua.OPCUAServer({ port: 0, hostname: "127.0.0.1" });
    await server.initialize();
    const space = server.engine.addressSpace;
    const nodes = {};
    for (const [name, [dataType, value]] of Object.entries(VALUES)) {
        nodes[name] = space.getOwnNamespace().addVariable({
            browseName: name, nodeId: "s=" + name, organizedBy: space.rootFolder.objects, dataType,
            valueRank: name === "Codes" ? 1 : -1,
        });
        nodes[name].setValueFromSource(variant(dataType, value));
    }
    const manager = new pubsub.PubSubConfigurationManager({
        dataSetCollectorFactory: new pubsub.DataSetCollectorFactoryAddressSpace(space),
    });
    await manager.load(new pubsub.MyPubSubConfigurationDataType({
        enabled: true,
        connections: Object.entries(LAYOUTS).map(([name, masks]) => connection(url, name, masks)),
        // One each: who publishes a data set takes its values away.
        publishedDataSets: Object.keys(LAYOUTS).map((name) => dataSet(name, nodes)),
    }));
    require("readline").createInterface({ input: process.stdin })
        .on("line", (line) => {
            const { name, dataType, value, status } = JSON.parse(line);
            nodes[name].setValueFromSource(variant(dataType, value), opcua.StatusCodes[status]);
        })
        .on("close", () => process.exit());
    console.log("ready");
}

main(process.argv[2]).catch((error) => { console.error(error); process.exit(1); });
