package rtsp

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtcp"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// Conn is a connection to a camera that sends. It is a [feed.Conn], a [feed.KeyFramer] and a [feed.Talker].
type Conn struct {
	attempt
	client     *client
	base       address.Address
	described  string        // the session in the answer to DESCRIBE, "" for none
	tracks     []*track      // pictures, sound
	timeout    time.Duration // of the session
	began      time.Time
	attributes map[string]string
	udp        sync.WaitGroup // goroutines that read sockets
	first      chan struct{}  // closed when the first packet comes

	mu        sync.Mutex // what is received goes through one after the other
	byChannel map[byte]*track
	started   bool // first is closed
	running   bool // to is set
	finished  bool
	to        feed.Receiver
	early     []packet // what came before Run …
	waiting   int      // … in bytes
	timer     *time.Timer
	due       time.Time // when the timer fires, zero for never

	methods methods
}

var (
	_ feed.Conn      = (*Conn)(nil)
	_ feed.KeyFramer = (*Conn)(nil)
	_ feed.Talker    = (*Conn)(nil)
)

// packet is one that waits for Run.
type packet struct {
	track   *track
	data    []byte
	arrival time.Time
}

const (
	maxEarly    = 4096            // packets before Run: some seconds
	earlyBytes  = 16 << 20        // and what they hold together
	reportEvery = 5 * time.Second // receiver reports (RFC 3550, 6.2)
)

// Video implements [feed.Conn].
func (c *Conn) Video() feed.Track { return c.tracks[0].config.Track }

// Attributes implements [feed.Conn].
func (c *Conn) Attributes() map[string]string {
	a := maps.Clone(c.attributes)
	maps.DeleteFunc(a, func(_, value string) bool { return value == "" })
	if len(c.left) > 0 {
		a["left_out"] = strings.Join(c.left, "; ")
	}
	return a
}

// Run implements [feed.Conn].
func (c *Conn) Run(ctx context.Context, to feed.Receiver) error {
	defer c.finish()
	c.attach(to)
	keepAlive := time.NewTicker(c.period())
	defer keepAlive.Stop()
	reports := time.NewTicker(reportEvery)
	defer reports.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.client.done:
			if ctx.Err() != nil {
				return nil
			}
			c.Memory.closedOver(c.methods.fatal(time.Now()))
			c.Memory.ended(time.Since(c.began), c.timeout)
			return c.client.lost("PLAY", c.client.err)
		case <-keepAlive.C:
			c.keepAlive()
		case <-reports.C:
			c.report()
		}
	}
}

// Close implements [feed.Conn].
func (c *Conn) Close() error {
	c.finish()
	return nil
}

// finish tells the camera goodbye, and ends everything.
func (c *Conn) finish() {
	c.mu.Lock()
	c.finished = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.goodbye()
	c.client.close()
	for _, t := range c.tracks {
		t.close()
	}
	c.udp.Wait()
}

// goodbye ends the session. If the camera does not answer, the next connection adopts it.
func (c *Conn) goodbye() {
	if !c.client.hasSession() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Limits.Goodbye)
	defer cancel()
	c.client.hurry(c.Limits.Goodbye)
	if r, err := c.client.ask(ctx, "TEARDOWN", c.base.URL(), nil); err == nil && (r.status < 300 || r.status == 454) {
		c.place.free()
	}
}

// attach hands over what came before Run, and then everything.
func (c *Conn) attach(to feed.Receiver) {
	if to.Picture == nil {
		to.Picture = func(feed.Picture) {}
	}
	if to.Sound == nil {
		to.Sound = func(feed.Sound) {}
	}
	if to.Report == nil {
		to.Report = func(feed.Report) {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.to, c.running = to, true
	for _, p := range c.early {
		c.take(p)
	}
	c.early = nil
	c.arm()
}

// receive takes a frame of the connection.
func (c *Conn) receive(f frame, arrival time.Time) {
	if len(f.payload) < 8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.byChannel[f.channel]
	if t := c.route(own, f.payload); t != nil && (t == own || t.claims(f.payload, arrival)) {
		c.deliver(packet{t, f.payload, arrival})
	}
}

// deliver takes a packet, or keeps it until Run. c.mu is held.
func (c *Conn) deliver(p packet) {
	if !isReport(p.data) && !c.started {
		c.started = true
		close(c.first)
	}
	switch {
	case c.finished:
	case c.running:
		c.take(p)
		c.arm()
	case len(c.early) < maxEarly && c.waiting < earlyBytes:
		c.early, c.waiting = append(c.early, p), c.waiting+len(p.data)
	}
}

// isReport tells RTCP from RTP (RFC 5761, 4): cameras mix up their channels.
func isReport(data []byte) bool { return data[1] >= 192 && data[1] < 224 }

// route finds the track of a packet: by its channel, unless the payload type says that it belongs to another track,
// or the SSRC does. Cameras send on channels that they did not announce.
func (c *Conn) route(t *track, data []byte) *track {
	fits := func(t *track) bool { return t.config.PayloadType == data[1]&0x7f }
	if isReport(data) {
		ssrc := binary.BigEndian.Uint32(data[4:])
		fits = func(t *track) bool { return t.ssrc.Load() == ssrc && ssrc != 0 }
	}
	if t != nil && fits(t) {
		return t
	}
	if i := slices.IndexFunc(c.tracks, fits); i >= 0 {
		return c.tracks[i]
	}
	return t
}

// claims tells whether what came on another channel than a track's belongs to it: if it is of the same source, or
// nothing comes on its own channel.
func (t *track) claims(data []byte, now time.Time) bool {
	if isReport(data) || len(data) < 12 || now.Sub(t.latest) > alone {
		return true
	}
	return binary.BigEndian.Uint32(data[8:]) == t.ssrc.Load()
}

// alone is how long nothing may come of a source before another may take its place.
const alone = time.Second

// trusted tells whether the head of a frame is one of a track; see wire.
func (c *Conn) trusted(channel byte, head []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if head[0]>>6 != 2 || len(head) < 8 {
		return false
	}
	t := c.byChannel[channel]
	switch {
	case t == nil:
		return false
	case isReport(head):
		return head[1] >= 200 && head[1] <= 204
	case len(head) < 12 || head[1]&0x7f != t.config.PayloadType:
		return false
	}
	ssrc := t.ssrc.Load()
	return ssrc == 0 || ssrc == binary.BigEndian.Uint32(head[8:])
}

// take gives a packet to its track. c.mu is held.
func (c *Conn) take(p packet) {
	data, err := p.track.opened(p.data)
	if err != nil {
		return
	}
	if !isReport(data) {
		p.track.push(data, p.arrival, c.to)
		return
	}
	reports, err := rtcp.Unmarshal(data)
	if err != nil {
		return
	}
	for _, one := range reports {
		if sr, ok := one.(*rtcp.SenderReport); ok {
			p.track.reported(sr, p.arrival, c.to)
		}
	}
}

// arm sets the timer for what the tracks wait for. c.mu is held.
func (c *Conn) arm() {
	var next time.Time
	for _, t := range c.tracks {
		if d := t.assembler.Deadline(); !d.IsZero() && (next.IsZero() || d.Before(next)) {
			next = d
		}
	}
	if next.IsZero() && !c.due.IsZero() && c.timer.Stop() { // the picture is whole: nobody need be woken for it
		c.due = time.Time{}
	}
	if next.IsZero() || !c.due.IsZero() && !next.Before(c.due) {
		return // the timer looks again when it fires
	}
	c.due = next
	if c.timer == nil {
		c.timer = time.AfterFunc(time.Until(next), c.expire)
		return
	}
	c.timer.Reset(time.Until(next))
}

// expire gives up waiting for what is late.
func (c *Conn) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finished {
		return
	}
	c.due = time.Time{}
	now := time.Now()
	for _, t := range c.tracks {
		if d := t.assembler.Deadline(); !d.IsZero() && !now.Before(d) {
			t.assembler.Expire(now, c.to)
		}
	}
	c.arm()
}

// report tells the camera what arrived, which keeps some sessions alive.
func (c *Conn) report() {
	c.mu.Lock()
	type out struct {
		track *track
		data  []byte
	}
	var outs []out
	for _, t := range c.tracks {
		if rr := t.receiverReport(time.Now()); rr != nil {
			if data, err := rr.Marshal(); err == nil {
				outs = append(outs, out{t, data})
			}
		}
	}
	c.mu.Unlock()
	for _, o := range outs {
		_ = c.control(o.track, o.data) // the goroutine that reads notices
	}
}

// Lanes of a track.
const (
	rtpLane  = 0
	rtcpLane = 1
)

// control sends RTCP to the camera.
func (c *Conn) control(t *track, data []byte) error { return c.carry(t, rtcpLane, data) }

// send sends RTP to the camera: sound for its loudspeaker.
func (c *Conn) send(t *track, data []byte) error { return c.carry(t, rtpLane, data) }

func (c *Conn) carry(t *track, lane int, data []byte) error {
	data, err := t.sealed(data)
	if err != nil {
		return err
	}
	if t.udp != nil {
		return t.udp.send(lane, data)
	}
	return c.client.write(interleave(t.channels[lane], data))
}

// interleave makes a frame.
func interleave(channel byte, data []byte) []byte {
	b := append(make([]byte, 0, 4+len(data)), '$', channel, byte(len(data)>>8), byte(len(data)))
	return append(b, data...)
}

// KeyFrameWays implements [feed.KeyFramer].
func (c *Conn) KeyFrameWays() []feed.Way {
	t := c.tracks[0]
	return []feed.Way{
		{Name: "PLI", Ask: func(context.Context) error {
			return c.feedback(func(ssrc uint32) rtcp.Packet {
				return &rtcp.PictureLossIndication{SenderSSRC: t.own, MediaSSRC: ssrc}
			})
		}},
		{Name: "FIR", Ask: func(context.Context) error {
			return c.feedback(func(ssrc uint32) rtcp.Packet {
				return &rtcp.FullIntraRequest{SenderSSRC: t.own, MediaSSRC: ssrc, FIR: []rtcp.FIREntry{
					{SSRC: ssrc, SequenceNumber: uint8(t.firs.Add(1))},
				}}
			})
		}},
	}
}

// feedback sends the camera a message about its pictures, in the compound packet that RFC 3550 wants.
func (c *Conn) feedback(about func(ssrc uint32) rtcp.Packet) error {
	t := c.tracks[0]
	ssrc := t.ssrc.Load()
	if ssrc == 0 {
		return feed.Failf(feed.Away, "", "the camera has sent nothing yet")
	}
	data, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: t.own}, about(ssrc)})
	if err != nil {
		return err
	}
	return c.control(t, data)
}
