package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/peer"
)

// startSecured runs a rover on another machine, whose certificate is of its own authority, and returns the host and
// port of its page.
func startSecured(t *testing.T) (robot *harness.Robot, host, port string) {
	t.Helper()
	robot = harness.StartRobot(t, harness.Options{
		Name: "rover", Drive: harness.RoverDrive, Network: harness.StartNetwork(t), TLS: "auto",
		Devices: "front: {kind: camera, source: sim, fps: 30, grpc: \":7101\"}\n" + harness.BoardAt("sim"),
	})
	at, err := url.Parse(robot.URL)
	if err != nil {
		t.Fatal(err)
	}
	return robot, at.Hostname(), at.Port()
}

// TestTLSInChromium: a browser of another machine gets the trust page, and, once its user has added the authority, the
// robot's page in a secure context, where it drives. Nothing else becomes trusted.
func TestTLSInChromium(t *testing.T) {
	robot, host, port := startSecured(t)
	authority := robot.Authority(t)
	thief := forge(t, robot, authority, "bank.example")
	names := harness.Resolve("rover.local", host, "bank.example", "127.0.0.1")
	stranger := harness.StartBrowser(t, names).Open(t, "http://rover.local:"+port+"/")
	stranger.Until(t, "document.querySelector('#state').textContent.includes('does not trust')")
	if harness.Eval[bool](t, stranger, "isSecureContext || 'mediaDevices' in navigator") {
		t.Error("a page over http is a secure context")
	}
	stranger.Close()

	friend := harness.StartBrowser(t, names, harness.Trusting(t, authority))
	page := friend.Open(t, "http://rover.local:"+port+"/?token="+harness.Token)
	// The trust page, at /trust, leads on by itself.
	page.Until(t, "location.protocol === 'https:' && location.hostname === 'rover.local' && location.search === '' && "+
		"location.pathname === '/' && document.querySelector('#drive-button')")
	if !harness.Eval[bool](t, page, "isSecureContext && typeof navigator.mediaDevices.getUserMedia === 'function'") {
		t.Error("the page is not a secure context with a microphone")
	}
	page.Tile(t, "front").WaitFrames(t, 30)
	begin(t, page)
	hold(t, page, "KeyW", "x", "v > 300")
	page.Release(t, "KeyW")
	awaitReading(t, page, "left", "v === 0")

	reached := harness.Eval[string](t, page, "fetch($1, {mode: 'no-cors'}).then(() => 'reached', (e) => String(e))", thief)
	if reached == "reached" {
		t.Error("a leaf of the robot's authority for bank.example is accepted")
	}
	local := strings.Replace(thief, "bank.example", "127.0.0.1", 1)
	if got := harness.Eval[string](t, page, "fetch($1, {mode: 'no-cors'}).then(() => 'reached', (e) => String(e))",
		local); got == "reached" {
		t.Error("a leaf for another name is accepted")
	}
}

// forge serves https with a leaf that the robot's authority has signed for a name that is not the robot's, as somebody
// could who has stolen its key.
func forge(t *testing.T, robot *harness.Robot, authority, name string) (address string) {
	t.Helper()
	read := func(file string) []byte {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(data)
		return block.Bytes
	}
	parent, err := x509.ParseCertificate(read(authority))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := x509.ParsePKCS8PrivateKey(read(robot.AuthorityKey()))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(7), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", name, 1)
}

// TestTLSForPrograms: each client trusts the robot by one option, and what comes in the clear from another machine is
// refused.
func TestTLSForPrograms(t *testing.T) {
	robot, host, port := startSecured(t)
	robot.Device(t, "front")
	ca := robot.Authority(t)
	bearer := "authorization: Bearer " + harness.Token
	page := "https://" + host + ":" + port
	for _, command := range [][]string{
		{"curl", "-sS", "--fail", "--cacert", ca, "-H", bearer, page + "/devices"},
		{harness.Bin(t, "tools/grpcurl"), "-cacert", ca, "-H", bearer, host + ":7101",
			"waldo.device.v1.DeviceService/GetDevice"},
		{python(t), "-c", pythonCalls, ca, host + ":7101", harness.Token},
	} {
		if out := harness.Run(t, nil, command[0], command[1:]...); !strings.Contains(out, "front") {
			t.Errorf("%q prints %s", command, out)
		}
	}
	refused := func(want string, command ...string) {
		t.Helper()
		if out := fail(t, command[0], command[1:]...); !strings.Contains(out, want) {
			t.Errorf("%q prints %s", command, out)
		}
	}
	refused("certificate", "curl", "-sS", "--fail", page+"/healthz")
	refused("426", "curl", "-sS", "--fail", "-X", "POST", "http://"+host+":"+port+"/whip/guest")
	refused("waldo trust", harness.Bin(t, "tools/grpcurl"), "-plaintext", "-H", bearer, host+":7101", "list")
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	far, err := peer.Dial(ctx, page+"/", peer.Options{Token: harness.Token, CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	for _, err := range far.Camera("front").Frames(ctx, 1) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
}

// fail returns what a command prints that does not succeed.
func fail(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err == nil {
		t.Errorf("%s %q succeeds", program, args)
	}
	return string(out)
}

// pythonCalls calls a device with nothing but grpcio.
const pythonCalls = `
import sys, grpc
ca, address, token = sys.argv[1:]
with grpc.secure_channel(address, grpc.ssl_channel_credentials(open(ca, "rb").read())) as channel:
    call = channel.unary_unary("/waldo.device.v1.DeviceService/GetDevice")
    print(call(b"", timeout=30, metadata=(("authorization", "Bearer " + token),)))
`
