package supervise

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestOneOfAName: a process that was removed has ended before another of its name is started.
func TestOneOfAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		printer := NewPrinter(&bytes.Buffer{}, nil, false)
		defer printer.Close()
		s := &Supervisor{printer: printer, starter: &fakes{life: func(n int, f *fake) {
			<-f.signals
			if n == 1 {
				time.Sleep(time.Second)
			}
			f.ended <- exit{}
		}}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, []Process{{Name: "a"}}) }()
		synctest.Wait()
		if err := s.Running(ctx, "b"); !IsUnknown(err) {
			t.Error(err)
		}
		for _, processes := range [][]Process{{{Name: "b"}}, {{Name: "b"}, {Name: "a"}}} {
			if _, err := s.Change(processes); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if !s.Leaving("a") || s.Leaving("b") || s.Status()[1].PID != 0 {
			t.Errorf("a leaves: %v, and is %+v", s.Leaving("a"), s.Status()[1])
		}
		began := time.Now()
		if err := s.Running(ctx, "a"); err != nil || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if s.Leaving("a") || s.Running(ctx, "a") != nil {
			t.Error("a leaves still, or does not run")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
