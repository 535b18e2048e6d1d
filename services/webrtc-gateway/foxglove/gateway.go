package foxglove

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

// Directory knows the robot's devices.
type Directory interface {
	// List returns all known devices by name, and a channel that is closed when the list is out of date.
	List() (*signalingv1.DeviceList, <-chan struct{})
}

// Caller calls the devices for clients.
type Caller interface {
	// Call calls a method of a device and returns the result.
	Call(ctx context.Context, call *calls.Call) *calls.Result
}

// Config configures a gateway. Bus, Robot, Directory and Caller are required.
type Config struct {
	Bus       *bus.Conn
	Robot     string
	Version   string
	Epoch     int64 // this life of the program
	Directory Directory
	Caller    Caller
	Drive     *signalingv1.Drive    // how the robot is driven; nil: not configured
	Log       *slog.Logger          // nil: none
	Metrics   prometheus.Registerer // nil: not counted anywhere
}

// Gateway serves the clients of one robot. It is safe for concurrent use.
type Gateway struct {
	config  Config
	metrics *metrics
	book    *book
	log     *channel
	views   *stream.Shared[struct{}, *view]
	// patience is how long a client may take for one message, and to say that it is there.
	patience time.Duration
}

// New returns a gateway without clients, which does nothing.
func New(c Config) *Gateway {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{config: c, metrics: newMetrics(c.Metrics), book: newBook(), patience: patience}
	g.log = g.book.own(logTopic, logSchema, logDefinition())
	g.views = stream.NewShared(g.newView)
	return g
}

// Close ends what is shared by all clients, which must have been ended before.
func (g *Gateway) Close() { g.views.Close() }

// Serve serves a client whose WebSocket has been accepted with one of the sub-protocols, until either side closes it or
// the visit ends. The socket is closed then, with a reason if there is one.
func (g *Gateway) Serve(of *visitors.Visitor, socket *websocket.Conn) {
	ctx, cancel := context.WithCancel(of.Context())
	defer cancel()
	defer func() { _ = socket.CloseNow() }() // closed already, unless something failed
	socket.SetReadLimit(MaxRequest)
	share, err := g.views.Acquire(ctx, struct{}{})
	if err != nil {
		_ = socket.Close(websocket.StatusTryAgainLater, err.Error())
		return
	}
	defer share.Release()
	g.metrics.clients.Inc()
	defer g.metrics.clients.Dec()
	select {
	case <-share.Value.player.settled:
	case <-ctx.Done():
	}
	newSession(g, share.Value, of, socket).run(ctx, cancel)
}

// info is the first message of a session, which begins with a player at a place; mayPlay says whether the client may
// tell it what to do.
func (g *Gateway) info(p place, mayPlay bool) serverInfo {
	i := serverInfo{
		Op: "serverInfo", Name: g.config.Robot, Capabilities: always, SessionID: strconv.FormatInt(g.config.Epoch, 36),
		Metadata: map[string]string{"waldo": g.config.Version},
	}
	if p.device == "" {
		return i
	}
	i.Capabilities = append(append([]string{}, always...), replayed...)
	i.Metadata["recording"] = p.name
	i.SessionID += "-" + strconv.FormatInt(p.start.UnixNano(), 36)
	if mayPlay {
		i.Capabilities = append(i.Capabilities, played...)
		i.Start, i.End = instantOf(p.start), instantOf(p.end)
	}
	return i
}

// Timings of a session.
const (
	// patience is how long a client may take for one message. So often it is asked whether it is there, and may take as
	// long to say so, unless it takes messages meanwhile.
	patience = 10 * time.Second
	// endTimeout is how long the message may take that is being sent when the session ends.
	endTimeout = 500 * time.Millisecond
	// tellEvery is how often a client is told of losses.
	tellEvery = time.Second
	// clockEvery is how often a client is told the time in a replay.
	clockEvery = 100 * time.Millisecond
)
