package replay_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
	"github.com/waldo-robot/waldo/services/replay/replay"
)

// wide defines acme.v1.Reading with another field, in a package.
func wide(pkg string) *descriptorpb.FileDescriptorSet {
	field := func(name string, n int32, of descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{Name: &name, Number: &n, Type: &of,
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	}
	return &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
		Name: proto.String("acme.proto"), Package: &pkg, Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Reading"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field("epoch", 1, descriptorpb.FieldDescriptorProto_TYPE_INT64),
				field("celsius", 2, descriptorpb.FieldDescriptorProto_TYPE_DOUBLE),
				field("humidity", 9, descriptorpb.FieldDescriptorProto_TYPE_DOUBLE)}}}}}}
}

// TestChangedBetweenFiles: a device that had another version in a later file is one device. A type that has grown goes
// on; a stream whose messages have another type ends.
func TestChangedBetweenFiles(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i, pkg := range []string{"acme.v1", "acme.v1", "acme.v2"} {
		path := filepath.Join(dir, string(rune('a'+i)))
		f, err := write.Create(path, write.Head{}, write.Config{})
		if err != nil {
			t.Fatal(err)
		}
		files := wide(pkg)
		if i == 0 { // without humidity
			files.File[0].MessageType[0].Field = files.File[0].MessageType[0].Field[:2]
		}
		c := recordingtest.Add(t, f, recording.Channel{Device: "thermo", Kind: "thermometer", Stream: "readings",
			Direction: recording.Out, Type: pkg + ".Reading", Files: files})
		for n := range 10 {
			at := time.Duration(10*i+n) * second
			if err := f.Write(c,
				write.Message{Logged: recordingtest.Begin.Add(at), Data: reading(t, 7, at.Seconds())}); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	r := newRig(t)
	r.clock.Duration = 29 * second
	p, _ := r.start(t, strings.Join(paths, ","), "thermo")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	messages, err := bus.SubscribeRaw(r.conn.Conn, p.Kit().Address().Out("readings"), stream.DropOldest(100))
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Close()
	defer r.conn.Hold(p.Kit().Address(), "readings", "test").Close()
	for _, c := range []struct {
		place time.Duration
		want  float64
	}{{5 * second, 5}, {15 * second, 15}, {25 * second, 19}} {
		r.seek(t, c.place)
		for {
			m, err := messages.Next(ctx)
			if err != nil {
				t.Fatalf("at %v: %v", c.place, err)
			}
			if m.Type != "acme.v1.Reading" {
				t.Fatalf("a %s came", m.Type)
			}
			if _, degrees := celsius(t, "Reading", m.Data); degrees == c.want {
				break
			}
		}
	}
	if err := (&replay.Config{Files: paths, As: "thermo", Player: "player"}).Validate(); err != nil {
		t.Error(err)
	}
}
