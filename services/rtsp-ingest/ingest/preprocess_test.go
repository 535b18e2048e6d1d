package ingest

import (
	"context"
	"testing"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/video/openh264"
	"github.com/waldo-robot/waldo/video/preprocess"
)

// H.264 of a camera, which would pass through, is decoded for a command, and encoded again.
func TestPreprocess(t *testing.T) {
	fake := fakecam.Start(t, fakecam.Config{Tracks: []fakecam.Track{{Media: fakecam.Clip("high.h264")}}})
	config := at(fake.URL())
	config.Preprocess = preprocess.Command{
		Line: `exec perl -e '$n = 3 * $ENV{FRAME_WIDTH} * $ENV{FRAME_HEIGHT}; $| = 1; ` +
			`print "\0" x $n while read(STDIN, $_, $n)'`}
	_, conn := startOnBus(t, config)
	awaitStreams(t, conn, "video[video/H264] asked, video-vp8[video/VP8] asked"+encodedStreams,
		"no, encoded again")
	sub, err := bus.Subscribe[*mediav1.VideoFrame](conn, onBus.Out("video"), stream.DropOldest(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	hold := conn.Hold(onBus, "video", "test")
	defer hold.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	decoder := openh264.NewDecoder()
	defer decoder.Close()
	for {
		f, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("no picture was changed: %v", err)
		}
		img, err := decoder.Decode(f.GetData())
		if err != nil {
			t.Fatal(err)
		}
		if img != nil && img.Y[len(img.Y)/2] < 32 && img.Y[len(img.Y)/3] < 32 && img.Y[0] < 32 {
			return // black
		}
	}
}
