package main

import (
	"context"
	"fmt"
	"log"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/lease"
)

const (
	// every is how often a command is sent.
	every = 33 * time.Millisecond
	// stale is after what time nobody should turn because of a picture.
	stale = 300 * time.Millisecond
	// fastest is the speed of the wheels for something at the edge of the picture, in the rover's own unit.
	fastest = 60
)

// wheel is where the robot should turn to. It turns for as long as new pictures say so.
type wheel struct {
	mu       sync.Mutex
	at       float64
	seen     time.Time
	captured *timestamppb.Timestamp
}

// turn says where something was seen, from -1, left, to 1, right, and when that picture was captured.
func (w *wheel) turn(at float64, captured *timestamppb.Timestamp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.seen, w.captured = at, time.Now(), captured
}

// picture is when the picture was captured that was seen last.
func (w *wheel) picture() *timestamppb.Timestamp {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.captured
}

// command is the command for the motors at a time.
func (w *wheel) command(now time.Time) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	speed := 0
	if now.Sub(w.seen) < stale {
		speed = int(fastest * w.at)
	}
	return fmt.Sprintf(`{"left": %d, "right": %d}`, speed, -speed)
}

// drive turns the robot until ctx ends. A lease that was lost is acquired again; that fails while somebody else drives.
func (w *wheel) drive(ctx context.Context, motors grpc.ClientConnInterface) {
	for ctx.Err() == nil {
		err := w.driveOnce(ctx, motors)
		if ctx.Err() != nil {
			return
		}
		log.Print("not driving: ", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (w *wheel) driveOnce(ctx context.Context, conn grpc.ClientConnInterface) error {
	l, err := lease.Acquire(ctx, conn, "offload")
	if err != nil {
		return err
	}
	defer l.Close() // stops the rover
	log.Print("driving")
	motors := serialv1.NewSerialServiceClient(conn)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for command := l.Neutral(); ; command = w.command(time.Now()) { // the first has to mean standing still
		l.Saw(w.picture()) // counts if the robot demands that its driver sees this camera
		header, err := l.Header(ctx)
		if err != nil {
			return err
		}
		r, err := motors.WriteMessage(ctx,
			&serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Json{Json: command}, Control: header})
		l.Heard(r.GetReport(), err) // the next command replaces a refused one, unless the lease is lost
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
