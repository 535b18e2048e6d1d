package channels

import (
	"context"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

// Labels of channels.
const (
	reserved     = "waldo."
	Calls        = reserved + "calls"
	streamPrefix = reserved + "stream/"
	linesPrefix  = reserved + "lines/"
)

// Directory knows the devices of the robot.
type Directory interface {
	// Check returns nil for a known device, else an error with codes.NotFound.
	Check(device string) error
}

// Config adjusts a bridge; the zero value works.
type Config struct {
	// Log may be nil.
	Log *slog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

// Bridge connects data channels to the bus. It implements [rtc.Channels].
type Bridge struct {
	conn      *bus.Conn
	robot     string
	directory Directory
	caller    *calls.Caller
	streams   *stream.Shared[streamKey, *feed]
	metrics   *metrics
	log       *slog.Logger
}

// New returns a bridge for one robot.
func New(
	conn *bus.Conn, robot string, directory Directory, devices *dynamic.Devices, caller *calls.Caller, c Config,
) *Bridge {
	b := &Bridge{conn: conn, robot: robot, directory: directory, caller: caller, metrics: newMetrics(c.Metrics),
		log: c.Log}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.streams = newStreams(conn, devices, robot)
	return b
}

// Close releases all streams and returns when that is done.
func (b *Bridge) Close() { b.streams.Close() }

// Open implements [rtc.Channels].
func (b *Bridge) Open(c *rtc.Channel, of *visitors.Visitor) {
	b.metrics.channels.Inc()
	label := c.Label()
	switch {
	case label == Calls:
		b.serveCalls(c, of)
	case strings.HasPrefix(label, streamPrefix):
		b.serveStream(c, of, strings.TrimPrefix(label, streamPrefix), false)
	case strings.HasPrefix(label, linesPrefix):
		b.serveStream(c, of, strings.TrimPrefix(label, linesPrefix), true)
	case strings.HasPrefix(label, reserved):
		b.Refuse(c, status.Errorf(codes.InvalidArgument,
			"label: %.128q: labels that begin with %q are reserved for Waldo: use another one", label, reserved))
	default:
		b.serveTopic(c, of, label)
	}
}

// Refuse reports why a channel cannot be opened, and closes it.
func (b *Bridge) Refuse(c *rtc.Channel, err error) {
	c.Go(func(ctx context.Context) {
		defer c.Close()
		b.sayWhy(ctx, c, err)
	})
}

// sayWhy reports why something is refused.
func (b *Bridge) sayWhy(ctx context.Context, c *rtc.Channel, err error) {
	_ = c.Send(ctx, true, errorFrame(err)) // a peer that has left need not know
}
