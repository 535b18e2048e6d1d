package network

import (
	"errors"
	"os"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

func openDecoder(t testing.TB, mediaType string) codec.Decoder {
	t.Helper()
	d, err := Codecs().NewDecoder(mediaType)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../libav/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Whatever decodes H.264 here, pictures come out in order, each with its time.
func TestH264WithBFrames(t *testing.T) {
	order := []int64{0, 3, 1, 2, 5, 4, 6, 9, 7, 8, 11, 10} // see b-frames.h264.order
	d, i, n := openDecoder(t, media.H264), 0, int64(0)
	for unit := range annexb.AccessUnits(read(t, "b-frames.h264")) {
		img, at, err := d.Decode(source.Frame{Data: unit, Key: annexb.IsKeyFrame(unit), Time: time.Unix(order[i], 0)})
		if err != nil {
			t.Fatal(err)
		}
		if i++; img == nil {
			continue
		}
		if psnr := yuvtest.WorstPSNR(yuvtest.Picture(96, 68, 8*int(n)), img); psnr < 33 || at.Unix() != n {
			t.Errorf("picture %d: time %d, %.1f dB", n, at.Unix(), psnr)
		}
		n++
	}
	if n < 9 {
		t.Errorf("%d pictures", n)
	}
}

func TestBeforeAKeyFrameIsNoError(t *testing.T) {
	d := openDecoder(t, media.H264)
	slice := annexb.Append(nil, []byte{0x41, 0x9a, 0x01, 0x02})
	if img, _, err := d.Decode(source.Frame{Data: slice, Time: time.Now()}); img != nil || err != nil {
		t.Errorf("got %v, %v", img, err)
	}
}

// What is encoded, and how formats are offered, does not depend on what is decoded.
func TestItEncodesLikeTheStandardSet(t *testing.T) {
	got, want := Codecs().Formats(), standard.Codecs().Formats()
	if len(got) != len(want) {
		t.Fatalf("%d formats, want %d", len(got), len(want))
	}
	for i, f := range got {
		if f.GetMediaType() != want[i].GetMediaType() || f.GetPixelFormat() != want[i].GetPixelFormat() {
			t.Errorf("format %d is %v, want %v", i, f, want[i])
		}
	}
	h265 := &mediav1.VideoFormat{MediaType: media.H265, WidthPx: 64, HeightPx: 48}
	if _, err := Codecs().NewEncoder(h265, codec.Options{}); !errors.Is(err, media.ErrFormat) {
		t.Errorf("an encoder for H.265: %v", err)
	}
}
