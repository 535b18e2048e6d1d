package foxglove

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// The bytes are those that Foxglove's own SDK has in its tests.
func TestBinaryAnswers(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"playing", playbackState{status: playing, at: 12345, speed: 1, id: "i-am-a-request"}.encode(),
			"\x05\x00\x39\x30\x00\x00\x00\x00\x00\x00\x00\x00\x80\x3f\x00\x0e\x00\x00\x00i-am-a-request"},
		{"after a jump", playbackState{status: ended, at: 12345, speed: 0.5, jumped: true}.encode(),
			"\x05\x03\x39\x30\x00\x00\x00\x00\x00\x00\x00\x00\x00\x3f\x01\x00\x00\x00\x00"},
		{"time", timeMessage(1234567890), "\x02\xd2\x02\x96\x49\x00\x00\x00\x00"},
		{"message", appendMessage(nil, 30, 1234, []byte("data")), "\x01\x1e\x00\x00\x00\xd2\x04\x00\x00\x00\x00\x00\x00data"},
	} {
		if string(tt.got) != tt.want {
			t.Errorf("%s: % x, want % x", tt.name, tt.got, tt.want)
		}
	}
}

func TestAdvertise(t *testing.T) {
	if m := advertise(nil); len(m) != 1 || string(m[0]) != `{"op":"advertise","channels":[]}` {
		t.Errorf("nothing: %s", m)
	}
	big := advertisement(1, "/big", "x.Y", bytes.Repeat([]byte{1}, maxAdvertise/2))
	messages := advertise([][]byte{big, big, advertisement(3, `/"`, "x.Y", nil)})
	var topics []string
	for _, m := range messages {
		var all struct {
			Op       string
			Channels []advertised
		}
		if err := json.Unmarshal(m, &all); err != nil || all.Op != "advertise" {
			t.Fatalf("%v: %.100s", err, m)
		}
		for _, c := range all.Channels {
			topics = append(topics, c.Topic)
		}
	}
	if len(messages) != 2 || strings.Join(topics, " ") != `/big /big /"` {
		t.Errorf("%d messages with %v", len(messages), topics)
	}
}

func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		at   time.Time
		want instant
		ns   uint64
	}{
		{time.Unix(1_800_000_000, 5), instant{1_800_000_000, 5}, 1_800_000_000_000_000_005},
		{time.Unix(-5, 0), instant{}, 0},
		{time.Unix(1<<33, 0), instant{Seconds: math.MaxUint32}, 1 << 33 * 1_000_000_000},
	} {
		if got := *instantOf(tt.at); got != tt.want || stamp(tt.at) != tt.ns {
			t.Errorf("%v: %v, %d", tt.at, got, stamp(tt.at))
		}
	}
}
