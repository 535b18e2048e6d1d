package peer

import (
	"sync"
	"time"

	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	// A channel that the gateway closed is opened again after this time, and after twice as long the next time.
	firstRetry, lastRetry = 500 * time.Millisecond, 5 * time.Second
	// callsLabel is the channel for calls that may be lost.
	callsLabel = "waldo.calls"
)

// errNotOpen means that nothing was sent.
var errNotOpen = status.Error(codes.Unavailable, "there is no connection to the robot: nothing was sent")

// channel is a data channel for as long as somebody wants it: it is opened again on each connection, and after the
// gateway closed it. Nothing is kept to be sent later.
type channel struct {
	label    string
	init     webrtc.DataChannelInit
	received func(text bool, data []byte) // called one at a time; must not block

	mu       sync.Mutex
	conn     *connection         // that dc is of
	dc       *webrtc.DataChannel // nil while there is none
	open     bool
	retryAt  time.Time
	patience time.Duration
	openedAt time.Time
}

// send sends a message if it fits and at most so many bytes wait already, or nothing. If a connection is given, the
// channel must be of that.
func (c *channel) send(over *connection, text bool, data []byte, mostWaiting uint64) error {
	c.mu.Lock()
	dc, open := c.dc, c.open && (over == nil || over == c.conn)
	c.mu.Unlock()
	switch {
	case len(data) > maxChannelMessage:
		return status.Errorf(codes.InvalidArgument, "the message has %d bytes, and at most %d fit: nothing was sent",
			len(data), maxChannelMessage)
	case !open:
		return errNotOpen
	case dc.BufferedAmount() > mostWaiting:
		return status.Error(codes.ResourceExhausted, "too much waits to be sent already: nothing was sent")
	}
	var err error
	if text {
		err = dc.SendText(string(data))
	} else {
		err = dc.Send(data)
	}
	if err != nil {
		return status.Errorf(codes.Unavailable, "nothing was sent: %v", err)
	}
	return nil
}

// use opens the channel on a connection, if it is due.
func (c *channel) use(conn *connection, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dc != nil || now.Before(c.retryAt) {
		return
	}
	dc, err := conn.pc.CreateDataChannel(c.label, &c.init)
	if err != nil {
		c.later(now)
		return
	}
	c.conn, c.dc = conn, dc
	dc.OnOpen(func() { c.opened(dc) })
	dc.OnMessage(func(m webrtc.DataChannelMessage) { c.received(m.IsString, m.Data) })
	dc.OnClose(func() { c.closed(dc) })
}

func (c *channel) opened(dc *webrtc.DataChannel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dc == dc {
		c.open, c.openedAt = true, time.Now()
	}
}

// closed is called when the gateway has closed the channel, or the connection has ended.
func (c *channel) closed(dc *webrtc.DataChannel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dc != dc {
		return
	}
	c.dc, c.open = nil, false
	if time.Since(c.openedAt) >= good {
		c.patience = 0
	}
	c.later(time.Now())
}

// later puts the next attempt off; the caller holds mu.
func (c *channel) later(now time.Time) {
	c.patience = min(max(2*c.patience, firstRetry), lastRetry)
	c.retryAt = now.Add(c.patience)
}

// drop forgets the connection.
func (c *channel) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn, c.dc, c.open, c.retryAt, c.patience = nil, nil, false, time.Time{}, 0
}

// hurry has a channel that was refused opened again at once.
func (c *channel) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retryAt = time.Time{}
}

// close closes the channel.
func (c *channel) close() {
	c.mu.Lock()
	dc := c.dc
	c.dc, c.open = nil, false
	c.mu.Unlock()
	if dc != nil {
		_ = dc.Close() // it ends with its connection in any case
	}
}

// channelSet are the channels that are wanted.
type channelSet struct {
	robot *Robot
	calls *sharedChannel // for calls that may be lost; always wanted

	mu  sync.Mutex
	all map[string]*sharedChannel
}

// sharedChannel is a channel with its readers. It is closed with the last.
type sharedChannel struct {
	channel
	users int
	end   func() // ends the readers
	// One of them, for the readers of a stream, or of a topic.
	reading      *reading
	conversation *stream.Topic[*messagev1.Message]
}

func newChannelSet(r *Robot) *channelSet {
	s := &channelSet{robot: r, all: make(map[string]*sharedChannel)}
	var none uint16
	ordered := false
	s.calls = s.acquire(callsLabel, func() *sharedChannel {
		return &sharedChannel{channel: channel{
			label: callsLabel, init: webrtc.DataChannelInit{Ordered: &ordered, MaxRetransmits: &none},
			received: func(_ bool, data []byte) {
				// What is no result explains why there will be none; the gateway then closes the channel.
				if answer, err := parseResult(data); err == nil {
					r.calls.settle(r.connection(), answer)
				}
			},
		}, end: func() {}}
	})
	return s
}

// acquire returns the channel of a label, made by create if nobody uses it yet. It must be released.
func (s *channelSet) acquire(label string, create func() *sharedChannel) *sharedChannel {
	s.mu.Lock()
	c := s.all[label]
	if c == nil {
		c = create()
		if s.all != nil {
			s.all[label] = c
		}
	}
	c.users++
	s.mu.Unlock()
	s.robot.stir()
	return c
}

// release gives up a channel.
func (s *channelSet) release(label string, c *sharedChannel) {
	s.mu.Lock()
	c.users--
	last := c.users == 0 && s.all[label] == c
	if last {
		delete(s.all, label)
	}
	s.mu.Unlock()
	if last {
		c.close()
	}
}

func (s *channelSet) list() []*sharedChannel {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*sharedChannel, 0, len(s.all))
	for _, c := range s.all {
		list = append(list, c)
	}
	return list
}

// open opens all channels that are due on a connection.
func (s *channelSet) open(conn *connection, now time.Time) {
	for _, c := range s.list() {
		c.use(conn, now)
	}
}

// hurry has channels that were refused opened again at once.
func (s *channelSet) hurry() {
	for _, c := range s.list() {
		c.hurry()
	}
}

// drop forgets the connection.
func (s *channelSet) drop() {
	for _, c := range s.list() {
		c.drop()
	}
}

// close ends all readers, for good.
func (s *channelSet) close() {
	s.mu.Lock()
	all := s.all
	s.all = nil // later ones are never opened
	s.mu.Unlock()
	for _, c := range all {
		c.end()
	}
}
