package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/hubtest"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/certs/certstest"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// key makes a key with waldo hub key.
func key(t *testing.T, path string) (public string) {
	t.Helper()
	code, out, text := waldo(t, "hub", "key", path)
	if code != 0 {
		t.Fatalf("waldo hub key: %d, %s", code, text)
	}
	return strings.TrimSpace(out)
}

// rewrite puts text into a file in one step.
func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestHub: a gateway sees a robot once the hub's file, which changes while the hub runs, names the robot.
func TestHub(t *testing.T) {
	folder := t.TempDir()
	file, seed := filepath.Join(folder, "hub.yaml"), filepath.Join(folder, "main.seed")
	base := "hub: here\nleaf: 127.0.0.1:0\nlisten: 127.0.0.1:0\ngateways: {main: {key: " + key(t, seed) + "}}\n"
	rewrite(t, file, base)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var logs logtest.Text
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"hub", file}, console{w, &logs})
		w.Close()
	}()
	var leaf, listen string
	if _, err := fmt.Fscanln(bufio.NewReader(r), &leaf, &listen); err != nil {
		t.Fatal(err, logs.String())
	}

	robot := launchtest.WriteRobot(t, "robot: rover\ndevices: {front: {kind: camera}}\nnats: {listen: 127.0.0.1:0}\n"+
		"fleet: {hub: \""+leaf+"\", key: hub.seed}\n")
	public := key(t, filepath.Join(filepath.Dir(robot), "hub.seed"))
	up, down := context.WithCancel(t.Context())
	defer down()
	stopped := make(chan int, 1)
	var said bytes.Buffer
	go func() { stopped <- run(up, []string{"bus", "--robot-file", robot}, console{io.Discard, &said}) }()

	secret, err := keys.Read(seed)
	if err != nil {
		t.Fatal(err)
	}
	cloud := hubtest.Connect(t, bus.Config{URL: listen, Name: "gateway", Seed: secret})
	states, err := bus.Subscribe[*fleetv1.RobotState](cloud.Conn,
		bus.Address{Robot: "rover", Device: bus.RobotDevice}.State(), stream.Latest())
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, file, base+"robots: {rover: {key: "+public+"}}\n")
	var state *fleetv1.RobotState
	hubtest.Await(t, "the robot answers", func() (heard bool) {
		if err := cloud.Publish(bus.AskRobots, &fleetv1.Ask{}); err != nil {
			t.Fatal(err)
		}
		state, heard = states.TryNext()
		return heard
	})
	if len(state.GetDevices()) != 1 || state.GetDevices()[0].GetName() != "front" {
		t.Errorf("the gateway hears %v", state)
	}
	hubtest.Await(t, "the hub logs that the robot is there", func() bool {
		return strings.Contains(logs.String(), `msg="a robot is connected" robot=rover`)
	})
	down()
	if code := <-stopped; code != 0 {
		t.Errorf("waldo bus: code %d, %s", code, said.String())
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("waldo hub: code %d, %s", code, logs.String())
	}
}

func TestBadHub(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "hub.yaml")
	rewrite(t, file, "hub: here\nleaf: 0.0.0.0:7422\n")
	taken := filepath.Join(folder, "taken")
	rewrite(t, taken, "")
	nokey := launchtest.WriteRobot(t, "robot: rover\ndevices: {front: {kind: camera}}\nfleet: {hub: nats://127.0.0.1}\n")
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"hub", file}, device.ExitConfiguration, file + ":2: leaf: "},
		{[]string{"hub", file, "--check"}, device.ExitConfiguration, "would not be encrypted"},
		{[]string{"hub", file + ".not"}, device.ExitConfiguration, "no such file"},
		{[]string{"hub", "key", taken}, 1, "is not replaced"},
		{[]string{"bus", "--robot-file", nokey}, device.ExitConfiguration, "fleet.key: is missing"},
	} {
		code, _, text := waldo(t, tt.args...)
		if code != tt.code || !strings.Contains(text, tt.says) {
			t.Errorf("%v: code %d, %s", tt.args, code, text)
		}
	}
	rewrite(t, file, "hub: here\n")
	if code, out, text := waldo(t, "hub", file, "--print-config"); code != 0 || !strings.Contains(out, "leafnodes {") {
		t.Errorf("--print-config: code %d, %s%s", code, out, text)
	}
}

// TestHubCheck: a certificate that no client takes is an error; one with a wrong time is a warning.
func TestHubCheck(t *testing.T) {
	a := certstest.NewAuthority(t)
	good, goodKey := a.Issue([]string{"hub.lan"})
	_, other := a.Issue([]string{"hub.lan"})
	old, oldKey := a.Issue([]string{"hub.lan"},
		certstest.Between(time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)))
	for name, tt := range map[string]struct {
		cert, key string
		code      int
		says      string
	}{
		"good":        {good, goodKey, 0, ""},
		"expired":     {old, oldKey, 0, "warning: "},
		"other's key": {good, other, device.ExitConfiguration, "does not belong to the certificate"},
		"no file":     {good + "x", goodKey, device.ExitConfiguration, "there is no file"},
	} {
		file := filepath.Join(t.TempDir(), "hub.yaml")
		rewrite(t, file, fmt.Sprintf("hub: here\ntls: {cert: %q, key: %q}\n", tt.cert, tt.key))
		code, _, said := waldo(t, "hub", file, "--check")
		if code != tt.code || !strings.Contains(said, tt.says) || (tt.says == "") != (said == "") ||
			tt.says != "" && !strings.Contains(said, file+": tls: cert") && !strings.Contains(said, file+": tls: key") {
			t.Errorf("%s: %d, %q", name, code, said)
		}
	}
}

// TestHubServesARenewedCertificate: at both addresses, and without a restart.
func TestHubServesARenewedCertificate(t *testing.T) {
	a := certstest.NewAuthority(t)
	cert, key := a.Issue([]string{"old.lan"})
	file := filepath.Join(t.TempDir(), "hub.yaml")
	rewrite(t, file,
		fmt.Sprintf("hub: here\nleaf: 127.0.0.1:0\nlisten: 127.0.0.1:0\ntls: {cert: %q, key: %q}\n", cert, key))
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"hub", file}, console{w, io.Discard})
		w.Close()
	}()
	defer func() {
		cancel()
		<-ended
	}()
	var leaf, listen string
	if _, err := fmt.Fscanln(bufio.NewReader(r), &leaf, &listen); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old.lan", "new.lan"} {
		a.IssueTo(cert, key, []string{name})
		for _, address := range []string{leaf, listen} {
			for limit := time.Now().Add(time.Minute); servedName(t, address) != name; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(limit) {
					t.Fatalf("%s does not serve the certificate for %s", address, name)
				}
			}
		}
	}
}

// servedName is the name in the certificate of a NATS server, which begins with TLS after a line of its own.
func servedName(t *testing.T, url string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "tls://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	s := tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // only its certificate is looked at
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	return s.ConnectionState().PeerCertificates[0].DNSNames[0]
}
