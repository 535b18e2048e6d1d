package rtc

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	someCandidate = "a=candidate:1 1 udp 2130706431 192.0.2.1 61764 typ host\r\n"
	someUfrag     = "a=ice-ufrag:EsAw\r\n"
	somePwd       = "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
)

// fragments are texts with what has to be said about them; nothing if they can be read.
var fragments = []struct{ name, text, says string }{
	{"nothing", "", ""},
	{"no line of ours", "hello\r\nm=audio 9 RTP/AVP 0\r\na=rtpmap:96 VP8/90000\r\n", ""},
	{"a candidate", "a=mid:0\r\n" + someCandidate, ""},
	{"line ends without returns", "a=mid:0\n" + strings.TrimSpace(someCandidate) + "\n", ""},
	{"the end", "a=end-of-candidates", ""},
	{"a restart", someUfrag + somePwd + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n" + someCandidate, ""},
	{"a name of mDNS", "a=candidate:1 1 udp 1 2b7cd8a2-2a4c-41b6-ab2d-0e2e7c2f4f38.local 9 typ host\r\n", ""},
	{"a candidate of TCP", "a=candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active\r\n", ""},
	{"no candidate", "a=candidate:what\r\n", "a=candidate"},
	{"a candidate without value", "a=candidate\r\n", "a=candidate"},
	{"a port that is none", "a=candidate:1 1 udp 1 192.0.2.1 70000 typ host\r\n", "a=candidate"},
	{"a short name", "a=ice-ufrag:abc\r\n" + somePwd, "a=ice-ufrag"},
	{"a long name", "a=ice-ufrag:" + strings.Repeat("a", 257) + "\r\n" + somePwd, "a=ice-ufrag"},
	{"a foreign letter in the name", "a=ice-ufrag:Müll\r\n" + somePwd, "a=ice-ufrag"},
	{"a short password", someUfrag + "a=ice-pwd:short\r\n", "a=ice-pwd"},
	{"a space in the password", someUfrag + "a=ice-pwd:0123456789 0123456789x\r\n", "a=ice-pwd"},
	{"too many candidates", strings.Repeat(someCandidate, maxCandidates+1), "more than 100"},
}

func TestFragments(t *testing.T) {
	for _, tt := range fragments {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseFragment(tt.text)
			if tt.says == "" && err != nil || tt.says != "" && status.Code(err) != codes.InvalidArgument {
				t.Fatalf("%v", err)
			}
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("the error does not name %q: %v", tt.says, err)
			}
		})
	}
}

func FuzzFragment(f *testing.F) {
	for _, tt := range fragments {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseFragment(text)
		if err != nil {
			return
		}
		if len(got.Candidates) > maxCandidates {
			t.Fatalf("%d candidates", len(got.Candidates))
		}
		if got.Ufrag == "" || got.Pwd == "" {
			return
		}
		// What is written says the same as what was read.
		again, err := ParseFragment(got.String())
		if err != nil || again.Ufrag != got.Ufrag || again.Pwd != got.Pwd || len(again.Candidates) != len(got.Candidates) {
			t.Fatalf("%q became %q: %v", text, got.String(), err)
		}
	})
}
