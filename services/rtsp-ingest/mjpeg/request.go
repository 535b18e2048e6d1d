package mjpeg

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/digest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

const (
	maxHops   = 5        // redirects
	maxHead   = 64 << 10 // bytes of an answer's header
	maxLogins = 2        // refusals that are answered for one request
	maxInform = 4        // answers of the kind 100 before the answer
)

// client asks a camera over one TCP connection at a time.
type client struct {
	config Config
	at     address.Address // where redirects have led; without user and password if that is another host
	login  *digest.Login

	cookies cookies // of the present host

	mu     sync.Mutex
	conn   net.Conn // nil if there is none
	closed bool

	from *input
	in   *bufio.Reader // reads from it
}

func newClient(c Config) *client {
	return &client{
		config: c, at: c.Address, login: digest.New(c.Address.User, c.Address.Password), cookies: cookies{},
	}
}

// reply is an answer whose body comes over the connection. The body need not be closed, but the connection.
type reply struct {
	status int
	header http.Header
	body   io.Reader
	last   bool // the camera closes the connection after it
}

// get asks for the address of the camera, follows redirects, and logs in. The answer has status 200, or 304 if etag
// is given.
func (c *client) get(ctx context.Context, etag string) (*reply, error) {
	for logins, hops := 0, 0; hops <= maxHops; {
		answer, err := c.ask(ctx, etag)
		if err != nil {
			return nil, err
		}
		switch code := answer.status; {
		case code == http.StatusOK, code == http.StatusNotModified && etag != "":
			c.login.Accept()
			return answer, nil
		case code == http.StatusUnauthorized:
			c.hangUp()
			if logins++; !c.login.Take(answer.header.Values("WWW-Authenticate")) || logins > maxLogins {
				return nil, c.refused()
			}
		case code >= 300 && code < 400 && answer.header.Get("Location") != "":
			c.hangUp()
			hops++
			if err := c.redirect(answer.header.Get("Location")); err != nil {
				return nil, err
			}
		default:
			c.hangUp()
			return nil, statusError(code)
		}
	}
	return nil, feed.Failf(feed.Unsupported, "url",
		"url: the camera sends us from one address to the next, more than %d times: "+
			"ask its web page for the right one", maxHops)
}

func (c *client) redirect(location string) error {
	to, err := c.at.Redirect(location)
	if err != nil {
		return err
	}
	if to.User != c.at.User || to.Password != c.at.Password {
		c.login = digest.New(to.User, to.Password)
	}
	if !c.at.SameHost(to) {
		clear(c.cookies)
	}
	c.at = to
	return nil
}

func (c *client) refused() error {
	switch {
	case c.at.User == "" && c.config.Address.User != "":
		return feed.Failf(feed.Refused, "url",
			"url: the camera sends us on to %s, which asks for a user: user and password are "+
				"only for %s: write the other address", c.at.Host, c.config.Address.Host)
	case c.at.User == "" && c.at.Password == "":
		return feed.Failf(feed.Refused, "user",
			"user: the camera asks for user and password: write them as keys beside url")
	case !c.login.Answerable():
		return feed.Failf(feed.Unsupported, "user", "user: the camera offers no way to log in that is known: "+
			"set it to digest or basic authentication")
	}
	return feed.Failf(feed.Refused, "password", "password: the camera refuses user and password: check both")
}

func statusError(code int) error {
	switch {
	case code == http.StatusForbidden:
		return feed.Failf(feed.Refused, "user",
			"user: the camera does not let this user see the picture (403): check the user's rights")
	case code == http.StatusNotFound, code == http.StatusGone:
		return feed.Failf(feed.NotFound, "url", "url: the camera has nothing at this path (%d): check the path", code)
	case code == http.StatusServiceUnavailable, code == http.StatusTooManyRequests:
		return feed.Failf(feed.Full, "url", "the camera has no room for another viewer (%d): close others, or wait",
			code)
	case code >= 500:
		return feed.Failf(feed.Away, "url", "the camera has a problem of its own (%d): wait, or restart it", code)
	}
	return feed.Failf(feed.Unsupported, "url", "url: the camera answers with status %d: check the path", code)
}

// ask sends one request and reads the head of the answer. A connection that was kept may have gone meanwhile: then
// another is made.
func (c *client) ask(ctx context.Context, etag string) (*reply, error) {
	kept := c.current() != nil
	answer, err := c.try(ctx, etag)
	if err != nil && kept && ctx.Err() == nil {
		answer, err = c.try(ctx, etag)
	}
	return answer, err
}

func (c *client) try(ctx context.Context, etag string) (*reply, error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	request, err := c.request(ctx, etag)
	if err != nil {
		return nil, err
	}
	answer, err := c.exchange(conn, request)
	if err == nil {
		return answer, nil
	}
	c.hangUp()
	switch {
	case ctx.Err() != nil:
		return nil, feed.Failf(feed.Away, "url", "the attempt to connect was ended")
	case dial.IsTimeout(err):
		return nil, feed.Failf(feed.Away, "url", "the camera does not answer in %s: check the port in url",
			c.config.Limits.Answer)
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return nil, feed.Failf(feed.Away, "url",
			"the camera hangs up without an answer: check the port in url, or wait")
	}
	return nil, feed.Failf(feed.Away, "url", "the camera does not answer by HTTP: check the port in url")
}

func (c *client) exchange(conn net.Conn, request *http.Request) (*reply, error) {
	c.from.body, c.from.head = false, 0
	if err := conn.SetDeadline(time.Now().Add(c.config.Limits.Answer)); err != nil {
		return nil, err
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	for range maxInform {
		answer, err := readAnswer(c.in)
		if err != nil {
			return nil, err
		}
		if answer.status >= http.StatusOK {
			c.from.body = true
			c.cookies.take(answer.header)
			return answer, nil
		}
	}
	return nil, errors.New("no answer but status 1xx")
}

func (c *client) request(ctx context.Context, etag string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.at.URL(), nil)
	if err != nil {
		return nil, feed.Failf(feed.Misspelled, "url", "url: it cannot be asked for: check the path")
	}
	request.Header.Set("User-Agent", "Waldo")
	request.Header.Set("Accept", "multipart/x-mixed-replace, image/jpeg, */*;q=0.1")
	c.cookies.give(request.Header)
	if etag != "" {
		request.Header.Set("If-None-Match", etag)
	}
	if login := c.login.Authorize(http.MethodGet, request.URL.RequestURI()); login != "" {
		request.Header.Set("Authorization", login)
	}
	return request, nil
}

// connect returns the connection, a new one if there is none.
func (c *client) connect(ctx context.Context) (net.Conn, error) {
	if conn := c.current(); conn != nil {
		return conn, nil
	}
	conn, err := dial.Open(ctx, dial.Config{
		Address: c.at, Fingerprint: c.config.Fingerprint, LegacyTLS: c.config.LegacyTLS, Limit: c.config.Limits.Connect,
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close() // nothing was sent
		return nil, feed.Failf(feed.Away, "url", "the connection was closed")
	}
	c.conn = conn
	c.from = &input{conn: conn, silence: c.config.Limits.Silence}
	c.in = bufio.NewReaderSize(c.from, 64<<10)
	return conn, nil
}

func (c *client) current() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn
}

// hangUp ends the connection; the next request makes another.
func (c *client) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.Close() // it only receives
		c.conn = nil
	}
}

// close ends the connection for good. It may be called from any goroutine.
func (c *client) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.hangUp()
}

// input is what a camera sends. It bounds the head of an answer, which has a deadline of its own; a body ends after a
// silence.
type input struct {
	conn    net.Conn
	silence time.Duration
	body    bool
	head    int // bytes of it so far
}

func (i *input) Read(b []byte) (int, error) {
	if !i.body {
		if i.head > maxHead {
			return 0, errors.New("the head is too long")
		}
		n, err := i.conn.Read(b)
		i.head += n
		return n, err
	}
	if err := i.conn.SetReadDeadline(time.Now().Add(i.silence)); err != nil {
		return 0, err
	}
	return i.conn.Read(b)
}
