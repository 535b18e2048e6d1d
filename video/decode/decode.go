// Package decode turns encoded frames into pictures, for programs that look at what a camera sees:
//
//	bgr := &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24, WidthPx: 320, HeightPx: 240}
//	for picture, err := range decode.Newest(ctx, robot.Camera("front"), decode.Options{Format: bgr}) {
//
// A picture is a VideoFrame again, with the epoch, sequence and capture time of the frame that it was made of.
//
// [Frames] yields every picture; [Newest] decodes every frame, because later ones build on it, and yields the newest
// picture: the one for a program that takes longer than a frame lasts.
//
// # What cannot be decoded
//
// A frame that cannot be decoded is an error of the loop, and so are those of the source. A loop that goes on gets
// pictures again from the next key frame on. The set of codecs decides which media types there are: the usual set of
// package codec/standard knows H.264, VP8 and JPEG, the one of package codec/network those of network cameras.
//
// # Concurrency and shutdown
//
// Frames decodes on the goroutine of the loop. Newest decodes on one of its own, which has ended when the loop has.
// Neither keeps more than one picture.
package decode

import (
	"context"
	"fmt"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/source"
)

// defaultWaiting is how many encoded frames may wait to be decoded.
const defaultWaiting = 8

// Source is where frames come from: a *peer.Camera.
type Source interface {
	// Frames yields frames, each of which can be decoded if those before it were. At most n wait for a slow reader.
	Frames(ctx context.Context, n int) iter.Seq2[*mediav1.VideoFrame, error]
}

// Options adjusts the pictures; the zero value makes I420 in the size of the frames.
type Options struct {
	// Format is what is wanted: its media type and pixel format, and its size; without a size that of the frames. nil:
	// I420. A size that the format cannot have is rounded down.
	Format *mediav1.VideoFormat
	// Codecs decode and convert. The zero value is standard.Codecs().
	Codecs codec.Set
	// Waiting is how many encoded frames may wait to be decoded; 0: 8.
	Waiting int
}

// Frames yields the picture of each frame, until the source ends.
func Frames(ctx context.Context, s Source, o Options) iter.Seq2[*mediav1.VideoFrame, error] {
	return func(yield func(*mediav1.VideoFrame, error) bool) {
		d := newDecoder(&o)
		defer d.close()
		for frame, err := range s.Frames(ctx, o.Waiting) {
			var picture *mediav1.VideoFrame
			if err == nil {
				picture, err = d.decode(frame)
			}
			if picture == nil && err == nil {
				continue // there is none yet
			}
			if !yield(picture, err) {
				return
			}
		}
	}
}

// result is a picture, or why there is none.
type result struct {
	picture *mediav1.VideoFrame
	err     error
}

// Newest yields the newest picture each time; those that the loop is too slow for are left out. An error is not lost,
// except to a newer one.
func Newest(ctx context.Context, s Source, o Options) iter.Seq2[*mediav1.VideoFrame, error] {
	return func(yield func(*mediav1.VideoFrame, error) bool) {
		decoding, stop := context.WithCancel(ctx)
		pictures := stream.NewTopic[result]()
		newest := pictures.Subscribe(stream.Latest())
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer pictures.Close(nil)
			for picture, err := range Frames(decoding, s, o) {
				pictures.Publish(result{picture, err})
			}
		}()
		defer func() { <-done }()
		defer stop()
		for r, err := range newest.All(context.Background()) { // it ends with the source
			if err != nil || !yield(r.picture, r.err) {
				return
			}
		}
	}
}

// decoder decodes the frames of one source.
type decoder struct {
	options   *Options
	mediaType string
	decoder   codec.Decoder // nil: none yet, or another is due
	format    *mediav1.VideoFormat
	converter codec.Encoder
	scaler    codec.Scaler
}

func newDecoder(o *Options) *decoder {
	if len(o.Codecs.Codecs) == 0 {
		o.Codecs = standard.Codecs()
	}
	if o.Format == nil {
		o.Format = &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420}
	}
	if o.Waiting <= 0 {
		o.Waiting = defaultWaiting
	}
	return &decoder{options: o, scaler: codec.Scaler{Scale: o.Codecs.Scale}}
}

// decode returns the picture of a frame; nil without an error if there is none yet.
func (d *decoder) decode(f *mediav1.VideoFrame) (*mediav1.VideoFrame, error) {
	if d.decoder == nil || d.mediaType != f.GetFormat().GetMediaType() {
		d.closeDecoder()
		made, err := d.options.Codecs.NewDecoder(f.GetFormat().GetMediaType())
		if err != nil {
			return nil, err
		}
		d.decoder, d.mediaType = made, f.GetFormat().GetMediaType()
	}
	img, shown, err := d.decoder.Decode(source.Frame{
		Format: f.GetFormat(), Data: f.GetData(), Time: f.GetCaptureTime().AsTime(), Key: f.GetKeyFrame(),
	})
	if err != nil {
		return nil, fmt.Errorf("frame %d: %w", f.GetSequence(), err)
	}
	if img == nil {
		return nil, nil
	}
	data, err := d.convert(img, shown)
	if err != nil {
		return nil, fmt.Errorf("frame %d: %w", f.GetSequence(), err)
	}
	return &mediav1.VideoFrame{
		Epoch: f.GetEpoch(), Sequence: f.GetSequence(), CaptureTime: timestamppb.New(shown), KeyFrame: true,
		Format: d.format, Data: data, Metadata: f.GetMetadata(), ReplayTime: f.GetReplayTime(),
	}, nil
}

// convert makes the wanted format of a picture.
func (d *decoder) convert(img *media.I420, at time.Time) ([]byte, error) {
	width, height := int(d.options.Format.GetWidthPx()), int(d.options.Format.GetHeightPx())
	if width == 0 || height == 0 {
		width, height = img.Width, img.Height
	}
	width, height = media.Even(d.options.Format, width, height)
	if d.converter == nil || int(d.format.GetWidthPx()) != width || int(d.format.GetHeightPx()) != height {
		if err := d.prepare(width, height); err != nil {
			return nil, err
		}
	}
	img, err := d.scaler.Fit(img, width, height)
	if err != nil {
		return nil, err
	}
	p, err := d.converter.Encode(img, true, at)
	return p.Data, err
}

// prepare makes a converter for pictures of a size.
func (d *decoder) prepare(width, height int) error {
	d.closeConverter()
	f := proto.CloneOf(d.options.Format)
	f.WidthPx, f.HeightPx = int32(width), int32(height)
	if err := media.Validate(f); err != nil {
		return err
	}
	made, err := d.options.Codecs.NewEncoder(f, codec.Options{})
	if err != nil {
		return err
	}
	d.converter, d.format = made, f
	return nil
}

func (d *decoder) closeDecoder() {
	if d.decoder != nil {
		_ = d.decoder.Close() // frees memory only
		d.decoder = nil
	}
}

func (d *decoder) closeConverter() {
	if d.converter != nil {
		_ = d.converter.Close() // frees memory only
		d.converter = nil
	}
}

func (d *decoder) close() {
	d.closeDecoder()
	d.closeConverter()
}
