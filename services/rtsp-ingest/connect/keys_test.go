package connect

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// askable is a connection that can be asked for key frames.
type askable struct {
	feed.Conn
	ask func(context.Context) error
}

func (c *askable) KeyFrameWays() []feed.Way { return []feed.Way{{Name: "knock", Ask: c.ask}} }

// rare are pictures with a key frame each 3 s, which after a loss are not shown any more.
type rare struct{ pictures }

func (*rare) Remarks() Remarks {
	return Remarks{Waits: "the next key frame", KeyInterval: 3 * time.Second}
}

// How far apart key frames are is known, and a camera whose pictures cannot be shown without one is asked for it.
func TestKeyFramesAreAskedForAfterALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &camera{scripts: []script{{pictures: -1, damaged: 3}}, made: time.Now()}
		asked := make(chan struct{}, 100)
		metrics := prometheus.NewRegistry()
		l := New(Config{
			Policy: Policy{Delay: time.Second, Backoff: 1, MaxDelay: time.Second}, Metrics: metrics,
			Dial: func(ctx context.Context) (feed.Conn, error) {
				conn, err := c.dial(ctx)
				return &askable{conn, func(context.Context) error { asked <- struct{}{}; return nil }}, err
			},
			Pictures: func(feed.Track) Pictures { return &rare{} },
		})
		defer l.Close()
		s, err := l.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		gathered, err := metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		seconds := 0.0
		for _, f := range gathered {
			if f.GetName() == "waldo_ingest_key_frame_interval_seconds" {
				seconds = f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		if seconds != 3 {
			t.Errorf("key frames are %v s apart, want 3", seconds)
		}
		begin := time.Now()
		<-asked
		if took := time.Since(begin); took > 3*interval {
			t.Errorf("asked %v after the first picture, want at the first loss", took)
		}
	})
}
