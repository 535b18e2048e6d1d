package tracks

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
)

var frontSmall = Stream{Device: "front", Name: "video-small"}

// pair is a bench whose device has a small version of its stream, too. The test sends the frames of both.
type pair struct {
	*bench
	small    *fakeFeed // the newest one
	opened   int       // how often the small version was opened
	smallSeq int64
}

func newPair(t *testing.T) *pair {
	p := &pair{bench: newBench(t)}
	p.from.open = func(s Stream) (VideoFeed, error) {
		if s == front {
			return p.feed, nil
		}
		p.opened++
		p.small, p.smallSeq = newFeed(), 0
		return p.small, nil
	}
	return p
}

// sendBoth gives frames to both sources, as far as they have receivers, captured together.
func (p *pair) sendBoth(n int, key, smallKey bool) {
	for i := range n {
		p.feed.offer(fakecam.Frame(p.epoch, p.seq, key && i == 0, 3000))
		p.small.offer(fakecam.Frame(p.epoch, p.smallSeq, smallKey && i == 0, 500))
		p.seq, p.smallSeq = p.seq+1, p.smallSeq+1
		time.Sleep(33 * time.Millisecond)
		synctest.Wait()
	}
}

// offer gives the feed a frame, unless nobody wants it any longer.
func (f *fakeFeed) offer(frame *mediav1.VideoFrame) {
	select {
	case f.frames <- frame:
	case <-f.closed:
	}
}

func (p *pair) change(v *Track, s Stream, keysOnly bool) {
	p.t.Helper()
	if err := v.Send(p.t.Context(), s, keysOnly); err != nil {
		p.t.Fatal(err)
	}
	synctest.Wait()
}

func expectFrames(t *testing.T, s *sink, want int) {
	t.Helper()
	if got := s.frames(); got != want {
		t.Fatalf("%d frames, want %d", got, want)
	}
}

func TestChangeAtKeyFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPair(t), &sink{}
		v := p.viewer(s)
		defer p.end(v)
		p.send(5, true)
		p.change(v, frontSmall, false)
		p.change(v, frontSmall, false)
		if p.opened != 1 || v.Sending() != front {
			t.Fatalf("opened %d times, %v is sent", p.opened, v.Sending())
		}
		p.sendBoth(3, false, false) // no key frame of the small version yet: the stream goes on
		expectFrames(t, s, 8)
		p.sendBoth(3, false, true)
		if v.Sending() != frontSmall {
			t.Errorf("%v is sent", v.Sending())
		}
		packets := s.all()
		if !isKey(packets[len(packets)-4]) { // the key frame has two packets, the others one
			t.Error("the small version does not begin with a key frame")
		}
		s.checkUnbroken(t)
		checkEven(t, s)
		select {
		case <-p.feed.closed:
		default:
			t.Error("the stream is held although nobody gets it")
		}
	})
}

// checkEven sees to it that the timestamps of frames are as far apart as their captures.
func checkEven(t *testing.T, s *sink) {
	t.Helper()
	last := uint32(0)
	for i, p := range s.all() {
		if p.Marker {
			// 33 ms at 90 kHz, or the same picture from another source
			if d := int32(p.Timestamp - last); last != 0 && (d < 2960 || d > 2980) && d != 1 {
				t.Errorf("packet %d: timestamps %d apart", i, d)
			}
			last = p.Timestamp
		}
	}
}

// TestChangeAsksForKeyFrame has a source that others receive asked for a key frame, and not begin with what they have.
func TestChangeAsksForKeyFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPair(t), &sink{}
		v := p.viewer(s)
		other, err := p.hub.NewTrack(t.Context(), webrtc.RTPCodecTypeVideo, frontSmall, "front")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Bind(&sink{}); err != nil {
			t.Fatal(err)
		}
		other.Start()
		defer p.end(v, other)
		p.sendBoth(5, true, true)
		if len(p.small.asked) != 0 {
			t.Fatal("a key frame was asked for")
		}
		p.change(v, frontSmall, false)
		if len(p.small.asked) != 1 {
			t.Errorf("%d key frames were asked for", len(p.small.asked))
		}
		p.sendBoth(1, false, false)
		expectFrames(t, s, 6)
		if v.Sending() != front {
			t.Errorf("%v is sent before its key frame", v.Sending())
		}
		p.sendBoth(1, false, true)
		if v.Sending() != frontSmall {
			t.Errorf("%v is sent", v.Sending())
		}
		s.checkUnbroken(t)
	})
}

// TestChangeBack returns to the stream, and takes back a change before it has happened.
func TestChangeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPair(t), &sink{}
		v, other := p.viewer(s), p.viewer(&sink{})
		defer p.end(v, other)
		p.send(3, true)
		p.change(v, frontSmall, false)
		p.change(v, front, false)
		select {
		case <-p.small.closed:
		default:
			t.Error("the small version is still held")
		}
		p.change(v, frontSmall, false)
		p.sendBoth(2, false, true)
		if v.Sending() != frontSmall {
			t.Fatalf("%v is sent", v.Sending())
		}
		p.change(v, front, false)
		p.sendBoth(2, false, false)
		p.sendBoth(2, true, false)
		if v.Sending() != front {
			t.Fatalf("%v is sent", v.Sending())
		}
		p.send(2, false)
		if n := s.frames(); n < 11 || n > 13 { // at each change, the same picture may be sent of both
			t.Errorf("%d frames", n)
		}
		s.checkUnbroken(t)
		checkEven(t, s)
	})
}

func TestKeyFramesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPair(t), &sink{}
		v := p.viewer(s)
		defer p.end(v)
		p.send(10, true)
		p.change(v, front, true)
		p.send(20, false)
		expectFrames(t, s, 10)
		if n := p.takeAsked(); n != 0 {
			t.Fatalf("%d key frames were asked for", n)
		}
		p.send(50, false)
		if n := p.takeAsked(); n == 0 {
			t.Fatal("no key frame was asked for in 2 s")
		}
		p.send(1, true)
		expectFrames(t, s, 11)
		p.change(v, front, false)
		p.send(3, false) // they continue from pictures that the viewer has not got
		expectFrames(t, s, 11)
		p.send(3, true)
		expectFrames(t, s, 14)
		s.checkUnbroken(t)
	})
}

// TestChangeDropsTheRest leaves out what is queued of the source before.
func TestChangeDropsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPair(t), &sink{gate: make(chan struct{}, 1000)}
		v := p.viewer(s)
		defer p.end(v)
		for range 3 { // the packets of one frame
			s.gate <- struct{}{}
		}
		p.send(5, true)
		p.change(v, frontSmall, false)
		p.sendBoth(2, false, true)
		for range 990 {
			s.gate <- struct{}{}
		}
		synctest.Wait()
		p.sendBoth(1, false, false)
		if v.Sending() != frontSmall || s.frames() > 5 {
			t.Errorf("%v is sent, %d frames", v.Sending(), s.frames())
		}
		s.checkUnbroken(t)
	})
}

// TestNoChange does nothing before the start and after the end.
func TestNoChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		v, err := p.hub.NewTrack(t.Context(), webrtc.RTPCodecTypeVideo, front, "front")
		if err != nil {
			t.Fatal(err)
		}
		p.change(v, frontSmall, false)
		p.end(v)
		p.change(v, frontSmall, false)
		if p.opened != 0 {
			t.Error("the small version was opened")
		}
	})
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPair(t), &sink{}
		release, err := p.hub.Hold(t.Context(), frontSmall)
		if err != nil {
			t.Fatal(err)
		}
		v := p.viewer(s)
		p.change(v, frontSmall, false)
		p.sendBoth(2, true, true)
		p.end(v)
		release()
		synctest.Wait()
		if p.opened != 1 {
			t.Errorf("opened %d times", p.opened)
		}
		<-p.small.closed
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		v := p.viewer(&sink{})
		defer p.end(v)
		p.send(20, true)
		if got := v.Rate(); got != 0 {
			t.Errorf("%d bit/s after %v", got, 20*33*time.Millisecond)
		}
		p.send(50, false)
		if got := v.Rate(); got < 700_000 || got > 760_000 { // 3000 bytes each 33 ms
			t.Errorf("%d bit/s", got)
		}
	})
}
