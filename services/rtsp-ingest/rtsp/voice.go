package rtsp

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	pion "github.com/pion/rtp"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// backChannel is what a client must require for a camera to describe its loudspeaker (ONVIF Streaming Specification,
// 5.3).
var backChannel = field{"Require", "www.onvif.org/ver20/backchannel"}

// longestSay is the longest block that is sent in one packet.
const longestSay = 1400

// Talk implements [feed.Talker]. The back channel has a connection of its own, which is there only while somebody
// talks: many cameras refuse to set up anything while they play, and close the connection over it; so the pictures
// stay as they are whatever the camera thinks of talking.
func (c *Conn) Talk(ctx context.Context) (feed.Voice, error) {
	a := c.attempt
	a.place, a.adopt, a.stale, a.Memory, a.over = place{}, "", "", &Memory{}, overTCP
	v := &voice{conn: a.conn(), sequence: uint16(rand.Uint32()), start: rand.Uint32()}
	client, err := connect(ctx, a.Config, v.conn.trusted, v.conn.receive)
	if err != nil {
		return nil, err
	}
	v.conn.client = client
	if err := v.begin(ctx); err != nil {
		v.conn.finish()
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	v.stop = stop
	v.running.Go(func() { v.ended = v.conn.Run(running, feed.Receiver{}) })
	return v, nil
}

// voice is an open back channel.
type voice struct {
	conn    *Conn
	track   *track
	stop    context.CancelFunc
	running sync.WaitGroup
	ended   error // why Run ended; read after running

	mu       sync.Mutex
	sequence uint16
	start    uint32 // the timestamp of time 0
	closed   bool
}

// begin asks for everything until the camera listens.
func (v *voice) begin(ctx context.Context) error {
	c := v.conn
	r, err := c.ask(ctx, "DESCRIBE", []string{c.Address.URL()}, fields{{"Accept", "application/sdp"}, backChannel})
	if err != nil {
		return noVoice(err)
	}
	c.base = base(c.Address, r.fields)
	d := parseSDP(r.body)
	s := d.ear()
	if s == nil {
		return feed.Failf(feed.Unsupported, "", "the camera has no loudspeaker that takes G.711, L16, Opus or AAC: "+
			"look for two-way audio in its settings")
	}
	if err := c.setup(ctx, s, backChannel); err != nil {
		return noVoice(err)
	}
	v.track = c.tracks[0]
	return noVoice(c.play(ctx, targets(c.Address, c.base, d.control), backChannel))
}

// ear returns the back channel of a description, nil if there is none that can be used.
func (d description) ear() *stream {
	for _, s := range d.sections {
		if s.kind != "audio" || !s.sendOnly {
			continue
		}
		if found, err := s.stream(); err == nil {
			if found.key == "" {
				found.key = d.key
			}
			return found
		}
	}
	return nil
}

// noVoice says that an error is only about talking.
func noVoice(err error) error {
	if err == nil {
		return nil
	}
	return feed.Failf(feed.ReasonOf(err), "", "nobody can be heard at the camera: %w", err)
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
			Timestamp: v.start + uint32(int64(at.Seconds()*float64(config.ClockRate))),
		},
		Payload: data,
	}
	if config.Track.MediaType == feed.AAC {
		p.Marker, p.Payload = true, slices.Concat(unitHeader(len(data)), data)
	}
	packet, err := p.Marshal()
	if err != nil {
		return err
	}
	v.sequence++
	return v.conn.send(v.track, packet)
}

// unitHeader is the header of one AAC frame in a packet (RFC 3640, 3.3.6).
func unitHeader(size int) []byte {
	b := binary.BigEndian.AppendUint16(nil, 16) // bits
	return binary.BigEndian.AppendUint16(b, uint16(size)<<3)
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
