// Command padrover drives a rover with a gamepad, without a browser: padrover <address of the pad> <address of the
// motors>. The README beside it explains it step by step.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/pkg/lease"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: padrover <address of the pad> <address of the motors>, as waldo ls prints them")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := drive(ctx, os.Args[1], os.Args[2]); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func drive(ctx context.Context, padAddress, motorsAddress string) error {
	plain := grpc.WithTransportCredentials(insecure.NewCredentials())
	// no report is old
	padConn, err := grpc.NewClient(padAddress, plain, grpc.WithStreamInterceptor(inflight.Acknowledging(4)))
	if err != nil {
		return err
	}
	motorsConn, err := grpc.NewClient(motorsAddress, plain)
	if err != nil {
		return err
	}
	l, err := lease.Acquire(ctx, motorsConn, "padrover")
	if err != nil {
		return err
	}
	defer l.Close() // stops the rover
	var s stick
	ctx, fail := context.WithCancelCause(ctx)
	go func() { fail(s.follow(ctx, inputv1.NewInputServiceClient(padConn))) }()
	motors := serialv1.NewSerialServiceClient(motorsConn)
	command := l.Neutral() // the first command has to mean standing still
	for tick := time.NewTicker(33 * time.Millisecond); ; command = s.command(time.Now()) {
		header, err := l.Header(ctx)
		if err != nil {
			return err
		}
		r, err := motors.WriteMessage(ctx,
			&serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Json{Json: command}, Control: header})
		l.Heard(r.GetReport(), err) // the next command replaces a refused one, unless the lease is lost
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
