// Roamer is a Go peer on the move, for tests: it watches the camera front and drives the motors, and prints what
// happens, a line each: the state of the connection, every tenth frame, and how driving goes.
//
// On SIGUSR1 it lets go of the lease that it has, acquires one, and drives until that is lost. Driving is never resumed
// by itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/lease"
	"github.com/waldo-robot/waldo/pkg/peer"
)

// every is the pause between two commands, and between two requests for the lease.
const every = 30 * time.Millisecond

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGUSR1)
	robot, err := peer.Dial(ctx, os.Args[1], peer.Options{Name: "roamer"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer robot.Close()
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() {
		for s := range robot.States(ctx) {
			fmt.Println("state", s)
		}
	})
	work.Go(func() { watch(ctx, robot) })
	for ctx.Err() == nil {
		driving, cancel := context.WithCancel(ctx)
		select {
		case <-again:
		case <-ctx.Done():
		}
		var driver sync.WaitGroup
		driver.Go(func() { fmt.Println("driving ended:", drive(driving, robot)) })
		select {
		case s := <-again: // another drive
			again <- s
		case <-ctx.Done():
		}
		cancel()
		driver.Wait()
	}
}

// watch counts frames.
func watch(ctx context.Context, robot *peer.Robot) {
	n := 0
	for _, err := range robot.Camera("front").Frames(ctx, 30) {
		if err != nil {
			fmt.Println("no frame:", err)
			continue
		}
		if n++; n%10 == 0 {
			fmt.Println("frame", n)
		}
	}
}

// drive drives until the lease is lost, and returns why it ended.
func drive(ctx context.Context, robot *peer.Robot) error {
	motors := serialv1.NewSerialServiceClient(robot.Device("motors"))
	var l *lease.Lease
	for l == nil {
		var err error
		if l, err = lease.Acquire(ctx, robot.Device("motors"), "roamer"); err != nil && !rest(ctx) {
			return err
		}
	}
	defer l.Close()
	for command := l.Neutral(); rest(ctx); {
		header, err := l.Header(ctx)
		if errors.Is(err, lease.ErrLost) {
			return err
		}
		if err != nil {
			continue
		}
		r, err := motors.WriteMessage(ctx, &serialv1.WriteMessageRequest{
			Body: &serialv1.WriteMessageRequest_Json{Json: command}, Control: header})
		l.Heard(r.GetReport(), err)
		if err == nil {
			command = `{"left": 120, "right": 120}`
		}
	}
	return ctx.Err()
}

// rest waits for the next command; false if ctx has ended.
func rest(ctx context.Context) bool {
	select {
	case <-time.After(every):
		return true
	case <-ctx.Done():
		return false
	}
}
