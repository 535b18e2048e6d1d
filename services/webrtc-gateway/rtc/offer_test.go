package rtc

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var front = relay.Stream{Device: "front", Name: "video"}

// offers are real ones, of several browsers and programs.
func offers(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.sdp")
	if err != nil || len(files) == 0 {
		t.Fatal("no offers in testdata", err)
	}
	all := make(map[string]string)
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(f)] = strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n", "\r\n")
	}
	return all
}

func TestReadOfferNarrows(t *testing.T) {
	for name, text := range offers(t) {
		mid, err := VideoSection(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		o, err := readOffer(text, []Track{{MID: mid, Stream: front}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var d sdp.SessionDescription
		if err := d.UnmarshalString(o.sdp); err != nil {
			t.Fatal(err)
		}
		for _, m := range d.MediaDescriptions {
			got, _ := m.Attribute(sdp.AttrKeyMID)
			_, receives := m.Attribute(sdp.AttrKeyRecvOnly)
			_, idle := m.Attribute(sdp.AttrKeyInactive)
			if m.MediaName.Media != "application" && (receives != (got == mid) || idle == receives) {
				t.Errorf("%s: section %s: receives %v, idle %v", name, got, receives, idle)
			}
		}
	}
}

func TestRealOffersAreAnswered(t *testing.T) {
	e := newEngine(t)
	for name, text := range offers(t) {
		mid, err := VideoSection(text)
		if err != nil {
			t.Fatal(name, err)
		}
		p, err := e.NewPeer(nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := p.Answer(context.Background(), text, []Track{{MID: mid, Stream: front}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if strings.Count(answer, "a=sendonly") != 1 || strings.Contains(answer, "a=recvonly") ||
			!strings.Contains(answer, "a=candidate:") || !strings.Contains(answer, "a=setup:active") {
			t.Errorf("%s: answered with\n%s", name, answer)
		}
		p.Close()
	}
}

func TestPeerAfterItsEnd(t *testing.T) {
	e := newEngine(t)
	p, err := e.NewPeer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AddCandidate("candidate:1 1 udp 1 127.0.0.1 9 typ host", "0", 0); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("candidate before an offer: %v", err)
	}
	p.Close()
	p.Close() // more than once does no harm
	<-p.Done()
	text := offers(t)["chromium.sdp"]
	if _, err := p.Answer(context.Background(), text, []Track{{MID: "0", Stream: front}}); status.Code(err) != codes.Unavailable {
		t.Errorf("offer after the end: %v", err)
	}
}

func TestEngineAfterItsEnd(t *testing.T) {
	hub := relay.NewHub(noFeed, relay.Config{})
	e, err := NewEngine(hub, Config{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.NewPeer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	<-p.Done()
	if _, err := e.NewPeer(nil); status.Code(err) != codes.Unavailable {
		t.Errorf("connection after the end: %v", err)
	}
	hub.Close()
}

func newEngine(t testing.TB) *Engine {
	t.Helper()
	hub := relay.NewHub(noFeed, relay.Config{})
	e, err := NewEngine(hub, Config{})
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

func noFeed(relay.Stream) (relay.Feed, error) { return silent{}, nil }

// silent is a feed without frames.
type silent struct{}

func (silent) Next(ctx context.Context) (*mediav1.VideoFrame, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
func (silent) RequestKeyFrame(context.Context) error { return nil }
func (silent) KeyFrameOnRequest() bool               { return true }
func (silent) Close()                                {}

// FuzzOffer gives whole offers to a connection: it may refuse, not panic or hang, and what it answers must be an answer.
func FuzzOffer(f *testing.F) {
	for _, text := range offers(f) {
		f.Add(text, "0")
		f.Add(strings.ReplaceAll(text, "a=mid:0", "a=mid:"), "")
		f.Add(strings.ReplaceAll(text, "H264", "VP8"), "1")
		f.Add(text[:len(text)/2], "0")
	}
	f.Add("", "")
	f.Add("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF\r\na=mid:0\r\n", "0")
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, text, mid string) {
		if first, err := VideoSection(text); err == nil && mid == "" {
			mid = first
		}
		p, err := e.NewPeer(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		answer, err := p.Answer(context.Background(), text, []Track{{MID: mid, Stream: front}})
		if err != nil {
			if c := status.Code(err); c != codes.InvalidArgument && c != codes.FailedPrecondition {
				t.Fatalf("refused as %v: %v", c, err)
			}
			return
		}
		var d sdp.SessionDescription
		if err := d.UnmarshalString(answer); err != nil {
			t.Fatalf("the answer is no SDP: %v", err)
		}
	})
}

// FuzzCandidate gives candidates to a connection that has an offer.
func FuzzCandidate(f *testing.F) {
	f.Add("candidate:1 1 udp 1 127.0.0.1 9 typ host", "0", uint16(0))
	f.Add("candidate:1 1 udp 1 abc.local 9 typ host", "", uint16(7))
	f.Add("", "", uint16(0))
	f.Add("candidate:", "0", uint16(0))
	e := newEngine(f)
	p, err := e.NewPeer(nil)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := p.Answer(context.Background(), offers(f)["chromium.sdp"], []Track{{MID: "0", Stream: front}}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, candidate, mid string, index uint16) {
		_ = p.AddCandidate(candidate, mid, index) // refused or not
	})
}
