package rtmp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/handshake"
	"github.com/bluenviron/gortmplib/pkg/message"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

const (
	maxCommands = 32        // of a greeting
	media1      = 0x1000000 // the id of the stream, 1, as the library counts bytes
)

// enter makes a connection a guest, if there is room for one more. One host cannot take all of it.
func (l *Listener) enter(conn net.Conn) bool {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || l.closed || len(l.guests) >= maxGuests {
		return false
	}
	n := 0
	for _, other := range l.guests {
		if other == host {
			n++
		}
	}
	if n >= maxOfOne {
		return false
	}
	l.guests[conn] = host
	return true
}

func (l *Listener) leave(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.guests, conn)
}

// greet talks with a guest until it publishes with the right key, and then hands it over.
func (l *Listener) greet(ctx context.Context, conn net.Conn) {
	w := &wire{Conn: conn, silence: l.config.Limits.Silence}
	if l.config.TLS != nil {
		w.Conn = tls.Server(conn, l.config.TLS)
	}
	w.greet(l.config.Limits.Answer)
	counted := bytecounter.NewReadWriter(w)
	g := &guest{session: newSession(w, counted), key: string(l.config.Key)}
	err := g.publish(counted)
	if err != nil {
		l.turnAway(ctx, g, err)
		_ = conn.Close() // they have been told
		return
	}
	w.welcome()
	l.leave(conn) // it is no guest any more: it belongs to a Conn
	about := map[string]string{"transport": l.config.scheme() + ", pushed"}
	if g.program != "" {
		about["publisher"] = g.program
	}
	c := newConn(g.session, l.config.Limits, about)
	c.pushed = true
	l.hand(c)
}

// turnAway tells a guest and people why it may not publish. One with a wrong key waits first, so that keys cannot be
// guessed quickly.
func (l *Listener) turnAway(ctx context.Context, g *guest, err error) {
	from := g.session.wire.RemoteAddr().String()
	host, _, _ := net.SplitHostPort(from) // enter knows that there is one
	switch {
	case errors.Is(err, errKey):
		l.note(feed.Failf(feed.Unreachable, "password", "password: %s came with a wrong stream key: write the password of "+
			"this device there", host))
		l.guesses.Wrong(ctx, from)
		_ = g.say(g.asked, "error", "NetStream.Publish.BadName", "wrong stream key") // it goes either way
	case errors.Is(err, errStrange):
		l.note(feed.Failf(feed.Unreachable, "listen", "listen: %s came, and does not speak %s: write %s:// there", host,
			strings.ToUpper(l.config.scheme()), l.config.scheme()))
	}
}

// note keeps why a publisher was refused, to be told. Strangers who try again and again are told of once in a while.
func (l *Listener) note(refused *feed.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.warned) < warnRate {
		return
	}
	l.warned, l.refused = time.Now(), refused
	l.config.Log.Warn("a publisher was refused", "reason", refused)
	l.alert()
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
	l.alert()
}

// alert wakes Open.
func (l *Listener) alert() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// guest is a connection that has not said its key yet.
type guest struct {
	session *session
	key     string
	app     string
	program string               // what it says it is
	asked   *message.CommandAMF0 // to publish
}

// Why guests do not become publishers.
var (
	errRefused = errors.New("refused")
	errKey     = errors.New("wrong key")
	errStrange = errors.New("another protocol")
)

// publish answers commands until the guest publishes.
func (g *guest) publish(counted *bytecounter.ReadWriter) error {
	if err := g.shakeHands(counted); err != nil {
		return err
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

// shakeHands tells those who speak something else from those who hang up or say nothing.
func (g *guest) shakeHands(counted *bytecounter.ReadWriter) error {
	key, _, err := handshake.DoServer(counted, false)
	_, other := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case key != nil, other, err != nil && g.session.wire.failed == nil:
		return errors.Join(errStrange, err) // RTMPE is not spoken here either
	}
	return err
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
	g.asked = c
	if !access.Allowed(g.key, name) {
		return errKey
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
