// Command waldo-gateway brings the cameras of a robot to browsers. See waldo-gateway --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/device/vital"
	"github.com/waldo-robot/waldo/pkg/output"
	"github.com/waldo-robot/waldo/pkg/settings"
	"github.com/waldo-robot/waldo/pkg/systemd"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/gateway"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/web"
)

// lastWords bounds the wait at the end for a log that takes nothing.
const lastWords = 100 * time.Millisecond

func main() {
	output.Survive()
	os.Exit(run(os.Args[1:], os.Getenv, os.Stderr))
}

// run returns an exit code of package device, as every process of a robot does.
func run(args []string, environ func(string) string, out io.Writer) int {
	c, err := config.Load(args, environ, out)
	switch {
	case errors.Is(err, settings.ErrHelp):
		return device.ExitStopped
	case err != nil:
		_, _ = fmt.Fprintf(out, "waldo-gateway: the configuration is wrong:\n%s\n", access.RedactText(err.Error()))
		return device.ExitConfiguration
	case c.Version:
		_, _ = fmt.Fprintf(out, "waldo-gateway %s\n", version.Version)
		return device.ExitStopped
	case c.Check && c.BusSeedFile != "":
		_, err = keys.Read(c.BusSeedFile)
	case !c.Check:
		c.BusSeed, err = keys.Handed(c.BusSeedFile, environ)
	}
	if err != nil {
		_, _ = fmt.Fprintf(out, "waldo-gateway: the configuration is wrong:\n%s\n", err)
		return device.ExitConfiguration
	}
	if c.Check {
		settings.PrintWarnings(out, c.Warnings)
		return device.ExitStopped
	}
	return serve(c, environ, out)
}

// serve serves until a signal comes or serving fails, and returns an exit code.
func serve(c *config.Config, environ func(string) string, out io.Writer) int {
	if c.Gateway.Authority().Guarded() {
		access.HideMemory()
	}
	level, _ := c.Level() // checked by config.Load
	patient := output.NewLog(systemd.Log(out, environ,
		systemd.Fields("waldo-gateway", robotOf(c), "gateway", access.NewID())))
	defer patient.Close(lastWords)
	log := slog.New(slog.NewTextHandler(patient, &slog.HandlerOptions{Level: level, ReplaceAttr: access.RedactAttr}))
	for _, w := range c.Warnings {
		log.Warn(w.Error())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	g, err := gateway.Start(c, version.Version, web.Files, log)
	if err != nil {
		log.Error("cannot start", "error", err)
		if gateway.IsAddressError(err) {
			return device.ExitAddress
		}
		return device.ExitConfiguration
	}
	served := describe(c) + " is at " + g.URL()
	if c.Fleet {
		log.Info(served, "ice", g.ICE())
	} else {
		log.Info(served, "robot", c.Robot, "ice", g.ICE())
	}
	unit := systemd.NewUnit(environ)
	defer report(unit, g, served)()
	select {
	case <-ctx.Done():
		unit.Stopping()
		stop() // a second signal ends the process at once
		g.Close()
		return device.ExitStopped
	case err := <-g.Failed():
		log.Error("stopped serving", "error", err)
		g.Close()
		return device.ExitAddress
	}
}

// robotOf is the robot that the gateway serves; empty if it serves those of a fleet.
func robotOf(c *config.Config) string {
	if c.Fleet {
		return ""
	}
	return c.Robot
}

// describe says what people find at the gateway's address.
func describe(c *config.Config) string {
	if c.Fleet {
		return "the list of robots"
	}
	return "the robot's page"
}

// report tells systemd that the gateway serves and, until the function that it returns is called, that it is alive: as
// the launcher would find out.
func report(unit *systemd.Unit, g *gateway.Gateway, served string) (stop func()) {
	unit.Ready(served)
	ctx, cancel := context.WithCancel(context.Background())
	page := vital.NewPage("http://" + vital.Local(g.Listening()) + "/")
	var watching sync.WaitGroup
	watching.Go(func() {
		unit.Watch(ctx, func(ctx context.Context) bool { return page.Ask(ctx) != vital.Silent })
	})
	return func() {
		cancel()
		watching.Wait()
		page.Close()
	}
}
