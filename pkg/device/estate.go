package device

import (
	"slices"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/handover"
)

const (
	// maxLeft is how many holds a process leaves to its successor. Those beyond are renewed by their holders.
	maxLeft = 256
	// maxKept is how many bytes each part may leave.
	maxKept = 4 << 10
)

// keep is what a part of a process leaves to that of its successor.
type keep struct {
	give func() []byte
	take func([]byte)
}

// Keep has something live on that is not in the configuration when another process takes over: give returns it, up to
// 4 KiB, and take gets it there, before the driver runs and again when the driver takes over. Both return at once. It
// is for use in [Kind.New].
func (k *Kit) Keep(name string, give func() []byte, take func([]byte)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[name] = keep{give, take}
}

// estate is what this process leaves now.
func (k *Kit) estate() *handover.Estate {
	e := &handover.Estate{
		Epoch: k.epoch, Ready: k.Device().GetState() == devicev1.DeviceState_DEVICE_STATE_READY, Kept: map[string][]byte{},
	}
	for _, o := range k.allOuts() {
		if o.flowing() {
			e.Flowing = append(e.Flowing, o.name)
		}
		e.Holds = append(e.Holds, o.holds.list(o.name)...)
	}
	e.Holds = e.Holds[:min(len(e.Holds), maxLeft)]
	for name, part := range k.keeps() {
		if left := part.give(); len(left) <= maxKept {
			e.Kept[name] = left
		}
	}
	return e
}

// inherit takes what a predecessor has left, if there was one. Holds last at least so long.
func (k *Kit) inherit(e *handover.Estate, least time.Duration) {
	if e == nil {
		return
	}
	for _, o := range k.allOuts() {
		o.holds.inherit(slices.DeleteFunc(slices.Clone(e.Holds), func(h handover.Hold) bool { return h.Stream != o.name }),
			least)
	}
	for name, part := range k.keeps() {
		if left := e.Kept[name]; left != nil {
			part.take(left)
		}
	}
}

func (k *Kit) keeps() map[string]keep {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kept // nothing is added once the device is assembled
}

func (k *Kit) allOuts() []*out {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.outs)
}
