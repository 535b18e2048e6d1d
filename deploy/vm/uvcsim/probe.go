package uvcsim

import (
	"encoding/binary"
	"time"
)

const (
	probeSize = 34 // bytes of a UVC 1.1 probe

	// maxPayload is the largest payload the camera sends, header included. Linux requests at most 32 packets of 512
	// bytes in one URB, so a payload is one URB.
	maxPayload = 32 * 512
)

// setting is the agreement between host and camera: a size by its number from 1, and the time between pictures in
// units of 100 ns.
type setting struct {
	hint     uint16
	frame    byte
	interval uint32
}

func defaultSetting() setting { return setting{frame: 1, interval: intervals()[0]} }

func (s setting) size() Size { return Sizes()[s.frame-1] }

func (s setting) period() time.Duration { return time.Duration(s.interval) * 100 }

// parseProbe reads the host's request and returns the closest setting the camera supports. It returns false if b is
// too short.
func parseProbe(b []byte) (setting, bool) {
	if len(b) < 8 {
		return setting{}, false
	}
	s := setting{
		hint:     binary.LittleEndian.Uint16(b),
		frame:    b[3],
		interval: closestInterval(binary.LittleEndian.Uint32(b[4:])),
	}
	if s.frame < 1 || int(s.frame) > len(Sizes()) {
		s.frame = 1
	}
	return s, true
}

// closestInterval returns the longest offered interval that is at most wanted, or the shortest.
func closestInterval(wanted uint32) uint32 {
	best := intervals()[0]
	for _, v := range intervals() {
		if v <= wanted {
			best = v
		}
	}
	return best
}

// probe encodes the setting for the host.
func (s setting) probe() []byte {
	b := make([]byte, probeSize)
	le := binary.LittleEndian
	le.PutUint16(b[0:], s.hint)
	b[2] = 1 // the only format
	b[3] = s.frame
	le.PutUint32(b[4:], s.interval)
	le.PutUint32(b[18:], maxFrameSize(s.size()))
	le.PutUint32(b[22:], maxPayload)
	le.PutUint32(b[26:], clockHz)
	b[30] = 3 // payload headers carry frame id and end of frame
	return b
}
