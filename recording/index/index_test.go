package index_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/foxglove/mcap/go/mcap"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/index"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// whole returns the bytes of a complete recording in about 20 chunks.
func whole(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "drive.mcap")
	if err := recordingtest.Record(t, path, 100, 200, write.Config{ChunkBytes: 2000}).Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// small returns a recording in three chunks that is as small as possible.
func small(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.mcap")
	f, err := write.Create(path, write.Head{Metadata: map[string]string{"robot": "rover"},
		Attachments: []write.Attachment{{Name: "a", Data: []byte("b")}}}, write.Config{ChunkBytes: 400})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		c := recordingtest.Add(t, f, recording.Channel{Device: name, Stream: "s", Direction: recording.Out,
			Type: "google.protobuf.Timestamp", Files: recordingtest.Files(&timestamppb.Timestamp{})})
		for n := range 12 {
			if err := f.Write(c,
				write.Message{Logged: recordingtest.Begin, Sequence: uint32(n), Data: []byte{8, 1}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func load(t testing.TB, data []byte) *index.Index {
	t.Helper()
	x, err := index.Load(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// borders returns where the records of a file begin, and where the last one ends.
func borders(data []byte) (all []int) {
	at := len(mcap.Magic)
	for at+index.HeaderBytes <= len(data)-len(mcap.Magic) {
		all = append(all, at)
		at += index.HeaderBytes + int(binary.LittleEndian.Uint64(data[at+1:]))
	}
	return append(all, at)
}

// TestSummary: what the index at the end says is what is found by going through the file.
func TestSummary(t *testing.T) {
	data := whole(t)
	x := load(t, data)
	if !x.Whole || !x.Indexed || x.Damage != nil {
		t.Fatalf("%v, %v, %v", x.Whole, x.Indexed, x.Damage)
	}
	y, err := index.Scan(bytes.NewReader(data), int64(len(data)))
	if err != nil || y.Damage != nil {
		t.Fatal(err, y.Damage)
	}
	if len(x.Chunks) != len(y.Chunks) || len(x.Channels) != 2 || len(y.Channels) != 2 || len(y.Attachments) != 1 ||
		len(y.Metadata) != 1 || x.Statistics.MessageCount != 110 || y.Statistics.MessageCount != 110 {
		t.Fatalf("%+v\n%+v", x, y)
	}
	for i, c := range x.Chunks {
		d := y.Chunks[i]
		if c.ChunkStartOffset != d.ChunkStartOffset || c.ChunkLength != d.ChunkLength ||
			c.MessageIndexLength != d.MessageIndexLength || c.MessageStartTime != d.MessageStartTime ||
			c.MessageEndTime != d.MessageEndTime || len(c.MessageIndexOffsets) != len(d.MessageIndexOffsets) {
			t.Errorf("chunk %d: %+v, %+v", i, c, d)
		}
	}
}

// TestDamagedSummary: an index that is damaged anywhere is not believed, and the messages are found nevertheless.
func TestDamagedSummary(t *testing.T) {
	data := whole(t)
	start := int(load(t, data).End)
	for at := start; at < len(data); at += 7 {
		spoiled := bytes.Clone(data)
		spoiled[at] ^= 0x5a
		x := load(t, spoiled)
		if x.Indexed || x.Damage == nil || x.Statistics.MessageCount != 110 || len(x.Channels) != 2 {
			t.Errorf("byte %d of %d: %v, %d messages, %v", at, len(data), x.Indexed, x.Statistics.MessageCount, x.Damage)
		}
	}
}

// TestDamagedChunk: going through a file, a damaged chunk does not hide what follows it.
func TestDamagedChunk(t *testing.T) {
	data := whole(t)
	x := load(t, data)
	for _, i := range []int{0, len(x.Chunks) / 2} {
		spoiled := bytes.Clone(data[:x.End])
		spoiled[x.Chunks[i].ChunkStartOffset+300] ^= 0x5a
		y := load(t, spoiled)
		if y.Damage == nil || len(y.Chunks) != len(x.Chunks) || y.End != x.End-13 { // the end of the data is no part of it
			t.Errorf("chunk %d: %d of %d chunks, to %d of %d, %v", i, len(y.Chunks), len(x.Chunks), y.End, x.End, y.Damage)
		}
		if _, err := index.Records(bytes.NewReader(spoiled), int64(len(spoiled)), y.Chunks[i]); err == nil ||
			!strings.Contains(err.Error(), "checksum") {
			t.Errorf("chunk %d: %v", i, err)
		}
	}
}

// TestAppend: a file that is cut at any border of its records, or beside one, is completed with all that was whole
// before.
func TestAppend(t *testing.T) {
	data := whole(t)
	chunks := load(t, data).Chunks
	for _, border := range borders(data) {
		for _, cut := range []int{border - 1, border, border + 1, border + 9, border + 30} {
			if cut > len(data) || cut < len(mcap.Magic) {
				continue
			}
			part := bytes.Clone(data[:cut])
			x := load(t, part)
			out := bytes.NewBuffer(part[:x.End])
			if x.Whole {
				out = bytes.NewBuffer(part)
			} else if err := x.Append(out, &mcap.Metadata{Name: "repaired"}); err != nil {
				t.Fatal(err)
			}
			y := load(t, out.Bytes())
			want := 0
			for _, c := range chunks {
				if int(c.ChunkStartOffset+c.ChunkLength) <= cut {
					want++
				}
			}
			if !y.Whole || y.Damage != nil || len(y.Chunks) != want || y.Statistics.MessageCount != count(t, out.Bytes(), y) ||
				want > 0 && !y.Indexed {
				t.Errorf("cut at %d: %d of %d chunks, %d messages, %v", cut, len(y.Chunks), want, y.Statistics.MessageCount,
					y.Damage)
			}
			doctor(t, out.Bytes())
		}
	}
}

// count counts the messages by the indexes of chunks.
func count(t *testing.T, data []byte, x *index.Index) (n uint64) {
	t.Helper()
	all := func(uint16) bool { return true }
	for _, c := range x.Chunks {
		c.ChunkLength += 1 << 40 // so that all may be picked
		bodies, ok, err := index.Pick(bytes.NewReader(data), int64(len(data)), c, all, 0, math.MaxUint64)
		c.ChunkLength -= 1 << 40
		if err != nil || !ok && c.MessageStartTime > 0 {
			t.Errorf("%v, %v", ok, err)
		}
		n += uint64(len(bodies))
	}
	return n
}

// doctor reads a file with the library, as other programs do.
func doctor(t *testing.T, data []byte) {
	t.Helper()
	lexer, err := mcap.NewLexer(bytes.NewReader(data),
		&mcap.LexerOptions{ValidateChunkCRCs: true, ComputeAttachmentCRCs: true})
	if err != nil {
		t.Fatal(err)
	}
	defer lexer.Close()
	for {
		if _, _, err := lexer.Next(nil); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// record returns a record.
func record(op mcap.OpCode, length uint64, body ...byte) []byte {
	return append(binary.LittleEndian.AppendUint64([]byte{byte(op)}, length), body...)
}

func begun(records ...[]byte) []byte {
	return append(bytes.Clone(mcap.Magic), bytes.Join(records, nil)...)
}

// liars are files that claim to be larger than they are.
var liars = map[string][]byte{
	"a record without end":        begun(record(mcap.OpSchema, math.MaxUint64)),
	"a schema of a terabyte":      begun(record(mcap.OpSchema, 1<<40)),
	"an attachment of a terabyte": begun(record(mcap.OpAttachment, 1<<40, make([]byte, 100)...)),
	"a chunk of 4 GB": begun(record(mcap.OpChunk, 48,
		append(binary.LittleEndian.AppendUint64(make([]byte, 16), 1<<32), make([]byte, 24)...)...)),
	"a chunk that grows to 250 MB": begun(record(mcap.OpChunk, 8+8+8+4+4+4+8,
		append(append(binary.LittleEndian.AppendUint64(make([]byte, 16), 250<<20), 0, 0, 0, 0, 4, 0, 0, 0),
			"zstd\x00\x00\x00\x00\x00\x00\x00\x00"...)...)),
	"a channel with metadata of 4 GB": begun(record(mcap.OpChannel, 20,
		append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)...)),
	"a name of 4 GB": begun(record(mcap.OpMetadata, 8, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)),
	"an index elsewhere": begun(record(mcap.OpHeader, 8, make([]byte, 8)...),
		record(mcap.OpFooter, 20, bytes.Repeat([]byte{0xf0}, 20)...), mcap.Magic),
}

// TestDamagedLength: of a record that claims more bytes than there are it is said where it is, and not that the file ends
// there; what is before it is read.
func TestDamagedLength(t *testing.T) {
	data := whole(t)
	x := load(t, data)
	place := x.Chunks[1].ChunkStartOffset
	data = data[:x.End]
	binary.LittleEndian.PutUint64(data[place+1:], 1<<40)
	want := fmt.Sprintf("at byte %d: a record claims more bytes than the file has", place)
	y := load(t, data)
	if y.Damage == nil || !strings.HasPrefix(y.Damage.Error(), want) || len(y.Chunks) != 1 ||
		!index.Unfinished(y.Damage) {
		t.Errorf("%d chunks, %v, want %s", len(y.Chunks), y.Damage, want)
	}
	y = load(t, data[:place+5])
	if y.Damage == nil || !strings.HasSuffix(y.Damage.Error(), "the file ends in the middle of a record") {
		t.Errorf("cut in a head: %v", y.Damage)
	}
	err := index.ForEach(data[place:place+100], func(mcap.OpCode, int, []byte) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "more bytes than its chunk has") {
		t.Errorf("in a chunk: %v", err)
	}
}

// TestLiars: what a file claims costs no memory.
func TestLiars(t *testing.T) {
	for name, data := range liars {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			x := load(t, data)
			for _, c := range x.Chunks {
				if _, err := index.Records(bytes.NewReader(data), int64(len(data)), c); err == nil {
					t.Error("a chunk was read")
				}
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
				t.Errorf("%d bytes of memory", got)
			}
			if x.Damage == nil || x.Whole {
				t.Errorf("%v, %v", x.Damage, x.Whole)
			}
		})
	}
}

// TestHuge: files of 50 GB with holes are gone through without reading all of them.
func TestHuge(t *testing.T) {
	const size = 50 << 30
	data := whole(t)
	start := int(load(t, data).End)
	for name, tt := range map[string]struct {
		begins, ends []byte
		foreign      bool
		messages     uint64
	}{
		"zeros":                        {foreign: true},
		"a recording, and zeros":       {begins: data[:start-13], messages: 110},
		"zeros with an end":            {ends: data[start:], foreign: true},
		"an end that names everything": {begins: data[:start-13], ends: footer(start), messages: 110},
		"one attachment":               {begins: begun(record(mcap.OpAttachment, size-100, make([]byte, 100)...))},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Create(filepath.Join(t.TempDir(), "huge.mcap"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			if err := f.Truncate(size); err != nil {
				t.Skip(err) // the file system has no such files
			}
			_, err = f.WriteAt(tt.begins, 0)
			_, err2 := f.WriteAt(tt.ends, size-int64(len(tt.ends)))
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			x, err := index.Load(f, size)
			if errors.Is(err, index.ErrForeign) != tt.foreign || err != nil && !tt.foreign {
				t.Fatal(err)
			}
			if err == nil && (x.Statistics.MessageCount != tt.messages || x.Whole) {
				t.Errorf("%d messages, %v", x.Statistics.MessageCount, x.Damage)
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
				t.Errorf("%d bytes of memory", got)
			}
		})
	}
}

// footer is the end of a file whose index begins at a place.
func footer(start int) []byte {
	body := binary.LittleEndian.AppendUint64(nil, uint64(start))
	return append(record(mcap.OpFooter, 20, append(body, make([]byte, 12)...)...), mcap.Magic...)
}

// FuzzLoad: nothing that is in a file panics; and what is completed can be read again.
func FuzzLoad(f *testing.F) {
	data := small(f)
	f.Add(data)
	for _, border := range borders(data) {
		f.Add(data[:border])
	}
	for _, liar := range liars {
		f.Add(liar)
	}
	f.Add(spoiledTwice(f, data, 1, 10))
	f.Add(cut(f, data, len(data)*3/4))
	f.Fuzz(func(t *testing.T, data []byte) {
		size := int64(len(data))
		x, err := index.Load(bytes.NewReader(data), size)
		if err != nil {
			return
		}
		for _, c := range x.Chunks {
			_, _ = index.Records(bytes.NewReader(data), size, c)
			_, _, _ = index.Pick(bytes.NewReader(data), size, c, func(uint16) bool { return true }, 0, math.MaxUint64)
			for id := range c.MessageIndexOffsets {
				_, _, _, _ = index.Ends(bytes.NewReader(data), size, c, id)
			}
		}
		if err := x.CheckLast(bytes.NewReader(data), size); err != nil {
			t.Fatal(err)
		}
		if x.End > size || x.End < int64(len(mcap.Magic)) {
			t.Fatalf("the data ends at %d of %d", x.End, size)
		}
		if x.Whole {
			return
		}
		out := bytes.NewBuffer(bytes.Clone(data[:x.End]))
		if err := x.Append(out); err != nil {
			return // it has a channel without a schema
		}
		y, err := index.Load(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil || !y.Whole || len(y.Chunks) != len(x.Chunks) ||
			y.Statistics.MessageCount != x.Statistics.MessageCount {
			t.Errorf("%v; %+v became %+v, %v", err, x.Statistics, y.Statistics, y.Damage)
		}
	})
}

// TestOnePlace: an index that names a chunk twice is not used, and message indexes that are not beside their chunk
// neither.
func TestOnePlace(t *testing.T) {
	data := whole(t)
	again := func(change func(x *index.Index)) *index.Index {
		x := load(t, data)
		change(x)
		out := bytes.NewBuffer(slices.Clone(data[:x.End]))
		if err := x.Append(out); err != nil {
			t.Fatal(err)
		}
		return load(t, out.Bytes())
	}
	before := load(t, data)
	x := again(func(x *index.Index) { x.Chunks = slices.Repeat(x.Chunks, 100) })
	if x.Indexed || len(x.Chunks) != len(before.Chunks) || x.Statistics.MessageCount != before.Statistics.MessageCount ||
		x.Damage == nil || !strings.Contains(x.Damage.Error(), "one place") {
		t.Errorf("%d chunks, by the index: %v, %v", len(x.Chunks), x.Indexed, x.Damage)
	}
	x = again(func(x *index.Index) {
		for _, c := range x.Chunks[1:] {
			c.MessageIndexOffsets = x.Chunks[0].MessageIndexOffsets
		}
	})
	if !x.Indexed || x.Damage != nil || len(x.Chunks[0].MessageIndexOffsets) == 0 {
		t.Errorf("by the index: %v, %v", x.Indexed, x.Damage)
	}
	for _, c := range x.Chunks[1:] {
		if len(c.MessageIndexOffsets) > 0 {
			t.Fatalf("the chunk at %d has message indexes at %v", c.ChunkStartOffset, c.MessageIndexOffsets)
		}
	}
}
