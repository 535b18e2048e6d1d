package uvcsim

import (
	"encoding/binary"
	"time"
)

const (
	probeSize = 34 // bytes of a UVC 1.1 probe

	// maxPayload is the most the camera sends in one payload, header included. Linux asks for at most 32 packets of 512
	// bytes in one URB, so that a payload is one URB.
	maxPayload = 32 * 512
)

// setting is what the host and the camera have agreed on: a size by its number from 1, and the time between pictures in
// 100 ns.
type setting struct {
	hint     uint16
	frame    byte
	interval uint32
}

func defaultSetting() setting { return setting{frame: 1, interval: intervals()[0]} }

func (s setting) size() Size { return Sizes()[s.frame-1] }

func (s setting) period() time.Duration { return time.Duration(s.interval) * 100 }

// parseProbe reads what the host wishes and returns the closest the camera can do. It is false if b is too short to
// say.
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

// closestInterval returns the longest offered interval that is not longer than wanted, else the shortest.
func closestInterval(wanted uint32) uint32 {
	best := intervals()[0]
	for _, v := range intervals() {
		if v <= wanted {
			best = v
		}
	}
	return best
}

// probe returns the setting as the host reads it.
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
