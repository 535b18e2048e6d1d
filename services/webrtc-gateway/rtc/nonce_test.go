package rtc

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// datagrams checks all RTP of a connection as it comes from the network. Its key stream is made of the connection's
// key, the SSRC and the number of the packet; for the same of these, the same content gives the same bits, and another
// content others. So two datagrams under one SSRC and number must be equal: with AES-GCM, two that differ would show
// the key by which packets are authenticated.
type datagrams struct {
	mu       sync.Mutex
	contents map[uint32]map[int][]byte // by SSRC and number
	newest   map[uint32]int            // number, not wrapped
	repeated int                       // how many came again, to the bit
	differ   int
}

func newDatagrams() *datagrams {
	return &datagrams{contents: make(map[uint32]map[int][]byte), newest: make(map[uint32]int)}
}

func (d *datagrams) note(datagram []byte) {
	var h rtp.Header
	if len(datagram) < 12 || datagram[0]>>6 != 2 || datagram[1]&0x7f >= 64 && datagram[1]&0x7f < 96 {
		return // not RTP: RFC 7983, and RFC 5761 for RTCP
	}
	if _, err := h.Unmarshal(datagram); err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	of := d.contents[h.SSRC]
	if of == nil {
		of = make(map[int][]byte)
		d.contents[h.SSRC], d.newest[h.SSRC] = of, int(h.SequenceNumber)+1<<16
	}
	number := d.newest[h.SSRC] + int(int16(h.SequenceNumber-uint16(d.newest[h.SSRC])))
	d.newest[h.SSRC] = max(d.newest[h.SSRC], number)
	before, again := of[number]
	switch {
	case !again:
		of[number] = bytes.Clone(datagram)
	case bytes.Equal(before, datagram):
		d.repeated++
	default:
		d.differ++
	}
}

// count returns how many different packets came of the stream that has most, and of all others, how many came again,
// and how many differ from one before.
func (d *datagrams) count() (most, others, repeated, differ int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, of := range d.contents {
		others += len(of)
		most = max(most, len(of))
	}
	return most, others - most, d.repeated, d.differ
}

// TestNoKeyStreamTwice: whatever a far end misses, asks for and negotiates, nothing goes out under an SSRC and a number
// that something else went out under before.
func TestNoKeyStreamTwice(t *testing.T) {
	gcm, cm := []dtls.SRTPProtectionProfile{aes256GCM}, []dtls.SRTPProtectionProfile{aes128CM}
	for _, tt := range []struct {
		name     string
		profiles []dtls.SRTPProtectionProfile
		section  offered
		asIs     bool // the camera makes no key frames when asked: what it sent is sent again
	}{
		{"as browsers have it", gcm, offered{rtx: 97, extmap: []string{"3 cc", "5 delay", "6 capture"}, number: 3, delay: 5,
			capture: 6}, false},
		{"as old browsers have it", cm, offered{rtx: 97, extmap: []string{"3 cc", "5 delay"}, number: 3, delay: 5}, false},
		{"as Go peers have it", gcm, offered{extmap: []string{"3 cc", "4 frame", "5 run"}, number: 3, frame: 4, run: 5},
			false},
		{"as a Python peer has it", cm, offered{rtx: 97}, false},
		{"as little as can be", gcm, offered{}, false},
		{"a camera that does not obey", gcm, offered{extmap: []string{"5 delay"}, delay: 5}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, c, _ := newStudio(t)
			if tt.asIs {
				c.profile = []byte{0x42, 0xe0, 0x1f}
			}
			d := newDatagrams()
			s := tt.section
			s.stream, s.pt, s.fmtp = left, 96, mode1
			p := newPlayerAs(t, e, watcher.Config{Buffer: 10_000, Profiles: tt.profiles, Datagram: d.note}, []offered{s})
			m := misser{player: p, random: rand.New(rand.NewPCG(1, 2))}
			m.miss(200)
			s.stream = right // the section goes on with another camera
			p.negotiate([]offered{s})
			m.miss(100)
			p.restart = true
			s.pt = 100 // and under other numbers, over a path of its own
			p.negotiate([]offered{s})
			m.miss(100)
			p.near.mu.Lock()
			track := p.near.shown["0"].track.Load()
			p.near.mu.Unlock()
			if err := track.Send(t.Context(), left, false); err != nil {
				t.Fatal(err)
			}
			m.miss(200)
			main, repairs, repeated, differ := d.count()
			if differ > 0 {
				t.Errorf("%d datagrams differ from others with the same SSRC and number", differ)
			}
			if (repairs > 20) != (s.rtx != 0) || (repeated > 20) != (s.rtx == 0) {
				t.Errorf("of %d packets %d were sent again as they were, and %d in a stream of their own", main, repeated, repairs)
			}
		})
	}
}

// misser is a far end that misses much, and asks for what it has as well.
type misser struct {
	*player
	random *rand.Rand
	last   []uint16
}

// miss receives so many packets.
func (m *misser) miss(n int) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), watcher.Timeout)
	defer cancel()
	for range n {
		packet, err := m.far.Packet(ctx)
		if err != nil {
			m.t.Fatal(err)
		}
		if m.last = append(m.last, packet.SequenceNumber); len(m.last) > 30 {
			m.last = m.last[1:]
		}
		again := []uint16{packet.SequenceNumber}
		for range 3 {
			again = append(again, m.last[m.random.IntN(len(m.last))])
		}
		if err := m.far.Miss(m.ssrcs[0], again...); err != nil {
			m.t.Fatal(err)
		}
		if m.random.IntN(20) > 0 {
			continue
		}
		if err := m.far.PC.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: m.ssrcs[0]}}); err != nil {
			m.t.Fatal(err)
		}
	}
}
