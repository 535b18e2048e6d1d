package read

import "io"

// page is what an access to the disk costs at least, in bytes.
const page = 4 << 10

// limited reads up to a number of bytes.
type limited struct {
	from    io.ReaderAt
	left    int64
	bounded bool
}

// ReadAt implements [io.ReaderAt].
func (l *limited) ReadAt(p []byte, at int64) (int, error) {
	if l.left -= max(int64(len(p)), page); l.spent() {
		return 0, ErrMost
	}
	return l.from.ReadAt(p, at)
}

// spent reports whether nothing more may be read.
func (l *limited) spent() bool { return l.bounded && l.left < 0 }
