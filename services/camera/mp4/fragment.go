package mp4

import (
	"encoding/binary"
	"fmt"

	box "github.com/abema/go-mp4"
)

// Flags of a trun: which fields a sample has.
const (
	hasOffset     = 0x1
	hasFirstFlags = 0x4
	hasDuration   = 0x100
	hasSize       = 0x200
	hasFlags      = 0x400
	hasShift      = 0x800
)

// fragment adds the samples of a fragment. A fragment that is cut off is ignored.
func (f *file) fragment(b *box.BoxInfo) error {
	if b.Offset+b.Size > uint64(f.size) || b.Size > uint64(f.size) {
		return nil
	}
	data, err := f.load(b)
	if err != nil {
		return err
	}
	base := int64(b.Offset) // of a track; by default after the data of the previous one
	for kind, payload := range inside(data) {
		if kind == "traf" {
			if base, err = f.trackFragment(payload, int64(b.Offset), base); err != nil {
				return err
			}
		}
	}
	return nil
}

// trackFragment adds the samples of one track, and returns where its data ends.
func (f *file) trackFragment(data []byte, moof, base int64) (end int64, err error) {
	head := box.Tfhd{}
	var t *track
	end = base
	for kind, payload := range inside(data) {
		switch kind {
		case "tfhd":
			if err := parse(payload, &head); err != nil {
				return 0, err
			}
			if t = f.track(head.TrackID); t != nil {
				t.fillIn(&head)
			}
			switch {
			case head.CheckFlag(box.TfhdBaseDataOffsetPresent):
				base = int64(head.BaseDataOffset)
			case head.CheckFlag(box.TfhdDefaultBaseIsMoof):
				base = moof
			}
			end = base
		case "trun":
			if end, err = f.run(t, payload, &head, base, end); err != nil {
				return 0, err
			}
		}
	}
	return end, nil
}

// fillIn applies the track's defaults where the fragment states nothing.
func (t *track) fillIn(head *box.Tfhd) {
	if !head.CheckFlag(box.TfhdDefaultSampleDurationPresent) {
		head.DefaultSampleDuration = t.trex.DefaultSampleDuration
	}
	if !head.CheckFlag(box.TfhdDefaultSampleSizePresent) {
		head.DefaultSampleSize = t.trex.DefaultSampleSize
	}
	if !head.CheckFlag(box.TfhdSampleDescriptionIndexPresent) {
		head.SampleDescriptionIndex = t.trex.DefaultSampleDescriptionIndex
	}
}

// run adds consecutive samples, starting at end or where the run says, relative to base. It returns where they end. The
// track is nil if it is not of interest. The library is not used here because it allocates an entry even for samples
// without fields, billions of them if a file says so.
func (f *file) run(t *track, b []byte, head *box.Tfhd, base, end int64) (int64, error) {
	cut := fmt.Errorf("%w: its box trun is cut off", ErrFile)
	if len(b) < 8 {
		return 0, cut
	}
	flags, count := binary.BigEndian.Uint32(b)&0xffffff, binary.BigEndian.Uint32(b[4:])
	fields := words{b[8:]}
	if flags&hasOffset != 0 {
		end = base + int64(int32(fields.next()))
	}
	if flags&hasFirstFlags != 0 {
		fields.next()
	}
	perSample := 0
	for _, flag := range []uint32{hasDuration, hasSize, hasFlags, hasShift} {
		if flags&flag != 0 {
			perSample += 4
		}
	}
	if int64(len(fields.data)) < int64(perSample)*int64(count) {
		return 0, cut
	}
	if flags&hasSize == 0 {
		count = fitting(count, head.DefaultSampleSize, f.size)
	}
	if f.fragments += int64(count); f.fragments > maxSamples {
		return 0, fmt.Errorf("%w: it has more than %d pictures", ErrFile, maxSamples)
	}
	for range count {
		s := Sample{Offset: end, Size: head.DefaultSampleSize, Duration: head.DefaultSampleDuration,
			Coding: int(head.SampleDescriptionIndex) - 1}
		if flags&hasDuration != 0 {
			s.Duration = fields.next()
		}
		if flags&hasSize != 0 {
			s.Size = fields.next()
		}
		if flags&hasFlags != 0 {
			fields.next()
		}
		shift := int64(0)
		if flags&hasShift != 0 {
			shift = int64(int32(fields.next())) // some writers store negative values where none are allowed
		}
		end += int64(s.Size)
		if t != nil {
			t.add(s, shift)
		}
	}
	return end, nil
}

// fitting is how many samples of one size fit into a file.
func fitting(count, each uint32, size int64) uint32 {
	if each == 0 {
		return 0
	}
	return uint32(min(int64(count), size/int64(each)+1))
}

// words reads four-byte numbers; past the end they are 0.
type words struct{ data []byte }

func (w *words) next() uint32 {
	if len(w.data) < 4 {
		w.data = nil
		return 0
	}
	n := binary.BigEndian.Uint32(w.data)
	w.data = w.data[4:]
	return n
}
