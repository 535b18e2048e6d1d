// Package standard is the set of codecs that cameras of Waldo encode with: H.264 (openh264), VP8 (libvpx), JPEG
// (libjpeg-turbo) and uncompressed pictures (libyuv). It joins the packages that wrap those libraries to the contract
// of package codec, one file each, so that nothing else needs to know them. It needs cgo; see those packages for the
// libraries.
package standard

import (
	"github.com/waldo-robot/waldo/video/codec"
)

// Codecs returns the set, in the order in which a camera offers its formats.
func Codecs() codec.Set {
	return codec.Set{Codecs: []codec.Codec{h264(), vp8(), jpeg(), raw()}, Turn: turn, Scale: scale}
}
