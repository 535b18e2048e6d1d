package evdev

import (
	"context"
	"time"

	linux "github.com/holoplot/go-evdev"

	"github.com/waldo-robot/waldo/services/input/source"
)

// batch is how many events are read by one system call.
const batch = 64

// AnyKind is a Match for all devices.
const AnyKind = "any"

// Config selects the device and how to use it.
type Config struct {
	Path  string // device file, or a link to one; overrides the rest of the selection
	Match string // kind of device, source.Gamepad and so on; AnyKind and empty match all
	Name  string // part of the device's name, in any case; empty matches all
	Grab  bool   // take the device for this process alone
}

// Source reads a device of the kernel. See package source.
type Source struct {
	config Config
	kernel kernel
	now    func() instant
}

// New returns a source. Nothing is opened before Run.
func New(c Config) *Source { return &Source{c, linuxKernel{}, system()} }

// Run implements source.Source.
func (s *Source) Run(ctx context.Context, to source.Sink) error {
	if ctx.Err() != nil {
		return nil
	}
	d, info, err := s.find()
	if err != nil {
		return err
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(closed); d.close() })
	defer func() {
		d.close()
		if !stop() {
			<-closed
		}
	}()
	if err := s.report(d, info, to); ctx.Err() == nil {
		return err
	}
	return nil
}

// report reports the device's state, and then what it sends, until it is closed or goes away.
func (s *Source) report(d *handle, info source.Info, to source.Sink) error {
	if s.config.Grab {
		if err := d.grab(); err != nil {
			return err
		}
	}
	clock := clock{empty: s.now()}
	state, err := d.state()
	if err != nil {
		return err
	}
	to.Opened(info, state)
	var in intake
	for lossy := false; ; {
		events, err := d.read(batch)
		if err != nil {
			return err
		}
		read, all := s.now(), len(events) < batch
		if !lossy {
			lossy = tell(events, &in, func(e linux.InputEvent) time.Time { return clock.time(e, read) }, to)
		}
		if lossy && all { // waiting events are older than the state that is read now
			if state, err = d.state(); err != nil {
				return err
			}
			to.Resynced(read.wall, state)
			lossy = false
		}
		if all {
			clock.empty = read
		}
	}
}

// tell reports the events read, up to a loss, if there is one.
func tell(events []linux.InputEvent, in *intake, at func(linux.InputEvent) time.Time, to source.Sink) (lossy bool) {
	for _, e := range events {
		switch in.take(e) {
		case complete:
			to.Changed(at(e), in.group)
		case lost:
			return true
		}
	}
	return false
}
