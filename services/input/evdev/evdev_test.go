package evdev

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	linux "github.com/holoplot/go-evdev"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/input/codes"
	"github.com/waldo-robot/waldo/services/input/reports"
	"github.com/waldo-robot/waldo/services/input/source"
	"github.com/waldo-robot/waldo/services/input/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// await polls until a condition holds that wakes nobody.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// play moves a stick and presses a button until the test ends.
func play(t *testing.T, d *FakeDevice) {
	ctx, cancel := context.WithCancel(context.Background())
	var playing sync.WaitGroup
	playing.Go(func() {
		for i := int32(0); ctx.Err() == nil; i++ {
			d.Send(abs(linux.ABS_X, i%32767), key(linux.BTN_SOUTH, i%2))
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { cancel(); playing.Wait() })
}

func TestConformance(t *testing.T) {
	for _, grab := range []bool{false, true} {
		t.Run(fmt.Sprintf("grab %v", grab), func(t *testing.T) {
			sourcetest.Run(t, func(t *testing.T) source.Source {
				k, pad := NewFakeKernel(), Pad()
				k.Plug("/dev/input/event0", pad)
				play(t, pad)
				t.Cleanup(func() {
					if pad.Open() != 0 || pad.Grabbed() {
						t.Errorf("%d have the device open at the end, grabbed %v", pad.Open(), pad.Grabbed())
					}
				})
				return NewOn(k, Config{Match: source.Gamepad, Grab: grab})
			})
		})
	}
}

// running is a source with a hub behind it.
type running struct {
	hub  *reports.Hub
	done chan error
	stop context.CancelFunc
}

func run(t *testing.T, s *Source) *running {
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{reports.New(1, reports.Config{}), make(chan error, 1), cancel}
	var ended sync.WaitGroup
	ended.Go(func() { r.done <- s.Run(ctx, r.hub) })
	t.Cleanup(func() { cancel(); ended.Wait() })
	return r
}

func (r *running) await(t *testing.T) {
	t.Helper()
	await(t, "opened", func() bool { _, err := r.hub.State(); return err == nil })
}

// pressed are the names of the keys that are pressed.
func (r *running) pressed() (names []string) {
	s, _ := r.hub.State()
	for _, e := range s.GetKeys() {
		names = append(names, e.GetName())
	}
	return names
}

func (r *running) stand(name string) int32 {
	s, _ := r.hub.State()
	for _, e := range s.GetAxes() {
		if e.GetName() == name {
			return e.GetValue()
		}
	}
	return -1 << 31
}

func (d *FakeDevice) pressed() (names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c, pressed := range d.keys {
		if pressed {
			names = append(names, codes.Name(linux.EV_KEY, c))
		}
	}
	slices.Sort(names)
	return names
}

func TestOverflowIsMadeGood(t *testing.T) {
	k, pad := NewFakeKernel(), Pad()
	pad.Buffer = 8
	k.Plug("/dev/input/event0", pad)
	r := run(t, NewOn(k, Config{}))
	r.await(t)
	reader := r.hub.Open()
	defer reader.Close()
	pad.Send(key(linux.BTN_SOUTH, 1))
	if got, err := reader.Next(t.Context()); err != nil || got.GetResync() ||
		got.GetEvents()[0].GetName() != "BTN_SOUTH" {
		t.Fatalf("got %v %v", got, err)
	}
	pad.Raw(slices.Concat( // more than the kernel keeps: the release is lost, and BTN_EAST's press
		[]linux.InputEvent{key(linux.BTN_SOUTH, 0), syn(0), key(linux.BTN_EAST, 1), syn(0), abs(linux.ABS_X, 100), syn(0)},
		[]linux.InputEvent{abs(linux.ABS_X, 200), syn(0), abs(linux.ABS_X, 300), syn(0)})...)
	got, err := reader.Next(t.Context())
	if err != nil || !got.GetResync() {
		t.Fatalf("got %v %v, want a resync", got, err)
	}
	var told []string
	for _, e := range got.GetEvents() {
		told = append(told, fmt.Sprint(e.GetName(), " ", e.GetValue()))
	}
	if want := []string{"BTN_SOUTH 0", "BTN_EAST 1", "ABS_X 300"}; !slices.Equal(told, want) {
		t.Errorf("reported %v, want %v", told, want)
	}
}

// TestStateIsNewerThanTheBatch releases a key after the batch with its press was read, and before the
// state is read, upon which the kernel discards the release.
func TestStateIsNewerThanTheBatch(t *testing.T) {
	k, pad := NewFakeKernel(), Pad()
	k.Plug("/dev/input/event0", pad)
	asked := 0
	pad.StateFn = func() {
		if asked++; asked == 2 {
			pad.Send(key(linux.BTN_START, 0))
		}
	}
	r := run(t, NewOn(k, Config{}))
	r.await(t)
	reader := r.hub.Open()
	defer reader.Close()
	pad.Raw(syn(linux.SYN_DROPPED), syn(linux.SYN_REPORT), key(linux.BTN_START, 1), syn(linux.SYN_REPORT))
	if got, err := reader.Next(t.Context()); err != nil || !got.GetResync() || len(got.GetEvents()) != 0 {
		t.Fatalf("got %v %v, want a resync without differences", got, err)
	}
	pad.Send(key(linux.BTN_EAST, 1))
	if got, err := reader.Next(t.Context()); err != nil || got.GetResync() || got.GetEvents()[0].GetName() != "BTN_EAST" {
		t.Errorf("got %v %v", got, err)
	}
	if got := r.pressed(); !slices.Equal(got, []string{"BTN_EAST"}) {
		t.Errorf("pressed: %v", got)
	}
}

// TestNothingOlderThanTheState has more events wait behind a loss than one read returns.
func TestNothingOlderThanTheState(t *testing.T) {
	k, pad := NewFakeKernel(), Pad()
	k.Plug("/dev/input/event0", pad)
	r := run(t, NewOn(k, Config{}))
	r.await(t)
	reader := r.hub.Open()
	defer reader.Close()
	events := []linux.InputEvent{syn(linux.SYN_DROPPED), syn(linux.SYN_REPORT)}
	for i := range int32(3 * batch) {
		events = append(events, abs(linux.ABS_X, i+1), syn(linux.SYN_REPORT))
	}
	pad.Raw(events...)
	got, err := reader.Next(t.Context())
	if err != nil || !got.GetResync() || got.GetEvents()[0].GetValue() != 3*batch {
		t.Fatalf("got %v %v, want a resync with the last position", got, err)
	}
	pad.Send(key(linux.BTN_EAST, 1))
	if got, err := reader.Next(t.Context()); err != nil || got.GetEvents()[0].GetName() != "BTN_EAST" {
		t.Errorf("after the loss came %v %v, want new events only", got, err)
	}
}

// TestStateConverges lets the kernel lose events all the time, and checks that readers know the true
// state in the end.
func TestStateConverges(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 1))
			k, pad := NewFakeKernel(), Pad()
			pad.Buffer = 6
			k.Plug("/dev/input/event0", pad)
			r := run(t, NewOn(k, Config{}))
			r.await(t)
			for range 3000 {
				group := []linux.InputEvent{}
				for range 1 + dice.IntN(3) {
					if dice.IntN(2) == 0 {
						group = append(group, key(linux.BTN_SOUTH+linux.EvCode(dice.IntN(5)), dice.Int32N(2)))
					} else {
						group = append(group, abs(linux.EvCode(dice.IntN(2)), dice.Int32N(60000)-30000))
					}
				}
				pad.Send(group...)
				if dice.IntN(20) == 0 {
					time.Sleep(time.Duration(dice.IntN(200)) * time.Microsecond) // the reader keeps up for a while
				}
			}
			await(t, "all is read", pad.Idle)
			await(t, "the truth", func() bool {
				pad.mu.Lock()
				x := pad.Axes[linux.ABS_X].Value
				pad.mu.Unlock()
				sorted := r.pressed()
				slices.Sort(sorted)
				return slices.Equal(sorted, pad.pressed()) && r.stand("ABS_X") == x
			})
			if pad.Dropped == 0 {
				t.Error("the kernel lost nothing, so nothing was tried")
			}
		})
	}
}

func TestUnplug(t *testing.T) {
	k, pad := NewFakeKernel(), Pad()
	k.Plug("/dev/input/event3", pad)
	r := run(t, NewOn(k, Config{}))
	r.await(t)
	k.Unplug("/dev/input/event3")
	err := <-r.done
	if !errors.Is(err, device.ErrAway) || !strings.Contains(err.Error(), "/dev/input/event3") ||
		!strings.Contains(err.Error(), "unplugged") {
		t.Errorf("got %v", err)
	}
	if pad.Open() != 0 {
		t.Error("it is still open")
	}
}

// TestUnplugWhileTheStateIsRead ends the same way, though go-evdev's error has different words.
func TestUnplugWhileTheStateIsRead(t *testing.T) {
	k, pad := NewFakeKernel(), Pad()
	pad.StateFn = func() { k.Unplug("/dev/input/event0") }
	k.Plug("/dev/input/event0", pad)
	if err := NewOn(k, Config{}).Run(t.Context(), reports.New(1, reports.Config{})); !errors.Is(err, device.ErrAway) {
		t.Errorf("got %v", err)
	}
}

// stopper is a sink that ends the run when it is called.
type stopper struct {
	*reports.Hub
	stop func()
}

func (s stopper) Changed(time.Time, []source.Event) { s.stop() }

// TestStopAmidABatch ends the run between an event and a SYN_DROPPED that was read with it: the device
// is no longer queried.
func TestStopAmidABatch(t *testing.T) {
	k, pad := NewFakeKernel(), Pad()
	k.Plug("/dev/input/event0", pad)
	ctx, cancel := context.WithCancel(t.Context())
	sink := stopper{reports.New(1, reports.Config{}), func() {
		cancel()
		await(t, "closed", func() bool { return pad.Open() == 0 })
	}}
	pad.StateFn = func() { // events sent now are read by one call
		pad.Raw(abs(linux.ABS_X, 1), syn(linux.SYN_REPORT), syn(linux.SYN_DROPPED), syn(linux.SYN_REPORT))
	}
	if err := NewOn(k, Config{}).Run(ctx, sink); err != nil {
		t.Errorf("stopped with %v", err)
	}
	if pad.Misused > 0 {
		t.Error("the device was asked after it was closed")
	}
}

// TestStopWhileAsked ends the run while the device is being queried: it is closed only afterwards.
func TestStopWhileAsked(t *testing.T) {
	k, pad := NewFakeKernel(), Pad()
	k.Plug("/dev/input/event0", pad)
	ctx, cancel := context.WithCancel(t.Context())
	pad.StateFn = func() {
		cancel()
		time.Sleep(20 * time.Millisecond) // for the goroutine that would close it
	}
	if err := NewOn(k, Config{}).Run(ctx, reports.New(1, reports.Config{})); err != nil {
		t.Errorf("stopped with %v", err)
	}
	if pad.Misused > 0 {
		t.Error("the device was asked after it was closed")
	}
}

func TestGrab(t *testing.T) {
	k, pad := NewFakeKernel(), Pad()
	k.Plug("/dev/input/event0", pad)
	first, other := run(t, NewOn(k, Config{Grab: true})), run(t, NewOn(k, Config{}))
	first.await(t)
	other.await(t)
	if !pad.Grabbed() {
		t.Fatal("it is not grabbed")
	}
	hears := first.hub.Open()
	defer hears.Close()
	pad.Send(key(linux.BTN_SOUTH, 1))
	if _, err := hears.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := other.pressed(); got != nil {
		t.Errorf("another program receives %v", got)
	}
	err := NewOn(k, Config{Grab: true}).Run(t.Context(), reports.New(1, reports.Config{}))
	if !errors.Is(err, device.ErrBusy) || !strings.Contains(err.Error(), "another program has grabbed it") {
		t.Errorf("a second grab: %v", err)
	}
	first.stop()
	if err := <-first.done; err != nil {
		t.Errorf("stopped with %v", err)
	}
	if pad.Grabbed() {
		t.Error("it is still grabbed")
	}
	if err := runOnce(t, NewOn(k, Config{Grab: true})); err != nil {
		t.Errorf("it cannot be grabbed again: %v", err)
	}
}

// runOnce opens a source and stops it at once.
func runOnce(t *testing.T, s *Source) error {
	r := run(t, s)
	await(t, "opened or failed", func() bool {
		_, err := r.hub.State()
		return err == nil || len(r.done) > 0
	})
	r.stop()
	return <-r.done
}
