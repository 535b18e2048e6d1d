package film

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// bad are messages that are left out, by what is said of them.
func bad(t testing.TB) map[string][]byte {
	t.Helper()
	key := recorded()[0]
	of := func(change func(*mediav1.VideoFrame)) []byte { return message(t, with(key, change)) }
	return map[string][]byte{
		"not a VideoFrame": {0xff, 0xff, 0xff},
		"has no data":      of(func(f *mediav1.VideoFrame) { f.Data = nil }),
		"capture_time":     of(func(f *mediav1.VideoFrame) { f.CaptureTime = nil }),
		"parameter sets":   of(func(f *mediav1.VideoFrame) { f.Data = []byte{0, 0, 0, 1, 0x65, 0x88, 0x84} }),
		"video/AV1":        of(func(f *mediav1.VideoFrame) { f.Format.MediaType = "video/AV1" }),
		"JPEG": of(func(f *mediav1.VideoFrame) {
			f.Format.MediaType, f.Data = media.JPEG,
				[]byte{0xff, 0xd8, 0}
		}),
		"VP8":          of(func(f *mediav1.VideoFrame) { f.Format.MediaType, f.Data = media.VP8, []byte{1} }),
		"pixel_format": message(t, with(still(0), func(f *mediav1.VideoFrame) { f.Format.PixelFormat = "RGB" })),
		"of its format has": message(t, with(still(0), func(f *mediav1.VideoFrame) {
			f.Format.WidthPx = 4
		})),
		"entries": of(func(f *mediav1.VideoFrame) {
			for i := range maxRemarks + 1 {
				f.Metadata[strings.Repeat("a", i+1)] = ""
			}
		}),
	}
}

func TestBadMessages(t *testing.T) {
	for says, data := range bad(t) {
		s := newFrames(false)
		if _, ok, err := s.take(data); ok || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, %v, want it to say %q", ok, err, says)
		}
		if f, ok, err := s.take(message(t, recorded()[10])); !ok || err != nil || !f.Key {
			t.Errorf("after %q the next key frame is not shown: %v", says, err)
		}
	}
}

// TestResync: what depends on something that is not there is left out, up to the next key frame.
func TestResync(t *testing.T) {
	larger := record(80, 64, 12)
	for i, f := range larger {
		f.Sequence += 30
		f.CaptureTime = recorded()[30+i].GetCaptureTime()
	}
	all := recorded()
	nothing := with(all[3], func(f *mediav1.VideoFrame) { f.Data = nil })
	for name, tt := range map[string]struct {
		frames []*mediav1.VideoFrame
		shown  []int64 // sequences
	}{
		"it begins in the middle of a group": {all[7:12], []int64{10, 11}},
		"one is missing": {append(append([]*mediav1.VideoFrame{}, all[:3]...), all[8:12]...),
			[]int64{0, 1, 2, 10, 11}},
		"one has no data": {[]*mediav1.VideoFrame{all[0], all[1], all[2], nothing, all[4], all[10]},
			[]int64{0, 1, 2, 10}},
		"another size": {append(append([]*mediav1.VideoFrame{}, all[28:30]...), larger[:3]...), []int64{30, 31, 32}},
		"twice":        {[]*mediav1.VideoFrame{all[0], all[1], all[1], all[2], all[10]}, []int64{0, 1, 10}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFrames(false)
			var shown []int64
			for _, f := range tt.frames {
				made, ok, _ := s.take(message(t, f))
				if !ok {
					continue
				}
				shown = append(shown, f.GetSequence())
				if !bytes.Equal(made.Data, f.GetData()) || !proto.Equal(made.Format, f.GetFormat()) {
					t.Errorf("frame %d is not as it was recorded: %v", f.GetSequence(), made.Format)
				}
			}
			if len(shown) != len(tt.shown) {
				t.Fatalf("shown are %v, want %v", shown, tt.shown)
			}
			for i := range shown {
				if shown[i] != tt.shown[i] {
					t.Fatalf("shown are %v, want %v", shown, tt.shown)
				}
			}
		})
	}
}

// TestForeign: what another program has recorded is mended: its size is found, and key frames get their parameter sets.
func TestForeign(t *testing.T) {
	s := newFrames(true)
	for i, f := range recorded()[:12] {
		f = with(f, func(f *mediav1.VideoFrame) {
			f.Format, f.KeyFrame = &mediav1.VideoFormat{MediaType: media.H264}, false
			if i == 10 { // without its sets
				at := bytes.Index(f.Data, []byte{0, 0, 1, 0x65})
				f.Data = append([]byte{0}, f.Data[at:]...)
			}
		})
		made, ok, err := s.take(message(t, f))
		if !ok || err != nil || made.Key != (i%10 == 0) || made.Format.GetWidthPx() != 64 || made.Format.GetHeightPx() != 48 {
			t.Fatalf("frame %d: %v, %v, %+v", i, ok, err, made.Format)
		}
		if made.Key && !bytes.Contains(made.Data, []byte{0, 0, 1, 0x67}) {
			t.Errorf("key frame %d has no parameter sets", i)
		}
	}
}

// TestOtherCodecs: H.265 passes, and pictures in another order than they are shown are encoded again.
func TestOtherCodecs(t *testing.T) {
	for name, tt := range map[string]struct {
		file, mediaType string
		recode          bool
	}{
		"H.265":    {"plain.h265", media.H265, false},
		"B-frames": {"b-frames.h264", media.H264, true},
	} {
		data, err := os.ReadFile("../../../pkg/media/picture/testdata/" + tt.file)
		if err != nil {
			t.Fatal(err)
		}
		s, shown, recode := newFrames(true), 0, false
		for i, au := range accessUnits(tt.mediaType, data) {
			f := &mediav1.VideoFrame{Epoch: 1, Sequence: int64(i), CaptureTime: timestamppb.New(yesterday.Add(interval)),
				Format: &mediav1.VideoFormat{MediaType: tt.mediaType}, Data: au}
			made, ok, err := s.take(message(t, f))
			if err != nil {
				t.Fatalf("%s: frame %d: %v", name, i, err)
			}
			if ok {
				shown++
				recode = recode || made.Recode
			}
		}
		if shown == 0 || recode != tt.recode || s.info().Recode != tt.recode {
			t.Errorf("%s: %d frames are shown, encoded again: %v", name, shown, recode)
		}
	}
}

// FuzzMessages: no message is trouble, and what is shown has a format and data.
func FuzzMessages(f *testing.F) {
	for _, data := range bad(f) {
		f.Add(data, message(f, recorded()[0]), true)
	}
	f.Add(message(f, still(1)), message(f, recorded()[1]), false)
	f.Fuzz(func(t *testing.T, first, second []byte, mend bool) {
		s := newFrames(mend)
		for _, data := range [][]byte{first, second, first} {
			made, ok, err := s.take(data)
			if !ok {
				continue
			}
			if err != nil || len(made.Data) == 0 || made.Replay == nil || media.Validate(made.Format) != nil {
				t.Errorf("shown is %v, %d bytes, %v", made.Format, len(made.Data), err)
			}
			s.info()
		}
	})
}

// accessUnits cuts a stream into pictures of one slice each.
func accessUnits(mediaType string, data []byte) (all [][]byte) {
	if mediaType == media.H264 {
		return slices.Collect(annexb.AccessUnits(data))
	}
	var au []byte
	for nal := range annexb.NALs(data) {
		au = annexb.Append(au, nal)
		if nal[0]>>1&63 < 32 { // a slice, by ITU-T H.265, table 7-1
			all, au = append(all, au), nil
		}
	}
	return all
}
