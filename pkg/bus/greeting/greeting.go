// Package greeting reads what a NATS server says of itself to every client, before it knows who that is.
// From that a robot finds out at its start what would otherwise show as connections that break: a port of another sort,
// a hub that is too old, or that takes only small messages.
package greeting

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// Longest bounds a greeting, in bytes. Those of servers in a large cluster have some KiB.
	Longest = 64 << 10
	// patience bounds the wait for one.
	patience = 5 * time.Second
	// MinPayload is what a server must take as one message: package bus sends up to this much at once.
	MinPayload = 1 << 20
)

// oldest is the version of the oldest server that a hub may be.
var oldest = [2]int{2, 12}

// Greeting is what a server says.
type Greeting struct {
	// Version of the server, such as 2.15.2.
	Version string `json:"version"`
	// MaxPayload is the largest message that it takes, in bytes.
	MaxPayload int64 `json:"max_payload"`
	// TLSRequired means that it wants TLS, TLSAvailable that it takes it.
	TLSRequired  bool `json:"tls_required"`
	TLSAvailable bool `json:"tls_available"`
	// ClientIP is where a client comes from; a port that is not for clients does not say.
	ClientIP string `json:"client_ip"`
}

// ErrNoServer is about what answers, but is not a NATS server.
var ErrNoServer = errors.New("what answers there is not a NATS server")

// Read connects to a server and returns its greeting. The port may be for clients or for leaf nodes. It does not work
// with servers that want TLS before they say anything (handshake_first).
func Read(ctx context.Context, at string) (*Greeting, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }() // only read
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetReadDeadline(deadline); err != nil {
			return nil, err
		}
	}
	defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })()
	line, err := Line(bufio.NewReader(c))
	switch {
	case errors.Is(err, ErrNoServer):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoServer, err)
	}
	return Parse(line)
}

// Line reads the first line that a server sends, and not a byte of what follows, which may be TLS. It fails with
// [ErrNoServer] if that is longer than [Longest].
func Line(from io.Reader) (line []byte, err error) {
	for one := make([]byte, 1); len(line) < Longest; {
		if _, err := io.ReadFull(from, one); err != nil {
			return nil, err
		}
		if line = append(line, one[0]); one[0] == '\n' {
			return line, nil
		}
	}
	return nil, ErrNoServer
}

// Parse reads the first line that a server sends.
func Parse(line []byte) (*Greeting, error) {
	text, ok := strings.CutPrefix(string(line), "INFO ")
	if !ok {
		return nil, ErrNoServer
	}
	g := &Greeting{}
	if err := json.Unmarshal([]byte(text), g); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoServer, err)
	}
	return g, nil
}

// CheckTLS returns what is wrong with the scheme of the address, if anything.
func (g *Greeting) CheckTLS(address string) error {
	switch encrypted := strings.HasPrefix(address, "tls://"); {
	case g.TLSRequired && !encrypted:
		return errors.New("the hub wants TLS: write tls:// in its address")
	case !g.TLSRequired && encrypted:
		return errors.New("the hub does not offer TLS: give it a certificate with `tls:` in its hub.yaml, or write nats:// in " +
			"its address if a VPN encrypts what passes")
	}
	return nil
}

// CheckLeaf returns why a robot cannot connect its bus to that port of a hub, if there is a reason.
func (g *Greeting) CheckLeaf() error {
	if g.ClientIP != "" {
		return errors.New("that port of the hub is for clients: use the one of `leaf:` in its hub.yaml, or of leafnodes in " +
			"nats-server's configuration, which is 7422 by default")
	}
	return g.check()
}

// CheckClient returns why a robot cannot send its media to that port of a hub, if there is a reason.
func (g *Greeting) CheckClient() error {
	if g.ClientIP == "" {
		return errors.New("that port of the hub is not for clients: use the one of `listen:` in its hub.yaml, which is 4222 " +
			"by default")
	}
	return g.check()
}

func (g *Greeting) check() error {
	switch {
	case g.old():
		return fmt.Errorf("the hub runs nats-server %.32q: it must be %d.%d or later", g.Version, oldest[0], oldest[1])
	case g.MaxPayload < MinPayload:
		return fmt.Errorf("the hub takes messages of up to %d bytes, and would disconnect the robot for a larger one: set "+
			"max_payload there to %d or more", g.MaxPayload, MinPayload)
	}
	return nil
}

// old reports whether the version is known to be too old.
func (g *Greeting) old() bool {
	parts := strings.SplitN(g.Version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err != nil || err2 != nil {
		return false
	}
	return major < oldest[0] || major == oldest[0] && minor < oldest[1]
}
