package fakecam

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

// A camera whose viewer was too busy to read sends what has become due meanwhile, so that its pictures do not stay old.
func TestInsta360KeepsToTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewInsta360Pipe(Insta360Config{})
		defer c.Close()
		viewer, err := c.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer viewer.Close()
		start := time.Now()
		if _, err := viewer.Write(wire.Packet{Kind: wire.Message, Code: wire.StartLiveStream}.Append(nil)); err != nil {
			t.Fatal(err)
		}
		in := wire.NewReader(viewer)
		for n := 0; n < 100; {
			p, err := in.Next()
			if err != nil {
				t.Fatal(err)
			}
			if p.Kind != wire.Stream {
				continue
			}
			n++
			captured := time.Duration(p.Time-firstTime) * time.Millisecond
			switch late := time.Since(start) - captured; {
			case n == 10:
				time.Sleep(2 * time.Second)
			case late < 0, n < 10 && late != 0, n > 65 && late != 0:
				t.Errorf("picture %d of %v is %v late", n, captured, late)
			}
		}
	})
}
