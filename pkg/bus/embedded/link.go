package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus/greeting"
)

const (
	// lookEvery is how often the link is looked at: the server does not tell when it comes and goes.
	lookEvery = 200 * time.Millisecond
	// complainAfter is how long a hub may be away before that is worth a line.
	complainAfter = 3 * time.Second
	// askEvery is how often a hub that is not connected is asked what it is.
	askEvery = 10 * time.Second
	// repeatAfter is after what time a problem that is still one is worth another line. Until then those that take turns
	// are one line each, and maxTold in all.
	repeatAfter = 10 * time.Minute
	maxTold     = 8
)

// link follows the connection to a hub, and says what has become of it.
type link struct {
	leaf   *Leaf
	server *server.Server
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	linked  bool
	problem string // why it is not, as far as is known
}

// follow begins to look.
func follow(l *Leaf, s *server.Server) *link {
	ctx, cancel := context.WithCancel(context.Background())
	k := &link{leaf: l, server: s, cancel: cancel}
	s.SetLogger(said{k}, false, false)
	k.done.Go(func() { k.watch(ctx) })
	return k
}

// close ends the watch.
func (k *link) close() {
	k.cancel()
	k.done.Wait()
}

func (k *link) log() *slog.Logger {
	if k.leaf.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return k.leaf.Log.With("hub", access.RedactURL(k.leaf.URL))
}

func (k *link) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	lost, asked := time.Now(), time.Time{}
	told := complaints{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		linked := k.server.NumLeafNodes() > 0
		was, problem := k.look(linked)
		if !linked && time.Since(lost) >= complainAfter && time.Since(asked) >= askEvery {
			asked = time.Now()
			k.ask(ctx)
			_, problem = k.look(linked)
		}
		switch {
		case linked && !was:
			k.log().Info("the hub is connected")
			if problem := k.ask(ctx); problem != "" {
				k.log().Error("the hub is connected, but does not fit", "problem", problem)
			}
			clear(told)
		case !linked && was:
			k.log().Warn("the hub is lost; trying again")
			lost = time.Now()
		case !linked && time.Since(lost) >= complainAfter && told.due(problem, time.Now()):
			k.log().Error("no connection to the hub; trying again", "problem", problem)
		}
	}
}

// complaints are what was logged, and when.
type complaints map[string]time.Time

// due reports whether a problem is worth a line now, and notes that it got one.
func (c complaints) due(problem string, now time.Time) bool {
	for text, at := range c {
		if now.Sub(at) >= repeatAfter {
			delete(c, text)
		}
	}
	if _, told := c[problem]; told || len(c) >= maxTold {
		return false
	}
	c[problem] = now
	return true
}

// look notes whether there is a connection; it returns whether there was one, and what is known about why there is not.
func (k *link) look(linked bool) (was bool, problem string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	was, k.linked = k.linked, linked
	if linked {
		k.problem = ""
	}
	return was, k.problem
}

// state returns whether there is a connection, and otherwise why not.
func (k *link) state() (linked bool, problem string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.linked, k.problem
}

// ask finds out what is wrong with the hub itself, if anything.
func (k *link) ask(ctx context.Context) (problem string) {
	g, err := greeting.Read(ctx, k.leaf.URL)
	if err != nil {
		k.silent(err)
		return ""
	}
	if err := errors.Join(g.CheckTLS(k.leaf.URL), g.CheckLeaf()); err != nil {
		k.fail(err.Error())
		return err.Error()
	}
	return ""
}

// silent notes that a hub does not answer, unless more is known: what the server has said about it is better.
func (k *link) silent(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.linked || k.problem != "":
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		k.problem = "the hub does not answer: its process may be stopped or overloaded, or something between drops what is sent"
	default:
		k.problem = fmt.Sprintf("the hub cannot be reached: %v", err)
	}
}

// fail notes why there is no connection.
func (k *link) fail(problem string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.problem = problem
}

// counted is what differs from one attempt to the next in what the server says of the same problem: the number of the
// attempt, that of the connection, and its port on this side.
var counted = regexp.MustCompile(` \(attempt \d+\)| - lid:\d+|\S+:\d+->`)

// heard makes of what the server says about the connection what somebody can act on.
func (k *link) heard(text string) {
	if problem := k.leaf.explain(counted.ReplaceAllString(text, "")); problem != "" {
		k.fail(problem)
	}
}

// explanations are what the server says, and what it means; %s is what it said.
var explanations = []struct{ said, means string }{
	{"x509:", "the certificate of the hub is not accepted: %s: give its authority with fleet.ca, or the name in the " +
		"certificate in fleet.hub"},
	{"TLS handshake error", "the hub does not speak TLS there, or not ours: %s"},
	{"Error trying to connect as leafnode", "the hub cannot be reached: %s"},
	{"maximum account active connections exceeded",
		"another robot is connected to the hub with this one's name and key: " +
			"stop one of them, or give it a key and name of its own. After a restart of the robot that passes within 6 s"},
	{"minimum version", "the hub does not take a server of this version: %s"},
	{"Loop detected", "the way to the hub leads back to this robot: %s"},
}

// explain returns "" for what is no problem.
func (l *Leaf) explain(text string) string {
	if strings.Contains(text, "Authorization Violation") || strings.Contains(text, "Authentication Timeout") {
		return fmt.Sprintf("the hub does not accept the robot's key: its hub.yaml needs `robots: {%s: {key: %s}}`", l.Robot,
			l.Seed.Public())
	}
	for _, e := range explanations {
		if strings.Contains(text, e.said) && strings.Contains(e.means, "%s") {
			return fmt.Sprintf(e.means, text)
		} else if strings.Contains(text, e.said) {
			return e.means
		}
	}
	return ""
}

// said hears what the server says. It implements [server.Logger].
type said struct{ link *link }

func (s said) Errorf(format string, args ...any) { s.link.heard(fmt.Sprintf(format, args...)) }
func (s said) Warnf(format string, args ...any)  { s.link.heard(fmt.Sprintf(format, args...)) }
func (s said) Fatalf(format string, args ...any) { s.link.heard(fmt.Sprintf(format, args...)) }
func (said) Noticef(string, ...any)              {}
func (said) Debugf(string, ...any)               {}
func (said) Tracef(string, ...any)               {}

// Linked reports whether the hub is connected.
func (s *Server) Linked() bool {
	linked, _ := s.Link()
	return linked
}

// Link reports whether the hub is connected, and otherwise why not, as far as is known. Without a hub it is not, for no
// reason.
func (s *Server) Link() (linked bool, problem string) {
	if s.link == nil {
		return false, ""
	}
	return s.link.state()
}
