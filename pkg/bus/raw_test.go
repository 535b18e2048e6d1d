package bus_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// TestPassOn passes messages on from one connection to another, whole and in parts.
func TestPassOn(t *testing.T) {
	c := connect(t, bus.Config{URL: startServer(t, embedded.Config{}).URL()})
	heard, err := bus.Subscribe[*mediav1.VideoFrame](c.Conn, "waldo.v1.r.d.out.video", stream.Block(10))
	if err != nil {
		t.Fatal(err)
	}
	flush(t, c)
	for _, size := range []int{0, 1, 4096, 5000, 100_000, 3 << 20} {
		frame := &mediav1.VideoFrame{Epoch: 7, Data: bytes.Repeat([]byte{1}, size)}
		data, err := proto.Marshal(frame)
		if err != nil {
			t.Fatal(err)
		}
		raw := bus.Raw{Type: "waldo.media.v1.VideoFrame", Epoch: 7, Data: data}
		if err := c.PublishRaw("waldo.v1.r.d.out.video", raw); err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, part := range bus.Cut("waldo.v1.r.d.out.video", raw, 5000) {
			if total += part.Size(); part.Size() > 5000 {
				t.Errorf("a part has %d bytes", part.Size())
			}
			if err := c.PublishPart(part); err != nil {
				t.Fatal(err)
			}
		}
		if total != len(data) {
			t.Errorf("the parts have %d bytes of %d", total, len(data))
		}
		for range 2 {
			if got, err := heard.Next(t.Context()); err != nil || !proto.Equal(got, frame) {
				t.Errorf("a frame of %d bytes arrives with %d, %v", size, len(got.GetData()), err)
			}
		}
	}
}
