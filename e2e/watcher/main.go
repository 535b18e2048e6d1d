// Command watcher watches a camera of a robot over WebRTC, as a browser does, and prints a line for each picture: when
// it was complete, in microseconds since 1970, and the epoch of the camera's process.
//
//	watcher http://127.0.0.1:8080/ front
//
// The secret of the robot is in the environment variable WALDO_TOKEN. It runs until it is ended.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/pkg/peer"
)

// queued is how many pictures may wait to be printed.
const queued = 64

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := watch(ctx); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func watch(ctx context.Context) error {
	robot, err := peer.Dial(ctx, os.Args[1], peer.Options{Token: os.Getenv("WALDO_TOKEN")})
	if err != nil {
		return err
	}
	defer robot.Close()
	for frame, err := range robot.Camera(os.Args[2]).Frames(ctx, queued) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		fmt.Println(time.Now().UnixMicro(), frame.GetEpoch())
	}
	return ctx.Err()
}
