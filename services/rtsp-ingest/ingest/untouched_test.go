package ingest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

var onBus = bus.Address{Robot: "test", Device: "ball"}

// awaitStreams waits until a device that is ready has these streams, each with its media types, and "asked" if it makes
// key frames on request, and says so of whether its pictures are passed through. The two change one after the other.
func awaitStreams(t *testing.T, conn *bus.Conn, want, passes string) {
	t.Helper()
	sub, err := bus.Subscribe[*devicev1.Device](conn, onBus.State(), stream.Latest())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, now := "", ""
	for {
		d, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("the streams are %q, want %q; passes is %q, want %q: %v", got, want, now, passes, err)
		}
		var list []string
		for _, s := range d.GetStreams() {
			if !strings.HasPrefix(s.GetName(), "video") {
				continue
			}
			text := fmt.Sprint(s.GetName(), s.GetMediaTypes())
			if s.GetKeyFrameOnRequest() {
				text += " asked"
			}
			list = append(list, text)
		}
		got, now = strings.Join(list, ", "), d.GetAttributes()["passes"]
		if d.GetState() == devicev1.DeviceState_DEVICE_STATE_READY && got == want && strings.HasPrefix(now, passes) {
			return
		}
	}
}

// encodedStreams are the streams that every camera has, because they are always encoded.
const encodedStreams = ", video-jpeg[image/jpeg] asked, video-small[video/H264] asked, video-vp8-small[video/VP8] asked"

// Streams name what they carry of what the camera sends: H.265 as it is, unless browsers could not show it.
func TestStreamsOfEachCamera(t *testing.T) {
	const encoded = "video[video/H264] asked, video-vp8[video/VP8] asked"
	for clip, tt := range map[string]struct{ streams, passes string }{
		"high.h264":    {"video[video/H264], video-vp8[video/VP8] asked", "yes"},
		"bframes.h264": {encoded, ""}, // which shows in the pictures that follow
		"plain.h265":   {encoded + ", video-h265[video/H265]", "to browsers that play H.265"},
		"bframes.h265": {encoded, "no, encoded again while somebody watches: the camera sends B-frames"},
		"plain.m4v":    {encoded, "no, encoded again while somebody watches: browsers do not play MPEG-4"},
	} {
		t.Run(clip, func(t *testing.T) {
			fake := fakecam.Start(t, fakecam.Config{Tracks: []fakecam.Track{{Media: fakecam.Clip(clip)}}})
			_, conn := startOnBus(t, at(fake.URL()))
			awaitStreams(t, conn, tt.streams+encodedStreams, tt.passes)
		})
	}
}

// slicesOf returns the coded units of a picture, without parameter sets and messages.
func slicesOf(units [][]byte) (coded [][]byte) {
	for _, unit := range units {
		if unit[0]>>1&0x3f < 32 {
			coded = append(coded, unit)
		}
	}
	return coded
}

// What is published as H.265 is what the camera sent, from a key frame on and without a gap. After one, which a busy
// machine may make, it goes on with a key frame.
func TestH265IsPublishedUntouched(t *testing.T) {
	clip := fakecam.Clip("plain.h265")
	fake := fakecam.Start(t, fakecam.Config{Tracks: []fakecam.Track{{Media: clip}}})
	_, conn := startOnBus(t, at(fake.URL()))
	sub, err := bus.Subscribe[*mediav1.VideoFrame](conn, onBus.Out("video-h265"), stream.DropOldest(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	hold := conn.Hold(onBus, "video-h265", "test")
	defer hold.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	at := -1 // in the clip
	for n := 0; n < 2*len(clip.Units); n++ {
		f, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got := slicesOf(slices.Collect(annexb.NALs(f.GetData())))
		is := func(u fakecam.Unit) bool { return slices.EqualFunc(slicesOf(u.Data), got, bytes.Equal) }
		if n == 0 || f.GetKeyFrame() && !is(clip.Units[at%len(clip.Units)]) {
			n, at = 0, slices.IndexFunc(clip.Units, is)
		}
		if f.GetFormat().GetMediaType() != media.H265 || at < 0 || !is(clip.Units[at%len(clip.Units)]) ||
			n == 0 && !f.GetKeyFrame() || f.GetSequence() < int64(n) {
			t.Fatalf("frame %d (key frame %v, sequence %d) is not what the camera sent", n, f.GetKeyFrame(), f.GetSequence())
		}
		at++
	}
}
