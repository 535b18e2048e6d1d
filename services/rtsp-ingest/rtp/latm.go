package rtp

import (
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/pkg/rtp/order"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// LATM says how AAC is multiplexed (RFC 6416, 7.3): the StreamMuxConfig of the fmtp line, nil if it is in the stream.
type LATM struct{ Config []byte }

const (
	maxElement = 64 << 10 // bytes of an AudioMuxElement
	minRate    = 1000     // samples a second; the standard has no rate below 7350
)

// framesLATM is AAC in AudioMuxElements, of which packets have a part each.
type framesLATM struct {
	track feed.Track
	clock int
	mux   *mpeg4audio.StreamMuxConfig // nil until it is known
	frame time.Duration

	inBand  bool
	partial []byte // of an element
	begun   bool   // partial is of an element under way …
	first   moment // … and when its first packet was made and came
	lost    int
}

func newFramesLATM(c Config) (*framesLATM, error) {
	f := &framesLATM{track: c.Track, clock: c.ClockRate, inBand: c.LATM.Config == nil}
	if f.inBand {
		return f, nil
	}
	mux := &mpeg4audio.StreamMuxConfig{}
	_ = mux.Unmarshal(c.LATM.Config) // which refuses trailing bytes too
	if !f.adopt(mux) {
		return nil, feed.Failf(feed.Unsupported, "", "AAC in LATM with a configuration that cannot be read (%.20x): "+
			"set the camera's sound to G.711", c.LATM.Config)
	}
	return f, nil
}

// adopt takes how the sound is multiplexed. It returns false if that cannot be.
func (f *framesLATM) adopt(mux *mpeg4audio.StreamMuxConfig) bool {
	for _, p := range mux.Programs {
		if p == nil || len(p.Layers) == 0 || p.Layers[len(p.Layers)-1] == nil {
			return false // it ends in the middle
		}
	}
	if len(mux.Programs) == 0 || mux.Programs[0].Layers[0].AudioSpecificConfig == nil {
		return false
	}
	c := mux.Programs[0].Layers[0].AudioSpecificConfig
	config, err := c.Marshal()
	if err != nil || c.SampleRate < minRate {
		return false
	}
	f.mux, f.frame = mux, frameLength(config, f.clock)
	f.track.Config, f.track.SampleRate, f.track.Channels = config, c.SampleRate, int(c.ChannelConfig)
	return true
}

func (f *framesLATM) packet(p *rtp.Packet, m moment, n order.News, to feed.Receiver) {
	f.lost = countLost(f.lost, n)
	if n.Restart {
		f.begun, f.partial = false, nil
	}
	if n.Lost > 0 && f.begun {
		f.drop()
	}
	if f.begun && m.media != f.first.media { // without a marker
		f.end(to)
	}
	if len(p.Payload) == 0 {
		return
	}
	if !f.begun {
		f.begun, f.first = true, m
	}
	if len(f.partial)+len(p.Payload) > maxElement {
		f.drop()
		return
	}
	if f.partial = append(f.partial, p.Payload...); p.Marker {
		f.end(to)
	}
}

func (f *framesLATM) drop() { f.begun, f.partial, f.lost = false, nil, f.lost+1 }

// end takes the element apart that is complete.
func (f *framesLATM) end(to feed.Receiver) {
	e := mpeg4audio.AudioMuxElement{MuxConfigPresent: f.inBand, StreamMuxConfig: f.mux}
	_ = e.Unmarshal(f.partial) // which refuses trailing bytes too; what is complete is used
	f.begun, f.partial = false, nil
	if e.StreamMuxConfig != f.mux && !f.adopt(e.StreamMuxConfig) {
		f.lost++
		return
	}
	found := false
	for i, programs := range e.Payloads {
		if len(programs) == 0 || len(programs[0]) == 0 || len(programs[0][0]) == 0 {
			continue
		}
		found = true
		if to.Sound != nil {
			at := f.first.media + time.Duration(i)*f.frame
			to.Sound(feed.Sound{Track: f.track, Data: programs[0][0], Time: at, Arrival: f.first.arrival, Lost: f.lost})
		}
		f.lost = 0
	}
	if !found {
		f.lost++
	}
}

func (*framesLATM) deadline() time.Time             { return time.Time{} }
func (*framesLATM) expire(time.Time, feed.Receiver) {}
