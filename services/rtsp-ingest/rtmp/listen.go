package rtmp

import (
	"context"
	"crypto/subtle"
	"errors"
	"net"
	"strings"
	"sync"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/handshake"
	"github.com/bluenviron/gortmplib/pkg/message"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

const (
	maxGuests   = 16        // connections whose key is not known yet
	maxCommands = 32        // of a greeting
	media1      = 0x1000000 // the id of the stream, 1, as the library counts bytes
)

// ListenConfig says where publishers may come.
type ListenConfig struct {
	Address string         // host:port
	Key     address.Secret // the stream key; required
	Limits  Limits         // Connect is not used
}

// Listener waits for publishers. Its methods may be called from any goroutine.
type Listener struct {
	config   ListenConfig
	listener net.Listener
	guests   chan struct{} // one for each
	running  sync.WaitGroup

	mu      sync.Mutex
	open    map[net.Conn]bool // guests
	current *Conn             // the publisher, waiting or running
	waiting bool              // nobody has taken it yet
	arrived chan struct{}     // has one if waiting may have changed
	closed  bool
}

// Listen begins to accept publishers.
func Listen(config ListenConfig) (*Listener, error) {
	config.Limits = config.Limits.filled()
	if config.Key == "" {
		return nil, feed.Failf(feed.Misspelled, "key",
			"key: the stream key is missing: choose one, and give it to the publisher")
	}
	listener, err := net.Listen("tcp", config.Address)
	if err != nil {
		return nil, feed.Failf(feed.Misspelled, "listen",
			"listen: %s cannot be listened at: choose a free port, and an address of this machine",
			config.Address)
	}
	l := &Listener{
		config: config, listener: listener, guests: make(chan struct{}, maxGuests), open: map[net.Conn]bool{},
		arrived: make(chan struct{}, 1),
	}
	l.running.Go(l.accept)
	return l, nil
}

// Addr is where publishers may come.
func (l *Listener) Addr() net.Addr { return l.listener.Addr() }

// Close ends everything, and waits until it has ended, but for a Run, which ends soon.
func (l *Listener) Close() error {
	l.mu.Lock()
	l.closed = true
	for guest := range l.open {
		_ = guest.Close() // it has said nothing yet
	}
	if l.current != nil {
		l.current.end(errors.New("closed"))
	}
	l.mu.Unlock()
	err := l.listener.Close()
	l.running.Wait()
	return err
}

// Open waits for a publisher that nobody has taken yet.
func (l *Listener) Open(ctx context.Context) (*Conn, error) {
	for {
		if c := l.take(); c != nil {
			if err := c.find(ctx); err != nil {
				c.end(err)
				return nil, err
			}
			return c, nil
		}
		select {
		case <-l.arrived:
		case <-ctx.Done():
			return nil, feed.Failf(feed.Away, "listen",
				"nobody publishes at %s: start the publisher, and check its stream key", l.Addr())
		}
	}
}

func (l *Listener) take() *Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.waiting {
		return nil
	}
	l.waiting = false
	return l.current
}

func (l *Listener) accept() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // somebody hung up before we answered
		}
		select {
		case l.guests <- struct{}{}:
			l.running.Go(func() {
				l.greet(conn)
				<-l.guests
			})
		default:
			_ = conn.Close() // too many strangers: there is nothing to say to one more
		}
	}
}

// greet talks with a guest until it publishes with the right key, and then hands it over.
func (l *Listener) greet(conn net.Conn) {
	if !l.enter(conn) {
		_ = conn.Close() // we end
		return
	}
	w := &wire{Conn: conn, silence: l.config.Limits.Silence}
	w.greet(l.config.Limits.Answer)
	counted := bytecounter.NewReadWriter(w)
	g := &guest{session: newSession(w, counted), key: string(l.config.Key)}
	err := g.publish(counted)
	w.welcome()
	l.leave(conn)
	if err != nil {
		_ = conn.Close() // they have been told
		return
	}
	l.hand(newConn(g.session, l.config.Limits, map[string]string{"transport": "rtmp, pushed", "publisher": g.program}))
}

func (l *Listener) enter(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[conn] = true
	return !l.closed
}

func (l *Listener) leave(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, conn)
}

// hand puts a publisher in the place of the one before.
func (l *Listener) hand(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil {
		l.current.end(feed.Failf(feed.Away, "listen", "another publisher with the same key took its place"))
	}
	if l.closed {
		c.end(errors.New("closed"))
		return
	}
	l.current, l.waiting = c, true
	select {
	case l.arrived <- struct{}{}:
	default:
	}
}

// guest is a connection that has not said its key yet.
type guest struct {
	session *session
	key     string
	app     string
	program string // what it says it is
}

var errRefused = errors.New("refused")

// publish answers commands until the guest publishes.
func (g *guest) publish(counted *bytecounter.ReadWriter) error {
	if key, _, err := handshake.DoServer(counted, false); err != nil || key != nil {
		return errors.Join(errRefused, err) // RTMPE is not spoken here
	}
	for range maxCommands {
		c, err := g.session.command()
		if err != nil {
			return err
		}
		switch c.Name {
		case "connect":
			err = g.connect(c)
		case "createStream":
			err = g.session.send(result(c, nil, float64(1)))
		case "publish":
			return g.check(c)
		case "play", "play2":
			return errors.Join(errRefused, g.say(c, "error", "NetStream.Play.StreamNotFound",
				"nothing is played here: publish"))
		}
		if err != nil {
			return err
		}
	}
	return errRefused
}

func (g *guest) connect(c *message.CommandAMF0) error {
	g.app = text(c, 0, "app")
	g.program = feed.Printable(text(c, 0, "flashVer"))
	return g.session.send(
		&message.SetWindowAckSize{Value: window},
		&message.SetPeerBandwidth{Value: window, Type: 2},
		&message.SetChunkSize{Value: chunkSize},
		result(c, amf0.Object{{Key: "fmsVer", Value: "FMS/3,0,1,123"}, {Key: "capabilities", Value: float64(31)}},
			amf0.Object{
				{Key: "level", Value: "status"},
				{Key: "code", Value: "NetConnection.Connect.Success"},
				{Key: "description", Value: "Connection succeeded."},
				{Key: "objectEncoding", Value: float64(0)},
				{Key: "fourCcList", Value: amf0.StrictArray{"avc1", "hvc1", "Opus", "mp4a"}},
			}))
}

// check compares the key, which is the last part of the path.
func (g *guest) check(c *message.CommandAMF0) error {
	name, _, _ := strings.Cut(word(c, 1), "?")
	if name == "" {
		name, _, _ = strings.Cut(g.app, "?")
	}
	name = name[strings.LastIndexByte(name, '/')+1:]
	if subtle.ConstantTimeCompare([]byte(name), []byte(g.key)) != 1 {
		return errors.Join(errRefused, g.say(c, "error", "NetStream.Publish.BadName", "wrong stream key"))
	}
	return g.say(c, "status", "NetStream.Publish.Start", "publish start")
}

func (g *guest) say(c *message.CommandAMF0, level, code, description string) error {
	return g.session.send(&message.CommandAMF0{
		ChunkStreamID: 5, MessageStreamID: media1, Name: "onStatus", CommandID: c.CommandID, Arguments: []any{nil,
			amf0.Object{
				{Key: "level", Value: level}, {Key: "code", Value: code}, {Key: "description", Value: description},
			}},
	})
}

func result(c *message.CommandAMF0, arguments ...any) *message.CommandAMF0 {
	return &message.CommandAMF0{ChunkStreamID: c.ChunkStreamID, Name: "_result", CommandID: c.CommandID,
		Arguments: arguments}
}
