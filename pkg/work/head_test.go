package work

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
)

func encoded(t testing.TB, f *mediav1.VideoFrame) []byte {
	t.Helper()
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var large = &mediav1.VideoFrame{Epoch: 1 << 62, Sequence: 300, CaptureTime: timestamppb.New(start),
	Format: &mediav1.VideoFormat{MediaType: "image/jpeg"}, KeyFrame: true, Data: []byte(strings.Repeat("x", 5000))}

func TestHead(t *testing.T) {
	data := encoded(t, large)
	got := head(data[:len(data)-4000])
	if got.GetEpoch() != 1<<62 || got.GetSequence() != 300 || !got.GetCaptureTime().AsTime().Equal(start) {
		t.Errorf("the beginning of a frame is read as %v", got)
	}
	for n := range 100 { // wherever it is cut off
		head(data[:n])
	}
}

func TestRead(t *testing.T) {
	whole := encoded(t, large)
	for name, tt := range map[string]struct {
		raw           bus.Raw
		frame, failed bool
	}{
		"a frame":       {bus.Raw{Type: frameType, Parts: 1, Data: whole}, true, false},
		"a part":        {bus.Raw{Type: frameType, Parts: 2, Data: whole[:1000]}, true, true},
		"another type":  {bus.Raw{Type: "waldo.media.v1.AudioFrame", Parts: 1, Data: whole}, false, false},
		"cut off":       {bus.Raw{Type: frameType, Parts: 1, Data: whole[:1000]}, false, false},
		"without epoch": {bus.Raw{Type: frameType, Parts: 1}, false, false},
	} {
		j := read(tt.raw)
		if (j != nil) != tt.frame || j != nil && (j.problem != nil) != tt.failed {
			t.Errorf("%s is read as %v", name, j)
		}
	}
}

func FuzzHead(f *testing.F) {
	data := encoded(f, large)
	f.Add(data)
	f.Add(data[:40])
	f.Add([]byte{0x08, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		got := head(data)
		whole := &mediav1.VideoFrame{}
		if proto.Unmarshal(data, whole) != nil {
			return
		}
		if got.GetEpoch() != whole.GetEpoch() || got.GetSequence() != whole.GetSequence() {
			t.Errorf("read %v of %v", got, whole)
		}
	})
}
