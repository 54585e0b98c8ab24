// What gojsonschema says of the messages of the conformance pack: as JSON a list of
// [file, group, description, verdict]; the verdict is a text where the schema cannot be used.
//
//	go run conformance.go FILE...
package main

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/xeipuuv/gojsonschema"
)

type group struct {
	Description string
	Schema      struct {
		Ref string `json:"$ref"`
	}
	Tests []struct {
		Description string
		Data        json.RawMessage
	}
}

func main() {
	compiled := map[string]*gojsonschema.Schema{}
	unusable := map[string]string{}
	verdicts := [][]interface{}{}
	for _, file := range os.Args[1:] {
		text, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		var groups []group
		if err := json.Unmarshal(text, &groups); err != nil {
			panic(err)
		}
		for _, group := range groups {
			path := filepath.Join(filepath.Dir(file), group.Schema.Ref)
			if compiled[path] == nil && unusable[path] == "" {
				rules, err := os.ReadFile(path)
				if err != nil {
					panic(err)
				}
				schema, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(rules))
				if err != nil {
					unusable[path] = err.Error()
				}
				compiled[path] = schema
			}
			for _, test := range group.Tests {
				verdict := judge(compiled[path], unusable[path], test.Data)
				verdicts = append(verdicts, []interface{}{file, group.Description, test.Description, verdict})
			}
		}
	}
	json.NewEncoder(os.Stdout).Encode(verdicts)
}

func judge(schema *gojsonschema.Schema, unusable string, message []byte) interface{} {
	if unusable != "" {
		return unusable
	}
	result, err := schema.Validate(gojsonschema.NewBytesLoader(message))
	if err != nil {
		return err.Error()
	}
	return result.Valid()
}
