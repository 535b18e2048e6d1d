// Package network is the set of codecs for what network cameras send: that of package standard, which also encodes,
// and decoders on libavcodec for H.264 of every profile with B frames, H.265, MPEG-4 part 2, and JPEGs that
// libjpeg-turbo refuses.
//
// # Licence
//
// Debian builds libavcodec under the GNU General Public License. A program that imports this package and is linked
// with that is under this licence as a whole: see package libav. So programs that need no such decoder, as
// waldo-camera, import package standard.
//
// # Building
//
// The package needs cgo, and the libraries of packages standard and libav. With the build tag nolibav it leaves
// libavcodec out: H.264 is then decoded by openh264, of 8 bit and 4:2:0 alone. H.265 and MPEG-4 are not decoded at all,
// and the error says so; they still pass through.
package network

import (
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
)

// Codecs returns the set, in the order in which a camera offers its formats.
func Codecs() codec.Set {
	set := standard.Codecs()
	for i, c := range set.Codecs {
		set.Codecs[i] = extend(c)
	}
	set.Codecs = append(set.Codecs, more()...)
	return set
}
