package v4l2

import "bytes"

// wholeJPEG returns the picture in a buffer without what follows it, and false if it lacks its beginning or its end.
func wholeJPEG(data []byte) ([]byte, bool) {
	end := bytes.LastIndex(data, []byte{0xff, 0xd9})
	if !bytes.HasPrefix(data, []byte{0xff, 0xd8, 0xff}) || end < 0 {
		return nil, false
	}
	return data[:end+2], true
}
