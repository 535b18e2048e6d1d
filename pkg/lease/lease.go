// Package lease is for programs that drive: it acquires the lease on an actuator, keeps it alive, and
// makes the header that each command needs.
//
//	l, err := lease.Acquire(ctx, conn, "my program")
//	…
//	defer l.Close()
//	header, err := l.Header(ctx)
//	…
//	r, err := motors.WriteMessage(ctx, &serialv1.WriteMessageRequest{Body: …, Control: header})
//	l.Heard(r.GetReport(), err)
//
// The first command must be neutral: [Lease.Neutral] returns it. After that, commands have to be sent
// several times a second, or the actuator stops the hardware.
//
// An actuator may demand that its driver sees a camera: [Lease.Camera] names it. A program that takes pictures of it
// reports each by [Lease.Saw], and every header says which was the last; without a new one the actuator slows down and
// stops:
//
//	for frame, err := range robot.Camera(l.Camera()).Frames(ctx, 8) {
//		l.Saw(frame.GetCaptureTime())
//
// A [Lease] works over gRPC and over the bus alike. It is safe for concurrent use, although the commands
// of one lease have an order that its users must agree on. It runs one goroutine, which ends on Close or
// when the lease is lost.
package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/control"
)

const (
	keepAliveEvery = control.LeaseTTL * 3 / 10
	// callTimeout bounds the calls that the lease makes itself; after two failures in a row the lease
	// has expired.
	callTimeout = control.LeaseTTL / 2
	// freshEnough is how old the newest clock may be, by our own clock, to be worth echoing: a quarter
	// of a command's life.
	freshEnough = control.DefaultLife / 4
)

// ErrLost means that the lease is no longer ours.
var ErrLost = errors.New("the lease was lost")

// Lease is the right to command one actuator.
type Lease struct {
	client  controlv1.ControlServiceClient
	epoch   int64
	neutral string
	cancel  context.CancelFunc
	done    chan struct{} // closed when the goroutine has ended

	mu       sync.Mutex
	sequence int64
	clock    time.Duration // the newest clock received from the actuator …
	heard    time.Time     // … and when
	trip     time.Duration // shortest round trip of the last calls; 0 if unknown
	lost     error
	sight    *controlv1.Sight       // as the actuator last had it; nil if it does not watch that
	seen     *timestamppb.Timestamp // when the picture was captured that was seen last; nil if none was
}

// Acquire acquires the lease on the actuator at the other end of conn. The holder's name is for people
// to read. The error is that of ControlService.Acquire.
func Acquire(ctx context.Context, conn grpc.ClientConnInterface, holder string) (*Lease, error) {
	client := controlv1.NewControlServiceClient(conn)
	r, err := client.Acquire(ctx, &controlv1.AcquireRequest{Holder: holder})
	if err != nil {
		return nil, err
	}
	return newLease(client, r.GetLease(), r.GetState()), nil
}

// Take takes the lease even if somebody else holds it, with the override key if one is configured. The
// error is that of ControlService.Take.
func Take(ctx context.Context, conn grpc.ClientConnInterface, holder, key string) (*Lease, error) {
	client := controlv1.NewControlServiceClient(conn)
	r, err := client.Take(ctx, &controlv1.TakeRequest{Holder: holder, Key: key})
	if err != nil {
		return nil, err
	}
	return newLease(client, r.GetLease(), r.GetState()), nil
}

func newLease(client controlv1.ControlServiceClient, granted *controlv1.Lease, state *controlv1.ControlState) *Lease {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Lease{
		client: client, epoch: granted.GetEpoch(), neutral: state.GetSafeJson(), cancel: cancel, done: make(chan struct{}),
		clock: state.GetClock().AsDuration(), heard: time.Now(), sight: state.GetSight(),
	}
	go func() {
		defer close(l.done)
		l.keep(ctx)
	}()
	return l
}

// keep gives signs of life until ctx ends or the lease is lost.
func (l *Lease) keep(ctx context.Context) {
	tick := time.NewTicker(keepAliveEvery)
	defer tick.Stop()
	for l.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = l.keepAlive(ctx) // retried soon, unless the lease is lost
		}
	}
}

// keepAlive gives one sign of life and receives the clock.
func (l *Lease) keepAlive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	begin := time.Now()
	r, err := l.client.KeepAlive(ctx, &controlv1.KeepAliveRequest{LeaseEpoch: l.epoch})
	if err != nil {
		l.fail(err)
		return err
	}
	l.note(r.GetState().GetClock(), r.GetState().GetSight())
	l.measure(time.Since(begin))
	return nil
}

// note records what was just received: a clock, and what the actuator knows of what the driver sees, which not every
// report says.
func (l *Lease) note(clock *durationpb.Duration, sight *controlv1.Sight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sight != nil {
		l.sight = sight
	}
	if c := clock.AsDuration(); c > l.clock {
		l.clock, l.heard = c, time.Now()
	}
}

// measure records a round trip. The shortest counts, and is slowly forgotten in case the path gets longer.
func (l *Lease) measure(trip time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trip > 0 {
		trip = min(trip, l.trip+l.trip/8)
	}
	l.trip = trip
}

// fail records that the lease is lost, if that is what the error means.
func (l *Lease) fail(err error) {
	lost := status.Code(err) == codes.FailedPrecondition
	if report := Report(err); report != nil {
		lost = report.GetVerdict() == controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if lost && l.lost == nil {
		l.lost = fmt.Errorf("%w: %s", ErrLost, status.Convert(err).Message())
	}
}

// Neutral is the command that means standing still, as JSON.
func (l *Lease) Neutral() string { return l.neutral }

// Camera is the name of the camera that the driver must see; empty if the actuator does not watch that.
func (l *Lease) Camera() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sight.GetCamera()
}

// Sight is what the actuator last said of what the driver sees; nil if it does not watch that.
func (l *Lease) Sight() *controlv1.Sight {
	l.mu.Lock()
	defer l.mu.Unlock()
	return proto.CloneOf(l.sight)
}

// Saw records when the picture was captured that the driver has seen last, of the camera that [Lease.Camera] names: the
// capture time of its frame, unchanged. Headers that are made from now on have it.
func (l *Lease) Saw(captured *timestamppb.Timestamp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = captured
}

// Err returns why the lease is lost, as an error that wraps [ErrLost], or nil while it is not known to
// be lost.
func (l *Lease) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// Header returns the header for the next command. It first asks for the actuator's clock if the newest
// known one is old, because no reports have come for a while. It fails with an error that wraps
// [ErrLost] once the lease is lost.
func (l *Lease) Header(ctx context.Context) (*controlv1.CommandHeader, error) {
	l.mu.Lock()
	old := time.Since(l.heard) > freshEnough
	l.mu.Unlock()
	if old {
		if err := l.keepAlive(ctx); err != nil && l.Err() == nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost != nil {
		return nil, l.lost
	}
	l.sequence++
	h := &controlv1.CommandHeader{
		LeaseEpoch: l.epoch, Sequence: l.sequence, Heard: durationpb.New(l.clock),
		Life: durationpb.New(min(control.DefaultLife+l.trip, control.MaxLife)),
	}
	if l.sight != nil {
		h.Seen = l.seen
	}
	return h, nil
}

// Heard records the outcome of a command: its report, or its error.
func (l *Lease) Heard(report *controlv1.CommandReport, err error) {
	if err != nil {
		l.fail(err)
		report = Report(err)
	}
	if report != nil {
		l.note(report.GetClock(), report.GetSight())
	}
}

// Report returns the report in the error of a refused command, or nil for any other error.
func Report(err error) *controlv1.CommandReport {
	for _, detail := range status.Convert(err).Details() {
		if report, ok := detail.(*controlv1.CommandReport); ok {
			return report
		}
	}
	return nil
}

// Close releases the lease if the actuator can be reached, which stops the hardware. It may be called
// more than once.
func (l *Lease) Close() {
	l.cancel()
	<-l.done
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	_, _ = l.client.Release(ctx, &controlv1.ReleaseRequest{LeaseEpoch: l.epoch}) // otherwise it expires
}
