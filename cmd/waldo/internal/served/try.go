package served

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/pkg/certs"
)

const (
	// patience bounds each try: what answers is on this machine.
	patience = 3 * time.Second
	// maxGreeting bounds the first line of a NATS server, which has its settings and those of its cluster.
	maxGreeting = 64 << 10
)

var errPlain = errors.New("a server answers without TLS: is the robot's `tls:` newer than what runs? Then restart it")

// Try connects to a place by TLS, as a client that trusts the authority in a file and nothing else, and says what keeps
// such a client out.
func (p *Place) Try(ctx context.Context, authority string) error {
	settings, err := certs.Client(authority)
	if err != nil {
		return err
	}
	if settings.ServerName, _, err = net.SplitHostPort(p.Address); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.Address)
	if err != nil {
		return unanswered(err)
	}
	defer func() { _ = conn.Close() }() // it was only tried
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // fails only if the connection is closed
	}
	if p.Kind == Bus {
		if err := greeted(conn); err != nil {
			return err
		}
	}
	if err := tls.Client(conn, settings).HandshakeContext(ctx); err != nil {
		return refused(err, settings.ServerName)
	}
	return nil
}

// greeted reads what a NATS server says before TLS begins.
func greeted(conn io.Reader) error {
	var line []byte
	for one := make([]byte, 1); one[0] != '\n'; line = append(line, one[0]) {
		if len(line) >= maxGreeting {
			return errors.New("what answers there is no NATS server")
		}
		if _, err := io.ReadFull(conn, one); err != nil { // no byte of the TLS that follows
			return unanswered(err)
		}
	}
	return readGreeting(line)
}

func readGreeting(line []byte) error {
	var info struct {
		TLSAvailable bool `json:"tls_available"`
		TLSRequired  bool `json:"tls_required"`
	}
	const begin = "INFO "
	if len(line) < len(begin) || string(line[:len(begin)]) != begin || json.Unmarshal(line[len(begin):], &info) != nil {
		return errors.New("what answers there is no NATS server")
	}
	if !info.TLSAvailable && !info.TLSRequired {
		return errPlain
	}
	return nil
}

func unanswered(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return errors.New("nothing listens there now")
	}
	return fmt.Errorf("nothing answers there now: %w", err)
}

// refused says what a client does not like about the robot's certificate.
func refused(err error, name string) error {
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &host):
		return fmt.Errorf("the certificate there is not for %s: add it to robot.yaml, tls: {auto: true, names: [%s]}, unless "+
			"it is an address that this machine does not have", name, name)
	case errors.As(err, &unknown):
		return errors.New("the certificate there is of another authority: another robot, or a proxy with its own, answers")
	case errors.As(err, &plain):
		return errPlain
	}
	return fmt.Errorf("TLS fails there: %w", err)
}
