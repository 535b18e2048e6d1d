package server

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

// online is a robot that is connected.
type online struct {
	name, fingerprint string
	client            string
	session           *tunnel.Session
	requests          chan struct{} // holds a token for each that is under way
	proxy             http.Handler
	transport         *http.Transport
}

// register answers GET /robot. It returns when the robot has gone.
func (s *Server) register(w http.ResponseWriter, r *http.Request) {
	client := clientOf(r)
	if !s.own(func() {}) {
		s.refuse(w, refusal{http.StatusServiceUnavailable, time.Second, "stopping", errStopping.Error()})
		return
	}
	defer s.owned.Done()
	if !s.pace.allow(client, time.Now()) {
		s.warn("an address registers robots too often", "client", client)
		s.refuse(w, refusal{http.StatusTooManyRequests, 2 * time.Second, "pace",
			"too many registrations from this address: wait a few seconds"})
		return
	}
	if !s.checkToken(w, r) {
		return
	}
	select {
	case s.registering <- struct{}{}:
	default:
		s.refuse(w, refusal{http.StatusServiceUnavailable, time.Second, "busy",
			"too many robots register at the same time: try again"})
		return
	}
	joined := s.accept(w, r, client)
	<-s.registering
	if joined == nil {
		return
	}
	defer s.leave(joined)
	_ = s.internal.Serve(joined.session) // ends with the session
}

// checkToken admits robots with the token.
func (s *Server) checkToken(w http.ResponseWriter, r *http.Request) bool {
	presented := access.Bearer(r.Header.Get("Authorization"))
	if s.config.Token == "" || access.Allowed(s.config.Token, presented) {
		return true
	}
	if presented != "" {
		guess := s.guesses.Wrong(r.Context(), clientOf(r)+":0")
		if guess.Report {
			s.log.Warn("a robot presented a wrong token", "client", guess.Client, "guesses", guess.Count)
		}
	}
	s.refuse(w, refusal{http.StatusUnauthorized, 0, "token", "the server wants a token: set gateway.rendezvous.token of " +
		"the robot to the server's WALDO_RENDEZVOUS_TOKEN"})
	return false
}

// accept makes the request a session of a robot; nil if the robot is refused.
func (s *Server) accept(w http.ResponseWriter, r *http.Request, client string) *online {
	var joined *online
	tunnels := s.tunnels
	tunnels.Admit = func(registration *tunnel.Registration, session *tunnel.Session) error {
		joined = s.newRobot(registration.Robot, registration.Fingerprint(), client, session)
		return s.join(joined)
	}
	_, err := tunnels.Accept(w, r)
	if err == nil {
		s.metrics.registered("accepted")
		s.log.Info("a robot has connected", "robot", joined.name, "key", joined.fingerprint, "client", client)
		return joined
	}
	s.metrics.registered("refused")
	s.warn("a robot was refused", "client", client, "reason", access.RedactText(err.Error()))
	if joined != nil {
		s.remove(joined) // it has gone before it knew
	}
	return nil
}

// warn logs what anybody can cause, a few times a second at most.
func (s *Server) warn(text string, args ...any) {
	if s.refusals.Allow() {
		s.log.Warn(text, args...)
	}
}

// join makes a robot the one of its name, or returns why it may not be that.
func (s *Server) join(r *online) error {
	if s.config.Keys != nil {
		if err := s.config.Keys.check(r.name, r.fingerprint); err != nil {
			return err
		}
	}
	if err := s.room(r); err != nil {
		return err
	}
	err, stored := s.names.claim(r.name, r.fingerprint)
	if err != nil {
		return err
	}
	if stored != nil {
		s.log.Warn("a robot's name cannot be stored, and is forgotten when the server ends", "robot", r.name, "error", stored)
	}
	return s.put(r)
}

// room reports why there is no room for a robot. One that replaces itself needs none.
func (s *Server) room(r *online) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch _, back := s.robots[r.name]; {
	case s.closed:
		return errStopping
	case back:
		return nil
	case len(s.robots) >= s.config.Limits.Robots:
		return fmt.Errorf("the server has its %d robots (--max-robots)", s.config.Limits.Robots)
	case s.each[r.client] >= s.config.Limits.RobotsPerClient:
		return fmt.Errorf("the server has its %d robots from this address (--max-robots-per-address)",
			s.config.Limits.RobotsPerClient)
	}
	return nil
}

// put replaces an earlier connection of the robot, and tells it so.
func (s *Server) put(r *online) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errStopping
	}
	old := s.robots[r.name]
	s.robots[r.name] = r
	s.each[r.client]++
	s.metrics.robots.Set(float64(len(s.robots)))
	if old != nil {
		s.gone(old)
		s.owned.Go(old.session.Replace)
	}
	s.mu.Unlock()
	return nil
}

// gone counts a robot out that is no longer among the robots. It is called with mu held.
func (s *Server) gone(r *online) {
	if s.each[r.client]--; s.each[r.client] <= 0 {
		delete(s.each, r.client)
	}
}

// remove takes a robot out, unless another connection has its place already.
func (s *Server) remove(r *online) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.robots[r.name] == r {
		delete(s.robots, r.name)
		s.gone(r)
		s.metrics.robots.Set(float64(len(s.robots)))
	}
}

// leave ends what a robot that has gone leaves behind.
func (s *Server) leave(r *online) {
	s.remove(r)
	_ = r.session.Close() // it never fails
	r.transport.CloseIdleConnections()
	s.log.Info("a robot has disconnected", "robot", r.name, "client", r.client, "reason", reason(r.session))
}

func reason(s *tunnel.Session) string {
	switch err := s.Err(); {
	case errors.Is(err, tunnel.ErrReplaced):
		return "it has connected again"
	case err != nil:
		return access.RedactText(err.Error())
	}
	return "unknown"
}

// find returns the robot of a name, nil if it is away.
func (s *Server) find(name string) *online {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.robots[name]
}

// clientOf names the client that a request is from, see [access.Client]. A proxy on this machine says in the last
// address of X-Forwarded-For who that is.
func clientOf(r *http.Request) string { return access.Client(addressOf(r)) }

func addressOf(r *http.Request) string {
	stated := r.Header.Values("X-Forwarded-For")
	if len(stated) == 0 || !fromLoopback(r.RemoteAddr) {
		return r.RemoteAddr
	}
	all := strings.Split(stated[len(stated)-1], ",")
	return joinPort(strings.TrimSpace(all[len(all)-1]))
}

// refusal is an answer to who gets nothing else.
type refusal struct {
	status int
	wait   time.Duration // 0: does not help
	label  string        // for metrics
	text   string
}

func (s *Server) refuse(w http.ResponseWriter, f refusal) {
	s.metrics.refused(f.label)
	if f.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.wait.Seconds())))
	}
	http.Error(w, f.text, f.status)
}
