package rtsp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtp"
)

// track is a stream that is set up. The mutex of its Conn guards it, but for what is atomic.
type track struct {
	config    rtp.Config
	assembler *rtp.Assembler
	sound     bool
	urls      []string // that may be its own
	channels  [2]byte  // RTP and RTCP, as announced
	udp       *udp     // nil over TCP
	own       uint32   // our SSRC
	secrets   *secrets // nil without SRTP
	ssrc      atomic.Uint32
	firs      atomic.Uint32

	typed    bool  // its payload type has been seen
	changed  bool  // the camera uses another in its place …
	uses     uint8 // … which is this one
	stranger uint8 // yet another type …
	strange  int   // … and how many packets of it came in a row
	latest   time.Time
	received counter
	heard    time.Time // of the last sender report …
	middle   uint32    // … and the middle of its NTP time
}

// newTrack prepares a stream for SETUP.
func (c *Conn) newTrack(s *stream) (*track, error) {
	if s.secure && !c.Address.Secure() { // the keys would be in the clear
		return nil, feed.Failf(feed.Unsupported, "url", "url: the camera encrypts its packets (SRTP): write rtsps://, "+
			"or switch SRTP off in the camera")
	}
	n := byte(2 * len(c.tracks))
	t := &track{config: s.config, sound: len(c.tracks) > 0, channels: [2]byte{n, n + 1}, own: rand.Uint32()}
	if c.over == overUDP {
		local, _ := c.client.conn.LocalAddr().(*net.TCPAddr)
		remote, _ := c.client.conn.RemoteAddr().(*net.TCPAddr)
		if local == nil || remote == nil {
			return nil, fmt.Errorf("rtsp: %s is no TCP connection", c.client.conn.LocalAddr().Network())
		}
		u, err := listenUDP(local, remote)
		if err != nil {
			return nil, feed.Failf(feed.Away, "url", "no free pair of UDP ports: remove transport: udp")
		}
		t.udp = u
	}
	var err error
	t.config.Reorder = t.udp != nil
	t.assembler, err = rtp.New(t.config)
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// asks is the Transport field of SETUP.
func (t *track) asks() string {
	profile := "RTP/AVP"
	if t.secrets != nil {
		profile = "RTP/SAVP"
	}
	if t.udp != nil {
		return fmt.Sprintf("%s;unicast;client_port=%d-%d", profile, t.udp.port, t.udp.port+1)
	}
	return fmt.Sprintf("%s/TCP;unicast;interleaved=%d-%d", profile, t.channels[0], t.channels[1])
}

// opened is a packet as it was before the camera encrypted it, if it did.
func (t *track) opened(data []byte) ([]byte, error) {
	if t.secrets == nil {
		return data, nil
	}
	return t.secrets.open(data)
}

// sealed is a packet as the camera takes it.
func (t *track) sealed(data []byte) ([]byte, error) {
	if t.secrets == nil {
		return data, nil
	}
	return t.secrets.seal(data)
}

// connected takes what the camera announced. It listens to the channels asked for too, since some cameras use them
// anyway.
func (c *Conn) connected(t *track, a transport) error {
	if t.udp != nil && !a.tcp {
		t.udp.peer(a)
		for _, socket := range t.udp.sockets {
			c.udp.Go(func() { c.readUDP(t, socket) })
		}
		return nil
	}
	t.close()
	t.udp = nil
	if !a.tcp && a.ports != nil {
		return &noTransport{feed.Failf(feed.Unsupported, "url", "the camera sends over UDP though TCP was asked for: "+
			"write transport: udp")}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, channel := range t.channels {
		if c.byChannel[channel] == nil {
			c.byChannel[channel] = t
		}
		if a.channels != nil {
			t.channels[i] = a.channels[i]
			c.byChannel[a.channels[i]] = t
		}
	}
	return nil
}

// close closes the sockets of a track.
func (t *track) close() {
	if t.udp != nil {
		t.udp.close()
	}
}

// push takes an RTP packet.
func (t *track) push(data []byte, arrival time.Time, to feed.Receiver) {
	p := parsePacket(data)
	if p == nil || !t.mine(p) {
		return
	}
	t.latest = arrival
	if t.ssrc.Swap(p.SSRC) != p.SSRC {
		t.received = counter{}
	}
	t.received.add(p.SequenceNumber)
	t.assembler.Push(p, arrival, to)
}

// parsePacket reads an RTP packet, nil if it is none. Some cameras say that packets are padded which are not; padding
// is zeros and their number.
func parsePacket(data []byte) *pion.Packet {
	const version, padded = 2, 0x20
	p := &pion.Packet{}
	if len(data) > 0 && data[0]&padded != 0 {
		size := int(data[len(data)-1])
		if size == 0 || size > len(data) || bytes.Trim(data[len(data)-size:len(data)-1], "\x00") != nil {
			data = append([]byte{data[0] &^ padded}, data[1:]...)
		}
	}
	if p.Unmarshal(data) != nil || p.Version != version {
		return nil
	}
	return p
}

// strangers is how many packets of another type than the announced one must come in a row, with none of that, to be
// taken for the camera's pictures: it has changed its type.
const strangers = 64

// mine tells whether a packet is one of the track. A camera that never uses the type it announced, or no more, means
// the one it uses. Others are only counted, if they have the same source: repairs have one of their own.
func (t *track) mine(p *pion.Packet) bool {
	switch kind := p.PayloadType; {
	case kind == t.config.PayloadType:
		t.typed, t.strange = true, 0
		return true
	case kind == t.uses && t.changed:
		t.strange = 0
	case !t.typed && !t.changed:
		t.uses, t.changed = kind, true
	case kind != t.stranger:
		t.stranger, t.strange = kind, 1
		return p.SSRC == t.ssrc.Load()
	case t.strange < strangers:
		t.strange++
		return p.SSRC == t.ssrc.Load()
	default:
		t.uses, t.changed, t.strange = kind, true, 0
		t.assembler.Restart()
	}
	p.PayloadType = t.config.PayloadType
	return true
}

// ntpEpoch is when NTP begins to count.
var ntpEpoch = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)

// ntpTime is the time that an NTP timestamp means: after 1968, as is usual (RFC 4330, 3).
func ntpTime(n uint64) time.Time {
	seconds := int64(n >> 32)
	if n>>63 == 0 {
		seconds += 1 << 32
	}
	return time.Unix(ntpEpoch.Unix()+seconds, int64(n&0xffffffff*uint64(time.Second)>>32)).UTC()
}

// reported takes a sender report.
func (t *track) reported(sr *rtcp.SenderReport, arrival time.Time, to feed.Receiver) {
	t.heard, t.middle = arrival, uint32(sr.NTPTime>>16)
	if at, ok := t.assembler.Time(sr.SSRC, sr.RTPTime); ok {
		to.Report(feed.Report{Sound: t.sound, Time: at, NTP: ntpTime(sr.NTPTime), Arrival: arrival})
	}
}

// receiverReport says what has arrived, nil if nothing has.
func (t *track) receiverReport(now time.Time) *rtcp.ReceiverReport {
	ssrc := t.ssrc.Load()
	if ssrc == 0 {
		return nil
	}
	r := t.received.report()
	r.SSRC = ssrc
	if !t.heard.IsZero() {
		r.LastSenderReport, r.Delay = t.middle, uint32(now.Sub(t.heard).Seconds()*65536)
	}
	return &rtcp.ReceiverReport{SSRC: t.own, Reports: []rtcp.ReceptionReport{r}}
}

// counter counts packets for receiver reports (RFC 3550, 6.4.1).
type counter struct {
	started        bool
	first, highest uint32 // extended
	received       uint32
	before         [2]uint32 // expected and received at the last report
}

func (c *counter) add(sequence uint16) {
	if !c.started {
		c.started, c.first, c.highest = true, uint32(sequence), uint32(sequence)
	}
	c.received++
	if step := int16(sequence - uint16(c.highest)); step > 0 {
		c.highest += uint32(step)
	}
}

func (c *counter) report() (r rtcp.ReceptionReport) {
	expected := c.highest - c.first + 1
	r.LastSequenceNumber = c.highest
	if expected > c.received {
		r.TotalLost = min(expected-c.received, 1<<23-1)
	}
	wanted, got := expected-c.before[0], c.received-c.before[1]
	if wanted > got {
		r.FractionLost = uint8(uint64(wanted-got) * 255 / uint64(wanted))
	}
	c.before = [2]uint32{expected, c.received}
	return r
}
