package device

import (
	"context"
	"net"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// wantsTLS is what a caller without TLS is told.
const wantsTLS = "this device takes calls of other machines by TLS only: dial with transport security, and trust the " +
	"robot's authority, which `waldo trust` prints"

// files are those of the certificate.
func (s *Settings) files() certs.Files {
	return certs.Files{Cert: s.TLSCert, Key: s.TLSKey, Issued: s.issued}
}

// useTLS takes the certificate of the robot file.
func (s *Settings) useTLS(t *robot.TLS, environ func(string) string) error {
	f, err := t.Files(environ)
	s.TLSCert, s.TLSKey, s.issued = f.Cert, f.Key, f.Issued
	return err
}

// decided is the security of a port that serves TLS and what comes without: what a connection has is known before its
// first call.
type decided struct {
	credentials.TransportCredentials
}

func newDecided() decided { return decided{insecure.NewCredentials()} }

// ServerHandshake implements [credentials.TransportCredentials].
func (d decided) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	state, err := certs.Decide(c)
	switch {
	case err != nil:
		return nil, nil, err
	case state == nil:
		return d.TransportCredentials.ServerHandshake(c)
	}
	common := credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}
	return c, credentials.TLSInfo{State: *state, CommonAuthInfo: common}, nil
}

// Clone implements [credentials.TransportCredentials].
func (d decided) Clone() credentials.TransportCredentials {
	return decided{d.TransportCredentials.Clone()}
}

// encrypted refuses a call of another machine that came without TLS.
func encrypted(ctx context.Context) error {
	from, ok := peer.FromContext(ctx)
	if !ok || from.AuthInfo != nil && from.AuthInfo.AuthType() == (credentials.TLSInfo{}).AuthType() ||
		certs.Local(from.Addr) {
		return nil
	}
	return status.Error(codes.FailedPrecondition, wantsTLS)
}
