package picture

import (
	"bytes"
	"encoding/binary"
	"time"
)

// Parts of a frame of VP8 (RFC 6386, 9.1).
const (
	vp8Tag  = 3  // size of what begins every frame
	vp8Head = 10 // size of what begins a key frame: the tag, a start code, and the dimensions
)

var vp8Start = []byte{0x9d, 0x01, 0x2a}

// vp8Key reports whether a frame of at least [vp8Tag] bytes is a key frame.
func vp8Key(frame []byte) bool { return frame[0]&1 == 0 }

// vp8Size returns the size in pixels of a key frame; false if it has none.
func vp8Size(frame []byte) (width, height int, ok bool) {
	if len(frame) < vp8Head || !bytes.Equal(frame[vp8Tag:vp8Tag+len(vp8Start)], vp8Start) {
		return 0, 0, false
	}
	const sizeMask = 1<<14 - 1 // above it is how a player may scale
	width = int(binary.LittleEndian.Uint16(frame[6:])) & sizeMask
	height = int(binary.LittleEndian.Uint16(frame[8:])) & sizeMask
	return width, height, true
}

// vp8 takes a frame of VP8, which is never shown in another order than it is sent.
func (s *Stream) vp8(p Picture, captured time.Time) (Frame, bool) {
	if p.Restart || p.Missing || p.Damaged {
		s.interrupt(p)
	}
	switch {
	case p.Damaged || len(p.Data) != 1 || len(p.Data[0]) < vp8Tag:
		s.synced = false
		return Frame{}, s.wait(waitsLoss)
	case vp8Key(p.Data[0]):
		if err := s.enterVP8(p.Data[0]); err != nil {
			return Frame{}, s.wait(err.Error())
		}
	case !s.synced && s.delivered:
		return Frame{}, s.wait(waitsLoss)
	case !s.synced:
		return Frame{}, s.wait(waitsKey)
	}
	isKey := vp8Key(p.Data[0])
	s.group.add(captured, isKey)
	s.state.Profile, s.state.Passage = "", Passage{Passes: true}
	return Frame{Format: s.state.Format, Data: p.Data[0], Key: isKey}, true
}

// enterVP8 begins with a key frame.
func (s *Stream) enterVP8(frame []byte) error {
	s.synced = false
	width, height, ok := vp8Size(frame)
	if !ok {
		return errSet
	}
	if err := (&sequence{width: width, height: height}).check(); err != nil {
		return err
	}
	s.synced = true
	s.setFormat(width, height, 0)
	return nil
}
