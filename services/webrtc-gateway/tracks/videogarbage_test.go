package tracks

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
)

func TestOnlyKnownCodecsAreBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		v, err := b.hub.NewTrack(b.t.Context(), webrtc.RTPCodecTypeVideo, front, "front")
		if err != nil {
			t.Fatal(err)
		}
		av1, opus := h264, h264
		av1.MimeType, opus.MimeType = webrtc.MimeTypeAV1, webrtc.MimeTypeOpus
		if _, err := v.Bind(&sink{codecs: []webrtc.RTPCodecParameters{av1, opus}}); !errors.Is(err,
			webrtc.ErrUnsupportedCodec) {
			t.Errorf("bound to AV1 or sound: %v", err)
		}
		if c, err := v.Bind(&sink{codecs: []webrtc.RTPCodecParameters{av1, h264}}); err != nil ||
			c.PayloadType != h264.PayloadType {
			t.Errorf("bound to %v: %v", c, err)
		}
		b.end(v)
	})
}

// oddFrames are frames that no camera should send; they must be counted and do no harm.
func oddFrames() []*mediav1.VideoFrame {
	good := func(change func(*mediav1.VideoFrame)) *mediav1.VideoFrame {
		f := fakecam.Frame(1, 1, true, 3000)
		change(f)
		return f
	}
	return []*mediav1.VideoFrame{
		{},
		good(func(f *mediav1.VideoFrame) { f.Epoch = 0 }),
		good(func(f *mediav1.VideoFrame) { f.Sequence = -1 }),
		good(func(f *mediav1.VideoFrame) { f.Data = nil }),
		good(func(f *mediav1.VideoFrame) { f.Format = nil }),
		good(func(f *mediav1.VideoFrame) { f.Format.MediaType = "image/jpeg" }),
	}
}

func TestGarbageIsCountedAndIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 7}
		v := b.viewer(s)
		for _, f := range oddFrames() {
			b.feed.frames <- f
		}
		synctest.Wait()
		if got := b.lost(lostGarbage); got != len(oddFrames()) {
			t.Errorf("%d frames were counted as garbage, want %d", got, len(oddFrames()))
		}
		b.send(2, true)
		if s.frames() != 2 {
			t.Errorf("%d frames after the garbage, want 2", s.frames())
		}
		b.end(v)
	})
}

func FuzzFrame(f *testing.F) {
	for _, vf := range append(oddFrames(), fakecam.Frame(1, 0, true, 3000)) {
		f.Add(vf.GetEpoch(), vf.GetSequence(), vf.GetKeyFrame(), vf.GetCaptureTime().GetSeconds(),
			vf.GetFormat().GetMediaType(), vf.GetData())
	}
	f.Add(int64(1), int64(1<<62), true, int64(-1<<62), "video/H264", []byte{0, 0, 1, 0, 0, 1, 0x67, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, epoch, seq int64, key bool, seconds int64, mediaType string, data []byte) {
		m := NewMetrics(prometheus.NewRegistry()).of(webrtc.RTPCodecTypeVideo, "front")
		r := newVideo(newFeed(), newFan(front, m, NewHub(nil, Config{}).log), newProfiles())
		s := &sink{ssrc: 7}
		b := newBinding(s, 102, codecs.Of(h264.MimeType), plain{}, unknown{})
		now := time.Now()
		for i := range int64(3) {
			vf := &mediav1.VideoFrame{
				Epoch: epoch, Sequence: seq + i, KeyFrame: key, Data: data,
				CaptureTime: &timestamppb.Timestamp{Seconds: seconds + i},
				Format:      &mediav1.VideoFormat{MediaType: mediaType},
			}
			r.accept(vf, now.Add(time.Duration(i)*time.Millisecond))
		}
		for _, fr := range r.group.Frames() {
			b.write(fr, newPace(unknown{}, t.Context().Done()))
		}
		s.checkUnbroken(t)
		for _, p := range s.all() {
			if len(p.Payload) > mtu || len(p.Payload) == 0 {
				t.Fatalf("payload of %d bytes", len(p.Payload))
			}
		}
	})
}

// vp8 is a frame of another codec than fakecam's.
func vp8(epoch, seq int64, key bool) *mediav1.VideoFrame {
	data := []byte{1, 0, 0, 7, 7, 7, 7}
	if key {
		data = []byte{0, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0, 7}
	}
	return &mediav1.VideoFrame{
		Epoch: epoch, Sequence: seq, KeyFrame: key, Data: data, CaptureTime: timestamppb.Now(),
		Format: &mediav1.VideoFormat{MediaType: "video/VP8"},
	}
}

// TestStreamThatChangesItsCodec: a track has the codec that was agreed on and no other, a reader of any codec has all,
// and both go on with a key frame, though the sequence of the device has no gap.
func TestStreamThatChangesItsCodec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s, other := newBench(t), &sink{ssrc: 7}, &sink{ssrc: 8, codecs: []webrtc.RTPCodecParameters{{
			PayloadType: 96, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}}}}
		v, w, r := b.viewer(s), b.viewer(other), b.reader()
		b.send(5, true)
		for i := range 6 { // in the same life; the first is not a key frame
			b.feed.frames <- vp8(b.epoch, b.seq, i == 2)
			b.seq++
			time.Sleep(33 * time.Millisecond)
			synctest.Wait()
		}
		read := b.waiting(r)
		late := b.viewer(&sink{ssrc: 9}) // the group is of the other codec
		if got := [2]int{s.frames(), other.frames()}; got != [2]int{5, 4} {
			t.Errorf("%v frames were sent to the two, want 5 and 4", got)
		}
		b.send(2, false)
		if s.frames() != 5 || b.asked() == 0 {
			t.Error("frames were sent before a key frame, or none was asked for")
		}
		b.send(3, true)
		if got := [2]int{s.frames(), other.frames()}; got != [2]int{8, 4} {
			t.Errorf("%v frames were sent to the two, want 8 and 4", got)
		}
		s.checkUnbroken(t)
		other.checkUnbroken(t)
		for _, p := range other.all() {
			if p.PayloadType != 96 || p.Payload[0] != 0x10 {
				t.Errorf("not VP8: payload type %d, % x", p.PayloadType, p.Payload)
			}
		}
		kinds := ""
		for _, p := range append(read, b.waiting(r)...) {
			kinds += p.Codec.MediaType[6:7]
		}
		if kinds != "HHHHHVVVVHHH" {
			t.Errorf("the reader got %s", kinds)
		}
		r.Close()
		b.end(v, w, late)
	})
}
