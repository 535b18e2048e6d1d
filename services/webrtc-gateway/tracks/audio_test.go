package tracks

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

var opusAt109 = webrtc.RTPCodecParameters{PayloadType: 109,
	RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}}

var head = Stream{Device: "head", Name: "audio"}

// fakeMicrophone is a feed whose frames the test sends.
type fakeMicrophone struct {
	frames chan *mediav1.AudioFrame
	closed chan struct{}
}

func (f *fakeMicrophone) Next(ctx context.Context) (*mediav1.AudioFrame, error) {
	select {
	case af, ok := <-f.frames:
		if !ok {
			return nil, io.EOF
		}
		return af, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fakeMicrophone) Close() { close(f.closed) }

// audioOf is a device whose sound open returns.
type audioOf struct {
	Devices // no other methods are used
	open    func(Stream) (AudioFeed, error)
}

func (d audioOf) Audio(s Stream) (AudioFeed, error) { return d.open(s) }

// rig is a hub with a feed that counts how often it was opened.
type rig struct {
	t       *testing.T
	hub     *Hub
	feed    *fakeMicrophone
	opened  int
	metrics *Metrics
	next    int64 // sequence of the next frame
	epoch   int64
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, epoch: 1, metrics: NewMetrics(prometheus.NewRegistry())}
	r.hub = NewHub(audioOf{open: func(Stream) (AudioFeed, error) {
		r.opened++
		r.feed = &fakeMicrophone{frames: make(chan *mediav1.AudioFrame), closed: make(chan struct{})}
		return r.feed, nil
	}}, Config{Metrics: r.metrics})
	return r
}

// listener returns a started one, and where its packets go.
func (r *rig) listener(s *sink) *Track {
	r.t.Helper()
	l, err := r.hub.NewTrack(r.t.Context(), webrtc.RTPCodecTypeAudio, head, "head.audio")
	if err != nil {
		r.t.Fatal(err)
	}
	s.codecs = []webrtc.RTPCodecParameters{opusAt109}
	if _, err := l.Bind(s); err != nil {
		r.t.Fatal(err)
	}
	l.Start()
	return l
}

// send sends frames as a device does, and waits until all that can be is done.
func (r *rig) send(n int) {
	for range n {
		r.feed.frames <- word(r.epoch, r.next, 960*r.next)
		r.next++
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
	}
}

// lost is how many frames were lost somewhere.
func (r *rig) lost(where string) float64 {
	return testutil.ToFloat64(r.metrics.audio.lost.WithLabelValues("head", where))
}

func TestListenersShareOneSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := &sink{ssrc: 1}, &sink{ssrc: 2}
		first, second := r.listener(a), r.listener(b)
		r.send(5)
		if r.opened != 1 || testutil.ToFloat64(r.metrics.audio.sources) != 1 ||
			testutil.ToFloat64(r.metrics.audio.receivers.WithLabelValues("head")) != 2 {
			t.Errorf("the stream was opened %d times for two", r.opened)
		}
		first.Close()
		first.Close() // more than once does no harm
		r.send(3)
		if n := len(a.all()); n != 5 {
			t.Errorf("one who has left got %d packets, want 5", n)
		}
		got := b.all()
		if len(got) != 8 {
			t.Fatalf("%d packets, want 8", len(got))
		}
		for i, p := range got {
			if p.SSRC != 2 || p.PayloadType != 109 || p.Marker != (i == 0) || p.Payload[1] != byte(i) {
				t.Errorf("packet %d: %v", i, p)
			}
			if i > 0 && (p.SequenceNumber != got[i-1].SequenceNumber+1 || p.Timestamp != got[i-1].Timestamp+960) {
				t.Errorf("packet %d: %d at %d follows %d at %d", i, p.SequenceNumber, p.Timestamp, got[i-1].SequenceNumber,
					got[i-1].Timestamp)
			}
		}
		feed := r.feed
		second.Close()
		<-feed.closed // nobody listens: it is let go of
		third := r.listener(&sink{ssrc: 3})
		if r.opened != 2 {
			t.Error("the stream was not opened anew")
		}
		third.Close()
		r.hub.Close()
	})
}

func TestRestartOfTheDeviceKeepsTheTrack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := &sink{ssrc: 1}
		l := r.listener(s)
		r.send(3)
		time.Sleep(280 * time.Millisecond)
		r.epoch, r.next = 2, 0
		r.send(3)
		got := s.all()
		if len(got) != 6 {
			t.Fatalf("%d packets, want 6", len(got))
		}
		before, after := got[2], got[3]
		if after.SSRC != before.SSRC || after.SequenceNumber != before.SequenceNumber+1 ||
			after.Timestamp != before.Timestamp+14_400 || !after.Marker {
			t.Errorf("after 300 ms without: %v follows %v", after.Header, before.Header)
		}
		if r.lost(lostOnBus)+r.lost(lostByListener)+r.lost(lostLate) != 0 {
			t.Error("a restart is no loss")
		}
		l.Close()
		r.hub.Close()
	})
}

// A replay that was paused goes on as far behind as it says, even if its first packet comes late: otherwise all that
// follows would be heard later.
func TestPauseOfAReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := &sink{ssrc: 1}
		l := r.listener(s)
		begin := time.Now()
		for i, p := range []struct{ replayed, sent time.Duration }{{0, 0},
			{2 * time.Second, 2*time.Second + 70*time.Millisecond}} {
			time.Sleep(time.Until(begin.Add(p.sent)))
			f := word(int64(i+1), int64(i), int64(i)*960)
			f.ReplayTime = timestamppb.New(begin.Add(p.replayed))
			r.feed.frames <- f
			synctest.Wait()
		}
		got := s.all()
		if len(got) != 2 || got[1].Timestamp-got[0].Timestamp != 2*audioRate {
			t.Errorf("%d packets, %v", len(got), got)
		}
		l.Close()
		r.hub.Close()
	})
}

func TestSlowListenerLosesItsOwnSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		slow, quick := &sink{ssrc: 1, gate: make(chan struct{})}, &sink{ssrc: 2}
		a, b := r.listener(slow), r.listener(quick)
		r.send(30)
		if n := len(quick.all()); n != 30 {
			t.Errorf("the quick one got %d packets, want 30", n)
		}
		close(slow.gate)
		synctest.Wait()
		got := slow.all()
		if len(got) != maxIndependent+1 || got[len(got)-1].Payload[1] != 29 {
			t.Fatalf("the slow one got %d packets, want %d, the last of them the newest", len(got), maxIndependent+1)
		}
		// What it has lost is a gap, which the far end conceals.
		if gap, time := got[1].SequenceNumber-got[0].SequenceNumber, got[1].Timestamp-got[0].Timestamp; gap != 20 ||
			time != 20*960 {
			t.Errorf("a gap of %d packets and %d samples, want 20 and %d", gap, time, 20*960)
		}
		if r.lost(lostByListener) != 19 {
			t.Errorf("%v counted, want 19", r.lost(lostByListener))
		}
		a.Close()
		b.Close()
		r.hub.Close()
	})
}

func TestBrokenConnectionIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, broken := newRig(t), &sink{ssrc: 1}
		broken.broken.Store(true)
		l := r.listener(broken)
		r.send(4)
		if r.lost(lostByListener) != 4 {
			t.Errorf("%v counted, want 4", r.lost(lostByListener))
		}
		l.Close()
		r.hub.Close()
	})
}

// TestFollow: another device in the same section is the same track.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := &sink{ssrc: 1}
		l := r.listener(s)
		r.send(3)
		old := r.feed
		time.Sleep(100 * time.Millisecond)
		l.Close()
		<-old.closed
		other, err := r.hub.NewTrack(t.Context(), webrtc.RTPCodecTypeAudio, Stream{Device: "tail", Name: "audio"},
			"tail.audio")
		if err != nil {
			t.Fatal(err)
		}
		other.Follow(l)
		if _, err := other.Bind(s); err != nil {
			t.Fatal(err)
		}
		other.Start()
		other.Start() // flows already
		r.send(2)
		got := s.all()
		if len(got) != 5 {
			t.Fatalf("%d packets, want 5", len(got))
		}
		if got[3].SequenceNumber != got[2].SequenceNumber+1 || got[3].Timestamp != got[2].Timestamp+120*48 || !got[3].Marker {
			t.Errorf("%v follows %v", got[3].Header, got[2].Header)
		}
		other.Close()
		r.hub.Close()
	})
}

func TestGarbageFromTheBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := &sink{ssrc: 1}
		l := r.listener(s)
		bad := []func(*mediav1.AudioFrame){
			func(f *mediav1.AudioFrame) { f.Format = nil },
			func(f *mediav1.AudioFrame) { f.Format.MediaType = "audio/raw" },
			func(f *mediav1.AudioFrame) { f.Data = nil },
			func(f *mediav1.AudioFrame) { f.Data = make([]byte, codecs.Of("audio/opus").MaxFrame+1) },
			func(f *mediav1.AudioFrame) { f.Epoch = 0 },
			func(f *mediav1.AudioFrame) { f.Sequence = -1 },
			func(f *mediav1.AudioFrame) { f.SampleIndex = -1 },
			func(f *mediav1.AudioFrame) { f.SampleCount = 0 },
			func(f *mediav1.AudioFrame) { f.SampleCount = codecs.MaxOpusSamples + 1 },
		}
		for _, spoil := range bad {
			f := word(1, 0, 0)
			spoil(f)
			r.feed.frames <- f
		}
		r.send(2)
		if n := len(s.all()); n != 2 || r.lost(lostGarbage) != float64(len(bad)) {
			t.Errorf("%d packets, %v counted as garbage; want 2 and %d", n, r.lost(lostGarbage), len(bad))
		}
		l.Close()
		r.hub.Close()
	})
}

func TestFeedThatEnds(t *testing.T) {
	r := newRig(t)
	l := r.listener(&sink{ssrc: 1})
	close(r.feed.frames)
	<-r.feed.closed
	l.Close()
	r.hub.Close()
}

func TestListenerWithoutATrack(t *testing.T) {
	r := newRig(t)
	l, err := r.hub.NewTrack(r.t.Context(), webrtc.RTPCodecTypeAudio, head, "head.audio")
	if err != nil {
		t.Fatal(err)
	}
	l.Start() // nothing is negotiated
	if _, err := l.Bind(&sink{codecs: []webrtc.RTPCodecParameters{{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMU}}}}); !errors.Is(err, webrtc.ErrUnsupportedCodec) {
		t.Errorf("a peer without Opus: %v", err)
	}
	if l.ID() != "head.audio" || l.StreamID() != "head.audio" || l.RID() != "" || l.Kind() != webrtc.RTPCodecTypeAudio {
		t.Error("the track calls itself", l.ID(), l.StreamID(), l.RID(), l.Kind())
	}
	if err := l.Unbind(nil); err != nil {
		t.Error(err)
	}
	l.Close()
	r.hub.Close()
	refused := errors.New("no bus")
	h := NewHub(audioOf{open: func(Stream) (AudioFeed, error) { return nil, refused }}, Config{})
	if _, err := h.NewTrack(t.Context(), webrtc.RTPCodecTypeAudio, head, "x"); !errors.Is(err, refused) {
		t.Errorf("a stream that cannot be had: %v", err)
	}
}
