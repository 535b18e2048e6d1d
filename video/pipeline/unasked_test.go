package pipeline

import (
	"bytes"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/source"
)

// unasked sends whether or not anybody reads, like a network camera.
type unasked struct{ *manual }

func (s unasked) Info() source.Info {
	info := s.manual.Info()
	info.Unasked = true
	return info
}

// A reader who comes between two key frames of a camera that cannot be asked for one has pictures at once.
func TestAReaderBetweenKeyFramesIsServedAtOnce(t *testing.T) {
	src, frames := native(t, 8)
	r := run(t, unasked{src}, Config{})
	src.expect(t, true) // without a reader
	for _, f := range frames[:5] {
		src.give(t, f)
	}
	live := r.open(t, h264())
	for i := range 5 {
		if f := next(t, live); f.GetKeyFrame() != (i == 0) || string(f.GetData()) != string(frames[i].Data) {
			t.Fatalf("frame %d is not the one that came before the reader", i)
		}
	}
	still := r.open(t, &mediav1.VideoFormat{MediaType: media.JPEG})
	src.give(t, frames[5])
	if f := next(t, still); len(f.GetData()) == 0 || !f.GetCaptureTime().AsTime().Equal(frames[5].Time.UTC()) {
		t.Errorf("the JPEG is of %v, want %v", f.GetCaptureTime().AsTime(), frames[5].Time)
	}
	if f := next(t, live); f.GetSequence() != 5 || f.GetKeyFrame() {
		t.Errorf("the next frame has sequence %d, key frame %v, want 5, false", f.GetSequence(), f.GetKeyFrame())
	}
}

// Nobody who comes after a capture has ended begins with its pictures, and what the next one brings does not continue
// them.
func TestPicturesOfAnEarlierCaptureAreForgotten(t *testing.T) {
	src, frames := native(t, 4)
	r := run(t, src, Config{})
	first := r.open(t, h264())
	src.expect(t, true)
	src.give(t, frames[0])
	next(t, first)
	first.Close()
	src.expect(t, false)
	second := r.open(t, h264())
	src.expect(t, true)
	src.give(t, frames[1]) // continues nothing
	key := frames[0]
	key.Time = key.Time.Add(time.Minute)
	src.give(t, key)
	if f := next(t, second); f.GetSequence() != 1 || !f.GetCaptureTime().AsTime().Equal(key.Time) {
		t.Errorf("the second reader begins with sequence %d of %v, want 1 of %v", f.GetSequence(),
			f.GetCaptureTime().AsTime(), key.Time)
	}
}

// Pictures that a browser cannot show are encoded again, from the first that says so on; readers stay.
func TestPicturesAreEncodedAgainWhenTheyHaveTo(t *testing.T) {
	src, frames := native(t, 6)
	r := run(t, unasked{src}, Config{})
	live := r.open(t, h264())
	if r.KeyFrameOnRequest(usual) {
		t.Error("a camera that cannot be asked for key frames promises them")
	}
	for i, f := range frames {
		f.Recode = i >= 3
		src.give(t, f)
		got := next(t, live)
		same := string(got.GetData()) == string(f.Data)
		if same != (i < 3) || got.GetKeyFrame() != (i == 0 || i == 3) || got.GetSequence() != int64(i) {
			t.Fatalf("frame %d: passed %v, key frame %v, sequence %d", i, same, got.GetKeyFrame(), got.GetSequence())
		}
	}
	if !r.KeyFrameOnRequest(usual) {
		t.Error("what is encoded here can have a key frame at any time")
	}
}

// What a source says of its pictures decides which streams are offered, at once and whenever it changes: those that
// cannot be encoded again go only to those who want them as they are.
func TestStreamsAreOfferedThatAllCanShow(t *testing.T) {
	for name, tt := range map[string]struct {
		codecs  codec.Set
		encodes bool
	}{
		"encodes":      {standard.Codecs(), true},
		"does not":     {codec.Set{Codecs: []codec.Codec{{MediaType: media.H264}}}, false},
		"knows others": {codec.Set{Codecs: []codec.Codec{{MediaType: media.H265}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			src, frames := native(t, 4)
			changes := make(chan struct{}, 10)
			r := run(t, unasked{src}, Config{Codecs: tt.codecs, Changed: func() { changes <- struct{}{} }})
			live := r.open(t, h264())
			for i, f := range frames {
				f.Recode = i >= 2
				src.give(t, f)
				got := next(t, live)
				again := f.Recode && tt.encodes
				if again == bytes.Equal(got.GetData(), f.Data) || again != r.KeyFrameOnRequest(usual) {
					t.Errorf("frame %d: passed, or not, against what was said", i)
				}
				if want := !f.Recode || tt.encodes; r.Offers(usual) != want {
					t.Errorf("frame %d: offered %v, want %v", i, !want, want)
				}
				if r.Offers(Stream{MediaType: media.H265}) || r.Offers(Stream{MediaType: media.VP8}) != tt.encodes {
					t.Errorf("frame %d: streams are offered that nobody makes", i)
				}
			}
			if len(changes) != 1 {
				t.Errorf("told of %d changes, want 1", len(changes))
			}
		})
	}
}
