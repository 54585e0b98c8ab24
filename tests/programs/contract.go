// A client on the types that quicktype makes of schemas/flat.schema.json, and on nothing else but a
// WebSocket: it reads, writes and monitors.  What comes must have no member that the types lack.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// --- The client -----------------------------------------------------------------------------------

var (
	socket  *websocket.Conn
	updates []MonitorUpdateMessage
	count   int
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func handle() string {
	count++
	return strconv.Itoa(count)
}

func decode(text []byte, message interface{}) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	check(decoder.Decode(message))
}

// received is the next message, and its header; an update is kept.
func received() (text []byte, header ErrorMessageHeader) {
	_, text, err := socket.ReadMessage()
	check(err)
	var any struct{ Header ErrorMessageHeader }
	check(json.Unmarshal(text, &any))
	if any.Header.MessageType == "MONITORUPDATE_MESSAGE" {
		var update MonitorUpdateMessage
		decode(text, &update)
		updates = append(updates, update)
	}
	return text, any.Header
}

// ask sends a request, and makes what answers it a response.
func ask(request interface{}, response interface{}) {
	check(socket.WriteJSON(request))
	asked := strconv.Itoa(count)
	for {
		text, header := received()
		if header.ClientHandle != nil && *header.ClientHandle == asked &&
			strings.HasSuffix(string(header.MessageType), "_RESPONSE") {
			decode(text, response)
			return
		}
	}
}

// plain is a value as Go has it.
func plain(value *Variant) interface{} {
	if value == nil {
		return nil
	}
	return decoded(value.Type, value.Body)
}

func decoded(builtInType int64, body interface{}) interface{} {
	switch each := body.(type) {
	case []interface{}:
		for i := range each {
			each[i] = decoded(builtInType, each[i])
		}
	case string:
		switch builtInType {
		case 8: // Int64
			number, err := strconv.ParseInt(each, 10, 64)
			check(err)
			return number
		case 10, 11: // Float and Double
			number, err := strconv.ParseFloat(each, 64)
			check(err)
			return number
		}
	case map[string]interface{}:
		if builtInType == 21 { // LocalizedText
			return each["Text"]
		}
	}
	return body
}

// --- The story ------------------------------------------------------------------------------------

func good(statusCode *string) string {
	if statusCode == nil {
		return "good"
	}
	return *statusCode
}

func readHeader() ReadRequestHeader {
	return ReadRequestHeader{MessageType: "READ_REQUEST", ClientHandle: handle()}
}

func writeHeader() WriteRequestHeader {
	return WriteRequestHeader{MessageType: "WRITE_REQUEST", ClientHandle: handle()}
}

func readList(names ...string) []VariableValue {
	var answer ReadListResponse
	ask(ReadListRequest{Header: readHeader(), Body: ReadListRequestBody{Variables: names}}, &answer)
	return answer.Body.Values
}

func write(name string, builtInType int64, body interface{}) Write {
	value := WrittenVariant{Type: &builtInType, Body: body}
	return Write{Variable: name, Value: WrittenDataValue{Value: value}}
}

func main() {
	dialer := websocket.Dialer{Subprotocols: []string{"json"}}
	var err error
	socket, _, err = dialer.Dial(os.Args[1], nil)
	check(err)
	defer socket.Close()
	socket.SetReadDeadline(time.Now().Add(time.Minute))

	var read ReadResponse
	ask(ReadRequest{Header: readHeader(), Body: ReadRequestBody{Variable: "Types.Int64"}}, &read)
	fmt.Printf("read %s %T\n", good(read.Body.StatusCode), plain(read.Body.Value))

	values := readList("Types.Infinities", "Types.Bad", "No.Such")
	fmt.Print("list")
	for _, each := range values {
		fmt.Print(" ", each.Variable, "=", good(each.StatusCode))
	}
	fmt.Println("\ninfinities", plain(values[0].Value))

	locale, text := "de", "Kessel"
	var written WriteListResponse
	ask(WriteListRequest{Header: writeHeader(), Body: WriteListRequestBody{Writes: []Write{
		write("Boiler.Setpoint", 11, 75),
		write("Types.Int64", 8, "-9007199254740993"),
		write("Types.LocalizedText", 21, LocalizedText{Locale: &locale, Text: &text}),
		write("Types.Int16", 4, 100000),
	}}}, &written)
	fmt.Print("written")
	for _, each := range written.Body.Results {
		fmt.Print(" ", good(each.StatusCode))
	}
	back := readList("Types.Int64", "Types.LocalizedText")
	fmt.Println("\nback", plain(back[0].Value), plain(back[1].Value))

	header := MonitorStartRequestHeader{MessageType: "MONITORSTART_REQUEST", ClientHandle: handle()}
	names := MonitorStartListRequestBody{Variables: []string{"Boiler.Setpoint"}}
	var started MonitorStartListResponse
	ask(MonitorStartListRequest{Header: header, Body: names}, &started)
	fmt.Println("monitor", len(started.Body.Results))
	body := WriteRequestBody{Variable: "Boiler.Setpoint", Value: write("", 11, 80).Value}
	ask(WriteRequest{Header: writeHeader(), Body: body}, &WriteResponse{})
	for {
		for _, each := range updates {
			if each.Header.ClientHandle == header.ClientHandle && plain(each.Body.Value) == 80.0 {
				fmt.Println("updated")
				return
			}
		}
		updates = nil
		received()
	}
}
