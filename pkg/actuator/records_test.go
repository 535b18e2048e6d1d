package actuator

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// spoken is a command that can say what it is.
type spoken struct {
	Command
	text string
}

func (s spoken) JSON() string { return s.text }

// recorded subscribes to the records of an actuator on its bus, and holds them.
func (m *motor) recorded(t *testing.T) *bus.Subscription[*controlv1.CommandRecord] {
	t.Helper()
	records, err := bus.Subscribe[*controlv1.CommandRecord](m.conn.Conn, m.Kit().Address().Out(Commands),
		stream.DropOldest(1000))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(records.Close)
	hold := m.conn.Hold(m.Kit().Address(), Commands, "test")
	t.Cleanup(hold.Close)
	await(t, "records are wanted", func() bool { return m.judged.Subscribers() == 1 })
	return records
}

func next(t *testing.T, records *bus.Subscription[*controlv1.CommandRecord]) *controlv1.CommandRecord {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := records.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRecords: each command is told of as soon as somebody holds the stream, with who sent it, what it was and what
// became of it, and without the epoch of the lease.
func TestRecords(t *testing.T) {
	m := startMotor(t, configIn(t.TempDir()))
	ctx := access.WithFrom(access.WithTokenID(access.WithUser(t.Context(), "anna"), "abcd2345"), "10.0.0.7:4711")
	lease, err := m.hold(ctx, "page")
	if err != nil {
		t.Fatal(err)
	}
	sequence := int64(0)
	header := func() *controlv1.CommandHeader {
		sequence++
		return &controlv1.CommandHeader{LeaseEpoch: lease.GetLease().GetEpoch(), Sequence: sequence,
			Heard: m.State().GetClock(), Life: durationpb.New(time.Second), Seen: timestamppb.New(time.Unix(1, 0))}
	}
	nothing := func(time.Time) {}
	// nobody holds the stream
	if _, err := m.Submit(ctx, header(), spoken{Rigid(true, nothing), `{"left":0}`}); err != nil {
		t.Fatal(err)
	}
	records := m.recorded(t)
	change := func(f func(*controlv1.CommandHeader)) func() *controlv1.CommandHeader {
		return func() *controlv1.CommandHeader {
			h := header()
			f(h)
			return h
		}
	}
	m.press(actor{name: "ben"}, "test")
	for _, tt := range []struct {
		header  func() *controlv1.CommandHeader
		command Command
		verdict controlv1.CommandVerdict
		lease   int64
		json    string
		err     string
	}{
		{header, spoken{Rigid(false, nothing), `{"left":1}`}, controlv1.CommandVerdict_COMMAND_VERDICT_E_STOPPED, 1,
			`{"left":1}`, "an e-stop is latched"},
		{change(func(h *controlv1.CommandHeader) { h.LeaseEpoch++ }), spoken{Rigid(false, nothing), "\xff"},
			controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE, 0, "�", "(anna (page) has it)"},
		{change(func(h *controlv1.CommandHeader) { h.Life = durationpb.New(time.Hour) }),
			spoken{Rigid(false, nothing), strings.Repeat("x", maxJSON+1)}, controlv1.CommandVerdict_COMMAND_VERDICT_UNSPECIFIED,
			1, "", "control.life"},
		{func() *controlv1.CommandHeader { return nil }, Rigid(false, nothing),
			controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE, 0, "", "no lease"},
	} {
		h := tt.header()
		_, failed := m.Submit(ctx, h, tt.command)
		r := next(t, records)
		if r.GetReport().GetVerdict() != tt.verdict || r.GetReport().GetSequence() != h.GetSequence() ||
			r.GetLease() != tt.lease || r.GetMessageJson() != tt.json || !strings.Contains(r.GetError(), tt.err) ||
			r.GetFactor() != 0 || r.GetError() != status.Convert(failed).Message() {
			t.Errorf("want %v, lease %d, %.20q, %q: %v", tt.verdict, tt.lease, tt.json, tt.err, r)
		}
		if r.GetHolder() != "anna (page)" || r.GetCaller() != "anna" || r.GetCallerToken() != "abcd2345" ||
			r.GetCallerAddress() != "10.0.0.7:4711" || r.GetEpoch() != m.Kit().Epoch() || !r.GetJudgeTime().IsValid() ||
			time.Since(r.GetJudgeTime().AsTime()) > patience || !r.GetReport().GetClock().IsValid() {
			t.Errorf("who and when: %v", r)
		}
		if h != nil && (r.GetHeard() == nil || r.GetLife() == nil || r.GetSeen().AsTime() != time.Unix(1, 0).UTC()) {
			t.Errorf("of its header: %v", r)
		}
		if text := protojson.Format(r); strings.Contains(text, fmt.Sprint(lease.GetLease().GetEpoch())) {
			t.Errorf("the lease's epoch is told: %s", text)
		}
	}
	m.Malformed(ctx, header(), status.Error(codes.InvalidArgument, "left: 1.5 is not a whole number"))
	if r := next(t, records); r.GetSequence() != 4 || r.GetError() != "left: 1.5 is not a whole number" ||
		r.GetLease() != 1 {
		t.Errorf("a message that cannot be read: %v", r)
	}
	if err := m.clear(m.State().GetEStop().GetId(), actor{name: "ben"}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Submit(ctx, header(), spoken{Rigid(true, nothing), `{"left":0}`}); err != nil {
		t.Fatal(err)
	}
	if r := next(t, records); r.GetFactor() != 1 || r.GetError() != "" || r.GetLease() != 1 || r.GetSequence() != 5 {
		t.Errorf("an accepted command: %v", r)
	}
	m.Detach()
	if _, err := m.Submit(ctx, header(), Rigid(false, nothing)); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
	if r := next(t, records); r.GetReport().GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_AWAY {
		t.Errorf("a command while the hardware is away: %v", r)
	}
}

// TestLeasesAreCounted: a record says with which lease of the process its command came.
func TestLeasesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := bench(t, &wire{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last *controlv1.CommandRecord
		go func() { _ = a.publishRecords(ctx, func(r *controlv1.CommandRecord) { last = r }) }()
		synctest.Wait()
		for want := range int64(3) {
			r, err := (&service{a: a}).Take(ctx, &controlv1.TakeRequest{Holder: "ann"})
			if err != nil {
				t.Fatal(err)
			}
			h := &controlv1.CommandHeader{LeaseEpoch: r.GetLease().GetEpoch(), Sequence: 7, Heard: r.GetState().GetClock()}
			_, _ = a.Submit(ctx, h, Rigid(true, nil)) // the hardware is away
			synctest.Wait()
			if last.GetLease() != want+1 || last.GetSequence() != want {
				t.Errorf("lease %d: %v", want+1, last)
			}
			time.Sleep(time.Hour)
		}
	})
}

// TestRecordsOfMany: commands of many at once are recorded in the order in which they were judged.
func TestRecordsOfMany(t *testing.T) {
	w := &wire{}
	a := bench(t, w)
	a.Attach()
	p := acquire(t, a, w)
	p.mustSend(t, "0")
	ctx, cancel := context.WithCancel(t.Context())
	var all []*controlv1.CommandRecord
	var publishing sync.WaitGroup
	publishing.Go(func() {
		_ = a.publishRecords(ctx, func(r *controlv1.CommandRecord) {
			if all = append(all, r); len(all) == 200 {
				cancel()
			}
		})
	})
	await(t, "records are wanted", func() bool { return a.judged.Subscribers() == 1 })
	var senders sync.WaitGroup
	for i := range int64(4) {
		senders.Go(func() {
			for n := range int64(50) {
				h := &controlv1.CommandHeader{LeaseEpoch: p.lease, Sequence: 2 + 4*n + i, Heard: durationpb.New(a.clock())}
				_, _ = a.Submit(ctx, h, spoken{Rigid(false, func(time.Time) {}), "{}"}) // some come out of order
			}
		})
	}
	senders.Wait()
	publishing.Wait()
	accepted, clock := int64(0), time.Duration(0)
	for i, r := range all {
		if r.GetSequence() != int64(i) || r.GetReport().GetClock().AsDuration() < clock {
			t.Fatalf("record %d is %v", i, r)
		}
		clock = r.GetReport().GetClock().AsDuration()
		if r.GetReport().GetVerdict() == controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED {
			if r.GetReport().GetSequence() <= accepted {
				t.Fatalf("%d was accepted after %d", r.GetReport().GetSequence(), accepted)
			}
			accepted = r.GetReport().GetSequence()
		}
	}
}

// TestRecordsDoNotHoldUp: while the bus takes no records, commands and stops go on, and what is lost shows as a gap.
func TestRecordsDoNotHoldUp(t *testing.T) {
	w := &wire{}
	a := bench(t, w)
	a.Attach()
	p := acquire(t, a, w)
	ctx, cancel := context.WithCancel(t.Context())
	stuck, free := make(chan struct{}), make(chan struct{})
	var sequences []int64
	var publishing sync.WaitGroup
	publishing.Go(func() {
		_ = a.publishRecords(ctx, func(r *controlv1.CommandRecord) {
			if sequences = append(sequences, r.GetSequence()); len(sequences) == 1 {
				close(stuck)
				<-free
			}
			if len(sequences) == recordsWaiting+1 {
				cancel()
			}
		})
	})
	await(t, "records are wanted", func() bool { return a.judged.Subscribers() == 1 })
	_, _ = p.send("0") // late on a busy machine
	<-stuck
	const lost = 10
	for range recordsWaiting + lost {
		_, _ = p.send("1")
	}
	a.press(actor{name: "ann"}, "")
	if said := w.all(); said[len(said)-1] != "e_stop" {
		t.Errorf("the last on the wire is %q", said[len(said)-1])
	}
	close(free)
	publishing.Wait()
	if sequences[0] != 0 || sequences[1] != 1+lost || sequences[recordsWaiting] != recordsWaiting+lost {
		t.Errorf("recorded %v", sequences)
	}
}

// BenchmarkSubmit measures what a command costs: alone, while its record is made for somebody, and while nobody takes
// those.
func BenchmarkSubmit(b *testing.B) {
	for name, send := range map[string]func(context.Context, *Actuator){
		"unrecorded": nil,
		"recorded": func(ctx context.Context, a *Actuator) {
			_ = a.publishRecords(ctx, func(*controlv1.CommandRecord) {})
		},
		"stuck": func(ctx context.Context, a *Actuator) {
			_ = a.publishRecords(ctx, func(*controlv1.CommandRecord) { <-ctx.Done() })
		},
	} {
		b.Run(name, func(b *testing.B) {
			w := &wire{}
			a := bench(b, w)
			a.Attach()
			p := acquire(b, a, w)
			p.mustSend(b, "0")
			ctx, cancel := context.WithCancel(b.Context())
			var publishing sync.WaitGroup
			if send != nil {
				publishing.Go(func() { send(ctx, a) })
				for a.judged.Subscribers() == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			command := spoken{Rigid(false, func(time.Time) {}), `{"left":100,"right":-100}`}
			for b.Loop() {
				p.sequence++
				if r, err := a.Submit(ctx, &controlv1.CommandHeader{LeaseEpoch: p.lease, Sequence: p.sequence, Heard: p.heard},
					command); err == nil {
					p.heard = r.GetClock()
				}
			}
			cancel()
			publishing.Wait()
		})
	}
}
