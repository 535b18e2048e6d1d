package rtc

import (
	"cmp"
	"context"
	"sync"

	"github.com/pion/webrtc/v4"
)

const (
	// maxChannels bounds the data channels of one peer.
	maxChannels = 32
	// MaxMessage is the largest message that a data channel carries, in bytes; SCTP itself refuses larger ones.
	MaxMessage = 64 << 10
	// enough is how many bytes may wait to be sent on one channel.
	enough = 64 << 10
)

// Channels handles the data channels that far ends open.
type Channels interface {
	// Open is called for each new channel before anything arrives on it. It must not block; slow work belongs in
	// [Channel.Go].
	Open(c *Channel)
}

// Channel is a data channel that the far end has opened. It is safe for concurrent use, except for OnMessage.
type Channel struct {
	dc     *webrtc.DataChannel
	peer   *Peer
	ctx    context.Context
	cancel context.CancelFunc
	opened chan struct{}
	low    chan struct{} // holds a token when there is room to send again
}

// openChannel is called by pion when the far end has opened a channel.
func (p *Peer) openChannel(dc *webrtc.DataChannel) {
	c := &Channel{dc: dc, peer: p, opened: make(chan struct{}), low: make(chan struct{}, 1)}
	c.ctx, c.cancel = context.WithCancel(p.ctx)
	dc.SetBufferedAmountLowThreshold(enough / 2)
	dc.OnBufferedAmountLow(func() {
		select {
		case c.low <- struct{}{}:
		default:
		}
	})
	dc.OnOpen(sync.OnceFunc(func() { close(c.opened) }))
	dc.OnClose(func() {
		c.cancel()
		p.channelClosed()
	})
	if !p.channelOpened() {
		c.Close()
		return
	}
	p.channels.Open(c)
}

// channelOpened counts a channel; false if there are too many, or the peer accepts none.
func (p *Peer) channelOpened() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.channelCount++
	return p.channels != nil && !p.closed && p.channelCount <= maxChannels
}

func (p *Peer) channelClosed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.channelCount--
}

// Label is the name that the far end gave the channel.
func (c *Channel) Label() string { return c.dc.Label() }

// Peer identifies the connection that the channel belongs to, uniquely in the life of the engine.
func (c *Channel) Peer() string { return c.peer.id }

// Done is closed when either side has closed the channel, or the connection has ended.
func (c *Channel) Done() <-chan struct{} { return c.ctx.Done() }

// OnMessage sets the function that is called with each message, one at a time. Call it in [Channels.Open].
func (c *Channel) OnMessage(f func(text bool, data []byte)) {
	c.dc.OnMessage(func(m webrtc.DataChannelMessage) { f(m.IsString, m.Data) })
}

// Go runs work on a goroutine that the channel owns. Its context ends when either side closes the channel. It returns
// false, and runs nothing, if the connection has ended.
func (c *Channel) Go(work func(ctx context.Context)) bool {
	c.peer.mu.Lock()
	defer c.peer.mu.Unlock()
	if c.peer.closed {
		return false
	}
	c.peer.ended.Go(func() { work(c.ctx) })
	return true
}

// Send sends a message, and blocks while too much is waiting to be sent. It fails with the error of ctx, or when the
// channel is closed.
func (c *Channel) Send(ctx context.Context, text bool, data []byte) error {
	for {
		select {
		case <-c.opened:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
		if err := cmp.Or(ctx.Err(), c.ctx.Err()); err != nil { // checked first, because select would choose at random
			return err
		}
		if c.dc.BufferedAmount() < enough {
			return c.send(text, data)
		}
		select {
		case <-c.low:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
}

// TrySend sends a message if that is possible at once, and reports whether it did.
func (c *Channel) TrySend(text bool, data []byte) bool {
	// A message can arrive before pion has called OnOpen, which it does on a goroutine of its own.
	return c.dc.ReadyState() == webrtc.DataChannelStateOpen && c.dc.BufferedAmount() < enough && c.send(text, data) == nil
}

// Spare reports whether a message of so many bytes may be sent that can as well be left out. It uses up the message's
// share: over a path that is known to limit the connection, such messages of all its channels get a tenth of what the
// path carries.
func (c *Channel) Spare(bytes int) bool { return c.peer.spare.take(bytes, c.peer.path.Available()) }

func (c *Channel) send(text bool, data []byte) error {
	if text {
		return c.dc.SendText(string(data))
	}
	return c.dc.Send(data)
}

// Close closes the channel. On a reliable channel, what was sent before still arrives.
func (c *Channel) Close() {
	c.cancel()
	_ = c.dc.Close() // fails only if it is closed already
}
