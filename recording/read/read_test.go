package read_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foxglove/mcap/go/mcap"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/index"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/repair"
	"github.com/waldo-robot/waldo/recording/write"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func all(t *testing.T, path string, q read.Query) (found []read.Message, damage error) {
	t.Helper()
	f, err := read.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	messages := f.Messages(q)
	for {
		m, err := messages.Next()
		if errors.Is(err, io.EOF) {
			return found, errors.Join(messages.Damage(), f.Damage())
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, m)
	}
}

func onlyVideo(c *read.Channel) bool { return c.Waldo.Stream == "video" }

// isPrefix checks that messages are the first pictures of a recording, whole and in order.
func isPrefix(t *testing.T, messages []read.Message, size int) {
	t.Helper()
	for n, m := range messages {
		if want := recordingtest.Picture(n, size); !bytes.Equal(m.Data, want.Data) || m.Sequence != uint32(n) ||
			!m.Logged.Equal(want.Logged) || !m.Published.Equal(want.Published) {
			t.Fatalf("message %d is %d of %v", n, m.Sequence, m.Logged)
		}
	}
}

// TestRoundTrip: what was on the bus comes back byte for byte, with all that is about it.
func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drive.mcap")
	f := recordingtest.Record(t, path, 300, 2000, write.Config{ChunkBytes: 50_000})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); !errors.Is(err, write.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
	r, err := read.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if r.Count() != 330 || r.Damage() != nil || !strings.HasSuffix(r.Library(), "waldo") || len(r.Channels()) != 2 {
		t.Errorf("%d messages, %v, %q, %d channels", r.Count(), r.Damage(), r.Library(), len(r.Channels()))
	}
	if m, err := r.Metadata(write.AboutRobot); err != nil || m["robot"] != "rover" {
		t.Errorf("metadata %v, %v", m, err)
	}
	if a, err := r.Attachment("robot.yaml"); err != nil || string(a) != "robot: rover\n" {
		t.Errorf("attachment %q, %v", a, err)
	}
	first, last := r.Span()
	if !first.Equal(recordingtest.Begin) || !last.Equal(recordingtest.Picture(299, 0).Logged) {
		t.Errorf("from %v to %v", first, last)
	}
	c := r.Channels()[0]
	if c.Record.Topic != "/front/video" || c.Schema.Name != "foxglove.CompressedVideo" || c.Waldo.Kind != "camera" ||
		c.Count != 300 {
		t.Errorf("channel %+v", c)
	}
	found, damage := all(t, path, read.Query{})
	if len(found) != 330 || damage != nil {
		t.Errorf("%d messages, %v", len(found), damage)
	}
	pictures, _ := all(t, path, read.Query{Channels: onlyVideo})
	isPrefix(t, pictures, 2000)
}

// TestQuery: the first and the last message of a range.
func TestQuery(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drive.mcap")
	if err := recordingtest.Record(t, path, 300, 2000, write.Config{ChunkBytes: 30_000}).Close(); err != nil {
		t.Fatal(err)
	}
	from, to := recordingtest.Picture(100, 0).Logged, recordingtest.Picture(110, 0).Logged
	found, _ := all(t, path, read.Query{From: from, To: to, Channels: onlyVideo})
	if len(found) != 10 || found[0].Sequence != 100 || found[9].Sequence != 109 {
		t.Errorf("%d messages", len(found))
	}
}

// isKey reads the field key_frame.
func isKey(data []byte) bool {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return false
		}
		data = data[n:]
		if number == 5 && kind == protowire.VarintType {
			return true
		}
		if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
			return false
		}
		data = data[n:]
	}
	return false
}

func TestKeyFrame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drive.mcap")
	if err := recordingtest.Record(t, path, 300, 2000, write.Config{ChunkBytes: 30_000}).Close(); err != nil {
		t.Fatal(err)
	}
	r, err := read.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	video := r.Channels()[0]
	for at, want := range map[int]int{0: 0, 29: 0, 30: 30, 299: 270} {
		found, ok := r.KeyFrame(video, recordingtest.Picture(at, 0).Logged, isKey)
		if !ok || !found.Equal(recordingtest.Picture(want, 0).Logged) {
			t.Errorf("for %d: %v, %v", at, found, ok)
		}
	}
	if found, ok := r.KeyFrame(video, recordingtest.Begin.Add(-time.Hour), isKey); ok {
		t.Errorf("before the beginning: %v", found)
	}
}

// TestCut: of a file that is cut anywhere, as by a crash, everything up to the last whole chunk is read, before it is
// repaired and after that; and a repair changes nothing of it.
func TestCut(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "drive.mcap")
	f := recordingtest.Record(t, path, 200, 500, write.Config{ChunkBytes: 10_000})
	f.Abandon()
	whole, err := os.ReadFile(path + write.PartSuffix)
	if err != nil {
		t.Fatal(err)
	}
	for size := 0; size < len(whole); size += 1013 {
		cut := filepath.Join(folder, "cut.mcap.part")
		data := whole[:size]
		if size%2 == 1 { // a file system that has the length, and not yet the data
			data = append(bytes.Clone(data), make([]byte, 4096)...)
		}
		if err := os.WriteFile(cut, data, 0o600); err != nil {
			t.Fatal(err)
		}
		result, err := repair.File(cut)
		if err != nil {
			if !errors.Is(err, repair.ErrEmpty) && !errors.Is(err, index.ErrForeign) {
				t.Fatalf("cut at %d: %v", size, err)
			}
			continue
		}
		found, damage := all(t, result.Path, read.Query{Channels: onlyVideo})
		if damage != nil {
			t.Errorf("cut at %d: %v", size, damage)
		}
		isPrefix(t, found, 500)
		if lost := size/550 - len(found); lost > 2*10_000/500+20 { // a chunk, and what stands around messages
			t.Errorf("cut at %d: %d messages are missing", size, lost)
		}
		if again, err := repair.File(result.Path); err != nil || !again.Whole {
			t.Errorf("cut at %d: once more: %+v, %v", size, again, err)
		}
		if err := os.Remove(result.Path); err != nil {
			t.Fatal(err)
		}
	}
}

// foreign writes a file with the library, as other programs do.
func foreign(t testing.TB, o *mcap.WriterOptions, messages int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := mcap.NewWriter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(w.WriteHeader(&mcap.Header{Profile: "ros2"}))
	check(w.WriteSchema(&mcap.Schema{ID: 1, Name: "x", Encoding: "jsonschema", Data: []byte("{}")}))
	check(w.WriteChannel(&mcap.Channel{ID: 3, SchemaID: 1, Topic: "/x", MessageEncoding: "json"}))
	check(w.WriteMetadata(&mcap.Metadata{Name: "m", Metadata: map[string]string{"a": "b"}}))
	for n := range messages {
		at := uint64(n ^ 1) // out of order
		check(w.WriteMessage(&mcap.Message{ChannelID: 3, Sequence: uint32(at), LogTime: at,
			Data: bytes.Repeat([]byte("{}"), 50)}))
	}
	check(w.WriteAttachment(&mcap.Attachment{Name: "a", DataSize: 2, Data: strings.NewReader("hi")}))
	check(w.Close())
	return out.Bytes()
}

var kinds = map[string]*mcap.WriterOptions{
	"zstd":      {Chunked: true, ChunkSize: 5000, Compression: mcap.CompressionZSTD},
	"lz4":       {Chunked: true, ChunkSize: 5000, Compression: mcap.CompressionLZ4},
	"none":      {Chunked: true, ChunkSize: 5000, IncludeCRC: true},
	"unchunked": {},
	"bare": {SkipRepeatedSchemas: true, SkipRepeatedChannelInfos: true, SkipStatistics: true,
		SkipSummaryOffsets: true},
	"no index": {Chunked: true, ChunkSize: 5000, SkipChunkIndex: true, SkipMessageIndexing: true},
}

// TestForeign: files of other programs, in any form.
func TestForeign(t *testing.T) {
	for name, o := range kinds {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f.mcap")
			if err := os.WriteFile(path, foreign(t, o, 500), 0o600); err != nil {
				t.Fatal(err)
			}
			found, _ := all(t, path, read.Query{})
			if len(found) != 500 {
				t.Fatalf("%d messages", len(found))
			}
			for n, m := range found {
				if m.Sequence != uint32(n) || m.Channel.Record.Topic != "/x" {
					t.Fatalf("message %d is %d", n, m.Sequence)
				}
			}
		})
	}
}

// TestDamaged: a damaged chunk costs its own messages only.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drive.mcap")
	if err := recordingtest.Record(t, path, 300, 2000, write.Config{ChunkBytes: 30_000}).Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 0x55
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	found, damage := all(t, path, read.Query{Channels: onlyVideo})
	if damage == nil || !strings.Contains(damage.Error(), "checksum") || len(found) < 270 || len(found) == 300 {
		t.Errorf("%d messages, %v", len(found), damage)
	}
	checkToldOnce(t, path)
}

// checkToldOnce reads a file with one damaged chunk several times.
func checkToldOnce(t *testing.T, path string) {
	f, err := read.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var told []error
	for i := range 4 {
		if i == 2 {
			f.WatchDamage(func(err error) { told = append(told, err) })
		}
		if err := f.Messages(read.Query{}).Each(t.Context(), func(read.Message) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 1 || !strings.Contains(told[0].Error(), "checksum") {
		t.Errorf("told: %v", told)
	}
}

// TestNoRecording: what is none is said to be none.
func TestNoRecording(t *testing.T) {
	folder := t.TempDir()
	for name, tt := range map[string]struct{ data, fails string }{
		"empty": {"", "it is empty"}, "text": {"hello, this is no recording", "not an MCAP file"},
		"short": {"\x89MC", "not an MCAP file"},
	} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(tt.data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := read.Open(path); err == nil || !strings.Contains(err.Error(), tt.fails) ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := read.Open(folder); err == nil {
		t.Error("a folder was opened")
	}
}

// small returns the bytes of a recording that is as small as possible.
func small(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.mcap")
	f, err := write.Create(path, write.Head{}, write.Config{ChunkBytes: 400})
	if err != nil {
		t.Fatal(err)
	}
	c := recordingtest.Add(t, f, recording.Channel{Device: "a", Stream: "s", Direction: recording.Out,
		Type: "google.protobuf.Timestamp", Files: recordingtest.Files(&timestamppb.Timestamp{})})
	for n := range 20 {
		if err := f.Write(c,
			write.Message{Logged: recordingtest.Begin, Sequence: uint32(n), Data: []byte{8, 1}}); err != nil {
			t.Fatal(err)
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

// FuzzOpen: nothing that is in a file keeps a reader from ending. What a repair does with it is in FuzzLoad of package
// index.
func FuzzOpen(f *testing.F) {
	for _, o := range kinds {
		f.Add(foreign(f, o, 20))
	}
	f.Add(small(f))
	path := filepath.Join(f.TempDir(), "f.mcap")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := read.Open(path)
		if err != nil {
			return
		}
		defer func() { _ = r.Close() }()
		_, _ = r.Metadata("m")
		_, _ = r.Attachment("a")
		for _, c := range r.Channels() {
			_, _ = r.KeyFrame(c, time.Unix(1, 0), isKey)
			for range r.Runs(c) {
				continue
			}
		}
		for _, q := range []read.Query{{}, {Sparse: true}} {
			messages := r.Messages(q)
			for {
				if _, err := messages.Next(); err != nil {
					break
				}
			}
		}
	})
}
