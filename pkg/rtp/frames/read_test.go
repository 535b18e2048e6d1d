package frames

import (
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tape is a track that plays packets when they are due, and then ends with an error. A nil packet is one of a payload
// type that was not negotiated.
type tape struct {
	packets  []sent
	began    time.Time
	deadline time.Time
	end      error
}

func (t *tape) SetReadDeadline(at time.Time) error { t.deadline = at; return nil }

func (t *tape) Read(b []byte) (int, interceptor.Attributes, error) {
	if len(t.packets) == 0 {
		return 0, nil, t.end
	}
	s := t.packets[0]
	due := t.began.Add(s.at)
	if !t.deadline.IsZero() && t.deadline.Before(due) {
		time.Sleep(time.Until(t.deadline))
		return 0, nil, os.ErrDeadlineExceeded
	}
	time.Sleep(time.Until(due))
	t.packets = t.packets[1:]
	if s.packet == nil {
		return 0, nil, webrtc.ErrCodecNotFound
	}
	n, err := s.packet.MarshalTo(b)
	return n, nil, err
}

func TestReadVideo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clips(t)["H.264"]
		c.packets[2] = c.packets[2][1:] // its reader does not wait for the next packet to notice
		packets := slices.Insert(slices.Concat(c.packets...), 1, sent{})
		broken := errors.New("broken")
		for _, end := range []error{io.EOF, broken} {
			var frames []*mediav1.VideoFrame
			v := NewVideo(c.codec, VideoConfig{})
			err := ReadVideo(&tape{packets: packets, began: time.Now(), end: end}, v,
				func(f *mediav1.VideoFrame) { frames = append(frames, f) })
			if got := pattern(frames); got != "KP----KPPPPP" || (err != nil) != errors.Is(end, broken) ||
				v.Stats().LostPackets != 1 {
				t.Errorf("%v: %s, %v, %+v", end, got, err, v.Stats())
			}
		}
	})
}

func TestReadAudio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clips(t)["H.264"]
		first := c.packets[0][0]
		first.packet.Payload = packet20ms
		bad := sent{first.packet.Clone(), 0}
		bad.packet.Payload = nil
		bad.packet.SequenceNumber++
		n := 0
		err := ReadAudio(&tape{packets: []sent{{}, first, bad}, began: time.Now(), end: io.EOF}, NewAudio(AudioConfig{}),
			func(*mediav1.AudioFrame) { n++ })
		if n != 1 || err != nil {
			t.Errorf("%d frames, %v", n, err)
		}
	})
}
