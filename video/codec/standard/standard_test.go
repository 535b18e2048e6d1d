package standard

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/stamp"
	"github.com/waldo-robot/waldo/pkg/media/testcard"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

func format(mediaType, pixel string, w, h int32) *mediav1.VideoFormat {
	return &mediav1.VideoFormat{MediaType: mediaType, PixelFormat: pixel, WidthPx: w, HeightPx: h, FrameRateHz: 30}
}

func picture(t testing.TB, w, h int, at time.Time) *media.I420 {
	t.Helper()
	card, err := testcard.New(w, h, testcard.Config{Name: "front", Animated: true})
	if err != nil {
		t.Fatal(err)
	}
	img := media.NewI420(w, h)
	card.Render(img, at, 7)
	return img
}

func decoder(t *testing.T, f *mediav1.VideoFormat) codec.Decoder {
	t.Helper()
	d, err := Codecs().NewDecoder(f.GetMediaType())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// TestThereAndBack encodes a card in every format and looks for its stamp in what a decoder makes of it.
func TestThereAndBack(t *testing.T) {
	now := time.Now().Truncate(time.Microsecond)
	for _, f := range []*mediav1.VideoFormat{
		format(media.H264, "", 640, 480), format(media.JPEG, "", 640, 480), format(media.Raw, media.PixelI420, 640, 480),
		format(media.Raw, media.PixelYUYV, 640, 480), format(media.Raw, media.PixelNV12, 640, 480), format(media.Raw,
			media.PixelBGR24, 640, 480),
	} {
		t.Run(f.GetMediaType()+f.GetPixelFormat(), func(t *testing.T) {
			e, err := Codecs().NewEncoder(f, codec.Options{Bitrate: 500_000, JPEGQuality: 50})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			p, err := e.Encode(picture(t, 640, 480, now), true, now)
			if err != nil || !p.Key {
				t.Fatalf("key %v, error %v", p.Key, err)
			}
			d := decoder(t, f)
			img, _, err := d.Decode(source.Frame{Format: f, Data: p.Data, Key: true})
			if err != nil || img == nil {
				t.Fatalf("decode: %v", err)
			}
			if s, ok := stamp.Read(img); !ok || s.Sequence != 7 || !s.Time(now).Equal(now) {
				t.Errorf("stamp %+v %v", s, ok)
			}
			if err := e.Close(); err != nil {
				t.Errorf("second close: %v", err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for want, f := range map[string]*mediav1.VideoFormat{
		"width_px":   format(media.H264, "", 14, 480),
		"height_px":  format(media.H264, "", 640, 4098),
		"4096x2304":  format(media.H264, "", 4096, 4096),
		"media_type": {},
	} {
		if err := Codecs().Check(f); !errors.Is(err, media.ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", f, err, want)
		}
		if _, err := Codecs().NewEncoder(f, codec.Options{}); !errors.Is(err, media.ErrFormat) {
			t.Errorf("%v: New gives %v", f, err)
		}
	}
	if err := Codecs().Check(format(media.H264, "", 4096, 2304)); err != nil {
		t.Error(err)
	}
}

func TestTimeMayGoBack(t *testing.T) {
	e, err := Codecs().NewEncoder(format(media.H264, "", 64, 48), codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	now := time.Now()
	for _, jump := range []time.Duration{0, time.Second, -time.Hour, time.Hour} {
		if p, err := e.Encode(media.NewI420(64, 48), false, now.Add(jump)); err != nil || len(p.Data) == 0 {
			t.Errorf("after %v: %d bytes, %v", jump, len(p.Data), err)
		}
	}
}

func TestH264BeforeItsKeyFrameIsNoError(t *testing.T) {
	f := format(media.H264, "", 64, 48)
	e, err := Codecs().NewEncoder(f, codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var last codec.Packet
	for range 2 {
		if last, err = e.Encode(media.NewI420(64, 48), false, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	d := decoder(t, f)
	if img, _, err := d.Decode(source.Frame{Format: f, Data: last.Data}); img != nil || err != nil {
		t.Errorf("got %v %v", img, err)
	}
}

func TestDecodeRubbish(t *testing.T) {
	for _, f := range []*mediav1.VideoFormat{
		format(media.JPEG, "", 64, 48), format(media.Raw, media.PixelYUYV, 64, 48), format(media.Raw, media.PixelI420, 64,
			48),
		format(media.Raw, "RGB565", 64, 48), format("video/x", "", 64, 48),
	} {
		d, err := Codecs().NewDecoder(f.GetMediaType())
		if err == nil {
			_, _, err = d.Decode(source.Frame{Format: f, Data: []byte("rubbish")})
		}
		if err == nil {
			t.Errorf("%v: no error", f)
		}
	}
}

// TestOrientationAfter turns pictures in two steps and in one.
func TestOrientationAfter(t *testing.T) {
	img := media.NewI420(4, 2)
	copy(img.Y, []byte{1, 2, 3, 4, 5, 6, 7, 8})
	for _, first := range []codec.Orientation{
		{}, {Rotate: 90}, {Rotate: 180}, {Rotate: 270}, {FlipHorizontal: true}, {FlipHorizontal: true, Rotate: 90},
		{FlipHorizontal: true, Rotate: 180}, {FlipHorizontal: true, Rotate: 270}, {FlipVertical: true, Rotate: 90},
	} {
		for _, then := range []codec.Orientation{{}, {FlipHorizontal: true}, {FlipVertical: true, Rotate: 90},
			{FlipHorizontal: true, FlipVertical: true, Rotate: 270}} {
			turned, err := turn(img, first)
			if err != nil {
				t.Fatal(err)
			}
			want, err := turn(turned, then)
			if err != nil {
				t.Fatal(err)
			}
			got, err := turn(img, then.After(first))
			if err != nil || got.Width != want.Width || !bytes.Equal(got.Packed(), want.Packed()) {
				t.Errorf("%+v and then %+v: %v, want %v, %v", first, then, got.Y, want.Y, err)
			}
		}
	}
}

func TestOrientation(t *testing.T) {
	img := media.NewI420(4, 2)
	copy(img.Y, []byte{1, 2, 3, 4, 5, 6, 7, 8})
	for _, tt := range []struct {
		o    codec.Orientation
		w, h int
		want []byte
	}{
		{codec.Orientation{}, 4, 2, []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		{codec.Orientation{FlipHorizontal: true}, 4, 2, []byte{4, 3, 2, 1, 8, 7, 6, 5}},
		{codec.Orientation{FlipVertical: true}, 4, 2, []byte{5, 6, 7, 8, 1, 2, 3, 4}},
		{codec.Orientation{Rotate: 90}, 2, 4, []byte{5, 1, 6, 2, 7, 3, 8, 4}},
		{codec.Orientation{Rotate: 180}, 4, 2, []byte{8, 7, 6, 5, 4, 3, 2, 1}},
		{codec.Orientation{FlipHorizontal: true, Rotate: 270}, 2, 4, []byte{1, 5, 2, 6, 3, 7, 4, 8}},
	} {
		got, err := turn(img, tt.o)
		if err != nil || got.Width != tt.w || got.Height != tt.h || string(got.Y) != string(tt.want) {
			t.Errorf("%+v: got %v %v, want %v", tt.o, got.Y, err, tt.want)
		}
		if w, h := tt.o.Size(4, 2); w != tt.w || h != tt.h {
			t.Errorf("%+v: size %dx%d", tt.o, w, h)
		}
	}
}

func TestScaler(t *testing.T) {
	now := time.Now().Truncate(time.Microsecond)
	img := picture(t, 1281, 721, now)
	for _, reuse := range []bool{false, true} {
		s := codec.Scaler{Scale: scale, Reuse: reuse}
		var last *media.I420
		for _, size := range [][2]int{{1281, 721}, {1280, 720}, {640, 360}, {640, 360}, {2560, 1440}} {
			got, err := s.Fit(img, size[0], size[1])
			if err != nil || got.Width != size[0] || got.Height != size[1] || got.Validate() != nil {
				t.Fatalf("%v: %v", size, err)
			}
			if size[0] == 640 {
				if _, ok := stamp.Read(got); !ok {
					t.Errorf("%v: the stamp was lost", size)
				}
				if last != nil && (last == got) != reuse {
					t.Errorf("reuse %v, but the memory was reused: %v", reuse, last == got)
				}
				last = got
			}
		}
	}
	if &img.Y[0] != &must(t, (&codec.Scaler{}), img).Y[0] {
		t.Error("a picture that fits was copied")
	}
}

func must(t *testing.T, s *codec.Scaler, img *media.I420) *media.I420 {
	t.Helper()
	out, err := s.Fit(img, img.Width&^1, img.Height&^1)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRateFollowsTheCamera feeds pictures at half the rate that was announced, as a camera does in the dark: the bit
// rate stays.
func TestRateFollowsTheCamera(t *testing.T) {
	const target, announced, really = 400_000, 30, 15
	e, err := Codecs().NewEncoder(&mediav1.VideoFormat{MediaType: media.H264, WidthPx: 320, HeightPx: 240,
		FrameRateHz: announced}, codec.Options{Bitrate: target})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }() // nothing is written
	bits, begin := 0, time.Now()
	const settle, seconds = 3, 6
	for i := range seconds * really {
		p, err := e.Encode(yuvtest.Grain(yuvtest.Picture(320, 240, i), 20, uint64(i)), false,
			begin.Add(time.Duration(i)*time.Second/really))
		if err != nil {
			t.Fatal(err)
		}
		if i >= settle*really {
			bits += 8 * len(p.Data)
		}
	}
	t.Logf("%d bit/s", bits/(seconds-settle))
	if rate := bits / (seconds - settle); rate < target*7/10 || rate > target*13/10 {
		t.Errorf("%d bit/s, want about %d", rate, target)
	}
}
