package playout

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/samplerate"
)

// Of a talker of the network.
const (
	strangerDelay = 0.060             // seconds; least target while little is known about how evenly packets come
	strangerCount = 25                // packets
	farthest      = 10 * pcm.OpusRate // frames between two packets of a session
	longestGap    = pcm.OpusRate / 5  // frames that are made up at most
	mostMissing   = 10                // packets that are made up at most, one after the other
	fadeOut       = 60 * millisecond  // frames
	fadeIn        = 5 * millisecond   // frames
	crossFade     = 10 * millisecond  // frames
	// frames of silence or made up sound, while there is nothing else; SILK cannot make up less
	thread = 10 * millisecond
	// frames given to the converter, which would swallow a whole packet long before it is played
	mouthful = 2 * millisecond
	// seconds that the delay may be too long; then what waits is left out, as after a speaker that stood still
	tooLate = 0.200
	giveUp  = Pause + time.Second // after which a talker is gone, whether their sound was played or not
)

// remote is a talker of the network. Its mixer's lock guards it.
type remote struct {
	session
	config  *Config
	metrics *metrics
	meter   pcm.Meter

	// What came.
	since    time.Time // the first packet came
	last     time.Time // the newest that could be used came
	origin   int64     // index of the first packet
	sequence int64     // of the newest packet
	index    int64     // of the newest packet
	cut      bool      // has talked for too long
	queue    queue
	arrivals arrivals

	// What is played.
	decoder   *decoder
	converter *samplerate.Converter
	drift     drift
	stretch   float64   // by how much the sound is longer than it was recorded
	cutOut    float64   // seconds that are to be cut out
	pending   []float32 // decoded, not yet played
	tail      []float32 // what fades out when something is cut out
	position  int64     // index of the first sample after pending
	length    int64     // frames of the last packet
	missing   int       // packets made up in a row
	spun      int64     // frames made up since the last packet, for packets that were not known to be missing yet
	spinning  bool      // pending is concealment, not received sound
	waiting   bool      // what comes next is not played before its time
	gain      float32
}

func newRemote(config *Config, metrics *metrics, who session) (*remote, error) {
	d, err := newDecoder(config.Channels)
	if err != nil {
		return nil, err
	}
	converter, err := samplerate.New(config.Channels, config.quality)
	if err != nil {
		return nil, fmt.Errorf("talker: %w", err)
	}
	return &remote{session: who, config: config, metrics: metrics, arrivals: newArrivals(), decoder: d,
		converter: converter,
		tail:      make([]float32, crossFade*config.Channels), length: standardPacket}, nil
}

// begin makes a packet the first of the session.
func (r *remote) begin(sequence, index int64, now time.Time) {
	r.since, r.last, r.origin, r.sequence, r.index = now, now, index, sequence, index
	r.position, r.waiting = index, true
	r.queue.restart(sequence)
}

// receive takes a packet to its place. It returns the counter of packets that had the same fate, nil for those that are
// kept.
func (r *remote) receive(sequence, index int64, data []byte, now time.Time) prometheus.Counter {
	switch {
	case r.tooLong(now):
		r.last = now
		return r.metrics.tooLong
	case !r.follows(sequence, index):
		return r.metrics.malformed
	}
	became := r.queue.put(sequence, index, data)
	if became == ahead { // everything between is lost
		r.metrics.skipped.Add(float64(r.queue.waiting))
		r.queue.restart(sequence)
		r.waiting = true
		became = r.queue.put(sequence, index, data)
	}
	if became == duplicate {
		return r.metrics.duplicate
	}
	r.arrivals.add(now.Sub(r.since).Seconds() - seconds(index-r.origin))
	if became == late {
		return r.metrics.late
	}
	r.last = now
	if sequence > r.sequence {
		r.sequence, r.index = sequence, index
	}
	return nil
}

// follows reports whether a packet can be of the same stream as the newest one.
func (r *remote) follows(sequence, index int64) bool {
	after, frames := sequence-r.sequence, index-r.index
	switch {
	case frames > farthest || frames < -farthest:
		return false
	case after == 0:
		return frames == 0
	}
	return (after > 0) == (frames > 0) && frames != 0
}

// tooLong cuts the talker off once they have talked for too long.
func (r *remote) tooLong(now time.Time) bool {
	if !r.cut && r.config.MaxTalk > 0 && now.Sub(r.since) > r.config.MaxTalk {
		r.cut, r.waiting = true, true
		r.metrics.refusedTooLong.Inc()
		r.metrics.tooLong.Add(float64(r.queue.waiting))
		r.queue.restart(r.queue.next)
	}
	return r.cut
}

func (r *remote) talker(time.Time) *audiov1.Talker {
	if r.cut {
		return nil
	}
	buffered := max(r.index+r.length-r.playing(), 0)
	return &audiov1.Talker{
		Name: r.name, Since: timestamppb.New(r.since), Level: r.meter.Take(),
		Buffered: durationpb.New(time.Duration(seconds(buffered) * float64(time.Second))),
	}
}

func (r *remote) ended(now time.Time) bool {
	silent := now.Sub(r.last)
	return silent > giveUp || silent > Pause && r.waiting && r.gain == 0 && r.queue.waiting == 0
}

// playing is the index of what is played next.
func (r *remote) playing() int64 {
	if r.spinning {
		return r.position
	}
	return r.position - int64(len(r.pending)/r.config.Channels)
}

// delay is how much later a sample is asked for now than it could have come at the earliest. Rest seconds more are
// asked for at the same time, so for them it is less.
func (r *remote) delay(index int64, now time.Time, rest float64) float64 {
	return now.Sub(r.since).Seconds() - seconds(index-r.origin) - rest - r.arrivals.quickest
}

// wanted is the delay that the network asks for.
func (r *remote) wanted() float64 {
	least := r.config.MinDelay.Seconds()
	if r.arrivals.count < strangerCount {
		least = max(least, strangerDelay)
	}
	return min(max(r.arrivals.spread+seconds(r.length), least), r.config.MaxDelay.Seconds())
}

func seconds(frames int64) float64 { return float64(frames) / pcm.OpusRate }
