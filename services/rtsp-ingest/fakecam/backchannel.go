package fakecam

import (
	"bytes"
	"encoding/binary"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/g711"
	"github.com/pion/rtp"
)

// backChannel is the tag of ONVIF that asks for the tracks that the camera receives.
const backChannel = "www.onvif.org/ver20/backchannel"

func backChannelRequired(req *Request) bool {
	return strings.Contains(req.Header.Get("Require"), backChannel)
}

// withoutBackChannel cuts the media that the camera receives out of a session description.
func withoutBackChannel(sdp string) string {
	parts := strings.Split(sdp, "\r\nm=")
	kept := parts[:1]
	for _, m := range parts[1:] {
		if !strings.Contains(m, "a=sendonly") {
			kept = append(kept, m)
		}
	}
	return strings.TrimSuffix(strings.Join(kept, "\r\nm="), "\r\n") + "\r\n"
}

// speaks says whether the loudspeaker of a track is used by another session than that of a request: there is one voice
// at a time.
func (c *Camera) speaks(cn *conn, t *transport, req *Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	for _, s := range c.sessions {
		if s != cn.session && s.sent != sessionID(req) && s.tracks[t.number] != nil && t.track.BackChannel {
			return true
		}
	}
	return false
}

// longestSpeech is how many packets of the back channel are kept: two minutes at 20 ms. Then it begins from scratch.
const longestSpeech = 6000

// speech is what has been said to a camera.
type speech struct {
	mu      sync.Mutex
	packets []Said
}

// Said is a packet of the back channel.
type Said struct {
	rtp.Packet
	Arrival time.Time
	Samples []int16 // nil if the track is neither G.711 nor L16
}

// Said returns the packets of the back channel that came, the oldest first. Those that are not RTP are left out.
func (c *Camera) Said() []Said {
	c.speech.mu.Lock()
	defer c.speech.mu.Unlock()
	return c.speech.packets[:len(c.speech.packets):len(c.speech.packets)]
}

// hear takes a packet of the back channel.
func (c *Camera) hear(t Track, data []byte) {
	said := Said{Arrival: time.Now()}
	if said.Unmarshal(bytes.Clone(data)) != nil || len(said.Payload) == 0 {
		return // what opens a firewall, for example
	}
	said.Samples = samples(t.Media.Encoding, said.Payload)
	c.speech.mu.Lock()
	if len(c.speech.packets) == longestSpeech {
		c.speech.packets = nil
	}
	c.speech.packets = append(c.speech.packets, said)
	c.speech.mu.Unlock()
	if to := c.config.Speaker; to != nil {
		_ = binary.Write(to, binary.LittleEndian, said.Samples) // who listens to the file notices
	}
	c.add(Spoken)
}

// samples decodes sound.
func samples(encoding string, data []byte) []int16 {
	switch encoding {
	case PCMU:
		var law g711.Mulaw
		law.Unmarshal(data)
		data = law
	case PCMA:
		var law g711.Alaw
		law.Unmarshal(data)
		data = law
	case L16:
	default:
		return nil
	}
	out := make([]int16, len(data)/2)
	_ = binary.Read(bytes.NewReader(data), binary.BigEndian, out) // as many as there are
	return out
}
