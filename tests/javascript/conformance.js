// What validators of npm's say of the messages of the conformance pack: as JSON a list of
// [file, group, description, verdict]; the verdict is a text where the schema cannot be used.
//
//     node conformance.js VALIDATOR FILE...

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Each makes of a schema a function that says whether a message follows it. */
const VALIDATORS = {
  async ajv(schema) {
    const { default: Ajv } = await import("ajv");
    return new Ajv({ strict: true, logger: false }).compile(schema);
  },
  async "@cfworker/json-schema"(schema) {
    const { Validator } = await import("@cfworker/json-schema");
    const validator = new Validator(schema, "7");
    return (message) => validator.validate(message).valid;
  },
  async "@hyperjump/json-schema"(schema) {
    const { registerSchema, validate } = await import("@hyperjump/json-schema/draft-07");
    registerSchema(schema);
    const accepts = await validate(schema.$id);
    return (message) => accepts(message).valid;
  },
  async jsonschema(schema) {
    const { Validator } = await import("jsonschema");
    const validator = new Validator();
    return (message) => validator.validate(message, schema).valid;
  },
  async "@exodus/schemasafe"(schema) {
    const { validator } = await import("@exodus/schemasafe");
    return validator(schema, { mode: "spec" });
  },
};

const read = (path) => JSON.parse(readFileSync(path, "utf-8"));
const [name, ...files] = process.argv.slice(2);
const compiled = {};
const verdicts = [];
for (const file of files) {
  for (const group of read(file)) {
    const path = resolve(dirname(file), group.schema.$ref);
    let accepts = compiled[path];
    if (!accepts) {
      try {
        accepts = await VALIDATORS[name](read(path));
      } catch (error) {
        accepts = () => String(error);
      }
      compiled[path] = accepts;
    }
    for (const test of group.tests) {
      let verdict;
      try {
        verdict = accepts(test.data);
      } catch (error) {
        verdict = String(error);
      }
      verdicts.push([file, group.description, test.description, verdict]);
    }
  }
}
console.log(JSON.stringify(verdicts));
