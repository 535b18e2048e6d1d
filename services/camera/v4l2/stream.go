package v4l2

import (
	"context"
	"errors"
	"fmt"
	"time"

	kernel "github.com/vladimirvivien/go4vl/v4l2"
	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/device"
)

// streaming is a stream that is set up; go4vl's functions for buffers work on it.
type streaming struct {
	fd      uintptr
	count   uint32
	buffers [][]byte
}

func (s *streaming) Name() string                  { return "" }
func (s *streaming) Fd() uintptr                   { return s.fd }
func (s *streaming) Capability() kernel.Capability { return kernel.Capability{} }
func (s *streaming) MemIOType() kernel.IOType      { return kernel.IOTypeMMAP }
func (s *streaming) GetOutput() <-chan []byte      { return nil }
func (s *streaming) SetInput(<-chan []byte)        {}
func (s *streaming) Close() error                  { return nil }
func (s *streaming) Buffers() [][]byte             { return s.buffers }
func (s *streaming) BufferType() kernel.BufType    { return kernel.BufTypeVideoCapture }
func (s *streaming) BufferCount() uint32           { return s.count }
func (s *streaming) Start(context.Context) error   { return nil }
func (s *streaming) Stop() error                   { return nil }

func (k *kernelNode) stream(ctx context.Context, deliver func(buffer)) (err error) {
	s := &streaming{fd: k.fd, count: buffers}
	defer s.release()
	if err := s.start(); err != nil {
		return k.explain(err)
	}
	wake, err := newAlarm(ctx)
	if err != nil {
		return err
	}
	defer wake.close()
	for {
		woken, err := s.wait(wake.fd)
		if woken || ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = s.next(deliver)
		}
		if err != nil {
			return k.explain(err)
		}
	}
}

// start requests buffers, maps them, hands them to the driver and starts streaming.
func (s *streaming) start() error {
	got, err := kernel.InitBuffers(s)
	if err != nil {
		return err
	}
	s.count = got.Count
	if s.buffers, err = kernel.MapMemoryBuffers(s); err != nil {
		return err
	}
	for i := range s.count {
		if err := s.queue(i); err != nil {
			return err
		}
	}
	return kernel.StreamOn(s)
}

func (s *streaming) queue(i uint32) error {
	_, err := kernel.QueueBuffer(s.fd, kernel.IOTypeMMAP, kernel.BufTypeVideoCapture, i)
	return err
}

// release undoes as much as start did. All of it fails once the device is gone, which does not matter then.
func (s *streaming) release() {
	_ = kernel.StreamOff(s)
	for _, b := range s.buffers {
		if b != nil {
			_ = unix.Munmap(b)
		}
	}
	s.buffers = nil
	_, _ = kernel.ResetBuffers(s)
}

// wait returns when a buffer is filled or wake is signalled.
func (s *streaming) wait(wake int) (woken bool, err error) {
	fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(stalled.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return false, err
		case n == 0:
			return false, fmt.Errorf("%w: no picture arrived for %v", device.ErrAway, stalled)
		case fds[1].Revents != 0:
			return true, nil
		}
		return false, nil // the driver reports an error of the device when the buffer is dequeued
	}
}

// next dequeues a filled buffer, delivers it, and returns it to the driver.
func (s *streaming) next(deliver func(buffer)) error {
	b, err := kernel.DequeueBuffer(s.fd, kernel.IOTypeMMAP, kernel.BufTypeVideoCapture)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil:
		return err
	case int(b.Index) >= len(s.buffers):
		return fmt.Errorf("the driver filled buffer %d of %d", b.Index, len(s.buffers))
	}
	data := s.buffers[b.Index]
	deliver(buffer{
		data: data[:min(int(b.BytesUsed), len(data))], damaged: b.Flags&kernel.BufFlagError != 0,
		sequence: b.Sequence, time: captureTime(b, time.Now()),
	})
	return s.queue(b.Index)
}

// captureTime is the wall clock time of a buffer. Drivers use the monotonic clock; an impossible time is replaced by
// now.
func captureTime(b kernel.Buffer, now time.Time) time.Time {
	var mono unix.Timespec
	if b.Flags&kernel.BufFlagTimestampMask != kernel.BufFlagTimestampMonotonic ||
		unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil {
		return now
	}
	age := time.Duration(mono.Nano()) - time.Duration(b.Timestamp.Sec)*time.Second - time.Duration(
		b.Timestamp.Usec)*time.Microsecond
	if age < 0 || age > stalled {
		return now
	}
	return now.Add(-age)
}

// alarm interrupts wait when a context ends.
type alarm struct {
	fd   int
	stop func() bool
	rung chan struct{}
}

func newAlarm(ctx context.Context) (*alarm, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	a := &alarm{fd: fd, rung: make(chan struct{})}
	a.stop = context.AfterFunc(ctx, func() {
		defer close(a.rung)
		_, _ = unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // cannot fail: the counter is far from full
	})
	return a, nil
}

// close frees the alarm once nothing can signal it any more.
func (a *alarm) close() {
	if !a.stop() {
		<-a.rung
	}
	_ = unix.Close(a.fd)
}
