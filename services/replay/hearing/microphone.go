package hearing

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/timestamppb"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/sound/capture"
	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/playout"
	"github.com/waldo-robot/waldo/sound/service"
)

const (
	// maxQueue is how many packets may wait for a listener: half a second of the usual 20 ms.
	maxQueue = 25
	// warnEvery is how far apart warnings about sound are.
	warnEvery = 10 * time.Second
)

// Config says what is replayed. The zero value works.
type Config struct {
	Channels int // of listeners who do not choose; default 1. [Channels] tells what was recorded
}

// Streams returns the names of the streams that a Microphone has.
func Streams() []string { return []string{"audio", "levels"} }

// Microphone is described in the package comment. Run implements [device.Driver].
type Microphone struct {
	kit      *device.Kit
	unusable prometheus.Counter
	packets  *stream.Topic[*mediav1.AudioFrame]
	pipeline *capture.Pipeline
	levels   *playout.Levels
	service  *service.Service
	audio    *device.Out[*mediav1.AudioFrame]
	loudness *device.Out[*audiov1.StreamLevelsResponse]
	format   pcm.Format
	line     timeline

	// Of the goroutine that brings the messages.
	silent   bool // it is not played at the speed at which it was recorded
	jumped   bool
	recorded int64 // epoch of the last packet
	epoch    int64 // in its place
	warned   time.Time
}

// New returns a microphone that serves AudioService. Call it in [device.Kind.New].
func New(kit *device.Kit, c Config) *Microphone {
	m := &Microphone{kit: kit, packets: stream.NewTopic[*mediav1.AudioFrame](), jumped: true,
		format: pcm.Format{Rate: pcm.OpusRate, Channels: min(max(c.Channels, 1), pcm.MaxChannels)}}
	m.unusable = prometheus.NewCounter(prometheus.CounterOpts{Name: "waldo_replay_unusable_sound_total",
		Help: "Recorded pieces of sound that could not be heard."})
	kit.Metrics.MustRegister(m.unusable)
	m.pipeline = capture.New(capture.Config{
		Epoch: kit.Epoch(), Format: m.format, Tap: "replay", Log: kit.Log, Metrics: capture.NewMetrics(kit.Metrics),
	})
	m.levels = playout.NewLevels(m.pipeline, nil)
	m.audio = device.NewOut[*mediav1.AudioFrame](kit, "audio", device.OutOptions{})
	m.loudness = device.NewOut[*audiov1.StreamLevelsResponse](kit, "levels", device.OutOptions{})
	m.service = service.New(service.Config{
		Microphone: m.pipeline, Levels: m.levels, Stopping: kit.Stopping(), NoSpeaker: "this is a replay",
		List: func() ([]*audiov1.SoundDevice, error) { return nil, nil },
	})
	audiov1.RegisterAudioServiceServer(kit, &replayed{m.service, m})
	return m
}

// Pace says whether the player plays, and how fast.
func (m *Microphone) Pace(_ bool, speed float64) {
	m.silent = speed != 1
	m.jumped = true
}

// Jump says that what follows does not continue what came before.
func (m *Microphone) Jump() { m.jumped = true }

// Lead takes what was heard before the place that the replay goes to, which is not heard again.
func (m *Microphone) Lead([]byte) {}

// Arrived says that the place is reached.
func (m *Microphone) Arrived(time.Time) {}

// Message takes a message of the channel whose time has come.
func (m *Microphone) Message(message []byte, at time.Time) {
	if m.silent {
		return
	}
	f, err := parse(message)
	if err != nil {
		m.complain(err)
		return
	}
	if m.jumped || f.GetEpoch() != m.recorded {
		m.jumped, m.recorded, m.epoch = false, f.GetEpoch(), access.NewID()
		m.line.begin(m.epoch, f.GetCaptureTime().AsTime(), at)
	}
	f.Epoch = m.epoch
	f.ReplayTime = timestamppb.New(m.line.moment(f.GetCaptureTime().AsTime(), at))
	m.packets.Publish(f)
}

func (m *Microphone) complain(err error) {
	m.unusable.Inc()
	if time.Since(m.warned) > warnEvery {
		m.warned = time.Now()
		m.kit.Log.Warn("recorded sound is left out", "error", err)
	}
}

// Run implements [device.Driver].
func (m *Microphone) Run(ctx context.Context, ready func()) error {
	var parts sync.WaitGroup
	parts.Go(func() { _ = m.pipeline.Run(ctx, &head{m}) }) // ends with its context: a head never fails
	parts.Go(func() { _ = m.levels.Run(ctx) })             // likewise
	parts.Go(func() {
		device.Serve(ctx, m.audio, func() (*stream.Subscription[*mediav1.AudioFrame], error) { return m.subscribe(), nil })
	})
	parts.Go(func() {
		device.Serve(ctx, m.loudness, func() (*stream.Subscription[*audiov1.StreamLevelsResponse], error) {
			return m.levels.Subscribe(), nil
		})
	})
	m.service.Microphone.Attach()
	ready()
	parts.Wait()
	m.service.Microphone.Detach(nil)
	if m.kit.Stopping().Err() != nil { // for good: ends the calls in progress
		m.levels.Close()
		m.pipeline.Close()
	}
	return ctx.Err()
}

func (m *Microphone) subscribe() *stream.Subscription[*mediav1.AudioFrame] {
	return m.packets.Subscribe(stream.DropOldest(maxQueue))
}
