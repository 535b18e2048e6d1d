package calls

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

// texts are calls as peers send them, and their requests.
var texts = []struct{ name, text, request, wrong string }{
	{"a call", `{"id": 1, "device": "d", "method": "a/b", "request": {"n": 9007199254740993, "s": "\u00e9<"}}`,
		`{"n": 9007199254740993, "s": "\u00e9<"}`, ""},
	{"without a request", `{"id": 1, "device": "d", "method": "a/b"}`, "", ""},
	{"with none", `{"id": 1, "device": "d", "method": "a/b", "request": null}`, "", ""},
	{"with one that is no object", `{"id": 1, "device": "d", "method": "a/b", "request": "5s"}`, `"5s"`, ""},
	{"of a newer peer", `{"id": 1, "device": "d", "method": "a/b", "more": [1, {"a": 2}]}`, "", ""},
	{"a number as text", `{"id": "1", "device": "d", "method": "a/b"}`, "", ""},
	{"a field twice", `{"id": 1, "request": {}, "request": {}}`, "", "twice"},
	{"cut off", `{"id": 1, "request": {`, "", "JSON"},
	{"no end", `{"id": 1`, "", "JSON"},
	{"more behind", `{"id": 1} {}`, "", "follows"},
	{"a list", `[]`, "", "object"},
	{"nothing", ``, "", "object"},
	{"not UTF-8", "{\"device\": \"\xff\"}", "", "UTF-8"},
	{"a wrong type", `{"id": "one"}`, "", "int32"},
	{"a request that is too deep", `{"request": ` + strings.Repeat("[", 20000) + `}`, "", "JSON"},
}

func TestParse(t *testing.T) {
	for _, tt := range texts {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse([]byte(tt.text))
			if tt.wrong != "" {
				if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("%v, want %q", err, tt.wrong)
				}
				return
			}
			if err != nil || c.ID != 1 || c.Device != "d" || c.Method != "a/b" || string(c.Request) != tt.request {
				t.Errorf("%v, %v, want the request %s", c, err, tt.request)
			}
			m, inner, err := ParseMessage([]byte(`{"call": ` + tt.text + `}`))
			if err != nil || m.GetCall() == nil || string(inner.Request) != tt.request {
				t.Errorf("in a message: %v, %v, %v", m, inner, err)
			}
		})
	}
}

// FuzzParse: what is read as a call is one to protobuf's own reader too, whatever its request.
func FuzzParse(f *testing.F) {
	for _, tt := range texts {
		f.Add([]byte(tt.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			if _, err := json.Marshal(json.RawMessage(Failed(c.ID, err).JSON())); err != nil {
				t.Errorf("the refusal of %q is not JSON: %v", data, err)
			}
			return
		}
		fields, err := Split(data)
		if err != nil {
			t.Fatal(err)
		}
		delete(fields, "request")
		var want signalingv1.Call
		if err := unmarshal(fields, &want); err != nil || want.GetId() != c.ID || want.GetDevice() != c.Device ||
			want.GetMethod() != c.Method {
			t.Errorf("%q: %v, %v", data, &want, err)
		}
		if c.Request != nil && !json.Valid(c.Request) {
			t.Errorf("the request %q is not JSON", c.Request)
		}
	})
}

// TestResult reads results as peers do.
func TestResult(t *testing.T) {
	known, err := anypb.New(&errdetails.ErrorInfo{Reason: "STALE"})
	if err != nil {
		t.Fatal(err)
	}
	detailed := status.New(codes.Aborted, "late }").Proto()
	detailed.Details = []*anypb.Any{known, {TypeUrl: "type.googleapis.com/acme.Unknown"}}
	for name, tt := range map[string]struct {
		result *Result
		want   *signalingv1.CallResult
	}{
		"an object": {&Result{ID: 1, Response: json.RawMessage(`{"a":[1]}`)}, parsed(t, `{"id":1,"response":{"a":[1]}}`)},
		"a value":   {&Result{ID: -2, Response: json.RawMessage(`21.5`)}, parsed(t, `{"id":-2,"value":21.5}`)},
		"an error": {Failed(3, errors.New("broken")),
			parsed(t, `{"id":3,"error":{"id":3,"code":"UNKNOWN","message":"broken"}}`)},
		"garbage": {Failed(3, status.Error(codes.NotFound, "\xff")),
			parsed(t, `{"id":3,"error":{"id":3,"code":"NOT_FOUND","message":"�"}}`)},
		"details": {Failed(0, status.ErrorProto(detailed)), parsed(t, `{"error":{"code":"ABORTED","message":"late }",
			"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"STALE"}]}}`)},
	} {
		if got := parsed(t, string(tt.result.JSON())); protojson.Format(got) != protojson.Format(tt.want) {
			t.Errorf("%s: %s, want %v", name, tt.result.JSON(), tt.want)
		}
	}
}

func parsed(t *testing.T, text string) *signalingv1.CallResult {
	t.Helper()
	var r signalingv1.CallResult
	if err := protojson.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return &r
}
