package fakecam

import (
	"bytes"
)

// Units makes hooks of a function that changes pictures or blocks of sound.
func Units(f func(*Sent)) func() Hooks {
	return func() Hooks { return Hooks{Unit: func(s *Sent) bool { f(s); return true }} }
}

// Packets makes hooks of a function that changes packets.
func Packets(f func(*Packet)) func() Hooks {
	return func() Hooks {
		return Hooks{Packet: func(p *Packet) []*Packet { f(p); return []*Packet{p} }}
	}
}

// DropEvery drops each nth packet.
func DropEvery(n int) func() Hooks {
	return everyNth(n, func(*Packet) []*Packet { return nil })
}

// DoubleEvery sends each nth packet twice.
func DoubleEvery(n int) func() Hooks {
	return everyNth(n, func(p *Packet) []*Packet { return []*Packet{p, p} })
}

func everyNth(n int, f func(*Packet) []*Packet) func() Hooks {
	return func() Hooks {
		count := 0
		return Hooks{Packet: func(p *Packet) []*Packet {
			if count++; count%n == 0 {
				return f(p)
			}
			return []*Packet{p}
		}}
	}
}

// SwapEvery sends each nth packet after the one that follows it.
func SwapEvery(n int) func() Hooks {
	return func() Hooks {
		count := 0
		var kept *Packet
		return Hooks{Packet: func(p *Packet) []*Packet {
			count++
			if kept != nil {
				out := []*Packet{p, kept}
				kept = nil
				return out
			}
			if count%n == 0 {
				kept = p
				return nil
			}
			return []*Packet{p}
		}}
	}
}

// AfterUnit changes the packets of unit n and all later ones.
func AfterUnit(n int, f func(*Packet)) func() Hooks {
	return Packets(func(p *Packet) {
		if p.Unit >= n {
			f(p)
		}
	})
}

// Shift adds ticks to the timestamps of unit n and all later ones.
func Shift(n int, ticks int64) func() Hooks {
	return Units(func(s *Sent) {
		if s.Number >= n {
			s.Timestamp += uint32(ticks)
		}
	})
}

// ShiftOne adds ticks to the timestamp of each nth unit.
func ShiftOne(n int, ticks int64) func() Hooks {
	return Units(func(s *Sent) {
		if s.Number%n == n-1 {
			s.Timestamp += uint32(ticks)
		}
	})
}

// Scale multiplies the distance of the timestamps from the first one.
func Scale(factor float64) func() Hooks {
	return func() Hooks {
		var first uint32
		return Hooks{Unit: func(s *Sent) bool {
			if s.Number == 0 {
				first = s.Timestamp
			}
			s.Timestamp = first + uint32(int64(float64(s.Timestamp-first)*factor))
			return true
		}}
	}
}

// WithoutParameters takes the parameter sets out of the stream.
func WithoutParameters(encoding string) func() Hooks {
	return Units(func(s *Sent) { s.Data = without(s.Data, func(nal []byte) bool { return isParameter(encoding, nal) }) })
}

func without(nals [][]byte, gone func([]byte) bool) [][]byte {
	var kept [][]byte
	for _, nal := range nals {
		if !gone(nal) {
			kept = append(kept, nal)
		}
	}
	return kept
}

// OneUnitPerPacket puts each NAL unit that fits into a packet of its own, the marker on each.
func OneUnitPerPacket() Hooks {
	var next uint16
	return Hooks{Packet: func(p *Packet) []*Packet {
		if p.Unit == 0 && p.Index == 0 {
			next = p.SequenceNumber
		}
		var out []*Packet
		for _, payload := range unstap(p.Payload) {
			q := *p
			q.Payload, q.SequenceNumber, q.Marker = payload, next, marks(payload)
			next++
			out = append(out, &q)
		}
		return out
	}}
}

// marks says whether a NAL unit ends with this payload.
func marks(payload []byte) bool {
	return payload[0]&0x1f != fuA || payload[1]&0x40 != 0
}

// Types of H.264 payloads.
const (
	stapA = 24
	fuA   = 28
)

// unstap returns the NAL units of a STAP-A, or the payload itself.
func unstap(payload []byte) [][]byte {
	if payload[0]&0x1f != stapA {
		return [][]byte{payload}
	}
	var nals [][]byte
	for rest := payload[1:]; len(rest) > 2; {
		n := int(rest[0])<<8 | int(rest[1])
		nals = append(nals, rest[2:2+n])
		rest = rest[2+n:]
	}
	return nals
}

// FragmentAll sends small NAL units of H.264 as one fragment that is both first and last.
func FragmentAll(p *Packet) {
	if t := p.Payload[0] & 0x1f; t < stapA {
		p.Payload = append([]byte{p.Payload[0]&0xe0 | fuA, 0xc0 | t}, p.Payload[1:]...)
	}
}

// ChangeFragmentType writes another type into all fragments of a NAL unit of H.264 but the first.
func ChangeFragmentType(p *Packet) {
	if p.Payload[0]&0x1f == fuA && p.Payload[1]&0x80 == 0 {
		p.Payload[1] = p.Payload[1]&0xe0 | 1
	}
}

// EmptyFragments puts a fragment without data before the last one of each NAL unit.
func EmptyFragments() Hooks {
	shift := uint16(0)
	return Hooks{Packet: func(p *Packet) []*Packet {
		p.SequenceNumber += shift
		if p.Payload[0]&0x1f != fuA || p.Payload[1]&0x40 == 0 {
			return []*Packet{p}
		}
		empty := *p
		empty.Payload, empty.Marker = []byte{p.Payload[0], p.Payload[1] &^ 0xc0}, false
		shift++
		p.SequenceNumber++
		return []*Packet{&empty, p}
	}}
}

// PadAggregates puts zeros behind the NAL units of a STAP-A.
func PadAggregates(p *Packet) {
	if p.Payload[0]&0x1f == stapA {
		p.Payload = append(p.Payload, 0, 0, 0, 0)
	}
}

// StartCodesInside sends all NAL units of a picture as one, with start codes between them.
func StartCodesInside(s *Sent) {
	s.Data = [][]byte{bytes.Join(s.Data, []byte{0, 0, 0, 1})}
}

// Filler adds a NAL unit of filler data with n bytes to key pictures of H.264.
func Filler(n int) func() Hooks {
	filler := append([]byte{12}, bytes.Repeat([]byte{0xff}, n-2)...)
	filler = append(filler, 0x80)
	return Units(func(s *Sent) {
		if s.Key {
			s.Data = append(s.Data, filler)
		}
	})
}

// Renumber counts packets from 0 again and changes the SSRC, from unit n on.
func Renumber(n int, ssrc bool, ticks uint32) func() Hooks {
	return func() Hooks {
		var first uint16
		began := false
		return Hooks{Packet: func(p *Packet) []*Packet {
			if p.Unit < n {
				return []*Packet{p}
			}
			if !began {
				first, began = p.SequenceNumber, true
			}
			p.SequenceNumber -= first
			p.Timestamp += ticks
			if ssrc {
				p.SSRC ^= 0xffff
			}
			return []*Packet{p}
		}}
	}
}

// Join returns media that alternates between two of the same encoding.
func Join(a, b *Media) *Media {
	m := *a
	m.Units = append([]Unit{}, a.Units...)
	for _, u := range b.Units {
		u.Place += len(a.Units)
		m.Units = append(m.Units, u)
	}
	return &m
}

// HalfFrames makes of each nth interleaved frame its first half, as a camera does whose send buffer is full.
func HalfFrames(n int) func() func([]byte) []byte {
	return func() func([]byte) []byte {
		count := 0
		return func(frame []byte) []byte {
			if count++; count%n == 0 {
				return frame[:len(frame)/2]
			}
			return frame
		}
	}
}

// JPEGQuality writes another Q into the headers of RTP/JPEG and takes the tables out, which a Q below 128 does not
// have.
func JPEGQuality(q byte) func() Hooks {
	const header, tables = 8, 4
	return Packets(func(p *Packet) {
		p.Payload[5] = q
		if p.Index == 0 && q < 128 {
			n := int(p.Payload[header+2])<<8 | int(p.Payload[header+3])
			p.Payload = append(p.Payload[:header:header], p.Payload[header+tables+n:]...)
		}
	})
}

// ADTSInside puts a header of ADTS before each AAC frame.
func ADTSInside(s *Sent) {
	n := len(s.Data[0]) + 7
	head := []byte{0xff, 0xf1, 0x60, 0x40 | byte(n>>11), byte(n >> 3), byte(n<<5) | 0x1f, 0xfc} // LC, 16 kHz, mono
	s.Data = [][]byte{append(head, s.Data[0]...)}
}
