package harness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Event is a line that a puppet prints: what happened to it.
type Event struct {
	Event string          `json:"event"`
	Value json.RawMessage `json:"value"`
}

// Puppet is a program of another language that prints an event per line, and reads an order per line.
type Puppet struct {
	*exec.Cmd
	orders io.WriteCloser
	events chan Event
	ended  chan struct{}
	said   *buffer

	mu   sync.Mutex
	seen []Event
}

// StartPuppet runs a puppet until the test ends. Its only argument is a specification, as JSON.
func StartPuppet(tb testing.TB, program, script string, specification any) *Puppet {
	tb.Helper()
	text, err := json.Marshal(specification)
	if err != nil {
		tb.Fatal(err)
	}
	p := &Puppet{Cmd: exec.Command(program, script, string(text)), events: make(chan Event, 10000),
		ended: make(chan struct{}), said: &buffer{}}
	p.Stderr = p.said
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.orders, err = p.StdinPipe(); err != nil {
		tb.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.Start(); err != nil {
		tb.Fatal(err)
	}
	go p.read(out)
	tb.Cleanup(func() {
		p.Stop(tb)
		if tb.Failed() {
			tb.Logf("%s %s saw %s\n%s", script, text, p.seen, p.said)
		}
	})
	return p
}

func (p *Puppet) read(out io.Reader) {
	defer close(p.ended)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e Event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			e = Event{"garbage", json.RawMessage(fmt.Sprintf("%q", lines.Text()))}
		}
		p.events <- e
	}
	_ = p.Wait() // what it said is in the log of the test
}

// String shows an event as it was printed.
func (e Event) String() string { return e.Event + " " + string(e.Value) }

// Order gives the puppet an order.
func (p *Puppet) Order(tb testing.TB, order any) {
	tb.Helper()
	if err := json.NewEncoder(p.orders).Encode(order); err != nil {
		tb.Fatalf("%v\n%s", err, p.said)
	}
}

// Await returns the value of the next event of a name, as JSON. Others are skipped.
func (p *Puppet) Await(tb testing.TB, name string) string {
	tb.Helper()
	return p.AwaitThat(tb, name, func(string) bool { return true })
}

// AwaitThat is Await for an event whose value, as JSON, is wanted.
func (p *Puppet) AwaitThat(tb testing.TB, name string, wanted func(value string) bool) string {
	tb.Helper()
	patience := time.After(2 * Patience)
	for {
		select {
		case e := <-p.events:
			p.mu.Lock()
			p.seen = append(p.seen, e)
			p.mu.Unlock()
			if e.Event == name && wanted(string(e.Value)) {
				return string(e.Value)
			}
		case <-p.ended:
			if len(p.events) == 0 {
				tb.Fatalf("the puppet ended before %s", name)
			}
		case <-patience:
			tb.Fatalf("no %s from the puppet", name)
		}
	}
}

// Discard returns the events that nobody has waited for, and forgets them.
func (p *Puppet) Discard() (all []Event) {
	for {
		select {
		case e := <-p.events:
			all = append(all, e)
		default:
			return all
		}
	}
}

// Stop ends the puppet, if it has not ended.
func (p *Puppet) Stop(tb testing.TB) {
	tb.Helper()
	_ = p.orders.Close() // puppets end with their orders
	select {
	case <-p.ended:
	case <-time.After(Patience):
		tb.Logf("puppet %d does not end", p.Process.Pid)
		p.Kill()
		<-p.ended
	}
}

// Kill ends the puppet as a crash would.
func (p *Puppet) Kill() { _ = p.Process.Kill() }
