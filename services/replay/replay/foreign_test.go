package replay_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/foxglove/mcap/go/mcap"
	"google.golang.org/protobuf/proto"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/recording/play"
	"github.com/waldo-robot/waldo/recording/recordingtest"
)

// foreignVideo writes a file as another program does: pictures as foxglove.CompressedVideo, and nothing that is
// Waldo's.
func foreignVideo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "foreign.mcap")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := mcap.NewWriter(out, &mcap.WriterOptions{Chunked: true, Compression: mcap.CompressionZSTD, IncludeCRC: true})
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	c := recordingtest.Video("front")
	channel, schema, err := c.Records(0, 1)
	check(err)
	channel.Topic, channel.Metadata = "/camera/front", nil
	check(w.WriteHeader(&mcap.Header{}))
	check(w.WriteSchema(schema))
	check(w.WriteChannel(channel))
	for n, frame := range scene(t, 320, 240, 3) {
		at := recordingtest.Begin.Add(time.Duration(n) * interval)
		frame = &mediav1.VideoFrame{Data: frame.GetData(), Format: frame.GetFormat()} // all that the schema of others has
		data, err := proto.Marshal(frame)
		check(err)
		check(w.WriteMessage(&mcap.Message{LogTime: uint64(at.UnixNano()), PublishTime: uint64(at.UnixNano()),
			Data: c.Encode(nil, data)}))
	}
	check(w.Close())
	check(out.Close())
	return path
}

// TestForeign: pictures of another program's file are those of a camera, which is called as their topic.
func TestForeign(t *testing.T) {
	r := newRig(t)
	r.clock.Duration = 3*second - interval
	p, conn := r.start(t, foreignVideo(t), "camera-front")
	if d := p.Kit().Device(); d.GetKind() != "camera" || d.GetAttributes()["replay"] != "foreign.mcap" {
		t.Errorf("it is announced as %v", d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r.change(t, func(c *play.Clock) { c.Playing = true })
	awaitReady(ctx, t, conn)
	frames, err := camerav1.NewCameraServiceClient(conn).StreamFrames(ctx,
		&camerav1.StreamFramesRequest{Format: &mediav1.VideoFormat{MediaType: media.H264}})
	if err != nil {
		t.Fatal(err)
	}
	r.seek(t, 2*second)
	for {
		f, err := frames.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if at := f.GetFrame().GetCaptureTime().AsTime().Sub(recordingtest.Begin); at >= 2*second {
			if f.GetFrame().GetFormat().GetWidthPx() != 320 || f.GetFrame().GetReplayTime() == nil {
				t.Errorf("the picture is %v", f.GetFrame().GetFormat())
			}
			return
		}
	}
}
