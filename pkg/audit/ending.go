package audit

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"os"
	"strings"
)

// Start stands in the first line of a log in place of the hash of the line before.
var Start = strings.Repeat("0", 2*sha256.Size)

// hashOf returns the hash of a line, without what ends it.
func hashOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// ending is what a line has to follow.
type ending struct {
	next int64  // number of that line
	hash string // of the last line, whole or not; Start if there is none
	torn bool   // the last line has no end
}

// Most lines are found in the first of these many bytes at the end of a file. One of Waldo's is always in the second.
var endings = [2]int64{8 << 10, 2 * MaxFile}

// resume finds out what is to follow in a file of some size: what it ends with, or, if it is empty, what the newest of
// the old files ends with.
func (f *file) resume(size int64) (ending, error) {
	e, known, err := endOf(f.f, size)
	for i := 1; err == nil && !known && i <= Kept; i++ {
		var before ending
		before, known = endOfFile(old(f.path, i))
		e.next, e.hash = before.next, cmp.Or(e.hash, before.hash)
	}
	e.hash = cmp.Or(e.hash, Start)
	return e, err
}

// endOfFile is endOf for a file that may be missing; one that cannot be read counts as missing, so that events are
// kept.
func endOfFile(path string) (e ending, known bool) {
	f, err := os.Open(path)
	if err != nil {
		return ending{}, false
	}
	defer func() { _ = f.Close() }()
	about, err := f.Stat()
	if err != nil {
		return ending{}, false
	}
	if e, known, err = endOf(f, about.Size()); err != nil {
		return ending{}, false
	}
	return e, known
}

// endOf reads the end of a file. Known is false if no event was found there; the hash is empty for an empty file.
func endOf(f io.ReaderAt, size int64) (e ending, known bool, err error) {
	if size == 0 {
		return ending{}, false, nil
	}
	for _, most := range endings {
		data := make([]byte, min(size, most))
		if _, err := f.ReadAt(data, size-int64(len(data))); err != nil {
			return ending{}, false, err
		}
		var whole bool
		if e, known, whole = endIn(data, int64(len(data)) == size); known && whole {
			break
		}
	}
	return e, known, nil
}

// endIn reads the end of a file in its last bytes, which may be all. Whole is false if the last line begins before
// them.
func endIn(data []byte, all bool) (e ending, known, whole bool) {
	e.torn = data[len(data)-1] != '\n'
	lines := bytes.Split(bytes.TrimSuffix(data, []byte{'\n'}), []byte{'\n'})
	last := lines[len(lines)-1]
	if whole = all || len(lines) > 1; whole {
		e.hash = hashOf(last)
	} else {
		e.hash = Start // too long to be one of ours
	}
	for i := len(lines) - 1; i >= 0; i-- {
		var l line
		if json.Unmarshal(lines[i], &l) == nil && l.valid() {
			e.next = l.Number + 1
			return e, true, whole
		}
	}
	return e, false, whole
}

// valid tells a line of a log from other JSON.
func (l line) valid() bool { return l.Kind != "" && l.Number >= 0 && l.Number < math.MaxInt64 }
