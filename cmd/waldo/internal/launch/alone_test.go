package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
)

// TestAlone: one launcher per robot and bus; the second one names the first.
func TestAlone(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	plan := func(name, nats string) *Plan {
		t.Helper()
		p, err := New(load(t, "robot: "+name+"\ndevices:\n  front: {kind: camera}\n"), installed(t),
			Config{NATS: nats, NoGateway: true})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	const nats = "nats://127.0.0.1:21699"
	release, err := plan("demo", nats).claim()
	if err != nil {
		t.Fatal(err)
	}
	printer := supervise.NewPrinter(io.Discard, nil, false)
	defer printer.Close()
	want := fmt.Sprintf("robot: %v: `waldo up` of demo is process %d:", ErrRunning, os.Getpid())
	for what, err := range map[string]error{
		"Check": plan("demo", nats).Check(t.Context()),
		"Run":   plan("demo", nats).Run(t.Context(), printer, nil),
	} {
		if !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	checked := plan("demo", nats)
	if err := checked.CheckFile(t.Context()); err != nil ||
		!strings.Contains(strings.Join(checked.Warnings(), "\n"), want) {
		t.Errorf("CheckFile: %v, warnings %q", err, checked.Warnings())
	}
	for _, other := range []*Plan{plan("demo", "nats://127.0.0.1:21698"), plan("rover", nats)} {
		release, err := other.claim()
		if err != nil {
			t.Errorf("another robot, or bus: %v", err)
		}
		release()
	}
	release()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := plan("demo", nats).Check(ended); errors.Is(err, ErrRunning) {
		t.Errorf("after the first has ended: %v", err)
	}
}
