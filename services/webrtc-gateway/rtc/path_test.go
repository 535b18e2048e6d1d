package rtc

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/linktest"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/paths"
)

var candidates = regexp.MustCompile(`(?m)^a=candidate:.*\r\n`)

// connectOver connects a far end that receives one camera, over a link that is as the profile has it.
func connectOver(t *testing.T, e *Engine, p linktest.Profile) (*watcher.Watcher, *Peer) {
	t.Helper()
	port := netip.MustParseAddrPort(e.Address())
	link, err := linktest.NewProxy(port, p, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(link.Close)
	far, near := newPair(t, e, 1, 1000)
	offer, err := far.Offer(nil)
	if err != nil {
		t.Fatal(err)
	}
	offer = candidates.ReplaceAllString(offer, "") // there is no way but by the link
	answer, err := near.Answer(t.Context(), offer, []Track{{MID: "0", Stream: left}})
	if err != nil {
		t.Fatal(err)
	}
	typ := func(a netip.AddrPort) string { return " " + strconv.Itoa(int(a.Port())) + " typ " }
	if err := far.Accept(strings.ReplaceAll(answer, typ(port), typ(link.Address()))); err != nil {
		t.Fatal(err)
	}
	return far, near
}

// await waits until what is known of a path is as it should be.
func await(t *testing.T, near *Peer, what string, is func(paths.Snapshot) bool) {
	t.Helper()
	deadline := time.After(2 * watcher.Timeout)
	for {
		changed := near.Path().Changed()
		s := near.Path().Snapshot()
		if is(s) {
			return
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond): // not all of it is told
		case <-deadline:
			t.Fatalf("%s: %+v", what, s)
		}
	}
}

// TestSlowPath: the camera sends more than 1 Mbit/s over 400 kbit/s. The path comes to be known, with a real far end
// and its reports.
func TestSlowPath(t *testing.T) {
	const rate, delay = 400e3, 15 * time.Millisecond
	e, _, _ := newStudio(t)
	far, near := connectOver(t, e, linktest.Profile{
		FromRobot: linktest.Shape{Rate: linktest.Constant(rate), Delay: delay}, ToRobot: linktest.Shape{Delay: delay},
	})
	await(t, near, "reports of arrivals", func(s paths.Snapshot) bool { return s.Numbered })
	await(t, near, "the round trip", func(s paths.Snapshot) bool { return s.RoundTrip >= 2*delay })
	await(t, near, "a queue", func(s paths.Snapshot) bool { return s.Queue > 0 })
	await(t, near, "a full path", func(s paths.Snapshot) bool { return s.Full })
	await(t, near, "what it carries", func(s paths.Snapshot) bool { return s.Available > 50e3 && s.Available < rate })
	await(t, near, "room again", func(s paths.Snapshot) bool { return !s.Full })
	for range 20 {
		if _, err := far.Packet(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFastPath: where nothing is wrong, nothing is limited below what is sent.
func TestFastPath(t *testing.T) {
	e, _, _ := newStudio(t)
	far, near := connectOver(t, e, linktest.Profile{})
	for range 200 {
		if _, err := far.Packet(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	await(t, near, "a path without a limit", func(s paths.Snapshot) bool {
		return s.Numbered && s.RoundTrip > 0 && (s.Available == 0 || s.Available > 1e6) && !s.Full && s.Loss < 0.01
	})
}
