// Package sourcetest checks that a driver keeps the contract of package source. Every driver's tests run it.
package sourcetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/source"
)

// patience is how long a test waits, on a busy machine, for something that should happen at once.
const patience = 20 * time.Second

// Run checks sources made by open, which is called once for every check and fails the test itself if it cannot open
// one.
func Run(t *testing.T, open func(t *testing.T) source.Source) {
	checks := map[string]func(*testing.T, source.Source){
		"describes itself":            describes,
		"frames are as promised":      frames,
		"stops and starts again":      restarts,
		"delivers nothing after stop": silence,
		"close ends a capture":        closes,
		"watch ends with its context": watch,
		"controls":                    controls,
	}
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { _ = s.Close() })
			check(t, s)
		})
	}
}

func describes(t *testing.T, s source.Source) {
	info := s.Info()
	if err := media.Validate(info.Current); err != nil {
		t.Errorf("current format: %v", err)
	}
	if len(info.Native) == 0 {
		t.Error("no native format")
	}
	for _, f := range info.Native {
		if err := media.Validate(f); err != nil {
			t.Errorf("native format %v: %v", f, err)
		}
	}
	if info.Attributes["driver"] == "" {
		t.Error("attribute driver is missing")
	}
}

// take captures until n frames have come.
func take(t *testing.T, s source.Source, n int) []source.Frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []source.Frame
	err := s.Capture(ctx, func(f source.Frame) {
		if got = append(got, f); len(got) == n {
			cancel()
		}
	})
	if err != nil {
		t.Fatalf("capture: %v", err)
	}
	if len(got) < n {
		t.Fatalf("%d frames in %v, want %d", len(got), patience, n)
	}
	return got
}

func frames(t *testing.T, s source.Source) {
	before := time.Now()
	current := s.Info().Current
	last := time.Time{}
	for i, f := range take(t, s, 3) {
		if f.Format.GetMediaType() != current.GetMediaType() || f.Format.GetWidthPx() != current.GetWidthPx() ||
			f.Format.GetHeightPx() != current.GetHeightPx() || f.Format.GetPixelFormat() != current.GetPixelFormat() {
			t.Errorf("frame %d has format %v, the source reported %v", i, f.Format, current)
		}
		if len(f.Data) == 0 && f.Picture == nil {
			t.Errorf("frame %d is empty", i)
		}
		if f.Picture != nil {
			if err := f.Picture.Validate(); err != nil {
				t.Errorf("frame %d: %v", i, err)
			}
		}
		if f.Time.Before(before.Add(-time.Second)) || f.Time.After(time.Now().Add(time.Second)) || f.Time.Before(last) {
			t.Errorf("frame %d was captured at %v, now is %v", i, f.Time, time.Now())
		}
		last = f.Time
		if !f.Begins() && (i == 0 || !media.InterCoded(f.Format.GetMediaType())) {
			t.Errorf("frame %d (%s) is not a key frame", i, f.Format.GetMediaType())
		}
	}
}

func restarts(t *testing.T, s source.Source) {
	for range 3 {
		if first := take(t, s, 1)[0]; !first.Begins() {
			t.Error("a capture did not begin with a key frame")
		}
	}
}

func silence(t *testing.T, s source.Source) {
	ctx, cancel := context.WithCancel(t.Context())
	stopped := false
	if err := s.Capture(ctx, func(source.Frame) {
		if stopped {
			t.Error("delivered after Capture returned")
		}
		cancel()
	}); err != nil {
		t.Fatal(err)
	}
	stopped = true
	if err := s.Capture(ctx, func(source.Frame) { t.Error("delivered although the context had ended") }); err != nil {
		t.Errorf("capture with an ended context: %v", err)
	}
}

func closes(t *testing.T, s source.Source) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	closed := make(chan struct{})
	once := false
	err := s.Capture(ctx, func(source.Frame) {
		if !once {
			once = true
			go func() { defer close(closed); _ = s.Close() }()
		}
	})
	<-closed
	if err == nil {
		t.Error("capture of a closed source ended without an error")
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func watch(t *testing.T, s source.Source) {
	w, ok := s.(source.Watcher)
	if !ok {
		return // it cannot go away
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Watch(ctx); err != nil {
		t.Errorf("watch: %v", err)
	}
}

func controls(t *testing.T, s source.Source) {
	c, ok := s.(source.Controller)
	if !ok {
		return
	}
	all, err := c.Controls()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetControls(map[string]int64{"no_such_thing": 1}); !errors.Is(err, source.ErrNoControl) {
		t.Errorf("unknown control: %v", err)
	}
	for _, control := range all {
		if control.ReadOnly || control.Type != source.Integer {
			continue
		}
		if err := c.SetControls(map[string]int64{control.Name: control.Maximum + 1}); !errors.Is(err, source.ErrOutOfRange) {
			t.Errorf("%s above its maximum: %v", control.Name, err)
		}
		if err := c.SetControls(map[string]int64{control.Name: control.Default}); err != nil {
			t.Errorf("%s to its default: %v", control.Name, err)
		}
	}
}
