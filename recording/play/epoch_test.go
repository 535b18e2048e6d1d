package play_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/recording/play"
)

func TestEpochField(t *testing.T) {
	for _, c := range []struct {
		message proto.Message
		want    protowire.Number
	}{{&mediav1.VideoFrame{}, 1}, {&mediav1.AudioFrame{}, 1}, {&messagev1.Message{}, 0},
		{&devicev1.HoldStreamRequest{}, 0}} {
		if got := play.EpochField(c.message.ProtoReflect().Descriptor()); got != c.want {
			t.Errorf("%T: %d, not %d", c.message, got, c.want)
		}
	}
}

// TestEpochs: each recorded epoch has another one, until there is a jump; all else stays.
func TestEpochs(t *testing.T) {
	var e play.Epochs
	first, second := frame(t, &e, 7), frame(t, &e, 7)
	other := frame(t, &e, 8)
	e.Jump()
	later := frame(t, &e, 7)
	if first != second || first == 7 || first == other || first == later || first <= 0 {
		t.Errorf("epochs %d, %d, %d, %d", first, second, other, later)
	}
}

// frame replaces the epoch of a picture, and returns the new one.
func frame(t *testing.T, e *play.Epochs, epoch int64) int64 {
	t.Helper()
	f := &mediav1.VideoFrame{Epoch: epoch, Sequence: 9, KeyFrame: true, Data: []byte("data")}
	data, err := proto.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	data = protowire.AppendVarint(protowire.AppendTag(data, 200, protowire.VarintType), 5) // of a newer version
	var got mediav1.VideoFrame
	if err := proto.Unmarshal(e.WithEpoch(data, 1), &got); err != nil {
		t.Fatal(err)
	}
	if got.GetSequence() != 9 || !got.GetKeyFrame() || string(got.GetData()) != "data" ||
		len(got.ProtoReflect().GetUnknown()) == 0 {
		t.Errorf("something else has changed: %v", &got)
	}
	return got.GetEpoch()
}

// FuzzWithEpoch: whatever the bytes are, nothing but the epoch changes.
func FuzzWithEpoch(f *testing.F) {
	whole, _ := proto.Marshal(&mediav1.VideoFrame{Epoch: 7, Sequence: 9, Data: []byte("data")})
	for _, seed := range [][]byte{nil, whole, whole[:len(whole)-1], whole[2:], {0x08}, {0x08, 0xff}, {0xff},
		{0x0a, 1, 8}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		var e play.Epochs
		first := e.WithEpoch(data, 1)
		if !bytes.Equal(before, data) {
			t.Fatal("the message that was given has changed")
		}
		if again := e.WithEpoch(data, 1); !bytes.Equal(again, first) {
			t.Fatal("the same message has two results")
		}
		var was, is mediav1.VideoFrame
		if proto.Unmarshal(data, &was) != nil {
			return
		}
		if err := proto.Unmarshal(first, &is); err != nil {
			t.Fatalf("%x can be read, and not %x: %v", data, first, err)
		}
	})
}
