package launch

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/certs/acme"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// Certificate is that of a robot. The process that runs the bus gets and renews it, all others read it.
type Certificate struct {
	// Source serves it; nil if the robot has none.
	Source *certs.Source
	// Close ends what renews it.
	Close func()
}

// Server returns the settings of a server; nil for no TLS.
func (c Certificate) Server() *tls.Config {
	if c.Source == nil {
		return nil
	}
	return c.Source.Server()
}

// Certify gets the certificate of a robot, as its file says, and keeps it good.
func Certify(r *robot.Robot, log *slog.Logger) (c Certificate, err error) {
	c.Close = func() {}
	files, err := r.TLS.Files(os.Getenv)
	if err != nil {
		return c, err
	}
	if files.Issued {
		if c.Close, err = issue(r, log); err != nil {
			return c, err
		}
	}
	if c.Source, err = files.Load(log); err != nil {
		c.Close()
		var bad *certs.FileError
		if errors.As(err, &bad) {
			err = r.TLS.Locate(robot.BadField(bad.Field, "%s", bad.Problem))
		}
	}
	return c, err
}

// issue starts what writes the files of the certificate.
func issue(r *robot.Robot, log *slog.Logger) (stop func(), err error) {
	folder, err := certs.Folder(os.Getenv)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	if r.TLS.Auto {
		i, err := certs.StartIssuer(certs.IssuerConfig{Folder: folder, Robot: r.Name, Names: r.TLS.Names, Log: log})
		if err != nil {
			return nil, err
		}
		return i.Close, nil
	}
	a := r.TLS.ACME
	i, err := acme.Start(acme.Config{Folder: folder, Domain: a.Domain, Email: a.Email, Directory: a.Directory, CA: a.CA,
		DNS: a.DNS, Log: log})
	if err != nil {
		return nil, err
	}
	return i.Close, nil
}

// checkTLS returns what is wrong with the certificate that the file names. A wrong time is an error where the file is
// only checked, and a warning where the robot runs: it must drive all the same.
func (p *Plan) checkTLS(onlyChecked bool) error {
	late, err := p.robot.TLS.CheckFiles(time.Now())
	if onlyChecked {
		return errors.Join(append(late, err)...)
	}
	for _, one := range late {
		p.warnings = append(p.warnings, one.Error())
	}
	return err
}
