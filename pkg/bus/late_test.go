package bus_test

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// TestLateCallbacks has NATS run its callbacks later than anybody would like: the first one after listeners were added,
// others after Close.
func TestLateCallbacks(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var log bytes.Buffer
	c, err := bus.Connect(bus.Config{URL: server.URL(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !c.Connected() {
		t.Fatal("not connected to a server that is there")
	}
	// NATS's own first callback; below are repetitions of it
	for !bus.Handled(c) {
		time.Sleep(time.Millisecond)
	}
	calls := 0
	defer c.OnConnect(func() { calls++ })()
	bus.LateConnect(c)
	if calls != 0 {
		t.Error("a listener was called for a connect that came before it")
	}
	bus.LateDisconnect(c, errors.New("test"))
	if c.Connected() {
		t.Error("connected after the end of the link")
	}
	bus.LateConnect(c)
	if calls != 1 {
		t.Errorf("a listener was called %d times for one connect", calls)
	}
	c.Close()
	before := log.Len()
	bus.LateConnect(c)
	bus.LateDisconnect(c, errors.New("test"))
	bus.LateComplaint(c, errors.New("test"))
	if c.Connected() || calls != 1 || log.Len() != before {
		t.Errorf("after Close: connected %v, called %d times, logged %q", c.Connected(), calls, log.Bytes()[before:])
	}
}
