package insta360

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// Config says which camera it is.
type Config struct {
	// Address has the scheme insta360. Cameras are at 192.168.42.1 in their own Wi-Fi.
	Address address.Address
	// Dial connects; nil connects to Address by TCP.
	Dial func(context.Context) (net.Conn, error)
	Log  *slog.Logger
}

// Times of the protocol.
const (
	keepAlive    = 2 * time.Second
	maxSilence   = 10 * time.Second // of the camera
	syncTime     = 5 * time.Second
	previewTime  = 10 * time.Second // until it is started
	pictureTime  = 10 * time.Second // until the first parameter sets
	answerTime   = 20 * time.Second // for any other command: a picture with a timer takes a while
	writeTime    = 2 * time.Second
	goodbyeTime  = 100 * time.Millisecond
	maxCommands  = 64 // that wait for an answer
	maxBody      = 4096
	timeOfCamera = time.Millisecond // the unit of its time stamps
)

// Camera is a camera, connected or not. See the package comment.
type Camera struct {
	config  Config
	events  *stream.Topic[Event]
	samples *stream.Topic[Samples]

	mu   sync.Mutex
	link *link // of the present connection, nil for none
	why  error // there is none, nil if there was never one
}

// New returns a camera that is not connected.
func New(c Config) *Camera {
	if c.Dial == nil {
		c.Dial = func(ctx context.Context) (net.Conn, error) { return dial.Open(ctx, dial.Config{Address: c.Address}) }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Camera{config: c, events: stream.NewTopic[Event](), samples: stream.NewTopic[Samples]()}
}

// Close ends the readers of events and samples. It does not end a connection.
func (c *Camera) Close() {
	c.events.Close(nil)
	c.samples.Close(nil)
}

// Events returns a subscription to all events from now on. Close it.
func (c *Camera) Events(p stream.Policy) *stream.Subscription[Event] { return c.events.Subscribe(p) }

// Samples returns a subscription to the samples of accelerometer and gyroscope from now on. Close it.
func (c *Camera) Samples(p stream.Policy) *stream.Subscription[Samples] {
	return c.samples.Subscribe(p)
}

// Open connects and starts the preview. It fails with a [feed.Error] or with the context's error.
func (c *Camera) Open(ctx context.Context) (feed.Conn, error) {
	socket, err := c.config.Dial(ctx)
	if err != nil {
		return nil, err
	}
	conn := newConn(c, socket)
	if err := conn.greet(ctx); err != nil {
		conn.link.close(err)
		c.absent(err)
		return nil, err
	}
	c.mu.Lock()
	c.link = conn.link
	c.mu.Unlock()
	c.happened(Event{Kind: Connected})
	return conn, nil
}

// absent notes why there is no connection.
func (c *Camera) absent(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link, c.why = nil, why
}

// present returns the open connection.
func (c *Camera) present() (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return nil, device.Away(c.why)
	}
	return c.link, nil
}

func (c *Camera) happened(e Event) {
	e.Time = time.Now()
	c.events.Publish(e)
}
