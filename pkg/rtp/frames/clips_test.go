package frames

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

// sent is a packet, and when it comes. A nil packet lets time pass.
type sent struct {
	packet *rtp.Packet
	at     time.Duration
}

// clip is encoded video: its frames, and their packets, of which each frame has at least one.
type clip struct {
	codec   *codecs.Codec
	frames  [][]byte
	keys    string // K for each key frame, P for others
	packets [][]sent
}

// clips returns one of each codec.
func clips(t testing.TB) map[string]*clip {
	t.Helper()
	all := map[string]*clip{
		"H.264": {codec: codecs.Of(media.H264), frames: units(t, "baseline.h264"), keys: "KPPPPPKPPPPP"},
		"H.265": {codec: codecs.Of(media.H265), frames: unitsH265(t, "plain.h265"), keys: "KPPPPPKPPPPP"},
		"VP8":   {codec: codecs.Of(media.VP8), frames: ivf(t)[:12], keys: "KPPPPPPPPPKP"},
	}
	for _, c := range all {
		c.cut()
	}
	return all
}

// cut makes packets of the frames.
func (c *clip) cut() {
	payloader := c.codec.NewPayloader()
	number := uint16(65530) // soon wraps
	for i, frame := range c.frames {
		payloads := payloader.Payload(mtu, frame)
		var packets []sent
		for j, payload := range payloads {
			header := rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: number, SSRC: 7,
				Timestamp: uint32(0xffffffff - 5*ticks + i*ticks), Marker: j == len(payloads)-1}
			packets = append(packets, sent{&rtp.Packet{Header: header, Payload: payload}, time.Duration(i) * tick})
			number++
		}
		c.packets = append(c.packets, packets)
	}
}

func units(t testing.TB, file string) (frames [][]byte) {
	t.Helper()
	stream, err := os.ReadFile("../../media/picture/testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(annexb.AccessUnits(stream))
}

// unitsH265 cuts before each first slice, and what stands before that.
func unitsH265(t testing.TB, file string) (frames [][]byte) {
	t.Helper()
	stream, err := os.ReadFile("../../media/picture/testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	coded := true
	for unit := range annexb.NALs(stream) {
		slice := unit[0]>>1 < 32
		if coded && (!slice || unit[2]&0x80 != 0) {
			frames, coded = append(frames, nil), false
		}
		frames[len(frames)-1] = annexb.Append(frames[len(frames)-1], unit)
		coded = coded || slice
	}
	return frames
}

func ivf(t testing.TB) (frames [][]byte) {
	t.Helper()
	file, err := os.Open("../codecs/testdata/vp8.ivf")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	r, _, err := ivfreader.NewWith(file)
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, _, err := r.ParseNextFrame()
		if errors.Is(err, io.EOF) {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
}

// receive pushes packets, and lets time pass at deadlines as ReadVideo does.
func receive(c *codecs.Codec, config VideoConfig, packets []sent) (*Video, []*mediav1.VideoFrame) {
	var frames []*mediav1.VideoFrame
	out := func(f *mediav1.VideoFrame) { frames = append(frames, f) }
	v := NewVideo(c, config)
	for _, s := range packets {
		now := start.Add(s.at)
		for d := v.Deadline(); !d.IsZero() && !d.After(now); d = v.Deadline() {
			v.Expire(d, out)
		}
		if s.packet != nil {
			v.Push(s.packet, now, out)
		}
	}
	return v, frames
}

// pattern has K for each key frame and P for each other, at the place of its sequence.
func pattern(frames []*mediav1.VideoFrame) string {
	b := strings.Builder{}
	for i, f := range frames {
		if i > 0 {
			b.WriteString(strings.Repeat("-", max(0, int(f.GetSequence()-frames[i-1].GetSequence())-1)))
		}
		if f.GetKeyFrame() {
			b.WriteByte('K')
		} else {
			b.WriteByte('P')
		}
	}
	return b.String()
}
