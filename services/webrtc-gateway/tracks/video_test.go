package tracks

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/waldo-robot/waldo/pkg/rtp/origin"
)

func TestNewEpochGoesOnWithTheSameStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 7}
		v := b.viewer(s)
		b.send(5, true)
		b.restart()
		time.Sleep(time.Minute) // the device is away
		b.send(3, false)        // nothing but a key frame starts the new life
		if got := s.frames(); got != 5 {
			t.Errorf("%d frames were sent, want 5: delta frames of a new epoch start nothing", got)
		}
		if b.asked() == 0 {
			t.Error("no key frame was asked for")
		}
		b.send(5, true)
		if got := s.frames(); got != 10 {
			t.Errorf("%d frames were sent, want 10", got)
		}
		s.checkUnbroken(t)
		packets := s.all()
		var gap uint32
		for i := 1; i < len(packets); i++ {
			gap = max(gap, packets[i].Timestamp-packets[i-1].Timestamp)
		}
		if gap < 60*videoRate || gap > 61*videoRate {
			t.Errorf("the timestamps jump by %d over a minute, want that minute", gap)
		}
		b.end(v)
	})
}

func TestLossHoldsBackUntilAKeyFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 7}
		v := b.viewer(s)
		b.send(5, true)
		b.lose()
		b.send(4, false)
		if got := s.frames(); got != 5 {
			t.Errorf("%d frames were sent, want 5", got)
		}
		if b.asked() != 1 {
			t.Errorf("asked for %d key frames, want 1", b.asked())
		}
		b.send(1, true)
		if got := s.frames(); got != 6 || !isKey(s.all()[len(s.all())-2]) && !isKey(s.all()[len(s.all())-4]) {
			t.Errorf("%d frames were sent, want 6, the last one a key frame", got)
		}
		if b.lost(lostOnBus) != 1 || b.lost(lostUnusable) != 4 {
			t.Errorf("lost %d on the bus and %d unusable, want 1 and 4", b.lost(lostOnBus), b.lost(lostUnusable))
		}
		s.checkUnbroken(t)
		b.end(v)
	})
}

func TestNewViewerBeginsAtOnce(t *testing.T) {
	tests := []struct {
		name            string
		group           int // frames since the key frame
		never, asIs     bool
		replayed, asked int
	}{
		{"short group is replayed", 6, false, false, 6, 0},
		{"longest short group", shortGroup, false, false, shortGroup, 0},
		{"long group is not worth it", shortGroup + 1, false, false, 0, 1},
		{"long group without requests is replayed", 200, true, false, 200, 0},
		{"long group as the hardware makes it is replayed", 200, false, true, 200, 0},
		{"a group of 40 s without requests is replayed", 1200, true, false, 1200, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, first, second := newBench(t), &sink{ssrc: 1}, &sink{ssrc: 2}
				b.feed.never, b.feed.asIs = tt.never, tt.asIs
				v := b.viewer(first)
				b.send(tt.group, true)
				asked := b.asked()
				w := b.viewer(second)
				synctest.Wait()
				if got := second.frames(); got < min(tt.replayed, 10) {
					t.Errorf("%d frames were replayed at once", got)
				}
				time.Sleep(2 * time.Second) // many are sent at a pace
				if got := second.frames(); got != tt.replayed {
					t.Errorf("%d frames were replayed, want %d", got, tt.replayed)
				}
				if tt.replayed > 0 && !isKey(second.all()[0]) {
					t.Error("the replay does not begin with a key frame")
				}
				if got := b.asked() - asked; got != tt.asked {
					t.Errorf("%d key frames were asked for, want %d", got, tt.asked)
				}
				b.send(1, true)
				b.send(3, false)
				if got := second.frames(); got != tt.replayed+4 {
					t.Errorf("%d frames were sent, want %d", got, tt.replayed+4)
				}
				second.checkUnbroken(t)
				b.end(v, w)
			})
		})
	}
}

func TestKeyFrameRequestsAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var viewers []*Track
		for range 5 {
			viewers = append(viewers, b.viewer(&sink{ssrc: 7}))
		}
		b.send(1, true)
		begin := time.Now()
		for i := range 50 { // half a second of complaints, of both sorts
			v := viewers[i%len(viewers)]
			p := []rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: 7}}
			if i%2 == 1 {
				p = []rtcp.Packet{&rtcp.FullIntraRequest{MediaSSRC: 7}}
			}
			v.HandleRTCP(p)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		b.end(viewers...)
		close(b.feed.asked)
		var at []time.Duration
		for when := range b.feed.asked {
			at = append(at, when.Sub(begin))
		}
		want := []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond,
			400 * time.Millisecond,
			500 * time.Millisecond} // the last one is for those who came after 400 ms
		if fmt.Sprint(at) != fmt.Sprint(want) {
			t.Errorf("key frames were asked for at %v, want %v", at, want)
		}
	})
}

func TestStalledViewerLosesOnlyItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, good, bad := newBench(t), &sink{ssrc: 1}, &sink{ssrc: 2, gate: make(chan struct{})}
		v, w := b.viewer(good), b.viewer(bad)
		b.send(40, true)
		if got := good.frames(); got != 40 {
			t.Errorf("the good viewer got %d frames, want 40", got)
		}
		if b.lost(lostByViewer) == 0 {
			t.Error("no loss was counted")
		}
		if b.asked() != 0 {
			t.Error("a key frame was asked for while the stalled viewer could not have sent it")
		}
		close(bad.gate)
		synctest.Wait()
		before := bad.frames()
		b.send(1, false)
		if b.asked() != 1 {
			t.Errorf("%d key frames were asked for when the viewer was back, want 1", b.asked())
		}
		b.send(1, true)
		b.send(2, false)
		if got := bad.frames() - before; got != 3 {
			t.Errorf("the other got %d frames from the key frame on, want 3", got)
		}
		if got := bad.frames() + b.lost(lostByViewer); got != 44 {
			t.Errorf("frames sent and frames lost are %d together, want 44", got)
		}
		bad.checkUnbroken(t)
		b.end(v, w)
	})
}

// TestBrokenViewerBothersNobody has a connection that takes nothing for a minute.
func TestBrokenViewerBothersNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, good, bad := newBench(t), &sink{ssrc: 1}, &sink{ssrc: 2}
		v, w := b.viewer(good), b.viewer(bad)
		b.send(5, true)
		bad.broken.Store(true)
		total := 5
		for range 1800 { // a minute; the camera does as it is asked
			b.send(1, b.takeAsked() > 0)
			total++
		}
		if b.requests > 12 {
			t.Errorf("%d key frames were asked for in a minute, want one in 8 s or so", b.requests)
		}
		if got := good.frames(); got != total {
			t.Errorf("the good viewer got %d frames of %d", got, total)
		}
		bad.broken.Store(false)
		before := bad.frames()
		for range 300 {
			b.send(1, b.takeAsked() > 0)
		}
		if bad.frames() == before {
			t.Error("the other did not come back")
		}
		b.end(v, w)
	})
}

// A viewer that has another path gets pictures at once, however often the one before has failed.
func TestResumedViewerNeedNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		s := &sink{ssrc: 1}
		v := b.viewer(s)
		b.send(5, true)
		s.broken.Store(true)
		for range 600 { // 20 s, in which it failed so often that it would be left alone for 8 s
			b.send(1, b.takeAsked() > 0)
		}
		s.broken.Store(false)
		before := s.frames()
		v.Resume()
		synctest.Wait()
		for range 3 {
			b.send(1, b.takeAsked() > 0)
		}
		if got := s.frames() - before; got < 2 {
			t.Errorf("%d of 3 pictures came by the new path", got)
		}
		b.end(v)
	})
}

func TestResendIsTheSamePacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		s := &sink{ssrc: 7, extensions: []webrtc.RTPHeaderExtensionParameter{{URI: PlayoutDelayURI, ID: 3},
			{URI: AbsCaptureTimeURI, ID: 9}, {URI: origin.FrameURI, ID: 4}, {URI: origin.EpochURI, ID: 14}}}
		v := b.viewer(s)
		b.send(3, true)
		sent := s.all()
		first := sent[0]
		if got := first.GetExtension(3); fmt.Sprint(got) != "[0 0 0]" {
			t.Errorf("playout delay is % x, want 0 0 0", got)
		}
		var captured rtp.AbsCaptureTimeExtension
		if err := captured.Unmarshal(first.GetExtension(9)); err != nil || time.Since(captured.CaptureTime()) > time.Second {
			t.Errorf("capture time is %v (%v), want about now", captured.CaptureTime(), err)
		}
		from, ok := origin.IDs{Frame: 4, Epoch: 14}.Of(&first.Header)
		if !ok || from.Epoch != b.epoch || from.Sequence != 0 || time.Since(from.Captured) > time.Second {
			t.Errorf("the frame is said to be %v, %v", from, ok)
		}
		if sent[1].Extension {
			t.Error("a later packet of the frame has extensions as well")
		}
		v.HandleRTCP([]rtcp.Packet{
			&rtcp.TransportLayerNack{MediaSSRC: 7,
				Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{first.SequenceNumber, first.SequenceNumber + 1})},
			// never sent
			&rtcp.TransportLayerNack{MediaSSRC: 7, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{first.SequenceNumber - 1})},
			// not ours
			&rtcp.TransportLayerNack{MediaSSRC: 8, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{first.SequenceNumber})},
		})
		again := s.all()[len(sent):]
		if len(again) != 2 || again[0].String() != first.String() || again[1].String() != sent[1].String() {
			t.Errorf("sent again: %v, want the first two packets", again)
		}
		a, _ := first.Marshal()
		if c, _ := again[0].Marshal(); string(a) != string(c) {
			t.Error("the packet differs from the first one")
		}
		b.end(v)
	})
}

func TestFollowingViewerKeepsTheTrack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 7}
		v := b.viewer(s)
		b.send(5, true)
		v.Close()
		b.hub.Close()
		other := newBench(t)
		time.Sleep(time.Second)
		w, err := other.hub.NewTrack(t.Context(), webrtc.RTPCodecTypeVideo, front, "front")
		if err != nil {
			t.Fatal(err)
		}
		w.Follow(v)
		if _, err := w.Bind(s); err != nil {
			t.Fatal(err)
		}
		w.Start()
		other.send(5, true)
		if s.frames() != 10 {
			t.Errorf("%d frames, want 10", s.frames())
		}
		s.checkUnbroken(t)
		other.end(w)
	})
}

func TestLifeOfARelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		opened := 0
		b.from.open = func(Stream) (VideoFeed, error) { opened++; b.feed = newFeed(); return b.feed, nil }
		v, w := b.viewer(&sink{ssrc: 1}), b.viewer(&sink{ssrc: 2})
		if opened != 1 {
			t.Errorf("two viewers opened %d feeds, want 1", opened)
		}
		v.Close()
		v.Close() // more than once does no harm
		_ = v.Unbind(nil)
		synctest.Wait()
		select {
		case <-b.feed.closed:
			t.Error("the feed was closed while somebody looked")
		default:
		}
		w.Close()
		<-b.feed.closed
		again := b.viewer(&sink{ssrc: 3})
		if opened != 2 {
			t.Errorf("%d feeds were opened, want another for a viewer that came later", opened)
		}
		b.end(again)
		if n := testutil.ToFloat64(b.m.video.sources); n != 0 {
			t.Errorf("%v relays are left", n)
		}
	})
}

func TestFeedThatEndsLeavesViewersWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		v := b.viewer(&sink{ssrc: 1})
		close(b.feed.frames)
		<-b.feed.closed
		b.end(v)
	})
}
