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
	// MaxMessage is the largest message that goes over a data channel, in bytes; larger ones are refused by SCTP itself.
	MaxMessage = 64 << 10
	// enough is how much may wait to be sent on one channel, in bytes.
	enough = 64 << 10
)

// Channels deals with the data channels that far ends open.
type Channels interface {
	// Open is called for each new channel before anything comes from it. It must not wait: what takes time it gives to [Channel.Go].
	Open(c *Channel)
}

// Channel is a data channel that the far end has opened. It is safe for concurrent use, but for OnMessage.
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

// channelOpened counts a channel in; false if there are too many, or the peer wants none.
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

// Label is the name that the far end has given to the channel.
func (c *Channel) Label() string { return c.dc.Label() }

// Peer names the connection that the channel belongs to, uniquely in the life of the engine.
func (c *Channel) Peer() string { return c.peer.id }

// OnMessage sets what is called with each message, one after the other; while it is at work no other comes. It is for use in [Channels.Open].
func (c *Channel) OnMessage(f func(text bool, data []byte)) {
	c.dc.OnMessage(func(m webrtc.DataChannelMessage) { f(m.IsString, m.Data) })
}

// Go runs work on a goroutine of the channel. Its context ends when the channel is closed, by whichever side.
func (c *Channel) Go(work func(ctx context.Context)) {
	c.peer.mu.Lock()
	defer c.peer.mu.Unlock()
	if !c.peer.closed {
		c.peer.ended.Go(func() { work(c.ctx) })
	}
}

// Send sends a message, waiting as long as there is too much to be sent already. It fails with the error of ctx, or when the channel is closed.
func (c *Channel) Send(ctx context.Context, text bool, data []byte) error {
	for {
		select {
		case <-c.opened:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
		if err := cmp.Or(ctx.Err(), c.ctx.Err()); err != nil { // a channel that is open as well must not win
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

// TrySend sends a message if that can be done at once, and reports whether it did.
func (c *Channel) TrySend(text bool, data []byte) bool {
	select {
	case <-c.opened:
		return c.dc.BufferedAmount() < enough && c.send(text, data) == nil
	default:
		return false
	}
}

func (c *Channel) send(text bool, data []byte) error {
	if text {
		return c.dc.SendText(string(data))
	}
	return c.dc.Send(data)
}

// Close closes the channel. What was sent before still arrives on a reliable one.
func (c *Channel) Close() {
	c.cancel()
	_ = c.dc.Close() // fails only if it is closed
}
