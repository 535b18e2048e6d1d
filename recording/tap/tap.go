package tap

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/presence"
	"github.com/waldo-robot/waldo/recording"
)

// Lister knows the devices of a robot, as [presence.Devices] does.
type Lister interface {
	List() (list *signalingv1.DeviceList, changed <-chan struct{})
}

// Config adjusts a [Tap]. The zero value works.
type Config struct {
	// Reader names who reads, for people, in up to 64 printable characters; see [bus.Conn.Hold]. Empty: "tap".
	Reader string
	// Devices are those of the robot; nil: the tap follows them itself.
	Devices Lister
	// Log may be nil.
	Log *slog.Logger
}

// Stream is a stream that can be opened.
type Stream struct {
	// Channel says whose it is and defines its messages. Its media type is what the device announces, if it does.
	Channel *recording.Channel
	// Info is how the device describes it; nil for states.
	Info *devicev1.StreamInfo
	// Epoch is the life of the device.
	Epoch int64
}

// Tap reads the bus of a robot.
type Tap struct {
	conn    *bus.Conn
	robot   string
	reader  string
	log     *slog.Logger
	devices Lister
	end     func() // of devices
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup

	mu      sync.Mutex
	lives   map[string]*lives // by device
	streams []Stream
	changed chan struct{} // closed and replaced at each change
	opened  map[*Opened]struct{}
	closed  bool
}

// ErrClosed is returned by Open after Close.
var ErrClosed = errors.New("the tap is closed")

// New begins to follow the devices of a robot.
func New(conn *bus.Conn, robot string, c Config) (*Tap, error) {
	t := &Tap{
		conn: conn, robot: robot, reader: cmp.Or(c.Reader, "tap"), log: c.Log, devices: c.Devices, end: func() {},
		lives: map[string]*lives{}, changed: make(chan struct{}), opened: map[*Opened]struct{}{},
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if t.devices == nil {
		devices, err := presence.FollowDevices(conn, robot, presence.DevicesConfig{Log: t.log})
		if err != nil {
			return nil, err
		}
		t.devices, t.end = devices, devices.Close
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.work.Go(t.follow)
	return t, nil
}

// Close ends the tap and all streams that are open. It may be called more than once.
func (t *Tap) Close() {
	t.mu.Lock()
	t.closed = true
	open := t.opened
	t.opened = map[*Opened]struct{}{}
	t.mu.Unlock()
	t.cancel()
	for o := range open {
		o.Close()
	}
	t.work.Wait()
	t.end()
}

// Streams returns the streams that can be opened, by device and name, and a channel that is closed when the list is out
// of date. A device that is gone keeps its streams until it is forgotten. The list must not be changed.
func (t *Tap) Streams() (streams []Stream, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.streams, t.changed
}

// retry is after what time a device is asked again that did not give its definitions.
const retry = 500 * time.Millisecond

// follow keeps up with the devices until the tap is closed.
func (t *Tap) follow() {
	again := time.NewTimer(0) // when a device is to be asked again
	defer again.Stop()
	for {
		list, changed := t.devices.List()
		if t.update(list) {
			again.Reset(retry)
		}
		select {
		case <-t.ctx.Done():
			return
		case <-changed:
		case <-again.C:
		}
	}
}

// update takes over a list of devices, and begins to ask those whose life is not known. It returns whether one has to
// be asked again.
func (t *Tap) update(list *signalingv1.DeviceList) (again bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := map[string]bool{}
	for _, s := range list.GetDevices() {
		d := s.GetDevice()
		known[d.GetName()] = true
		l := t.lives[d.GetName()]
		if l == nil {
			l = &lives{}
			t.lives[d.GetName()] = l
		}
		if d.GetEpoch() != 0 {
			l.about = d
		}
		switch {
		case s.GetGone() || l.about == nil || l.now != nil && l.now.epoch == l.about.GetEpoch():
		case l.asking || time.Since(l.failed) < retry:
			again = true
		default:
			l.asking, again = true, true
			t.work.Go(func() { t.ask(l, d) })
		}
	}
	for name := range t.lives {
		if !known[name] {
			delete(t.lives, name)
		}
	}
	t.listLocked()
	return again
}

// listLocked makes the list of streams anew.
func (t *Tap) listLocked() {
	var streams []Stream
	for _, l := range t.lives {
		streams = append(streams, t.streamsOf(l)...)
	}
	slices.SortFunc(streams, func(a, b Stream) int { return cmp.Compare(a.Channel.Name(), b.Channel.Name()) })
	same := slices.EqualFunc(t.streams, streams, func(a, b Stream) bool {
		return a.Channel == b.Channel && a.Epoch == b.Epoch && sameInfo(a.Info, b.Info)
	})
	t.streams = streams
	if !same {
		t.tellLocked()
	}
}

// sameInfo compares what readers choose by.
func sameInfo(a, b *devicev1.StreamInfo) bool {
	return a.GetAlternativeTo() == b.GetAlternativeTo() && a.GetSmall() == b.GetSmall() &&
		a.GetKeyFrameOnRequest() == b.GetKeyFrameOnRequest() && a.GetPassedThrough() == b.GetPassedThrough() &&
		slices.Equal(a.GetMediaTypes(), b.GetMediaTypes())
}

// tellLocked wakes everyone who waits for a change.
func (t *Tap) tellLocked() {
	close(t.changed)
	t.changed = make(chan struct{})
}
