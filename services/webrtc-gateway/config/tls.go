package config

import (
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/certs/acme"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// TLS is how the page is served by https. The zero value means that it is not.
type TLS struct {
	// Files are those of the certificate.
	Files certs.Files
	// Authority is the folder of the robot's own authority, for people to trust; empty: the certificate is of another one.
	Authority string
	// Challenges is the folder with proofs for a public authority; empty: there are none.
	Challenges string
}

// useTLS takes the certificate of flags, else that of the robot file.
func (c *Config) useTLS(t robot.TLS, environ func(string) string) (err error) {
	if given := (certs.Files{Cert: c.TLSCert, Key: c.TLSKey}); given.On() {
		c.TLS.Files = given
		if err := given.Validate(); err != nil {
			return robot.BadField("tls", "%w", err)
		}
		return nil
	}
	if c.TLS.Files, err = t.Files(environ); err != nil || !c.TLS.Files.Issued {
		return err
	}
	folder, err := certs.Folder(environ)
	if t.Auto {
		c.TLS.Authority = folder
	} else {
		c.TLS.Challenges = acme.Challenges(folder)
	}
	return err
}
