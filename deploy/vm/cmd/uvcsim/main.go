// Command uvcsim plugs a simulated USB webcam into this machine until it is stopped.
//
// It needs root and the kernel module vhci-hcd. It exits with 0 when it is interrupted, and with 1 when it fails or
// the host unplugs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/waldo-robot/waldo/deploy/vm/uvcsim"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: uvcsim\nplugs a simulated USB webcam into this machine until it is interrupted")
	}
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "uvcsim:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	plugged, err := uvcsim.New().Attach()
	if err != nil {
		return err
	}
	fmt.Println("plugged in; interrupt to unplug")
	select {
	case <-ctx.Done():
		return plugged.Unplug()
	case <-plugged.Done():
		if err := plugged.Unplug(); err != nil {
			return err
		}
		return fmt.Errorf("the host unplugged the camera")
	}
}
