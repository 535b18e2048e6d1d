package rtc

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/turntest"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/outside"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// newStudioBehind is an engine that reaches others by a TURN server.
func newStudioBehind(t *testing.T, s *turntest.Server) *Engine {
	t.Helper()
	hub := tracks.NewHub(&clips{pictures: make(map[tracks.Stream][]byte)}, tracks.Config{})
	e, err := NewEngine(hub, Config{TLS: s.TLS, ICEServers: func() ([]*signalingv1.IceServer, <-chan struct{}) {
		return s.For("robot"), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		hub.Close()
	})
	return e
}

// only removes all candidates but those of a kind from a description.
func only(description, kind string) string {
	var kept []string
	for line := range strings.Lines(description) {
		if !strings.HasPrefix(line, "a=candidate:") || strings.Contains(line, " typ "+kind) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// Where UDP does not get out, the gateway is reached at a relay, and later restarts ICE there.
func TestReachedAtARelay(t *testing.T) {
	for _, kind := range []turntest.Kind{turntest.TCP, turntest.TLS} {
		t.Run(string(kind), func(t *testing.T) {
			s := turntest.Start(t, kind, nil)
			e := newStudioBehind(t, s)
			for range 3 { // all of them by one relay
				far, near := newPair(t, e, 1, 1000)
				reachAtRelay(t, far, near)
			}
			if got := s.Allocations(); got != 1 {
				t.Errorf("%d relays", got)
			}
		})
	}
}

func reachAtRelay(t *testing.T, far *watcher.Watcher, near *Peer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	for restart := range 3 {
		offer, err := far.Offer(&webrtc.OfferOptions{ICERestart: restart > 0})
		if err != nil {
			t.Fatal(err)
		}
		// Without the far end's addresses the gateway cannot find a way that it was not told.
		answer, err := near.Answer(ctx, only(offer, "none"), []Track{{MID: "0", Stream: left}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(answer, "a=candidate:relay4 1 udp 16777215 127.0.0.1 "); got != 1 {
			t.Fatalf("%d relays in the answer: %s", got, answer)
		}
		if err := far.Accept(only(answer, "relay")); err != nil {
			t.Fatal(err)
		}
		for _, c := range candidatesOfOffer(t, offer) {
			if err := near.AddCandidate(c.Line, c.MID, 0); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 + far.Waiting() {
			if _, err := far.Packet(ctx); err != nil {
				t.Fatalf("after %d restarts: %v", restart, err)
			}
		}
	}
}

func candidatesOfOffer(t *testing.T, offer string) []Candidate {
	t.Helper()
	var d sdp.SessionDescription
	if err := d.UnmarshalString(offer); err != nil {
		t.Fatal(err)
	}
	return described(&d).Candidates
}

// A far end that may have no relay gets one of the gateway, although UDP works.
func TestRelayForFarEndsWithoutOne(t *testing.T) {
	s := turntest.Start(t, turntest.UDP, nil)
	e := newStudioBehind(t, s)
	far, near := newPair(t, e, 1, 1000)
	near.OfferRelay(netip.Addr{})
	reachAtRelay(t, far, near)
	if got := s.Allocations(); got != 1 {
		t.Errorf("%d relays", got)
	}
}

// What is outside stands in an answer before the end of candidates, in the section that has the others.
func TestAddressesInAnAnswer(t *testing.T) {
	e, _, _ := newStudio(t)
	_, near := newPair(t, e, 0, 1)
	var d sdp.SessionDescription
	if err := d.UnmarshalString("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" +
		"m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n" +
		"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n" + someCandidate + "a=end-of-candidates\r\n"); err != nil {
		t.Fatal(err)
	}
	near.announce(&d, []outside.Address{{AddrPort: netip.MustParseAddrPort("198.51.100.7:40001")},
		{AddrPort: netip.MustParseAddrPort("[2001:db8::7]:7100")},
		{AddrPort: netip.MustParseAddrPort("203.0.113.1:50000"), Relayed: true}})
	text, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(text), "a=mid:1\r\n")
	want := someCandidate +
		"a=candidate:srflx4 1 udp 1694498815 198.51.100.7 40001 typ srflx raddr 0.0.0.0 rport 0\r\n" +
		"a=candidate:srflx6 1 udp 1694498815 2001:db8::7 7100 typ srflx raddr :: rport 0\r\n" + "a=end-of-candidates\r\n"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
