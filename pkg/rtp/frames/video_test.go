package frames

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/pkg/media/picture"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

const (
	tick  = 40 * time.Millisecond
	ticks = 3600 // of RTP
	mtu   = 60   // so that most pictures need several packets
)

func TestFramesAreThoseThatWereSent(t *testing.T) {
	for name, c := range clips(t) {
		v, frames := receive(c.codec, VideoConfig{Epoch: 9}, slices.Concat(c.packets...))
		if got := pattern(frames); got != c.keys {
			t.Fatalf("%s: %s, want %s", name, got, c.keys)
		}
		for i, f := range frames {
			if !slices.EqualFunc(picture.Parts(c.codec.MediaType, f.GetData()), picture.Parts(c.codec.MediaType, c.frames[i]),
				bytes.Equal) {
				t.Errorf("%s: frame %d is another one", name, i)
			}
			if at := start.Add(time.Duration(i) * tick); f.GetEpoch() != 9 || f.GetSequence() != int64(i) ||
				!f.GetCaptureTime().AsTime().Equal(at) {
				t.Errorf("%s: frame %d: epoch %d, sequence %d, captured at %v", name, i, f.GetEpoch(), f.GetSequence(),
					f.GetCaptureTime().AsTime().Sub(start))
			}
			if media.Validate(f.GetFormat()) != nil || f.GetFormat().GetWidthPx() < 96 {
				t.Errorf("%s: the format of frame %d is %v", name, i, f.GetFormat())
			}
		}
		if s := v.Stats(); s != (VideoStats{Frames: 12}) || v.State().Waits != "" {
			t.Errorf("%s: %+v, %q", name, s, v.State().Waits)
		}
	}
}

// spoilt says what comes out of packets that a network, or a sender, has spoilt.
var spoilt = []struct {
	name  string
	spoil func(c *clip) []sent
	want  string // of a clip with key frames at 0 and 6
	asked bool
}{
	{"a packet is lost", func(c *clip) []sent {
		c.packets[2] = c.packets[2][1:]
		return slices.Concat(c.packets...)
	}, "KP----KPPPPP", true},
	{"the last packet of a frame is lost", func(c *clip) []sent {
		c.packets[2] = c.packets[2][:len(c.packets[2])-1]
		return slices.Concat(c.packets...)
	}, "KP----KPPPPP", true},
	{"a frame is lost", func(c *clip) []sent {
		c.packets[2] = nil
		return slices.Concat(c.packets...)
	}, "KP----KPPPPP", true},
	{"the packet before a key frame is lost", func(c *clip) []sent {
		c.packets[5] = c.packets[5][:len(c.packets[5])-1]
		return slices.Concat(c.packets...)
	}, "KPPPP-KPPPPP", false}, // when it is noticed, the key frame is here
	{"the beginning of a key frame is lost", func(c *clip) []sent {
		c.packets[6] = c.packets[6][len(c.packets[6])/2:]
		return slices.Concat(c.packets...)
	}, "KPPPPP", true},
	{"the first packets are missing", func(c *clip) []sent {
		c.packets[0] = c.packets[0][2:]
		return slices.Concat(c.packets...)
	}, "KPPPPP", true},
	{"it begins in the middle", func(c *clip) []sent { return slices.Concat(c.packets[3:]...) }, "KPPPPP", true},
	{"packets overtake others", func(c *clip) []sent {
		for _, packets := range c.packets[1:] {
			slices.Reverse(packets)
		}
		return slices.Concat(c.packets...)
	}, "KPPPPPKPPPPP", false},
	{"a packet is sent again after 30 ms", func(c *clip) []sent {
		late := c.packets[2][0]
		late.at += 30 * time.Millisecond
		c.packets[2] = append(c.packets[2][1:], late)
		return slices.Concat(c.packets...)
	}, "KPPPPPKPPPPP", false},
	{"a packet is sent again after 70 ms", func(c *clip) []sent {
		late := c.packets[2][0]
		late.at += 70 * time.Millisecond
		c.packets[2] = c.packets[2][1:]
		c.packets[3] = append(c.packets[3], late)
		return slices.Concat(c.packets...)
	}, "KP----KPPPPP", true},
	{"all come twice", func(c *clip) (out []sent) {
		for _, s := range slices.Concat(c.packets...) {
			out = append(out, s, s)
		}
		return out
	}, "KPPPPPKPPPPP", false},
	{"no markers", func(c *clip) []sent {
		all := slices.Concat(c.packets...)
		for _, s := range all {
			s.packet.Marker = false
		}
		return all
	}, "KPPPPPKPPPP", false}, // the last one has not ended
	{"padding in between", func(c *clip) (out []sent) {
		padding := uint16(0)
		for _, s := range slices.Concat(c.packets...) {
			s.packet.SequenceNumber += padding
			out = append(out, s)
			if s.packet.Marker {
				padding++
				h := s.packet.Header
				h.SequenceNumber++
				h.Marker, h.Padding = false, true
				out = append(out, sent{&rtp.Packet{Header: h, PaddingSize: 255}, s.at})
			}
		}
		return out
	}, "KPPPPPKPPPPP", false},
	{"another SSRC at a key frame", func(c *clip) []sent {
		for _, s := range slices.Concat(c.packets[6:]...) {
			s.packet.SSRC, s.packet.SequenceNumber = 8, s.packet.SequenceNumber+30_000
		}
		return slices.Concat(c.packets...)
	}, "KPPPPPKPPPPP", false},
	{"another SSRC elsewhere", func(c *clip) []sent {
		for _, s := range slices.Concat(c.packets[3:]...) {
			s.packet.SSRC = 8
		}
		return slices.Concat(c.packets...)
	}, "KPP---KPPPPP", true},
	{"nonsense", func(c *clip) []sent {
		for _, s := range c.packets[2] {
			s.packet.Payload = []byte{0}
		}
		return slices.Concat(c.packets...)
	}, "KP----KPPPPP", true},
}

func TestSpoiltPackets(t *testing.T) {
	for _, tt := range spoilt {
		for _, name := range []string{"H.264", "H.265"} {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				c := clips(t)[name]
				asked := 0
				v, frames := receive(c.codec, VideoConfig{NeedKey: func() { asked++ }}, tt.spoil(c))
				if got := pattern(frames); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				if (asked > 0) != tt.asked || v.Stats().Asked != uint64(asked) {
					t.Errorf("asked for %d key frames", asked)
				}
			})
		}
	}
}

// Of VP8 only the place of key frames differs.
func TestLossOfVP8(t *testing.T) {
	c := clips(t)["VP8"]
	c.packets[2] = c.packets[2][1:]
	_, frames := receive(c.codec, VideoConfig{}, slices.Concat(c.packets...))
	if got := pattern(frames); got != "KP--------KP" && got != "KP-------KP" { // a frame may be one packet
		t.Errorf("got %s", got)
	}
}

// A key frame is asked for at once, and again while it does not come.
func TestKeyFramesAreAskedFor(t *testing.T) {
	c := clips(t)["H.264"]
	all := slices.Concat(c.packets[0][:1], slices.Concat(c.packets[1:6]...))
	for n := range 50 { // two more seconds of the same
		for _, s := range c.packets[5] {
			p := s.packet.Clone()
			p.SequenceNumber += uint16((n + 1) * len(c.packets[5]))
			p.Timestamp += uint32((n + 1) * ticks)
			all = append(all, sent{p, s.at + time.Duration(n+1)*tick})
		}
	}
	v := NewVideo(c.codec, VideoConfig{})
	var when []time.Duration
	for _, s := range all {
		v.config.NeedKey = func() { when = append(when, s.at) }
		v.Push(s.packet, start.Add(s.at), func(*mediav1.VideoFrame) { t.Fatal("a frame came out") })
	}
	if len(when) < 4 || len(when) > 6 {
		t.Errorf("asked at %v", when)
	}
	for i := 1; i < len(when); i++ {
		if when[i]-when[i-1] < insist {
			t.Errorf("asked at %v", when)
		}
	}
}

// A packet is asked for again at once, and every 20 ms until it comes.
func TestResend(t *testing.T) {
	c := clips(t)["H.264"]
	type request struct {
		number uint16
		at     time.Duration
	}
	var requests []request
	number := c.packets[0][1].packet.SequenceNumber
	v := NewVideo(c.codec, VideoConfig{Resend: nil})
	frames := 0
	out := func(*mediav1.VideoFrame) { frames++ }
	step := func(at time.Duration, packet *rtp.Packet) {
		v.config.Resend = func(numbers []uint16) {
			for _, n := range numbers {
				requests = append(requests, request{n, at})
			}
		}
		if packet == nil {
			v.Expire(start.Add(at), out)
		} else {
			v.Push(packet, start.Add(at), out)
		}
	}
	const ms = time.Millisecond
	step(0, c.packets[0][0].packet)
	step(1*ms, c.packets[0][2].packet)
	step(2*ms, c.packets[0][3].packet)
	if d := v.Deadline(); d != start.Add(21*ms) {
		t.Errorf("the deadline is after %v", d.Sub(start))
	}
	step(21*ms, nil)
	step(30*ms, c.packets[0][1].packet)
	for _, s := range c.packets[0][4:] {
		step(31*ms, s.packet)
	}
	if want := []request{{number, 1 * ms}, {number, 21 * ms}}; !slices.Equal(requests, want) || frames != 1 {
		t.Errorf("%d frames; asked for %v, want %v", frames, requests, want)
	}
	if s := v.Stats(); s.Resend != 1 || s.LostPackets != 0 || !v.Deadline().IsZero() {
		t.Errorf("%+v, and %v", s, v.Deadline())
	}
}

// Parameter sets that came before, even alone, are put before each key frame.
func TestParameterSetsComeBeforeKeyFrames(t *testing.T) {
	c := &clip{codec: codecs.Of(media.H264)}
	frames := units(t, "baseline.h264")
	sps, pps := annexb.ParameterSets(frames[0])
	c.frames = append([][]byte{annexb.Append(annexb.Append(nil, sps), pps)}, frames...)
	for i, f := range c.frames[1:] {
		c.frames[i+1] = nil
		for unit := range annexb.NALs(f) {
			if annexb.Type(unit) != annexb.TypeSPS && annexb.Type(unit) != annexb.TypePPS {
				c.frames[i+1] = annexb.Append(c.frames[i+1], unit)
			}
		}
	}
	c.cut()
	_, got := receive(c.codec, VideoConfig{}, slices.Concat(c.packets...))
	if pattern(got) != "KPPPPPKPPPPP" {
		t.Fatal(pattern(got))
	}
	for _, f := range got {
		if a, b := annexb.ParameterSets(f.GetData()); f.GetKeyFrame() != (bytes.Equal(a, sps) && bytes.Equal(b, pps)) {
			t.Errorf("frame %d: sets %x, %x", f.GetSequence(), a, b)
		}
	}
}

func TestBFramesAreTold(t *testing.T) {
	c := &clip{codec: codecs.Of(media.H264), frames: units(t, "b-frames.h264")}
	c.cut()
	v, frames := receive(c.codec, VideoConfig{}, slices.Concat(c.packets...))
	if p := v.State().Passage; p.Passes || len(frames) != 12 || !strings.Contains(p.Why, "B-frames") {
		t.Errorf("%d frames, %+v", len(frames), p)
	}
}

func TestDescribe(t *testing.T) {
	c := clips(t)["H.264"]
	for _, p := range c.packets {
		_ = p[0].packet.SetExtension(3, []byte{42})
	}
	_, frames := receive(c.codec, VideoConfig{Describe: func(h *rtp.Header, f *mediav1.VideoFrame) {
		f.Metadata = map[string]string{"x": fmt.Sprint(h.GetExtension(3))}
	}}, slices.Concat(c.packets...))
	for _, f := range frames {
		if f.GetMetadata()["x"] != "[42]" {
			t.Errorf("frame %d: %v", f.GetSequence(), f.GetMetadata())
		}
	}
}

// A frame without end is given up at 8 MiB.
func TestFramesAreBounded(t *testing.T) {
	c := clips(t)["H.264"]
	v := NewVideo(c.codec, VideoConfig{})
	first := c.packets[0][0].packet
	big := make([]byte, 60_000)
	copy(big, []byte{0x7c, 0x05}) // the middle of a unit in fragments
	opening := bytes.Clone(big)
	opening[1] |= 0x80
	fail := func(*mediav1.VideoFrame) { t.Fatal("a frame came out") }
	for n := range 300 {
		p := &rtp.Packet{Header: first.Header, Payload: big}
		if n == 0 {
			p.Payload = opening
			p.Payload[2] = 0x80
		}
		p.SequenceNumber = uint16(n)
		v.Push(p, start, fail)
		if len(v.frame.data) > maxFrame || v.frame.taken > maxFrame && !v.frame.torn {
			t.Fatalf("packet %d: %d bytes", n, v.frame.taken)
		}
	}
	if !v.frame.torn {
		t.Error("it goes on")
	}
}

// FuzzVideo spoils the packets of a clip in all kinds of ways: nothing panics, sequences rise, and the first frame and
// each after a gap is a key frame.
func FuzzVideo(f *testing.F) {
	for i := range spoilt {
		f.Add(uint64(i), []byte{0x7c, 0x85, 0x80}, byte(i))
	}
	f.Add(uint64(7), []byte{0x90, 0x80, 0x80, 0xff, 0x9d, 0x01, 0x2a}, byte(2))
	all := clips(f)
	names := []string{"H.264", "H.265", "VP8"}
	f.Fuzz(func(t *testing.T, seed uint64, payload []byte, kind byte) {
		c := all[names[int(kind)%len(names)]]
		r := rand.New(rand.NewPCG(seed, 1))
		var packets []sent
		for _, s := range slices.Concat(c.packets...) {
			p := s.packet.Clone()
			switch r.IntN(12) {
			case 0:
				continue
			case 1:
				p.Payload = payload
			case 2:
				p.SequenceNumber += uint16(r.IntN(4))
			case 3:
				p.Payload = p.Payload[:r.IntN(len(p.Payload)+1)]
			case 4:
				p.Timestamp = r.Uint32()
			case 5:
				p.Marker = !p.Marker
			}
			packets = append(packets, sent{p, s.at})
		}
		_, frames := receive(c.codec, VideoConfig{Resend: func(numbers []uint16) {
			if len(numbers) == 0 || len(numbers) > maxResend {
				t.Fatalf("%d packets are asked for", len(numbers))
			}
		}}, packets)
		next := int64(0)
		for i, frame := range frames {
			if frame.GetSequence() < next || (i == 0 || frame.GetSequence() > next) && !frame.GetKeyFrame() {
				t.Fatalf("frame %d after %d is a key frame: %v", frame.GetSequence(), next, frame.GetKeyFrame())
			}
			if media.Validate(frame.GetFormat()) != nil {
				t.Fatal(frame.GetFormat())
			}
			next = frame.GetSequence() + 1
		}
	})
}
