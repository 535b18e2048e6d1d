package rtsp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/digest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

const userAgent = "Waldo"

// client asks requests on one connection, and answers those of the camera. One goroutine reads the connection.
type client struct {
	config Config
	conn   net.Conn
	wire   *wire
	onData func(frame, time.Time) // called by the goroutine that reads
	known  bool                   // the camera has answered on another connection

	turn  chan struct{} // holds one token: a request and its repetitions are one thing
	login *digest.Login

	writing sync.Mutex
	limit   time.Duration // of a write; writing guards it

	mu      sync.Mutex
	number  int // of the last request
	waiting []waiter
	last    *response // that was given to who waited for it
	session string

	done chan struct{} // closed when the connection is over
	err  error         // why; set before done is closed
}

// waiter takes the answer to a request.
type waiter struct {
	number int
	method string
	take   func(*response)
}

const maxWaiting = 8 // requests that the camera has not answered; older ones are forgotten

// connect dials, and starts to read.
func connect(ctx context.Context, c Config, trusted func(byte, []byte) bool,
	onData func(frame, time.Time)) (*client, error) {
	conn, err := dial.Open(ctx, dial.Config{
		Address: c.Address, Fingerprint: c.Fingerprint, LegacyTLS: c.LegacyTLS, Limit: c.Limits.Connect,
	})
	if err != nil {
		return nil, err
	}
	cl := &client{
		config: c, conn: conn, wire: newWire(conn, trusted), onData: onData,
		turn: make(chan struct{}, 1), done: make(chan struct{}), limit: c.Limits.Connect,
		login: digest.New(c.Address.User, c.Address.Password),
	}
	cl.wire.limit = cl.patient
	go func() {
		defer close(cl.done)
		cl.err = cl.read()
		_ = cl.conn.Close() // nothing is lost with it
	}()
	return cl, nil
}

// close closes the connection and waits for the goroutine that reads it.
func (c *client) close() {
	_ = c.conn.Close() // it has said goodbye
	<-c.done
}

// patient bounds how long the next reads take, 0 for no bound.
func (c *client) patient(d time.Duration) {
	var until time.Time
	if d > 0 {
		until = time.Now().Add(d)
	}
	_ = c.conn.SetReadDeadline(until) // then Read fails
}

// over tells whether the connection has gone.
func (c *client) over() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *client) read() error {
	for {
		message, err := c.wire.next()
		switch m := message.(type) {
		case frame:
			c.onData(m, time.Now())
		case *response:
			c.answered(m)
		case *request:
			err = c.answer(m)
		}
		if err != nil {
			return err
		}
	}
}

// answer answers a request of the camera. What it asks is its own affair; but it wants an answer.
func (c *client) answer(r *request) error {
	status := "501 Not Implemented"
	switch r.method {
	case "OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE":
		status = "200 OK"
	}
	f := fields{{"CSeq", r.fields.get("CSeq")}}
	if session := r.fields.get("Session"); session != "" {
		f = append(f, field{"Session", session})
	}
	return c.write(marshal("RTSP/1.0 "+status, f))
}

// answered gives a response to who waits for it. A camera that counts wrongly answers the oldest request. What comes
// twice is ignored the second time.
func (c *client) answered(r *response) {
	if r.status < 200 {
		return
	}
	c.mu.Lock()
	number := r.fields.number("CSeq", -1)
	index := slices.IndexFunc(c.waiting, func(w waiter) bool { return w.number == number })
	if len(c.waiting) == 0 || index < 0 && number > 0 && r.equals(c.last) {
		c.mu.Unlock()
		return
	}
	index = max(index, 0)
	w := c.waiting[index]
	c.waiting = append(c.waiting[:index], c.waiting[index+1:]...)
	c.last = r
	c.mu.Unlock()
	w.take(r)
}

// setSession takes the id that further requests name; cameras may change it. It returns whether this one is another.
func (c *client) setSession(id string) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if changed = id != "" && id != c.session; changed {
		c.session = id
	}
	return changed
}

func (c *client) hasSession() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session != ""
}

// hurry bounds how long writes may still take, also one that has begun.
func (c *client) hurry(limit time.Duration) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(limit)) // then Write fails
	c.writing.Lock()
	defer c.writing.Unlock()
	c.limit = limit
}

func (c *client) write(data []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.limit)) // then Write fails
	_, err := c.conn.Write(data)
	return err
}

// send writes a request, and has take called with the answer, by the goroutine that reads.
func (c *client) send(method, url string, extra fields, take func(*response)) error {
	c.mu.Lock()
	c.number++
	f := fields{{"CSeq", strconv.Itoa(c.number)}, {"User-Agent", userAgent}}
	if c.session != "" && extra.get("Session") == "" {
		f = append(f, field{"Session", c.session})
	}
	c.waiting = append(c.waiting, waiter{c.number, method, take})
	if len(c.waiting) > maxWaiting {
		c.waiting = c.waiting[1:]
	}
	c.mu.Unlock()
	if authorization := c.login.Authorize(method, url); authorization != "" {
		f = append(f, field{"Authorization", authorization})
	}
	return c.write(marshal(method+" "+url+" RTSP/1.0", append(f, extra...)))
}

// ask sends a request and waits for the answer, which has any status but that of a refused login.
func (c *client) ask(ctx context.Context, method, url string, extra fields) (*response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Limits.Answer)
	defer cancel()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, c.silence(ctx, method)
	}
	for {
		answers := make(chan *response, 1)
		if err := c.send(method, url, extra, func(r *response) { answers <- r }); err != nil {
			return nil, c.lost(method, c.unsent(ctx, err))
		}
		select {
		case r := <-answers:
			if r.status != 401 {
				c.login.Accept()
				return r, nil
			}
			if !c.login.Take(r.fields.all("WWW-Authenticate")) {
				return nil, c.refused(r)
			}
		case <-ctx.Done():
			return nil, c.silence(ctx, method)
		case <-c.done:
			return nil, c.lost(method, c.err)
		}
	}
}

// refused says why a login failed.
func (c *client) refused(r *response) error {
	switch {
	case !c.login.Answerable() && r.fields.get("WWW-Authenticate") != "":
		return feed.Failf(feed.Unsupported, "password", "password: the camera asks for a login of a kind that is not known: "+
			"set its RTSP authentication to digest or basic")
	case c.config.Address.User == "" && c.config.Address.Password == "":
		return feed.Failf(feed.Refused, "user", "user: the camera wants user and password: write them as keys beside the url")
	}
	return feed.Failf(feed.Refused, "password", "password: the camera refused user and password: check both")
}

func (c *client) silence(ctx context.Context, method string) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Cause(ctx)
	case c.wire.foreign.Load():
		return feed.Failf(feed.Away, "url", "%w", errForeign)
	}
	return feed.Failf(feed.Away, "url", "the camera does not answer %s in %s: check the port in url, "+
		"or restart the camera", method, c.config.Limits.Answer)
}

// unsent is why a request could not be sent. If the connection is over, the goroutine that reads it knows why: what
// was read before says more than the failed write, which may only meet our own close.
func (c *client) unsent(ctx context.Context, err error) error {
	if dial.IsTimeout(err) {
		return err
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return err
	}
}

// lost says why the connection is over.
func (c *client) lost(during string, err error) error {
	hungUp := err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	switch {
	case c.wire.foreign.Load():
		return feed.Failf(feed.Away, "url", "%w", errForeign)
	case errors.Is(err, errFraming):
		return feed.Failf(feed.Away, "url", "%w", errFraming)
	case hungUp && !c.wasHeard():
		return feed.Failf(feed.Away, "url", "the camera hangs up without an answer: check the port in url, "+
			"or close other viewers")
	case hungUp:
		return feed.Failf(feed.Away, "url", "the camera closed the connection during %s: close other viewers, "+
			"or restart the camera", during)
	}
	return feed.Failf(feed.Away, "url", "the connection to the camera broke during %s (%s): check the network", during,
		cause(err))
}

// wasHeard tells whether the camera has answered anything, here or before.
func (c *client) wasHeard() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known || c.last != nil
}

// cause is the last part of an error of the network, which names no addresses.
func cause(err error) string {
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Err != nil {
		return shown(e.Err.Error())
	}
	return shown(fmt.Sprint(err))
}
