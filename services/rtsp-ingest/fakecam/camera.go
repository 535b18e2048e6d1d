package fakecam

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// TB is what a camera needs of a test.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Camera is a fake camera that answers RTSP.
type Camera struct {
	counters
	speech speech
	config Config
	sdp    string

	mu       sync.Mutex
	address  string // the first one listened at, for Restart
	cancel   context.CancelFunc
	running  sync.WaitGroup
	conns    map[*conn]bool
	sessions map[string]*session
	requests map[string]int // by method
	mute     mute
	keys     keyWish
}

// keyWish is a wish for a key picture that the camera obeys.
type keyWish struct {
	number int       // of wishes so far
	due    time.Time // when the camera obeys the last
}

// mute is what a camera does not do for now.
type mute int

const (
	nothing  mute = iota
	pictures      // it answers, but sends nothing
	all           // it does not answer either, as after a power cut
)

// Start starts a camera that ends with the test.
func Start(t TB, config Config) *Camera {
	t.Helper()
	return start(t, New, config)
}

// start starts a camera of any kind, which ends with the test.
func start[C any, K interface{ Close() }](t TB, create func(C) (K, error), config C) K {
	t.Helper()
	c, err := create(config)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// New starts a camera.
func New(config Config) (*Camera, error) {
	c := &Camera{
		config: config.filled(), conns: map[*conn]bool{}, sessions: map[string]*session{}, requests: map[string]int{},
	}
	c.address = c.config.Listen
	return c, c.Restart()
}

// Restart starts a camera again after Kill, at the same address, like one that has booted: it knows no session.
func (c *Camera) Restart() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		return errors.New("fakecam: the camera is running: kill it first")
	}
	ln, err := net.Listen("tcp", c.address)
	if err != nil {
		return fmt.Errorf("fakecam: %w", err)
	}
	c.address = ln.Addr().String()
	host, _, _ := net.SplitHostPort(c.address)
	c.sdp = describe(c.config.Tracks, host)
	if c.config.SDP != nil {
		c.sdp = c.config.SDP(c.sdp, c.urlAt(c.address, nil))
	}
	if c.config.TLS != nil {
		ln = tls.NewListener(ln, c.config.TLS)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.mute = cancel, nothing
	clear(c.sessions)
	c.running.Go(func() { c.accept(ctx, ln) })
	context.AfterFunc(ctx, func() { _ = ln.Close() })
	return nil
}

// accept takes connections until the listener is closed.
func (c *Camera) accept(ctx context.Context, ln net.Listener) {
	defer func() { _ = ln.Close() }()
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		cn := newConn(c, nc)
		if !c.admit(ctx, cn) {
			_ = nc.Close()
			return
		}
		c.running.Go(func() { cn.serve(ctx) })
	}
}

// admit adds a connection, unless the camera has been killed.
func (c *Camera) admit(ctx context.Context, cn *conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	c.conns[cn] = true
	c.add(Connected)
	return true
}

// URL is the address of the stream, without user and password.
func (c *Camera) URL() string { return c.urlAt(c.Address(), nil) }

// LoginURL is URL with user and password, escaped.
func (c *Camera) LoginURL() string {
	return c.urlAt(c.Address(), url.UserPassword(c.config.Login.User, c.config.Login.Password))
}

func (c *Camera) urlAt(address string, user *url.Userinfo) string {
	scheme := "rtsp://"
	if c.config.TLS != nil {
		scheme = "rtsps://"
	}
	if user != nil && c.config.Login.User != "" {
		scheme += user.String() + "@"
	}
	u := scheme + address + c.config.Path
	if c.config.Query != "" {
		u += "?" + c.config.Query
	}
	return u
}

// Address is the host and port at which the camera listens.
func (c *Camera) Address() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.address
}

// Pause stops pictures and sound; requests are still answered. Their time goes on.
func (c *Camera) Pause() { c.setMute(pictures) }

// Hang stops everything, answers too, and leaves all sockets open, like a camera without power.
func (c *Camera) Hang() { c.setMute(all) }

// Resume ends Pause and Hang.
func (c *Camera) Resume() { c.setMute(nothing) }

func (c *Camera) setMute(m mute) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mute = m
}

func (c *Camera) mutes(m mute) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mute >= m
}

// SendKey has the next picture be a key picture.
func (c *Camera) SendKey() { c.sendKey(0) }

func (c *Camera) sendKey(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys.number++
	c.keys.due = time.Now().Add(after)
}

// asked notes a request for a key picture.
func (c *Camera) asked(kind Kind, obeyed bool, after time.Duration) {
	c.add(kind)
	if obeyed {
		c.sendKey(after)
	}
	c.add(KeyAsked)
}

// wishes returns the number of the last wish for a key picture that is due.
func (c *Camera) wishes(now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(c.keys.due) {
		return c.keys.number - 1
	}
	return c.keys.number
}

// Drop closes all connections at once and goes on listening.
func (c *Camera) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for cn := range c.conns {
		cn.abort()
	}
}

// Kill closes all sockets at once and waits until the camera has ended. Connecting is refused until Restart.
func (c *Camera) Kill() {
	c.mu.Lock()
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
	for cn := range c.conns {
		cn.abort()
	}
	c.mu.Unlock()
	c.running.Wait()
}

// Close ends the camera.
func (c *Camera) Close() { c.Kill() }

// SessionInfo describes a session.
type SessionInfo struct {
	ID      string
	Alive   bool // it has a connection
	Playing bool
	Lower   string // TCP or UDP
}

// Sessions returns the sessions that hold a place, the oldest first.
func (c *Camera) Sessions() []SessionInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	held := make([]*session, 0, len(c.sessions))
	for _, s := range c.sessions {
		held = append(held, s)
	}
	slices.SortFunc(held, func(a, b *session) int { return a.opened.Compare(b.opened) })
	var out []SessionInfo
	for _, s := range held {
		out = append(out, SessionInfo{ID: s.id, Alive: s.owner != nil, Playing: s.playing(), Lower: s.lower()})
	}
	return out
}

// expire removes dead sessions whose time is over. The caller holds mu.
func (c *Camera) expire() {
	for id, s := range c.sessions {
		if s.owner == nil && time.Now().After(s.until) {
			delete(c.sessions, id)
		}
	}
}

// count counts a request and returns how many of this method there were.
func (c *Camera) count(method string) int {
	c.add(Kind(method))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[method]++
	return c.requests[method]
}

// serves says whether the path and query of a URL are those of the stream, or of one of its tracks.
func (c *Camera) serves(raw string) bool {
	_, rest, _ := strings.Cut(raw, "://")
	host := rest
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, rest = rest[:i], rest[i:]
	}
	if c.config.OwnHost && host != c.Address() {
		return false
	}
	want := c.config.Path
	if c.config.Query != "" {
		want += "?" + c.config.Query
	}
	return rest == "*" || strings.HasPrefix(unescape(rest), unescape(want))
}

func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}
