package calls

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

// Call is a waldo.signaling.v1.Call whose request is still JSON: only the device knows its type.
type Call struct {
	ID      int32
	Device  string
	Method  string
	Request json.RawMessage // nil for one in which nothing is set
	// Peer is the id of the WebRTC connection of who calls; empty if there is none. It is not part of the JSON.
	Peer string
	// By is who calls; a call of nobody is refused. It is not part of the JSON either.
	By *visitors.Visitor
}

// Parse reads the JSON of a call. Unknown fields are ignored: a newer peer may send them. After an error the call has
// at least its id, if that could be read.
func Parse(data []byte) (*Call, error) {
	fields, err := Split(data)
	if err != nil {
		return &Call{}, status.Errorf(codes.InvalidArgument, "call: not a waldo.signaling.v1.Call: %v", err)
	}
	request := fields["request"]
	delete(fields, "request")
	var call signalingv1.Call
	if err := unmarshal(fields, &call); err != nil {
		return &Call{ID: call.GetId()}, status.Errorf(codes.InvalidArgument, "call: not a waldo.signaling.v1.Call: %v", err)
	}
	if string(request) == "null" {
		request = nil
	}
	return &Call{ID: call.GetId(), Device: call.GetDevice(), Method: call.GetMethod(), Request: request}, nil
}

// ParseMessage reads the JSON of a peer's message. A call is returned separately; in the message itself its request is
// missing. Unknown fields are ignored: a newer peer may send them.
func ParseMessage(data []byte) (*signalingv1.PeerMessage, *Call, error) {
	var m signalingv1.PeerMessage
	fields, err := Split(data)
	raw, isCall := fields["call"]
	isCall = isCall && string(raw) != "null"
	if isCall {
		fields["call"] = json.RawMessage("{}")
	}
	if err == nil {
		err = unmarshal(fields, &m)
	}
	if err != nil {
		return nil, nil, status.Errorf(codes.InvalidArgument, "message: not a waldo.signaling.v1.PeerMessage: %v", err)
	}
	if !isCall {
		return &m, nil, nil
	}
	call, err := Parse(raw)
	return &m, call, err
}

func unmarshal(fields map[string]json.RawMessage, m proto.Message) error {
	data, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, m)
}

// Split reads a JSON object whose values stay as they are.
func Split(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil, errors.New("it is not a JSON object")
	}
	fields := map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("it is not valid JSON: %w", err)
		}
		name, _ := key.(string) // the decoder takes nothing else for a key
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("the field %.64q is there twice", name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("it is not valid JSON: %w", err)
		}
		fields[name] = value
	}
	if _, err := d.Token(); err != nil { // the end of the object
		return nil, fmt.Errorf("it is not valid JSON: %w", err)
	}
	if d.More() {
		return nil, errors.New("something follows the JSON object")
	}
	return fields, nil
}

// Result is a waldo.signaling.v1.CallResult whose response is JSON already.
type Result struct {
	ID       int32
	Response json.RawMessage
	// Err says why there is no response; nil if there is one.
	Err error
}

// Failed is the result of a call that did not reach its device, or that the device refused.
func Failed(id int32, err error) *Result { return &Result{ID: id, Err: err} }

// JSON is the result as a peer receives it.
func (r *Result) JSON() []byte {
	field, value := "response", r.Response
	switch {
	case r.Err != nil:
		field, value = "error", errorJSON(r.ID, r.Err)
	case len(value) == 0 || value[0] != '{':
		field = "value"
	}
	return fmt.Appendf(nil, `{"id":%d,%q:%s}`, r.ID, field, value)
}

// Error converts an error to a message of the signalling, without details. Bytes that are not UTF-8, which may be
// quoted garbage, are replaced.
func Error(id int32, err error) *signalingv1.Error {
	st := status.Convert(err)
	return &signalingv1.Error{Id: id, Code: codeName(st.Code()), Message: strings.ToValidUTF8(st.Message(), "�")}
}

// errorJSON is an error with its details, except those whose type neither the device nor the gateway defines.
func errorJSON(id int32, err error) json.RawMessage {
	data, failed := protojson.Marshal(Error(id, err))
	if failed != nil { // it is text and a number
		return json.RawMessage(`{"code":"INTERNAL"}`)
	}
	details := dynamic.Details(err)
	if len(details) == 0 {
		return data
	}
	data = append(bytes.TrimRight(bytes.TrimSpace(data), "}"), `,"details":[`...)
	return slices.Concat(data, bytes.Join(raws(details), []byte(",")), []byte("]}"))
}

func raws(all []json.RawMessage) [][]byte {
	bytes := make([][]byte, len(all))
	for i, one := range all {
		bytes[i] = one
	}
	return bytes
}

// codeName returns the name of a code's constant as all languages have it: NOT_FOUND for NotFound.
func codeName(c codes.Code) string {
	if c == codes.OK {
		return "OK"
	}
	var name strings.Builder
	for i, r := range c.String() {
		if i > 0 && 'A' <= r && r <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(r)
	}
	return strings.ToUpper(name.String())
}
