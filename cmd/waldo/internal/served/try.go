package served

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus/greeting"
	"github.com/waldo-robot/waldo/pkg/certs"
)

// patience bounds each try: what answers is on this machine.
const patience = 3 * time.Second

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
	defer func() { _ = conn.Close() }()                                              // it was only tried
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })() // fails only if it is closed
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

// greeted reads what a NATS server says before TLS begins, and fails if it does not take TLS.
func greeted(conn io.Reader) error {
	line, err := greeting.Line(conn)
	if err != nil && !errors.Is(err, greeting.ErrNoServer) {
		return unanswered(err)
	}
	if err != nil {
		return err
	}
	says, err := greeting.Parse(line)
	if err == nil && !says.TLSAvailable && !says.TLSRequired {
		err = errPlain
	}
	return err
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
		return fmt.Errorf("the certificate there is not for %s: add it to robot.yaml, tls: {auto: true, names: [%s]}, "+
			"unless it is an address that this machine does not have", name, name)
	case errors.As(err, &unknown):
		return errors.New("the certificate there is of another authority: another robot, or a proxy with its own, answers")
	case errors.As(err, &plain):
		return errPlain
	}
	return fmt.Errorf("TLS fails there: %w", err)
}
