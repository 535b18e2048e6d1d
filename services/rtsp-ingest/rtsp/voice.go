package rtsp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	pion "github.com/pion/rtp"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// backChannel is what a client must require for a camera to describe its loudspeaker (ONVIF Streaming Specification,
// 5.3).
var backChannel = field{"Require", "www.onvif.org/ver20/backchannel"}

// Bounds of talking. A camera that does not listen must not leave words waiting that are heard much later.
const (
	longestSay = 1400                   // bytes of a block, which is sent in one packet
	sayLimit   = 500 * time.Millisecond // that a block may wait until the camera takes it
	sayBuffer  = 16 << 10               // bytes that may be under way or wait in the system
	talkAnswer = 5 * time.Second        // that the camera may take to answer: somebody holds a button down meanwhile
)

// Talk implements [feed.Talker]. The back channel has a connection of its own, which is there only while somebody
// talks: many cameras refuse to set up anything while they play, and close the connection over it; so the pictures
// stay as they are whatever the camera thinks of talking. It is over TCP, or over UDP if the camera takes nothing else.
// A back channel that a killed process left behind is adopted.
func (c *Conn) Talk(ctx context.Context) (feed.Voice, error) {
	a := c.attempt
	a.place, a.stale, a.Memory = newPlace(a.Directory, ofVoice, a.Address), "", &Memory{}
	a.adopt = a.place.old(time.Now())
	a.Limits.Answer = min(a.Limits.Answer, talkAnswer)
	a.over = overTCP
	v, err := a.talk(ctx)
	if err != nil && a.adopt != "" && canAdoptionFail(err) && ctx.Err() == nil {
		a.adopt, a.stale = "", a.adopt
		v, err = a.talk(ctx)
	}
	if _, refused := errors.AsType[*noTransport](err); refused && ctx.Err() == nil {
		a.over = overUDP
		v, err = a.talk(ctx)
	}
	if err != nil {
		return nil, noVoice(ctx, err)
	}
	return v, nil
}

// talk opens a back channel.
func (a attempt) talk(ctx context.Context) (*voice, error) {
	v := &voice{conn: a.conn(), sequence: uint16(rand.Uint32()), start: rand.Uint32()}
	client, err := connect(ctx, a.Config, v.conn.trusted, v.conn.receive)
	if err != nil {
		return nil, err
	}
	v.conn.client = client
	client.known = true // its pictures come
	if err := v.begin(ctx); err != nil {
		v.conn.finish()
		return nil, err
	}
	client.bound(sayLimit, sayBuffer)
	running, stop := context.WithCancel(context.Background())
	v.stop = stop
	v.running.Go(func() { _ = v.conn.Run(running, feed.Receiver{}) }) // Say tells why it ended
	return v, nil
}

// voice is an open back channel.
type voice struct {
	conn    *Conn
	track   *track
	stop    context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	sequence uint16
	start    uint32 // the timestamp of time 0
	begun    bool   // something was said
	closed   bool
}

// begin asks for everything until the camera listens.
func (v *voice) begin(ctx context.Context) error {
	c := v.conn
	r, err := c.ask(ctx, "DESCRIBE", []string{c.Address.URL()}, fields{{"Accept", "application/sdp"}, backChannel})
	if err != nil {
		return err
	}
	c.base = base(c.Address, r.fields)
	d := parseSDP(r.body)
	s, err := d.ear()
	if err != nil {
		return err
	}
	if o := d.choose(); o.video != nil && strings.Contains(r.fields.get("Server"), "GStreamer") {
		// Its pipeline breaks, sooner or later, if what it sends is not set up. The pictures are thrown away.
		if err := c.setup(ctx, o.video, backChannel); err != nil {
			return err
		}
	}
	if err := c.setup(ctx, s, backChannel); err != nil {
		return inUse(err)
	}
	v.track = c.tracks[len(c.tracks)-1]
	// With a range, GStreamer's server seeks what it sends, and answers 503.
	_, err = c.ask(ctx, "PLAY", targets(c.Address, c.base, d.control), fields{backChannel})
	c.began = time.Now()
	return err
}

// ear returns the first back channel of a description, in the first encoding, that takes what can be said.
func (d description) ear() (*stream, error) {
	var others []string
	for _, s := range d.sections {
		if s.kind != "audio" || !s.sendOnly {
			continue
		}
		for _, t := range s.types {
			one := *s
			one.types = []uint8{t}
			found, err := one.stream()
			if err == nil && sayable(found.config.Track.MediaType) {
				found.key = cmp.Or(found.key, d.key)
				return found, nil
			}
			if e, err := s.encoding(t); err == nil {
				others = append(others, shown(e.name))
			}
		}
	}
	if len(others) > 0 {
		return nil, feed.Failf(feed.Unsupported, "", "its loudspeaker takes only %.100s: set the camera's sound to G.711",
			strings.Join(others, ", "))
	}
	return nil, feed.Failf(feed.Unsupported, "", "it has no loudspeaker: look for two-way audio in its settings")
}

// sayable tells whether sound can be said in an encoding.
func sayable(mediaType string) bool {
	return mediaType == feed.PCMA || mediaType == feed.PCMU || mediaType == feed.L16
}

// inUse says what it means that there is no room for a back channel.
func inUse(err error) error {
	if feed.ReasonOf(err) != feed.Full {
		return err
	}
	return feed.Failf(feed.Full, "", "somebody else talks through it, or it has no room for another viewer: "+
		"wait until they have finished")
}

// noVoice says that an error is only about talking.
func noVoice(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return feed.Failf(feed.ReasonOf(err), "", "nobody can be heard at the camera: %w", err)
}

// bound bounds how long a write may take, and how much may be under way.
func (c *client) bound(limit time.Duration, bytes int) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.limit = limit
	conn := c.conn
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(bytes) // at worst words wait for longer
	}
}

// Track implements [feed.Voice].
func (v *voice) Track() feed.Track { return v.track.config.Track }

// Say implements [feed.Voice]. It fails when the connection has ended.
func (v *voice) Say(data []byte, at time.Duration) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.closed:
		return feed.Failf(feed.Away, "", "the back channel is closed")
	case len(data) == 0 || len(data) > longestSay:
		return fmt.Errorf("rtsp: a block of %d bytes cannot be sent: say 1 to %d at a time", len(data), longestSay)
	}
	config := v.track.config
	p := pion.Packet{
		Header: pion.Header{
			Version: 2, PayloadType: config.PayloadType, SequenceNumber: v.sequence, SSRC: v.track.own,
			Timestamp: v.start + ticks(at, config.ClockRate), Marker: !v.begun,
		},
		Payload: data,
	}
	packet, err := p.Marshal()
	if err != nil {
		return err
	}
	v.sequence, v.begun = v.sequence+1, true
	if err := v.conn.send(v.track, packet); err != nil {
		return v.lost(err)
	}
	return nil
}

// lost says why nothing can be said any more.
func (v *voice) lost(err error) error {
	select {
	case <-v.conn.client.done:
		err = v.conn.client.err
	default:
	}
	return v.conn.client.lost("talking", err)
}

// ticks is a time in ticks of a clock, rounded.
func ticks(at time.Duration, clock int) uint32 {
	whole, part := int64(at/time.Second)*int64(clock), int64(at%time.Second)*int64(clock)
	return uint32(whole + (part+int64(time.Second)/2)/int64(time.Second))
}

// Close implements [feed.Voice].
func (v *voice) Close() error {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	v.stop()
	v.running.Wait()
	return nil
}
