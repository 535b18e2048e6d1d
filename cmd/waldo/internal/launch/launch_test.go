package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/robot"
)

func TestMain(m *testing.M) { launchtest.Main(m) }

func installed(t *testing.T) Programs {
	t.Helper()
	return Programs{launchtest.Install(t, "waldo-camera", "waldo-gateway")}
}

// load writes and loads a robot.yaml; its line numbers are those of the text.
func load(t *testing.T, text string) *robot.Robot {
	t.Helper()
	r, err := robot.Load(launchtest.WriteRobot(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// occupy listens on a free address until the test ends.
func occupy(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// free returns an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestPrograms(t *testing.T) {
	first := launchtest.Install(t, "waldo-camera", "waldo-gateway", "other")
	second := launchtest.Install(t, "waldo-camera", "waldo-serial")
	if err := os.WriteFile(filepath.Join(second, "waldo-notes"), nil, 0o600); err != nil { // no program
		t.Fatal(err)
	}
	p := Programs{first, "/nowhere", "[", second}
	if path, err := p.Find("camera"); err != nil || path != filepath.Join(first, "waldo-camera") {
		t.Errorf("camera is %s, %v", path, err)
	}
	if path, err := p.Find("serial"); err != nil || path != filepath.Join(second, "waldo-serial") {
		t.Errorf("serial is %s, %v", path, err)
	}
	want := "there is no program waldo-notes beside waldo or in PATH; there are programs for: camera, serial"
	if _, err := p.Find("notes"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	want = "there is no program waldo-x beside waldo or in PATH; there are programs for: none at all"
	if _, err := (Programs{}).Find("x"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestInstalledPrograms(t *testing.T) {
	t.Setenv("PATH", "/a:/b")
	p, err := InstalledPrograms()
	if err != nil || len(p) != 3 || p[1] != "/a" || p[2] != "/b" || !filepath.IsAbs(p[0]) {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestUnknownKinds(t *testing.T) {
	r := load(t, "robot: a\ndevices:\n  front: {kind: camera}\n  back:\n    range: 3\n    kind: lidar\n  left: "+
		"{kind: sonar}\n")
	_, err := New(r, installed(t), Config{})
	if err == nil {
		t.Fatal("accepted")
	}
	want := strings.ReplaceAll("F:6: devices.back.kind: there is no program waldo-lidar beside waldo or in PATH; "+
		"there are programs for: camera\n"+
		"F:7: devices.left.kind: there is no program waldo-sonar beside waldo or in PATH; there are programs for: camera",
		"F", r.File)
	if err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

// TestCheckReportsAll: one check reports all errors, in all programs.
func TestCheckReportsAll(t *testing.T) {
	taken := occupy(t)
	r := load(t, fmt.Sprintf(`robot: a
devices:
  front: {kind: camera, widht: 640, grpc: %q}
  rear: {kind: camera, width: wide, grpc: "127.0.0.1:0"}
gateway: {htpp: x, http: %[1]q, ice: "127.0.0.1:0"}
nats: {listen: %[1]q}
`, taken))
	p, err := New(r, installed(t), Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Check(t.Context())
	if !errors.Is(err, ErrAddressInUse) {
		t.Errorf("the error is not ErrAddressInUse")
	}
	for _, want := range []string{
		`F:3: devices.front: unknown key "widht" (did you mean "width"?)`,
		`F:4: devices.rear.width: "wide" is not a whole number`,
		`F:5: gateway: unknown key "htpp" (did you mean "http"?)`,
		`F:3: devices.front.grpc: ADDR is in use (address already in use): stop the other program, or give the device another address`,
		`F:5: gateway.http: ADDR is in use (address already in use): stop the other program, or choose another address, like --http`,
		`F: nats.listen: ADDR is in use (address already in use): use that NATS server with --nats nats://ADDR`,
	} {
		want = strings.NewReplacer("F:", r.File+":", "ADDR", taken).Replace(want)
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

func TestCheckNamesTheFlag(t *testing.T) {
	taken := occupy(t)
	r := load(t, "robot: a\ndevices: {front: {kind: camera, grpc: \"127.0.0.1:0\"}}\ngateway: {http: "+
		"\"127.0.0.1:1\", ice: \"127.0.0.1:0\"}\n")
	p, err := New(r, installed(t), Config{HTTP: taken, NATS: "nats://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "--http: "+taken+" is in use") {
		t.Errorf("got %v", err)
	}
}

func TestCheckProcess(t *testing.T) {
	script := func(text string) supervise.Process {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return supervise.Process{Name: "front", Path: path}
	}
	for text, want := range map[string]string{
		"exit 0":                    "",
		"echo no good >&2; exit 78": "no good",
		"exit 78":                   " --check: exit status 78",
		"kill -9 $$":                " --check: signal: killed",
	} {
		_, err := checkProcess(t.Context(), script(text), "")
		if want == "" != (err == nil) || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := checkProcess(ctx, script("exec sleep 60"), ""); err == nil ||
		!strings.Contains(err.Error(), "did not end") {
		t.Errorf("a program that hangs: got %v", err)
	}
}

func TestRun(t *testing.T) {
	address := free(t)
	r := load(t, fmt.Sprintf("robot: a\ndevices: {front: {kind: camera, grpc: \"127.0.0.1:0\"}}\ngateway: {http: "+
		"%q, ice: \"127.0.0.1:0\"}\n"+
		"nats: {listen: %q}\n", address, free(t)))
	p, err := New(r, installed(t), Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	printer := supervise.NewPrinter(io.Discard, p.Names(), false)
	defer printer.Close()
	page, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- p.Run(ctx, printer, func(url string) { page <- url }) }()

	select {
	case url := <-page:
		if url != "http://"+address+"/" {
			t.Errorf("the page is at %s", url)
		}
	case err := <-ended:
		t.Fatalf("ended: %v", err)
	}
	pid := awaitDevice(t, "nats://"+r.NATS.Listen)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if launchtest.Running(pid) {
		t.Error("the camera was left behind")
	}
	if response, err := http.Get("http://" + address + "/"); err == nil {
		_ = response.Body.Close()
		t.Error("the gateway was left behind")
	}
}

// awaitDevice returns the process id of the only device on the bus once it is there.
func awaitDevice(t *testing.T, url string) int {
	t.Helper()
	conn, err := bus.Connect(bus.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if devices, err := conn.Devices(t.Context()); err == nil && len(devices) == 1 {
			return int(devices[0].GetPid())
		}
	}
	t.Fatal("no device on the bus")
	return 0
}

// TestRunWithoutGatewayOnForeignBus uses a bus that is running already.
func TestRunWithoutGatewayOnForeignBus(t *testing.T) {
	server, err := embedded.Start(embedded.Config{Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	r := load(t, "robot: a\ndevices: {front: {kind: camera, grpc: \"127.0.0.1:0\"}}\n")
	p, err := New(r, installed(t), Config{NATS: server.URL(), NoGateway: true, Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	printer := supervise.NewPrinter(io.Discard, p.Names(), false)
	defer printer.Close()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, printer, func(string) { t.Error("there is no page") }) }()
	awaitDevice(t, strings.Replace(server.URL(), "nats://", "nats://secret@", 1))
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRunBusRefused(t *testing.T) {
	r := load(t, fmt.Sprintf("robot: a\ndevices: {front: {kind: camera}}\nnats: {listen: %q}\n", occupy(t)))
	p, err := New(r, installed(t), Config{NoGateway: true})
	if err != nil {
		t.Fatal(err)
	}
	printer := supervise.NewPrinter(io.Discard, nil, false)
	defer printer.Close()
	if err := p.Run(t.Context(), printer, nil); !errors.Is(err, ErrAddressInUse) ||
		!strings.Contains(err.Error(), "nats.listen") {
		t.Errorf("got %v", err)
	}
}

func TestPageURL(t *testing.T) {
	for _, tt := range []struct{ listen, token, want string }{
		{"127.0.0.1:8080", "", "http://127.0.0.1:8080/"},
		{":8080", "", "http://127.0.0.1:8080/"},
		{"localhost:80", "", "http://localhost:80/"},
		{"[::1]:8080", "", "http://[::1]:8080/"},
		{":8080", "sixteen-or-more!", "http://127.0.0.1:8080/"},
		{"0.0.0.0:8080", "sixteen-or-more!", "http://127.0.0.1:8080/"},
		{"10.0.0.1:8080", "sixteen-or-more!", "http://10.0.0.1:8080/"},
		{"0.0.0.0:8080", "", ""},
		{"nonsense", "", ""},
	} {
		got, err := pageURL(tt.listen, tokens.NewAuthority(tt.token, nil))
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s with token %q: got %q, %v, want %q", tt.listen, tt.token, got, err, tt.want)
		}
	}
}
