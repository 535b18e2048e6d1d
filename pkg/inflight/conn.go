package inflight

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"
)

const (
	// defaultWindow is the window of a client that does not announce another (RFC 9113, 6.9.2).
	defaultWindow = 65535
	// maxStreams bounds the state kept for one connection; further streams are not bounded.
	maxStreams = 1 << 12
	// lostPing is the time after which another PING is sent although the last one was not answered.
	lostPing = time.Second
	// pingMark tells our own PINGs from gRPC's.
	pingMark = 0x77616c64 // "wald"
)

// Listen wraps the listener of a server whose calls are intercepted.
func (r *Readers) Listen(l net.Listener) net.Listener { return &listener{l, r} }

type listener struct {
	net.Listener
	readers *Readers
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := newConn(nc, l.readers)
		if l.readers.add(c) {
			return c, nil
		}
		c.cut()
	}
}

func newConn(nc net.Conn, readers *Readers) *conn {
	c := &conn{Conn: nc, readers: readers, idle: time.Now(), window: defaultWindow, credits: map[uint32]int64{},
		calls: map[uint32]*call{}}
	c.share.client, c.share.close = nc.RemoteAddr().String(), c.cut
	c.host, _, _ = net.SplitHostPort(c.share.client) // all are of one host if they have none
	c.in = scanner{skip: prefaceSize, frame: c.received}
	c.out = scanner{frame: c.sent}
	c.headers = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == CallHeader {
			c.named = f.Value
		}
	})
	return c
}

// conn is a connection whose frames are inspected as they pass.
type conn struct {
	net.Conn
	readers *Readers
	host    string // of the client
	share   share
	running int       // calls; this and idle belong to the readers' mu
	idle    time.Time // since when it has no calls, if running is 0

	in scanner // for the reading goroutine only

	writing sync.Mutex // of the connection; out, headers and named belong to who has it
	out     scanner
	headers *hpack.Decoder // nil once broken
	named   string         // the call whose header is being sent
	ask     atomic.Bool    // a PING is to be sent as soon as possible
	broken  atomic.Bool    // something was not understood: calls are no longer bounded
	trip    atomic.Int64   // nanoseconds that the last PING took

	mu      sync.Mutex
	window  int64            // the client's initial window of each stream
	credits map[uint32]int64 // granted since, by stream
	calls   map[uint32]*call
	asked   time.Time // when the unanswered PING was sent; zero for none
	number  uint32    // of that ping
}

// NetConn returns what is below, as that of a tls.Conn does.
func (c *conn) NetConn() net.Conn { return c.Conn }

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.feed(p[:n])
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	n, err := c.Conn.Write(p)
	c.out.feed(p[:n])
	c.writing.Unlock()
	c.flush()
	return n, err
}

func (c *conn) Close() error {
	c.readers.remove(c)
	return c.Conn.Close()
}

// cut ends the connection without a word, which never waits; the server notices.
func (c *conn) cut() {
	bottom := c.Conn
	for {
		l, ok := bottom.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		bottom = l.NetConn()
	}
	_ = bottom.Close() // it is of no use any more
}

// ping asks the client for pending window updates, unless it was asked already. It never waits for
// another writer.
func (c *conn) ping() {
	c.mu.Lock()
	due := c.asked.IsZero() || time.Since(c.asked) > lostPing
	if due {
		c.asked = time.Now()
		c.number++
	}
	c.mu.Unlock()
	if due {
		c.ask.Store(true)
		c.flush()
	}
}

// flush sends the PING that is due. If another goroutine is writing, or in the middle of a frame, that
// one will send it.
func (c *conn) flush() {
	for c.ask.Load() && c.writing.TryLock() {
		between := c.out.between()
		if between && c.ask.Swap(false) {
			c.mu.Lock()
			frame := []byte{0, 0, 8, typePing, 0, 0, 0, 0, 0}
			frame = binary.BigEndian.AppendUint32(frame, pingMark)
			frame = binary.BigEndian.AppendUint32(frame, c.number)
			c.mu.Unlock()
			_, _ = c.Conn.Write(frame) // the server notices a broken connection itself
		}
		c.writing.Unlock()
		if !between {
			return
		}
	}
}

// received inspects a frame of the client.
func (c *conn) received(h head, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case h.kind == typeWindowUpdate && len(body) == 4 && h.stream != 0:
		if _, known := c.credits[h.stream]; known {
			c.credits[h.stream] += int64(binary.BigEndian.Uint32(body) &^ (1 << 31))
			c.tell(h.stream)
		}
	case h.kind == typeHeaders && len(c.credits) < maxStreams:
		if _, known := c.credits[h.stream]; !known {
			c.credits[h.stream] = 0
		}
	case h.kind == typeSettings && h.flags&flagAck == 0:
		for ; len(body) >= 6; body = body[6:] {
			if binary.BigEndian.Uint16(body) == settingInitialWindow {
				c.window = int64(binary.BigEndian.Uint32(body[2:]))
			}
		}
		for stream := range c.calls { // the next update may come only after more than half of the old window is used up
			c.tell(stream)
		}
	case h.kind == typePing && h.flags&flagAck != 0 && len(body) == 8:
		if binary.BigEndian.Uint32(body) == pingMark && binary.BigEndian.Uint32(body[4:]) == c.number && !c.asked.IsZero() {
			c.trip.Store(int64(time.Since(c.asked)))
			c.asked = time.Time{}
		}
	case h.kind == typeReset:
		c.forget(h.stream)
	}
}

// sent inspects a frame of the server. The caller is writing.
func (c *conn) sent(h head, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch h.kind {
	case typeHeaders, typeContinuation:
		c.decode(h, body)
		if h.flags&flagEndHeaders != 0 && c.named != "" {
			c.meet(h.stream, c.readers.find(c.named))
			c.named = ""
		}
		if h.kind == typeHeaders && h.flags&flagEndStream != 0 {
			c.forget(h.stream)
		}
	case typeReset:
		c.forget(h.stream)
	}
}

// decode decodes a fragment of a header block. All must be decoded, because they share a table.
func (c *conn) decode(h head, body []byte) {
	if c.headers == nil {
		return
	}
	// gRPC does not send these
	odd := len(body) != h.length || h.kind == typeHeaders && h.flags&(flagPadded|flagPriority) != 0
	if !odd {
		_, err := c.headers.Write(body)
		odd = err != nil || h.flags&flagEndHeaders != 0 && c.headers.Close() != nil
	}
	if odd {
		c.headers = nil
		c.broken.Store(true)
	}
}

// meet records the stream of a call. It requires mu, as tell and forget do.
func (c *conn) meet(stream uint32, call *call) {
	switch _, known := c.credits[stream]; {
	case call == nil:
	case !known: // there are too many
		call.release()
	default:
		c.calls[stream] = call
		c.tell(stream)
	}
}

// tell passes on to a call what its stream was granted.
func (c *conn) tell(stream uint32) {
	if call := c.calls[stream]; call != nil {
		call.grant(c.credits[stream], c.window)
	}
}

func (c *conn) forget(stream uint32) {
	delete(c.credits, stream)
	delete(c.calls, stream)
}

// roundTrip is the round-trip time of the last PING.
func (c *conn) roundTrip() time.Duration { return time.Duration(c.trip.Load()) }
