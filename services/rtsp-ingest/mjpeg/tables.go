package mjpeg

import (
	"bytes"
	"image"
	"image/jpeg"
	"sync"
)

// standardTables returns the Huffman tables of ITU T.81, annex K, as a segment. Cameras that treat MJPEG as the AVI
// format leave them out, since everybody knows them. The encoder of the standard library writes the same.
var standardTables = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420), nil); err != nil {
		panic(err) // a bytes.Buffer never fails
	}
	data := b.Bytes()
	for at := 2; ; {
		size := 2 + int(data[at+2])<<8 + int(data[at+3])
		if data[at+1] == dht {
			return data[at : at+size]
		}
		at += size
	}
})
