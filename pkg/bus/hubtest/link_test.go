package hubtest_test

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/hubtest"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
)

// run starts the bus of a robot without waiting for its link.
func run(t *testing.T, leaf *embedded.Leaf) *hubtest.Robot {
	t.Helper()
	s, err := embedded.Start(embedded.Config{Leaf: leaf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &hubtest.Robot{Server: s}
}

// awaitProblem returns when the robot says why it has no link.
func awaitProblem(t *testing.T, r *hubtest.Robot, want string) {
	t.Helper()
	var problem string
	defer func() { t.Logf("the last problem was %q", problem) }()
	hubtest.Await(t, "the problem is "+want, func() bool {
		_, problem = r.Link()
		return strings.Contains(problem, want)
	})
}

func TestMistakes(t *testing.T) {
	h := hubtest.Start(t, "rover")
	stranger, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*embedded.Leaf)
		want   string
	}{
		{"a key that the hub does not know", func(l *embedded.Leaf) { l.Seed = stranger },
			"robots: {rover: {key: " + stranger.Public()},
		{"the port of clients", func(l *embedded.Leaf) { l.URL = h.Server.URL() }, "is for clients"},
		{"nobody there", func(l *embedded.Leaf) { l.URL = "nats://127.0.0.1:1" }, "cannot be reached"},
		{"TLS, and the hub has none", func(l *embedded.Leaf) {
			l.URL = strings.Replace(l.URL, "nats", "tls", 1)
		}, "TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			leaf := h.Leaf(t, "rover")
			tt.change(leaf)
			r := run(t, leaf)
			serve(t, r.Conn(t), 10) // the robot works all the same
			awaitProblem(t, r, tt.want)
		})
	}
}

func TestLeafRefuses(t *testing.T) {
	h := hubtest.Start(t, "rover")
	for _, tt := range []struct {
		change func(*embedded.Leaf)
		want   string
	}{
		{func(l *embedded.Leaf) { l.URL = "hub.example.org" }, "is not the URL of a hub"},
		{func(l *embedded.Leaf) { l.Seed = nil }, "key: is missing"},
	} {
		leaf := h.Leaf(t, "rover")
		tt.change(leaf)
		s, err := embedded.Start(embedded.Config{Leaf: leaf})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}

// TestTwoRobotsOfOneName: the second is refused, the first is unaffected, and when it goes the second is let in.
func TestTwoRobotsOfOneName(t *testing.T) {
	h := hubtest.Start(t, "rover")
	first := h.Robot(t, "rover")
	serve(t, first.Conn(t), 10)
	second := run(t, h.Leaf(t, "rover"))
	awaitProblem(t, second, "another robot is connected")
	if _, err := get(t, h.Cloud(t), front); err != nil || !first.Linked() {
		t.Errorf("the first: %v", err)
	}
	first.Close()
	second.AwaitLink(t)
}

// TestHubRestarts: the robot is linked again, and calls pass.
func TestHubRestarts(t *testing.T) {
	h := hubtest.Start(t, "rover")
	r := h.Robot(t, "rover")
	c := r.Conn(t)
	serve(t, c, 10)
	cloud := h.Cloud(t)
	h.Server.Close()
	hubtest.Await(t, "the link is lost", func() bool { return !r.Linked() })
	if _, err := get(t, c, front); err != nil {
		t.Errorf("without a hub the robot does not work: %v", err)
	}
	h.Run(t)
	hubtest.Await(t, "a call passes", func() bool { return called(t, cloud) })
}

func called(t *testing.T, c *bus.ConnCloser) bool {
	t.Helper()
	_, err := get(t, c, front)
	return err == nil
}

// TestGarbage: what is no robot disturbs nobody.
func TestGarbage(t *testing.T) {
	h := hubtest.Start(t, "rover")
	r := h.Robot(t, "rover")
	serve(t, r.Conn(t), 10)
	cloud := h.Cloud(t)
	hubtest.Await(t, "a call passes", func() bool { return called(t, cloud) })
	for _, text := range []string{
		"\r\n", "GET / HTTP/1.1\r\n\r\n", "CONNECT {}\r\nPING\r\n", "CONNECT {\"nkey\":\"U\",\"sig\":\"a\"}\r\n",
		"LS+ >\r\n", "LMSG waldo.v1.rover.front.state 4\r\noops\r\n", strings.Repeat("\x00\xff", 1<<20),
	} {
		for _, url := range []string{h.Server.LeafURL(), h.Server.URL()} {
			c, err := net.Dial("tcp", strings.TrimPrefix(url, "nats://"))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = c.Write([]byte(text)) // the server may have had enough before the end
			_ = c.Close()
		}
	}
	if !called(t, cloud) || !r.Linked() {
		t.Error("a robot is disturbed")
	}
}

// TestRobotRestarts: the hub lets the new life in although it may not know yet that the old one is gone.
func TestRobotRestarts(t *testing.T) {
	h := hubtest.Start(t, "rover")
	cloud := h.Cloud(t)
	for range 3 {
		r := h.Robot(t, "rover")
		c := r.Conn(t)
		serve(t, c, 10)
		hubtest.Await(t, "a call passes", func() bool { return called(t, cloud) })
		c.Close()
		r.Close()
	}
}

// TestHalfDead: a link that is open and passes nothing is given up by both ends, and comes back with the path.
func TestHalfDead(t *testing.T) {
	h := hubtest.Start(t, "rover")
	p := newPath(t, strings.TrimPrefix(h.Server.LeafURL(), "nats://"))
	leaf := h.Leaf(t, "rover")
	leaf.URL = "nats://" + p.listener.Addr().String()
	r := run(t, leaf)
	r.AwaitLink(t)
	c := r.Conn(t)
	serve(t, c, 10)
	cloud := h.Cloud(t)
	hubtest.Await(t, "a call passes", func() bool { return called(t, cloud) })
	begun := time.Now()
	p.dead.Store(true)
	hubtest.Await(t, "the robot gives the link up", func() bool { return !r.Linked() })
	t.Logf("the robot noticed after %v", time.Since(begun))
	if _, err := get(t, c, front); err != nil {
		t.Errorf("without a hub the robot does not work: %v", err)
	}
	hubtest.Await(t, "the hub gives the link up", func() bool { return h.Server.Leafs("rover") == 0 })
	t.Logf("the hub noticed after %v", time.Since(begun))
	p.dead.Store(false)
	hubtest.Await(t, "a call passes", func() bool { return called(t, cloud) })
}

// path is a way to a server that can be dead: connections stay open, and nothing passes.
type path struct {
	listener net.Listener
	dead     atomic.Bool
	work     sync.WaitGroup
}

func newPath(t *testing.T, to string) *path {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &path{listener: l}
	p.work.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			p.work.Go(func() { p.join(t, in, to) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.work.Wait()
	})
	return p
}

func (p *path) join(t *testing.T, in net.Conn, to string) {
	stop := func() { _ = in.Close() }
	defer stop()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	var both sync.WaitGroup
	end := func() { _, _ = in.Close(), out.Close() }
	go func() { <-t.Context().Done(); end() }()
	both.Go(func() { defer end(); p.pass(out, in) })
	both.Go(func() { defer end(); p.pass(in, out) })
	both.Wait()
}

// pass copies what comes while the path lives, and drops the rest.
func (p *path) pass(to, from net.Conn) {
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			if !p.dead.Load() {
				return
			}
			for p.dead.Load() { // the other end must not learn of it
				time.Sleep(10 * time.Millisecond)
			}
			return
		}
		if !p.dead.Load() {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
	}
}
