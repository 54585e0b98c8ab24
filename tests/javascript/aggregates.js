// What node-opcua computes of raw values; see tests/history/test_node_opcua.py.
// Reads the cases in a file of JSON and writes for each, by the aggregate's name, the
// results as lists of milliseconds, value and status.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// Its own dependencies are found from where it lies itself.
const here = createRequire(import.meta.url);
const require = createRequire(here.resolve("node-opcua-aggregates"));
const aggregates = here("node-opcua-aggregates");
const { DataValue } = require("node-opcua-data-value");
const { NodeClass } = require("node-opcua-data-model");
const { coerceStatusCode } = require("node-opcua-status-code");
const { DataType } = require("node-opcua-variant");

const FUNCTIONS = {
    Interpolative: aggregates.getInterpolatedData,
    Average: aggregates.getAverageData,
    Minimum: aggregates.getMinData,
    Maximum: aggregates.getMaxData,
    Count: aggregates.getCountData,
    DurationGood: aggregates.getDurationGoodData,
    DurationBad: aggregates.getDurationBadData,
    PercentGood: aggregates.getPercentGoodData,
    PercentBad: aggregates.getPercentBadData,
};

const property = (value) => ({ readValue: () => ({ value: { value } }) });

// The variable of a server, as far as the functions look at it.
function variable(given) {
    const dataValues = given.values.map(([ms, value, status]) => new DataValue({
        sourceTimestamp: new Date(ms),
        statusCode: coerceStatusCode({ value: status }),
        value: { dataType: DataType.Double, value },
    }));
    return {
        nodeClass: NodeClass.Variable,
        historyRead: (_context, _details, _range, _encoding, _continuation, done) =>
            done(null, { historyData: { dataValues } }),
        $historicalDataConfiguration: {
            stepped: property(given.stepped),
            aggregateConfiguration: {
                percentDataBad: property(given.percent_data_bad),
                percentDataGood: property(given.percent_data_good),
                treatUncertainAsBad: property(given.treat_uncertain_as_bad),
                useSlopedExtrapolation: property(given.use_sloped_extrapolation),
            },
        },
    };
}

const results = [];
for (const given of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
    const found = {};
    for (const [name, compute] of Object.entries(FUNCTIONS)) {
        found[name] = await new Promise((resolve, reject) => compute(
            variable(given), given.interval, new Date(given.start), new Date(given.end),
            (error, values) => error ? reject(error) : resolve(values.map((each) => [
                each.sourceTimestamp.getTime(), each.value?.value ?? null, each.statusCode.value,
            ])),
        ));
    }
    results.push(found);
}
console.log(JSON.stringify(results));
