package gateway_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// pulse is a feed that gives one frame for each token.
type pulse struct {
	frames chan *mediav1.VideoFrame
}

func (p pulse) Next(ctx context.Context) (*mediav1.VideoFrame, error) {
	select {
	case f := <-p.frames:
		return f, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
func (pulse) RequestKeyFrame(context.Context) error { return nil }
func (pulse) KeyFrames() tracks.KeyFrames           { return tracks.KeyFrames{OnRequest: true} }
func (pulse) Close()                                {}

// one is a camera with one feed.
type one struct {
	tracks.Devices // there is no sound
	feed           tracks.VideoFeed
}

func (o one) Video(tracks.Stream) (tracks.VideoFeed, error) { return o.feed, nil }
func (o one) Carriers(s tracks.Stream) ([]tracks.Carrier, <-chan struct{}) {
	return []tracks.Carrier{{Stream: s}}, nil
}

// BenchmarkHop is the way of one frame of 2 Mbit/s (8333 bytes) from its arrival through SRTP and the socket to the
// viewer.
func BenchmarkHop(b *testing.B) {
	feed := pulse{make(chan *mediav1.VideoFrame)}
	hub := tracks.NewHub(one{feed: feed}, tracks.Config{})
	engine, err := rtc.NewEngine(hub, rtc.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer hub.Close()
	defer func() { _ = engine.Close() }()
	viewer, err := watcher.New(1, 1000)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = viewer.Close() }()
	connect(b, engine, viewer)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	picture := fakecam.Frame(1, 0, true, 8333)
	frame := func(i int) {
		feed.frames <- &mediav1.VideoFrame{
			Epoch: 1, Sequence: int64(i), KeyFrame: i == 0, Data: picture.GetData(), Format: picture.GetFormat(),
			CaptureTime: timestamppb.Now(),
		}
		for {
			p, err := viewer.Packet(ctx)
			if err != nil {
				b.Fatal(err)
			}
			if p.Marker {
				return
			}
		}
	}
	frame(0)
	i := 1
	for b.Loop() {
		frame(i)
		i++
	}
}

func connect(b testing.TB, engine *rtc.Engine, viewer *watcher.Watcher) {
	b.Helper()
	offer, err := viewer.Offer(nil)
	if err != nil {
		b.Fatal(err)
	}
	peer, err := engine.NewPeer(nil)
	if err != nil {
		b.Fatal(err)
	}
	answer, err := peer.Answer(context.Background(), offer,
		[]rtc.Track{{MID: "0", Stream: tracks.Stream{Device: "front", Name: "video"}}})
	if err != nil {
		b.Fatal(err)
	}
	if err := viewer.Accept(answer); err != nil {
		b.Fatal(err)
	}
	<-viewer.Connected
}
