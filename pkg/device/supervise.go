package device

import (
	"context"
	"errors"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
)

const (
	firstRetry = 100 * time.Millisecond
	// lastRetry keeps the promise that hardware is opened again within about a second of its return.
	lastRetry = 800 * time.Millisecond
)

// supervise runs the driver until ctx ends, again and again.
func supervise(ctx context.Context, k *Kit, d Driver) {
	retry := firstRetry
	for {
		err := d.Run(ctx, func() {
			retry = firstRetry
			if k.setState(devicev1.DeviceState_DEVICE_STATE_READY, "") {
				k.Log.Info("ready")
			}
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("the driver stopped")
		}
		if k.setState(devicev1.DeviceState_DEVICE_STATE_AWAY, err.Error()) {
			k.Log.Warn("away", "reason", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
		}
		retry = min(2*retry, lastRetry)
	}
}
