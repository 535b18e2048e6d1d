package rtsp_test

import (
	"errors"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media/picture"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtsp"
)

// unknown are behaviours of pictures that package rtp cannot assemble.
var unknown = map[string]bool{"jpeg-q-110": true}

// TestBehaviours: every camera that is known shows pictures, or the error says what to do.
func TestBehaviours(t *testing.T) {
	for _, b := range fakecam.Behaviours() {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			if b.Group > 30 { // nothing of these depends on time
				b.Config.Speed = 4
			}
			camera := fakecam.Start(t, b.Config)
			config := configFor(t, camera)
			over := b.Config.Transport
			config.UDP = over.NoUDP || over.SilentUDP || over.TCPForUDP || over.MaxPacket > 0
			config.Limits.UDP = patience(b.Config)
			conn, err := rtsp.Open(soon(t), config)
			if err != nil {
				if e, ok := errors.AsType[*feed.Error](err); !ok || !b.Dark && !unknown[b.Name] {
					t.Fatalf("%#v: %v", e, err)
				}
				return
			}
			v := run(t, conn)
			if b.Dark || unknown[b.Name] {
				return
			}
			shown := picture.New(v.Video().MediaType, v.Video().ParameterSets)
			for n, over := 0, soon(t); n < 10; {
				select {
				case p := <-v.pictures:
					if _, ok := shown.Picture(p, p.Arrival); ok {
						n++
					}
				case <-over.Done():
					t.Fatalf("%d pictures could be shown: %s", n, shown.State().Waits)
				}
			}
			if err := v.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLater: what shows only in the middle of a stream does not end it.
func TestLater(t *testing.T) {
	for _, name := range []string{"type-changes", "bye", "foreign-channel", "foreign-twin", "answers-within",
		"time-by-pair"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, ok := fakecam.BehaviourNamed(name)
			if !ok {
				t.Fatal("there is no such behaviour")
			}
			v := view(t, configFor(t, fakecam.Start(t, b.Config)))
			shown := picture.New(v.Video().MediaType, v.Video().ParameterSets)
			first, over := time.Time{}, soon(t)
			for {
				select {
				case p := <-v.pictures:
					if _, ok := shown.Picture(p, p.Arrival); !ok {
						continue
					}
					if first.IsZero() {
						first = p.Arrival
					}
					if p.Arrival.Sub(first) > 2500*time.Millisecond {
						return
					}
				case err := <-v.ended:
					t.Fatal("it ended: ", err)
				case <-over.Done():
					t.Fatalf("no pictures any more: %s", shown.State().Waits)
				}
			}
		})
	}
}

// TestNothingIsLost: nothing is damaged or lost where the camera only counts in its own way.
func TestNothingIsLost(t *testing.T) {
	for _, name := range []string{"time-by-packet", "numbers-stand", "numbers-by-picture", "padding", "padding-wrong",
		"extensions", "mtap", "stap-b", "h265-numbered", "h265-paci", "delimiters", "fragment-small", "foreign-repairs",
		"foreign-type", "garbage"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, ok := fakecam.BehaviourNamed(name)
			if !ok {
				t.Fatal("there is no such behaviour")
			}
			b.Config.Speed = 4
			v := view(t, configFor(t, fakecam.Start(t, b.Config)))
			last := next(t, v.pictures)
			for range 50 {
				p := next(t, v.pictures)
				if p.Damaged || p.Missing || p.Restart || (p.Time-last.Time-40*time.Millisecond).Abs() > time.Millisecond {
					t.Fatalf("%v after the last one; damaged %v, missing %v, restart %v", p.Time-last.Time, p.Damaged,
						p.Missing, p.Restart)
				}
				last = p
			}
		})
	}
}
