package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
)

type discoverCommand struct {
	Hosts []string      `arg:"" optional:"" name:"host" help:"Ask only these cameras, by name or address."`
	User  string        `placeholder:"NAME" help:"Who asks for streams. The password is taken from WALDO_PASSWORD."`
	Wait  time.Duration `default:"3s" placeholder:"TIME" help:"How long answers are waited for."`
	JSON  bool          `name:"json" help:"Print JSON: a list of objects."`
}

// Help explains the command.
func (*discoverCommand) Help() string {
	return `Network cameras are found by ONVIF; in many it has to be switched on first, and given a user of its own.
Most tell their streams only to users:

  WALDO_PASSWORD=secret waldo discover --user viewer
  WALDO_PASSWORD=secret waldo discover --user viewer 10.0.0.7      # asks this camera only
  waldo discover --json | jq -r '.[].streams[].url'

The URLs are for the key url of a device of kind rtsp-ingest. A user's password never leaves this machine in the clear,
but a digest of it goes to everything that claims to be a camera: on a network with strangers, name the hosts.`
}

// kindOfCameras is the kind whose program knows how to find network cameras.
const kindOfCameras = "rtsp-ingest"

// Run has the program for network cameras print them.
func (d *discoverCommand) Run(ctx context.Context, c console) error {
	programs, err := launch.InstalledPrograms()
	if err != nil {
		return err
	}
	path, err := programs.Find(kindOfCameras)
	if err != nil {
		return err
	}
	args := []string{"--discover", "--wait", d.Wait.String()}
	if d.JSON {
		args = append(args, "--json")
	}
	cmd := exec.CommandContext(ctx, path, append(append(args, "--"), d.Hosts...)...)
	cmd.Env = os.Environ()
	if d.User != "" {
		cmd.Env = append(cmd.Env, "WALDO_USER="+d.User) // a list of processes does not show it
	}
	cmd.Stdout, cmd.Stderr = c.out, c.err
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); ok { // it has said why
		return errors.New("the search for cameras failed")
	}
	return err
}
