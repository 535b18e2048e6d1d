// Package audio is the kind of device "audio": it reads the configuration, opens microphone and speaker, and joins them
// with pipeline, mixer, the gRPC service and the bus. Everything that runs is owned by the driver's Run, which package
// device calls.
package audio

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/services/audio/portaudio"
	"github.com/waldo-robot/waldo/sound/capture"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/playout"
	"github.com/waldo-robot/waldo/sound/service"
)

// Kind is what package device runs.
func Kind() device.Kind[Config] {
	return device.Kind[Config]{Name: "audio", Version: version.Version, Defaults: Defaults(), OneCore: true,
		New: newDriver}
}

// longestTurn is how long opening the card, or the work on a block of sound, may take before the process counts as
// hanging. Package portaudio gives up on a card after 15 s.
const longestTurn = 20 * time.Second

// speakerQueue is how many packets of the bus may wait: they are taken at once, so this is for hiccups.
const speakerQueue = 256

// driver works one microphone and one speaker; of what is not configured everything is nil.
type driver struct {
	kit        *device.Kit
	open       func(needs) (card.Card, error)
	needs      needs
	service    *service.Service
	levels     *playout.Levels
	microphone *capture.Pipeline
	speaker    *playout.Speaker
	audio      *device.Out[*mediav1.AudioFrame]
	loudness   *device.Out[*audiov1.StreamLevelsResponse]
	talk       *device.In[*mediav1.AudioFrame]
	turn       func() (end func()) // of the work on a block
}

func newDriver(kit *device.Kit, config Config) (device.Driver, error) {
	library := &portaudio.Library{}
	trouble := newTrouble(kit.Metrics)
	return newDriverOf(kit, config, library.Devices, func(n needs) (card.Card, error) {
		return open(config, n, library, trouble)
	}, longestTurn)
}

// newTrouble counts what sound cards lose. It is called by a thread that must not wait, so every counter is looked up
// beforehand.
func newTrouble(r prometheus.Registerer) func(string) {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "waldo_audio_card_losses_total", Help: "Blocks that a sound card lost or missed, by cause."}, []string{"what"})
	counters := map[string]prometheus.Counter{}
	for _, what := range []string{portaudio.Overflow, portaudio.Underflow, portaudio.RingFull} {
		counters[what] = counter.WithLabelValues(what)
	}
	r.MustRegister(counter)
	return func(what string) { counters[what].Inc() }
}

func newDriverOf(
	kit *device.Kit, config Config, list func() ([]*audiov1.SoundDevice, error), open func(needs) (card.Card, error),
	longest time.Duration,
) (*driver, error) {
	d := &driver{kit: kit, open: open, turn: kit.Loop(longest).Begin}
	pipelines := capture.Config{
		Epoch: kit.Epoch(), Format: config.format(), Block: config.block(), Opus: config.opus(), Log: kit.Log,
		Metrics: capture.NewMetrics(kit.Metrics), Turn: d.turn,
	}
	if config.Source != none {
		pipelines.Tap = "microphone"
		d.microphone = capture.New(pipelines)
		d.needs.batch = d.microphone.Batch
		d.audio = device.NewOut[*mediav1.AudioFrame](kit, "audio", device.OutOptions{})
	}
	if config.speaker() != none {
		pipelines.Tap = "speaker"
		if err := d.addSpeaker(config, capture.New(pipelines)); err != nil {
			return nil, err
		}
	}
	d.levels = playout.NewLevels(d.microphone, d.speaker)
	d.loudness = device.NewOut[*audiov1.StreamLevelsResponse](kit, "levels", device.OutOptions{})
	d.service = service.New(service.Config{
		Microphone: d.microphone, Speaker: d.speaker, Levels: d.levels, List: list, Stopping: kit.Stopping(),
		NoMicrophone: "set source to something other than none", NoSpeaker: "set speaker to something other than none",
	})
	audiov1.RegisterAudioServiceServer(kit, d.service)
	return d, nil
}

func (d *driver) addSpeaker(config Config, heard *capture.Pipeline) error {
	speaker, err := playout.NewSpeaker(playout.Config{
		Rate: config.Rate, Channels: config.Channels, MaxTalkers: config.MaxTalkers, MaxTalk: config.MaxTalk,
		Metrics: d.kit.Metrics,
	}, config.block(), heard)
	if err != nil {
		return err
	}
	d.speaker, d.needs.while = speaker, speaker.While
	d.kit.BeforeRestart(speaker.Mixer.Obstacles)
	d.talk = device.NewIn[*mediav1.AudioFrame](d.kit, "speaker", stream.DropOldest(speakerQueue))
	return nil
}

// Run opens the card and serves it until it goes or ctx ends. Listeners over gRPC stay in between.
func (d *driver) Run(ctx context.Context, ready func()) error {
	err := d.run(ctx, ready)
	d.service.Detach(err)
	if ctx.Err() != nil {
		d.end() // for good: ends the calls under way
	}
	return err
}

func (d *driver) end() {
	d.levels.Close()
	if d.microphone != nil {
		d.microphone.Close()
	}
	if d.speaker != nil {
		d.speaker.Close()
	}
}

func (d *driver) run(ctx context.Context, ready func()) error {
	end := d.turn()
	opened, err := d.open(d.needs)
	end()
	if errors.Is(err, portaudio.ErrStuck) {
		panic(err) // a new process can use the card, and the launcher starts one
	}
	if err != nil {
		return err
	}
	defer func() {
		if err := opened.Close(); err != nil {
			d.kit.Log.Warn("closing the sound card failed", "error", err)
		}
	}()
	d.describe(opened.Attributes)
	working, cancel := context.WithCancelCause(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel(nil)
	for _, part := range d.parts(opened) {
		parts.Go(func() {
			if err := part(working); err != nil && working.Err() == nil {
				cancel(err)
			}
		})
	}
	d.service.Attach()
	ready()
	<-working.Done()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(working)
}

// parts are what runs while the card is there. The first that fails ends all.
func (d *driver) parts(opened card.Card) []func(context.Context) error {
	parts := []func(context.Context) error{
		opened.Watch,
		d.levels.Run,
		serve(d.loudness, func() (*stream.Subscription[*audiov1.StreamLevelsResponse], error) {
			return d.levels.Subscribe(),
				nil
		}),
	}
	if d.microphone != nil {
		parts = append(parts,
			func(ctx context.Context) error { return d.microphone.Run(ctx, opened.Microphone) },
			serve(d.audio, func() (*capture.Reader, error) { return d.microphone.Open(nil, 0) }))
	}
	if d.speaker != nil {
		parts = append(parts,
			func(ctx context.Context) error { return opened.Speaker.Play(ctx, d.fill) },
			d.speaker.Listen,
			func(ctx context.Context) error { return d.talk.Receive(ctx, d.speaker.Mixer.Receive) })
	}
	return parts
}

// fill makes the next sound for the speaker.
func (d *driver) fill(samples []float32) {
	defer d.turn()()
	d.speaker.Fill(samples)
}

// serve is [device.Serve] as a part.
func serve[M proto.Message, R device.Reader[M]](to *device.Out[M], open func() (R, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		device.Serve(ctx, to, open)
		return nil
	}
}

// describe puts what was opened into the device's description.
func (d *driver) describe(attributes map[string]string) {
	shown := map[string]string{"driver": "", "microphone": "", "microphone_format": "", "speaker": "",
		"speaker_format": ""}
	for key, value := range attributes {
		shown[key] = strings.TrimSpace(value)
	}
	d.kit.SetAttributes(shown)
}
