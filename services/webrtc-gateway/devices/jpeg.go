package devices

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/mjpeg"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// Streams of cameras: the one that all have, and the one that is assumed to carry JPEG where nothing is known.
const usualVideo, usualJPEG = "video", "video-jpeg"

// JPEG implements [mjpeg.Devices].
func (d *Directory) JPEG(ctx context.Context, device string) (string, error) {
	for {
		if err := d.Check(device); err != nil {
			return "", err
		}
		name, changed, err := d.findJPEG(device)
		if name != "" || status.Code(err) == codes.NotFound {
			return name, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if err == nil {
				return usualJPEG, nil // it may come later
			}
			return "", err
		}
	}
}

// findJPEG looks for the stream in what a device has said so far. There is neither a name nor an error if it has said
// nothing.
func (d *Directory) findJPEG(device string) (name string, changed <-chan struct{}, err error) {
	known, heard, changed := d.Get(device)
	if !heard {
		return "", changed, nil
	}
	streams := known.GetDevice().GetStreams()
	of := func(fits func(*devicev1.StreamInfo) bool) int {
		return slices.IndexFunc(streams, func(s *devicev1.StreamInfo) bool {
			return s.GetDirection() == devicev1.StreamDirection_STREAM_DIRECTION_OUT && fits(s)
		})
	}
	if of(func(s *devicev1.StreamInfo) bool { return s.GetName() == usualVideo }) < 0 {
		return "", changed, status.Errorf(codes.NotFound, "%s is not a camera: it is of the kind %s", device,
			known.GetDevice().GetKind())
	}
	i := of(func(s *devicev1.StreamInfo) bool {
		return (s.GetName() == usualVideo || s.GetAlternativeTo() == usualVideo) &&
			slices.Contains(s.GetMediaTypes(), media.JPEG)
	})
	if i < 0 {
		return "", changed, status.Errorf(codes.FailedPrecondition,
			"%s has no JPEG at present, but %s: use WHEP, or the page",
			device, strings.Join(mediaTypes(streams), " and "))
	}
	return streams[i].GetName(), changed, nil
}

// mediaTypes lists what streams carry.
func mediaTypes(streams []*devicev1.StreamInfo) (types []string) {
	for _, s := range streams {
		types = append(types, s.GetMediaTypes()...)
	}
	if len(types) == 0 {
		types = []string{"nothing"}
	}
	return types
}

// Newest implements [mjpeg.Devices].
func (d *Directory) Newest(device, name string) (mjpeg.Feed, error) {
	frames, err := hold[*mediav1.VideoFrame](d, tracks.Stream{Device: device, Name: name}, stream.Latest())
	if err != nil {
		return nil, err
	}
	return frames, nil
}
