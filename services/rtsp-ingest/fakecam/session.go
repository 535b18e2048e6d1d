package fakecam

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// session is the place of a viewer. Camera.mu guards owner, until, and changes of tracks; the rest
// belongs to the goroutine of the owner.
type session struct {
	camera *Camera
	id     string
	sent   string // the newest id that the client was told
	fields int    // Session fields sent
	opened time.Time
	owner  *conn     // nil once it was lost
	until  time.Time // how long the place is held then

	tracks  map[int]*transport
	cancel  context.CancelFunc // of what PLAY started
	running sync.WaitGroup
	plays   atomic.Bool
}

func (s *session) playing() bool { return s.plays.Load() }

func (s *session) lower() string {
	for _, t := range s.tracks {
		if t.udp != nil {
			return "UDP"
		}
	}
	return "TCP"
}

// stop ends what PLAY started. The connection must be closed, or be read by its client.
func (s *session) stop() {
	if s.cancel != nil {
		s.cancel()
		s.cancel = nil
	}
	s.running.Wait()
	s.plays.Store(false)
}

// field returns the value of the next Session field.
func (s *session) field() string {
	conf := s.camera.config.Session
	if conf.Field == nil {
		return fmt.Sprintf("%s;timeout=%d", s.id, int(conf.Timeout/time.Second))
	}
	value := conf.Field(s.id, s.fields)
	s.fields++
	id, _, _ := strings.Cut(value, ";")
	s.sent = strings.TrimSpace(id)
	return value
}

// full says whether this method is refused to a connection because all places are taken.
func (c *Camera) full(cn *conn, method string) bool {
	conf := c.config.Session
	later := method == "SETUP" && conf.FullAt == "DESCRIBE"
	if conf.Viewers == 0 || method != conf.FullAt && !later || cn.session != nil && method == "SETUP" {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	others := len(c.sessions)
	if cn.session != nil {
		others--
	}
	return others >= conf.Viewers
}

// enter gives a connection the session that its SETUP names, or a new one. It returns a status other than 200 if it
// cannot.
func (c *Camera) enter(cn *conn, req *Request) int {
	id := sessionID(req)
	switch {
	case cn.session != nil && (id == "" || id == cn.session.sent):
		return 200
	case id != "":
		return c.adopt(cn, id)
	case c.full(cn, "SETUP"):
		return c.config.Session.FullStatus
	}
	s := &session{camera: c, id: strings.ToLower(rand.Text()[:12]), opened: time.Now(), owner: cn,
		tracks: map[int]*transport{}}
	c.mu.Lock()
	c.sessions[s.id] = s
	c.mu.Unlock()
	cn.session, s.sent = s, s.id
	c.add(Opened)
	return 200
}

// adopt gives a connection a session that has lost its own.
func (c *Camera) adopt(cn *conn, id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	s := c.named(id)
	if s == nil || s.owner != nil || !c.config.Session.Adopt {
		return 454
	}
	s.owner, s.tracks = cn, map[int]*transport{}
	cn.session = s
	c.add(Adopted)
	return 200
}

// named returns the dead session that a client knows by this id. The caller holds mu.
func (c *Camera) named(id string) *session {
	for _, s := range c.sessions {
		if s.owner == nil && s.sent == id {
			return s
		}
	}
	return nil
}

// lose lets the session of a connection go that ended.
func (c *Camera) lose(cn *conn) {
	s := cn.session
	if s == nil {
		return
	}
	c.free(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	s.owner, s.until = nil, time.Now().Add(c.config.Session.Linger)
	if c.config.Session.Linger <= 0 {
		delete(c.sessions, s.id)
	}
	c.add(Lost)
}

// tearDown ends the session of a connection as asked.
func (c *Camera) tearDown(cn *conn) {
	c.free(cn.session)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, cn.session.id)
	cn.session = nil
	_ = cn.nc.SetReadDeadline(time.Time{})
	c.add(TornDown)
}

// free stops a session and closes its sockets.
func (c *Camera) free(s *session) {
	for _, t := range s.tracks {
		t.close()
	}
	s.stop()
}
