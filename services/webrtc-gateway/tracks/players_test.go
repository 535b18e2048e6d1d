package tracks

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
)

// What players that are not browsers need, and do.

// TestOneViewerThatIsNeverContent complains about each picture, twice. It gets key frames, but not all others do with
// it.
func TestOneViewerThatIsNeverContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		v := b.viewer(&sink{ssrc: 7})
		b.send(1, true)
		b.takeAsked()
		complain := []rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: 7}}
		const seconds = 20
		asked := 0
		for range 30 * seconds {
			v.HandleRTCP(complain)
			b.send(1, b.takeAsked() > 0)
			v.HandleRTCP(complain)
		}
		asked = b.requests
		if least, most := seconds/2, wishBurst+seconds/2+1; asked < least || asked > most {
			t.Errorf("%d key frames were asked for in %d s, want %d to %d", asked, seconds, least, most)
		}
		// The last wish is carried out, though nothing is said any more.
		b.send(90, false)
		if b.takeAsked() == 0 {
			t.Error("the last wish was lost")
		}
		b.send(1, true)
		b.send(90, false)
		if n := b.takeAsked(); n != 0 {
			t.Errorf("%d key frames were asked for after all wishes were carried out", n)
		}
		b.end(v)
	})
}

// TestLargePicturesArePaced: packets of a picture do not come in one burst, and others wait for nothing.
func TestLargePicturesArePaced(t *testing.T) {
	for _, tt := range []struct {
		bytes       int
		least, most time.Duration
	}{
		{3000, 0, time.Millisecond}, {150_000, 0, time.Millisecond}, {480_000, 50 * time.Millisecond, 80 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			b, s := newBench(t), &sink{ssrc: 7}
			v := b.viewer(s)
			b.feed.frames <- fakecam.Frame(b.epoch, 0, true, tt.bytes)
			begin := time.Now()
			for s.frames() == 0 {
				time.Sleep(time.Millisecond)
				synctest.Wait()
			}
			if took := time.Since(begin); took < tt.least || took > tt.most {
				t.Errorf("%d packets took %v, want %v to %v", len(s.all()), took, tt.least, tt.most)
			}
			b.end(v)
		})
	}
}

// TestClosedWhilePaced: a viewer that leaves in the middle of a large picture does not wait for its end.
func TestClosedWhilePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 7}
		v := b.viewer(s)
		b.feed.frames <- fakecam.Frame(b.epoch, 0, true, 4_000_000)
		time.Sleep(10 * time.Millisecond)
		begin := time.Now()
		b.end(v)
		if took := time.Since(begin); took > 0 {
			t.Errorf("the end took %v", took)
		}
	})
}

// TestLateViewerOfRareKeyFrames gets what was sent since the last key frame, however long ago, while new pictures come.
func TestLateViewerOfRareKeyFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 1}
		b.feed.never = true
		first := b.viewer(&sink{ssrc: 2})
		b.send(1200, true)
		late := b.viewer(s)
		b.send(120, false)
		if got := s.frames(); got != 1320 || !isKey(s.all()[0]) {
			t.Errorf("%d frames came, want 1320 from a key frame on", got)
		}
		s.checkUnbroken(t)
		b.end(first, late)
	})
}

// TestLostBeginningIsSentAgain: a browser may throw away what comes before it has read the answer, and the camera makes
// no key frame for it.
func TestLostBeginningIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 7}
		b.feed.never = true
		first := b.viewer(&sink{ssrc: 2})
		b.send(300, true)
		late := b.viewer(s)
		b.send(30, false)
		before := len(s.all())
		late.HandleRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: 7}})
		b.send(30, false)
		again := s.all()[before:]
		if !isKey(again[0]) {
			t.Fatal("the key frame was not sent again")
		}
		if want := 1 + 3*360; len(again) != want { // the parameter sets, and three packets a picture
			t.Errorf("%d packets came again, want %d", len(again), want)
		}
		s.checkUnbroken(t)
		// A packet that was sent again is the same when it is missed, though its picture went out twice.
		missed := again[len(again)-500]
		late.HandleRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{MediaSSRC: 7,
			Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{missed.SequenceNumber})}})
		if all := s.all(); all[len(all)-1].String() != missed.String() {
			t.Errorf("%v was sent again as %v", missed, all[len(all)-1])
		}
		// One that is never content does not get it again and again.
		before = len(s.all())
		for range 100 {
			late.HandleRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: 7}})
			b.send(1, false)
		}
		if n, most := s.frames()-before/3, 3*500; n > most {
			t.Errorf("%d pictures in 3 s for one that is never content, want %d at most", n, most)
		}
		b.end(first, late)
	})
}

// TestACameraThatObeysIsAsked: a viewer who lost a picture of a camera that compresses by itself has the camera asked.
// If its last key frame is recent, what followed comes again too, since the camera is not asked as often as one likes.
func TestACameraThatObeysIsAsked(t *testing.T) {
	for name, tt := range map[string]struct{ group, again int }{"recent": {20, 20}, "old": {100, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s := newBench(t), &sink{ssrc: 7}
				b.feed.asIs = true
				v := b.viewer(s)
				b.send(tt.group, true)
				asked, before := b.asked(), s.frames()
				v.HandleRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: 7}})
				synctest.Wait()
				if n := b.asked() - asked; n != 1 {
					t.Errorf("asked %d times, want 1", n)
				}
				b.send(1, true)
				if n := s.frames() - before - 1; n != tt.again {
					t.Errorf("%d pictures came again, want %d", n, tt.again)
				}
				s.checkUnbroken(t)
				b.end(v)
			})
		})
	}
}

// TestMissedIsSentFromLongAgo: a player may ask late, and again.
func TestMissedIsSentFromLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 7}
		v := b.viewer(s)
		b.send(200, true)
		sent := s.all()
		missed := sent[len(sent)-512]
		for range 2 {
			v.HandleRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{MediaSSRC: 7,
				Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{missed.SequenceNumber})}})
			time.Sleep(100 * time.Millisecond)
		}
		again := s.all()[len(sent):]
		if len(again) != 2 || again[0].String() != missed.String() || again[1].String() != missed.String() {
			t.Errorf("sent again: %v", again)
		}
		b.end(v)
	})
}
