package handover_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/handover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns the two ends of a connection.
func pair(t *testing.T) (a, b *handover.Conn) {
	t.Helper()
	one, other, err := handover.Pair()
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []struct {
		file *os.File
		conn **handover.Conn
	}{{one, &a}, {other, &b}} {
		if *end.conn, err = handover.Open(end.file); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*end.conn).Close)
	}
	return a, b
}

func TestMessagesAndFiles(t *testing.T) {
	a, b := pair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	sent := handover.Message{Kind: handover.Welcome,
		Estate: &handover.Estate{Epoch: 7, Ready: true, Flowing: []string{"video"},
			Holds: []handover.Hold{{Stream: "video", Holder: "gateway 1", TTL: time.Second}}, Listens: []string{"grpc :0"},
			Kept: map[string][]byte{"camera": {0, 255}}}}
	if err := a.Send(sent, w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil { // the other side has its own
		t.Fatal(err)
	}
	got, files, err := b.Receive()
	if err != nil || len(files) != 1 || fmt.Sprint(got.Estate) != fmt.Sprint(sent.Estate) {
		t.Fatalf("%+v with %d files, %v", got.Estate, len(files), err)
	}
	if _, err := io.WriteString(files[0], "through the file"); err != nil {
		t.Error(err)
	}
	if err := files[0].Close(); err != nil {
		t.Error(err)
	}
	if text, err := io.ReadAll(r); string(text) != "through the file" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if err := b.Send(handover.Message{Kind: handover.Take, Stream: "video"}); err != nil {
		t.Error(err)
	}
	if got, _, err := a.Receive(); err != nil || got.Kind != handover.Take || got.Stream != "video" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestTheOtherSideEnds: who loses the other one is told, whether it reads or writes.
func TestTheOtherSideEnds(t *testing.T) {
	a, b := pair(t)
	if err := a.Send(handover.Message{Kind: handover.Done}); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if m, _, err := b.Receive(); err != nil || m.Kind != handover.Done {
		t.Errorf("its last word is %+v, %v", m, err)
	}
	if _, _, err := b.Receive(); !errors.Is(err, handover.ErrGone) {
		t.Errorf("receiving: %v", err)
	}
	if err := b.Send(handover.Message{Kind: handover.Done}); !errors.Is(err, handover.ErrGone) {
		t.Errorf("sending: %v", err)
	}
}

func TestInterruptEndsAReceive(t *testing.T) {
	a, _ := pair(t)
	ended := make(chan error)
	go func() {
		_, _, err := a.Receive()
		ended <- err
	}()
	a.Interrupt()
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	a, b := pair(t)
	long := handover.Message{Kind: handover.Failed, Reason: strings.Repeat("x", handover.MaxMessage)}
	if err := a.Send(long); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("too long: %v", err)
	}
	for range 100_000 { // until the socket is full
		if err := a.Send(handover.Message{Kind: handover.Failed, Reason: long.Reason[:1000]}); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("to one that does not read: %v", err)
			}
			b.Close()
			return
		}
	}
	t.Error("a socket takes everything")
}

func TestInherited(t *testing.T) {
	const variable = "WALDO_TEST_FD"
	if c, err := handover.Inherited(variable); c != nil || err != nil {
		t.Errorf("without a variable: %v, %v", c, err)
	}
	// number is that of another descriptor of a file, as a process inherits it.
	number := func(f *os.File, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		fd, err := syscall.Dup(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return strconv.Itoa(fd)
	}
	for name, given := range map[string]string{"no number": "three", "negative": "-1", "not open": "9999",
		"a file": number(os.CreateTemp(t.TempDir(), ""))} {
		t.Setenv(variable, given)
		if c, err := handover.Inherited(variable); c != nil || err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
		if left := os.Getenv(variable); left != "" {
			t.Errorf("%s: the variable is still %q", name, left)
		}
	}
	one, other, err := handover.Pair()
	t.Setenv(variable, number(one, err))
	c, err := handover.Inherited(variable)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Receive(); !errors.Is(err, handover.ErrGone) {
		t.Error(err)
	}
}
