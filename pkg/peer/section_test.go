package peer

import (
	"fmt"
	"testing"

	"github.com/pion/webrtc/v4"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

// TestSectionsAreReused: a stream gets the section of one that is not wanted any more, if pion can use it again.
func TestSectionsAreReused(t *testing.T) {
	r, err := Dial(t.Context(), "http://127.0.0.1:1", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := r.newConnection(&signalingv1.Welcome{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	outgoing := func(codec webrtc.RTPCodecParameters) func(string) *want {
		return func(device string) *want {
			track, err := webrtc.NewTrackLocalStaticRTP(codec.RTPCodecCapability, device, device)
			if err != nil {
				t.Fatal(err)
			}
			return &want{streamKey: streamKey{device, "camera"}, kind: webrtc.RTPCodecTypeVideo, local: track, codec: codec}
		}
	}
	incoming := func(device string) *want {
		return &want{streamKey: streamKey{device, "video"}, kind: webrtc.RTPCodecTypeVideo}
	}
	offers := codecs.Offers(webrtc.RTPCodecTypeVideo)
	for i, step := range []struct {
		make func(string) *want
		used bool // it was agreed
		want int  // sections afterwards
	}{
		{incoming, false, 1},
		{incoming, true, 1},  // that of before, which was never used
		{incoming, false, 2}, // pion has begun to receive in the first
		{incoming, false, 2},
		{outgoing(offers[0]), false, 3},
		{outgoing(offers[0]), true, 3},
		{outgoing(offers[0]), false, 3},
		{outgoing(offers[len(offers)-1]), false, 4}, // another codec
		{outgoing(offers[0]), false, 4},
	} {
		w := step.make(fmt.Sprintf("device%d", i))
		r.want(w)
		if err := c.place(w); err != nil {
			t.Fatal(err)
		}
		c.sections[w.streamKey].used = c.sections[w.streamKey].used || step.used
		if got := len(c.pc.GetTransceivers()); got != step.want {
			t.Errorf("step %d: %d sections, want %d", i, got, step.want)
		}
		r.unwant(w)
	}
}
