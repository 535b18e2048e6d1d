package publish

import (
	"sync"
	"time"

	"github.com/pion/rtp"
	"golang.org/x/time/rate"

	"github.com/waldo-robot/waldo/pkg/rtp/frames"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

// A publisher may send packetsPerSecond of sound, plus a burst of packetsBurst after the network stalled: the shortest
// packets that are in use last 5 ms.
const packetsPerSecond, packetsBurst = 200, 100

// audio is the sink of a publication's sound. It implements [rtc.Sink].
type audio struct {
	publication *Publication

	mu     sync.Mutex
	frames *frames.Audio
	epoch  int64
	limit  *rate.Limiter
}

// Begin implements [rtc.Sink].
func (a *audio) Begin(rtc.Incoming) {}

// Accept implements [rtc.Sink].
func (a *audio) Accept(h *rtp.Header, payload []byte, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.publication
	if epoch := n.granted().epoch; a.frames == nil || epoch != a.epoch {
		a.epoch, a.limit = epoch, rate.NewLimiter(packetsPerSecond, packetsBurst)
		a.frames = frames.NewAudio(frames.AudioConfig{Epoch: epoch, Talker: n.who.GetName()})
	}
	if !a.limit.AllowN(now, 1) {
		n.owner.metrics.flood.WithLabelValues(n.device).Inc()
		return
	}
	frame, err := a.frames.Push(h, payload, now)
	if err != nil {
		n.owner.metrics.garbage.WithLabelValues(n.device).Inc()
		return
	}
	n.owner.publish(n.device, Microphone, frame)
}

// Garbage implements [rtc.Sink].
func (a *audio) Garbage() { a.publication.video.Garbage() }
