package film

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/video/camera"
	"github.com/waldo-robot/waldo/video/codec/network"
)

// Config says what is replayed.
type Config struct {
	// Foreign says that another program recorded the frames. They are mended like those of a network camera; Waldo's are
	// passed on as they are.
	Foreign bool
	// Behind is by how much pictures come after their turn, while the replay plays as fast as was recorded: sound, which
	// is heard only then, takes that much longer to be heard than a picture to be seen.
	Behind time.Duration
}

// Camera is described in the package comment. Run implements [device.Driver].
type Camera struct {
	*camera.Driver
	reel *reel
}

// New returns a camera that serves CameraService. Call it in [device.Kind.New].
func New(kit *device.Kit, c Config) *Camera {
	unusable := prometheus.NewCounter(prometheus.CounterOpts{Name: "waldo_replay_unusable_total",
		Help: "Recorded frames that could not be shown."})
	kit.Metrics.MustRegister(unusable)
	r := newReel(c, kit.Log, unusable.Inc)
	return &Camera{camera.New(kit, camera.Config{Codecs: network.Codecs(), Joined: r.WantKeyFrame}, r.open), r}
}

// Pace says whether the player plays, and how fast.
func (c *Camera) Pace(_ bool, speed float64) { c.reel.pace(speed) }

// Jump says that what follows does not continue what came before.
func (c *Camera) Jump() { c.reel.begins() }

// Lead takes a message of the channel before the place that the replay goes to, from a key frame on.
func (c *Camera) Lead(message []byte) { c.reel.leads(message) }

// Arrived says that everything has come that leads to the place, which is reached at that time of the wall clock.
func (c *Camera) Arrived(at time.Time) { c.reel.arrived(at) }

// Message takes a message of the channel whose time has come.
func (c *Camera) Message(message []byte, at time.Time) { c.reel.message(message, at) }

// Streams returns the names of the streams that a Camera has.
func Streams() []string {
	names := []string{camera.Captures}
	for _, s := range camera.Streams(network.Codecs()) {
		names = append(names, s.Name)
	}
	return names
}
