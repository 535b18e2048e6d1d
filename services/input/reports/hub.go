package reports

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	linux "github.com/holoplot/go-evdev"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/timestamppb"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/input/axes"
	"github.com/waldo-robot/waldo/services/input/codes"
	"github.com/waldo-robot/waldo/services/input/source"
)

var (
	// ErrTooSlow ends a reader that fell too far behind.
	ErrTooSlow = fmt.Errorf("the reader is too slow: more than %d reports waited for it, or one for %v; call "+
		"again, and start from the state",
		Queue, inflight.MaxWait)
	// ErrClosed ends readers when the hub is closed.
	ErrClosed = errors.New("the input device is being stopped")
)

// Config determines what is reported. The zero value works.
type Config struct {
	// Kinds are the kinds of events to report; nil means key, relative and absolute.
	Kinds []inputv1.EventKind
	// DeadZone, if not nil, replaces the device's own: a share of half of an axis's range, up to
	// axes.MaxDeadZone.
	DeadZone *float64
	// Metrics, if not nil, registers the counters.
	Metrics prometheus.Registerer
}

// Hub makes reports and hands them to readers. See the package comment.
type Hub struct {
	epoch   int64
	config  Config
	topic   *stream.Topic[*inputv1.Report]
	metrics *metrics

	mu       sync.Mutex // orders reports, and the state with them
	away     error      // why there is no device; nil while there is one
	info     source.Info
	axes     *axes.Set // of the current or last device
	silent   map[linux.EvCode]int32
	keys     map[linux.EvCode]bool  // pressed, as far as readers know
	stand    map[linux.EvCode]int32 // positions of axes, as far as readers know
	sequence int64                  // of the last report
}

// New returns a hub whose device is away. The epoch identifies the run of the process.
func New(epoch int64, c Config) *Hub {
	if c.Kinds == nil {
		c.Kinds = []inputv1.EventKind{
			inputv1.EventKind_EVENT_KIND_KEY, inputv1.EventKind_EVENT_KIND_RELATIVE, inputv1.EventKind_EVENT_KIND_ABSOLUTE}
	}
	h := &Hub{
		epoch: epoch, config: c, topic: stream.NewTopic[*inputv1.Report](), sequence: -1,
		away: device.Away(nil), axes: axes.New(source.Info{}, nil, nil),
		keys: map[linux.EvCode]bool{}, stand: map[linux.EvCode]int32{},
	}
	h.metrics = newMetrics(c.Metrics)
	return h
}

// Opened implements [source.Sink]: the device is there.
func (h *Hub) Opened(info source.Info, now source.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	info.Axes = slices.Clone(info.Axes)
	h.info, h.away = info, nil
	h.axes = axes.New(info, now.Axes, h.config.DeadZone)
	h.resync(time.Now(), now, resyncOpened)
}

// Changed implements [source.Sink].
func (h *Hub) Changed(at time.Time, events []source.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	spoke := h.listen(events)
	list := make([]*inputv1.Event, 0, len(events))
	for _, e := range events {
		list = h.note(list, e)
	}
	if spoke { // axes that were assumed to be at rest and are not in this report
		list = h.move(list, h.silent)
	}
	if len(list) > 0 {
		h.publish(at, list, false)
	}
}

// Resynced implements [source.Sink]: events were lost.
func (h *Hub) Resynced(at time.Time, now source.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.axes.Hear(now.Axes)
	h.resync(at, now, resyncLost)
}

// Detach reports that the device is gone, and why.
func (h *Hub) Detach(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	there := h.away == nil
	h.away = device.Away(why)
	if there {
		h.resync(time.Now(), source.State{Axes: h.resting()}, resyncAway)
	}
}

// Close ends all readers.
func (h *Hub) Close() { h.topic.Close(ErrClosed) }

// Info returns the current device and its axes.
func (h *Hub) Info() (source.Info, []*inputv1.Axis, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.info, h.axes.Describe(), h.away
}

// State returns the state of all keys and axes. While the device is away everything is released, and the
// error gives the reason.
func (h *Hub) State() (*inputv1.State, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state(), h.away
}

// state requires mu, as does everything below.
func (h *Hub) state() *inputv1.State {
	s := &inputv1.State{Epoch: h.epoch, Sequence: h.sequence}
	for _, c := range slices.Sorted(maps.Keys(h.keys)) {
		s.Keys = append(s.Keys, h.event(linux.EV_KEY, c, 1))
	}
	for _, c := range slices.Sorted(maps.Keys(h.stand)) {
		s.Axes = append(s.Axes, h.event(linux.EV_ABS, c, h.stand[c]))
	}
	return s
}

// publish numbers a report and sends it to all readers.
func (h *Hub) publish(at time.Time, events []*inputv1.Event, resync bool) {
	h.sequence++
	h.metrics.count(events)
	h.topic.Publish(&inputv1.Report{
		Epoch: h.epoch, Sequence: h.sequence, EventTime: timestamppb.New(at), Events: events, Resync: resync})
}

func (h *Hub) event(t linux.EvType, c linux.EvCode, value int32) *inputv1.Event {
	e := &inputv1.Event{Kind: codes.Kind(t), Code: int32(c), Name: codes.Name(t, c), Value: value,
		Normalized: float64(value)}
	switch t {
	case linux.EV_KEY:
		e.Normalized = min(1, max(-e.Normalized, e.Normalized)) // a repeated key is pressed
	case linux.EV_ABS:
		e.Normalized = h.axes.Normalize(c, value)
	}
	return e
}
