//go:build nolibav

package network

import (
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
)

// extend leaves a codec of package standard as it is.
func extend(c codec.Codec) codec.Codec { return c }

// more are the codecs that would be there with libavcodec.
func more() (codecs []codec.Codec) {
	for _, mediaType := range []string{media.H265, media.MPEG4} {
		codecs = append(codecs, codec.Codec{MediaType: mediaType,
			Remedy: "it was built without libavcodec: set the camera to H.264, or build it without the tag nolibav"})
	}
	return codecs
}
