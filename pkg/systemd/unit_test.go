package systemd

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen is a socket of systemd; receive returns the next message.
func listen(t *testing.T) (path string, receive func() string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "notify") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	path = filepath.Join(folder, "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return path, func() string {
		t.Helper()
		message := make([]byte, 1<<16)
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(message)
		if err != nil {
			t.Fatal(err)
		}
		return string(message[:n])
	}
}

func from(values map[string]string) func(string) string {
	return func(key string) string { return values[key] }
}

func TestUnit(t *testing.T) {
	path, receive := listen(t)
	u := NewUnit(from(map[string]string{"NOTIFY_SOCKET": path}))
	for _, tt := range []struct {
		say  func()
		want string
	}{
		{func() { u.Ready("starting") }, "READY=1\nSTATUS=starting"},
		{func() { u.Status("away: no camera") }, "STATUS=away: no camera"},
		{func() { u.Status("one\nWATCHDOG=trigger") }, `STATUS=one\u000aWATCHDOG=trigger`},
		{func() { u.Status(strings.Repeat("é", 400)) }, "STATUS=" + strings.Repeat("é", 256) + "…"},
		{u.Stopping, "STOPPING=1"},
	} {
		tt.say()
		if got := receive(); got != tt.want {
			t.Errorf("it said %q, want %q", got, tt.want)
		}
	}
}

// TestUnitOfNobody: what is not valid, or not there, harms nobody.
func TestUnitOfNobody(t *testing.T) {
	path, _ := listen(t)
	for name, environ := range map[string]map[string]string{
		"not started by systemd": nil,
		"nobody listens":         {"NOTIFY_SOCKET": "/nowhere/socket", "WATCHDOG_USEC": "1000"},
		"no socket's name":       {"NOTIFY_SOCKET": strings.Repeat("x", 300)},
		"abstract, nobody":       {"NOTIFY_SOCKET": "@waldo-nobody"},
		"not a number":           {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "soon"},
		"negative":               {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "-1"},
		"beyond all bounds":      {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "9223372036854775807"},
		"of another process":     {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},
	} {
		t.Run(name, func(t *testing.T) {
			u := NewUnit(from(environ))
			u.Ready("")
			if name == "nobody listens" {
				return
			}
			u.Watch(t.Context(), func(context.Context) bool { t.Error("it was asked"); return true }) // returns at once
		})
	}
}

// TestWatch: the watchdog gets what alive proves, and nothing from the moment at which it proves nothing.
func TestWatch(t *testing.T) {
	path, receive := listen(t)
	u := NewUnit(from(map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "40000",
		"WATCHDOG_PID": strconv.Itoa(os.Getpid())}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var hung atomic.Bool
	asked := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		u.Watch(ctx, func(ctx context.Context) bool {
			if !hung.Load() {
				return true
			}
			<-ctx.Done() // as a call of a process that hangs
			select {
			case asked <- struct{}{}:
			case <-done:
			}
			return false
		})
	}()
	for range 3 {
		if got := receive(); got != "WATCHDOG=1" {
			t.Fatalf("it said %q", got)
		}
	}
	hung.Store(true)
	<-asked
	<-asked
	u.Status("last")
	for got := receive(); got != "STATUS=last"; got = receive() {
		if got != "WATCHDOG=1" { // said before it hung
			t.Fatalf("it said %q", got)
		}
	}
	cancel()
	for {
		select {
		case <-asked:
		case <-done:
			return
		}
	}
}

func TestCredential(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "token"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	environ := from(map[string]string{"CREDENTIALS_DIRECTORY": folder})
	for name, want := range map[string]string{"token": filepath.Join(folder, "token"), "other": "", "folder": ""} {
		if got := Credential(name, environ); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := Credential("token", from(nil)); got != "" {
		t.Errorf("without a folder: %q", got)
	}
}
