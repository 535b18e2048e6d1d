package codec

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/services/serial/frame"
)

// Reader decodes what a board sends.
type Reader interface {
	// Read sets body and json of a message. It must not retain data. The error describes what is wrong
	// with the board's message.
	Read(data []byte, into *serialv1.SerialMessage) error
}

// Writer encodes messages to a board.
type Writer interface {
	// Write returns the payload of a message. Its error is a *MessageError.
	Write(r *serialv1.WriteMessageRequest) ([]byte, error)
	// JSON returns a payload as JSON, in the form that Write takes.
	JSON(payload []byte) string
	// Same tells whether two payloads mean the same.
	Same(a, b []byte) bool
	// Blend returns a payload between two of them: from at share 0, to at 1. Values that cannot be
	// blended are taken from to.
	Blend(from, to []byte, share float64) []byte
}

// MessageError describes what is wrong with a message to be written.
type MessageError struct {
	// Field of the message, or key of its record; empty for the whole message.
	Field string
	// Problem is the fault and its remedy.
	Problem string
}

// Error returns field and problem.
func (e *MessageError) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return e.Field + ": " + e.Problem
}

func bad(field, format string, args ...any) error {
	return &MessageError{field, fmt.Sprintf(format, args...)}
}

// checkSize bounds a payload.
func checkSize(field string, payload []byte) error {
	if len(payload) > frame.MaxMessage {
		return bad(field, "has %d bytes: a message has at most %d", len(payload), frame.MaxMessage)
	}
	return nil
}

// Line reads and writes lines. The zero value does not check for a delimiter.
type Line struct {
	// Delimiter must not be in a line.
	Delimiter string
}

// Read implements [Reader].
func (Line) Read(data []byte, into *serialv1.SerialMessage) error {
	text := strings.ToValidUTF8(string(data), "�")
	into.Body, into.Json = &serialv1.SerialMessage_Line{Line: text}, quote(text)
	return nil
}

// Write implements [Writer].
func (l Line) Write(r *serialv1.WriteMessageRequest) ([]byte, error) {
	var payload []byte
	field := "line"
	switch body := r.GetBody().(type) {
	case *serialv1.WriteMessageRequest_Line:
		payload = []byte(body.Line)
	case *serialv1.WriteMessageRequest_Raw:
		field, payload = "raw", body.Raw
	case *serialv1.WriteMessageRequest_Json:
		field = "json"
		var err error
		if payload, err = lineOfJSON(body.Json); err != nil {
			return nil, err
		}
	case *serialv1.WriteMessageRequest_Record:
		return nil, bad("record", "this board takes lines: send line or json")
	default:
		return nil, bad("body", "there is no message: set line, raw or json")
	}
	if l.Delimiter != "" && strings.Contains(string(payload), l.Delimiter) {
		return nil, bad(field, "contains the delimiter %q, which is added automatically: send one line at a time",
			l.Delimiter)
	}
	return payload, checkSize(field, payload)
}

// lineOfJSON is the text of a JSON string, and any other JSON as it is.
func lineOfJSON(text string) ([]byte, error) {
	whole, err := compact(text)
	var s string
	if err == nil && whole[0] == '"' && json.Unmarshal(whole, &s) == nil {
		return []byte(s), nil
	}
	return whole, err
}

// JSON implements [Writer].
func (Line) JSON(payload []byte) string { return quote(string(payload)) }

// Same implements [Writer].
func (Line) Same(a, b []byte) bool { return string(a) == string(b) }

// Blend implements [Writer].
func (Line) Blend(_, to []byte, _ float64) []byte { return to }

// Raw reads and writes bytes as they are.
type Raw struct{}

// Read implements [Reader].
func (Raw) Read(data []byte, into *serialv1.SerialMessage) error {
	into.Body, into.Json = &serialv1.SerialMessage_Raw{Raw: append([]byte(nil), data...)}, Raw{}.JSON(data)
	return nil
}

// Write implements [Writer].
func (Raw) Write(r *serialv1.WriteMessageRequest) ([]byte, error) {
	switch body := r.GetBody().(type) {
	case *serialv1.WriteMessageRequest_Raw:
		return body.Raw, checkSize("raw", body.Raw)
	case *serialv1.WriteMessageRequest_Line:
		return []byte(body.Line), checkSize("line", []byte(body.Line))
	case *serialv1.WriteMessageRequest_Json:
		var data []byte // of base64
		if err := json.Unmarshal([]byte(body.Json), &data); err != nil || data == nil {
			return nil, bad("json", "this board takes bytes: send a base64 string")
		}
		return data, checkSize("json", data)
	case *serialv1.WriteMessageRequest_Record:
		return nil, bad("record", "this board takes bytes: send raw, line or json")
	}
	return nil, bad("body", "there is no message: set raw, line or json")
}

// JSON implements [Writer].
func (Raw) JSON(payload []byte) string { return `"` + base64.StdEncoding.EncodeToString(payload) + `"` }

// Same implements [Writer].
func (Raw) Same(a, b []byte) bool { return string(a) == string(b) }

// Blend implements [Writer].
func (Raw) Blend(_, to []byte, _ float64) []byte { return to }
