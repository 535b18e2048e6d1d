package folder_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foxglove/mcap/go/mcap"

	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/index"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// overlapping returns a file whose index names the chunks of it so many times. They hold messages that are said to be
// marks, and are none.
func overlapping(t testing.TB, times int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.mcap")
	f, err := write.Create(path, write.Head{}, write.Config{ChunkBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	c, err := f.Add(marks())
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20_000 {
		if err := f.Write(c,
			write.Message{Logged: recordingtest.Begin, Sequence: uint32(n), Data: bytes.Repeat([]byte{0xff}, 50)}); err != nil {
			t.Fatal(err)
		}
	}
	f.Abandon()
	data, err := os.ReadFile(path + write.PartSuffix)
	if err != nil {
		t.Fatal(err)
	}
	x, err := index.Scan(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	chunk := *x.Chunks[0]
	x.Chunks = nil
	for range times { // each is said to be later than the one before, so they are not in memory at once
		chunk.MessageStartTime, chunk.MessageEndTime = chunk.MessageStartTime+1, chunk.MessageEndTime+1
		one := chunk
		x.Chunks = append(x.Chunks, &one)
	}
	out := bytes.NewBuffer(data[:x.End:x.End])
	if err := x.Append(out, &mcap.Metadata{Name: "x"}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// scattered returns a file of so many chunks, each with a message that is said to be a mark, and is none.
func scattered(t testing.TB, chunks int) []byte {
	t.Helper()
	record, schema, err := marks().Records(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := mcap.NewWriter(&out, &mcap.WriterOptions{Chunked: true, ChunkSize: 1})
	if err == nil {
		err = errors.Join(w.WriteHeader(&mcap.Header{}), w.WriteSchema(schema), w.WriteChannel(record))
	}
	for n := 0; n < chunks && err == nil; n++ {
		err = w.WriteMessage(&mcap.Message{ChannelID: 1, Sequence: uint32(n), LogTime: uint64(n) + 1, Data: []byte{0xff}})
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// hostile are files that were made to take long, by their number of chunks.
var hostile = []struct {
	name    string
	make    func(t testing.TB, chunks int) []byte
	problem string
}{
	{"overlapping", overlapping, "its index is damaged: it names two chunks in one place"},
	{"scattered", scattered, "not all of its marks are listed"},
}

// TestHostile: what was made to take long is listed without going through all that it claims.
func TestHostile(t *testing.T) {
	const chunks = 100_000
	for _, tt := range hostile {
		path := filepath.Join(t.TempDir(), "f.mcap")
		if err := os.WriteFile(path, tt.make(t, chunks), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := folder.Describe(path)
		if err != nil || !strings.Contains(r.GetProblem(), tt.problem) || r.GetMessageCount() > chunks+1 {
			t.Errorf("%s: %v, %v", tt.name, r, err)
		}
	}
}

// BenchmarkRecordHostile lists files of 100,000 chunks that were made to take long.
func BenchmarkRecordHostile(b *testing.B) {
	for _, tt := range hostile {
		path := filepath.Join(b.TempDir(), "f.mcap")
		if err := os.WriteFile(path, tt.make(b, 100_000), 0o600); err != nil {
			b.Fatal(err)
		}
		b.Run(tt.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := folder.Describe(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
