package tunnel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/waldo-robot/waldo/pkg/identity"
)

// connectPatience bounds how long TCP may take to connect. A server whose machine restarts answers nothing, and should
// be tried again soon.
const connectPatience = 2 * time.Second

// Config describes the robot's end of a tunnel.
type Config struct {
	// URL is the server's address, https://host or http://host.
	URL string
	// Token is what the server wants to see; empty: nothing.
	Token string
	// Robot is the robot's name, Key its key.
	Robot string
	Key   *identity.Key
	// Roots are the authorities that the server's certificate may be from; nil: those of the system.
	Roots *x509.CertPool
	// MaxStreams bounds the streams that the server may keep open; 0: 256.
	MaxStreams int
	// Log is for what yamux notices, and for [Keep]; nil: none.
	Log *slog.Logger
}

// RefusedError is a refusal by the server. It holds until somebody changes something, so there is no hurry to try
// again.
type RefusedError struct {
	// Text says why, and what to do.
	Text string
	// Wait is how long to wait before the next try.
	Wait time.Duration
}

// Error implements error.
func (e *RefusedError) Error() string { return "the server refuses this robot: " + e.Text }

// Dial connects a robot to its server, and registers it.
func Dial(ctx context.Context, c Config) (*Session, error) {
	address, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var near net.Addr
	client := c.client(func(conn net.Conn) { near = conn.LocalAddr() })
	defer client.CloseIdleConnections()
	header := http.Header{}
	if c.Token != "" {
		header.Set("Authorization", "Bearer "+c.Token)
	}
	socket, answer, err := websocket.Dial(ctx, address.JoinPath("robot").String(), &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: header, Subprotocols: []string{subprotocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	if answer != nil && answer.Body != nil {
		defer func() { _ = answer.Body.Close() }() // the beginning of it, in memory
	}
	if err != nil {
		return nil, explain(answer, err)
	}
	if err := c.register(ctx, socket, Host(address)); err != nil {
		_ = socket.CloseNow() // the error counts
		return nil, err
	}
	s, err := c.session(socket)
	if err == nil {
		s.beating.Go(func() { s.watch(near) })
	}
	return s, err
}

// client returns a client for one connection, which it shows.
func (c *Config) client(show func(net.Conn)) *http.Client {
	dialer := net.Dialer{Timeout: connectPatience}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err == nil {
			show(conn)
		}
		return conn, err
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dial,
			TLSClientConfig: &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
		},
		// The token is for the server that is configured, and for no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// register answers the server's challenge.
func (c *Config) register(ctx context.Context, socket *websocket.Conn, host string) error {
	if socket.Subprotocol() != subprotocol {
		return errors.New("the server is not a rendezvous server of Waldo's, or one of another version: it does not speak " +
			subprotocol)
	}
	data, err := receive(ctx, socket)
	if err != nil {
		return err
	}
	asked, err := parseChallenge(data)
	if err != nil {
		if refused := new(RefusedError); errors.As(parseVerdict(data), &refused) {
			return refused
		}
		return err
	}
	registration, err := sign(c.Key, host, c.Robot, asked)
	if err != nil {
		return err
	}
	if err := send(ctx, socket, registration); err != nil {
		return err
	}
	if data, err = receive(ctx, socket); err != nil {
		return err
	}
	return parseVerdict(data)
}

func (c *Config) session(socket *websocket.Conn) (*Session, error) {
	most, log := c.MaxStreams, c.Log
	if most == 0 {
		most = 256
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	open := make(chan struct{})
	close(open)
	s, err := newSession(socket, "rendezvous", false, most, open, log)
	if err != nil {
		_ = socket.CloseNow() // the error counts
	}
	return s, err
}

// explain says what to do about an error of a dial.
func explain(answer *http.Response, err error) error {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%w: renew the server's certificate, or set this machine's clock, which says %s", err,
			time.Now().UTC().Format(time.RFC3339))
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: for a certificate of your own, name the file of its authority in gateway.rendezvous.ca", err)
	case answer == nil:
		return err
	}
	// websocket.Dial keeps the beginning of the body.
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	if answer.StatusCode >= http.StatusInternalServerError && answer.Header.Get("Retry-After") == "" {
		// that is what a proxy says while the server restarts
		return fmt.Errorf("%s: %s", answer.Status, bounded(string(text)))
	}
	return &RefusedError{Text: strings.TrimSpace(answer.Status + ": " + bounded(string(text))), Wait: wait(answer)}
}

// wait is how long the server asks to wait.
func wait(answer *http.Response) time.Duration {
	seconds, err := strconv.ParseUint(answer.Header.Get("Retry-After"), 10, 16)
	if err != nil {
		return maxPause
	}
	return min(maxPause, time.Duration(seconds)*time.Second)
}
