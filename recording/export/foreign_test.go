package export_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/foxglove/mcap/go/mcap"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/waldo-robot/waldo/recording/export"
	"github.com/waldo-robot/waldo/recording/recordingtest"
)

// video is the schema of pictures that another program has recorded.
func video(t *testing.T) []byte {
	t.Helper()
	field := func(name string, number int32,
		kind descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: &kind,
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	}
	data, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
		Name: proto.String("foxglove/CompressedVideo.proto"), Package: proto.String("foxglove"),
		Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("CompressedVideo"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field("frame_id", 2, descriptorpb.FieldDescriptorProto_TYPE_STRING),
				field("data", 3, descriptorpb.FieldDescriptorProto_TYPE_BYTES),
				field("format", 4, descriptorpb.FieldDescriptorProto_TYPE_STRING),
			}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestForeign: what another program has recorded, compressed, becomes MP4 as well.
func TestForeign(t *testing.T) {
	clip := recordingtest.Clip(t, "320x240", "2", "30")
	path := filepath.Join(t.TempDir(), "other.mcap")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	w, err := mcap.NewWriter(file,
		&mcap.WriterOptions{Chunked: true, ChunkSize: 20_000, Compression: mcap.CompressionZSTD})
	if err != nil {
		t.Fatal(err)
	}
	write := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write(w.WriteHeader(&mcap.Header{Profile: "ros2"}))
	write(w.WriteSchema(&mcap.Schema{ID: 1, Name: "foxglove.CompressedVideo", Encoding: "protobuf", Data: video(t)}))
	write(w.WriteChannel(&mcap.Channel{ID: 1, SchemaID: 1, Topic: "/camera/front", MessageEncoding: "protobuf"}))
	for n, unit := range clip {
		data := protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), unit)
		data = protowire.AppendString(protowire.AppendTag(data, 4, protowire.BytesType), "h264")
		logged := uint64(at(n, 30).UnixNano())
		write(w.WriteMessage(&mcap.Message{ChannelID: 1, LogTime: logged, PublishTime: logged, Data: data}))
	}
	write(w.Close())
	to := t.TempDir()
	result, err := open(t, path).MP4(context.Background(), to, export.Choice{From: 1200 * time.Millisecond})
	if want := []string{filepath.Join(to, "camera_front.mp4")}; err != nil || !slices.Equal(result.Files, want) {
		t.Fatalf("%+v, %v", result, err)
	}
	if got := pictures(t, result.Files[0]); !bytes.Equal(plain(got), plain(clip[30:])) {
		t.Errorf("%d pictures", len(got))
	}
}
