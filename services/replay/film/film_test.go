package film

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	long     = 20 * time.Second // for what should come at once
	interval = time.Second / 30
)

// yesterday is when the recordings of tests were made.
var yesterday = time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)

// recorded are frames of a camera with a key frame at every tenth.
var recorded = sync.OnceValue(func() []*mediav1.VideoFrame { return record(64, 48, 60) })

func record(width, height int, n int) (all []*mediav1.VideoFrame) {
	f := &mediav1.VideoFormat{MediaType: media.H264, WidthPx: int32(width), HeightPx: int32(height), FrameRateHz: 30}
	e, err := standard.Codecs().NewEncoder(f, codec.Options{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = e.Close() }()
	for i := range n {
		img := media.NewI420(width, height)
		for j := range img.Y {
			img.Y[j] = byte(16 + i*3)
		}
		at := yesterday.Add(time.Duration(i) * interval)
		packet, err := e.Encode(img, i%10 == 0, at)
		if err != nil {
			panic(err)
		}
		all = append(all, &mediav1.VideoFrame{Epoch: 5, Sequence: int64(i), CaptureTime: timestamppb.New(at), Format: f,
			KeyFrame: packet.Key, Data: packet.Data, Metadata: map[string]string{"n": fmt.Sprint(i)}})
	}
	return all
}

func message(t testing.TB, f *mediav1.VideoFrame) []byte {
	t.Helper()
	data, err := proto.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// with is a frame that is changed.
func with(f *mediav1.VideoFrame, change func(f *mediav1.VideoFrame)) *mediav1.VideoFrame {
	f = proto.CloneOf(f)
	change(f)
	return f
}

func newTestReel() *reel { return newReel(Config{}, slog.New(slog.DiscardHandler), func() {}) }

// seek goes to frame n of the recording.
func (r *reel) seek(t *testing.T, n int) {
	t.Helper()
	r.begins()
	for _, f := range recorded()[n/10*10 : n+1] {
		r.leads(message(t, f))
	}
	r.arrived(time.Now())
}

func (r *reel) play(t *testing.T, frames ...*mediav1.VideoFrame) {
	t.Helper()
	for _, f := range frames {
		r.message(message(t, f), time.Now())
	}
}

func TestSource(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) source.Source {
		r := newTestReel()
		r.seek(t, 12)
		s, err := r.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var feeding sync.WaitGroup
		feeding.Go(func() {
			tick := time.NewTicker(interval)
			defer tick.Stop()
			for n := 13; ; n++ {
				select {
				case <-tick.C:
					f := with(recorded()[n%60], func(f *mediav1.VideoFrame) {
						f.Sequence = int64(n)
						f.CaptureTime = timestamppb.New(yesterday.Add(time.Duration(n) * interval))
					})
					r.play(t, f)
				case <-stop:
					return
				}
			}
		})
		t.Cleanup(func() { close(stop); feeding.Wait() })
		return s
	})
}
