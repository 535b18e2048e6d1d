package device

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/certs/certstest"
)

// ask calls a device.
func ask(t *testing.T, address string, c credentials.TransportCredentials) error {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(c))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = devicev1.NewDeviceServiceClient(conn).GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
	return err
}

func trusting(t *testing.T, ca string) credentials.TransportCredentials {
	t.Helper()
	trust, err := certs.Client(ca)
	if err != nil {
		t.Fatal(err)
	}
	return credentials.NewTLS(trust)
}

func TestTLS(t *testing.T) {
	a := certstest.NewAuthority(t)
	cert, key := a.Issue([]string{"127.0.0.1"})
	p := start(t, kindOf(work), Settings{TLSCert: cert, TLSKey: key})
	if err := ask(t, p.GRPCAddress(), trusting(t, a.File())); err != nil {
		t.Errorf("with TLS: %v", err)
	}
	if err := ask(t, p.GRPCAddress(), insecure.NewCredentials()); err != nil {
		t.Errorf("without TLS, on this machine: %v", err)
	}
	if err := ask(t, p.GRPCAddress(), trusting(t, certstest.NewAuthority(t).File())); err == nil {
		t.Error("a client that trusts another authority is satisfied")
	}
}

// TestPlainCallersOfOtherMachines are refused, in words that say what to do.
func TestPlainCallersOfOtherMachines(t *testing.T) {
	elsewhere, here := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	for _, tt := range []struct {
		from peer.Peer
		ok   bool
	}{
		{peer.Peer{Addr: here}, true},
		{peer.Peer{Addr: elsewhere}, false},
		{peer.Peer{Addr: elsewhere, AuthInfo: credentials.TLSInfo{}}, true},
	} {
		err := encrypted(peer.NewContext(t.Context(), &tt.from))
		if (err == nil) != tt.ok || err != nil && !strings.Contains(err.Error(), "waldo trust") {
			t.Errorf("%v: %v", tt.from.Addr, err)
		}
	}
}

// TestTLSOfRobotFile: the file says which certificate; one that is issued later is no reason not to start.
func TestTLSOfRobotFile(t *testing.T) {
	state := t.TempDir()
	environ := func(key string) string { return map[string]string{"STATE_DIRECTORY": state}[key] }
	a := certstest.NewAuthority(t)
	cert, key := a.Issue([]string{"127.0.0.1"})
	for text, want := range map[string]string{
		"off": "", "auto": filepath.Join(state, "tls", "leaf.crt"), "{cert: " + cert + ", key: " + key + "}": cert,
	} {
		file := filepath.Join(t.TempDir(), "robot.yaml")
		yaml := "robot: r\ndevices: {d: {kind: probe}}\ntls: " + text + "\n"
		if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		s, _, _, err := configure(kindOf(work), []string{"--robot-file", file, "--device", "d"}, environ, nil)
		if err != nil || s.TLSCert != want {
			t.Errorf("%s: %q, %v", text, s.TLSCert, err)
		}
		if source, err := s.files().Load(nil); err != nil || (source != nil) != (want != "") {
			t.Errorf("%s: %v, %v", text, source, err)
		}
	}
	_, _, _, err := configure(kindOf(work), []string{"--device", "d", "--tls-cert", cert}, environ, nil)
	if err == nil || !strings.Contains(err.Error(), "tls: key: is missing") {
		t.Errorf("a certificate without a key: %v", err)
	}
	s := Settings{TLSCert: cert, TLSKey: cert}
	if _, err := s.files().Load(nil); err == nil || !strings.Contains(err.Error(), "key: ") {
		t.Errorf("no key: %v", err)
	}
}

// TestTLSIsReadAgain: a renewed certificate is served without a restart.
func TestTLSIsReadAgain(t *testing.T) {
	old, next := certstest.NewAuthority(t), certstest.NewAuthority(t)
	cert, key := old.Issue([]string{"127.0.0.1"})
	p := start(t, kindOf(work), Settings{TLSCert: cert, TLSKey: key})
	next.IssueTo(cert, key, []string{"127.0.0.1"})
	trust := trusting(t, next.File())
	for end := time.Now().Add(patienceOfTests); ; time.Sleep(50 * time.Millisecond) {
		err := ask(t, p.GRPCAddress(), trust)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
