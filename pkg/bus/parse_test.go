package bus

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/prometheus/client_golang/prometheus"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func noMetrics() *metrics { return newMetrics(func() bool { return false }) }

func part(mark, data string) *nats.Msg {
	return &nats.Msg{Subject: "s", Header: nats.Header{partHeader: {mark}}, Data: []byte(data)}
}

func TestSplitAndJoin(t *testing.T) {
	const limit = headerAllowance + 10
	for _, size := range []int{0, 1, 9, 10, 11, 20, 21, 1000} {
		data := bytes.Repeat([]byte("0123456"), size)[:size]
		parts := split(&nats.Msg{Subject: "s", Reply: "r", Header: nats.Header{"K": {"v"}}, Data: data}, limit)
		if want := max((size+9)/10, 1); len(parts) != want {
			t.Errorf("%d bytes: %d parts, want %d", size, len(parts), want)
		}
		j := newStore(noMetrics()).joiner()
		var whole *nats.Msg
		for i, p := range parts {
			if p.Subject != "s" || p.Reply != "r" || len(p.Data) > 10 {
				t.Errorf("%d bytes, part %d: %v", size, i, p)
			}
			if whole = j.join(p); (whole != nil) != (i == len(parts)-1) {
				t.Errorf("%d bytes: part %d of %d gives %v", size, i, len(parts), whole)
			}
		}
		if whole == nil || !bytes.Equal(whole.Data, data) || whole.Reply != "r" || len(whole.Header) != 1 ||
			whole.Header.Get("K") != "v" {
			t.Errorf("%d bytes: got %v", size, whole)
		}
	}
	if parts := split(&nats.Msg{Data: make([]byte, 100)}, headerAllowance); len(parts) != 1 {
		t.Errorf("a limit without room for data: %d parts, want the message as it is, for NATS to refuse", len(parts))
	}
}

func TestJoin(t *testing.T) {
	long := strings.Repeat("x", 1000)
	many := func(format string, n int) (parts []string) {
		for i := range n {
			parts = append(parts, fmt.Sprintf(format, i))
		}
		return parts
	}
	tests := []struct {
		name  string
		marks []string // the data is the mark itself
		want  int      // whole messages
		lost  float64
		bad   float64
	}{
		{"in order", []string{"a 0 3", "a 1 3", "a 2 3"}, 1, 0, 0},
		{"one part", []string{"a 0 1"}, 1, 0, 0},
		{"interleaved", []string{"a 0 2", "b 0 3", "a 1 2", "b 1 3", "b 2 3"}, 2, 0, 0},
		{"first lost", []string{"a 1 3", "a 2 3"}, 0, 1, 0},
		{"middle lost", []string{"a 0 4", "a 2 4", "a 3 4"}, 0, 1, 0},
		{"last lost, next whole", []string{"a 0 2", "b 0 2", "b 1 2"}, 1, 0, 0},
		{"twice", []string{"a 0 2", "a 0 2", "a 1 2"}, 1, 0, 0},
		{"part twice", []string{"a 0 3", "a 1 3", "a 1 3", "a 2 3"}, 0, 1, 0},
		{"count changes", []string{"a 0 3", "a 1 2"}, 0, 1, 0},
		{"many unfinished", many("%012d 0 2", maxPartial+5), 0, 5, 0},
		{"many unfinished of one", many("one-sender-x%d 0 2", maxOfSender+5), 0, 5, 0},
		{"oldest unfinished is forgotten", append(many("%012d 0 2", maxPartial+1), "000000000000 1 2", "000000000001 1 2"),
			1, 2, 0},
		{"bad marks", []string{"a", "a 0", "a 0 2 3", "a b 2", "a 0 b", "a -1 2", "a 2 2", "a 0 0", " 0 2", "a 0 -1",
			"a 0 99999999999999999999", "a 0 16385", "  ", long}, 0, 0, 14},
	}
	for _, tt := range tests {
		m := noMetrics()
		j := newStore(m).joiner()
		got := 0
		for _, mark := range tt.marks {
			if j.join(part(mark, mark)) != nil {
				got++
			}
		}
		lost, bad := value(t, m, "lost", "split"), value(t, m, "ignored", "part")
		if got != tt.want || lost != tt.lost || bad != tt.bad {
			t.Errorf("%s: %d whole, %v lost, %v bad; want %d, %v, %v", tt.name, got, lost, bad, tt.want, tt.lost, tt.bad)
		}
	}
}

func TestJoinBoundsMemory(t *testing.T) {
	m := noMetrics()
	j := newStore(m).joiner()
	chunk := strings.Repeat("x", 8<<20)
	for id := range 20 { // 20 messages of 16 MiB that never end
		for i := range 2 {
			j.join(part(fmt.Sprintf("%d %d 9", id, i), chunk))
			if held := j.store.held(); held > maxHeld {
				t.Fatalf("holds %d bytes", held)
			}
		}
	}
	for i := range 9 { // one that is too large
		if j.join(part(fmt.Sprintf("big %d 9", i), chunk)) != nil {
			t.Error("a message of 72 MiB is joined")
		}
	}
	if lost := value(t, m, "lost", "split"); lost < 13 {
		t.Errorf("counted %v as lost, want 13 or more", lost)
	}
	if large := value(t, m, "ignored", "size"); large != 1 {
		t.Errorf("counted %v as too large, want 1", large)
	}
	j.close()
	if n := len(j.store.partials); n != 0 {
		t.Errorf("%d messages are kept for nobody", n)
	}
}

// sent is the id of a message of a sender, as nuid makes it.
func sent(sender, n int) string { return fmt.Sprintf("%0*d%010d", senderLength, sender, n) }

// TestSendersAreBoundedEach: one who begins many messages, or large ones, costs others none of theirs.
func TestSendersAreBoundedEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // no time passes
		s := newStore(noMetrics())
		defer s.close()
		victim, greedy := s.joiner(), s.joiner() // of different subscriptions of one connection
		victim.join(part(sent(1, 0)+" 0 2", "a"))
		chunk := strings.Repeat("x", 1<<20)
		for n := range 40 {
			greedy.join(part(sent(2, n)+" 0 2", "x"))
			greedy.join(part(sent(3, n)+" 0 9", chunk))
			for i := 1; i < 8; i++ {
				greedy.join(part(fmt.Sprintf("%s %d 9", sent(3, n), i), chunk))
			}
			for _, sender := range []int{2, 3} {
				if number, bytes := s.under(senderOf(sent(sender, 0))); number > maxOfSender || bytes > maxHeldOfSender {
					t.Fatalf("sender %d has %d messages of %d bytes under way", sender, number, bytes)
				}
			}
		}
		if victim.join(part(sent(1, 0)+" 1 2", "b")) == nil {
			t.Error("the message of another was forgotten")
		}
	})
}

// TestManySenders are bounded together; what goes on growing stays.
func TestManySenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // no time passes
		s := newStore(noMetrics())
		defer s.close()
		j := s.joiner()
		chunk := strings.Repeat("x", 4<<20)
		for n := range 8 {
			j.join(part(fmt.Sprintf("%s %d 9", sent(0, 0), n), "a"))
			for sender := 1; sender <= 8; sender++ {
				j.join(part(sent(sender, n)+" 0 2", chunk))
				if len(s.partials) > maxPartial || s.held() > maxHeld {
					t.Fatalf("%d messages of %d bytes are kept", len(s.partials), s.held())
				}
			}
		}
		if j.join(part(sent(0, 0)+" 8 9", "b")) == nil {
			t.Error("the message that goes on was forgotten")
		}
	})
}

// TestPartsExpire whether more comes or not; what goes on in time becomes whole.
func TestPartsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := noMetrics()
		s := newStore(m)
		defer s.close()
		j := s.joiner()
		j.join(part("a 0 3", "x"))
		time.Sleep(partLife / 2)
		j.join(part("b 0 3", "x"))
		j.join(part("a 1 3", "x"))
		time.Sleep(partLife - 1)
		j.join(part("b 1 3", "x"))
		time.Sleep(2 * time.Nanosecond)
		if j.join(part("b 2 3", "x")) == nil || j.join(part("a 2 3", "x")) != nil {
			t.Error("a message whose parts came in time is lost, or one is joined whose parts came too late")
		}
		j.join(part("c 0 2", "x"))
		time.Sleep(partLife - 1)
		if j.join(part("c 1 2", "x")) == nil {
			t.Error("a message whose parts came in time is lost")
		}
		j.join(part("d 0 2", "x"))
		time.Sleep(partLife + 1)
		synctest.Wait()
		s.mu.Lock()
		kept := len(s.partials)
		s.mu.Unlock()
		if kept != 0 {
			t.Errorf("%d messages are kept for ever", kept)
		}
	})
}

func TestLosses(t *testing.T) {
	l := losses{metrics: noMetrics()}
	// NATS says 0 once a subscription is closed
	for _, totals := range [][2]uint64{{0, 0}, {3, 0}, {3, 5}, {0, 5}, {4, 6}} {
		l.count(totals[0], totals[1])
	}
	if d, s := value(t, l.metrics, "lost", "queue_full"), value(t, l.metrics, "lost", "slow_reader"); d != 4 || s != 6 {
		t.Errorf("counted %v and %v, want 4 and 6", d, s)
	}
}

func TestReconnectWait(t *testing.T) {
	for attempts := 0; attempts < 1000; attempts++ {
		if d := reconnectWait(attempts); d < minReconnectWait || d > maxReconnectWait ||
			d < reconnectWait(max(attempts-1, 0)) {
			t.Fatalf("attempt %d waits %v", attempts, d)
		}
	}
}

// FuzzJoin reads its input as a sequence of parts: a mark and data, each with its length in front.
func FuzzJoin(f *testing.F) {
	sequence := func(marks ...string) (b []byte) {
		for _, m := range marks {
			b = append(b, byte(len(m)))
			b = append(append(append(b, m...), 2), "xy"...)
		}
		return b
	}
	f.Add(sequence("a 0 3", "a 1 3", "a 2 3"))
	f.Add(sequence("a 0 2", "b 0 2", "a 1 2", "b 1 2", "a 1 2"))
	f.Add(sequence("", "a 0 0", "a -1 -1", "a 0 99999999999999", "a 16383 16384"))
	f.Fuzz(func(t *testing.T, in []byte) {
		take := func() string {
			if len(in) == 0 {
				return ""
			}
			n := min(int(in[0]), len(in)-1)
			s := string(in[1 : 1+n])
			in = in[1+n:]
			return s
		}
		j := newStore(noMetrics()).joiner()
		for given := 0; len(in) > 0; {
			mark, data := take(), take()
			given += len(data)
			m := j.join(part(mark, data))
			if len(j.store.partials) > maxPartial || j.store.held() > maxHeld {
				t.Fatalf("keeps %d messages of %d bytes", len(j.store.partials), j.store.held())
			}
			if m != nil && mark != "" && (len(m.Data) > given || m.Header.Get(partHeader) != "") {
				t.Fatalf("joined %d bytes of %d, header %v", len(m.Data), given, m.Header)
			}
		}
	})
}

// answers are what may come back on a call.
var answers = []struct {
	code, text string // the headers
	status     *spb.Status
	want       codes.Code
	message    string
}{
	{"", "", nil, codes.OK, ""},
	{"5", "no", &spb.Status{Code: 5, Message: "no such stream"}, codes.NotFound, "no such stream"},
	{"5", "no such stream", nil, codes.NotFound, "no such stream"},
	{"5", "no", &spb.Status{Code: 0, Message: "fine"}, codes.NotFound, "no"},
	{"500", "a foreign error", nil, codes.Unknown, "a foreign error"},
	{"0", "nonsense", nil, codes.Unknown, "nonsense"},
	{"-1", "", nil, codes.Unknown, ""},
	{"x", "", nil, codes.Unknown, ""},
}

func TestAnswerError(t *testing.T) {
	for _, tt := range answers {
		data, err := proto.Marshal(tt.status)
		if err != nil {
			t.Fatal(err)
		}
		got := status.Convert(answerError(answerWith(tt.code, tt.text, data)))
		if got.Code() != tt.want || got.Message() != tt.message {
			t.Errorf("%q %q: got %v", tt.code, tt.text, got)
		}
	}
}

func answerWith(code, text string, data []byte) *nats.Msg {
	m := &nats.Msg{Header: nats.Header{}, Data: data}
	if code != "" {
		m.Header.Set(micro.ErrorCodeHeader, code)
		m.Header.Set(micro.ErrorHeader, text)
	}
	return m
}

func FuzzAnswerError(f *testing.F) {
	for _, a := range answers {
		data, _ := proto.Marshal(a.status)
		f.Add(a.code, a.text, data)
	}
	f.Fuzz(func(t *testing.T, code, text string, data []byte) {
		err := answerError(answerWith(code, text, data))
		if (err == nil) != (code == "") {
			t.Fatalf("code %q gives %v", code, err)
		}
		_ = status.Convert(err).String()
	})
}

var infos = []struct {
	data string
	want Address
}{
	{`{"name":"waldo-camera","metadata":{"robot":"demo","device":"front"}}`, Address{"demo", "front"}},
	{`{"name":"other","metadata":{"robot":"demo","device":"front"}}`, Address{}},
	{`{"name":"waldo-camera","metadata":{"robot":"demo","device":"*"}}`, Address{}},
	{`{"name":"waldo-camera"}`, Address{}},
	{`{"name":"waldo-camera","metadata":[]}`, Address{}},
	{`[]`, Address{}},
	{``, Address{}},
}

func TestServiceAddress(t *testing.T) {
	for _, tt := range infos {
		got, ok := serviceAddress([]byte(tt.data), "")
		if ok != (tt.want != Address{}) || ok && got != tt.want {
			t.Errorf("%s: %v, %v", tt.data, got, ok)
		}
	}
}

func FuzzServiceAddress(f *testing.F) {
	for _, i := range infos {
		f.Add([]byte(i.data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, ok := serviceAddress(data, ""); ok && a.Validate() != nil {
			t.Fatalf("%q gives %v", data, a)
		}
	})
}

// value reads one of the counters.
func value(t *testing.T, m *metrics, which, reason string) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(m)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, c := range f.GetMetric() {
			if f.GetName() == "waldo_bus_"+which+"_total" && c.GetLabel()[0].GetValue() == reason {
				return c.GetCounter().GetValue()
			}
		}
	}
	return 0
}
