package mp4

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	box "github.com/Eyevinn/mp4ff/mp4"
)

// movieScale is the time units a second of what is about the whole file.
const movieScale = videoScale

// Writer writes a file whose index is at its end.
type Writer struct {
	out    io.WriteSeeker
	buffer *bufio.Writer
	begin  int64 // of the media data in the file
	at     int64
	last   *Track // that was written to last
	tracks []*Track
}

// largeHeader is the size of the header of a box whose size has 64 bits.
const largeHeader = 16

// NewWriter begins a file.
func NewWriter(out io.WriteSeeker) (*Writer, error) {
	w := &Writer{out: out, buffer: bufio.NewWriterSize(out, 1<<20)}
	ftyp := box.NewFtyp("isom", 0x200, []string{"isom", "iso2", "mp41"})
	if err := ftyp.Encode(w.buffer); err != nil {
		return nil, err
	}
	w.begin = int64(ftyp.Size())
	w.at = w.begin + largeHeader
	_, err := w.buffer.Write(mediaHeader(largeHeader))
	return w, err
}

func mediaHeader(size int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{0, 0, 0, 1, 'm', 'd', 'a', 't'}, uint64(size))
}

// Track is pictures or sound in a file.
type Track struct {
	writer       *Writer
	name         string
	descriptions []Description
	pending      []pending // since the last sample with which decoding can begin
	reordered    bool
	first, last  int64 // when the first and the last sample are decoded
	end          int64 // when the last one ends
	largest      int   // of the descriptions, by width
	table
}

// pending is a sample whose duration is not known yet.
type pending struct {
	shown int64
	key   bool
}

// table is the index of a track.
type table struct {
	counts, durations []uint32 // runs
	offsetCounts      []uint32
	offsets           []int32
	sync              []uint32 // numbers of samples with which decoding can begin
	sizes             []uint32
	chunks            []chunk
	samples           uint32
}

// chunk is samples that stand together.
type chunk struct {
	at, end     int64
	samples     uint32
	description uint32 // from 1
}

// Track adds a track with a name.
func (w *Writer) Track(name string) *Track {
	t := &Track{writer: w, name: name}
	w.tracks = append(w.tracks, t)
	return t
}

// maxDescriptions bounds how often what a decoder has to know may change to something new.
const maxDescriptions = 1000

// Write adds a picture or packet that is shown at a time after the beginning of the file. Data is as
// [Description.Sample] returns it.
func (t *Track) Write(d Description, shown time.Duration, key, reorders bool, data []byte) error {
	if len(t.descriptions) > 0 && d.Scale != t.descriptions[0].Scale {
		return fmt.Errorf("%s: sound and pictures in one track", t.name)
	}
	if len(data) > math.MaxInt32 {
		return fmt.Errorf("%s: a sample has %d bytes", t.name, len(data))
	}
	description, err := t.describe(d)
	if err != nil {
		return err
	}
	at := Units(shown, d.Scale)
	if key {
		t.flush(at)
	}
	t.pending = append(t.pending, pending{shown: at, key: key})
	t.reordered = t.reordered || reorders
	w := t.writer
	t.place(w.at, int64(len(data)), description, w.last == t)
	w.last = t
	w.at += int64(len(data))
	_, err = w.buffer.Write(data)
	return err
}

// describe returns the number of a description.
func (t *Track) describe(d Description) (uint32, error) {
	for i, known := range t.descriptions {
		if known.Same(d) {
			return uint32(i + 1), nil
		}
	}
	if len(t.descriptions) == maxDescriptions {
		return 0, fmt.Errorf("%s: the parameter sets change too often", t.name)
	}
	t.descriptions = append(t.descriptions, d)
	if d.Width > t.descriptions[t.largest].Width {
		t.largest = len(t.descriptions) - 1
	}
	return uint32(len(t.descriptions)), nil
}

// place notes where a sample is.
func (t *Track) place(at, size int64, description uint32, together bool) {
	t.sizes = append(t.sizes, uint32(size))
	if n := len(t.chunks); together && n > 0 && t.chunks[n-1].end == at && t.chunks[n-1].description == description {
		t.chunks[n-1].samples++
		t.chunks[n-1].end += size
		return
	}
	t.chunks = append(t.chunks, chunk{at, at + size, 1, description})
}

// flush gives the samples that are pending their times. Next is when the one after them is shown.
func (t *Track) flush(next int64) {
	shown := make([]int64, len(t.pending))
	for i, p := range t.pending {
		shown[i] = p.shown
	}
	for i, s := range Schedule(shown, next, t.reordered) {
		if t.samples == 0 {
			t.first = s.Decode
		} else if s.Decode <= t.last {
			s.Offset = max(s.Offset-int32(min(t.last+1-s.Decode, math.MaxInt32)), 0)
			s.Decode = t.last + 1
		}
		t.time(s)
		if t.pending[i].key {
			t.sync = append(t.sync, t.samples)
		}
	}
	t.pending, t.reordered = t.pending[:0], false
}

// time adds a sample. It ends the one before.
func (t *Track) time(s Time) {
	if t.samples > 0 {
		t.duration(s.Decode)
	}
	t.samples++
	t.last = s.Decode
	if n := len(t.offsetCounts); n > 0 && t.offsets[n-1] == s.Offset {
		t.offsetCounts[n-1]++
	} else {
		t.offsetCounts, t.offsets = append(t.offsetCounts, 1), append(t.offsets, s.Offset)
	}
}

// duration ends the last sample at a time.
func (t *Track) duration(end int64) {
	d := uint32(min(end-t.last, math.MaxInt32))
	if n := len(t.counts); n > 0 && t.durations[n-1] == d {
		t.counts[n-1]++
	} else {
		t.counts, t.durations = append(t.counts, 1), append(t.durations, d)
	}
	t.end = end
}

// ErrNothing is about a file without any sample.
var ErrNothing = errors.New("there is nothing to write")

// usualRate is how many samples a second there are of which there is only one.
const usualRate = 30

// Close writes the index. The last sample of each track is as long as the one before it.
func (w *Writer) Close() error {
	var tracks []*Track
	for _, t := range w.tracks {
		if len(t.descriptions) == 0 {
			continue
		}
		usual := int64(t.descriptions[0].Scale) / usualRate
		if n := len(t.durations); n > 0 {
			usual = int64(t.durations[n-1])
		}
		t.flush(t.last)
		t.duration(t.last + usual)
		tracks = append(tracks, t)
	}
	if len(tracks) == 0 {
		return ErrNothing
	}
	moov := box.NewMoovBox()
	mvhd := box.CreateMvhd()
	mvhd.NextTrackID = uint32(len(tracks) + 1)
	mvhd.Timescale = movieScale
	moov.AddChild(mvhd)
	for i, t := range tracks {
		trak, err := t.box(uint32(i + 1))
		if err != nil {
			return err
		}
		mvhd.Duration = max(mvhd.Duration, trak.Tkhd.Duration)
		moov.AddChild(trak)
	}
	mvhd.Version = version(mvhd.Duration)
	if err := moov.Encode(w.buffer); err != nil {
		return err
	}
	if err := w.buffer.Flush(); err != nil {
		return err
	}
	if _, err := w.out.Seek(w.begin, io.SeekStart); err != nil {
		return err
	}
	_, err := w.out.Write(mediaHeader(w.at - w.begin))
	return err
}

// version is that of a box with a duration.
func version(duration uint64) byte {
	if duration > math.MaxUint32 {
		return 1
	}
	return 0
}

// box returns the track as it stands in the file.
func (t *Track) box(id uint32) (*box.TrakBox, error) {
	d := t.descriptions[t.largest]
	trak := box.CreateEmptyTrak(id, d.Scale, d.handler(), "und")
	d.complete(trak, t.descriptions...)
	trak.Mdia.Hdlr.Name = t.name
	media := uint64(t.end - t.first)
	trak.Mdia.Mdhd.Duration, trak.Mdia.Mdhd.Version = media, version(media)
	length := movie(t.end-t.first, d.Scale)
	begin := movie(t.first, d.Scale)
	trak.Tkhd.Duration = begin + length
	trak.Tkhd.Version = version(trak.Tkhd.Duration)
	if begin > 0 {
		edits := &box.EdtsBox{}
		edits.AddChild(&box.ElstBox{Version: version(begin + length), Entries: []box.ElstEntry{
			{SegmentDuration: begin, MediaTime: -1, MediaRateInteger: 1},
			{SegmentDuration: length, MediaRateInteger: 1},
		}})
		trak.Children = append(trak.Children[:1:1], append([]box.Box{edits}, trak.Children[1:]...)...)
	}
	return trak, t.fill(trak.Mdia.Minf.Stbl)
}

// movie converts a duration to the units of the file.
func movie(units int64, scale uint32) uint64 {
	return uint64(units/int64(scale)*movieScale + units%int64(scale)*movieScale/int64(scale))
}

// fill writes the index of the track.
func (t *Track) fill(stbl *box.StblBox) error {
	stsd := stbl.Stsd
	*stbl = box.StblBox{}
	stbl.AddChild(stsd)
	stbl.AddChild(&box.SttsBox{SampleCount: t.counts, SampleTimeDelta: t.durations})
	if len(t.offsets) > 1 || t.offsets[0] != 0 {
		ctts := &box.CttsBox{Version: 1}
		if err := ctts.AddSampleCountsAndOffset(t.offsetCounts, t.offsets); err != nil {
			return err
		}
		stbl.AddChild(ctts)
	}
	stsc := &box.StscBox{}
	for i, c := range t.chunks {
		if i > 0 && c.samples == t.chunks[i-1].samples && c.description == t.chunks[i-1].description {
			continue
		}
		if err := stsc.AddEntry(uint32(i+1), c.samples, c.description); err != nil {
			return err
		}
	}
	stbl.AddChild(stsc)
	stbl.AddChild(&box.StszBox{SampleNumber: t.samples, SampleSize: t.sizes})
	if len(t.sync) < int(t.samples) {
		stbl.AddChild(&box.StssBox{SampleNumber: t.sync})
	}
	co64 := &box.Co64Box{}
	for _, c := range t.chunks {
		co64.ChunkOffset = append(co64.ChunkOffset, uint64(c.at))
	}
	stbl.AddChild(co64)
	return nil
}
