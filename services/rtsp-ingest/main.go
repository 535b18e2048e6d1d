// Command waldo-rtsp-ingest makes a network camera a camera of the robot. See waldo-rtsp-ingest --help. With --discover
// as the first argument it lists the cameras on the network instead, for waldo discover.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/conceal"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/discover"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/ingest"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == discover.Flag {
		list()
		return
	}
	conceal.Flags("url", "user", "password")
	device.Main(ingest.Kind())
}

// list prints the cameras on the network.
func list() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := discover.Run(ctx, os.Args[2:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
}
