package tracks

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/repair"
)

// asBrowsers have it: whoever sends transport-wide feedback goes on at a key frame.
var asBrowsers = []webrtc.RTPHeaderExtensionParameter{{URI: TransportURI, ID: 5}}

// missing asks for packets again.
func missing(ssrc webrtc.SSRC, seqs ...uint16) []rtcp.Packet {
	return []rtcp.Packet{&rtcp.TransportLayerNack{MediaSSRC: uint32(ssrc), Nacks: rtcp.NackPairsFromSequenceNumbers(seqs)}}
}

// last returns the sequence numbers of the packets that were sent last.
func (s *sink) last(n int) (seqs []uint16) {
	packets := s.all()
	for _, p := range packets[max(0, len(packets)-n):] {
		seqs = append(seqs, p.SequenceNumber)
	}
	return seqs
}

// different counts the packets that were sent once.
func (s *sink) different() int {
	seqs := make(map[uint16]bool)
	for _, p := range s.all() {
		seqs[p.SequenceNumber] = true
	}
	return len(seqs)
}

// TestStorm is a viewer that misses half of everything and asks for all of it with each picture: what is sent again
// stays within its share, the camera is asked for a key frame now and then, and another viewer notices nothing.
func TestStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, good, bad := newBench(t), &sink{ssrc: 1, extensions: asBrowsers}, &sink{ssrc: 2, extensions: asBrowsers}
		v, w := b.viewer(good), b.viewer(bad)
		b.send(1, true)
		b.takeAsked()
		const seconds = 20
		for range 30 * seconds {
			b.send(1, b.takeAsked() > 0)
			var lost []uint16
			for _, seq := range bad.last(100) {
				if seq%2 == 0 {
					lost = append(lost, seq)
				}
			}
			w.HandleRTCP(missing(2, lost...))
		}
		sent, again := bad.different(), len(bad.all())-bad.different()
		if most := sent / 3; again > most || again < sent/5 {
			t.Errorf("%d packets were sent, and %d again, want about a quarter", sent, again)
		}
		if most := wishBurst + seconds/2 + 1; b.requests > most {
			t.Errorf("%d key frames were asked for in %d s, want %d at most", b.requests, seconds, most)
		}
		if n, want := good.frames(), 30*seconds+1; n != want {
			t.Errorf("the other viewer got %d pictures, want %d", n, want)
		}
		if n := testutil.ToFloat64(b.m.video.refused.WithLabelValues("front", repair.Spent.String())); n == 0 {
			t.Error("the budget was never spent")
		}
		b.end(v, w)
	})
}

// TestRefusedIsRepaired: what is too old to be sent again is repaired by one key frame, which the viewer did not ask
// for.
func TestRefusedIsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 7, extensions: asBrowsers}
		v := b.viewer(s)
		b.send(1, true)
		b.send(20, false)
		time.Sleep(time.Second)
		before := len(s.all())
		v.HandleRTCP(missing(7, s.last(5)...))
		synctest.Wait()
		if n := b.takeAsked(); n != 1 || len(s.all()) != before {
			t.Errorf("%d packets were sent again, and %d key frames were asked for, want 0 and 1", len(s.all())-before, n)
		}
		b.send(20, false)
		if n := b.takeAsked(); n != 1 {
			t.Errorf("asked %d more times in 0.7 s without an answer, want once", n)
		}
		b.send(1, true)
		b.send(90, false)
		if n := b.takeAsked(); n != 0 {
			t.Errorf("%d key frames were asked for after one had come", n)
		}
		b.end(v)
	})
}

// TestNothingBeforeAKeyFrame: a browser goes on at a key frame, a player that waits does not.
func TestNothingBeforeAKeyFrame(t *testing.T) {
	for name, tt := range map[string]struct {
		extensions []webrtc.RTPHeaderExtensionParameter
		again      int
	}{"a browser": {asBrowsers, 0}, "one that waits": {nil, 3}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s := newBench(t), &sink{ssrc: 7, extensions: tt.extensions}
				v := b.viewer(s)
				b.send(3, true)
				lost := s.last(3)
				b.send(1, true)
				before := len(s.all())
				v.HandleRTCP(missing(7, lost...))
				synctest.Wait()
				if n := len(s.all()) - before; n != tt.again {
					t.Errorf("%d packets were sent again, want %d", n, tt.again)
				}
				if n := b.takeAsked(); n != 0 {
					t.Errorf("%d key frames were asked for", n)
				}
				b.end(v)
			})
		})
	}
}
