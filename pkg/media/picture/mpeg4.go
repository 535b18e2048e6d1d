package picture

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"time"
)

// Start codes of MPEG-4 part 2 (ISO/IEC 14496-2, table 6-3), behind 00 00 01.
const (
	firstLayer, lastLayer = 0x20, 0x2f
	visualSequence        = 0xb0
	group4                = 0xb3
	picture4              = 0xb6
)

const whyMPEG4 = "browsers do not play MPEG-4 part 2: choose a stream of the camera that is H.264, if it has one"

var (
	errLayer   = errors.New("the camera's MPEG-4 cannot be read: set it to H.264")
	errNoLayer = errors.New("the camera has not sent the configuration of its MPEG-4: set it to H.264")
)

// layer is what the configuration of MPEG-4 says (a video object layer).
type layer struct {
	width, height int
	rate          float64 // 0 if it is not fixed
	profile       string
}

// mpeg4 is what is known of a stream of MPEG-4.
type mpeg4 struct {
	config []byte // the newest one: from the visual object sequence to the layer, and user data
	layer  layer
	broken error // why the last one cannot be used
}

// parts is a picture taken apart.
type parts struct {
	config  []byte // what is in front of the picture, nil without a layer
	picture []byte // the rest, nil if there is no picture
	key     bool
}

// split takes a picture apart.
func split(data []byte) (p parts) {
	front, layered := len(data), false
	for at := 0; ; at++ {
		next := bytes.Index(data[at:], []byte{0, 0, 1})
		if next < 0 || at+next+3 >= len(data) {
			break
		}
		at += next
		switch code := data[at+3]; {
		case code >= firstLayer && code <= lastLayer:
			layered = true
		case code == group4:
			front = min(front, at)
		case code == picture4:
			front = min(front, at)
			p.picture = data[front:]
			p.key = at+4 < len(data) && data[at+4]>>6 == 0 // vop_coding_type: I
		}
		if p.picture != nil {
			break
		}
	}
	if layered {
		p.config = data[:front]
	}
	return p
}

// learn takes a configuration.
func (m *mpeg4) learn(config []byte) {
	if len(config) > maxSet {
		m.broken = errLayer
		return
	}
	l, err := parseLayer(config)
	if err != nil {
		m.broken = err
		return
	}
	m.config, m.layer, m.broken = bytes.Clone(config), l, nil // it is kept, and what it came in may be large
}

// usable returns why pictures cannot be decoded, nil if they can.
func (m *mpeg4) usable() error {
	if m.broken == nil && m.config == nil {
		return errNoLayer
	}
	return m.broken
}

// parseLayer reads the size out of a configuration.
func parseLayer(config []byte) (l layer, err error) {
	for at := 0; ; at++ {
		next := bytes.Index(config[at:], []byte{0, 0, 1})
		if next < 0 || at+next+4 >= len(config) {
			return l, errLayer
		}
		at += next
		switch code := config[at+3]; {
		case code == visualSequence:
			l.profile = mpeg4Profile(config[at+4])
		case code >= firstLayer && code <= lastLayer:
			return l, l.read(&reader{data: config[at+4:]})
		}
	}
}

// read reads a layer (6.2.3) up to its size.
func (l *layer) read(r *reader) error {
	const extended, rectangle = 15, 0
	r.bits(1 + 8) // random access, type of object
	if r.flag() {
		r.bits(4 + 3) // version and priority
	}
	if r.bits(4) == extended {
		r.bits(8 + 8) // aspect ratio
	}
	if r.flag() { // control parameters
		r.bits(2 + 1) // chroma format, low delay
		if r.flag() {
			r.bits(32)                   // bit rate …
			r.bits(16 + 3 + 11 + 1 + 16) // … and buffer
		}
	}
	if r.bits(2) != rectangle {
		return errLayer
	}
	r.bits(1)
	resolution := r.bits(16)
	r.bits(1)
	if r.flag() {
		increment := r.bits(max(bits.Len64(max(resolution, 1)-1), 1))
		l.rate = float64(resolution) / float64(increment)
	}
	r.bits(1)
	l.width = int(r.bits(13))
	r.bits(1)
	l.height = int(r.bits(13))
	if r.short {
		return errLayer
	}
	s := sequence{width: l.width, height: l.height, rate: l.rate}
	err := s.check()
	l.rate = s.rate
	return err
}

// mpeg4Profile names profile and level as people know them, "" if they do not.
func mpeg4Profile(indication byte) string {
	level := int(indication & 0x0f)
	switch {
	case indication == 8:
		return "Simple 0"
	case indication >= 1 && indication <= 6:
		return fmt.Sprintf("Simple %d", level)
	case indication >= 0xf0 && indication <= 0xf5:
		return fmt.Sprintf("Advanced Simple %d", level)
	}
	return ""
}

// part2 takes a picture of MPEG-4 part 2. It always has to be encoded again for browsers.
func (s *Stream) part2(p Picture, captured time.Time) (Frame, bool) {
	if p.Restart || p.Missing || p.Damaged {
		s.interrupt(p)
	}
	if p.Damaged || len(p.Data) != 1 {
		return Frame{}, s.wait(waitsLoss)
	}
	u := split(p.Data[0])
	if u.config != nil {
		s.mpeg4.learn(u.config)
	}
	switch {
	case u.picture == nil:
		return Frame{}, false
	case s.mpeg4.usable() != nil:
		s.synced = false
		return Frame{}, s.wait(s.mpeg4.usable().Error())
	case u.key:
		s.synced = true
		l := s.mpeg4.layer
		s.setFormat(l.width, l.height, l.rate)
		s.state.Profile, s.state.Passage = l.profile, Passage{Why: whyMPEG4}
	case !s.synced && s.delivered:
		return Frame{}, s.wait(waitsLoss)
	case !s.synced:
		return Frame{}, s.wait(waitsKey)
	}
	s.group.add(captured, u.key)
	f := Frame{Format: s.state.Format, Data: u.picture, Key: u.key, Recode: true}
	if u.key {
		f.Data = append(bytes.Clone(s.mpeg4.config), u.picture...)
	}
	return f, true
}
