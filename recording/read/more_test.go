package read_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foxglove/mcap/go/mcap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/index"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/repair"
	"github.com/waldo-robot/waldo/recording/write"
)

// save writes bytes to a file.
func save(t *testing.T, data []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "f.mcap")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// foreignChunks writes chunks of messages with the given times, with the library.
func foreignChunks(t *testing.T, compression mcap.CompressionFormat, chunks ...[]uint64) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := mcap.NewWriter(&out,
		&mcap.WriterOptions{Chunked: true, ChunkSize: 10_000, Compression: compression, IncludeCRC: true})
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(err)
	check(w.WriteHeader(&mcap.Header{}))
	for i, times := range chunks {
		for n, at := range times {
			if n == 0 {
				check(w.WriteSchema(&mcap.Schema{ID: 1, Name: "x", Encoding: "jsonschema", Data: []byte("{}")}))
				check(w.WriteChannel(&mcap.Channel{ID: 3, SchemaID: 1, Topic: "/x", MessageEncoding: "json"}))
				check(w.WriteChannel(&mcap.Channel{ID: 4, SchemaID: 1, Topic: "/y", MessageEncoding: "json"}))
			}
			size := 100
			if n == len(times)-1 {
				size = 20_000 // ends the chunk
			}
			check(w.WriteMessage(&mcap.Message{ChannelID: 3 + uint16(n%2), LogTime: at, Sequence: uint32(i),
				Data: make([]byte, size)}))
		}
	}
	check(w.Close())
	return out.Bytes()
}

// TestOverlap: messages come by time, whatever the order of chunks, and those of one time in the order of the file.
func TestOverlap(t *testing.T) {
	for _, compression := range []mcap.CompressionFormat{mcap.CompressionNone, mcap.CompressionZSTD, mcap.CompressionLZ4} {
		for _, sparse := range []bool{false, true} {
			t.Run(fmt.Sprintf("%q, sparse %v", compression, sparse), func(t *testing.T) {
				data := foreignChunks(t, compression, []uint64{50, 60, 70, 80}, []uint64{1, 55, 100}, []uint64{55, 54, 2},
					[]uint64{200, 10})
				found, damage := all(t, save(t, data), read.Query{Sparse: sparse})
				if damage != nil {
					t.Error(damage)
				}
				var got []string
				for _, m := range found {
					got = append(got, fmt.Sprintf("%d of %d", m.Logged.UnixNano(), m.Sequence))
				}
				want := "1 of 1, 2 of 2, 10 of 3, 50 of 0, 54 of 2, 55 of 1, 55 of 2, 60 of 0, 70 of 0, 80 of 0, 100 of 1, 200 of 3"
				if strings.Join(got, ", ") != want {
					t.Errorf("%v", got)
				}
				found, _ = all(t, save(t, data), read.Query{Sparse: sparse, From: time.Unix(0, 54), To: time.Unix(0, 80)})
				if len(found) != 5 {
					t.Errorf("%d messages from 54 to before 80", len(found))
				}
			})
		}
	}
}

// TestSparse: few messages are the same, whether chunks are read whole or not; and then far less is read.
func TestSparse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drive.mcap")
	if err := recordingtest.Record(t, path, 300, 50_000, write.Config{ChunkBytes: 1 << 20}).Close(); err != nil {
		t.Fatal(err)
	}
	states := func(c *read.Channel) bool { return c.Waldo.Direction == recording.State }
	whole, _ := all(t, path, read.Query{Channels: states})
	few, damage := all(t, path, read.Query{Channels: states, Sparse: true})
	if damage != nil || len(whole) != 30 || len(few) != 30 {
		t.Fatalf("%d and %d messages, %v", len(whole), len(few), damage)
	}
	for n, m := range few {
		if !bytes.Equal(m.Data, whole[n].Data) || !m.Logged.Equal(whole[n].Logged) {
			t.Errorf("message %d is %v", n, m)
		}
	}
	large, damage := all(t, path, read.Query{Channels: onlyVideo, Sparse: true})
	if damage != nil || len(large) != 300 {
		t.Fatalf("%d pictures, %v", len(large), damage)
	}
	isPrefix(t, large, 50_000)
}

// TestSchemaChanged: each file says itself what its messages are, so that a device may change between two files.
func TestSchemaChanged(t *testing.T) {
	folder := t.TempDir()
	field := func(name string, kind descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FileDescriptorSet {
		return &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
			Name: proto.String("own.proto"), Package: proto.String("own"), Syntax: proto.String("proto3"),
			MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Report"),
				Field: []*descriptorpb.FieldDescriptorProto{{
					Name: &name, Number: proto.Int32(1), Type: &kind, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
				}}}},
		}}}
	}
	for name, files := range map[string]*descriptorpb.FileDescriptorSet{
		"speed":  field("speed", descriptorpb.FieldDescriptorProto_TYPE_DOUBLE),
		"ticks":  field("ticks", descriptorpb.FieldDescriptorProto_TYPE_INT64),
		"answer": field("answer", descriptorpb.FieldDescriptorProto_TYPE_STRING),
	} {
		path := filepath.Join(folder, name+".mcap")
		f, err := write.Create(path, write.Head{}, write.Config{})
		if err != nil {
			t.Fatal(err)
		}
		recordingtest.Add(t, f,
			recording.Channel{Device: "board", Stream: "report", Direction: recording.Out, Type: "own.Report", Files: files})
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := read.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		set, err := protodesc.NewFiles(r.Channels()[0].Waldo.Files)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.FindDescriptorByName(protoreflect.FullName("own.Report." + name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.Damage() != nil {
			t.Errorf("%s: %v", name, r.Damage())
		}
		_ = r.Close()
	}
}

// TestBadChannel: a channel that cannot be understood does not hide the others.
func TestBadChannel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drive.mcap")
	if err := recordingtest.Record(t, path, 30, 100, write.Config{}).Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	x, err := index.Load(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(data, []byte("waldo.appended")) + len("waldo.appended") + 4
	data[at] = 'x'
	copy(data[len(data)-12:], make([]byte, 4)) // no checksum of the index
	binary.LittleEndian.PutUint32(data[len(data)-12:], 0)
	found, damage := all(t, save(t, data), read.Query{})
	if len(found) != int(x.Statistics.MessageCount) || damage == nil ||
		!strings.Contains(damage.Error(), "waldo.appended") {
		t.Errorf("%d messages, %v", len(found), damage)
	}
}

// TestPowerLoss: what [write.File.Written] says is durable is whole, whatever follows it on the disk after the power
// failed.
func TestPowerLoss(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drive.mcap")
	f, err := write.Create(path, write.Head{}, write.Config{ChunkBytes: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	video := recordingtest.Add(t, f, recordingtest.Video("front"))
	type moment struct {
		written int64
		sent    int
	}
	var moments []moment
	for n := range 200 {
		if err := f.Write(video, recordingtest.Picture(n, 1000)); err != nil {
			t.Fatal(err)
		}
		if n%17 == 0 {
			moments = append(moments, moment{f.Written(), n})
		}
	}
	f.Abandon()
	data, err := os.ReadFile(path + write.PartSuffix)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	garbage := make([]byte, 30_000)
	for i := range garbage {
		garbage[i] = byte(random.Uint32())
	}
	tails := map[string][]byte{"nothing": nil, "zeros": make([]byte, 30_000), "garbage": garbage}
	for _, m := range append(moments, moment{f.Written(), 199}) {
		for name, tail := range tails {
			part := save(t, append(bytes.Clone(data[:m.written]), tail...))
			result, err := repair.File(part)
			if errors.Is(err, repair.ErrEmpty) && m.written == moments[0].written {
				continue
			}
			if err != nil {
				t.Fatalf("%s after %d bytes: %v", name, m.written, err)
			}
			found, damage := all(t, part, read.Query{})
			if damage != nil || uint64(len(found)) != result.Messages || len(found) > m.sent+1 ||
				result.Cut != int64(len(tail)) {
				t.Errorf("%s after %d bytes: %d messages of %d, %+v, %v", name, m.written, len(found), m.sent, result, damage)
			}
			isPrefix(t, found, 1000)
		}
	}
}

// TestEndless: a query that ends does so again and again.
func TestEndless(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drive.mcap")
	if err := recordingtest.Record(t, path, 3, 100, write.Config{}).Close(); err != nil {
		t.Fatal(err)
	}
	f, err := read.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	messages := f.Messages(read.Query{From: recordingtest.Begin.Add(time.Hour)})
	for range 3 {
		if _, err := messages.Next(); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
}

// TestMost: a search ends when it has read as much as it may, and says so.
func TestMost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drive.mcap")
	if err := recordingtest.Record(t, path, 300, 1000, write.Config{ChunkBytes: 10_000}).Close(); err != nil {
		t.Fatal(err)
	}
	whole, _ := all(t, path, read.Query{})
	for _, sparse := range []bool{false, true} {
		found, damage := all(t, path, read.Query{Most: 100_000, Sparse: sparse})
		if !errors.Is(damage, read.ErrMost) || len(found) == 0 || len(found) >= len(whole)/2 {
			t.Errorf("sparse %v: %d messages of %d, %v", sparse, len(found), len(whole), damage)
		}
		if found, damage = all(t, path, read.Query{Most: 1 << 30, Sparse: sparse}); damage != nil ||
			len(found) != len(whole) {
			t.Errorf("sparse %v: %d messages of %d, %v", sparse, len(found), len(whole), damage)
		}
	}
}
