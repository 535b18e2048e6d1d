package tty

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/ptytest"
	"github.com/waldo-robot/waldo/services/serial/port"
	"github.com/waldo-robot/waldo/services/serial/port/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a port on a pseudo terminal, and the board at its other end.
func open(t *testing.T) (*Port, *ptytest.Terminal) {
	t.Helper()
	board := ptytest.New(t)
	p, err := Open(board.Path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, board
}

func TestConformance(t *testing.T) {
	porttest.Run(t, func(t *testing.T) porttest.Line {
		p, board := open(t)
		return porttest.Line{
			Port: p,
			Say: func(t *testing.T) []byte {
				text := "hello, waldo\x00\r\n\xff"
				board.Say(t, text)
				return []byte(text)
			},
			Listen: func(t *testing.T, all []byte) { board.Await(t, 0, string(all)) },
			Pull:   func(*testing.T) { board.Pull() },
		}
	})
}

func TestSecondOpenerIsRefused(t *testing.T) {
	p, board := open(t)
	path := board.Path
	if _, err := Open(path, Config{}); !errors.Is(err, device.ErrBusy) || !strings.Contains(err.Error(), path) {
		t.Errorf("a second: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, Config{})
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// TestModemLines: a pseudo terminal has none, which is fine.
func TestModemLines(t *testing.T) {
	on := true
	p, err := Open(ptytest.New(t).Path, Config{Baud: 9600, DTR: &on, RTS: &on})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		path string
		want error
		text string
	}{
		"nothing there": {"/dev/serial/by-id/nothing", device.ErrAway, "there is no such port"},
		"a file":        {file, port.ErrPort, file},
		"no line":       {"/dev/null", port.ErrPort, "/dev/null"},
		"a folder":      {t.TempDir(), nil, "is a directory"},
	} {
		_, err := Open(tt.path, Config{})
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMode(t *testing.T) {
	for _, text := range []string{"8N1", "7E2", "5O1.5", "6M1", "8S2"} {
		var m Mode
		if err := m.UnmarshalText([]byte(text)); err != nil || m.String() != text {
			t.Errorf("%s is read as %s, %v", text, m, err)
		}
	}
	for _, text := range []string{"", "8", "8N", "9N1", "8X1", "8N3", "8n1"} {
		if err := new(Mode).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a mode", text)
		}
	}
	if (Mode{}).String() != "8N1" {
		t.Errorf("the zero value is %s", Mode{})
	}
}
