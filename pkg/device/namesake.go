package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	// certain is for how long another life must be heard, message after message, before it counts as a process of its own.
	// What a predecessor that died had still on its way comes at once, and two lives of one device that is restarted by
	// hand overlap for less.
	certain = 2500 * time.Millisecond
	// silent is after what silence the other is gone: it speaks once a second.
	silent = 2500 * time.Millisecond
	// maxNamesakes bounds what strangers can make a device remember.
	maxNamesakes = 16
)

// Namesake reports which other process on the bus has the name of this device, and what to do about it; empty if there
// is none. An actuator grants no lease meanwhile.
func (k *Kit) Namesake() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.namesake
}

// lookForNamesakes listens to what is said in the name of this device, until ctx ends.
func (k *Kit) lookForNamesakes(ctx context.Context) {
	states, err := bus.Subscribe[*devicev1.Device](k.Bus(), k.address.State(), stream.DropOldest(2*maxNamesakes))
	if err != nil {
		k.Log.Error("another device of the same name would not be noticed", "error", err)
		return
	}
	defer states.Close()
	others := namesakes{own: k.epoch}
	for {
		d, err := nextWithin(ctx, states, announceEvery)
		now := time.Now()
		switch {
		case err == nil && k.standIn && d.GetEpoch() != 0 && d.GetEpoch() != k.epoch && isGenuine(d):
			k.giveWay(d)
			return
		case err == nil:
			others.heard(d, now)
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return
		}
		k.setNamesake(others.find(now))
	}
}

func nextWithin(ctx context.Context, states *bus.Subscription[*devicev1.Device], d time.Duration) (*devicev1.Device,
	error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return states.Next(ctx)
}

// setNamesake makes it known when a namesake has come or gone.
func (k *Kit) setNamesake(other *devicev1.Device) {
	text := ""
	if other != nil {
		text = plain(fmt.Sprintf("another process on this bus is %s too (process %d, gRPC at %q): stop one of them, or "+
			"rename its robot or device",
			k.address, other.GetPid(), other.GetGrpcAddress()))
	}
	switch {
	case !k.changeNamesake(text):
	case other != nil:
		k.Log.Error("this name is taken twice", "problem", text, "epoch", other.GetEpoch())
	default:
		k.Log.Info("no other process has the name of this device any more")
	}
}

// changeNamesake reports whether the text is new.
func (k *Kit) changeNamesake(text string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if text == k.namesake {
		return false
	}
	k.namesake = text
	k.tell()
	return true
}

// namesakes are those who speak in the name of a device, by their epoch.
type namesakes struct {
	own   int64
	known map[int64]*namesake
}

type namesake struct {
	first, last time.Time // of its messages, as they came
	device      *devicev1.Device
}

// heard records a message.
func (n *namesakes) heard(d *devicev1.Device, now time.Time) {
	epoch := d.GetEpoch()
	if epoch == n.own || epoch == 0 {
		return
	}
	if d.GetState() == devicev1.DeviceState_DEVICE_STATE_STOPPING {
		delete(n.known, epoch)
		return
	}
	n.forget(now)
	if other := n.known[epoch]; other != nil {
		other.last, other.device = now, d
	} else if len(n.known) < maxNamesakes {
		if n.known == nil {
			n.known = map[int64]*namesake{}
		}
		n.known[epoch] = &namesake{first: now, last: now, device: d}
	}
}

// forget drops those that have fallen silent.
func (n *namesakes) forget(now time.Time) {
	for epoch, other := range n.known {
		if now.Sub(other.last) > silent {
			delete(n.known, epoch)
		}
	}
}

// find returns the one that certainly is there and has been heard for longest, nil if there is none.
func (n *namesakes) find(now time.Time) *devicev1.Device {
	n.forget(now)
	var oldest *namesake
	for _, other := range n.known {
		if other.last.Sub(other.first) >= certain && (oldest == nil || other.first.Before(oldest.first)) {
			oldest = other
		}
	}
	if oldest == nil {
		return nil
	}
	return oldest.device
}
