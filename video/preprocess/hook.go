package preprocess

import (
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/pipeline"
)

// Attribute is the attribute of a camera that says what the command does, for people.
const Attribute = "preprocess"

const (
	minDelay, maxDelay = 250 * time.Millisecond, 30 * time.Second
	// goodLife is how long a command must run for its earlier failures to be forgotten.
	goodLife = 10 * time.Second
)

// Config describes a hook. Command and Codecs are required, and Codecs must encode raw pictures, see [Config.Validate].
type Config struct {
	Command     Command
	Codecs      codec.Set         // what pictures are decoded with
	Orientation codec.Orientation // how they are turned before
	Log         *slog.Logger
	Metrics     prometheus.Registerer // where waldo_camera_preprocess* are registered
}

// Hook is a command for the pictures of one camera. Use [New]; [Hook.Open] applies it to a source.
type Hook struct {
	config   Config
	pictures map[string]prometheus.Counter // by result
	restarts prometheus.Counter

	mu       sync.Mutex
	inner    *pipeline.Pipeline // of the present source, nil for none
	spent    time.Duration      // CPU time of those before
	counts   map[string]int64   // by result
	told     map[string]int64   // counts as of the last Words
	trouble  string             // why the command does not run; "" if it does
	failures int                // in a row
}

// New returns a hook.
func New(config Config) *Hook {
	h := &Hook{config: config, pictures: map[string]prometheus.Counter{}, counts: map[string]int64{},
		told: map[string]int64{},
		restarts: prometheus.NewCounter(prometheus.CounterOpts{Name: "waldo_camera_preprocess_failures_total",
			Help: "How often the command of preprocess has ended, hung, or written something else than pictures."})}
	pictures := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_camera_preprocess_pictures_total",
		Help: "Pictures for the command of preprocess by result: changed; or they went on as they were, because it was " +
			"busy with others, too late, or down."}, []string{"result"})
	for _, result := range []string{changed, busy, late, down} {
		h.pictures[result] = pictures.WithLabelValues(result)
	}
	config.Metrics.MustRegister(pictures, h.restarts)
	return h
}

// CPU is the CPU time that the pictures have cost in this process before the command got them.
func (h *Hook) CPU() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inner == nil {
		return h.spent
	}
	return h.spent + h.inner.Work().CPU
}

// Words say what the command has done since the last call.
func (h *Hook) Words() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all, good := int64(0), int64(0)
	for result, n := range h.counts {
		n -= h.told[result]
		all += n
		if result == changed {
			good += n
		}
		h.told[result] = h.counts[result]
	}
	switch {
	case h.trouble != "":
		return "pictures pass unchanged: " + h.trouble
	case all == 0:
		return "ready"
	case good == all:
		return "changes all pictures"
	}
	const step = 10 // finer, it would change all the time
	return fmt.Sprintf("too slow: about %d %% of the pictures pass unchanged",
		max(step, int(math.Round(float64(all-good)/float64(all)*100/step)*step)))
}

// count counts a picture.
func (h *Hook) count(result string) {
	h.pictures[result].Inc()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[result]++
}

// runs notes that the command runs.
func (h *Hook) runs() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trouble = ""
}

// failed notes why the command does not run, after it has run for some time, and returns how long to wait.
func (h *Hook) failed(why error, life time.Duration) time.Duration {
	h.restarts.Inc()
	h.mu.Lock()
	defer h.mu.Unlock()
	if life >= goodLife {
		h.failures = 0
	}
	delay := min(minDelay<<min(h.failures, 16), maxDelay)
	h.failures++
	h.trouble = fmt.Sprintf("%v; it is started again in %v", why, delay)
	h.config.Log.Warn("preprocess does not run, and pictures pass unchanged", "reason", why, "again_in", delay)
	return delay
}
