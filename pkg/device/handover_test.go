package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/handover"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// film is a device that shows pictures of which every tenth is a key frame, and others when they are asked for.
type film struct {
	asked chan struct{}
	kept  []byte // what it was left
	says  string // what it leaves
	lease func() string
}

func (f *film) kind(beside bool, run driverFunc) Kind[config] {
	f.asked = make(chan struct{}, 1)
	return Kind[config]{Name: "film", Version: "1.0.0", Beside: func(config) bool { return beside },
		New: func(k *Kit, _ config) (Driver, error) {
			out := NewOut[*mediav1.VideoFrame](k, "video", OutOptions{KeyFrameOnRequest: true,
				Begin: func(context.Context) error { f.asked <- struct{}{}; return nil }})
			k.Keep("film", func() []byte { return []byte(f.says) }, func(left []byte) { f.kept = left })
			k.BeforeRestart(func() []Obstacle {
				if f.lease == nil || f.lease() == "" {
					return nil
				}
				return []Obstacle{{devicev1.RestartObstacleKind_RESTART_OBSTACLE_KIND_LEASE, f.lease()}}
			})
			if run != nil {
				return run, nil
			}
			return driverFunc(func(ctx context.Context, ready func()) error { return f.show(ctx, k, out, ready) }), nil
		}}
}

func (f *film) show(ctx context.Context, k *Kit, out *Out[*mediav1.VideoFrame], ready func()) error {
	ready()
	return out.WhileHeld(ctx, func(ctx context.Context) error {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		key := true
		for i := int64(0); ; i++ {
			out.Publish(&mediav1.VideoFrame{Epoch: k.Epoch(), Sequence: i, KeyFrame: key, CaptureTime: timestamppb.Now()})
			key = (i+1)%10 == 0
			select {
			case <-tick.C:
			case <-f.asked:
				key = true
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

// stage is a film that somebody watches.
type stage struct {
	url    string
	old    *Process
	client devicev1.DeviceServiceClient
	frames *bus.Subscription[*mediav1.VideoFrame]
	resync media.Resync
	linger bool // an old process does not stop by itself
}

func newStage(t *testing.T, k Kind[config]) *stage {
	t.Helper()
	server := startServer(t, embedded.Config{})
	s := &stage{url: server.URL(), old: start(t, k, Settings{NATS: server.URL()})}
	conn := connect(t, server.URL())
	address := bus.Address{Robot: "r", Device: "d"}
	s.client = devicev1.NewDeviceServiceClient(conn.Client(address))
	var err error
	if s.frames, err = bus.Subscribe[*mediav1.VideoFrame](conn, address.Out("video"),
		stream.DropOldest(100_000)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.frames.Close)
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	hold := conn.Hold(address, "video", "test")
	t.Cleanup(hold.Close)
	return s
}

// watch returns when this many frames have come in a row of one epoch, which is not that of before, without one that a
// decoder could not show.
func (s *stage) watch(t *testing.T, epoch int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfTests)
	defer cancel()
	for good := 0; good < 30; {
		f, err := s.frames.Next(ctx)
		if err != nil {
			t.Fatalf("no frames of %d: %v", epoch, err)
		}
		if !s.resync.Accept(f.GetEpoch(), f.GetSequence(), f.GetKeyFrame()) {
			t.Fatalf("frame %d of %d cannot be shown", f.GetSequence(), f.GetEpoch())
		}
		if good++; f.GetEpoch() != epoch {
			good = 0
		}
	}
}

// succession is a handover under way.
type succession struct {
	old, next *handover.Conn
	answered  chan error // what became of the side of the predecessor: nil if it is done
	from      *predecessor
}

// offer has the old process hand over to whoever speaks at the other end.
func (s *stage) offer(t *testing.T, force bool) *succession {
	t.Helper()
	a, b, err := handover.Pair()
	if err != nil {
		t.Fatal(err)
	}
	o := &succession{answered: make(chan error, 1)}
	if o.old, err = handover.Open(a); err != nil {
		t.Fatal(err)
	}
	if o.next, err = handover.Open(b); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.next.Close)
	o.from = &predecessor{p: s.old, conn: o.old, force: force, taken: func() {}}
	t.Cleanup(func() { closeAll(o.from.sockets) })
	old, linger := s.old, s.linger
	go func() {
		done, why := o.from.handOver()
		if done {
			why = nil
		}
		if done && !linger {
			old.Stop()
		}
		o.answered <- why
	}()
	return o
}

// succeed is the side of a successor, in this process.
func (o *succession) succeed(t *testing.T, s *stage, k Kind[config]) (*Process, error) {
	t.Helper()
	p, err := succeed(t.Context(), k, Settings{Robot: "r", Device: "d", NATS: s.url}, config{},
		logtest.New(t, slog.LevelInfo), o.next)
	if err == nil {
		t.Cleanup(p.Stop)
	}
	return p, err
}

// TestNoPictureIsMissed: every frame that comes can be shown, from the old process and then from the new one.
func TestNoPictureIsMissed(t *testing.T) {
	for name, beside := range map[string]bool{"beside": true, "one after the other": false} {
		t.Run(name, func(t *testing.T) {
			old, next := &film{says: "a limit"}, &film{}
			s := newStage(t, old.kind(beside, nil))
			s.watch(t, s.old.Kit().Epoch())
			address := s.old.GRPCAddress()
			o := s.offer(t, false)
			p, err := o.succeed(t, s, next.kind(beside, nil))
			if err != nil {
				t.Fatal(err)
			}
			s.watch(t, p.Kit().Epoch())
			if err := <-o.answered; err != nil {
				t.Errorf("the old process goes on: %v", err)
			}
			if p.GRPCAddress() != address || string(next.kept) != "a limit" {
				t.Errorf("at %s in place of %s, left %q", p.GRPCAddress(), address, next.kept)
			}
			untilReady(t, p) // over gRPC, at the address of before
			d, err := s.client.GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
			if err != nil || d.GetDevice().GetEpoch() != p.Kit().Epoch() {
				t.Errorf("calls are answered by %v, %v", d, err)
			}
		})
	}
}

// TestASuccessorIsSucceeded: who has taken over hands over as any other, and is silent from then on.
func TestASuccessorIsSucceeded(t *testing.T) {
	s := newStage(t, (&film{}).kind(true, nil))
	s.linger = true
	for range 3 {
		s.watch(t, s.old.Kit().Epoch())
		o := s.offer(t, false)
		p, err := o.succeed(t, s, (&film{}).kind(true, nil))
		if err != nil {
			t.Fatal(err)
		}
		if err := <-o.answered; err != nil {
			t.Fatal(err)
		}
		s.watch(t, p.Kit().Epoch()) // which has key frames, with which the old process could come back
		s.old.kit.speak(false)
		s.old.Stop()
		s.old = p
	}
}

// TestTheOldProcessGoesOn when the new one is refused, fails, or does not become ready.
func TestTheOldProcessGoesOn(t *testing.T) {
	broken := func(context.Context, func()) error { return errors.New("no such camera") }
	for name, tt := range map[string]struct {
		lease  string
		beside bool
		run    driverFunc
		says   string
	}{
		"somebody drives":            {`the lease is held by "Ann"`, true, nil, `"Ann": it would stop`},
		"somebody drives a board":    {`the lease is held by "Ann"`, false, nil, `"Ann": it would stop`},
		"the hardware cannot be had": {"", false, broken, "no such camera"},
	} {
		t.Run(name, func(t *testing.T) {
			old, next := &film{lease: func() string { return tt.lease }}, &film{}
			s := newStage(t, old.kind(tt.beside, nil))
			s.watch(t, s.old.Kit().Epoch())
			o := s.offer(t, false)
			p, err := o.succeed(t, s, next.kind(tt.beside, tt.run))
			if p != nil || err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("%v, want %q", err, tt.says)
			}
			if err := <-o.answered; err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("the old process says %v, want %q", err, tt.says)
			}
			if o.from.yielded != (tt.run != nil) {
				t.Errorf("yielded: %v", o.from.yielded)
			}
			if !o.from.yielded {
				s.watch(t, s.old.Kit().Epoch())
			}
		})
	}
}

// TestForce: who insists takes over from what is being driven.
func TestForce(t *testing.T) {
	s := newStage(t, (&film{lease: func() string { return "driven" }}).kind(false, nil))
	o := s.offer(t, true)
	p, err := o.succeed(t, s, (&film{}).kind(false, nil))
	if err != nil {
		t.Fatal(err)
	}
	s.watch(t, p.Kit().Epoch())
}

// TestASuccessorThatEnds, at whatever point of the conversation: the old process serves as before.
func TestASuccessorThatEnds(t *testing.T) {
	questions := []handover.Message{{Kind: handover.Hello}, {Kind: handover.Take, Stream: "video"}, {Kind: handover.Serve}}
	for n := range len(questions) + 1 {
		t.Run(fmt.Sprint("after ", n, " questions"), func(t *testing.T) {
			s := newStage(t, (&film{}).kind(true, nil))
			s.watch(t, s.old.Kit().Epoch())
			o := s.offer(t, false)
			for _, q := range questions[:n] {
				if err := o.next.Send(q); err != nil {
					t.Fatal(err)
				}
				_, files, err := o.next.Receive()
				if err != nil {
					t.Fatal(err)
				}
				closeAll(files)
			}
			o.next.Close()
			if err := <-o.answered; err == nil {
				t.Fatal("it is done")
			}
			until(t, s.states(t), "the state", func(d *devicev1.Device) bool { return d.GetState() == ready })
			if d, err := s.client.GetDevice(t.Context(), &devicev1.GetDeviceRequest{}); err != nil ||
				d.GetDevice().GetEpoch() != s.old.Kit().Epoch() {
				t.Errorf("calls are answered by %v, %v", d, err)
			}
			s.seen(t, s.old.Kit().Epoch())
		})
	}
}

func (s *stage) states(t *testing.T) *bus.Subscription[*devicev1.Device] {
	t.Helper()
	return states(t, connect(t, s.url))
}

// seen returns when frames of an epoch come.
func (s *stage) seen(t *testing.T, epoch int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfTests)
	defer cancel()
	since := time.Now()
	for {
		f, err := s.frames.Next(ctx)
		if err != nil {
			t.Fatalf("no frames of %d: %v", epoch, err)
		}
		if f.GetCaptureTime().AsTime().After(since) && f.GetEpoch() == epoch {
			return
		}
	}
}

// TestAPredecessorThatEnds, at whatever point: the new process serves.
func TestAPredecessorThatEnds(t *testing.T) {
	for _, at := range []handover.Kind{handover.Hello, handover.Take, handover.Serve, handover.Yield} {
		t.Run(string(at), func(t *testing.T) {
			beside := at != handover.Yield
			s := newStage(t, (&film{}).kind(beside, nil))
			s.watch(t, s.old.Kit().Epoch())
			a, b, err := handover.Pair()
			if err != nil {
				t.Fatal(err)
			}
			conn, err := handover.Open(a)
			if err != nil {
				t.Fatal(err)
			}
			o := &succession{}
			if o.next, err = handover.Open(b); err != nil {
				t.Fatal(err)
			}
			from := &predecessor{p: s.old, conn: conn, taken: func() {}}
			var answering sync.WaitGroup
			answering.Go(func() {
				defer func() { closeAll(from.sockets) }()
				defer conn.Close()
				for {
					m, _, err := conn.Receive()
					if err != nil || m.Kind == at {
						s.old.kit.speak(false)
						s.old.Stop() // as if it had been killed
						return
					}
					_ = from.answer(m)
				}
			})
			defer answering.Wait()
			p, err := o.succeed(t, s, (&film{}).kind(beside, nil))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patienceOfTests)
			defer cancel()
			for f := (*mediav1.VideoFrame)(nil); f.GetEpoch() != p.Kit().Epoch(); {
				if f, err = s.frames.Next(ctx); err != nil {
					t.Fatal(err)
				}
			}
			untilReady(t, p)
		})
	}
}

func TestRestartSafety(t *testing.T) {
	lease := ""
	s := newStage(t, (&film{lease: func() string { return lease }}).kind(true, nil))
	s.watch(t, s.old.Kit().Epoch())
	ask := func() (kinds []devicev1.RestartObstacleKind) {
		t.Helper()
		r, err := s.client.GetRestartSafety(t.Context(), &devicev1.GetRestartSafetyRequest{})
		if err != nil || !r.GetWithoutGap() || r.GetSafe() != (len(r.GetObstacles()) == 0) {
			t.Fatalf("%v, %v", r, err)
		}
		for _, o := range r.GetObstacles() {
			kinds = append(kinds, o.GetKind())
		}
		return kinds
	}
	const held, reads = devicev1.RestartObstacleKind_RESTART_OBSTACLE_KIND_LEASE,
		devicev1.RestartObstacleKind_RESTART_OBSTACLE_KIND_READER
	if got := ask(); !slices.Equal(got, []devicev1.RestartObstacleKind{reads}) {
		t.Errorf("watched: %v", got)
	}
	lease = "driven"
	if got := ask(); !slices.Equal(got, []devicev1.RestartObstacleKind{held, reads}) {
		t.Errorf("driven and watched: %v", got)
	}
	lease = ""
	s.old.kit.findOut("video").holds.inherit(nil, 0)
	if got := ask(); len(got) > 0 && !slices.Equal(got, []devicev1.RestartObstacleKind{reads}) { // it may be held again
		t.Errorf("nothing: %v", got)
	}
}

// TestHoldsAreLeftWithTheirTime: a hold that nobody renews ends in the new process as it would have in the old one.
func TestHoldsAreLeftWithTheirTime(t *testing.T) {
	s := newStage(t, (&film{}).kind(true, nil))
	s.watch(t, s.old.Kit().Epoch())
	_, err := s.client.HoldStream(t.Context(), &devicev1.HoldStreamRequest{Stream: "video", Holder: "gone",
		Ttl: durationpb.New(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	o := s.offer(t, false)
	p, err := o.succeed(t, s, (&film{}).kind(true, nil))
	if err != nil {
		t.Fatal(err)
	}
	holds := p.Kit().findOut("video").holds
	if n := holds.count(); n != 2 {
		t.Errorf("%d holds were left, want 2", n)
	}
	for deadline := time.Now().Add(patienceOfTests); holds.count() != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d holds are left", holds.count())
		}
	}
	if _, err := s.client.HoldStream(t.Context(),
		&devicev1.HoldStreamRequest{Stream: "x"}); status.Code(err) != codes.NotFound {
		t.Error(err)
	}
}
