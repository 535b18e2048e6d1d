package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/recording/export"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/write"
)

// Formats of exports.
const (
	formatMP4     = "mp4"
	formatCSV     = "csv"
	formatLeRobot = "lerobot"
)

type exportCommand struct {
	Files  []string      `arg:"" name:"file" help:"Files of a recording, or of several. The first file of a recording of Waldo's stands for all of them."`
	To     string        `required:"" placeholder:"PATH" help:"Where to: a folder, or for MP4 also one file FILE.mp4 with everything."`
	Format string        `enum:"mp4,csv,lerobot" default:"mp4" help:"What to write: mp4, csv, or a lerobot dataset. Default: ${default}."`
	Device []string      `placeholder:"NAME" help:"Only this device; may be repeated. Default: all."`
	From   time.Duration `placeholder:"TIME" help:"From when on, after the start of the recording: 90s, 1m30s. Not for lerobot."`
	Until  time.Duration `placeholder:"TIME" help:"Until when, after the start of the recording. Default: its end. Not for lerobot."`
	FPS    int           `name:"fps" placeholder:"N" help:"Pictures a second of a lerobot dataset. Default: as the first camera."`
	Python string        `env:"WALDO_PYTHON" default:"python3" placeholder:"PROGRAM" help:"Python with the package waldo, for lerobot. Default: ${default}."`
}

// Help explains the command.
func (*exportCommand) Help() string {
	return `MP4: pictures and sound as they were recorded, without encoding them again. In a folder there is a file for each
camera, with its sound; a file begins with the newest key frame at or before --from.
CSV: a file for each stream of messages, with the time of arrival, the time of capture, and the fields.
LeRobot: a dataset in LeRobot's format v3.0, by python -m waldo.lerobot. For example:

  waldo export recordings/2026-11-30*.mcap --to drive.mp4
  waldo export drive.mcap --to csv/ --format csv --device motors --from 10s --until 1m`
}

// Run exports.
func (e *exportCommand) Run(ctx context.Context, c console) error {
	found, err := findRecordings(e.Files)
	if err != nil {
		return err
	}
	if e.Files, err = folder.Whole(found); err != nil {
		return err
	}
	for _, name := range folder.Missing(e.Files) {
		_, _ = fmt.Fprintf(c.plain().err, "warning: %s is missing: there is a gap in the recording\n", name)
	}
	if e.Format == formatLeRobot {
		return e.lerobot(ctx, c)
	}
	groups := recordingsOf(e.Files)
	if len(groups) > 1 && strings.EqualFold(filepath.Ext(e.To), ".mp4") {
		return fmt.Errorf("--to %s: these are the files of %d recordings: name a folder", e.To, len(groups))
	}
	for _, files := range groups {
		to := e.To
		if len(groups) > 1 {
			to = filepath.Join(to,
				strings.TrimSuffix(strings.TrimSuffix(filepath.Base(files[0]), write.PartSuffix), folder.Suffix))
		}
		if err := e.one(ctx, c, files, to); err != nil {
			return err
		}
	}
	return nil
}

// recordingsOf puts the files of each recording together, in the order in which they were given.
func recordingsOf(files []string) (groups [][]string) {
	places := map[string]int{}
	for _, path := range files {
		key := path
		if n, ok := folder.NameOf(path); ok {
			key = n.Recording().String()
		}
		i, known := places[key]
		if !known {
			i = len(groups)
			places[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], path)
	}
	return groups
}

// one exports one recording.
func (e *exportCommand) one(ctx context.Context, c console, files []string, to string) error {
	r, err := export.Open(files)
	if err != nil {
		return err
	}
	defer r.Close()
	choice := export.Choice{Devices: e.Device, From: e.From, To: e.Until}
	if isTerminal(c.err) {
		choice.Progress = func(share float64) { _, _ = fmt.Fprintf(c.err, "\r%3.0f %%\r", share*100) }
	}
	write := r.MP4
	if e.Format == formatCSV {
		write = r.CSV
	}
	result, err := write(ctx, to, choice)
	out := c.plain().err
	for _, file := range result.Files {
		if _, err := fmt.Fprintf(out, "wrote %s\n", file); err != nil {
			return err
		}
	}
	if err == nil {
		for _, note := range result.Notes {
			_, _ = fmt.Fprintf(out, "left out: %s\n", note)
		}
	}
	for _, path := range r.Growing() {
		_, _ = fmt.Fprintf(out, "%s is being written: it is exported as far as it had come\n", path)
	}
	damage := r.Damage()
	switch {
	case damage == nil:
	case len(result.Files) > 0:
		_, _ = fmt.Fprintf(out, "warning: damaged, and exported as far as it can be read: %v\n", damage)
	case err == nil:
		return fmt.Errorf("nothing was exported, damaged: %w", damage)
	default: // the damage may be the reason why there is nothing
		return fmt.Errorf("nothing was exported: %w; damaged: %w", err, damage)
	}
	return err
}

// noModule is the exit code of a Python without the module.
const noModule = 3

// lerobot lets the Python package write a dataset.
func (e *exportCommand) lerobot(ctx context.Context, c console) error {
	if e.From != 0 || e.Until != 0 {
		return errors.New("--from and --until are not for lerobot: each drive becomes an episode")
	}
	install := "install the Python package, in a clone of Waldo: pip install './clients/python[lerobot]', " +
		"and name its Python with --python"
	program, err := exec.LookPath(e.Python)
	if err != nil {
		return fmt.Errorf("--python: %w: %s", err, install)
	}
	const probe = "import importlib.util as u, sys\n" +
		"sys.exit(0 if all(u.find_spec(m) for m in ('waldo', 'mcap', 'pyarrow', 'av')) else 3)"
	var exit *exec.ExitError
	if err := exec.CommandContext(ctx, program, "-c", probe).Run(); errors.As(err, &exit) && exit.ExitCode() == noModule {
		return fmt.Errorf("%s has no waldo.lerobot: %s", program, install)
	} else if err != nil {
		return fmt.Errorf("--python: %s: %w", program, err)
	}
	arguments := []string{"-m", "waldo.lerobot"}
	for _, d := range e.Device {
		arguments = append(arguments, "--device", d)
	}
	if e.FPS != 0 {
		arguments = append(arguments, "--fps", fmt.Sprint(e.FPS))
	}
	arguments = append(append(append(arguments, "--"), e.Files...), e.To)
	command := exec.CommandContext(ctx, program, arguments...)
	command.Stdout, command.Stderr = c.out, c.err
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	if err := command.Run(); err != nil {
		return fmt.Errorf("the dataset was not written: %w", err)
	}
	return nil
}
