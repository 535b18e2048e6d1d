package rtcbot

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// sayings are texts of clients, and what they become on a topic.
var sayings = []struct{ said, topic string }{
	{`{"forward":1}`, `{"forward":1}`},
	{`"hi"`, `"hi"`}, // Python's string
	{`hi`, `"hi"`},   // JavaScript's
	{`7`, `7`},       // of either; Python gets a number, as it does from RTCBot
	{`null`, `null`},
	{``, `""`},
	{`{"a":`, `"{\"a\":"`},
	{`NaN`, `null`},
	{`{"x": NaN, "y": [Infinity, -Infinity], "NaN": "NaN, \" Infinity"}`,
		`{"x": null, "y": [null, null], "NaN": "NaN, \" Infinity"}`},
	{`Infinity and beyond`, `"Infinity and beyond"`},
	{`"\ud800"`, `"\ud800"`},
	{`<b> & "c"`, `"<b> & \"c\""`},
	{"two\nlines", `"two\nlines"`},
	{`\`, `"\\"`},
	{`"\`, `"\"\\"`},
}

func TestToTopic(t *testing.T) {
	for _, tt := range sayings {
		if got := string(ToTopic([]byte(tt.said))); got != tt.topic {
			t.Errorf("%s becomes %s, want %s", tt.said, got, tt.topic)
		}
	}
}

func TestFromTopic(t *testing.T) {
	for _, tt := range []struct{ topic, json, raw string }{
		{`{"a":1}`, `{"a":1}`, `{"a":1}`},
		{`"hi"`, `"hi"`, `hi`},
		{` "hi" `, ` "hi" `, `hi`},
		{`hi`, `"hi"`, `hi`}, // of a page
		{`123`, `123`, `123`},
		{`null`, `null`, `null`},
		{``, `""`, ``},
	} {
		if got := string(FromTopic([]byte(tt.topic), false)); got != tt.json {
			t.Errorf("%s is sent as %s, want %s", tt.topic, got, tt.json)
		}
		if got := string(FromTopic([]byte(tt.topic), true)); got != tt.raw {
			t.Errorf("%s is sent raw as %s, want %s", tt.topic, got, tt.raw)
		}
	}
}

// FuzzJSON: whatever a client says is JSON on the topic, stays what it was if it was JSON, and reaches another client
// unchanged.
func FuzzJSON(f *testing.F) {
	for _, s := range sayings {
		f.Add(s.said)
	}
	f.Fuzz(func(t *testing.T, said string) {
		if !utf8.ValidString(said) {
			t.Skip("channels drop it before")
		}
		topic := ToTopic([]byte(said))
		if !json.Valid(topic) || json.Valid([]byte(said)) && string(topic) != said {
			t.Errorf("%q becomes %s", said, topic)
		}
		if got := FromTopic(topic, false); string(got) != string(topic) {
			t.Errorf("%s is sent as %s", topic, got)
		}
		_ = FromTopic([]byte(said), true)
	})
}
