package replay_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/testcard"
	"github.com/waldo-robot/waldo/recording/play"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
)

const (
	rate     = 30 // pictures a second
	interval = second / rate
)

// scene are some seconds of a camera at 2 Mbit/s, with a key frame a second.
func scene(b testing.TB, width, height, seconds int) (frames []*mediav1.VideoFrame) {
	b.Helper()
	format := &mediav1.VideoFormat{MediaType: media.H264, WidthPx: int32(width), HeightPx: int32(height),
		FrameRateHz: rate}
	e, err := standard.Codecs().NewEncoder(format, codec.Options{Bitrate: 2_000_000})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	card, err := testcard.New(width, height, testcard.Config{Animated: true})
	if err != nil {
		b.Fatal(err)
	}
	for n := range seconds * rate {
		at := recordingtest.Begin.Add(time.Duration(n) * interval)
		img := media.NewI420(width, height)
		card.Render(img, at, int64(n))
		packet, err := e.Encode(img, n%rate == 0, at)
		if err != nil {
			b.Fatal(err)
		}
		frames = append(frames, &mediav1.VideoFrame{Epoch: 5, Format: format, KeyFrame: packet.Key, Data: packet.Data})
	}
	return frames
}

// hour makes a recording of an hour of a camera.
func hour(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "hour.mcap")
	f, err := write.Create(path, write.Head{}, write.Config{QueueBytes: 2 << 30})
	if err != nil {
		b.Fatal(err)
	}
	video, err := f.Add(recordingtest.Video("front"))
	if err != nil {
		b.Fatal(err)
	}
	frames := scene(b, 1280, 720, 10)
	for n := range 3600 * rate {
		frame := frames[n%len(frames)]
		at := recordingtest.Begin.Add(time.Duration(n) * interval)
		frame.Sequence, frame.CaptureTime = int64(n), timestamppb.New(at)
		data, err := proto.Marshal(frame)
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Write(video, write.Message{Logged: at, Published: at, Key: frame.KeyFrame, Data: data}); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil || f.Lost() > 0 {
		b.Fatal(err, f.Lost())
	}
	b.Logf("the recording has %d MB", f.Written()>>20)
	return path
}

// BenchmarkRecordSeek goes to random places in a recording of an hour, and reports how long it takes from the player's
// word to the picture at the place, over gRPC.
func BenchmarkRecordSeek(b *testing.B) {
	path := hour(b)
	for range b.N {
		r := newRig(b)
		r.clock.Duration = time.Hour - interval
		p, conn := r.start(b, path, "front")
		ctx, cancel := context.WithTimeout(b.Context(), 2*patience)
		r.change(b, func(c *play.Clock) { c.Playing = true })
		awaitReady(ctx, b, conn)
		frames, err := camerav1.NewCameraServiceClient(conn).StreamFrames(ctx,
			&camerav1.StreamFramesRequest{Format: &mediav1.VideoFormat{MediaType: media.H264}})
		if err != nil {
			b.Fatal(err)
		}
		random := rand.New(rand.NewPCG(1, 2))
		var took []time.Duration
		for range 200 {
			place := time.Duration(random.Int64N(int64(59 * time.Minute)))
			shown := recordingtest.Begin.Add(place / interval * interval)
			begun := time.Now()
			r.seek(b, place)
			for {
				f, err := frames.Recv()
				if err != nil {
					b.Fatal(err)
				}
				at := f.GetFrame().GetCaptureTime().AsTime()
				if !at.Before(shown) && at.Before(shown.Add(second)) {
					break
				}
			}
			took = append(took, time.Since(begun))
		}
		report(b, took)
		cancel()
		p.Stop()
	}
}
