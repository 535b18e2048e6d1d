// Package mp4 finds the pictures of the first video track in an MP4 or QuickTime file: where each one is, how long it
// is shown, and how it is coded. It accepts boxes in any order, fragmented files, and files that end in the middle of a
// box. Edit lists are ignored: everything in the file counts.
//
// The index is kept in memory, the pictures are not. Every count in a file is limited by the size of the file and by
// maxSamples.
package mp4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	box "github.com/abema/go-mp4"
)

// ErrFile is wrapped by every error about a file's contents.
var ErrFile = errors.New("not a readable MP4")

const (
	maxIndex   = 256 << 20 // bytes of one box that is read into memory
	maxSamples = 4 << 20   // pictures: more than a day
	maxBoxes   = 1 << 20   // on one level
	maxTracks  = 64
)

// Video is the first video track of a file.
type Video struct {
	// Codec is the four-character code of the track, such as avc1 or hvc1.
	Codec string
	// Turn is the rotation that makes the pictures upright.
	Turn Turn
	// TimeScale is the number of time units per second.
	TimeScale uint32
	// Codings of the pictures; empty unless they are H.264. Samples refer to them by number.
	Coding []Coding
	// Samples are the pictures in file order.
	Samples []Sample
	// Missing is how many more there would be if the file were complete.
	Missing int
}

// Turn is what the matrix of a track does to the pictures, apart from scaling.
type Turn struct {
	Mirror  bool // left to right, first
	Rotate  int  // then by 0, 90, 180 or 270 degrees clockwise
	Unknown bool // another angle, or a slant; the pictures stay as they are
}

// Coding is what a decoder needs before the first picture.
type Coding struct {
	LengthSize int // size in bytes of the length before each NAL unit
	SPS, PPS   [][]byte
}

// Sample is one picture.
type Sample struct {
	Offset   int64
	Size     uint32
	Duration uint32 // until the next one is decoded
	Shown    int64  // presentation time: decoding time plus the file's offset
	Coding   int    // number in Video.Coding
}

// Read finds the pictures in a file of the given size. Its errors wrap ErrFile, or come from reading.
func Read(r io.ReaderAt, size int64) (*Video, error) {
	f := &file{data: r, size: size}
	for b, err := range f.boxes() {
		if err != nil {
			return nil, err
		}
		switch b.Type.String() {
		case "moov":
			err = f.movie(b)
		case "moof":
			err = f.fragment(b)
		}
		if err != nil {
			return nil, err
		}
	}
	return f.video()
}

// file is what has been read so far.
type file struct {
	data   io.ReaderAt
	size   int64
	tracks []*track
	moov   bool
	// fragments is the number of samples in fragments, of all tracks.
	fragments int64
}

// boxes iterates over the boxes of the file. A box that is cut off is the last.
func (f *file) boxes() iter.Seq2[*box.BoxInfo, error] {
	return func(yield func(*box.BoxInfo, error) bool) {
		r := io.NewSectionReader(f.data, 0, f.size)
		for n, at := 0, int64(0); at+box.SmallHeaderSize <= f.size && n < maxBoxes; n++ {
			if _, err := r.Seek(at, io.SeekStart); err != nil {
				yield(nil, err)
				return
			}
			b, err := box.ReadBoxInfo(r)
			if err != nil || b.Size < b.HeaderSize {
				return
			}
			if !yield(b, nil) || b.Size > uint64(f.size-at) {
				return
			}
			at += int64(b.Size)
		}
	}
}

// load reads the contents of a box.
func (f *file) load(b *box.BoxInfo) ([]byte, error) {
	switch {
	case b.Offset+b.Size > uint64(f.size) || b.Size > uint64(f.size):
		return nil, fmt.Errorf("%w: it is cut off in its index", ErrFile)
	case b.Size > maxIndex:
		return nil, fmt.Errorf("%w: its index has %d bytes, the limit is %d", ErrFile, b.Size, maxIndex)
	}
	data := make([]byte, b.Size-b.HeaderSize)
	_, err := f.data.ReadAt(data, int64(b.Offset+b.HeaderSize))
	return data, err
}

// inside iterates over the boxes in data, by type. It stops at a box that is cut off or malformed.
func inside(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for len(data) >= box.SmallHeaderSize {
			b, err := box.ReadBoxInfo(bytes.NewReader(data))
			if err != nil || b.Size < b.HeaderSize || b.Size > uint64(len(data)) {
				return
			}
			if !yield(b.Type.String(), data[b.HeaderSize:b.Size:b.Size]) {
				return
			}
			data = data[b.Size:]
		}
	}
}

// parse parses the fields of a box.
func parse(data []byte, into box.IBox) error {
	if _, err := box.Unmarshal(bytes.NewReader(data), uint64(len(data)), into, box.Context{}); err != nil {
		return fmt.Errorf("%w: its box %s is malformed: %w", ErrFile, into.GetType(), err)
	}
	return nil
}

func (f *file) movie(b *box.BoxInfo) error {
	data, err := f.load(b)
	if err != nil {
		return err
	}
	if f.moov {
		return nil // a second one is a copy
	}
	f.moov = true
	for kind, payload := range inside(data) {
		if kind == "trak" && len(f.tracks) < maxTracks {
			t := &track{}
			if err := t.read(payload, 0); err != nil {
				return err
			}
			f.tracks = append(f.tracks, t)
		}
	}
	for kind, payload := range inside(data) {
		if kind == "mvex" {
			if err := f.defaults(payload); err != nil {
				return err
			}
		}
	}
	for _, t := range f.tracks {
		if t.handler == "vide" {
			if err := t.list(f.size); err != nil {
				return err
			}
		}
	}
	return nil
}

// defaults reads what fragments may omit.
func (f *file) defaults(data []byte) error {
	for kind, payload := range inside(data) {
		if kind != "trex" {
			continue
		}
		var trex box.Trex
		if err := parse(payload, &trex); err != nil {
			return err
		}
		if t := f.track(trex.TrackID); t != nil {
			t.trex = trex
		}
	}
	return nil
}

// track returns the video track with a number, nil if there is none.
func (f *file) track(id uint32) *track {
	for _, t := range f.tracks {
		if t.id == id && t.handler == "vide" {
			return t
		}
	}
	return nil
}

// video returns the first track with playable pictures, or else the first with pictures.
func (f *file) video() (*Video, error) {
	var first *Video
	for _, t := range f.tracks {
		if t.handler != "vide" || len(t.entries) == 0 {
			continue
		}
		v := t.video(f.size)
		if len(v.Coding) > 0 && len(v.Samples) > 0 {
			return v, nil
		}
		if first == nil {
			first = v
		}
	}
	switch {
	case !f.moov:
		return nil, fmt.Errorf("%w: it has no index (moov): it was cut off before its recording ended, or is not an MP4",
			ErrFile)
	case first == nil:
		return nil, fmt.Errorf("%w: it has no video track", ErrFile)
	}
	return first, nil
}
