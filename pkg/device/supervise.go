package device

import (
	"context"
	"errors"
	"sync"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
)

const (
	firstRetry = 100 * time.Millisecond
	// lastRetry keeps the promise that hardware is opened again within about a second of its return.
	lastRetry = 800 * time.Millisecond
	// steady is how long a driver must have worked for its next failure to count as a first one.
	steady = time.Second
)

// supervise runs the driver until ctx ends, again and again.
func supervise(ctx context.Context, k *Kit, d Driver) {
	retry := firstRetry
	for {
		worked, err := attempt(ctx, k, d)
		if ctx.Err() != nil {
			return
		}
		if k.setState(devicev1.DeviceState_DEVICE_STATE_AWAY, err.Error()) {
			k.Log.Warn("away", "reason", err)
		}
		if worked >= steady {
			retry = firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
		}
		retry = min(2*retry, lastRetry)
	}
}

// attempt runs the driver once. It returns how long the driver was ready, and why it ended, which is never nil.
func attempt(ctx context.Context, k *Kit, d Driver) (worked time.Duration, err error) {
	var mu sync.Mutex
	var since time.Time
	var over bool
	ready := func() { // from any goroutine; only the first call counts, and none after Run has returned
		mu.Lock()
		defer mu.Unlock()
		if over || !since.IsZero() {
			return
		}
		since = time.Now()
		if k.setState(devicev1.DeviceState_DEVICE_STATE_READY, "") {
			k.Log.Info("ready")
		}
	}
	if err = d.Run(ctx, ready); err == nil {
		err = errors.New("the driver stopped")
	}
	mu.Lock()
	defer mu.Unlock()
	over = true
	if !since.IsZero() {
		worked = time.Since(since)
	}
	return worked, err
}
