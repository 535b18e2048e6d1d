package channels

import (
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// readCalls are messages of a peer on the channel of calls.
var readCalls = []struct {
	name string
	text bool
	data string
	ok   bool
}{
	{"a call", true,
		`{"id": 1, "device": "motors", "method": "waldo.serial.v1.SerialService/WriteMessage", "request": {"json": "{}"}}`,
		true},
	{"of a newer peer", true, `{"id": 1, "priority": "high"}`, true},
	{"nothing", true, ``, false},
	{"another type", true, `[1]`, false},
	{"an id that is no number", true, `{"id": "one"}`, false},
	{"binary", false, `{"id": 1}`, false},
	{"garbage", true, "\x9a", false},
	{"no UTF-8", true, "{\"device\": \"\xff\"}", false},
	{"deeper than there is stack for", true, `{"request": {"a":` + nested(20000) + `}}`, false},
}

func nested(depth int) string {
	text := make([]byte, depth)
	for i := range text {
		text[i] = '['
	}
	return string(text)
}

func TestReadCall(t *testing.T) {
	for _, tt := range readCalls {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := readCall(tt.text, []byte(tt.data)); (err == nil) != tt.ok || err != nil &&
				status.Code(err) != codes.InvalidArgument {
				t.Error(err)
			}
		})
	}
}

// FuzzReadCall reads what a peer may send; the answer to it can always be told.
func FuzzReadCall(f *testing.F) {
	for _, tt := range readCalls {
		f.Add(tt.text, []byte(tt.data))
	}
	f.Fuzz(func(t *testing.T, text bool, data []byte) {
		call, err := readCall(text, data)
		if err == nil {
			return
		}
		if err := protojson.Unmarshal(calls.Failed(call.ID, err).JSON(), &signalingv1.CallResult{}); err != nil {
			t.Errorf("the refusal of %q cannot be told: %v", data, err)
		}
	})
}
