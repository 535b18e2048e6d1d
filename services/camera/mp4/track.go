package mp4

import (
	"encoding/binary"
	"fmt"

	box "github.com/abema/go-mp4"
)

// track is what the index states about one track.
type track struct {
	id      uint32
	handler string // vide, soun …
	scale   uint32
	turn    Turn
	entries []entry
	stts    box.Stts
	ctts    box.Ctts
	stsc    box.Stsc
	stsz    box.Stsz
	chunks  []uint64
	trex    box.Trex

	samples []Sample
	time    int64 // when the next sample is decoded
}

// entry describes how samples are coded.
type entry struct {
	codec  string
	coding Coding
	known  bool // coding was understood
}

// read reads a track, and the boxes in it that contain others, up to three levels deep.
func (t *track) read(data []byte, nested int) error {
	for kind, payload := range inside(data) {
		var err error
		switch kind {
		case "mdia", "minf", "stbl":
			if nested < 3 {
				err = t.read(payload, nested+1)
			}
		case "tkhd":
			err = t.head(payload)
		case "mdhd":
			var mdhd box.Mdhd
			err = parse(payload, &mdhd)
			t.scale = mdhd.Timescale
		case "hdlr":
			if len(payload) >= 12 && string(payload[4:8]) != "dhlr" { // which only says where data is
				t.handler = string(payload[8:12])
			}
		case "stsd":
			t.descriptions(payload)
		default:
			err = t.table(kind, payload)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// table reads one of the tables that describe samples.
func (t *track) table(kind string, payload []byte) error {
	switch kind {
	case "stts":
		return parse(payload, &t.stts)
	case "ctts":
		return parse(payload, &t.ctts)
	case "stsc":
		return parse(payload, &t.stsc)
	case "stsz":
		return parse(payload, &t.stsz)
	case "stco":
		var stco box.Stco
		err := parse(payload, &stco)
		t.chunks = nil
		for _, offset := range stco.ChunkOffset {
			t.chunks = append(t.chunks, uint64(offset))
		}
		return err
	case "co64":
		var co64 box.Co64
		err := parse(payload, &co64)
		t.chunks = co64.ChunkOffset
		return err
	}
	return nil
}

// head reads number and orientation. Players rotate the pictures by the matrix; only quarter turns and mirror images
// are supported here.
func (t *track) head(payload []byte) error {
	var tkhd box.Tkhd
	if err := parse(payload, &tkhd); err != nil {
		return err
	}
	t.id = tkhd.TrackID
	const one = 1 << 16
	m := [4]int32{tkhd.Matrix[0], tkhd.Matrix[1], tkhd.Matrix[3], tkhd.Matrix[4]}
	turn, known := map[[4]int32]Turn{
		{0, one, -one, 0}: {Rotate: 90}, {-one, 0, 0, -one}: {Rotate: 180}, {0, -one, one, 0}: {Rotate: 270},
		{-one, 0, 0, one}: {Mirror: true}, {0, -one, -one, 0}: {Mirror: true, Rotate: 90},
		{one, 0, 0, -one}: {Mirror: true, Rotate: 180}, {0, one, one, 0}: {Mirror: true, Rotate: 270},
	}[m]
	scaled := m[0] >= 0 && m[1] == 0 && m[2] == 0 && m[3] >= 0
	turn.Unknown = !known && !scaled
	t.turn = turn
	return nil
}

// descriptions reads how samples are coded.
func (t *track) descriptions(payload []byte) {
	const header, visual = 8, 78 // bytes before the first entry, and of the fixed part of an entry
	if len(payload) < header {
		return
	}
	for codec, data := range inside(payload[header:]) {
		e := entry{codec: codec}
		if (codec == "avc1" || codec == "avc3") && len(data) >= visual {
			for kind, config := range inside(data[visual:]) {
				if kind == "avcC" {
					e.coding, e.known = readConfig(config)
				}
			}
		}
		t.entries = append(t.entries, e)
	}
}

// readConfig reads the configuration of an H.264 decoder, ISO/IEC 14496-15. Anything after the parameter sets is
// ignored.
func readConfig(b []byte) (c Coding, ok bool) {
	if len(b) < 6 {
		return c, false
	}
	c.LengthSize = int(b[4]&3) + 1
	count, rest := int(b[5]&31), b[6:]
	if c.SPS, rest, ok = parameterSets(rest, count); !ok || len(rest) == 0 {
		return c, ok && count == 0
	}
	c.PPS, _, ok = parameterSets(rest[1:], int(rest[0]))
	return c, ok
}

func parameterSets(b []byte, count int) (sets [][]byte, rest []byte, ok bool) {
	for range count {
		if len(b) < 2 {
			return nil, nil, false
		}
		n := int(binary.BigEndian.Uint16(b))
		if n == 0 || len(b) < 2+n {
			return nil, nil, false
		}
		sets, b = append(sets, b[2:2+n:2+n]), b[2+n:]
	}
	return sets, b, true
}

// list builds the samples from the tables.
func (t *track) list(size int64) error {
	count := t.stsz.SampleCount
	if t.stsz.SampleSize != 0 {
		count = fitting(count, t.stsz.SampleSize, size)
	}
	if count > maxSamples {
		return fmt.Errorf("%w: it has %d pictures, the limit is %d", ErrFile, count, maxSamples)
	}
	run, next, in := box.StscEntry{}, 0, uint32(0) // of stsc, the next entry, and samples of the chunk so far
	chunk, offset := -1, int64(0)
	times, shifts := &runs{}, &runs{}
	for i := range count {
		for chunk < 0 || in >= run.SamplesPerChunk {
			if chunk++; chunk >= len(t.chunks) {
				return nil // its position is unknown: the file was cut off
			}
			for next < len(t.stsc.Entries) && int64(t.stsc.Entries[next].FirstChunk) <= int64(chunk)+1 {
				run, next = t.stsc.Entries[next], next+1
			}
			in, offset = 0, int64(t.chunks[chunk])
		}
		s := Sample{Offset: offset, Size: t.stsz.SampleSize, Coding: int(run.SampleDescriptionIndex) - 1}
		if s.Size == 0 {
			s.Size = t.stsz.EntrySize[i]
		}
		if e, ok := times.next(len(t.stts.Entries), func(n int) uint32 { return t.stts.Entries[n].SampleCount }); ok {
			s.Duration = t.stts.Entries[e].SampleDelta
		}
		shift := int64(0)
		if e, ok := shifts.next(len(t.ctts.Entries), func(n int) uint32 { return t.ctts.Entries[n].SampleCount }); ok {
			shift = int64(int32(t.ctts.GetSampleOffset(e))) // some writers store negative values where none are allowed
		}
		t.add(s, shift)
		offset += int64(s.Size)
		in++
	}
	return nil
}

// add adds a sample that is shown later than it is decoded, by shift.
func (t *track) add(s Sample, shift int64) {
	s.Shown = t.time + shift
	t.time += int64(s.Duration)
	t.samples = append(t.samples, s)
}

// runs walks through a table whose entries describe several samples each.
type runs struct {
	entry int
	used  uint32 // of the entry
}

// next returns the entry of the next sample; false past the last.
func (r *runs) next(entries int, count func(int) uint32) (int, bool) {
	for r.entry < entries && r.used >= count(r.entry) {
		r.entry, r.used = r.entry+1, 0
	}
	if r.entry >= entries {
		return 0, false
	}
	r.used++
	return r.entry, true
}

// video is the exported form of the track, limited to the samples that are in the file.
func (t *track) video(size int64) *Video {
	v := &Video{Codec: t.entries[0].codec, Turn: t.turn, TimeScale: t.scale, Samples: t.samples}
	for i, s := range v.Samples {
		if s.Offset < 0 || s.Offset > size-int64(s.Size) {
			v.Samples, v.Missing = v.Samples[:i], len(v.Samples)-i
			break
		}
	}
	for _, e := range t.entries {
		if !e.known {
			v.Codec, v.Coding = e.codec, nil
			return v
		}
		v.Coding = append(v.Coding, e.coding)
	}
	for i, s := range v.Samples {
		if s.Coding < 0 || s.Coding >= len(v.Coding) {
			v.Samples[i].Coding = 0
		}
	}
	return v
}
