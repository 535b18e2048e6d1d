package presence

import (
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
)

// TestRepeatedAnnouncements: what a device repeats keeps it present and changes nothing; one that was gone is back with
// it.
func TestRepeatedAnnouncements(t *testing.T) {
	d := &Devices{robot: "demo", entries: map[string]*entry{}, changed: make(chan struct{}), forgot: func(string) {},
		log: orDiscard(nil)}
	front, said, now := &devicev1.Device{Robot: "demo", Name: "front"}, []byte("front"), time.Now()
	gone := func() bool {
		status, _, _ := d.Get("front")
		return status.GetGone()
	}
	if d.repeated(said, now) {
		t.Error("the first announcement counts as repeated")
	}
	d.heard(front, said, now)
	_, changed := d.List()
	later := now.Add(time.Second)
	if !d.repeated(said, later) || d.repeated([]byte("other"), later) {
		t.Error("what is repeated is not told from what is new")
	}
	if again := d.markGone(later.Add(goneAfter)); gone() || again != goneCheck {
		t.Errorf("it is looked again after %v", again)
	}
	select {
	case <-changed:
		t.Error("something has changed")
	default:
	}
	end := later.Add(goneAfter + 1)
	if d.markGone(end); !gone() {
		t.Error("a silent device is present")
	}
	if d.repeated(said, end) {
		t.Error("a device that is back counts as repeated")
	}
	if d.heard(front, said, end); gone() {
		t.Error("a device that is back is gone")
	}
}
