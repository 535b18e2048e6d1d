package device

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device/vital"
	"github.com/waldo-robot/waldo/pkg/systemd"
)

// notified is a socket of systemd.
type notified struct {
	path string
	conn *net.UnixConn
}

func newNotified(t *testing.T) *notified {
	t.Helper()
	folder, err := os.MkdirTemp("", "notify") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	n := &notified{path: filepath.Join(folder, "socket")}
	if n.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: n.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.conn.Close() })
	return n
}

// next returns the next message, "" if there is none within d.
func (n *notified) next(t *testing.T, d time.Duration) string {
	t.Helper()
	if err := n.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		t.Fatal(err)
	}
	message := make([]byte, 4096)
	size, err := n.conn.Read(message)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(message[:size])
}

// await returns when all of these lines were said, in any order.
func (n *notified) await(t *testing.T, wanted ...string) {
	t.Helper()
	for end := time.Now().Add(patienceOfTests); len(wanted) > 0; {
		if time.Now().After(end) {
			t.Fatalf("it did not say %q", wanted)
		}
		for line := range strings.Lines(n.next(t, patienceOfTests)) {
			if i := slices.Index(wanted, strings.TrimSpace(line)); i >= 0 {
				wanted = slices.Delete(wanted, i, i+1)
			}
		}
	}
}

// TestUnit is the life of a device process as systemd sees it.
func TestUnit(t *testing.T) {
	unit := newNotified(t)
	t.Setenv("NOTIFY_SOCKET", unit.path)
	t.Setenv("WATCHDOG_USEC", "200000")
	t.Setenv("WALDO_TOKEN", "s3cret")
	p := launch(t, "works", "", "--nats", "nats://"+freeAddress(t))
	unit.await(t, "READY=1", "STATUS=ready", "WATCHDOG=1", "WATCHDOG=1")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	unit.await(t, "STOPPING=1")
	p.end(t, syscall.SIGTERM)
}

// TestUnitIsUpgraded: a device without a launcher starts its successor itself, which becomes the main process of the
// unit.
func TestUnitIsUpgraded(t *testing.T) {
	unit := newNotified(t)
	t.Setenv("NOTIFY_SOCKET", unit.path)
	t.Setenv("WATCHDOG_USEC", "200000")
	server := startServer(t, embedded.Config{})
	heard := states(t, connect(t, server.URL()))
	p := launch(t, "works", "", "--nats", server.URL())
	untilState(t, heard, ready)
	unit.await(t, "READY=1")
	if err := p.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	next := until(t, heard, "another process", func(d *devicev1.Device) bool {
		return int(d.GetPid()) != p.Process.Pid && d.GetState() == ready
	})
	t.Cleanup(func() { _ = syscall.Kill(int(next.GetPid()), syscall.SIGKILL) }) // unless it has stopped
	unit.await(t, fmt.Sprintf("MAINPID=%d", next.GetPid()))
	unit.await(t, "READY=1", "WATCHDOG=1")
	if state, err := p.Process.Wait(); err != nil || state.ExitCode() != ExitStopped {
		t.Errorf("the process before ended with %v, %v", state, err)
	}
	if err := syscall.Kill(int(next.GetPid()), syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	untilState(t, heard, stopping)
	for range p.lines { // which the successor has inherited
	}
}

// TestReadyWithoutHardware: ready means listening, and the reason why hardware is away is the status.
func TestReadyWithoutHardware(t *testing.T) {
	unit := newNotified(t)
	p := start(t, kindOf(func(context.Context, func()) error { return errors.New("no such camera") }), Settings{})
	defer p.report(systemd.NewUnit(func(key string) string {
		return map[string]string{"NOTIFY_SOCKET": unit.path}[key]
	}))()
	unit.await(t, "READY=1", "STATUS=away: no such camera")
}

// TestHangingLoop: a turn of a loop that does not end starves the watchdog, and the launcher's probe hears of it.
func TestHangingLoop(t *testing.T) {
	var loop *Loop
	p := start(t, kindOf(work, func(k *Kit) { loop = k.Loop(time.Millisecond) }), Settings{})
	loops := func() healthpb.HealthCheckResponse_ServingStatus {
		t.Helper()
		r, err := healthpb.NewHealthClient(dial(t, p, "")).Check(t.Context(),
			&healthpb.HealthCheckRequest{Service: vital.Loops})
		if err != nil {
			t.Fatal(err)
		}
		return r.GetStatus()
	}
	if got := loops(); got != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("between turns: %v", got)
	}
	unit := newNotified(t)
	defer p.report(systemd.NewUnit(func(key string) string {
		return map[string]string{"NOTIFY_SOCKET": unit.path, "WATCHDOG_USEC": "200000"}[key]
	}))()
	unit.await(t, "WATCHDOG=1")
	end := loop.Begin()
	loop.Begin()() // another turn comes to its end
	for loops() == healthpb.HealthCheckResponse_SERVING {
		time.Sleep(time.Millisecond) // the turn becomes too long
	}
	for fed := unit.next(t, time.Second); fed != ""; fed = unit.next(t, time.Second) {
		if strings.HasPrefix(fed, "STATUS=") {
			continue
		}
		if fed != "WATCHDOG=1" || loops() == healthpb.HealthCheckResponse_SERVING { // what was on its way
			t.Fatalf("it said %q", fed)
		}
	}
	end()
	unit.await(t, "WATCHDOG=1")
}

// TestTokenFile: a token in a file protects the device like any other.
func TestTokenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("of-the-file-16-chars\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args    []string
		environ map[string]string
		want    string
		says    string
	}{
		"flag":          {[]string{"--token-file", file}, nil, "of-the-file-16-chars", ""},
		"environment":   {nil, map[string]string{"WALDO_TOKEN_FILE": file}, "of-the-file-16-chars", ""},
		"credential":    {nil, map[string]string{"CREDENTIALS_DIRECTORY": filepath.Dir(file)}, "of-the-file-16-chars", ""},
		"given as well": {[]string{"--token-file", file}, map[string]string{"WALDO_TOKEN": "given"}, "given", ""},
		"guards":        {[]string{"--token-file", file, "--grpc", "0.0.0.0:1"}, nil, "of-the-file-16-chars", ""},
		"missing":       {[]string{"--token-file", "/nowhere"}, nil, "", "--token-file: "},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _, err := configure(kindOf(work), append([]string{"--device", "d"}, tt.args...),
				func(key string) string { return tt.environ[key] }, nil)
			if s.Token != tt.want || (err != nil) != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("token %q, %v; want %q, %q", s.Token, err, tt.want, tt.says)
			}
		})
	}
}
