package decode_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/decode"
	"github.com/waldo-robot/waldo/video/encode"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// card is a picture of one shade.
func card(width, height int, luma byte, n int64) *mediav1.VideoFrame {
	img := media.NewI420(width, height)
	for i := range img.Y {
		img.Y[i] = luma
	}
	for i := range img.U {
		img.U[i], img.V[i] = 128, 128
	}
	return &mediav1.VideoFrame{
		Epoch: 9, Sequence: n, CaptureTime: timestamppb.New(time.Unix(1000, 0).Add(time.Duration(n) * time.Second / 30)),
		Format: &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420, WidthPx: int32(width),
			HeightPx: int32(height)},
		Data: img.Packed(), KeyFrame: true,
	}
}

// camera is a source of frames that a test made.
type camera struct {
	frames []*mediav1.VideoFrame
	taken  chan struct{} // if not nil, each frame after the first takes a token
}

var errOver = errors.New("it is over")

func (c camera) Frames(ctx context.Context, _ int) iter.Seq2[*mediav1.VideoFrame, error] {
	return func(yield func(*mediav1.VideoFrame, error) bool) {
		for i, f := range c.frames {
			if c.taken != nil && i > 0 {
				select {
				case <-c.taken:
				case <-ctx.Done():
					yield(nil, ctx.Err())
					return
				}
			}
			if !yield(f, nil) {
				return
			}
		}
		yield(nil, errOver)
	}
}

// film encodes pictures that become lighter.
func film(t *testing.T, mediaType string, n int) (frames []*mediav1.VideoFrame) {
	t.Helper()
	e := encode.New(encode.Options{MediaType: mediaType})
	defer e.Close()
	for i := range n {
		f, err := e.Encode(card(64, 48, byte(40+10*i), int64(i)), false)
		if err != nil {
			t.Fatal(err)
		}
		if f.GetSequence() != int64(i) || f.GetEpoch() == 0 || f.GetKeyFrame() != (i == 0 || mediaType == media.JPEG) {
			t.Fatalf("frame %d: %v", i, f)
		}
		f.Epoch = 9
		frames = append(frames, f)
	}
	return frames
}

// TestFrames: each frame becomes a picture of the wanted format, with its identity.
func TestFrames(t *testing.T) {
	for _, mediaType := range []string{media.H264, media.VP8, media.JPEG} {
		for _, pixels := range []string{media.PixelI420, media.PixelBGR24} {
			wanted := &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: pixels, WidthPx: 32, HeightPx: 24}
			n := int64(0)
			for p, err := range decode.Frames(t.Context(), camera{frames: film(t, mediaType, 8)},
				decode.Options{Format: wanted}) {
				if errors.Is(err, errOver) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if p.GetSequence() != n || p.GetEpoch() != 9 || p.GetFormat().GetPixelFormat() != pixels ||
					len(p.GetData()) != media.FrameSize(wanted) || !p.GetCaptureTime().AsTime().Equal(
					card(64, 48, 0, n).GetCaptureTime().AsTime()) {
					t.Fatalf("picture %d: %d of %d, %v", n, p.GetSequence(), p.GetEpoch(), p.GetFormat())
				}
				luma := int(40 + 10*n)
				if pixels == media.PixelBGR24 {
					luma = (luma - 16) * 255 / 219
				}
				if got := int(p.GetData()[0]); got < luma-4 || got > luma+4 {
					t.Errorf("%s as %s: picture %d is %d, want %d", mediaType, pixels, n, got, luma)
				}
				n++
			}
			if n != 8 {
				t.Errorf("%s as %s: %d pictures", mediaType, pixels, n)
			}
		}
	}
}

// TestSizeOfItsOwn: without a wish pictures are I420 in the size of the frames.
func TestSizeOfItsOwn(t *testing.T) {
	for p, err := range decode.Frames(t.Context(), camera{frames: film(t, media.H264, 1)}, decode.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if f := p.GetFormat(); f.GetPixelFormat() != media.PixelI420 || f.GetWidthPx() != 64 || f.GetHeightPx() != 48 {
			t.Errorf("%v", f)
		}
		break
	}
}

// TestGarbage: an error does not end the loop, and the next key frame helps.
func TestGarbage(t *testing.T) {
	good := film(t, media.H264, 2)
	bad := &mediav1.VideoFrame{Epoch: 9, Sequence: 5, Format: &mediav1.VideoFormat{MediaType: "video/nothing"},
		Data: []byte{1}}
	torn := &mediav1.VideoFrame{Epoch: 9, Sequence: 6, Format: good[0].GetFormat(), Data: good[0].GetData()[:20],
		KeyFrame: true}
	var pictures, failed int
	frames := append([]*mediav1.VideoFrame{bad, good[0], torn}, good...)
	for _, err := range decode.Frames(t.Context(), camera{frames: frames}, decode.Options{}) {
		if errors.Is(err, errOver) {
			break
		}
		if err != nil {
			failed++
		} else {
			pictures++
		}
	}
	if pictures < 3 || failed < 1 {
		t.Errorf("%d pictures, %d errors", pictures, failed)
	}
}

// TestNewest: a slow loop gets the newest picture, and every frame is decoded.
func TestNewest(t *testing.T) {
	c := camera{frames: film(t, media.H264, 10), taken: make(chan struct{})}
	var got []int64
	for p, err := range decode.Newest(t.Context(), c, decode.Options{}) {
		if err != nil {
			if !errors.Is(err, errOver) {
				t.Fatal(err)
			}
			break
		}
		if got = append(got, p.GetSequence()); len(got) == 1 {
			for range 8 { // up to the frame before the last, which may be under way
				c.taken <- struct{}{}
			}
			close(c.taken)
		}
		if want := 40 + 10*int(p.GetSequence()); int(p.GetData()[0]) < want-6 || int(p.GetData()[0]) > want+6 {
			t.Errorf("picture %d is %d, want %d", p.GetSequence(), p.GetData()[0], want)
		}
	}
	if len(got) == 0 || got[0] != 0 {
		t.Errorf("pictures %v", got)
	}
}

// TestNewestIsLeft: leaving the loop ends the decoding, although no frame comes.
func TestNewestIsLeft(t *testing.T) {
	c := camera{frames: film(t, media.H264, 2), taken: make(chan struct{})}
	for _, err := range decode.Newest(t.Context(), c, decode.Options{}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
}
