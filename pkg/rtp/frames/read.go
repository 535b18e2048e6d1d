package frames

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// maxDatagram is the largest packet that is received, in bytes.
const maxDatagram = 1500

// Track is what packets are read from: a *webrtc.TrackRemote.
type Track interface {
	Read(b []byte) (int, interceptor.Attributes, error)
	SetReadDeadline(time.Time) error
}

// ReadVideo reads a track until it ends, and gives its frames to out. It returns nil at the end of the track.
func ReadVideo(t Track, v *Video, out func(*mediav1.VideoFrame)) error {
	r := reader{track: t}
	for {
		p, now, err := r.next(v.Deadline())
		switch {
		case err != nil:
			return ended(err)
		case p == nil:
			v.Expire(now, out)
		default:
			v.Push(p, now, out)
		}
	}
}

// ReadAudio reads a track until it ends, and gives its frames to out. Packets that are no sound or come too late are
// left out. It returns nil at the end of the track.
func ReadAudio(t Track, a *Audio, out func(*mediav1.AudioFrame)) error {
	r := reader{track: t}
	for {
		p, now, err := r.next(time.Time{})
		if err != nil {
			return ended(err)
		}
		if p == nil {
			continue
		}
		if frame, err := a.Push(&p.Header, p.Payload, now); err == nil {
			out(frame)
		}
	}
}

// ended returns nil for the errors with which a track ends.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// reader reads the packets of a track.
type reader struct {
	track    Track
	deadline time.Time
	buffer   [maxDatagram]byte
}

// next returns the next packet and when it came. The packet is nil at the deadline. Packets that cannot be read, and
// those of a payload type that was not negotiated, are left out.
func (r *reader) next(deadline time.Time) (*rtp.Packet, time.Time, error) {
	if !deadline.Equal(r.deadline) {
		if err := r.track.SetReadDeadline(deadline); err != nil {
			return nil, time.Time{}, err
		}
		r.deadline = deadline
	}
	for {
		n, _, err := r.track.Read(r.buffer[:])
		now := time.Now()
		timeout, ok := errors.AsType[net.Error](err)
		switch {
		case errors.Is(err, webrtc.ErrCodecNotFound):
			continue
		case ok && timeout.Timeout():
			return nil, now, nil
		case err != nil:
			return nil, now, err
		}
		var p rtp.Packet
		if p.Unmarshal(append([]byte(nil), r.buffer[:n]...)) == nil {
			return &p, now, nil
		}
	}
}
