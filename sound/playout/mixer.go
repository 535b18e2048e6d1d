package playout

import (
	"slices"
	"sync"
	"time"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// Bounds of what a frame of the network may say.
const (
	longestName  = 256     // bytes, enough for people
	farthestAway = 1 << 62 // sequence and sample index, so that nothing that is added to them overflows
)

// mostRefused is how many refused talkers are remembered.
const mostRefused = 64

// voice is one talker. The mixer's lock is held while its methods are called.
type voice interface {
	// read fills out with what is to be heard next; now is when.
	read(out []float32, now time.Time)
	// talker describes the talker; nil if nothing is to be heard.
	talker(now time.Time) *audiov1.Talker
	// ended reports whether it will never be heard again.
	ended(now time.Time) bool
}

// session is what a talker of the network is known by.
type session struct {
	name  string
	epoch int64
}

// Mixer mixes what talkers say into the sound of one speaker. Make it with [New].
type Mixer struct {
	config  Config
	metrics *metrics
	demand  stream.Demand // for Read: one user while there are talkers

	mu      sync.Mutex
	closed  bool
	rest    func() // ends the mixer's own demand; nil while it has none
	voices  []voice
	refused map[session]bool // who was refused since somebody left, so that each is counted once
	limiter limiter
	scratch []float32
}

// New makes a Mixer. It fails if config is out of range.
func New(config Config) (*Mixer, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	return &Mixer{config: config, metrics: newMetrics(config.Metrics), refused: map[session]bool{},
		limiter: newLimiter(config.Rate)}, nil
}

// Read fills out, channels interleaved, with the next sound for the speaker, each sample within [-1, 1]. It never waits
// for a talker. A part of a frame at the end of out is silence.
func (m *Mixer) Read(out []float32) {
	clear(out)
	out = out[:len(out)-len(out)%m.config.Channels]
	now := m.config.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.scratch) < len(out) {
		m.scratch = make([]float32, len(out))
	}
	for _, v := range m.voices {
		said := m.scratch[:len(out)]
		v.read(said, now)
		for i, s := range said {
			out[i] += s
		}
	}
	m.limiter.apply(out, m.config.Channels)
	m.sweep(now)
	if len(m.voices) == 0 && m.rest != nil && m.limiter.gain == 1 {
		m.rest()
		m.rest = nil
	}
}

// Receive takes one Opus packet of a talker of the network. It never waits and keeps nothing of frame. What cannot be
// used is counted.
func (m *Mixer) Receive(frame *mediav1.AudioFrame) {
	m.metrics.received.Inc()
	if !usable(frame) {
		m.metrics.malformed.Inc()
		return
	}
	now := m.config.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	r := m.remote(frame, now)
	if r == nil {
		m.metrics.tooMany.Inc()
		return
	}
	if dropped := r.receive(frame.GetSequence(), frame.GetSampleIndex(), frame.GetData(), now); dropped != nil {
		dropped.Inc()
	}
}

// usable reports whether a frame is a packet of Opus with a place in a stream.
func usable(f *mediav1.AudioFrame) bool {
	return f.GetFormat().GetMediaType() == pcm.Opus && f.GetEpoch() > 0 &&
		f.GetSequence() >= 0 && f.GetSequence() < farthestAway && f.GetSampleIndex() >= 0 &&
		f.GetSampleIndex() < farthestAway &&
		len(f.GetData()) > 0 && len(f.GetData()) <= maxPacket && len(f.GetTalker()) <= longestName &&
		text.IsPrintable(f.GetTalker())
}

// remote returns the talker who sent frame, or nil if there are too many.
func (m *Mixer) remote(frame *mediav1.AudioFrame, now time.Time) *remote {
	m.sweep(now)
	who := session{frame.GetTalker(), frame.GetEpoch()}
	for _, v := range m.voices {
		if r, ok := v.(*remote); ok && r.session == who {
			return r
		}
	}
	if len(m.voices) >= m.config.MaxTalkers {
		m.refuse(who)
		return nil
	}
	r, err := newRemote(&m.config, m.metrics, who)
	if err != nil { // out of memory: as if there were too many
		return nil
	}
	r.begin(frame.GetSequence(), frame.GetSampleIndex(), now)
	m.add(r)
	return r
}

// refuse counts a talker for whom there is no room, once.
func (m *Mixer) refuse(who session) {
	if m.refused[who] {
		return
	}
	if len(m.refused) >= mostRefused {
		clear(m.refused)
	}
	m.refused[who] = true
	m.metrics.refusedTooMany.Inc()
}

// Talkers returns who is talking now, the longest first, and how loud since the last call. It is new memory each time.
func (m *Mixer) Talkers() []*audiov1.Talker {
	now := m.config.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	talkers := make([]*audiov1.Talker, 0, len(m.voices))
	for _, v := range m.voices {
		if t := v.talker(now); t != nil {
			talkers = append(talkers, t)
		}
	}
	slices.SortStableFunc(talkers,
		func(a, b *audiov1.Talker) int { return a.GetSince().AsTime().Compare(b.GetSince().AsTime()) })
	return talkers
}

func (m *Mixer) talking() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(m.config.Now())
	return len(m.voices) > 0
}

// Obstacles is who would be cut off by a restart.
func (m *Mixer) Obstacles() []device.Obstacle {
	if !m.talking() {
		return nil
	}
	return []device.Obstacle{{Kind: devicev1.RestartObstacleKind_RESTART_OBSTACLE_KIND_TALKER,
		Text: "somebody is talking"}}
}

// Close ends all talkers and feeds. Read gives silence from then on.
func (m *Mixer) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, v := range m.voices {
		if f, ok := v.(*Feed); ok {
			f.end(m.config.Now())
		}
	}
	m.voices = nil
	m.metrics.talkers.Set(0)
	return nil
}

func (m *Mixer) add(v voice) {
	if m.rest == nil {
		m.rest = m.demand.Want()
	}
	m.voices = append(m.voices, v)
	m.metrics.talkers.Set(float64(len(m.voices)))
}

// sweep lets go of those who have ended.
func (m *Mixer) sweep(now time.Time) {
	kept := m.voices[:0]
	for _, v := range m.voices {
		if !v.ended(now) {
			kept = append(kept, v)
		}
	}
	if len(kept) == len(m.voices) {
		return
	}
	clear(m.refused)
	clear(m.voices[len(kept):])
	m.voices = kept
	m.metrics.talkers.Set(float64(len(kept)))
}
