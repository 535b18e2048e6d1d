package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/replayed"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/play"
)

type replayCommand struct {
	Files       []string      `arg:"" name:"file" help:"Files of one recording. The first file of a recording of Waldo's stands for all of them."`
	Speed       float64       `default:"1" help:"How fast it plays, 0.1 to 10."`
	Start       time.Duration `placeholder:"OFFSET" help:"Where it begins, after the beginning of the recording, like 1m30s."`
	Loop        bool          `help:"Begin again after the end."`
	Paused      bool          `help:"Wait for play."`
	Robot       string        `placeholder:"NAME" help:"Name of the replayed robot. Default: as it was recorded."`
	HTTP        string        `name:"http" placeholder:"HOST:PORT" help:"Where the page is served. Default: a free port of 127.0.0.1."`
	secretFlags `embed:""`
}

// Help explains the command.
func (*replayCommand) Help() string {
	return `Each recorded device comes back as a process of its own, of the same kind and with the same streams, so the page,
programs and other commands work as with the robot itself. What moved can be looked at, not driven. The page has buttons
to play, pause, jump, and change the speed; so has the device "player" (waldo call player Pause).

The replay has a bus and ports of its own and does not touch a robot of the same name that runs on this machine; no
rendezvous server gets to know it. The line
"robot …, bus nats://…" says where the bus is: WALDO_NATS=nats://… waldo watch motors.

Files of other programs play if they have pictures as foxglove.CompressedVideo or CompressedImage in protobuf. A file
that was cut off is played as far as it goes. No file is changed.`
}

// Run replays until it is stopped.
func (r *replayCommand) Run(ctx context.Context, c console) error {
	files, err := findRecordings(r.Files) // in this machine's folder for state, before it is that of the replay
	if err != nil {
		return configurationError{err}
	}
	r.Files = files
	remove, err := separate(os.TempDir())
	if err != nil {
		return err
	}
	defer remove()
	plan, err := r.plan(ctx, c)
	if err != nil {
		return err
	}
	r.hideMemory()
	printer := supervise.NewPrinter(c.err, plan.Names(), hasColors(c.err))
	defer printer.Close()
	return c.patient(func(out io.Writer) error {
		return plan.Run(ctx, printer, func(url string) { announce(out, url, plan.Page(), isTerminal(c.out)) })
	})
}

// plan returns a plan that has passed every check possible before it runs, and says what it will replay.
func (r *replayCommand) plan(ctx context.Context, c console) (*launch.Plan, error) {
	files, err := replayed.Files(r.Files)
	if err != nil {
		return nil, configurationError{err}
	}
	recording, err := play.Open(files...)
	if err != nil {
		return nil, configurationError{err}
	}
	defer func() { _ = recording.Close() }() // each process opens it itself
	text, err := replayed.Robot(recording, replayed.Options{Files: files, Name: r.Robot, HTTP: r.HTTP, Speed: r.Speed,
		Start: r.Start, Loop: r.Loop, Paused: r.Paused})
	if err != nil {
		return nil, configurationError{err}
	}
	describeReplay(c.plain(), recording, files)
	described, err := robot.Parse(replayed.File, text)
	if err != nil {
		return nil, configurationError{err}
	}
	programs, err := launch.InstalledPrograms()
	if err != nil {
		return nil, err
	}
	plan, missing := launch.New(described, programs, launch.Config{HTTP: r.HTTP, Token: r.Token})
	if err := errors.Join(missing, plan.Check(ctx)); err != nil {
		return nil, configurationError{fmt.Errorf("the recording cannot be replayed:\n%w", err)}
	}
	return plan, nil
}

// describeReplay says what is replayed, and what is not.
func describeReplay(c console, r *play.Recording, files []string) {
	devices, left := r.Devices()
	var names []string
	for _, d := range devices {
		names = append(names, d.Name)
	}
	more := ""
	if n := len(files) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	_, _ = fmt.Fprintf(c.err, "%s%s: %v, recorded %s; devices: %s\n", files[0], more, r.Duration().Round(time.Millisecond),
		r.Begin().Local().Format(time.DateTime), strings.Join(names, ", "))
	if err := r.Problem(); err != nil {
		_, _ = fmt.Fprintf(c.err, "warning: damaged, and played as far as it can be read: %v\n", err)
	}
	for _, name := range folder.Missing(files) {
		_, _ = fmt.Fprintf(c.err, "warning: %s is missing: there is a gap in the recording\n", name)
	}
	for _, ch := range left {
		_, _ = fmt.Fprintf(c.err, "left out: %s (%s)\n", ch.Topic, replayed.Why(ch))
	}
}
