package rtcbot

import (
	"strings"
	"testing"
)

// descriptions are texts, and the SDP in them or what is wrong.
var descriptions = []struct{ text, sdp, wrong string }{
	{`{"sdp":"v=0","type":"offer"}`, "v=0", ""},
	{`{"type": "offer", "more": [1], "sdp": "v=0\r\n"}`, "v=0\r\n", ""},
	{`{"sdp":"v=0","type":"answer"}`, "", `"answer" is not "offer"`},
	{`{"sdp":"v=0"}`, "", `"" is not "offer"`},
	{`{"type":"offer"}`, "", "empty"},
	{``, "", "send the JSON"},
	{`[]`, "", "send the JSON"},
	{`{"sdp":7,"type":"offer"}`, "", "send the JSON"},
	{"\x00\xff", "", "send the JSON"},
}

func TestParseDescription(t *testing.T) {
	for _, tt := range descriptions {
		sdp, err := ParseDescription([]byte(tt.text), Offer)
		if sdp != tt.sdp || (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%s: %q, %v", tt.text, sdp, err)
		}
	}
}

func FuzzParseDescription(f *testing.F) {
	for _, tt := range descriptions {
		f.Add([]byte(tt.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		sdp, err := ParseDescription(text, Offer)
		if (err == nil) != (sdp != "") || err != nil && len(err.Error()) > 1000 {
			t.Errorf("%q: %q, %v", text, sdp, err)
		}
	})
}
