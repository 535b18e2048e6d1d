package actuator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/text"
)

// TestEStopTexts are cut and made printable, and never a reason to refuse.
func TestEStopTexts(t *testing.T) {
	m := startMotor(t, configIn(t.TempDir()))
	for name, client := range m.transports(t) {
		r, err := client.EStop(t.Context(), &controlv1.EStopRequest{By: "\x1b]0;x\a",
			Reason: strings.Repeat("\u202eé", 1000)})
		e := r.GetState().GetEStop()
		if err != nil || e.GetBy() != `\u001b]0;x\u0007` || len(e.GetReason()) > maxReason ||
			!text.IsPrintable(e.GetReason()) || e.GetReason() == "" {
			t.Errorf("over %s: %v, %v", name, e, err)
		}
	}
}

func TestEStopFiles(t *testing.T) {
	file := func(dir string) string { return filepath.Join(dir, "r", "d.e-stop.json") }
	t.Run("garbage is an e-stop", func(t *testing.T) {
		dir := t.TempDir()
		write(t, file(dir), "no json")
		m := startMotor(t, configIn(dir))
		e := m.State().GetEStop()
		if e.GetId() == 0 || !strings.Contains(e.GetReason(), "cannot be read") {
			t.Fatalf("latched: %v", e)
		}
		if err := m.clear(e.GetId(), actor{name: "ann"}); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(file(dir)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file after the clearing: %v", err)
		}
	})
	t.Run("one that cannot be kept works all the same", func(t *testing.T) {
		dir := t.TempDir()
		m := startMotor(t, configIn(dir))
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		m.press(actor{name: "ann"}, "")
		if e := m.State().GetEStop(); e == nil || e.GetPersisted() {
			t.Errorf("latched: %v", e)
		}
	})
	t.Run("one whose end cannot be kept stays", func(t *testing.T) {
		dir := t.TempDir()
		m := startMotor(t, configIn(dir))
		m.press(actor{name: "ann"}, "")
		// A folder with something in it cannot be removed, not even by root.
		if err := os.Remove(file(dir)); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(file(dir), "x"), "")
		if err := m.clear(m.State().GetEStop().GetId(), actor{name: "ann"}); err == nil || m.State().GetEStop() == nil {
			t.Errorf("cleared: %v", err)
		}
	})
	t.Run("no folder", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "r"), "")
		if _, err := newLatch(dir, "r", "d"); err == nil || !strings.Contains(err.Error(), "control.state") {
			t.Errorf("%v", err)
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOneProcessKeepsAnEStop: a second process of the same device does not start, until the first has ended.
func TestOneProcessKeepsAnEStop(t *testing.T) {
	dir := t.TempDir()
	m := startMotor(t, configIn(dir))
	kind := device.Kind[Config]{Name: "motor", Version: "1.0.0",
		New: func(kit *device.Kit, c Config) (device.Driver, error) {
			_, err := New(kit, c, &wire{}, `{"left":0}`)
			return m, err
		}}
	settings := device.Settings{Robot: "r", Device: "d", NATS: "nats://127.0.0.1:1"}
	p, err := device.Start(kind, settings, configIn(dir), nil)
	if err == nil {
		p.Stop()
		t.Fatal("two processes keep the e-stops of one device")
	}
	for _, want := range []string{fmt.Sprintf("process %d ", os.Getpid()), dir, "control.state"} {
		if !errors.Is(err, device.ErrTaken) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	time.AfterFunc(takeOver/5, m.Stop)
	startMotor(t, configIn(dir)) // the predecessor is on its way out
}
