package connect

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/video/source"
)

// drifting is a camera whose clock is not the robot's, at the far end of a network that is sometimes busy.
type drifting struct {
	ppm   float64 // by how many millionths its clock is slow
	began time.Time
	network
}

// network delays pictures, and keeps their order.
type network struct {
	random  *rand.Rand
	arrived time.Time // the last picture
}

// arrival is when a picture comes that was sent at a time: after some milliseconds, now and then after a burst.
func (n *network) arrival(sent time.Time) time.Time {
	delay := 3*time.Millisecond + time.Duration(n.random.ExpFloat64()*float64(4*time.Millisecond))
	if n.random.IntN(50) == 0 {
		delay += 50*time.Millisecond + time.Duration(n.random.Int64N(int64(250*time.Millisecond)))
	}
	if at := sent.Add(delay); at.After(n.arrived) {
		n.arrived = at
	}
	return n.arrived
}

// captured is when the camera captured a picture, on the robot's clock.
func (c *drifting) captured(i int) time.Time {
	return c.began.Add(time.Duration(float64(i) * float64(interval) * (1 + c.ppm/1e6)))
}

func (c *drifting) Video() feed.Track             { return feed.Track{MediaType: media.H264} }
func (c *drifting) Attributes() map[string]string { return nil }
func (c *drifting) Close() error                  { return nil }

func (c *drifting) Run(ctx context.Context, to feed.Receiver) error {
	c.began = time.Now()
	for i := 0; ; i++ {
		select {
		case <-time.After(time.Until(c.arrival(c.captured(i)))):
		case <-ctx.Done():
			return nil
		}
		to.Picture(feed.Picture{MediaType: media.H264, Time: time.Duration(i) * interval, Arrival: time.Now()})
	}
}

// ages are those of pictures in ms: in truth, and by their capture times.
type ages struct{ true, told []float64 }

func quantile(of []float64, q float64) float64 {
	return slices.Sorted(slices.Values(of))[int(q*float64(len(of)-1))]
}

// watch takes pictures for an hour, and returns the ages of some at its beginning and at its end.
func (c *drifting) watch(t *testing.T, s source.Source) (first, last ages) {
	t.Helper()
	const (
		hour  = int(time.Hour / interval)
		few   = int(3 * time.Minute / interval)
		begin = int(time.Minute / interval) // by then the clock is known
	)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	if err := s.Capture(ctx, func(f source.Frame) {
		of := &last
		switch n += 1 + f.Lost; {
		case n >= hour:
			cancel()
		case n < begin, n > begin+few && n < hour-few:
			return
		case n <= begin+few:
			of = &first
		}
		now := time.Now()
		of.true = append(of.true, ms(now.Sub(c.captured(n-1))))
		of.told = append(of.told, ms(now.Sub(f.Time)))
	}); err != nil {
		t.Fatal(err)
	}
	return first, last
}

// TestAnHourLater: pictures are as old after an hour as in its first minutes, and their capture times say so.
func TestAnHourLater(t *testing.T) {
	const (
		most  = 5.0 // ms that they may become older
		wrong = 1.0 // ms by which their times may say something else
	)
	for _, ppm := range []float64{-300, 300} {
		t.Run(fmt.Sprintf("%v ppm", ppm), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				camera := &drifting{ppm: ppm, network: network{random: rand.New(rand.NewPCG(1, uint64(ppm+1000)))}}
				l := New(Config{Dial: func(context.Context) (feed.Conn, error) { return camera, nil }, Policy: doubling,
					Pictures: func(feed.Track) Pictures { return &pictures{} }})
				defer l.Close()
				s, err := l.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				first, last := camera.watch(t, s)
				for _, q := range []float64{0.5, 0.9} {
					truth := quantile(last.true, q) - quantile(first.true, q)
					told := quantile(last.told, q) - quantile(first.told, q)
					t.Logf("p%.0f: %.1f ms, by their times %.1f; an hour later %+.2f and %+.2f", 100*q, quantile(first.true, q),
						quantile(first.told, q), truth, told)
					if truth > most || math.Abs(told-truth) > wrong {
						t.Errorf("p%.0f: an hour later pictures are %.1f ms older, by their times %.1f", 100*q, truth, told)
					}
				}
				if st := l.Status(); st.Connects != 1 || st.State != Connected {
					t.Errorf("after an hour %+v", st)
				}
			})
		})
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
