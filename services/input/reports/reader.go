package reports

import (
	"context"
	"errors"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// Queue is how many reports wait for a slow reader.
const Queue = 1024

// Reader reads all reports after a state. It is for one goroutine.
type Reader struct {
	// State is the state before the first report that is read.
	State *inputv1.State

	hub *Hub
	sub *stream.Subscription[*inputv1.Report]
}

// Open returns the state and the reports after it. Close the reader to leave.
func (h *Hub) Open() *Reader {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.metrics.readers.Inc()
	return &Reader{State: h.state(), hub: h, sub: h.topic.Subscribe(stream.Strict(Queue).Within(inflight.MaxWait))}
}

// Next waits for the next report. It returns ErrTooSlow once one is missing, ErrClosed at the end, or
// the error of ctx.
func (r *Reader) Next(ctx context.Context) (*inputv1.Report, error) {
	if r.sub.Lost() > 0 {
		return nil, ErrTooSlow
	}
	report, err := r.sub.Next(ctx)
	if errors.Is(err, stream.ErrOverflow) {
		return nil, ErrTooSlow
	}
	return report, err
}

// Close ends the reader. It is called once.
func (r *Reader) Close() {
	if r.sub.Lost() > 0 {
		r.hub.metrics.slow.Inc()
	}
	r.sub.Close()
	r.hub.metrics.readers.Dec()
}

// Feed returns the reports for a reader that can recover from a loss, such as the bus, whose readers see
// a gap in the sequence and ask for the state: when [Queue] reports wait, the oldest is lost. Close the
// feed to leave.
func (h *Hub) Feed() *stream.Subscription[*inputv1.Report] {
	return h.topic.Subscribe(stream.DropOldest(Queue))
}
