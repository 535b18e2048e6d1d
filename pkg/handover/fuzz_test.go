package handover_test

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/waldo-robot/waldo/pkg/handover"
)

// packets are what a process may find at its end, and what is wrong with them; "" if they are messages.
var packets = map[string]struct {
	data  string
	files int
	says  string
}{
	"a word":             {`{"kind":"done"}`, 0, ""},
	"with files":         {`{"kind":"welcome","estate":{"epoch":7,"listens":["grpc :0"]}}`, 2, ""},
	"of a newer program": {`{"kind":"bequeath","will":[1]}`, 0, ""},
	"no JSON":            {`done`, 1, "invalid message"},
	"cut off":            {`{"kind":"wel`, 2, "invalid message"},
	"nothing but a file": {``, 1, "invalid message"},
	"without a kind":     {`{}`, 0, "no kind"},
	"of the wrong type":  {`{"kind":"welcome","estate":{"epoch":"seven"}}`, 0, "epoch"},
	"too large a number": {`{"kind":"welcome","estate":{"epoch":1e40}}`, 0, "epoch"},
	"three files":        {`{"kind":"welcome"}`, 3, "more than 2 files"},
	"too long": {`{"kind":"failed","reason":"` + strings.Repeat("x", handover.MaxMessage) + `"}`, 2,
		"longer than"},
	"the end":             {``, 0, handover.ErrGone.Error()},
	"deep":                {strings.Repeat("[", 40_000), 0, "invalid message"},
	"a hold without time": {`{"kind":"served","estate":{"holds":[{"stream":"video","holder":"h","ttl":-1}]}}`, 0, ""},
}

// wire is an end of which a test writes packets, and the one that receives them.
type wire struct {
	raw  int
	file *os.File // what is sent with packets
	conn *handover.Conn
}

func newWire(tb testing.TB) *wire {
	tb.Helper()
	one, other, err := handover.Pair()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = one.Close() }) // also the raw end
	conn, err := handover.Open(other)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	file, err := os.Open(os.DevNull)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = file.Close() }) // it was only sent
	return &wire{int(one.Fd()), file, conn}
}

// exchange sends a packet and returns what is received.
func (w *wire) exchange(tb testing.TB, data []byte, files int) (handover.Message, []*os.File, error) {
	tb.Helper()
	var rights []byte
	if files > 0 {
		fds := make([]int, files)
		for i := range fds {
			fds[i] = int(w.file.Fd())
		}
		rights = syscall.UnixRights(fds...)
	}
	if err := syscall.Sendmsg(w.raw, data, rights, nil, 0); err != nil {
		tb.Fatal(err)
	}
	return w.conn.Receive()
}

// open counts the descriptors of this process.
func open(tb testing.TB) int {
	tb.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	return len(list)
}

func TestPackets(t *testing.T) {
	for name, p := range packets {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			before := open(t)
			m, files, err := w.exchange(t, []byte(p.data), p.files)
			switch {
			case p.says == "" && (err != nil || m.Kind == "" || len(files) != p.files):
				t.Errorf("%+v with %d files, %v", m, len(files), err)
			case p.says != "" && (err == nil || !strings.Contains(err.Error(), p.says)):
				t.Errorf("%+v, %v, want %q", m, err, p.says)
			}
			for _, f := range files {
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
			if left := open(t) - before; left != 0 {
				t.Errorf("%d descriptors are left", left)
			}
		})
	}
}

// FuzzReceive: whatever comes, it is a message that can be passed on, or an error, and nothing is left open.
func FuzzReceive(f *testing.F) {
	for _, p := range packets {
		f.Add([]byte(p.data), byte(p.files))
	}
	f.Fuzz(func(t *testing.T, data []byte, n byte) {
		if len(data) > handover.MaxMessage+1 {
			data = data[:handover.MaxMessage+1] // more does not fit into the socket
		}
		w := newWire(t)
		before := open(t)
		m, files, err := w.exchange(t, data, int(n%5))
		switch {
		case err != nil:
			if len(files) > 0 || m.Kind != "" {
				t.Errorf("%+v with %d files beside %v", m, len(files), err)
			}
		case m.Kind == "" || len(files) > 2:
			t.Errorf("%+v with %d files", m, len(files))
		}
		for _, file := range files {
			_ = file.Close() // it was only received
		}
		if left := open(t) - before; left != 0 {
			t.Errorf("%d descriptors are left", left)
		}
		if err == nil {
			again(t, m)
		}
	})
}

// again has a message sent as another process would, and looks for it at the other end.
func again(t *testing.T, m handover.Message) {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatalf("%+v cannot be written: %v", m, err)
	}
	a, b := pair(t)
	if err := a.Send(m); err != nil {
		if len(text) <= handover.MaxMessage || !strings.Contains(err.Error(), "too long") {
			t.Fatalf("%+v cannot be sent: %v", m, err)
		}
		return
	}
	got, _, err := b.Receive()
	if back, _ := json.Marshal(got); err != nil || string(back) != string(text) {
		t.Errorf("%s became %s, %v", text, back, err)
	}
}
