// Package encode turns pictures into encoded frames, for programs that send them, as peer.Publication does:
//
//	encoder := encode.New(encode.Options{})
//	defer encoder.Close()
//	frame, err := encoder.Encode(picture, key)
//
// An Encoder belongs to one goroutine and starts none. It may own memory outside Go: close it.
package encode

import (
	"fmt"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/source"
)

// Options adjusts an encoder; the zero value makes H.264 at a bit rate that suits the size.
type Options struct {
	// MediaType is what to make; empty: H.264.
	MediaType string
	// Bitrate of inter-coded media types, in bit/s; 0 picks one for the size.
	Bitrate int
	// Codecs convert and encode. The zero value is standard.Codecs().
	Codecs codec.Set
}

// Encoder encodes the pictures of one stream. They may change their size, which begins anew with a key frame.
type Encoder struct {
	options  Options
	epoch    int64
	sequence int64
	encoder  codec.Encoder // nil: none yet
	format   *mediav1.VideoFormat

	decoder   codec.Decoder // of pictures
	mediaType string
}

// New returns an encoder.
func New(o Options) *Encoder {
	if len(o.Codecs.Codecs) == 0 {
		o.Codecs = standard.Codecs()
	}
	if o.MediaType == "" {
		o.MediaType = media.H264
	}
	return &Encoder{options: o, epoch: access.NewID()}
}

// Encode encodes a picture: raw in any pixel format, or JPEG. With key it becomes a key frame; the first one does in
// any case. The frame has the picture's capture time, and a sequence of its own. No frame and no error mean that the
// encoder skipped the picture, to keep its bit rate.
func (e *Encoder) Encode(picture *mediav1.VideoFrame, key bool) (*mediav1.VideoFrame, error) {
	img, err := e.read(picture)
	if err != nil {
		return nil, err
	}
	if err := e.prepare(img); err != nil {
		return nil, err
	}
	if img, err = e.fit(img); err != nil {
		return nil, err
	}
	p, err := e.encoder.Encode(img, key, picture.GetCaptureTime().AsTime())
	if err != nil || len(p.Data) == 0 {
		return nil, err
	}
	f := &mediav1.VideoFrame{
		Epoch: e.epoch, Sequence: e.sequence, CaptureTime: picture.GetCaptureTime(), Format: e.format, KeyFrame: p.Key,
		Data: p.Data, Metadata: picture.GetMetadata(), ReplayTime: picture.GetReplayTime(),
	}
	e.sequence++
	return f, nil
}

// read returns the pixels of a picture.
func (e *Encoder) read(picture *mediav1.VideoFrame) (*media.I420, error) {
	f := picture.GetFormat()
	if media.InterCoded(f.GetMediaType()) {
		return nil, fmt.Errorf("%w: media_type is %s, must be one whose pictures stand alone", media.ErrFormat,
			f.GetMediaType())
	}
	if err := media.Validate(f); err != nil {
		return nil, err
	}
	if size := media.FrameSize(f); size > 0 && size != len(picture.GetData()) {
		return nil, fmt.Errorf("%w: data has %d bytes, must have %d", media.ErrFormat, len(picture.GetData()), size)
	}
	if e.decoder == nil || e.mediaType != f.GetMediaType() {
		e.closeDecoder()
		made, err := e.options.Codecs.NewDecoder(f.GetMediaType())
		if err != nil {
			return nil, err
		}
		e.decoder, e.mediaType = made, f.GetMediaType()
	}
	img, _, err := e.decoder.Decode(source.Frame{Format: f, Data: picture.GetData(),
		Time: picture.GetCaptureTime().AsTime(), Key: true})
	if err == nil && img == nil {
		err = fmt.Errorf("%w: there is no picture in it", media.ErrFormat)
	}
	return img, err
}

// prepare makes an encoder for the size of a picture.
func (e *Encoder) prepare(img *media.I420) error {
	f := &mediav1.VideoFormat{MediaType: e.options.MediaType}
	width, height := media.Even(f, int32(img.Width), int32(img.Height))
	if e.encoder != nil && e.format.GetWidthPx() == width && e.format.GetHeightPx() == height {
		return nil
	}
	e.closeEncoder()
	f.WidthPx, f.HeightPx = width, height
	made, err := e.options.Codecs.NewEncoder(f, codec.Options{Bitrate: e.options.Bitrate})
	if err != nil {
		return err
	}
	e.encoder, e.format = made, f
	return nil
}

// fit leaves out an odd last row or column, where the media type has even sides.
func (e *Encoder) fit(img *media.I420) (*media.I420, error) {
	scaler := codec.Scaler{Scale: e.options.Codecs.Scale}
	return scaler.Fit(img, int(e.format.GetWidthPx()), int(e.format.GetHeightPx()))
}

func (e *Encoder) closeEncoder() {
	if e.encoder != nil {
		_ = e.encoder.Close() // frees memory only
		e.encoder = nil
	}
}

func (e *Encoder) closeDecoder() {
	if e.decoder != nil {
		_ = e.decoder.Close() // frees memory only
		e.decoder = nil
	}
}

// Close frees the encoder. It may be called more than once.
func (e *Encoder) Close() {
	e.closeEncoder()
	e.closeDecoder()
}
