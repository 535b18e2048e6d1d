package device

import (
	"context"
	"fmt"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
)

// ReplayAttribute is the attribute of a device that replays a recording: the name of the recording.
const ReplayAttribute = "replay"

// busWithin is how long a stand-in waits at its start for the bus, and for an answer on it. Without the bus it cannot
// know whether the device is there for which it stands.
const busWithin = 5 * time.Second

// isGenuine reports whether a device is no stand-in, and goes on.
func isGenuine(d *devicev1.Device) bool {
	return d.GetAttributes()[ReplayAttribute] == "" && d.GetState() != devicev1.DeviceState_DEVICE_STATE_STOPPING
}

// checkName fails unless the name of this stand-in is free on the bus. Otherwise it would get calls that are for the
// other device, an e-stop for example: the bus deals calls among those of one name.
func (k *Kit) checkName() error {
	ctx, cancel := context.WithTimeout(context.Background(), busWithin)
	defer cancel()
	if err := k.awaitBus(ctx); err != nil {
		return fmt.Errorf("%w: the bus is away, so nobody can tell whether the name %s is free", ErrTaken, k.address)
	}
	found, err := devicev1.NewDeviceServiceClient(k.conn.Client(k.address)).GetDevice(ctx, &devicev1.GetDeviceRequest{})
	if err != nil || !isGenuine(found.GetDevice()) { // nobody answers, or another stand-in does
		return nil // that is what is hoped for
	}
	return k.taken(found.GetDevice())
}

// awaitBus returns when the bus is there.
func (k *Kit) awaitBus(ctx context.Context) error {
	connected := make(chan struct{}, 1)
	defer k.conn.OnConnect(func() {
		select {
		case connected <- struct{}{}:
		default: // it is known
		}
	})()
	if k.conn.Connected() {
		return nil
	}
	select {
	case <-connected:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *Kit) taken(by *devicev1.Device) error {
	return fmt.Errorf("%w: %s is on this bus (process %d), and a replay must not stand in its place: replay on another bus, "+
		"as waldo replay does, or under another name", ErrTaken, k.address, by.GetPid())
}

// giveWay takes a stand-in off the bus at once, and has its process end.
func (k *Kit) giveWay(to *devicev1.Device) {
	k.leaveBus()
	k.Log.Error("giving way", "error", plain(k.taken(to).Error()))
	close(k.displaced)
}
