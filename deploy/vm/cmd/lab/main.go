// Command lab runs a program in the hardware lab's virtual machine and ends with its exit status.
//
//	lab -image DIR [-timeout 10m] [-with FILE]... run PROGRAM [ARGUMENT]...
//	lab -image DIR shell
//	lab -image DIR boot DISK
//
// PROGRAM and every FILE are copied into a fresh folder of the guest, where PROGRAM runs as root with
// WALDO_REQUIRE_HARDWARE=1. boot boots the system on a disk instead, until that switches itself off, and prints what it
// writes to /dev/ttyS1; whoever kills this command cuts its power. Exit status 125 means that the lab itself failed,
// including the timeout. In any case all processes end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/deploy/vm/machine"
)

const statusLabFailed = 125

// options are the command line.
type options struct {
	image   string
	keep    string
	timeout time.Duration
	with    []string
	command []string
	disk    string
}

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(2)
	}
	status, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		status = statusLabFailed
	}
	os.Exit(status)
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("lab", flag.ContinueOnError)
	f.StringVar(&o.image, "image", "", "`folder` of the machine's image (required)")
	f.StringVar(&o.keep, "keep", "", "`folder` for console.log and dmesg of the run")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "limit of the whole run, boot included")
	f.Func("with", "`file` to copy into the guest's folder (may be repeated)", func(file string) error {
		o.with = append(o.with, file)
		return nil
	})
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case o.image == "":
		return o, errors.New("-image is missing: name the folder of the machine's image")
	case f.Arg(0) == "boot" && f.NArg() == 2:
		o.disk = f.Arg(1)
	case f.Arg(0) == "run" && f.NArg() > 1:
		o.command = f.Args()[1:]
	case f.Arg(0) != "shell" || f.NArg() != 1:
		return o, errors.New("the command is missing: use \"run PROGRAM [ARGUMENT]...\", \"shell\" or \"boot DISK\"")
	}
	return o, nil
}

func run(o options) (status int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("the run took longer than %v", o.timeout))
	defer cancel()

	share, err := fill(o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(share)) }()
	m := machine.Machine{Image: o.image, SerialLink: true}
	if m.Accelerator, err = m.Probe(ctx, filepath.Join(o.image, "accelerator")); err != nil {
		return 0, err
	}
	if o.disk != "" {
		return 0, m.Boot(ctx, o.disk, os.Stdout)
	}
	start := time.Now()
	fmt.Fprintf(os.Stderr, "lab: booting with %s\n", m.Accelerator)
	status, err = m.Run(ctx, job(o, share))
	fmt.Fprintf(os.Stderr, "lab: the machine ran for %.1f s and took %.1f s of CPU\n", time.Since(start).Seconds(),
		childrenCPU().Seconds())
	if err != nil {
		err = fmt.Errorf("%w; the guest's console ended with:\n%s", err, tail(filepath.Join(share, "console.log"), 30))
	}
	return status, errors.Join(err, keep(o, share))
}

// childrenCPU is the processor time of the processes we started, which distinguishes a slow test from a busy host.
func childrenCPU() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func job(o options, share string) machine.Job {
	j := machine.Job{Share: share, Output: os.Stdout, Env: []string{"WALDO_REQUIRE_HARDWARE=1"}}
	if len(o.command) == 0 {
		j.Stdin = os.Stdin
		return j
	}
	j.Command = append([]string{filepath.Base(o.command[0])}, o.command[1:]...)
	return j
}

// fill makes the folder for the guest and copies the program and the other files into it.
func fill(o options) (share string, err error) {
	share, err = os.MkdirTemp("", "waldo-lab-")
	if err != nil {
		return "", err
	}
	files := o.with
	if len(o.command) > 0 {
		files = append(files, o.command[0])
	}
	for _, file := range files {
		if err := copyFile(filepath.Join(share, filepath.Base(file)), file); err != nil {
			return "", errors.Join(err, os.RemoveAll(share))
		}
	}
	return share, nil
}

// keep saves the files that help to understand a failure.
func keep(o options, share string) error {
	if o.keep == "" {
		return nil
	}
	for _, name := range []string{"console.log", "dmesg"} {
		err := copyFile(filepath.Join(o.keep, name), filepath.Join(share, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // read only
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// tail returns the last n lines of a file.
func tail(file string, n int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
