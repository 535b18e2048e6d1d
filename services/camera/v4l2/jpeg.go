package v4l2

import (
	"bytes"

	"github.com/waldo-robot/waldo/pkg/media/mjpeg"
)

// wholeJPEG returns the picture in a buffer with its Huffman tables and without the bytes after it, and false if its
// beginning or its end is missing.
func wholeJPEG(data []byte) ([]byte, bool) {
	if !bytes.HasPrefix(data, []byte{0xff, 0xd8, 0xff}) {
		return nil, false
	}
	p, _, ok := mjpeg.Next(data)
	return p.Data, ok
}
