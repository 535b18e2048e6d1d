package foxglove

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

func id(n uint32) *uint32 { return &n }

// playback is a request to a player, as a client encodes it.
func playback(command byte, speed float32, had byte, place uint64, size uint32, requestID string) []byte {
	data := []byte{opPlayback, command}
	data = binary.LittleEndian.AppendUint32(data, math.Float32bits(speed))
	data = append(data, had)
	data = binary.LittleEndian.AppendUint64(data, place)
	data = binary.LittleEndian.AppendUint32(data, size)
	return append(data, requestID...)
}

// requests feed TestParse and the seeds of FuzzParse.
var requests = []struct {
	name string
	text bool
	data string
	want request
	bad  string // part of the error; empty: it is good
}{
	{"subscribe", true, `{"op":"subscribe","subscriptions":[{"id":0,"channelId":3},{"id":1,"channelId":5}]}`,
		request{op: opSubscribe, subscriptions: []wanted{{id(0), id(3)}, {id(1), id(5)}}}, ""},
	{"unsubscribe", true, `{"op":"unsubscribe","subscriptionIds":[0,1]}`,
		request{op: opUnsubscribe, subscriptionIDs: []uint32{0, 1}}, ""},
	{"parameters", true, `{"op":"getParameters","parameterNames":["a","b"],"id":"request-1"}`,
		request{op: opGetParameters, names: []string{"a", "b"}, id: "request-1"}, ""},
	{"setting", true, `{"op":"setParameters","parameters":[{"name":"a","value":3},{"name":"b"}],"id":"x"}`,
		request{op: opSetParameters, names: []string{"a", "b"}, id: "x"}, ""},
	{"following", true, `{"op":"subscribeParameterUpdates","parameterNames":[]}`,
		request{op: opSubscribeParameters, names: []string{}}, ""},
	{"following no more", true, `{"op":"unsubscribeParameterUpdates","parameterNames":["a"],"more":{}}`,
		request{op: opUnsubscribeParameters, names: []string{"a"}}, ""},
	{"nothing", true, ``, request{}, "not understood"},
	{"no object", true, `[]`, request{}, "not understood"},
	{"no op", true, `{}`, request{op: "?"}, `op: "" is not known here`},
	{"another op", true, `{"op":"drive"}`, request{op: "?"}, `op: "drive" is not known here`},
	{"a long op", true, `{"op":"` + strings.Repeat("x", 100) + `"}`, request{op: "?"}, "xxx"},
	{"publishing", true, `{"op":"advertise","channels":[]}`, request{op: "advertise"}, "cannot publish"},
	{"assets", true, `{"op":"fetchAsset","uri":"package://x","requestId":1}`, request{op: "fetchAsset"}, "no assets"},
	{"half a subscription", true, `{"op":"subscribe","subscriptions":[{"id":1}]}`,
		request{op: opSubscribe, subscriptions: []wanted{{ID: id(1)}}}, "needs an id and a channelId"},
	{"a negative id", true, `{"op":"subscribe","subscriptions":[{"id":-1,"channelId":1}]}`, request{op: opSubscribe},
		"must not be a number -1"},
	{"a text as an id", true, `{"op":"unsubscribe","subscriptionIds":["1"]}`, request{op: opUnsubscribe},
		"must not be a string"},
	{"too many", true, `{"op":"unsubscribe","subscriptionIds":[1` + strings.Repeat(",1", 1000) + `]}`,
		request{op: opUnsubscribe, subscriptionIDs: ones(1001)}, "1001 in one message are too many"},
	{"a long name", true, `{"op":"getParameters","parameterNames":["` + strings.Repeat("n", 300) + `"]}`,
		request{op: opGetParameters, names: []string{strings.Repeat("n", 300)}}, "256 bytes at most"},
	{"no parameters", true, `{"op":"setParameters","parameters":7}`, request{op: opSetParameters}, "parameters"},

	{"play", false, string(playback(0, 1.5, 0, 9, 3, "abc")),
		request{op: opPlaybackControl, playback: playbackRequest{play: true, speed: 1.5, id: "abc"}}, ""},
	{"pause and seek", false, string(playback(1, 1, 1, 123_456_789, 0, "")),
		request{op: opPlaybackControl, playback: playbackRequest{speed: 1, seek: place64(123_456_789)}}, ""},
	{"nothing binary", false, "", request{op: "?"}, "is empty"},
	{"another opcode", false, "\xff", request{op: "?"}, "opcode 255"},
	{"publishing a message", false, "\x01\x00\x00\x00\x00x", request{op: "message data"}, "cannot publish"},
	{"a call", false, "\x02", request{op: "service call"}, "cannot call"},
	{"cut", false, string(playback(0, 1, 0, 0, 0, "")[:18]), request{op: opPlaybackControl}, "has 17 bytes, and needs 18"},
	{"another command", false, string(playback(2, 1, 0, 0, 0, "")),
		request{op: opPlaybackControl, playback: playbackRequest{speed: 1}}, "neither play"},
	{"no speed", false, string(playback(1, float32(math.Inf(1)), 0, 0, 0, "")),
		request{op: opPlaybackControl, playback: playbackRequest{speed: math.Inf(1)}}, "not a number"},
	{"an id that is cut", false, string(playback(1, 1, 0, 0, 1<<32-1, "ab")),
		request{op: opPlaybackControl, playback: playbackRequest{speed: 1}}, "2 are there"},
	{"an id that is no text", false, string(playback(1, 1, 0, 0, 1, "\xff")),
		request{op: opPlaybackControl, playback: playbackRequest{speed: 1}}, "not text"},
	{"an id that is long", false, string(playback(1, 1, 0, 0, 257, strings.Repeat("x", 257))),
		request{op: opPlaybackControl, playback: playbackRequest{speed: 1}}, "256 bytes"},
}

func ones(n int) []uint32 {
	list := make([]uint32, n)
	for i := range list {
		list[i] = 1
	}
	return list
}

func place64(n uint64) *uint64 { return &n }

func TestParse(t *testing.T) {
	for _, tt := range requests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parse(tt.text, []byte(tt.data))
			if tt.bad == "" && err != nil || tt.bad != "" && (err == nil || !strings.Contains(err.Error(), tt.bad)) {
				t.Errorf("error %v, want %q", err, tt.bad)
			}
			if !reflect.DeepEqual(got, tt.want) && tt.name != "a negative id" && tt.name != "a text as an id" {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// FuzzParse: whatever a client sends, its bounds hold, and an error can be told.
func FuzzParse(f *testing.F) {
	for _, tt := range requests {
		f.Add(tt.text, []byte(tt.data))
	}
	f.Fuzz(func(t *testing.T, text bool, data []byte) {
		r, err := parse(text, data)
		if err != nil {
			if s := string(statusText(failure, "waldo-"+r.op, err.Error())); !strings.HasPrefix(s, `{"op":"status"`) {
				t.Errorf("the error cannot be told: %s", s)
			}
			return
		}
		if len(r.subscriptions) > maxNamed || len(r.subscriptionIDs) > maxNamed || len(r.names) > maxNamed ||
			len(r.id) > maxText || len(r.playback.id) > maxText || math.IsNaN(r.playback.speed) {
			t.Errorf("beyond the bounds: %+v", r)
		}
		for _, s := range r.subscriptions {
			_ = fmt.Sprint(*s.ID, *s.Channel)
		}
	})
}
