package fakecam

import (
	"encoding/binary"
	"slices"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// beside sends a packet of its own behind each packet. Its numbers are those of a stream of its own.
func beside(change func(*Packet)) func() Hooks {
	return func() Hooks {
		var number uint16
		return Hooks{Packet: func(p *Packet) []*Packet {
			other := *p
			other.SSRC ^= 0x5555
			other.SequenceNumber = number
			number++
			change(&other)
			return []*Packet{p, &other}
		}}
	}
}

// echo sends each interleaved frame on another channel too, changed.
func echo(channel byte, change func(*rtp.Packet)) Transport {
	return Transport{Wire: func() func([]byte) []byte {
		return func(frame []byte) []byte {
			var p rtp.Packet
			if frame[1] != 0 || p.Unmarshal(slices.Clone(frame[4:])) != nil {
				return frame
			}
			change(&p)
			data, err := p.Marshal()
			if err != nil {
				return frame
			}
			head := []byte{'$', channel, byte(len(data) >> 8), byte(len(data))}
			return slices.Concat(frame, head, data)
		}
	}}
}

// foreignBehaviours send packets that are of no use among those of the pictures.
func foreignBehaviours() []Behaviour {
	const clip = "baseline.h264"
	behaviour := func(name, seen, source string, c Config) Behaviour {
		return Behaviour{name, 34, seen, source, c, false}
	}
	repairs := beside(func(p *Packet) { p.PayloadType = 99 })
	twin := beside(func(p *Packet) { p.Timestamp += 777 })
	sub := Config{Transport: echo(4, func(p *rtp.Packet) { p.SSRC ^= 0x77; p.SequenceNumber += 5000 })}
	within := func() Hooks {
		shift := uint16(0)
		return Hooks{Packet: func(p *Packet) []*Packet {
			p.SequenceNumber += shift
			shift++
			extra := *p
			extra.PayloadType, extra.Marker, extra.SequenceNumber = 50, false, p.SequenceNumber+1
			extra.Payload = []byte{1, 2, 3, 4}
			return []*Packet{p, &extra}
		}}
	}
	garbage := insert(3, true, "$\x00\x00\x10\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"+
		"$\x00\x00\x04\x80\xe0\x00\x00")
	bye := hooked(clip, nil)
	bye.Tracks[0].Reports.Raw = func(b []byte) []byte {
		goodbye, err := (&rtcp.Goodbye{Sources: []uint32{binary.BigEndian.Uint32(b[4:])}}).Marshal()
		if err != nil {
			return b
		}
		return append(b, goodbye...)
	}
	swapped := Transport{Channel: func(announced int) int { return announced + 1 }}
	return []Behaviour{
		behaviour("foreign-repairs", "repairs with an SSRC and a payload type of their own", "RFC 4588; RFC 5109",
			hooked(clip, repairs)),
		behaviour("foreign-type", "packets of an unknown payload type among those of the pictures", "retina 0.3.1: GeoVision",
			hooked(clip, within)),
		behaviour("foreign-twin", "a second stream on the same channel", "recorders", hooked(clip, twin)),
		behaviour("foreign-channel", "a second stream on a channel that nobody asked for", "moonfire-nvr#213", sub),
		behaviour("garbage", "frames that are no packets", "gortsplib", garbage),
		behaviour("bye", "RTCP says goodbye, and the pictures go on", "gortsplib", bye),
		behaviour("channels-swapped", "packets come on the channel of reports, and the other way round", "cheap cameras",
			Config{Transport: swapped}),
		behaviour("type-changes", "the payload type changes after 30 pictures", "go2rtc#260: Dahua VTO",
			hooked(clip, AfterUnit(30, func(p *Packet) { p.PayloadType = 97 }))),
	}
}

// wrapped is a behaviour of packets.
func wrapped(name, seen, source string, c Config) Behaviour {
	return Behaviour{name, 35, seen, source, c, false}
}

// wrapBehaviours are unusual ways to put pictures into packets.
func wrapBehaviours() []Behaviour {
	const clip = "baseline.h264"
	packets := func(name, seen, source string, f func(*Packet)) Behaviour {
		return wrapped(name, seen, source, hooked(clip, Packets(f)))
	}
	padded := Config{Transport: Transport{Wire: func() func([]byte) []byte {
		return func(frame []byte) []byte {
			if frame[1] == 0 {
				frame[4] |= 0x20
			}
			return frame
		}
	}}}
	donl := hooked("plain.h265", Numbered265)
	donl.SDP = edit("sprop-vps=", "sprop-max-don-diff=1; sprop-vps=")
	return []Behaviour{
		packets("padding", "packets are padded", "RFC 3550, 5.1", func(p *Packet) { p.Padding, p.PaddingSize = true, 4 }),
		wrapped("padding-wrong", "packets say they are padded, and are not", "cheap cameras", padded),
		packets("extensions", "packets have extensions and contributing sources", "ONVIF Streaming Specification, 6.3",
			func(p *Packet) {
				p.CSRC = []uint32{1, 2}
				p.Extension, p.ExtensionProfile = true, 0xabac
				_ = p.SetExtension(0, make([]byte, 12)) // of a length that is right
			}),
		wrapped("delimiters", "delimiters, messages and ends of sequence around each picture", "ITU-T H.264, 7.4.1.2",
			hooked(clip, Units(Delimiters))),
		wrapped("fragment-small", "fragments of 100 bytes", "cheap cameras",
			Config{Tracks: video(clip, func(t *Track) { t.PayloadSize = 100 })}),
		packets("stap-b", "STAP-B instead of STAP-A", "RFC 6184, 5.7.1", func(p *Packet) {
			if p.Payload[0]&0x1f == stapA {
				p.Payload = slices.Concat([]byte{p.Payload[0]&0xe0 | 25, 0, 7}, p.Payload[1:])
			}
		}),
		packets("mtap", "MTAP16 instead of STAP-A", "RFC 6184, 5.7.2", func(p *Packet) {
			if p.Payload[0]&0x1f != stapA {
				return
			}
			out := []byte{p.Payload[0]&0xe0 | 26, 0, 7}
			for _, nal := range unstap(p.Payload) {
				out = binary.BigEndian.AppendUint16(out, uint16(len(nal)+3))
				out = append(append(out, 0, 0, 0), nal...)
			}
			p.Payload = out
		}),
		wrapped("h265-numbered", "H.265 with decoding order numbers", "RFC 7798, 4.4", donl),
		wrapped("h265-paci", "H.265 in packets with PACI", "RFC 7798, 4.4.4", hooked("plain.h265", Packets(PACI))),
	}
}

// countBehaviours are unusual ways to number packets, and to say when they were made.
func countBehaviours() []Behaviour {
	const clip = "baseline.h264"
	packets := func(name, seen, source string, f func(*Packet)) Behaviour {
		return wrapped(name, seen, source, hooked(clip, Packets(f)))
	}
	ticks := func() Hooks {
		return Hooks{Packet: func(p *Packet) []*Packet { p.Timestamp += uint32(p.Index); return []*Packet{p} }}
	}
	pairs := func() Hooks {
		var last uint32
		return Hooks{Unit: func(s *Sent) bool {
			if s.Number%2 == 1 {
				s.Timestamp = last
			}
			last = s.Timestamp
			return true
		}}
	}
	return []Behaviour{
		packets("numbers-stand", "all packets have the sequence number 0", "cheap cameras", func(p *Packet) {
			p.SequenceNumber = 0
		}),
		packets("numbers-by-picture", "all packets of a picture have the same sequence number", "cheap cameras",
			func(p *Packet) { p.SequenceNumber = uint16(p.Unit) }),
		wrapped("time-by-packet", "the timestamp grows with each packet of a picture", "cheap cameras", hooked(clip, ticks)),
		wrapped("time-by-pair", "two pictures have the same timestamp", "mediamtx PR#2876", hooked(clip, pairs)),
	}
}

// Delimiters puts a delimiter and a message before each picture of H.264, and an end of sequence behind it.
func Delimiters(s *Sent) {
	message := []byte{6, 5, 17, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 'x', 0x80}
	s.Data = slices.Concat([][]byte{{9, 0xf0}, message}, s.Data, [][]byte{{10}, {11}})
}

// Numbered265 puts decoding order numbers into packets of H.265.
func Numbered265() Hooks {
	var number uint16
	return Packets(func(p *Packet) {
		don := binary.BigEndian.AppendUint16(nil, number)
		switch t := p.Payload[0] >> 1 & 0x3f; {
		case t == 48:
			p.Payload = aggregated265(p.Payload, don)
		case t == 49 && p.Payload[2]&0x80 != 0:
			p.Payload = slices.Concat(p.Payload[:3], don, p.Payload[3:])
		case t == 49:
			return
		default:
			p.Payload = slices.Concat(p.Payload[:2], don, p.Payload[2:])
		}
		number++
	})()
}

// aggregated265 puts the numbers into an aggregation packet: whole before the first NAL unit, differences before the
// others.
func aggregated265(payload, don []byte) []byte {
	out := slices.Concat(payload[:2], don)
	for rest := payload[2:]; len(rest) > 2; {
		n := 2 + int(binary.BigEndian.Uint16(rest))
		out = append(out, rest[:n]...)
		if rest = rest[n:]; len(rest) > 2 {
			out = append(out, 0)
		}
	}
	return out
}

// PACI wraps packets of H.265, with an extension of three bytes.
func PACI(p *Packet) {
	kind := p.Payload[0] >> 1 & 0x3f
	head := []byte{p.Payload[0]&0x81 | 50<<1, p.Payload[1], kind<<1 | 3>>4, 3 << 4 & 0xff, 1, 2, 3}
	p.Payload = slices.Concat(head, p.Payload[2:])
}

// keylessBehaviours never send a picture at which decoding begins without a trace of what was before.
func keylessBehaviours() []Behaviour {
	behaviour := func(name, seen, source, clip string) Behaviour {
		return Behaviour{name, 36, seen, source, hooked(clip, Units(withoutIDR)), false}
	}
	return []Behaviour{
		behaviour("intra-refresh", "no key pictures: each picture renews a column", "x264; Axis Zipstream", "refresh.h264"),
		behaviour("recovery-points", "pictures that need no other, but no IDR", "w3c/webcodecs#650", "bframes-open.h264"),
	}
}

// withoutIDR drops what remains of IDR pictures of H.264.
func withoutIDR(s *Sent) {
	if slices.ContainsFunc(s.Data, func(nal []byte) bool { return nal[0]&0x1f == 5 }) {
		s.Data = nil
	}
}
